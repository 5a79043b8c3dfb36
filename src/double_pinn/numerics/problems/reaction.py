"""Reaction (logistic growth), Appendix B.3 of the paper."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Periodic, Problem


@dataclass(frozen=True)
class Reaction(Problem):
    """u_t - ρ u (1 - u) = 0 with a Gaussian initial value, periodic in x (Eqs. 11-13).

    On another interval the Gaussian lies in the middle, an eighth of the length wide.

    Attributes:
        rho: the growth rate ρ; the paper uses 5.
    """

    name = "reaction"
    title = "Reaction"
    formula = r"u_t - \rho\, u\, (1 - u)"

    x_range: tuple[float, float] = (0.0, 2 * np.pi)
    rho: float = 5.0

    def residual(self, u, x, t):
        """Return F(u), Eq. 11."""
        return u.t - self.rho * u * (1 - u)

    def initial(self, x):
        """Return h(x) = exp(-(x - π)² / (2 (π/4)²)), Eq. 12."""
        middle = sum(self.x_range) / 2
        return jnp.exp(-((x - middle) ** 2) / (2 * (self.length / 8) ** 2))

    @property
    def conditions(self):
        """Initial value and periodicity, Eq. 12."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
        )

    def exact(self, x, t):
        """Return h e^(ρt) / (h e^(ρt) + 1 - h), Eq. 13."""
        growth = self.initial(x) * jnp.exp(self.rho * self.since_start(t))
        return growth / (growth + 1 - self.initial(x))
