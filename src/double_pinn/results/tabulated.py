"""A reference solution from a table: the values of another solver, interpolated.

A file holds positions x, instants t and the values u on their grid. What can be wrong with it is
refused by name. Between its points cubic splines go, first along x, then along t.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
import xarray as xr
from scipy.interpolate import CubicSpline

from double_pinn import files
from double_pinn.configuration.settings import Table
from double_pinn.errors import DataError
from double_pinn.numerics.problems.base import Periodic, Problem

#: The least number of values on an axis: a cubic spline has four coefficients.
LEAST = 4

#: How far, relative to its width, a table may miss an end of the domain: axes in FP32 do.
SLACK = 1e-6

#: Where the right end of a period is left out, the last gap may be so many times the largest one.
LAST_GAP = 1.5

Arrays = dict[str, np.ndarray]


class Tabulated(NamedTuple):
    """A solution on the grid of a table.

    Attributes:
        x: shape (nx,), rising.
        t: shape (nt,), rising.
        u: shape (nx, nt), float64.
    """

    x: np.ndarray
    t: np.ndarray
    u: np.ndarray

    def at(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return u on another grid, of shape (len(x), len(t)), by cubic splines."""
        along_x = CubicSpline(self.x, self.u, axis=0)(x)
        return CubicSpline(self.t, along_x, axis=1)(t)

    def error_at(self, x: np.ndarray, t: np.ndarray) -> float:
        """Return an estimate of the interpolation's relative RMSE on another grid.

        It is what every second value of an axis would change, summed over the two axes: more than
        the error, wherever the table resolves the solution. An axis whose values are met needs no
        interpolation, and adds nothing.
        """
        u = self.at(x, t)
        i, j = _every_second(len(self.x)), _every_second(len(self.t))
        coarser = (
            (self.x, x, Tabulated(self.x[i], self.t, self.u[i])),
            (self.t, t, Tabulated(self.x, self.t[j], self.u[:, j])),
        )
        change = sum(
            np.linalg.norm(coarse.at(x, t) - u)
            for axis, wanted, coarse in coarser
            if not _meets(axis, wanted)
        )
        return float(change / np.linalg.norm(u)) if change else 0.0


def on_grid(
    found: Tabulated, table: Table, x: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, float, dict]:
    """Return the solution that a table holds on an evaluation grid.

    Args:
        found: what the table holds.
        table: the file, and what is called how in it.
        x: shape (nx,).
        t: shape (nt,).

    Returns:
        u of shape (nx, nt); the estimate of :meth:`Tabulated.error_at`; and attributes that say
        where it is from: ``method``, ``table_file``, ``table_digest`` (BLAKE2b), ``table_names``
        and ``table_shape``.
    """
    path = Path(table.file)
    return (
        found.at(x, t),
        found.error_at(x, t),
        {
            "method": f"table {path.name}, interpolated by cubic splines",
            "table_file": str(path),
            "table_digest": files.digest(path),
            "table_names": f"x = {table.x}, t = {table.t}, u = {table.u}",
            "table_shape": f"{len(found.x)} x {len(found.t)}",
        },
    )


def read_table(problem: Problem, table: Table) -> Tabulated:
    """Read a table and check that it holds a solution on the domain of an equation.

    Args:
        problem: the equation.
        table: the file, and what is called how in it.

    Returns:
        The solution, its axes rising. The right end of a period is there.

    Raises:
        DataError: naming the file, and what to do.
    """
    try:
        x, t, u = _gridded(table, *_columns(problem, table))
        x, u = _rising("x", x, u)
        t, u = _rising("t", t, u.T)
        u = np.ascontiguousarray(u.T)
        if any(isinstance(condition, Periodic) for condition in problem.conditions):
            x, u = _closed(problem.x_range, x, u)
        _check_cover(problem, {"x": x, "t": t})
    except DataError as reason:
        raise DataError(f"{table.file}: {reason}") from None
    return Tabulated(x, t, u)


# --- Reading ---


