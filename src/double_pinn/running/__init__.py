"""A training job: the loop, its checkpoints, its identity, its progress."""
