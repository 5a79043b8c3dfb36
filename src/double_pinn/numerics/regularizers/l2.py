"""The L² regulariser, Section 5 of the paper."""

import jax.numpy as jnp

from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.values import Positive


class L2(Regularizer):
    """(λ_r/2)‖w‖₂² over the weights, not the biases."""

    name = "l2"
    label = "L²"
    symbol = "λ"
    adds_penalty = True

    weight: Positive = 3.0e-5
    """λ_r, chosen by the sweep of config/sweep.yaml."""

    def penalty(self, kernels):
        """Return (λ_r/2)‖w‖₂²."""
        return 0.5 * self.weight * sum(jnp.sum(kernel**2) for kernel in kernels)
