"""The objective: weighted means of squared rows, plus a penalty on the weights (Eqs. 2-4)."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from double_pinn.numerics.cores import summed
from double_pinn.numerics.function_network import FunctionNetwork
from double_pinn.numerics.networks.base import FlatNetwork
from double_pinn.numerics.points import Points
from double_pinn.numerics.problems.base import Problem
from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.numerics.rows import RowSystem


def row_system(
    problem: Problem,
    points: Points,
    network: FlatNetwork | FunctionNetwork,
    regularizer: Regularizer | None = None,
    cores: int = 1,
    *,
    term_weights: Mapping[str, float] | None = None,
    grid_column: int = 1,
) -> RowSystem:
    """Return the rows of a problem, with the derived ones that a regulariser asks for.

    Args:
        problem: the equation.
        points: its points.
        network: evaluates the channels, or any function; its dtype is that of the rows.
        regularizer: ``None``: no derived rows.
        cores: over which the points are dealt out.
        term_weights: of the loss terms, by name.
        grid_column: points of the training grid along t, for the alignment of networks that have
            it.
    """
    axes = regularizer.equation_axes if regularizer else ()
    return RowSystem(
        problem,
        points,
        network.dtype,
        equation_axes=axes,
        equation_weight=regularizer.weight if regularizer and axes else 0.0,
        condition_weight=regularizer.weight if regularizer and regularizer.condition_rows else 0.0,
        term_weights=term_weights,
        grid_column=grid_column if network.network.aligned else 1,
        network=network,
        cores=cores,
    )


@dataclass(frozen=True)
class Objective:
    """The loss of one cell as a function of the flat parameters.

    Attributes:
        network: the network.
        system: the training rows.
        regularizer: may add a penalty on the network's weights.
    """

    network: FlatNetwork
    system: RowSystem
    regularizer: Regularizer

    def __call__(self, parameters: Float[Array, " parameters"]) -> Float[Array, ""]:
        """Return the objective, a scalar, from parameters of shape (network.size,)."""
        weights = self.network.weights
        rows = summed(lambda p: self.system.weighted_square(weights(p)), self.system.cores)
        return rows(parameters) + self.penalty(weights(parameters))

    def penalty(self, weights) -> Float[Array, ""]:
        """Return the penalty on the network's weights, zero for most regularisers."""
        if not self.regularizer.adds_penalty:
            return jnp.zeros((), self.system.dtype)
        return self.regularizer.penalty(self.network.kernels(weights))


def loss_terms(
    network: FlatNetwork, system: RowSystem, parameters: Float[Array, " parameters"]
) -> Float[Array, " terms"]:
    """Return the un-regularised terms L_F, L_B, L_I (Eq. 3), in the order of ``system.terms``."""
    squares = system.mean_squares(network.weights(parameters))
    keep = [k for k, group in enumerate(system.groups) if group.is_residual]
    return squares[jnp.asarray(keep)]
