"""Any function of x and t in the place of a network."""

from collections.abc import Callable

import jax.numpy as jnp

from double_pinn.numerics.derivatives import Plan, nested_channels


class FunctionNetwork:
    """A function ``u(x, t)`` of two scalars, as rows see a network: derivatives by nested ``jvp``.

    It has no weights of its own: what it closes over may be differentiated.
    """

    sees_sequences = aligned = False
    chunk_points = None

    def __init__(self, function: Callable, dtype):
        """Take a function.

        Args:
            function: ``function(x, t)``, of two scalars, returns one.
            dtype: in which it is evaluated.
        """
        self.network, self.dtype = self, jnp.dtype(dtype)
        self._function = function

    def row_places(self, x, t):
        """Return where the rows of points lie: at the points."""
        return x, t

    def row_channels(self, weights, x, t, box, plan: Plan) -> list:
        """Return one array of shape (n,) a channel; ``weights`` and ``box`` play no part."""

        def value(x, t):
            return jnp.reshape(self._function(x, t), ()).astype(self.dtype)

        return nested_channels(value, jnp.asarray(x), jnp.asarray(t), plan)
