"""PINNs whose failure modes are gone: double PINN in JAX (arXiv:2605.30910)."""

__version__ = "0.1.0"
