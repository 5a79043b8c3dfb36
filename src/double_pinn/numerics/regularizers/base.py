"""What a regulariser is: derivative rows for the residuals, or a penalty on the weights."""

from typing import ClassVar

import jax

from double_pinn.numerics.choice import Choice


class Regularizer(Choice):
    """What is added to the mean squares of the residuals (Eq. 4, Section 5).

    Attributes:
        symbol: of the weight, in figures; empty: there is nothing to weigh.
        equation_axes: axes along which the equation's residual is derived, of "x" and "t"; each
            derivative is a further row, with the weight.
        condition_rows: whether every condition's residual is derived along its edge.
        adds_penalty: whether :meth:`penalty` is added, which is no mean of squared rows.
    """

    symbol: ClassVar[str] = ""
    equation_axes: ClassVar[tuple[str, ...]] = ()
    condition_rows: ClassVar[bool] = False
    adds_penalty: ClassVar[bool] = False

    # Every regulariser declares it, with its own default.
    weight: float

    def penalty(self, kernels: list[jax.Array]) -> jax.Array:
        """Return the penalty, a scalar, from the network's weights (not its biases)."""
        raise NotImplementedError
