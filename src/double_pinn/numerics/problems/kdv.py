"""Korteweg-de Vries equation: a soliton."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class KdV(Problem):
    """u_t + 6 u u_x + u_xxx = 0, a single soliton that travels to the right.

    Attributes:
        speed: the speed c of the soliton, of height c/2.
        start: where its crest is at the first instant.
    """

    name = "kdv"
    title = "Korteweg-de Vries"
    formula = r"u_t + 6 u u_x + u_{xxx}"

    x_range: tuple[float, float] = (-6.0, 6.0)
    t_range: tuple[float, float] = (0.0, 2.0)
    speed: float = 1.0
    start: float = -1.0

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.t + 6 * u * u.x + u.xxx

    @property
    def conditions(self):
        """The soliton at first and at both ends, its slope at the right one."""
        (x0, x1), (t0, _) = self.x_range, self.t_range
        return (
            Initial("initial_u", lambda u, x: u - self.exact(x, t0)),
            Left("left_u", lambda u, t: u - self.exact(x0, t)),
            Right("right_u", lambda u, t: u - self.exact(x1, t)),
            Right("right_u_x", lambda u, t: u.x - self._slope(x1, t)),
        )

    def _phase(self, x, t):
        return np.sqrt(self.speed) / 2 * (x - self.start - self.speed * self.since_start(t))

    def exact(self, x, t):
        """Return c/2 sech²(√c/2 (x - x₀ - c t))."""
        return self.speed / 2 / jnp.cosh(self._phase(x, t)) ** 2

    def _slope(self, x, t):
        return -np.sqrt(self.speed) * jnp.tanh(self._phase(x, t)) * self.exact(x, t)