def _columns(problem: Problem, table: Table) -> list[np.ndarray]:
    """Return x, t and u as they stand in the file, in double precision; its name is in no error."""
    path, names = Path(table.file), {"x": table.x, "t": table.t, "u": table.u}
    key = f"reference.{problem.name}"
    if not path.is_file():
        raise DataError(f"no such file; {key}.file names it")
    try:
        there, arrays = READERS[path.suffix.lower()](path, names)
    except DataError:
        raise
    except Exception as error:  # a damaged file fails anywhere in the library that reads it
        raise DataError(f"cannot be read ({error}); {key}.file names it") from error
    columns = []
    for role, name in names.items():
        if name not in arrays:
            known = ", ".join(there) or "nothing"
            raise DataError(f"has no {name!r}; it has {known}: name the one with {key}.{role}")
        columns.append(_real(name, np.squeeze(arrays[name])))
    return columns


def _real(name: str, values: np.ndarray) -> np.ndarray:
    """Return values in double precision, if they are finite real numbers."""
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name} is of type {values.dtype}: real numbers are needed")
    if not np.isfinite(values).all():
        where = ", ".join(map(str, np.argwhere(~np.isfinite(values))[0]))
        raise DataError(f"{name} is not finite at index ({where})")
    return values.astype(np.float64)


def _from_npz(path: Path, names: dict[str, str]) -> tuple[list[str], Arrays]:
    with np.load(path, allow_pickle=False) as file:
        return list(file), {name: file[name] for name in names.values() if name in file}


def _from_mat(path: Path, names: dict[str, str]) -> tuple[list[str], Arrays]:
    try:
        there = [name for name, _, _ in scipy.io.whosmat(path)]
    except NotImplementedError:
        raise DataError(
            "is a MATLAB file of version 7.3: write it with save(..., '-v7'), or as .npz"
        ) from None
    return there, scipy.io.loadmat(path, variable_names=list(names.values()))


def _from_netcdf(path: Path, names: dict[str, str]) -> tuple[list[str], Arrays]:
    with xr.open_dataset(path, engine="netcdf4", decode_times=False) as file:
        there = list(map(str, file.variables))
        for role in ("x", "t"):
            if names[role] in there and _is_a_date(file[names[role]]):
                raise DataError(
                    f"{names[role]} holds dates or time differences: write plain numbers, in the "
                    "unit of time of the equation"
                )
        found = {role: file[name].load() for role, name in names.items() if name in there}
    if len(found) == len(names) and {*found["x"].dims, *found["t"].dims} <= {*found["u"].dims}:
        # Its dimensions say which is which, in whatever order.
        found = dict(zip(found, xr.broadcast(*found.values()), strict=True))
    return there, {names[role]: array.values for role, array in found.items()}


def _is_a_date(axis: xr.DataArray) -> bool:
    """Return whether xarray would read an axis as dates or time differences."""
    units = str(axis.attrs.get("units", ""))
    return " since " in units or "timedelta" in str(axis.attrs.get("dtype", ""))


def _from_csv(path: Path, names: dict[str, str]) -> tuple[list[str], Arrays]:
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if len(lines) < 2:
        raise DataError("has no lines below that with the names of its columns")
    delimiter = max(",;\t", key=lines[0].count)
    # NumPy writes its header as a comment.
    there = [
        name.strip() for name in next(csv.reader([lines[0].lstrip("# ")], delimiter=delimiter))
    ]
    wanted = [name for name in names.values() if name in there]
    if not wanted:
        return there, {}
    indices = [there.index(name) for name in wanted]
    if delimiter != "," and any("," in line for line in lines[1:]):
        raise DataError("has decimal commas: write its numbers with decimal points")
    values = np.loadtxt(lines[1:], delimiter=delimiter, usecols=indices, ndmin=2)
    return there, dict(zip(wanted, values.T, strict=True))


#: How each format is read: the names in the file, and the arrays of the names that are asked for.
READERS: dict[str, Callable[[Path, dict[str, str]], tuple[list[str], Arrays]]] = {
    ".npz": _from_npz,
    ".mat": _from_mat,
    ".nc": _from_netcdf,
    ".csv": _from_csv,
}


# --- Shapes ---


