"""Wave equation, Appendix B.2 of the paper."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class Wave(Problem):
    """u_tt - c² u_xx = 0, at rest at t = 0, zero at both ends (Eqs. 8-10).

    On another interval the lowest harmonic is half a period of the sine, too.

    Attributes:
        beta: the number β of the harmonic in the initial value, an integer; the paper uses 3.
        speed: the wave speed c; the paper uses 2 (c² = 4).
    """

    name = "wave"
    title = "Wave"
    formula = r"u_{tt} - 4\, u_{xx}"

    beta: float = 3.0
    speed: float = 2.0

    def residual(self, u, x, t):
        """Return F(u), Eq. 8."""
        return u.tt - self.speed**2 * u.xx

    def initial(self, x):
        """Return u(x, 0) = sin πx + ½ sin βπx, Eq. 9."""
        k, x = np.pi / self.length, x - self.x_range[0]
        return jnp.sin(k * x) + 0.5 * jnp.sin(self.beta * k * x)

    @property
    def conditions(self):
        """Initial value and velocity, zero at both ends, Eq. 9."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Initial("initial_u_t", lambda u, x: u.t),
            Left("left_u", lambda u, t: u + 0.0),
            Right("right_u", lambda u, t: u + 0.0),
        )

    def exact(self, x, t):
        """Return sin πx cos cπt + ½ sin βπx cos βcπt, Eq. 10."""
        k, b, x, t = np.pi / self.length, self.beta, x - self.x_range[0], self.since_start(t)
        c = self.speed * k
        first = jnp.sin(k * x) * jnp.cos(c * t)
        return first + 0.5 * jnp.sin(b * k * x) * jnp.cos(b * c * t)
