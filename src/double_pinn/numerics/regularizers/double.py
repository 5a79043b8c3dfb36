"""Double PINN, Eq. 4 of the paper."""

from double_pinn.numerics.regularizers.base import Regularizer
from double_pinn.values import Positive


class DoublePINN(Regularizer):
    """The gradient of every residual along the set it lives on, squared."""

    name = "double"
    label = "double PINN"
    symbol = "w"
    equation_axes = ("x", "t")
    condition_rows = True

    weight: Positive = 5.0e-4
    """w of every derivative row."""