def _gridded(table: Table, x, t, u) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return axes of shape (nx,) and (nt,), and u of shape (nx, nt)."""
    if x.shape == t.shape == u.shape:
        return _from_points(x.ravel(), t.ravel(), u.ravel())
    for name, axis in ((table.x, x), (table.t, t)):
        if axis.ndim != 1:
            raise DataError(
                f"{name} has shape {axis.shape}: one axis is needed, or all three in the shape of u"
            )
    shapes = {"x": (len(x), len(t)), "t": (len(t), len(x))}
    fits = [rows for rows, shape in shapes.items() if u.shape == shape]
    if table.rows in fits:
        fits = [table.rows]
    elif table.rows or not fits:
        needed = " or ".join(str(shapes[rows]) for rows in table.rows or "xt")
        raise DataError(
            f"{table.u} has shape {u.shape}, where {table.x} has {len(x)} and {table.t} "
            f"{len(t)} values: {needed} is needed"
        )
    if len(fits) > 1:
        raise DataError(
            f"{table.u} is square, {len(x)} x {len(t)}: say what follows each other down its rows, "
            "positions (rows: x) or instants (rows: t)"
        )
    return x, t, u if fits == ["x"] else u.T


def _from_points(x, t, u) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the grid of values that are given point by point, in any order."""
    positions, i = np.unique(x, return_inverse=True)
    instants, j = np.unique(t, return_inverse=True)
    shape = len(positions), len(instants)
    if u.size != shape[0] * shape[1] or len(np.unique(i * shape[1] + j)) != u.size:
        times = np.zeros(shape, int)
        np.add.at(times, (i, j), 1)
        a, b = np.argwhere(times != 1)[0]
        raise DataError(
            f"its {u.size} points are no full grid: they have {shape[0]} positions and {shape[1]} "
            f"instants; every position is needed at every instant, once, and x = {positions[a]:g}, "
            f"t = {instants[b]:g} is there {times[a, b]} times"
        )
    grid = np.empty(shape)
    grid[i, j] = u
    return positions, instants, grid


def _rising(name: str, axis: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an axis that rises, and u (its first axis the one) turned with it."""
    if len(axis) < LEAST:
        raise DataError(f"{name} has {len(axis)} values: at least {LEAST} are needed")
    steps = np.diff(axis)
    if (steps < 0).all():
        return axis[::-1], u[::-1]
    if not (steps > 0).all():
        first = int(np.argmax(steps * np.sign(axis[-1] - axis[0]) <= 0))
        raise DataError(
            f"{name} does not go one way: {axis[first]:g} is followed by {axis[first + 1]:g} "
            f"(index {first})"
        )
    return axis, u


def _closed(x_range, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and u with the right end of the period, where the table leaves it out."""
    left, right = x_range
    slack = SLACK * (right - left)
    end = x[0] + (right - left)
    leaves_out = abs(x[0] - left) <= slack and x[-1] < right - slack
    if leaves_out and end - x[-1] <= LAST_GAP * np.diff(x).max():
        return np.append(x, end), np.concatenate([u, u[:1]])
    return x, u


def _check_cover(problem: Problem, axes: Arrays) -> None:
    """Refuse a table that leaves out a part of the domain."""
    for name, axis in axes.items():
        key = f"{name}_range"
        low, high = getattr(problem, key)
        slack = SLACK * (high - low)
        if axis[0] > low + slack or axis[-1] < high - slack:
            raise DataError(
                f"{name} goes from {axis[0]:g} to {axis[-1]:g}, but the equation from {low:g} to "
                f"{high:g}: a table of the whole domain is needed, or another "
                f"equations.{problem.name}.{key}"
            )


def _every_second(count: int) -> np.ndarray:
    """Return every second index, and the last."""
    return np.unique([*range(0, count, 2), count - 1])


def _meets(axis: np.ndarray, wanted: np.ndarray) -> bool:
    """Return whether all wanted values stand on an axis."""
    indices = np.interp(wanted, axis, np.arange(len(axis)))
    return bool(np.abs(indices - np.round(indices)).max() <= SLACK)
