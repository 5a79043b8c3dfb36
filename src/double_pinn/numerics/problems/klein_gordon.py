"""Klein-Gordon equation with a cubic force (φ⁴): a kink."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class KleinGordon(Problem):
    """u_tt - u_xx - u + u³ = 0, a kink between -1 and 1 that travels to the right.

    Attributes:
        velocity: the velocity v of the kink, between -1 and 1.
    """

    name = "klein_gordon"
    title = "Klein-Gordon"
    formula = r"u_{tt} - u_{xx} - u + u^3"

    x_range: tuple[float, float] = (-4.0, 4.0)
    t_range: tuple[float, float] = (0.0, 4.0)
    velocity: float = 0.5

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.tt - u.xx - u + u**3

    @property
    def conditions(self):
        """The kink and its velocity at first, its value at both ends."""
        (x0, x1), (t0, _) = self.x_range, self.t_range
        return (
            Initial("initial_u", lambda u, x: u - self.exact(x, t0)),
            Initial("initial_u_t", lambda u, x: u.t - self._rate(x, t0)),
            Left("left_u", lambda u, t: u - self.exact(x0, t)),
            Right("right_u", lambda u, t: u - self.exact(x1, t)),
        )

    @property
    def _steepness(self):
        return 1 / np.sqrt(2 * (1 - self.velocity**2))

    def exact(self, x, t):
        """Return tanh((x - v t) / √(2 (1 - v²)))."""
        return jnp.tanh(self._steepness * (x - self.velocity * self.since_start(t)))

    def _rate(self, x, t):
        return -self.velocity * self._steepness * (1 - self.exact(x, t) ** 2)
