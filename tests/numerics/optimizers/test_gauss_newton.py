"""Gauss-Newton: the textbook's step, the road down, and the end of the road."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers.damped_step import gauss_newton_step
from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.numerics.optimizers.gram import WholeGram
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.optimizers.tiles import RowTiles
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.none import NoRegularizer
from double_pinn.numerics.schedule import FIRST_ORDER, SECOND_ORDER

pytestmark = pytest.mark.usefixtures("quick_compilation")


def build(equation="reaction", dtype=np.float64, regularizer=None):
    problem, network = get_problem(equation), TanhMLP(hidden_layers=2, width=12).bound(dtype)
    chosen, grid = regularizer or DoublePINN(weight=5e-4), TrainingGrid(nx=4, nt=4, edge=6)
    system = row_system(problem, training_points(grid, problem), network, chosen)
    return Objective(network, system, chosen), network.init(0)


def options(**changes):
    values = {"memory": 5, "warmup_iterations": 0, **changes}
    return GaussNewton(**values)


def path(stepper, start, steps):
    """Return the states after each of some steps, stacked."""

    @jax.jit
    def run(start):
        def step(state, _):
            state = stepper.step(state)
            return state, state

        return jax.lax.scan(step, stepper.init(start), length=steps)[1]

    return run(start)


@pytest.fixture(scope="module")
def one_step(quick_compilation):
    """An objective, parameters, and compiled: a step by damping, the rows, their Jacobian."""
    objective, p = build()
    tiles = RowTiles(objective.network, objective.system)
    step = jax.jit(lambda damping: gauss_newton_step(WholeGram(tiles), p, objective(p), damping))
    return objective, p, step, jax.jit(tiles.rows), jax.jit(jax.jacobian(tiles.rows))


@pytest.mark.parametrize(("damping", "most"), [(10.0, 2), (1e-2, 12)])
def test_a_step_ends_where_the_mixed_chord_method_does(damping, most, one_step):
    """The iterates y ← y + (J Jᵀ + μI)⁻¹ (r(θ - Jᵀy) - μy) with least squares written out."""
    objective, p, step, rows, jacobian = one_step
    trial = step(jnp.asarray(damping))
    assert bool(trial.accepted)
    assert int(trial.trials) == 1
    assert 1 <= int(trial.evaluations) <= most

    J = np.asarray(jacobian(p))
    K = J @ J.T
    mu = float(damping) * np.trace(K) / np.count_nonzero(np.diagonal(K))
    y, off, first, moves, changes = np.zeros(len(J)), np.asarray(rows(p)), None, [], []
    for _ in range(int(trial.evaluations)):
        start, left = y, off
        if changes:
            mixed = np.linalg.lstsq(np.stack(changes, axis=1), off)[0]
            start, left = y - np.stack(moves, axis=1) @ mixed, off - np.stack(changes, 1) @ mixed
        new = start + np.linalg.solve(K + mu * np.eye(len(J)), left)
        there = np.asarray(rows(p - J.T @ new)) - mu * new
        moves.append(new - y)
        changes.append(there - off)
        y, off = new, there
        first = -J.T @ y if first is None else first
    moved = trial.parameters - p
    np.testing.assert_allclose(moved, -J.T @ y, rtol=1e-5, atol=1e-7 * abs(moved).max())
    levenberg = np.linalg.solve(J.T @ J + mu * np.eye(p.size), -J.T @ np.asarray(rows(p)))
    np.testing.assert_allclose(first, levenberg, rtol=1e-6, atol=1e-10 * abs(first).max())
    assert float(trial.value) == pytest.approx(float(objective(trial.parameters)), rel=1e-10)
    lower = 10 if int(trial.evaluations) <= 3 else 3
    assert float(trial.damping) == pytest.approx(float(damping) / lower)


@pytest.fixture(scope="module")
def descent(quick_compilation):
    """``descent(whole_rows)``: an objective, a start, the states after twelve steps from it."""

    @functools.cache
    def descend(whole_rows):
        objective, start = build("wave")
        return objective, start, path(options(whole_rows=whole_rows).stepper(objective), start, 12)

    return descend


def assert_descends(objective, start, states):
    """Assert that each step that was taken has lowered the loss, and all of them by much."""
    values = np.asarray([float(objective(start)), *np.asarray(states.value)])
    assert np.all(np.isfinite(states.parameters))
    assert np.all(np.diff(values)[~np.asarray(states.stalled)] < 0)
    assert values[-1] < 0.2 * values[0]


def test_the_loss_falls_at_every_step(descent):
    assert_descends(*descent(4000))


def test_the_loss_falls_at_every_step_in_single_precision():
    objective, start = build("convection", np.float32)
    states = path(options().stepper(objective), start, 12)
    assert states.parameters.dtype == np.float32
    assert_descends(objective, start, states)


def test_pivoted_columns_lead_down_as_the_whole_matrix_does(descent):
    objective, start, states = descent(1)
    assert not np.any(states.stalled)
    assert_descends(objective, start, states)
    np.testing.assert_allclose(states.value[:3], descent(4000)[2].value[:3], rtol=1e-3)
    assert float(states.value[-1]) == pytest.approx(
        float(objective(states.parameters[-1])), rel=1e-9
    )


def test_it_ends_with_a_reason_where_rounding_leaves_no_step():
    """FP32 and more parameters than rows: the loss goes to rounding, then nothing is lower."""
    objective, start = build(dtype=np.float32, regularizer=NoRegularizer())
    states = path(options().stepper(objective), start, 80)
    assert bool(states.stalled[-1])
    assert np.all(np.isfinite(states.parameters))
    first = int(np.argmax(states.stalled))
    assert 0 < float(states.value[first]) < 1e-8
    # What has stalled stays where it is.
    np.testing.assert_array_equal(states.parameters[first - 1], states.parameters[first])


# --- When it begins and what it sees: the same for every regulariser, without one soon compiled ---


def test_at_the_latest_after_the_warmup_and_lbfgs_until_then():
    objective, start = build(regularizer=NoRegularizer())
    states = path(options(warmup_iterations=7).stepper(objective), start, 9)
    plain = path(LBFGS(memory=5).stepper(objective), start, 7)
    np.testing.assert_array_equal(states.phase, [FIRST_ORDER] * 6 + [SECOND_ORDER] * 3)
    np.testing.assert_allclose(states.parameters[:7], plain.parameters, rtol=1e-10, atol=1e-12)


def test_a_loss_that_is_low_enough_switches_when_the_rule_looks():
    objective, start = build(regularizer=NoRegularizer())
    changes = {"warmup_iterations": 500, "switch_loss": 0.9}
    phases = np.asarray(path(options(**changes).stepper(objective), start, 101).phase)
    assert np.all(phases[:99] == FIRST_ORDER)
    assert np.all(phases[99:] == SECOND_ORDER)


def test_horizons_are_left_by_the_loss_or_the_steps_and_the_last_is_everything():
    objective, start = build(regularizer=NoRegularizer())
    changes = {"horizons": (0.3, 0.7), "horizon_steps": 3, "horizon_loss": 1e-12}
    states = path(options(**changes).stepper(objective), start, 8)
    # The state after a step tells what the next one sees.
    seen = [0.3] * 2 + [0.7] * 3 + [1.0] * 3
    np.testing.assert_allclose(states.horizon, seen)
    assert float(states.value[-1]) == pytest.approx(
        float(objective(states.parameters[-1])), rel=1e-9
    )
    solved = path(options(horizons=(0.3,), horizon_loss=0.99).stepper(objective), start, 1)
    np.testing.assert_allclose(solved.horizon, [1.0])


def test_horizons_begin_after_the_warmup():
    objective, start = build(regularizer=NoRegularizer())
    changes = {"horizons": (0.5,), "horizon_steps": 2, "warmup_iterations": 2}
    states = path(options(**changes).stepper(objective), start, 4)
    np.testing.assert_allclose(states.horizon, [1.0, 0.5, 0.5, 1.0])
    np.testing.assert_array_equal(states.phase, [FIRST_ORDER] + [SECOND_ORDER] * 3)


@pytest.mark.parametrize("horizons", [(0.5, 0.5), (0.8, 0.2), (1.0,), (0.5, 1.5)])
def test_horizons_rise_below_one(horizons):
    with pytest.raises(ValueError, match="must rise and stay below 1"):
        options(horizons=horizons)
