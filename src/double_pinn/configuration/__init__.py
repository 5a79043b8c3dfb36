"""What is asked: the settings, checked before anything runs. Nothing here imports JAX."""
