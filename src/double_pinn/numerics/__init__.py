"""All that decides the numbers of a training run, and nothing else."""
