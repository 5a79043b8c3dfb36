"""Nested ``jax.jvp`` against closed forms, finite differences, and Taylor mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics import derivatives as d
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN

pytestmark = pytest.mark.usefixtures("quick_compilation")

A, B = 1.7, 0.6
INDICES = [(i, j) for i in range(5) for j in range(5 - i)]
EQUATIONS = ("convection", "reaction", "wave", "allen_cahn")
X, T = np.random.default_rng(4).uniform(-2, 2, (2, 6))


def waves(x, t):
    return jnp.sin(A * x) * jnp.cos(B * t)


def waves_derivative(index, x, t):
    """The closed form: a derivative turns a wave by a quarter of its period."""
    i, j = index
    return A**i * np.sin(A * x + i * np.pi / 2) * B**j * np.cos(B * t + j * np.pi / 2)


def gaussian(x, t):
    return jnp.exp(-((x - t * x) ** 2)) / (2 + jnp.cos(t))


def plans_of(equation):
    """The plans of every set of points of an equation with double PINN."""
    problem = get_problem(equation)
    points = training_points(TrainingGrid(nx=5, nt=4, edge=7), problem)
    system = row_system(problem, points, TanhMLP().bound(np.float64), DoublePINN())
    return problem, [plan for row_set, _ in system.sets for plan in row_set.plans]


@pytest.mark.parametrize("index", INDICES)
def test_a_derivative_is_the_closed_form(index):
    values = jax.jit(jax.vmap(d.nested_derivative(waves, index)))(X, T)
    np.testing.assert_allclose(values, waves_derivative(index, X, T), rtol=0, atol=1e-13 * A**4)


@pytest.mark.parametrize("index", [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1)])
def test_a_derivative_is_the_limit_of_differences(index):
    """Of order h⁴ along the last axis, from the derivative of one order less."""
    axis = int(index[1] > 0)
    less = (index[0] - (axis == 0), index[1] - (axis == 1))
    lower = jax.vmap(d.nested_derivative(gaussian, less))
    h = 1e-3
    at = lambda k: lower(X + k * h * (axis == 0), T + k * h * (axis == 1))  # noqa: E731
    differences = (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * h)
    values = jax.vmap(d.nested_derivative(gaussian, index))(X, T)
    np.testing.assert_allclose(values, differences, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_channels_of_a_tanh_network_are_those_of_taylor_mode(equation, make_layers, pointwise):
    problem, plans = plans_of(equation)
    box, layers = (problem.x_range, problem.t_range), make_layers(2, 7)
    random = np.random.default_rng(5)
    x, t = random.uniform(*box[0], 6), random.uniform(*box[1], 6)
    for plan in dict.fromkeys(plans):
        taylor = jax.jit(lambda plan=plan: d.network_channels(layers, x, t, box, plan))()
        u = pointwise(layers, box)
        nested = jax.jit(lambda u=u, plan=plan: d.nested_channels(u, x, t, plan))()
        assert len(nested) == len(plan)
        for channel, value, wanted in zip(plan.channels, nested, taylor, strict=True):
            assert value.shape == (6,)
            size = np.abs(wanted).max()
            np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-12 * size, err_msg=channel)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_channels_of_a_function_without_tanh(equation):
    _, plans = plans_of(equation)
    for plan in dict.fromkeys(plans):
        values = jax.jit(lambda plan=plan: d.nested_channels(waves, X, T, plan))()
        for channel, value in zip(plan.channels, values, strict=True):
            terms = [c * waves_derivative(index, X, T) for index, c in channel]
            size = max(np.abs(term).max() for term in terms)
            np.testing.assert_allclose(value, sum(terms), rtol=0, atol=1e-12 * size)


def test_a_plan_serves_any_network():
    wave = d.combination({(0, 2): 1.0, (2, 0): -4.0})
    plan = d.make_plan([wave, d.partial((0, 0))])
    values = d.nested_channels(waves, X, T, plan)
    np.testing.assert_allclose(
        plan.select(values, wave), (4 * A**2 - B**2) * waves(X, T), rtol=1e-13, atol=1e-13
    )


def test_channels_follow_the_dtype_of_the_points():
    plan = d.make_plan([d.combination({(0, 1): 1.0, (2, 0): -1e-4})])
    values = d.nested_channels(waves, np.float32(X), np.float32(T), plan)
    assert {value.dtype for value in values} == {np.dtype(np.float32)}
