"""Gauss-Newton: the textbook's step, the road down, and the end of the road."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers.damped_step import first_damping, gauss_newton_step
from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.numerics.optimizers.gram import RowGram
from double_pinn.numerics.optimizers.lbfgs import LBFGS
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


@pytest.mark.parametrize("acceleration", [False, True])
def test_a_step_is_that_of_the_textbook(acceleration):
    """Transtrum and Sethna 2012 in primal form, with the Jacobian written out."""
    objective, p = build()
    gram = RowGram(objective.network, objective.system)
    # Damped so much that it is taken at once.
    damping = jnp.asarray(10.0)
    trial = jax.jit(lambda p, v: gauss_newton_step(gram, p, v, damping, acceleration=acceleration))(
        p, objective(p)
    )
    assert bool(trial.accepted)
    assert int(trial.trials) == 1

    rows, J = (
        np.asarray(a) for a in jax.jit(lambda p: (gram.rows(p), jax.jacobian(gram.rows)(p)))(p)
    )
    mu = float(damping) * np.trace(J @ J.T) / gram.size
    normal = J.T @ J + mu * np.eye(p.size)
    v = -np.linalg.solve(normal, J.T @ rows)
    along = lambda q: jax.jvp(gram.rows, (q,), (jnp.asarray(v),))[1]  # noqa: E731
    r_vv = np.asarray(jax.jit(lambda p: jax.jvp(along, (p,), (jnp.asarray(v),))[1])(p))
    a = -np.linalg.solve(normal, J.T @ r_vv)
    step = v + 0.5 * a if acceleration else v
    np.testing.assert_allclose(trial.parameters - p, step, rtol=1e-7, atol=1e-10 * abs(step).max())
    assert float(trial.value) == pytest.approx(float(objective(trial.parameters)), rel=1e-10)
    assert float(trial.damping) == pytest.approx(10 / 3)


@pytest.mark.parametrize(
    ("equation", "dtype"),
    [("convection", np.float32), ("allen_cahn", np.float64)],
)
def test_the_loss_falls_at_every_step(equation, dtype):
    objective, start = build(equation, dtype)
    states = path(options().stepper(objective), start, 12)
    values = np.asarray([float(objective(start)), *np.asarray(states.value)])
    assert states.parameters.dtype == dtype
    assert np.all(np.isfinite(states.parameters))
    assert np.all(np.diff(values)[~np.asarray(states.stalled)] < 0)
    assert values[-1] < 0.2 * values[0]


def test_it_ends_with_a_reason_where_rounding_leaves_no_step():
    """FP32 and more parameters than rows: the loss goes to rounding, then nothing is lower."""
    objective, start = build(dtype=np.float32, regularizer=NoRegularizer())
    states = path(options().stepper(objective), start, 80)
    assert bool(states.stalled[-1])
    assert np.all(np.isfinite(states.parameters))
    first = int(np.argmax(states.stalled))
    assert 0 < float(states.value[first]) < 1e-9
    # What has stalled stays where it is.
    np.testing.assert_array_equal(states.parameters[first - 1], states.parameters[first])


def test_at_the_latest_after_the_warmup_and_lbfgs_until_then():
    objective, start = build()
    states = path(options(warmup_iterations=7).stepper(objective), start, 9)
    plain = path(LBFGS(memory=5).stepper(objective), start, 7)
    np.testing.assert_array_equal(states.phase, [FIRST_ORDER] * 6 + [SECOND_ORDER] * 3)
    np.testing.assert_allclose(states.parameters[:7], plain.parameters, rtol=1e-10, atol=1e-12)


def test_a_loss_that_is_low_enough_switches_when_the_rule_looks():
    objective, start = build()
    changes = {"warmup_iterations": 500, "switch_loss": 0.9}
    phases = np.asarray(path(options(**changes).stepper(objective), start, 101).phase)
    assert np.all(phases[:99] == FIRST_ORDER)
    assert np.all(phases[99:] == SECOND_ORDER)


def test_parts_of_the_rows_lower_the_loss_of_all_rows():
    objective, start = build("convection")
    states = path(options(most_rows=60).stepper(objective), start, 30)
    values = np.asarray(states.value)
    assert np.all(np.diff(values) <= 0)
    assert values[-1] < 0.1 * float(objective(start))
    at_end = float(objective(states.parameters[-1]))
    assert values[-1] == pytest.approx(at_end, rel=1e-9)


def test_when_no_part_helps_all_rows_are_taken():
    """After a whole step the parts are not asked again."""
    objective, start = build("convection")
    stepper = options(most_rows=60).stepper(objective)
    gram = RowGram(objective.network, objective.system, 60)
    assert gram.parts > 1
    state = stepper.init(start)
    state = state._replace(inner=state.inner._replace(refused=jnp.asarray(gram.parts, jnp.int32)))
    new = jax.jit(stepper.step)(state)
    whole = jax.jit(lambda p, v: gauss_newton_step(gram, p, v, first_damping(p.dtype)))(
        start, objective(start)
    )
    np.testing.assert_allclose(new.parameters, whole.parameters, rtol=1e-8, atol=1e-12)
    assert int(new.inner.refused) == gram.parts
