"""L-BFGS, then Gauss-Newton, for equations that Gauss-Newton alone solves slowly (ours)."""

from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.values import Natural


class LBFGSGaussNewton(GaussNewton):
    """L-BFGS for as long as it is fast, then Gauss-Newton.

    On the convection equation Gauss-Newton from the fresh network ends where what is left of the
    residual is along a direction in which parameters hardly move it.
    """

    name = "lbfgs_gauss_newton"
    label = "L-BFGS, Gauss-Newton"

    warmup_iterations: Natural = 1000
    """L-BFGS iterations after which Gauss-Newton takes over at the latest."""
