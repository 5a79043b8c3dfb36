"""Networks that see a point as a short sequence in time: the points (x, t + iΔ), i = 0 … L-1."""

from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from double_pinn.errors import SettingsError
from double_pinn.numerics.derivatives import Plan, nested_channels, sequence_channels
from double_pinn.numerics.networks.base import FlatNetwork, Network
from double_pinn.values import Count, Positive

# Of two numbers that are written down as decimals.
_SAME = 1e-6


class SequenceNetwork(Network):
    """What sequence models have in common: it is no choice by itself.

    Their module maps sequences of shape (..., L, 2), x and t as they are, to u of shape (..., L).
    Rows are made of all elements, with the derivatives of
    :mod:`double_pinn.numerics.derivatives.sequences`; the field u(x, t) is the first element.
    """

    sees_sequences = True

    length: Count
    """Elements of a sequence, L."""
    step: Positive
    """Between two elements of a sequence in time, Δ; the last may lie beyond the domain."""

    def check_grid(self, spacing):
        """Refuse a step that is not the grid's where neighbours' sequences are compared.

        Raises:
            SettingsError: naming both.
        """
        if self.aligned and not np.isclose(self.step, spacing, rtol=_SAME, atol=0):
            raise SettingsError(
                f"network.step is {self.step:g}, but the training grid has a point every "
                f"{spacing:.9g} in t: the alignment compares the sequences of neighbours, so give "
                f"the step that value (networks.{self.name}.step)"
            )

    def bound(self, dtype):
        """Return the network with derivatives along its sequences."""
        return FlatSequenceNetwork(self, dtype)


class FlatSequenceNetwork(FlatNetwork):
    """A sequence model as a function of one flat parameter vector."""

    network: SequenceNetwork
    #: What the caches of a core hold, through all layers.
    chunk_points = 32

    def init(self, seed):
        """Return the initial parameters of a seed: compiled, for there are many small arrays."""
        return jax.jit(lambda: super(FlatSequenceNetwork, self).init(seed))()

    @cached_property
    def _values(self):
        """The module as a function of weights and sequences, traced once for all derivatives."""
        return jax.jit(lambda weights, x, t: self._merged(weights)(jnp.stack([x, t], -1)))

    def row_places(self, x, t):
        """Return the sequences of points, two arrays of shape (n, L)."""
        steps = np.arange(self.network.length) * self.network.step
        later = jnp.asarray(t)[..., None] + jnp.asarray(steps, self.dtype)
        return jnp.broadcast_to(jnp.asarray(x)[..., None], later.shape), later

    def row_channels(self, weights, x, t, box, plan: Plan) -> list[Float[Array, "n L"]]:
        """Evaluate the network and the derivatives of a plan along the sequences of points.

        The arguments are those of :meth:`network_channels`.

        Returns:
            One array of shape (n, L) a channel.
        """
        x, t = self.row_places(x, t)
        return sequence_channels(lambda x, t: self._values(weights, x, t), x, t, plan)

    def network_channels(self, weights, x, t, box, plan):
        """Evaluate the field, the first element of a point's sequence, and its derivatives."""
        module = self._merged(weights)

        def u(x, t):
            return module(jnp.stack(self.row_places(x, t), -1).astype(self.dtype))[0]

        return nested_channels(u, jnp.asarray(x), jnp.asarray(t), plan)
