"""What is looked at: figures, tables, and the words in them. Nothing here imports JAX."""
