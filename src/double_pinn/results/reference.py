"""Reference solutions: tables, closed forms, or a Fourier spectral solver where there is neither.

Everything is computed in double precision, whatever the precision of the networks.
"""

import json
from collections.abc import Callable

import numpy as np
import xarray as xr

from double_pinn.configuration.settings import Table
from double_pinn.errors import UserError
from double_pinn.numerics.problems import Problem
from double_pinn.results import spectral, tabulated
from double_pinn.results.reference_file import axes, is_spectral
from double_pinn.results.solution_checks import check_closed_form, check_spectral
from double_pinn.results.spectral import MODES, STEP, TOLERANCE
from double_pinn.results.table_checks import check_table
from double_pinn.results.watch import Watch

#: The most seconds that a solution may take.
LONGEST = 3600.0

#: What to do about a solution that takes too long.
TOO_LONG = (
    "shorten its t_range, ask fewer points, or name a table of it (in the workflow; docs/method.md)"
)

#: One of the three ways to a solution, as the files name it.
CLOSED_FORM = "closed form"


def solve(
    problem: Problem,
    nx: int,
    nt: int,
    *,
    modes: int = MODES,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    table: Table | None = None,
    longest: float = LONGEST,
    say: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Return the solution of an equation on its evaluation grid (paper, Appendix B).

    Args:
        problem: an equation with a closed form ``exact(x, t)``, or a periodic one with
            ``linear_symbol(k)`` and ``nonlinear(u)``, or any with a table.
        nx: number of grid points in x; see :func:`~double_pinn.results.reference_file.axes`.
        nt: number of instants.
        modes: the least number of Fourier modes; rounded up to an even multiple of nx, and doubled
            as often as the tolerance needs.
        step: the largest time step, relative to the whole time; rounded down so that the instants
            of the grid are hit, and halved as often as the tolerance needs.
        tolerance: the largest acceptable ``reference_error`` of the spectral solver.
        table: where the solution stands already; it goes before what the problem defines.
        longest: seconds that the spectral solver may take.
        say: shows a line about its progress, once it takes seconds; by default on stderr.

    Returns:
        ``u(x, t)`` in double precision, and ``reference_error``: the relative RMSE of u as
        self-convergence shows it, 0 for a closed form, or an estimate of a table's interpolation
        error. The attributes hold ``title``, ``source``, ``method`` (which of the three),
        ``equation`` and ``equation_parameters`` (JSON text); of the spectral solver ``modes``,
        ``time_step``, ``space_error`` and ``time_error``; of a table what
        :func:`double_pinn.results.tabulated.on_grid` says, and ``instead_of``: the method that it
        goes before.

    Raises:
        UserError: if there is no table and the problem has neither a closed form nor what the
            spectral solver needs, if the closed form does not solve it, the solver does not impose
            a condition, does not reach the tolerance or would take too long, or a table is refused.
    """
    x, t = axes(problem, nx, nt)
    error_name = {}
    if table is not None:
        found = tabulated.read_table(problem, table)
        residual = check_table(problem, found, table.file)
        u, error, attributes = tabulated.on_grid(found, table, x, t)
        attributes["table_residual"] = residual
        attributes["instead_of"] = _own_method(problem)
        error_name = {"long_name": "interpolation error (relative RMSE, estimated) of the table"}
    elif problem.exact is not None:
        u = spectral.double_values(problem, "exact", x[:, None], t[None, :])
        check_closed_form(problem)
        attributes, error = {"method": CLOSED_FORM}, 0.0
    else:
        spectral.check_functions(problem, x)
        check_spectral(problem)
        what = f"equation {problem.name!r}: the reference solution"
        with Watch(what, longest, TOO_LONG, say) as watch:
            u, attributes = spectral.converged(problem, x, t, modes, step, tolerance, watch)
        error = attributes["space_error"] + attributes["time_error"]
    if not np.isfinite(u).all():
        raise UserError(f"equation {problem.name!r}: the reference solution is not finite")
    return xr.Dataset(
        {"u": (("x", "t"), u), "reference_error": ((), error, error_name)},
        {"x": x, "t": t},
        {
            "title": f"Reference solution of the {problem.title} equation",
            "source": "double-pinn reference",
            "equation": problem.name,
            "equation_parameters": json.dumps(problem.parameters),
            **attributes,
        },
    )


def _own_method(problem) -> str:
    """Return how an equation without a table is solved."""
    if problem.exact is not None:
        return CLOSED_FORM
    return spectral.METHOD if is_spectral(problem) else "nothing"
