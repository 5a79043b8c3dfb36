"""Whether a table can be a solution of its problem at all: gross contradictions are refused.

A table has the errors of the solver that made it, and loses more between its points, so its rows
are not zero. But they are small beside what they are the sum of, or the table is in other units,
of another equation, or turned the wrong way.
"""

from collections.abc import Iterator

import jax
import numpy as np
from scipy.interpolate import make_interp_spline

from double_pinn.errors import DataError
from double_pinn.numerics.derivatives import VALUE, Index
from double_pinn.numerics.lines import Line
from double_pinn.numerics.problems import Problem
from double_pinn.numerics.rows import condition_lines, equation_line
from double_pinn.results.tabulated import Tabulated

#: Root mean square of a condition, relative to u, and mean size of the equation's residual,
#: relative to its terms, above which a table is refused.
CONDITION, RESIDUAL = 0.3, 0.5

#: A view of fewer points along an axis says nothing of derivatives.
_LEAST = 12
_STRIDES = (1, 2, 4, 8)
_POINTS = 64


def check_table(problem: Problem, table: Tabulated, file: str) -> float:
    """Put a table into the conditions that have no derivative, and into the equation.

    Args:
        problem: the equation.
        table: what is to solve it.
        file: where it is from.

    Returns:
        The size of the equation's residual, relative to that of its terms.

    Raises:
        DataError: naming the file, the row that is far from zero, and how far.
    """
    with jax.enable_x64(True):
        for term, ratio in _broken_conditions(problem, table):
            raise DataError(
                f"{file}: its u breaks the condition {term!r}, by {ratio:.1g} of its largest "
                "value. Is it of another equation or start, or are x and t (rows: x or t) mixed up?"
            )
        if (ratio := residual_ratio(problem, table)) > RESIDUAL:
            raise DataError(
                f"{file}: its u does not solve the equation: the residual is {ratio:.2g} of what "
                "it is the sum of. Are x, t and u in the units of the equation, and its "
                "coefficients the same?"
            )
    return ratio


def _broken_conditions(problem: Problem, table: Tabulated) -> Iterator[tuple[str, float]]:
    size = np.abs(table.u).max()
    edges = (np.linspace(*axis, 33) for axis in (problem.x_range, problem.t_range))
    for _, places, lines in condition_lines(problem, *edges):
        for line in lines:
            if any(index != VALUE for _, index in line.slots):
                continue
            values = {(k, index): _at(table, *places[k]) for k, index in line.slots}
            x, t = places[0]
            row = np.broadcast_to(np.asarray(jax.vmap(line.at)(values, x, t)), x.shape)
            scale = max(size * _steepest(line, values, x, t), np.abs(row).max())
            ratio = float(np.sqrt(np.mean(row**2)) / scale) if scale else 0.0
            if ratio > CONDITION:
                yield line.term, ratio


def _steepest(line: Line, values: dict, x, t) -> float:
    slopes = jax.vmap(jax.grad(line.at))(values, x, t)
    return max((float(np.abs(slope).max()) for slope in slopes.values()), default=0.0)


def _at(table: Tabulated, x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return u along an edge, on which x or t is constant."""
    grid = table.at(np.unique(x), np.unique(t))
    return grid.ravel() if grid.size == len(x) else np.broadcast_to(grid.ravel()[:1], x.shape)


def residual_ratio(problem: Problem, table: Tabulated) -> float:
    """Return the size of the equation's residual, relative to that of its terms.

    It is the least of several views: of every point of the table, of every second, and so on, for
    differences of rounded values are noise where the points are close.

    FP64 must be enabled. It is 0 where the table has too few points to tell.
    """
    line = equation_line(problem)
    ratios = []
    for stride in _STRIDES:
        x, t = table.x[::stride], table.t[::stride]
        if min(len(x), len(t)) < _LEAST:
            break
        row, terms = _residual(line, Tabulated(x, t, table.u[::stride, ::stride]))
        ratios.append(float(row.sum() / total) if (total := terms.sum()) else 0.0)
    return min(ratios, default=0.0)


def _residual(line: Line, table: Tabulated) -> tuple[np.ndarray, np.ndarray]:
    """Return sizes of the residual and of its terms at points inside of a table, flat."""
    x, t = (_inside(axis) for axis in (table.x, table.t))
    grid_x, grid_t = (axis.ravel() for axis in np.meshgrid(x, t, indexing="ij"))
    values = {slot: _derivative(table, slot[1], x, t).ravel() for slot in line.slots}
    row = np.asarray(jax.vmap(line.at)(values, grid_x, grid_t))
    slopes = jax.vmap(jax.grad(line.at))(values, grid_x, grid_t)
    nothing = {slot: np.zeros_like(value) for slot, value in values.items()}
    given = np.asarray(jax.vmap(line.at)(nothing, grid_x, grid_t))
    terms = np.abs(given) + sum(np.abs(slopes[slot] * value) for slot, value in values.items())
    return np.abs(row), np.asarray(terms)


def _inside(axis: np.ndarray) -> np.ndarray:
    """Return some of the values of an axis, none of them near its ends."""
    margin = max(2, len(axis) // 16)
    within = axis[margin:-margin]
    return within[:: max(1, len(within) // _POINTS)]


def _derivative(table: Tabulated, index: Index, x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return a derivative of u on a grid, by splines of degree three or more beyond its orders."""

    def along(axis, values, wanted, order):
        degree = (order + 3) | 1
        return make_interp_spline(axis, values, k=degree)(wanted, nu=order)

    return along(table.t, along(table.x, table.u, x, index[0]).T, t, index[1]).T
