"""Whether an equation can be trained and judged: looked at, and evaluated at a few points."""

import jax
import numpy as np

from double_pinn.errors import UserError
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.problems import Problem, kind_of
from double_pinn.numerics.problems.checks import check_problem, where
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.results.reference_file import is_spectral
from double_pinn.results.solution_checks import check_closed_form, check_spectral
from double_pinn.running.trainable import check_terms, first_not_finite

_GRID = TrainingGrid(nx=5, nt=5, edge=5)
_NETWORK = TanhMLP(width=8, hidden_layers=2)


def checked_problem(problem: Problem) -> str:
    """Check an equation: its class, its rows with double PINN, its reference solution.

    FP64 must be enabled.

    Args:
        problem: the equation.

    Returns:
        What was found, in lines: the terms of the loss with the mean squares that an untrained
        network gives them, and where the reference solution comes from.

    Raises:
        UserError: naming file and class, and what to write.
    """
    check_problem(problem)
    network, regularizer = _NETWORK.bound(np.float64), DoublePINN()
    system = row_system(problem, training_points(_GRID, problem), network, regularizer)
    try:
        check_terms(system)
    except UserError as error:
        raise UserError(f"{where(type(problem))}: {error}") from None
    parameters = network.init(0)
    if bad := first_not_finite(Objective(network, system, regularizer), parameters):
        raise UserError(
            f"{where(type(problem))}: the loss of an untrained network is not finite: {bad}"
        )
    squares = jax.jit(lambda p: system.mean_squares(network.weights(p)))(parameters)
    kinds = {c.name: kind_of(c).__name__.lower() for c in problem.conditions}
    width = max(len(group.name) for group in system.groups)
    rows = [
        f"  {group.name:{width}}  {float(square):.3e}"
        + (f"  {kinds.get(group.term, 'domain')}" if group.axis is None else "")
        for group, square in zip(system.groups, squares, strict=True)
    ]
    return "\n".join(
        [
            f"{problem.title} ({problem.name})",
            *(f"  {name} = {value}" for name, value in problem.parameters.items()),
            "mean squares of the rows and of double PINN's, of an untrained network:",
            *rows,
            f"reference solution: {_reference(problem)}",
        ]
    )


def _reference(problem: Problem) -> str:
    if problem.exact is not None:
        check_closed_form(problem)
        return "exact(x, t), which solves the equation and every condition"
    if is_spectral(problem):
        check_spectral(problem)
        return "the spectral solver, which solves this equation and imposes every condition"
    return "none yet: neither exact(x, t) nor linear_symbol(k) and nonlinear(u)"
