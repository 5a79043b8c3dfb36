"""Allen-Cahn equation, Appendix B.4 of the paper."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Periodic, Problem


@dataclass(frozen=True)
class AllenCahn(Problem):
    """u_t - d u_xx + 5 u³ - 5 u = 0, periodic in x (Eqs. 14-15); no closed form.

    On another interval the initial value is stretched over it.

    Attributes:
        diffusion: the diffusivity d; the paper uses 1e-4.
        rate: the reaction rate; the paper uses 5.
    """

    name = "allen_cahn"
    title = "Allen-Cahn"
    formula = r"u_t - 10^{-4} u_{xx} + 5 u^3 - 5 u"

    x_range: tuple[float, float] = (-1.0, 1.0)
    diffusion: float = 1e-4
    rate: float = 5.0

    def residual(self, u, x, t):
        """Return F(u), Eq. 14."""
        return u.t - self.diffusion * u.xx + self.rate * u**3 - self.rate * u

    def initial(self, x):
        """Return u(x, 0) = x² cos πx, Eq. 15."""
        middle = sum(self.x_range) / 2
        x = (x - middle) * (2 / self.length)
        return x**2 * jnp.cos(np.pi * x)

    @property
    def conditions(self):
        """Initial value, periodicity of u and of u_x, Eq. 15."""
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
            Periodic("periodic_u_x", lambda left, right, t: left.x - right.x),
        )

    def linear_symbol(self, k):
        """Return the Fourier symbol -d k² of the linear part, for wavenumbers ``k`` in rad/unit."""
        return -self.diffusion * k**2

    def nonlinear(self, u):
        """Return N(u) = 5 u - 5 u³, so that u_t = d u_xx + N(u)."""
        return self.rate * u - self.rate * u**3
