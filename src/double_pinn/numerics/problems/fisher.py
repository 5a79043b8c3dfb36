"""Fisher-KPP equation: growth that spreads."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Periodic, Problem


@dataclass(frozen=True)
class Fisher(Problem):
    """u_t - d u_xx - r u (1 - u) = 0, periodic in x.

    Attributes:
        diffusion: the diffusivity d.
        rate: the growth rate r.
    """

    name = "fisher"
    title = "Fisher-KPP"
    formula = r"u_t - d\, u_{xx} - r\, u\, (1 - u)"

    x_range: tuple[float, float] = (-np.pi, np.pi)
    diffusion: float = 0.05
    rate: float = 4.0

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.t - self.diffusion * u.xx - self.rate * u * (1 - u)

    def initial(self, x):
        """Return a hill of a fifth of the capacity."""
        return 0.1 + 0.1 * jnp.cos(x)

    @property
    def conditions(self):
        """Initial value, periodicity of u and of u_x."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
            Periodic("periodic_u_x", lambda left, right, t: left.x - right.x),
        )

    def linear_symbol(self, k):
        """Return the Fourier symbol -d k² of the linear part."""
        return -self.diffusion * k**2

    def nonlinear(self, u):
        """Return N(u) = r u (1 - u), so that u_t = d u_xx + N(u)."""
        return self.rate * u * (1 - u)
