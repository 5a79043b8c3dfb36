"""The file of a reference solution: the grid that it is on, and how it is read."""

from os import PathLike

import numpy as np
import xarray as xr

from double_pinn.errors import DataError, UserError
from double_pinn.numerics.problems import Problem
from double_pinn.results.netcdf import read_dataset
from double_pinn.results.runs import differences, settings_in

#: What to do about a file of a reference that does not fit.
AGAIN = "run the rule that writes the reference again"


def axes(problem: Problem, nx: int, nt: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the evaluation grid of an equation.

    Returns:
        x of shape (nx,) and t of shape (nt,). Both include their ends, except that x leaves out
        the right one of an equation for the (periodic) spectral solver, which has no closed form.

    Raises:
        UserError: if nx or nt is less than 2.
    """
    for name, count in (("nx", nx), ("nt", nt)):
        if count < 2:
            raise UserError(f"evaluation.{name} is {count}: at least 2 points are needed")
    is_period = problem.exact is None and is_spectral(problem)
    x = np.linspace(*problem.x_range, nx, endpoint=not is_period)
    return x, np.linspace(*problem.t_range, nt)


def read_reference(problem: Problem, path: str | PathLike[str]) -> xr.Dataset:
    """Return what a file holds of a reference solution, if it is that of an equation.

    Args:
        problem: the equation.
        path: the file.

    Raises:
        DataError: if the file is missing or damaged, or of another equation.
    """
    reference = read_dataset(path, require=("u", "x", "t", "reference_error"))
    solved = {
        "name": reference.attrs.get("equation"),
        "parameters": settings_in(reference.attrs.get("equation_parameters"), path),
    }
    asked = {"name": problem.name, "parameters": problem.parameters}
    if different := differences(solved, asked):
        raise DataError(f"{path}: solves another equation ({different}); {AGAIN}")
    return reference


def is_spectral(problem) -> bool:
    """Return whether an equation defines what the spectral solver needs."""
    return hasattr(problem, "linear_symbol") and hasattr(problem, "nonlinear")
