"""The objective is the weighted sum of mean squares of the paper, however it is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics import row_sets
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, loss_terms, row_system
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.gpinn import GPINN
from double_pinn.numerics.regularizers.l1 import L1
from double_pinn.numerics.regularizers.l2 import L2
from double_pinn.numerics.regularizers.none import NoRegularizer

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Points times channels: below one chunk, and above one without a multiple of the chunk's size.
SMALL, LARGE = TrainingGrid(nx=5, nt=4, edge=7), TrainingGrid(nx=17, nt=19, edge=211)


def build(equation, regularizer, points, dtype=np.float64):
    problem = get_problem(equation)
    network = TanhMLP(hidden_layers=1, width=9).bound(dtype)
    system = row_system(problem, training_points(points, problem), network, regularizer)
    random = np.random.default_rng(5)
    parameters = jnp.asarray(random.normal(0, 0.4, network.size), dtype)
    return network, system, parameters


@pytest.fixture
def one_core(monkeypatch):
    """Chunks for one core's cache, whatever the machine has."""
    monkeypatch.setenv("NPROC", "1")


def direct(network, system, parameters):
    """Σ weight · mean(row²), row by row."""
    rows = system.rows(network.weights(parameters))
    return sum(g.weight * jnp.mean(r**2) for g, r in zip(system.groups, rows, strict=True))


@pytest.mark.parametrize("points", [SMALL, LARGE], ids=["one chunk", "many chunks"])
@pytest.mark.parametrize(
    ("equation", "regularizer"),
    [
        ("convection", DoublePINN(weight=5e-4)),
        ("wave", DoublePINN(weight=0.3)),
        ("allen_cahn", NoRegularizer()),
        ("reaction", GPINN(weight=0.1)),
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


def test_the_many_chunks_above_are_many_and_do_not_divide_the_points(one_core):
    _, system, _ = build("wave", DoublePINN(weight=0.3), LARGE)
    domain, _ = system.sets[0]
    _, counts = domain.cut(row_sets._chunk_columns())
    assert len(counts) > 2
    assert counts.size > counts.sum() == 17 * 19


def test_a_chunk_holds_what_the_caches_of_all_cores_hold(monkeypatch):
    monkeypatch.setenv("NPROC", "1")
    alone = row_sets._chunk_columns()
    monkeypatch.setenv("NPROC", "4")
    assert row_sets._chunk_columns() == 4 * alone


def test_a_gradient_of_a_multiple_is_the_multiple_of_the_gradient(one_core):
    regularizer = DoublePINN(weight=5e-4)
    network, system, parameters = build("convection", regularizer, LARGE)
    objective = Objective(network, system, regularizer)
    both = jax.jit(jax.grad(objective)), jax.jit(jax.grad(lambda p: -3 * objective(p)))
    np.testing.assert_allclose(both[1](parameters), -3 * both[0](parameters), rtol=1e-14)


@pytest.mark.parametrize("regularizer", [L2(weight=0.02), L1(weight=0.02)], ids=["l2", "l1"])
def test_weight_penalties_count_weights_and_no_biases(regularizer):
    network, system, parameters = build("convection", regularizer, SMALL)
    objective, without = (Objective(network, system, r) for r in (regularizer, NoRegularizer()))
    kernels = np.concatenate([np.ravel(k) for k, _ in network.weights(parameters)])
    biases = sum(b.size for _, b in network.weights(parameters))
    assert kernels.size + biases == network.size
    penalty = {"l2": 0.01 * np.sum(kernels**2), "l1": 0.02 * np.sum(np.abs(kernels))}
    penalty = penalty[regularizer.name]
    difference = jax.jit(lambda p: objective(p) - without(p))(parameters)
    assert float(difference) == pytest.approx(penalty, rel=1e-10)
    assert [group.axis for group in system.groups] == [None] * 3


@pytest.mark.parametrize(
    ("regularizer", "derived"),
    [
        (NoRegularizer, set()),
        (L2, set()),
        (L1, set()),
        (GPINN, {"equation_x", "equation_t"}),
        (DoublePINN, {"equation_x", "equation_t", "initial_u_x", "periodic_u_t"}),
    ],
)
def test_which_rows_a_regulariser_derives(regularizer, derived):
    _, system, _ = build("convection", regularizer(), SMALL)
    assert {group.name for group in system.groups if group.axis is not None} == derived


def test_loss_terms_are_the_unregularised_mean_squares():
    network, system, parameters = build("wave", DoublePINN(weight=0.3), SMALL)
    terms = np.asarray(jax.jit(lambda p: loss_terms(network, system, p))(parameters))
    rows = system.rows(network.weights(parameters))
    wanted = [
        np.mean(np.square(r)) for g, r in zip(system.groups, rows, strict=True) if g.axis is None
    ]
    assert terms.shape == (len(system.terms),) == (5,)
    np.testing.assert_allclose(terms, wanted, rtol=1e-13)


def test_single_precision_agrees_with_double():
    regularizer = DoublePINN(weight=5e-4)
    network, system, parameters = build("convection", regularizer, LARGE, np.float32)
    single = jax.jit(jax.value_and_grad(Objective(network, system, regularizer)))(parameters)
    network, system, _ = build("convection", regularizer, LARGE)
    full = jax.jit(jax.value_and_grad(Objective(network, system, regularizer)))(
        parameters.astype(np.float64)
    )
    assert single[0].dtype == single[1].dtype == np.float32
    assert float(single[0]) == pytest.approx(float(full[0]), rel=1e-5)
    np.testing.assert_allclose(single[1], full[1], rtol=0, atol=1e-4 * np.abs(full[1]).max())
