"""Convection (linear advection), Appendix B.1 of the paper."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Periodic, Problem


@dataclass(frozen=True)
class Convection(Problem):
    """u_t + β u_x = 0 with u(x, 0) = sin x, periodic in x (Eqs. 5-7).

    On another interval the initial value is one period of the sine, too.

    Attributes:
        beta: the speed β; the paper uses 50.
    """

    name = "convection"
    title = "Convection"
    formula = r"u_t + \beta u_x"

    x_range: tuple[float, float] = (0.0, 2 * np.pi)
    beta: float = 50.0

    def residual(self, u, x, t):
        """Return F(u), Eq. 5."""
        return u.t + self.beta * u.x

    def initial(self, x):
        """Return u(x, 0) = sin x, Eq. 6."""
        return jnp.sin(2 * np.pi / self.length * (x - self.x_range[0]))

    @property
    def conditions(self):
        """Initial value and periodicity, Eq. 6."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
        )

    def exact(self, x, t):
        """Return sin(x - β t), Eq. 7."""
        return self.initial(x - self.beta * self.since_start(t))
