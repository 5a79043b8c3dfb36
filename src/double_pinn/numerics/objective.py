"""The objective: weighted means of squared rows, plus a penalty on the weights (Eqs. 2-4)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from double_pinn.configuration.settings import Regularizer
from double_pinn.numerics.cores import summed
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.points import PointSets
from double_pinn.numerics.problems import Problem
from double_pinn.numerics.rows import RowSystem


def row_system(
    problem: Problem, points: PointSets, dtype, regularizer: Regularizer, cores: int = 1
) -> RowSystem:
    """Return the rows that a regulariser asks for, dealt out over cores.

    ``double`` derives every residual along its set (Eq. 4); ``gpinn``, the gradient penalty of the
    literature, derives the equation's residual only; the others derive nothing.
    """
    weight = regularizer.weight
    return RowSystem(
        problem,
        points,
        dtype,
        equation_weight=weight if regularizer.name in ("double", "gpinn") else 0.0,
        condition_weight=weight if regularizer.name == "double" else 0.0,
        cores=cores,
    )


@dataclass(frozen=True)
class Objective:
    """The loss of one cell as a function of the flat parameters.

    Attributes:
        network: the network.
        system: the training rows.
        regularizer: adds (λ_r/2)‖w‖₂² or λ_r‖w‖₁ over the weights, not the biases (Section 5).
    """

    network: FlatMLP
    system: RowSystem
    regularizer: Regularizer

    def __call__(self, parameters) -> jax.Array:
        """Return the objective, a scalar, from parameters of shape (network.size,)."""
        layers = self.network.layers
        rows = summed(lambda p: self.system.weighted_square(layers(p)), self.system.cores)
        return rows(parameters) + self.weight_penalty(layers(parameters))

    def weight_penalty(self, layers) -> jax.Array:
        """Return the L² or L¹ penalty, zero for the other regularisers."""
        strength = self.regularizer.weight
        if self.regularizer.name == "l2":
            return 0.5 * strength * sum(jnp.sum(kernel**2) for kernel, _ in layers)
        if self.regularizer.name == "l1":
            return strength * sum(jnp.sum(jnp.abs(kernel)) for kernel, _ in layers)
        return jnp.zeros((), self.system.dtype)


def loss_terms(network: FlatMLP, system: RowSystem, parameters) -> jax.Array:
    """Return the un-regularised terms L_F, L_B, L_I (Eq. 3), in the order of ``system.terms``."""
    squares = system.mean_squares(network.layers(parameters))
    keep = [k for k, block in enumerate(system.blocks) if block.axis is None]
    return squares[jnp.asarray(keep)]
