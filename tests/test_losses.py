"""The objective is the weighted sum of mean squares of the paper, however it is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.settings import Points, Regularizer
from double_pinn.numerics import rows as residuals
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.objective import Objective, loss_terms, row_system
from double_pinn.numerics.points import training_points
from double_pinn.numerics.problems import get_problem

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Points times channels: below one block, and above one without a multiple of the block's size.
SMALL, LARGE = Points(nx=5, nt=4, edge=7), Points(nx=17, nt=19, edge=211)


def build(equation, regularizer, points, dtype=np.float64):
    problem = get_problem(equation)
    network = FlatMLP(1, 9, dtype)
    system = row_system(problem, training_points(points, problem), dtype, regularizer)
    random = np.random.default_rng(5)
    parameters = jnp.asarray(random.normal(0, 0.4, network.size), dtype)
    return network, system, parameters


@pytest.fixture
def one_core(monkeypatch):
    """Blocks for one core's cache, whatever the machine has."""
    monkeypatch.setenv("NPROC", "1")


def direct(network, system, parameters):
    """Σ weight · mean(row²), row by row."""
    rows = system.rows(network.layers(parameters))
    return sum(b.weight * jnp.mean(r**2) for b, r in zip(system.blocks, rows, strict=True))


@pytest.mark.parametrize("points", [SMALL, LARGE], ids=["one block", "many blocks"])
@pytest.mark.parametrize(
    ("equation", "regularizer"),
    [
        ("convection", Regularizer("double", 5e-4)),
        ("wave", Regularizer("double", 0.3)),
        ("allen_cahn", Regularizer()),
        ("reaction", Regularizer("gpinn", 0.1)),
    ],
)
def test_value_and_gradient_equal_the_direct_formula(equation, regularizer, points, one_core):
    network, system, parameters = build(equation, regularizer, points)
    objective = Objective(network, system, regularizer)
    fast = jax.jit(jax.value_and_grad(objective))(parameters)
    plain = jax.jit(jax.value_and_grad(lambda p: direct(network, system, p)))(parameters)
    assert float(fast[0]) == pytest.approx(float(plain[0]), rel=1e-13)
    size = jnp.abs(plain[1]).max()
    np.testing.assert_allclose(fast[1], plain[1], rtol=0, atol=1e-13 * size)


def test_the_many_blocks_above_are_many_and_do_not_divide_the_points(one_core):
    _, system, _ = build("wave", Regularizer("double", 0.3), LARGE)
    domain, _ = system.sets[0]
    _, counts = domain.cut(residuals._block_columns())
    assert len(counts) > 2
    assert counts.size > counts.sum() == 17 * 19


def test_a_block_holds_what_the_caches_of_all_cores_hold(monkeypatch):
    monkeypatch.setenv("NPROC", "1")
    alone = residuals._block_columns()
    monkeypatch.setenv("NPROC", "4")
    assert residuals._block_columns() == 4 * alone


def test_a_gradient_of_a_multiple_is_the_multiple_of_the_gradient(one_core):
    regularizer = Regularizer("double", 5e-4)
    network, system, parameters = build("convection", regularizer, LARGE)
    objective = Objective(network, system, regularizer)
    both = jax.jit(jax.grad(objective)), jax.jit(jax.grad(lambda p: -3 * objective(p)))
    np.testing.assert_allclose(both[1](parameters), -3 * both[0](parameters), rtol=1e-14)


@pytest.mark.parametrize("name", ["l2", "l1"])
def test_weight_penalties_count_weights_and_no_biases(name):
    regularizer = Regularizer(name, 0.02)
    network, system, parameters = build("convection", regularizer, SMALL)
    objective, without = (Objective(network, system, r) for r in (regularizer, Regularizer()))
    kernels = np.concatenate([np.ravel(k) for k, _ in network.layers(parameters)])
    biases = sum(b.size for _, b in network.layers(parameters))
    assert kernels.size + biases == network.size
    penalty = {"l2": 0.01 * np.sum(kernels**2), "l1": 0.02 * np.sum(np.abs(kernels))}[name]
    difference = jax.jit(lambda p: objective(p) - without(p))(parameters)
    assert float(difference) == pytest.approx(penalty, rel=1e-10)
    assert [block.axis for block in system.blocks] == [None] * 3


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("none", set()),
        ("l2", set()),
        ("l1", set()),
        ("gpinn", {"equation_x", "equation_t"}),
        ("double", {"equation_x", "equation_t", "initial_u_x", "periodic_u_t"}),
    ],
)
def test_which_rows_a_regulariser_derives(name, derived):
    _, system, _ = build("convection", Regularizer(name, 0.0 if name == "none" else 1e-3), SMALL)
    assert {block.name for block in system.blocks if block.axis is not None} == derived


def test_loss_terms_are_the_unregularised_mean_squares():
    network, system, parameters = build("wave", Regularizer("double", 0.3), SMALL)
    terms = np.asarray(jax.jit(lambda p: loss_terms(network, system, p))(parameters))
    rows = system.rows(network.layers(parameters))
    wanted = [
        np.mean(np.square(r)) for b, r in zip(system.blocks, rows, strict=True) if b.axis is None
    ]
    assert terms.shape == (len(system.terms),) == (5,)
    np.testing.assert_allclose(terms, wanted, rtol=1e-13)


def test_single_precision_agrees_with_double():
    regularizer = Regularizer("double", 5e-4)
    network, system, parameters = build("convection", regularizer, LARGE, np.float32)
    single = jax.jit(jax.value_and_grad(Objective(network, system, regularizer)))(parameters)
    network, system, _ = build("convection", regularizer, LARGE)
    full = jax.jit(jax.value_and_grad(Objective(network, system, regularizer)))(
        parameters.astype(np.float64)
    )
    assert single[0].dtype == single[1].dtype == np.float32
    assert float(single[0]) == pytest.approx(float(full[0]), rel=1e-5)
    np.testing.assert_allclose(single[1], full[1], rtol=0, atol=1e-4 * np.abs(full[1]).max())
