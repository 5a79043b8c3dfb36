"""Compact L-BFGS: Optax's iterates, the inverse Hessian of the textbook, and the guards."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers.compact_lbfgs import lbfgs, scale_by_compact_lbfgs
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.optimizers.optax_lbfgs import OptaxLBFGS
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.none import NoRegularizer

pytestmark = pytest.mark.usefixtures("quick_compilation")

ITERATIONS = 15


def both_paths(objective, start, memory, iterations=ITERATIONS):
    """Run this project's L-BFGS and Optax's.

    Returns:
        ``(parameters (iterations, n), values, evaluations)`` of each.
    """

    @jax.jit
    def run(start):
        def path(optimizer):
            stepper = optimizer.stepper(objective)

            def step(state, _):
                state = stepper.step(state)
                return state, (state.parameters, state.value, state.evaluations)

            return jax.lax.scan(step, stepper.init(start), length=iterations)[1]

        return path(LBFGS(memory=memory)), path(OptaxLBFGS(memory=memory))

    return [[np.asarray(a) for a in path] for path in run(start)]


class OnOneCore:
    """A function of the parameters as an objective without rows."""

    system = SimpleNamespace(cores=1)

    def __init__(self, function):
        self._function = function

    def __call__(self, parameters):
        return self._function(parameters)


def agree(ours, theirs, rel):
    """Both move, and by the same steps to a relative error ``rel``."""
    steps = np.linalg.norm(np.diff(theirs[0], axis=0), axis=1)
    assert np.all(steps > 0)
    moved = np.linalg.norm(theirs[0][-1] - theirs[0][0])
    assert np.abs(ours[0] - theirs[0]).max() <= rel * moved
    np.testing.assert_allclose(ours[1], theirs[1], rtol=10 * rel)
    assert ours[0].dtype == theirs[0].dtype


def cell(equation, dtype):
    problem = get_problem(equation)
    # Derived rows for one of them: they compile slowly, and an optimiser does not see them.
    regularizer = DoublePINN(weight=5e-4) if equation == "convection" else NoRegularizer()
    network = TanhMLP(hidden_layers=1, width=16).bound(dtype)
    points = training_points(TrainingGrid(nx=6, nt=6, edge=10), problem)
    objective = Objective(network, row_system(problem, points, network, regularizer), regularizer)
    return objective, network.init(0)


@pytest.mark.parametrize(
    ("equation", "memory"),
    [("convection", 100), ("reaction", 5), ("wave", 100), ("allen_cahn", 100)],
)
def test_optaxs_iterates_for_every_equation(equation, memory):
    """A memory of 5 is filled three times over."""
    ours, theirs = both_paths(*cell(equation, np.float64), memory)
    agree(ours, theirs, 1e-9)
    np.testing.assert_array_equal(ours[2], theirs[2])


def test_optaxs_iterates_in_single_precision():
    ours, theirs = both_paths(*cell("reaction", np.float32), memory=100, iterations=10)
    assert ours[0].dtype == np.float32
    agree(ours, theirs, 1e-3)


def rosenbrock(p):
    return jnp.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)


HESSIAN = np.diag(np.logspace(0, 3, 12))


@pytest.mark.parametrize(
    ("function", "start", "memory", "iterations"),
    [
        (rosenbrock, np.full(6, -0.5), 3, 25),
        (lambda p: 0.5 * p @ HESSIAN @ p + jnp.sum(p), np.linspace(-1, 2, 12), 100, 15),
    ],
    ids=["Rosenbrock", "quadratic"],
)
def test_optaxs_iterates_on_classics(function, start, memory, iterations):
    ours, theirs = both_paths(OnOneCore(function), jnp.asarray(start), memory, iterations)
    agree(ours, theirs, 1e-6)


def textbook_direction(pairs, gradient, scale):
    """H g by the BFGS update of a dense matrix (Nocedal and Wright, Eq. 6.17)."""
    H = scale * np.eye(gradient.size)
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = np.eye(s.size) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H @ gradient


def feed(points, gradients, memory, dtype=np.float64, **options):
    """Return the direction after each pair of point and gradient, and the last state."""
    transformation = scale_by_compact_lbfgs(memory, **options)

    @jax.jit
    def run(points, gradients):
        def step(state, inputs):
            point, gradient = inputs
            direction, state = transformation.update(gradient, state, point)
            return state, direction

        return jax.lax.scan(step, transformation.init(points[0]), (points, gradients))

    state, directions = run(jnp.asarray(points, dtype), jnp.asarray(gradients, dtype))
    return np.asarray(directions), state


@pytest.fixture
def walk():
    """Points of a random walk on a convex quadratic, and its gradients there."""
    random = np.random.default_rng(7)
    root = random.normal(size=(8, 8))
    hessian = root @ root.T + np.eye(8)
    points = random.normal(size=(12, 8))
    return points, points @ hessian


def pairs_of(points, gradients):
    return list(zip(np.diff(points, axis=0), np.diff(gradients, axis=0), strict=True))


@pytest.mark.parametrize("memory", [1, 4, 30])
def test_directions_are_those_of_the_dense_update(walk, memory):
    points, gradients = walk
    directions, state = feed(points, gradients, memory)
    assert int(state.skipped) == 0
    first = gradients[0] * min(1, 1 / np.linalg.norm(gradients[0]))
    np.testing.assert_allclose(directions[0], first, rtol=1e-14)
    pairs = pairs_of(points, gradients)
    for k in range(1, len(points)):
        s, y = pairs[k - 1]
        wanted = textbook_direction(pairs[max(0, k - memory) : k], gradients[k], s @ y / (y @ y))
        np.testing.assert_allclose(directions[k], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(2.0**-66, np.float64), (2.0**66, np.float64), (2.0**-27, np.float32)]
)
def test_directions_do_not_depend_on_the_scale_of_the_loss(walk, scale, dtype):
    points, gradients = walk
    directions, state = feed(points, gradients, 5, dtype)
    scaled, scaled_state = feed(points, scale * gradients, 5, dtype)
    assert int(state.skipped) == int(scaled_state.skipped) == 0
    np.testing.assert_allclose(
        scaled[1:], directions[1:], rtol=1e-12 if dtype == np.float64 else 1e-3
    )


def test_a_tiny_loss_is_minimised_like_a_large_one():
    """Curvatures are about 1e-10 here: an absolute guard would refuse them all."""

    def run(scale):
        objective = OnOneCore(lambda p: scale * rosenbrock(p))
        stepper = LBFGS(memory=10).stepper(objective)
        start = jnp.full(6, -0.5)
        state = jax.jit(lambda s: jax.lax.fori_loop(0, 120, lambda _, s: stepper.step(s), s))(
            stepper.init(start)
        )
        return np.asarray(state.parameters)

    np.testing.assert_allclose(run(1e-8), 1.0, atol=1e-5)
    np.testing.assert_allclose(run(1e3), 1.0, atol=1e-5)


@pytest.mark.parametrize("poison", ["negative", "zero", "tiny", "NaN"])
def test_a_poisoned_pair_is_refused_and_the_others_stay(walk, poison):
    points, gradients = walk
    points, gradients = points[:6].copy(), gradients[:6].copy()
    s = points[3] - points[2]
    y = {
        "negative": -s,
        "zero": np.zeros(8),
        # Orthogonal to s but for less than rounding.
        "tiny": np.roll(s, 1) - s * (np.roll(s, 1) @ s) / (s @ s) * (1 - 1e-16),
        "NaN": np.full(8, np.nan),
    }[poison]
    gradients[3] = gradients[2] + y
    directions, state = feed(points[:4], gradients[:4], 10)
    assert int(state.skipped) == 1
    pairs = pairs_of(points, gradients)[:2]
    s, y = pairs[-1]
    if poison == "NaN":
        assert not bool(state.used[2])
        return
    wanted = textbook_direction(pairs, gradients[3], s @ y / (y @ y))
    np.testing.assert_allclose(directions[3], wanted, rtol=1e-9, atol=1e-9)


def test_after_a_refused_pair_learning_goes_on(walk):
    points, gradients = walk
    points, gradients = points[:7].copy(), gradients[:7].copy()
    # The third point lies where the gradient is that of a concave function.
    gradients[2] = gradients[1] - (points[2] - points[1])
    directions, state = feed(points, gradients, 10)
    pairs = [p for p in pairs_of(points, gradients) if p[0] @ p[1] > 0]
    assert int(state.skipped) == 6 - len(pairs) >= 1
    s, y = pairs[-1]
    wanted = textbook_direction(pairs, gradients[6], s @ y / (y @ y))
    np.testing.assert_allclose(directions[6], wanted, rtol=1e-8, atol=1e-8)


def test_a_step_of_length_zero_forgets_the_memory(walk):
    points, gradients = walk
    points = np.concatenate([points[:4], points[3:6]])
    gradients = np.concatenate([gradients[:4], gradients[3:6]])
    directions, _ = feed(points, gradients, 10)
    s, y = pairs_of(points, gradients)[2]
    steepest = s @ y / (y @ y) * gradients[4]
    np.testing.assert_allclose(directions[4], steepest, rtol=1e-12)
    s, y = pairs_of(points, gradients)[4]
    wanted = textbook_direction([(s, y)], gradients[5], s @ y / (y @ y))
    np.testing.assert_allclose(directions[5], wanted, rtol=1e-9, atol=1e-9)


def test_directions_descend_whatever_the_pairs():
    """Random pairs of any curvature, in FP32: never uphill, never NaN."""
    random = np.random.default_rng(0)
    points, gradients = random.normal(size=(2, 60, 5))
    directions, state = feed(points, gradients, 7, np.float32)
    assert np.all(np.isfinite(directions))
    assert np.all(np.sum(directions * gradients, axis=1) > 0)
    assert 0 < int(state.skipped) < 60


def test_it_is_a_drop_in_for_optax():
    transformation = lbfgs(memory_size=5)
    params = jnp.full(4, -0.5)
    state = transformation.init(params)
    value_and_grad = jax.jit(optax.value_and_grad_from_state(rosenbrock))

    @jax.jit
    def step(params, state):
        value, grad = value_and_grad(params, state=state)
        updates, state = transformation.update(
            grad, state, params, value=value, grad=grad, value_fn=rosenbrock
        )
        return optax.apply_updates(params, updates), state

    for _ in range(60):
        params, state = step(params, state)
    np.testing.assert_allclose(params, 1.0, atol=1e-5)


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="memory_size"):
        scale_by_compact_lbfgs(0)
    with pytest.raises(ValueError, match="one flat vector"):
        scale_by_compact_lbfgs(3).init({"w": jnp.zeros(3)})
    with pytest.raises(ValueError, match="one flat vector"):
        scale_by_compact_lbfgs(3).init(jnp.zeros((3, 3)))
