"""Whether a reference solution solves its problem: equation and conditions, all of them.

A closed form is put into every line of the problem. Of the spectral solver it is asked whether it
solves the same equation and imposes every condition: it is periodic in x, starts from the initial
value, and advances u_t = L u + N(u).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.errors import UserError
from double_pinn.numerics.derivatives import VALUE, Index, make_plan, nested_channels, partial
from double_pinn.numerics.functions import values_of
from double_pinn.numerics.lines import Line
from double_pinn.numerics.points import TestSample, test_points
from double_pinn.numerics.problems import Initial, Periodic, Problem
from double_pinn.numerics.problems.checks import where
from double_pinn.numerics.problems.written import explained
from double_pinn.numerics.rows import condition_lines, equation_line

#: The largest row of a solution, relative to the terms that it is the sum of. Rounding through
#: nested derivatives of fourth order stays below it; a wrong coefficient does not.
ZERO = 1e-8

_SAMPLE = TestSample(domain=200, edge=23)


def check_closed_form(problem: Problem) -> None:
    """Put the closed form of a problem into its equation and its conditions.

    Raises:
        UserError: naming the row that is not zero, and how large it is.
    """
    with jax.enable_x64(True):
        for term, row, scale, x, t in closed_form_rows(problem):
            worst = int(np.argmax(np.where(np.isfinite(row), np.abs(row), np.inf)))
            if not abs(row[worst]) <= ZERO * scale:
                raise UserError(
                    f"{where(type(problem))}: exact(x, t) does not solve the problem: its row "
                    f"{term!r} is {row[worst]:.3g} at x = {x[worst]:g}, t = {t[worst]:g}, where it "
                    f"should be zero; the terms are of size {scale:.2g}. Parameters: "
                    f"{_in_words(problem.parameters)}. Correct exact, or the parameters"
                )


def closed_form_rows(problem: Problem) -> Iterator[tuple]:
    """Yield each term's name, its rows, the size of what they are the sum of, and their x and t.

    FP64 must be enabled.
    """
    domain = test_points(_SAMPLE, problem)
    sets = [
        ([(domain.x, domain.t)], [equation_line(problem)]),
        *(found[1:] for found in condition_lines(problem, domain.x_edge, domain.t_edge)),
    ]
    derivatives = {index for _, lines in sets for line in lines for _, index in line.slots}
    exact = _pointwise(problem, "exact", 2)
    inside = _derivatives(exact, derivatives, domain.x, domain.t)
    sizes = {index: float(np.nanmax(np.abs(value))) for index, value in inside.items()}
    for places, lines in sets:
        for line in lines:
            at_places = [
                _derivatives(exact, {i for field, i in line.slots if field == k}, *place)
                for k, place in enumerate(places)
            ]
            values = {slot: at_places[slot[0]][slot[1]] for slot in line.slots}
            x, t = places[0]
            yield line.term, *_row_and_scale(line, values, sizes, x, t), x, t


def _pointwise(problem: Problem, name: str, arguments: int) -> Callable:
    """Return a function of an equation, of x alone or of x and t, as one of two scalars."""
    function = getattr(problem, name)

    def value(x, t):
        with explained(f"{where(type(problem))}: {name}"):
            # It may be a plain number.
            return jnp.asarray(function(*(x, t)[:arguments]), jnp.float64) + 0 * x

    return value


def _derivatives(function, indices, x, t) -> dict[Index, np.ndarray]:
    if not indices:
        return {}
    plan = make_plan(map(partial, sorted(indices)))
    channels = jax.jit(lambda x, t: nested_channels(function, x, t, plan))(x, t)
    return {index: np.asarray(plan.select(channels, partial(index))) for index in indices}


def _row_and_scale(line: Line, values: dict, sizes: Mapping, x, t):
    """Return the row and the largest sum of its terms' sizes, to which its rounding is relative."""
    row = jax.vmap(line.at)(values, x, t)
    row = np.broadcast_to(np.asarray(row), x.shape)
    slopes = jax.vmap(jax.grad(line.at))(values, x, t) if values else {}
    scale = sum(np.abs(slope) * sizes[slot[1]] for slot, slope in slopes.items())
    return row, max(float(np.nanmax(scale)), np.finfo(np.float64).tiny)


