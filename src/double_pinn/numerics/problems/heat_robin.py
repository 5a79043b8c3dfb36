"""Heat equation with cooling at one end (a Robin condition)."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class HeatRobin(Problem):
    """u_t - d u_xx = 0, insulated on the left; on the right u_x + h u = 0.

    Attributes:
        diffusion: the diffusivity d.
        cooling: the coefficient h of heat transfer, over the conductivity.
    """

    name = "heat_robin"
    title = "Heat, Robin condition"
    formula = r"u_t - d\, u_{xx}"

    diffusion: float = 0.2
    cooling: float = 2.0

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.t - self.diffusion * u.xx

    def initial(self, x):
        """Return the two slowest modes."""
        return self.exact(x, self.t_range[0])

    @property
    def conditions(self):
        """Two modes at first, no flux on the left, cooling on the right."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Left("left_u_x", lambda u, t: u.x),
            Right("right_robin", lambda u, t: u.x + self.cooling * u),
        )

    def _wavenumber(self, mode):
        """Return the root of k tan(k L) = h between the ends of a branch of the tangent."""
        low, high = mode * np.pi, (mode + 0.5) * np.pi
        gap = lambda y: y * np.sin(y) - self.cooling * self.length * np.cos(y)  # noqa: E731
        return brentq(gap, low, high, xtol=1e-15) / self.length

    def exact(self, x, t):
        """Return Σ aₖ cos(k (x - x₀)) exp(-d k² t) over two modes, of amplitudes 1 and ½."""
        x, t = x - self.x_range[0], self.since_start(t)
        modes = [(1.0, self._wavenumber(0)), (0.5, self._wavenumber(1))]
        return sum(a * jnp.cos(k * x) * jnp.exp(-self.diffusion * k**2 * t) for a, k in modes)
