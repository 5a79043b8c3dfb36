"""The L¹ regulariser, Section 5 of the paper."""

import jax.numpy as jnp

from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.values import Positive


class L1(Regularizer):
    """λ_r‖w‖₁ over the weights, not the biases."""

    name = "l1"
    label = "L¹"
    symbol = "λ"
    adds_penalty = True

    weight: Positive = 3.0e-6
    """λ_r, chosen by the sweep of config/sweep.yaml."""

    def penalty(self, kernels):
        """Return λ_r‖w‖₁."""
        return self.weight * sum(jnp.sum(jnp.abs(kernel)) for kernel in kernels)
