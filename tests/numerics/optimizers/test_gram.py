"""K = J Jᵀ against the Jacobian that autodiff writes out, and the parts of the rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers import gram as gram_module
from double_pinn.numerics.optimizers.gram import RowGram
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.gpinn import GPINN
from double_pinn.numerics.regularizers.none import NoRegularizer

pytestmark = pytest.mark.usefixtures("quick_compilation")

EQUATIONS = ("convection", "reaction", "wave", "allen_cahn")
REGULARIZERS = {
    "none": NoRegularizer(),
    "gpinn": GPINN(weight=0.3),
    "double": DoublePINN(weight=0.3),
}


def build(equation, regularizer, dtype=np.float64, most_rows=None):
    """Return the rows, the parameters (biases not zero) and the objective of a small cell."""
    problem, network = get_problem(equation), TanhMLP(hidden_layers=2, width=5).bound(dtype)
    chosen, grid = REGULARIZERS[regularizer], TrainingGrid(nx=4, nt=3, edge=5)
    system = row_system(problem, training_points(grid, problem), network, chosen)
    noise = np.random.default_rng(1).normal(0, 0.3, network.size)
    parameters = network.init(0) + jnp.asarray(noise, dtype)
    return RowGram(network, system, most_rows), parameters, Objective(network, system, chosen)


@pytest.mark.parametrize(
    ("equation", "regularizer"),
    [*((equation, "double") for equation in EQUATIONS), ("wave", "none"), ("wave", "gpinn")],
)
def test_the_matrix_is_that_of_the_jacobian(equation, regularizer, monkeypatch):
    # Several tiles in a set, the last of them not full.
    monkeypatch.setattr(gram_module, "_TILE_COLUMNS", 20)
    gram, parameters, objective = build(equation, regularizer)

    @jax.jit
    def both(p):
        return gram.matrix(p), jax.jacobian(gram.rows)(p), gram.rows(p), objective(p)

    K, J, rows, value = (np.asarray(a) for a in both(parameters))
    assert K.shape == (gram.size, gram.size)
    np.testing.assert_allclose(K, J @ J.T, rtol=1e-12, atol=1e-13 * np.abs(K).max())
    np.testing.assert_allclose(K, K.T, rtol=1e-12, atol=1e-13 * np.abs(K).max())
    assert rows @ rows == pytest.approx(float(value), rel=1e-12)


def test_rows_that_fill_a_tile_up_are_zero(monkeypatch):
    monkeypatch.setattr(gram_module, "_TILE_COLUMNS", 20)
    gram, parameters, _ = build("wave", "double")
    scale = np.concatenate([tiles.scale.ravel() for tiles in gram._sets])
    counted = sum(group.count for group in gram.system.groups)
    assert np.count_nonzero(scale) == counted < gram.size
    assert np.all(np.asarray(jax.jit(gram.matrix)(parameters))[scale == 0] == 0)


def test_single_precision_stays_single():
    gram, parameters, _ = build("reaction", "double", np.float32)
    full, _, _ = build("reaction", "double")
    K = jax.jit(gram.matrix)(parameters)
    wanted = np.asarray(jax.jit(full.matrix)(parameters.astype(np.float64)))
    assert K.dtype == np.float32
    np.testing.assert_allclose(K, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_parts_are_all_the_rows_each_once():
    """The conditions are in every part; a part's equation rows weigh as much as all of them."""
    gram, parameters, objective = build("convection", "double", most_rows=30)
    assert gram.parts == 3  # 36 rows of the equation, 20 of the conditions

    @jax.jit
    def values(p, k):
        part = gram.part(k)
        return part.rows(p), part.matrix(p), jax.jacobian(part.rows)(p)

    whole = np.asarray(gram.rows(parameters))
    conditions = sum(tiles.scale.size for tiles in gram._sets[1:])
    seen = []
    for k in range(gram.parts):
        rows, K, J = (np.asarray(a) for a in values(parameters, k))
        assert rows.size == gram.part(k).size
        np.testing.assert_allclose(K, J @ J.T, rtol=1e-12, atol=1e-13 * np.abs(K).max())
        np.testing.assert_allclose(rows[-conditions:], whole[-conditions:], rtol=1e-13)
        seen.append(rows[:-conditions] / np.sqrt(gram.parts))
    assert whole @ whole == pytest.approx(float(objective(parameters)), rel=1e-12)
    found, wanted = np.sort(np.concatenate(seen)), np.sort(whole[:-conditions])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("equation_rows", "condition_rows", "most", "parts"),
    [
        (700, 300, None, 1),
        (700, 300, 1000, 1),
        (700, 300, 999, 2),
        (12288, 600, 4000, 4),
        (100, 900, 200, 1),
        (700, 300, 1, 700),
    ],
)
def test_how_many_parts(equation_rows, condition_rows, most, parts):
    """More conditions than rows allowed: half of a part is the equation's all the same."""
    assert gram_module._part_count(equation_rows, condition_rows, most) == parts