def _in_words(parameters: Mapping) -> str:
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())


def check_spectral(problem: Problem) -> None:
    """See that the spectral solver solves this equation, and imposes its conditions.

    Raises:
        UserError: naming the condition that it does not impose, or the parts that do not fit.
    """
    with jax.enable_x64(True):
        for wrong in chain(_unimposed(problem), _another_equation(problem)):
            raise UserError(
                f"{where(type(problem))}: {wrong}. The spectral solver takes u_t = L u + N(u), "
                "periodic in x, from initial(x): give the problem exact(x, t), or a table as its "
                "reference"
            )


def _unimposed(problem: Problem) -> Iterator[str]:
    ends = np.asarray(problem.x_range), np.asarray(problem.t_range)
    has_start = False
    for kind, _, lines in condition_lines(problem, *ends):
        for line in lines:
            if issubclass(kind, Periodic):
                fits = _vanishes_where_ends_agree(line, problem)
            elif issubclass(kind, Initial):
                fits = _is_the_initial_value(line, problem)
                has_start |= fits and bool(line.slots)
            else:
                fits = False
            if not fits:
                yield f"the solver does not impose the condition {line.term!r} ({kind.__name__})"
    if not has_start:
        yield "there is no condition that says u = initial(x) at the first instant"


def _vanishes_where_ends_agree(line: Line, problem: Problem) -> bool:
    for seed, t in enumerate(np.linspace(*problem.t_range, 3)):
        random = np.random.default_rng(seed)
        of = {index: random.normal() for _, index in sorted(line.slots)}
        value = float(line.at({(k, index): of[index] for k, index in line.slots}, 0.0, t))
        if not abs(value) <= ZERO * max(1.0, *map(abs, of.values())):
            return False
    return True


def _is_the_initial_value(line: Line, problem: Problem) -> bool:
    if any(t_order for _, (_, t_order) in line.slots):
        return False
    t0 = problem.t_range[0]
    x = np.linspace(*problem.x_range, 17)[1:-1]
    start = values_of(problem, "initial", x)
    of = {VALUE: start} | _derivatives(
        _pointwise(problem, "initial", 1),
        {index for _, index in line.slots if index != VALUE},
        x,
        np.full_like(x, t0),
    )
    values = {slot: of[slot[1]] for slot in line.slots}
    sizes = {index: float(np.max(np.abs(value))) for index, value in of.items()}
    row, scale = _row_and_scale(line, values, sizes, x, np.full_like(x, t0))
    return bool(np.abs(row).max() <= ZERO * max(scale, 1e-6))


def _another_equation(problem: Any) -> Iterator[str]:
    """Put L v + N(v) for u_t into the equation, v a few waves: it must be solved at every point."""
    line = equation_line(problem)
    wrong = [index for _, index in line.slots if index[1] and index != (0, 1)]
    if wrong:
        names = ", ".join("u." + "x" * i + "t" * j for i, j in wrong)
        yield f"the equation has {names}"
        return
    random = np.random.default_rng(0)
    left, right = problem.x_range
    x = np.linspace(left, right, 40, endpoint=False)
    waves = 2 * np.pi / problem.length * np.arange(4)
    amplitudes = random.normal(size=4) + 1j * random.normal(size=4)
    phases = amplitudes[:, None] * np.exp(1j * waves[:, None] * (x - problem.x_range[0]))

    def derivative(order):
        return ((1j * waves[:, None]) ** order * phases).real.sum(0)

    v = derivative(0)
    symbol = values_of(problem, "linear_symbol", waves)
    rate = (symbol[:, None] * phases).real.sum(0) + values_of(problem, "nonlinear", v)
    of = {index: rate if index[1] else derivative(index[0]) for _, index in line.slots}
    values = {slot: of[slot[1]] for slot in line.slots}
    sizes = {index: float(np.max(np.abs(value))) for index, value in of.items()}
    for t in (problem.t_range[0], problem.t_range[1]):
        row, scale = _row_and_scale(line, values, sizes, x, np.full_like(x, t))
        if not np.abs(row).max() <= ZERO * scale:
            yield (
                "linear_symbol(k) and nonlinear(u) belong to another equation than residual: with "
                f"u_t = L u + N(u) the residual is {np.abs(row).max():.3g}, where it should be zero"
            )
            return
