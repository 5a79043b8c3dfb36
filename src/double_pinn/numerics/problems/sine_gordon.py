"""Sine-Gordon equation: a breather."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class SineGordon(Problem):
    """u_tt - u_xx + sin u = 0, a breather at rest.

    Attributes:
        frequency: the frequency ω of the breather, between 0 and 1.
    """

    name = "sine_gordon"
    title = "Sine-Gordon"
    formula = r"u_{tt} - u_{xx} + \sin u"

    x_range: tuple[float, float] = (-5.0, 5.0)
    t_range: tuple[float, float] = (0.0, 5.0)
    frequency: float = 0.6

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.tt - u.xx + jnp.sin(u)

    @property
    def conditions(self):
        """The breather at rest at first, its value at both ends."""
        (x0, x1), (t0, _) = self.x_range, self.t_range
        return (
            Initial("initial_u", lambda u, x: u - self.exact(x, t0)),
            Initial("initial_u_t", lambda u, x: u.t),
            Left("left_u", lambda u, t: u - self.exact(x0, t)),
            Right("right_u", lambda u, t: u - self.exact(x1, t)),
        )

    def exact(self, x, t):
        """Return 4 arctan(κ/ω cos(ω t) / cosh(κ x)) with κ² = 1 - ω²."""
        width = np.sqrt(1 - self.frequency**2)
        swing = jnp.cos(self.frequency * self.since_start(t)) / jnp.cosh(width * x)
        return 4 * jnp.arctan(width / self.frequency * swing)
