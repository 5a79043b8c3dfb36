"""What an equation is: a domain, one pointwise residual, conditions on the edges.

A new equation is one new file in this folder that defines one subclass of :class:`Problem`; it is
found by its ``name``. Residuals are written in named partial derivatives of the solution, as they
stand in the paper: ``u.t + self.beta * u.x``. The library derives everything else from that line.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from double_pinn.errors import SettingsError

#: Number of an axis, by its name.
AXES = {"x": 0, "t": 1}
#: Name of the loss term of the equation itself.
EQUATION = "equation"
#: Of networks that see a point as a sequence: a term of the loss, but no residual.
ALIGNMENT = "alignment"

Edge = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Condition:
    """What holds on an edge of the domain, or ties two of them.

    A kind of condition says where: it sets ``tangent`` and ``places``. The five kinds below are
    enough for most; a subclass of one of them holds where that one does.

    Attributes:
        name: name of the loss term, such as ``initial_u``.
        residual: the pointwise line; what it takes is the kind's affair.
    """

    name: str
    residual: Callable[..., Any]

    #: The axis along the edge, "x" or "t", along which the derived row is taken.
    tangent: ClassVar[str] = "t"

    @staticmethod
    def places(problem: "Problem", x_edge: np.ndarray, t_edge: np.ndarray) -> list[Edge]:
        """Return the points ``(x, t)`` of each edge that the condition sees.

        Args:
            problem: gives the ends of the domain.
            x_edge: positions along an edge of constant t, shape (m,).
            t_edge: instants along an edge of constant x, shape (m,).
        """
        raise NotImplementedError

    def line(self, fields, x, t):
        """Return the residual at a point, from the solution on each of the edges."""
        return self.residual(*fields, t if self.tangent == "t" else x)


class Initial(Condition):
    """A condition on the edge t = t0, pointwise ``f(u, x)``; its derived row is taken along x."""

    tangent = "x"

    @staticmethod
    def places(problem, x_edge, t_edge):
        """Return the points of t = t0."""
        return [(x_edge, np.full_like(x_edge, problem.t_range[0]))]


class Final(Condition):
    """A condition on the edge t = t1, pointwise ``f(u, x)``; its derived row is taken along x."""

    tangent = "x"

    @staticmethod
    def places(problem, x_edge, t_edge):
        """Return the points of t = t1."""
        return [(x_edge, np.full_like(x_edge, problem.t_range[1]))]


class Left(Condition):
    """A condition on the edge x = x0, pointwise ``f(u, t)``; its derived row is taken along t."""

    @staticmethod
    def places(problem, x_edge, t_edge):
        """Return the points of x = x0."""
        return [(np.full_like(t_edge, problem.x_range[0]), t_edge)]


class Right(Condition):
    """A condition on the edge x = x1, pointwise ``f(u, t)``; its derived row is taken along t."""

    @staticmethod
    def places(problem, x_edge, t_edge):
        """Return the points of x = x1."""
        return [(np.full_like(t_edge, problem.x_range[1]), t_edge)]


class Periodic(Condition):
    """A condition that ties x = x0 and x = x1, pointwise ``f(left, right, t)``; derived along t."""

    @staticmethod
    def places(problem, x_edge, t_edge):
        """Return the points of both edges, left and right."""
        return [(np.full_like(t_edge, end), t_edge) for end in problem.x_range]


def kind_of(condition) -> type[Condition]:
    """Return the class that says where a condition holds: the condition's own, or a parent.

    Raises:
        SettingsError: if there is none: there is no telling on which edge it holds.
    """
    for kind in type(condition).__mro__:
        if kind is not Condition and issubclass(kind, Condition) and "places" in vars(kind):
            return kind
    name = getattr(condition, "name", condition)
    raise SettingsError(
        f"condition {name!r} is a {type(condition).__name__}: a condition is an Initial, Left, "
        "Right or Periodic, a subclass of one, or a subclass of Condition with places of its own"
    )


def _is_finite(value) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(np.isfinite(value))


@dataclass(frozen=True)
class Problem:
    """A time-dependent equation in one space dimension (paper, Eq. 1 and Appendix B).

    Subclasses are frozen dataclasses whose fields are the coefficients, with the paper's values as
    defaults. They set the class attributes below and define ``residual`` and ``conditions``, and
    either ``exact`` or both ``linear_symbol`` and ``nonlinear`` for the spectral solver; or none of
    them, where the configuration names a table of the solution.

    Attributes:
        name: the key in the configuration and in file names.
        title: the name in figures and tables.
        formula: the residual in TeX, without dollar signs.
        files: names of data files beside the equation's own, of which it is made. A change in one
            makes it another equation, like a change in its code.
        x_range: the two ends of the space interval.
        t_range: first and last instant.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    formula: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = ()

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
                raise SettingsError(f"equation.parameters.{field.name} is {value!r}: {what}")
            if is_range:
                object.__setattr__(self, field.name, tuple(map(float, value)))

    @classmethod
    def data_files(cls) -> dict[str, Path]:
        """Return the data files of the class and of those that it is made from, by name.

        Raises:
            SettingsError: if one is not there.
        """
        found = {}
        for part in reversed(cls.__mro__):
            for name in vars(part).get("files", ()):
                found[name] = Path(inspect.getfile(part)).parent / name
        for path in found.values():
            if not path.is_file():
                raise SettingsError(f"equation {cls.name!r}: files: there is no file {path}")
        return found

    @classmethod
    def file(cls, name: str) -> Path:
        """Return where a data file lies that ``files`` names: ``np.loadtxt(self.file("a.csv"))``.

        Raises:
            SettingsError: if ``files`` does not name it: a change in it would go unseen.
        """
        found = cls.data_files()
        if name not in found:
            raise SettingsError(
                f"equation {cls.name!r} reads {name!r}, which its files does not name: write "
                f"files = ({name!r},) in class {cls.__name__}"
            )
        return found[name]

    @property
    def length(self) -> float:
        """The length of the space interval."""
        return self.x_range[1] - self.x_range[0]

    def since_start(self, t):
        """Return the time since the first instant."""
        return t - self.t_range[0]

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
