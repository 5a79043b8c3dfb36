"""Viscous Burgers equation, the benchmark of Raissi et al. (2019)."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.problems.base import Initial, Left, Problem, Right


@dataclass(frozen=True)
class Burgers(Problem):
    """u_t + u u_x - ν u_xx = 0 from a sine that steepens into a shock; zero at both ends.

    It has no closed form that is easily evaluated: give it a table as its reference.

    Attributes:
        viscosity: ν.
    """

    name = "burgers"
    title = "Burgers"
    formula = r"u_t + u u_x - \nu u_{xx}"

    x_range: tuple[float, float] = (-1.0, 1.0)
    viscosity: float = 0.01 / np.pi

    def residual(self, u, x, t):
        """Return F(u)."""
        return u.t + u * u.x - self.viscosity * u.xx

    @property
    def conditions(self):
        """A sine at first, zero at both ends."""
        return (
            Initial("initial_u", lambda u, x: u + jnp.sin(np.pi * x)),
            Left("left_u", lambda u, t: u),
            Right("right_u", lambda u, t: u),
        )
