"""The elastic net, as somebody might add it."""

import jax.numpy as jnp

from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.values import NonNegative, Positive


class ElasticNet(Regularizer):
    """L¹ and L² at once."""

    name = "elastic"
    label = "elastic net"
    symbol = "λ"
    adds_penalty = True

    weight: Positive = 1e-6
    """λ of both penalties."""
    share: NonNegative = 0.5
    """Share of L¹."""

    def penalty(self, kernels):
        """Return λ (share ‖w‖₁ + (1 - share) ‖w‖₂²)."""
        parts = (self.share * jnp.abs(k) + (1 - self.share) * k**2 for k in kernels)
        return self.weight * sum(jnp.sum(part) for part in parts)
