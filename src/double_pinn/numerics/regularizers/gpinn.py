"""gPINN, the gradient penalty of the literature, for comparison."""

from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.values import Positive


class GPINN(Regularizer):
    """The gradient of the equation's residual only, squared; conditions stay as they are."""

    name = "gpinn"
    label = "gPINN"
    symbol = "w"
    equation_axes = ("x", "t")

    weight: Positive = 5.0e-4
    """w of the derivative rows of the equation."""
