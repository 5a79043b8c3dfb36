"""Gauss-Newton that marches in time, for equations whose plateaus hold it up (ours)."""

from typing import Annotated

from pydantic import Field

from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.values import Positive


class Marching(GaussNewton):
    """Gauss-Newton on a growing part of the time range.

    Where the solution of later times hangs on that of earlier ones, as the fronts of Allen-Cahn do,
    all points at once hold the network at what is nearly constant: it is solved forwards in time.
    """

    name = "marching"
    label = "Gauss-Newton, marching"

    horizons: Annotated[tuple[Positive, ...], Field(strict=False)] = (0.2, 0.4, 0.6, 0.8)
    """Fractions of the time range, rising, below 1. The steps see the equation's points up to the
    first, then up to the next, and in the end all; conditions are always whole."""
