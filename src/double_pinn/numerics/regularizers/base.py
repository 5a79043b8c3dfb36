"""What a regulariser is: derivative rows for the residuals, or a penalty on the weights."""

from typing import ClassVar

from jaxtyping import Array, Float

from double_pinn.numerics.choice import Choice
from double_pinn.numerics.problems.base import AXES


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

    # Of derived rows; a penalty may have others. Those that have it say its default.
    weight: float = 0.0

    @classmethod
    def __pydantic_init_subclass__(cls, **options):
        """Refuse axes that there are not.

        Raises:
            TypeError: naming the class.
        """
        if not set(cls.equation_axes) <= set(AXES):
            raise TypeError(f"{cls.__name__}.equation_axes is {cls.equation_axes}: of x and t")

    def penalty(self, kernels: list[Float[Array, "..."]]) -> Float[Array, ""]:
        """Return the penalty, a scalar, from the network's weights (not its biases)."""
        raise NotImplementedError
