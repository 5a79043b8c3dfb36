"""The library: train and judge an equation from Python, or only take double PINN's rows.

What the workflow does with files, for a notebook. Names of choices and options are those of the
configuration (config/README.md).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from double_pinn.configuration import catalogue
from double_pinn.configuration.settings import (
    Equation,
    EvaluationSettings,
    checked,
    choose,
    settings_from_dict,
)
from double_pinn.errors import SettingsError
from double_pinn.numerics.function_network import FunctionNetwork
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import TestSample, TrainingGrid, test_points, training_points
from double_pinn.numerics.problems.base import Problem
from double_pinn.numerics.problems.checks import check_problem
from double_pinn.numerics.problems.written import explained, one_number
from double_pinn.numerics.trainer import Solution
from double_pinn.results.check import checked_problem
from double_pinn.results.evaluation import compare
from double_pinn.results.reference import solve
from double_pinn.running.progress import Progress
from double_pinn.running.training import train_untracked
from double_pinn.values import LARGEST_SEED

Choice = str | Mapping[str, Any]

_EXAMPLES = {
    "points": "nx",
    "test_points": "domain",
    "term_weights": "equation",
    "regularizer": "name",
    "optimizer": "name",
    "network": "name",
}
_POINTS = {"nx": 20, "nt": 20, "edge": 100}


def get_problem(name: str, /, **parameters) -> Problem:
    """Return an equation that the package has, such as ``"wave"``, with other parameters."""
    return catalogue.get_problem(name, **parameters)


def check(problem: Problem) -> str:
    """Check an equation: its class, its rows at a few points, its reference solution.

    Returns:
        What was found, in lines.

    Raises:
        UserError: naming file and class, and what to write.
    """
    with jax.enable_x64(True):
        return checked_problem(problem)


def train(
    problem: Problem,
    *,
    regularizer: Choice = "double",
    optimizer: Choice = "gauss_newton",
    network: Choice = "mlp",
    points: Mapping[str, int] | None = None,
    iterations: int = 60,
    seeds: Sequence[int] = (0,),
    precision: str = "fp64",
    grid: tuple[int, int] = (200, 201),
    test_points: Mapping[str, int] | None = None,
    term_weights: Mapping[str, float] | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train networks on an equation, one for each seed, and judge them.

    Args:
        problem: the equation, from :func:`get_problem` or of a class of one's own.
        regularizer: its name, or a mapping of ``name`` and options.
        optimizer: likewise.
        network: likewise.
        points: ``nx`` and ``nt`` of the training grid and ``edge``, the points on each initial and
            boundary set.
        iterations: the budget, steps of the optimiser; the stopping rule may end it sooner.
        seeds: of the initial parameters.
        precision: ``fp32`` or ``fp64``; whatever JAX is set to.
        grid: points in x and t on which the networks are judged.
        test_points: ``domain``, ``edge`` and ``seed`` of the test set; by default the paper's.
        term_weights: of the loss terms, by name; 1 where nothing is said.
        progress: whether to show it, on stderr.

    Returns:
        What an evaluation file holds (config/README.md): ``u(seed, x, t)``, ``u_reference``,
        ``residual``, ``rmae``, ``rrmse`` and the histories over ``iteration``; and ``parameters``.

    Raises:
        UserError: for a setting that is unknown or out of range, an equation that is not complete,
            a reference solution that does not solve it, or a loss that is never finite.
        TrainingInterruptedError: if it was interrupted (Ctrl-C).
    """
    check_problem(problem)
    seeds, (nx, nt) = _seeds(seeds), _grid(grid)
    settings = settings_from_dict(
        {
            "cell": problem.name,
            "equation": Equation.of(problem),
            "regularizer": _named("regularizer", regularizer),
            "optimizer": _named("optimizer", optimizer),
            "network": _named("network", network),
            "points": {**_POINTS, **_values("points", points)},
            "test_points": _values("test_points", test_points),
            "precision": precision,
            "stopping": {"max_iterations": _count("iterations", iterations)},
            "term_weights": _values("term_weights", term_weights),
        }
    )
    judged = checked(
        EvaluationSettings,
        {"run": settings, "evaluation": {"nx": nx, "nt": nt, "residual_points": 101}},
    )
    with jax.enable_x64(True):
        reference = solve(problem, nx, nt)
    solution = Solution(reference.x.values, reference.t.values, reference.u.values)
    runs = []
    for seed in seeds:
        shown = Progress(f"{problem.name} seed {seed}", iterations) if progress else None
        try:
            with jax.enable_x64(precision == "fp64"):
                run = train_untracked(settings, seed, solution=solution, progress=shown)
        finally:
            if shown:
                shown.close()
        runs.append((f"seed {seed}", run))
    found = compare(judged, reference, runs)
    parameters = xr.concat([run.parameters for _, run in runs], dim="seed")
    return found.assign(parameters=parameters.drop_attrs())


