"""Side-by-side measurements of the training core; ``python -m benchmarks`` runs them."""
