"""A network of one layer of sines, as somebody might add it."""

import jax.numpy as jnp
from flax import nnx

from double_pinn.numerics.networks.base import Network
from double_pinn.values import Count

# More than a stand-in for JAX can do is fine, too.
FREQUENCY = float(jnp.pi)


class SineModule(nnx.Module):
    """u = w · sin(π (W (x, t) + b))."""

    def __init__(self, width, rngs, dtype):
        self.inner = nnx.Linear(2, width, rngs=rngs, param_dtype=dtype)
        self.outer = nnx.Linear(width, 1, rngs=rngs, param_dtype=dtype)

    def __call__(self, inputs):
        """Return u."""
        return self.outer(jnp.sin(FREQUENCY * self.inner(inputs)))[..., 0]


class Sine(Network):
    """One hidden layer of sines."""

    name = "sine"
    label = "sines"

    width: Count = 8
    """Sines."""

    def module(self, rngs, dtype):
        """Return a fresh module."""
        return SineModule(self.width, rngs, dtype)