def rows(
    problem: Problem,
    u: Callable,
    points: Mapping[str, int] | TrainingGrid | TestSample | None = None,
    *,
    regularizer: Choice = "double",
) -> dict[str, jax.Array]:
    """Return the residuals of a function, and double PINN's derivatives of them (Eq. 4).

    For a network of one's own: JAX can differentiate the rows by what ``u`` closes over.

    Args:
        problem: the equation.
        u: ``u(x, t)``, of two scalars, returns one; smooth enough for the equation's derivatives.
        points: see :func:`train`; a ``TestSample`` for the test set of the paper.
        regularizer: whose derived rows are wanted; ``"none"``: the residuals alone.

    Returns:
        One array of shape (n,) a term and a derived row, by name: ``equation``, ``equation_x``,
        ``initial_u``, ... In the precision that JAX is set to.

    Raises:
        UserError: as :func:`train`.
    """
    system = _system(problem, u, points, regularizer)
    return {group.name: row for group, row in zip(system.groups, system.rows(()), strict=True)}


def loss(
    problem: Problem,
    u: Callable,
    points: Mapping[str, int] | TrainingGrid | TestSample | None = None,
    *,
    regularizer: Choice = "double",
) -> jax.Array:
    """Return the weighted sum of the mean squares of :func:`rows`, a scalar (Eqs. 2-4).

    With ``regularizer="none"`` and ``points=TestSample()`` it is the paper's test loss. Arguments
    and errors are those of :func:`rows`.
    """
    system = _system(problem, u, points, regularizer)
    return sum(
        group.weight * jnp.mean(row**2)
        for group, row in zip(system.groups, system.rows(()), strict=True)
    )


def _system(problem, u, points, regularizer):
    check_problem(problem)
    if not callable(u):
        raise SettingsError(f"u is a {type(u).__name__}: a function u(x, t) is needed")
    dtype = jax.dtypes.canonicalize_dtype(float)
    if isinstance(points, TestSample):
        places = test_points(points, problem)
    elif isinstance(points, TrainingGrid):
        places = training_points(points, problem)
    else:
        grid = checked(TrainingGrid, {**_POINTS, **_values("points", points)}, "points.")
        places = training_points(grid, problem)
    chosen: Any = choose("regularizer", _named("regularizer", regularizer))
    return row_system(problem, places, FunctionNetwork(_explained(u), dtype), chosen)


def _explained(u: Callable) -> Callable:
    """Return a function whose errors are explained, and whose values are one number."""

    def value(x, t):
        with explained("u(x, t)"):
            return one_number(u(x, t), "u(x, t)")

    return value


def _named(kind: str, choice: Choice) -> dict[str, Any]:
    """Return a choice as its name and its options."""
    values = {"name": choice} if isinstance(choice, str) else _values(kind, choice)
    if "name" not in values:
        raise SettingsError(
            f'{kind} is {choice!r}: a name is needed, or a mapping such as {{"name": ..., ...}}'
        )
    return values


def _values(key: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a mapping as plain values: NumPy's numbers are numbers."""
    if not isinstance(given, Mapping | None):
        raise SettingsError(
            f'{key} is {given!r}: a mapping such as {{"{_EXAMPLES[key]}": ...}} is needed'
        )
    return {name: _plain(value) for name, value in (given or {}).items()}


def _seeds(given) -> list[int]:
    """Return seeds that are some, and differ, before any of them is trained."""
    seeds = [_plain(seed) for seed in given] if isinstance(given, Iterable) else [given]
    whole = all(type(seed) is int and 0 <= seed <= LARGEST_SEED for seed in seeds)
    if not (isinstance(given, Iterable) and seeds and whole and len(set(seeds)) == len(seeds)):
        raise SettingsError(
            f"seeds is {given!r}: a sequence of different integers from 0 to {LARGEST_SEED} is "
            "needed, such as (0, 1)"
        )
    return seeds


def _grid(given) -> tuple[int, int]:
    counts = [_plain(count) for count in given] if isinstance(given, Sequence) else []
    if len(counts) != 2:
        raise SettingsError(f"grid is {given!r}: two numbers of points are needed, (nx, nt)")
    return _count("grid", counts[0], least=2), _count("grid", counts[1], least=2)


def _count(key: str, given, least: int = 1) -> int:
    count = _plain(given)
    if type(count) is not int or count < least:
        raise SettingsError(f"{key} is {given!r}: an integer of at least {least} is needed")
    return count


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
