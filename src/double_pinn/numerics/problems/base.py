"""What an equation is: a domain, one pointwise residual, conditions on the edges.

A new equation is one new file in this folder that defines one subclass of :class:`Problem`; it is
found by its ``name``. Residuals are written in named partial derivatives of the solution, as they
stand in the paper: ``u.t + self.beta * u.x``. The library derives everything else from that line.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from double_pinn.errors import SettingsError


@dataclass(frozen=True)
class Initial:
    """A condition on the edge t = t0; its derived row is taken along x.

    Attributes:
        name: name of the loss term, such as ``initial_u``.
        residual: pointwise ``f(u, x)``; ``u`` gives value and derivatives on the edge.
    """

    name: str
    residual: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Left:
    """A condition on the edge x = x0, pointwise ``f(u, t)``; its derived row is taken along t."""

    name: str
    residual: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Right:
    """A condition on the edge x = x1, pointwise ``f(u, t)``; its derived row is taken along t."""

    name: str
    residual: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Periodic:
    """A condition that ties the edges x = x0 and x = x1.

    Attributes:
        name: name of the loss term, such as ``periodic_u``.
        residual: pointwise ``f(left, right, t)``; its derived row is taken along t.
    """

    name: str
    residual: Callable[[Any, Any, Any], Any]


Condition = Initial | Left | Right | Periodic


def kind_of(condition) -> type[Condition]:
    """Return which of the four kinds a condition is, by inheritance.

    Raises:
        SettingsError: if it is none of them: there is no telling on which edge it holds.
    """
    for kind in (Initial, Left, Right, Periodic):
        if isinstance(condition, kind):
            return kind
    name = getattr(condition, "name", condition)
    raise SettingsError(
        f"condition {name!r} is a {type(condition).__name__}: a condition is an Initial, Left, "
        "Right or Periodic, or a subclass of one"
    )


def _is_finite(value) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(np.isfinite(value))


@dataclass(frozen=True)
class Problem:
    """A time-dependent equation in one space dimension (paper, Eq. 1 and Appendix B).

    Subclasses are frozen dataclasses whose fields are the coefficients, with the paper's values as
    defaults. They set the class attributes below and define ``residual`` and ``conditions``, and
    either ``exact`` or both ``linear_symbol`` and ``nonlinear`` for the spectral solver.

    Attributes:
        name: the key in the configuration and in file names.
        title: the name in figures and tables.
        formula: the residual in TeX, without dollar signs.
        x_range: the two ends of the space interval.
        t_range: first and last instant.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    formula: ClassVar[str]

    x_range: tuple[float, float] = (0.0, 1.0)
    t_range: tuple[float, float] = (0.0, 1.0)

    # A closed form of the solution, ``exact(x, t)``, where there is one.
    exact: ClassVar[Callable[..., Any] | None] = None

    def __post_init__(self):
        """Check the domain and the coefficients.

        Raises:
            SettingsError: for an interval of zero or negative width, or a value that is not finite.
        """
        for field in fields(self):
            value, is_range = getattr(self, field.name), field.name in ("x_range", "t_range")
            if is_range:
                what = "two numbers are needed, the second beyond the first"
                good = isinstance(value, list | tuple) and len(value) == 2
                good = good and all(map(_is_finite, value)) and value[1] > value[0]
            else:
                what, good = "a finite number is needed", _is_finite(value)
            if not good:
                raise SettingsError(
                    f"equation.parameters.{field.name} of {self.name!r} is {value!r}: {what}"
                )
            if is_range:
                object.__setattr__(self, field.name, tuple(map(float, value)))

    @property
    def parameters(self) -> dict[str, Any]:
        """The coefficients and ranges, by name, as plain numbers and lists."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else float(v) for k, v in values.items()}

    def residual(self, u, x, t):
        """Return the pointwise residual F(u) in named derivatives of ``u``; zero for a solution."""
        raise NotImplementedError

    def initial(self, x):
        """Return u(x, t0); works on NumPy and JAX arrays of any shape."""
        raise NotImplementedError

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The initial and boundary conditions, in the order of the paper."""
        raise NotImplementedError
