"""K = J Jᵀ, whole and from pivoted columns, against the Jacobian that autodiff writes out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers import tiles as tiles_module
from double_pinn.numerics.optimizers.gram import WholeGram
from double_pinn.numerics.optimizers.pivoted import PivotedGram
from double_pinn.numerics.optimizers.tiles import RowTiles
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.gpinn import GPINN
from double_pinn.numerics.regularizers.none import NoRegularizer

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def small_tiles(monkeypatch):
    """Several tiles in a set, the last of them not full."""
    monkeypatch.setattr(tiles_module, "_TILE_COLUMNS", 20)


REGULARIZERS = {
    "none": NoRegularizer(),
    "gpinn": GPINN(weight=0.3),
    "double": DoublePINN(weight=0.3),
}


def build(equation, regularizer, dtype=np.float64):
    """Return the rows, the parameters (biases not zero) and the objective of a small cell."""
    problem, network = get_problem(equation), TanhMLP(hidden_layers=2, width=5).bound(dtype)
    chosen, grid = REGULARIZERS[regularizer], TrainingGrid(nx=4, nt=3, edge=5)
    system = row_system(problem, training_points(grid, problem), network, chosen)
    noise = np.random.default_rng(1).normal(0, 0.3, network.size)
    parameters = network.init(0) + jnp.asarray(noise, dtype)
    return RowTiles(network, system), parameters, Objective(network, system, chosen)


@pytest.mark.parametrize(
    ("equation", "regularizer"),
    # Each equation and each regulariser.
    [("allen_cahn", "double"), ("wave", "double"), ("reaction", "gpinn"), ("convection", "none")],
)
def test_the_matrix_is_that_of_the_jacobian(equation, regularizer, small_tiles):
    tiles, parameters, objective = build(equation, regularizer)
    y = jnp.asarray(np.random.default_rng(2).normal(size=tiles.size))

    @jax.jit
    def both(p):
        matrix = WholeGram(tiles).matrix(p)
        return matrix, tiles.pull(p, y), jax.jacobian(tiles.rows)(p), tiles.rows(p), objective(p)

    (K, scale), pulled, J, rows, value = jax.tree.map(np.asarray, both(parameters))
    assert K.shape == (tiles.size, tiles.size)
    np.testing.assert_allclose(K, J @ J.T, rtol=1e-12, atol=1e-13 * np.abs(K).max())
    np.testing.assert_allclose(K, K.T, rtol=1e-12, atol=1e-13 * np.abs(K).max())
    np.testing.assert_allclose(pulled, J.T @ y, rtol=1e-11, atol=1e-12 * np.abs(pulled).max())
    assert rows @ rows == pytest.approx(float(value), rel=1e-12)
    assert scale == pytest.approx(np.trace(K) / np.count_nonzero(np.diagonal(K)))
    # Rows that fill a tile up are zero.
    counts = np.concatenate([tiles.scale(k).ravel() for k in range(len(tiles.sets))]) != 0
    assert np.count_nonzero(counts) == sum(group.count for group in tiles.system.groups)
    assert np.all(counts) == (regularizer != "double")
    assert np.all(K[~counts] == 0)


def test_single_precision_stays_single():
    tiles, parameters, _ = build("convection", "double", np.float32)
    full, _, _ = build("convection", "double")
    K = jax.jit(WholeGram(tiles).products)(parameters)
    wanted = np.asarray(jax.jit(WholeGram(full).products)(parameters.astype(np.float64)))
    assert K.dtype == np.float32
    np.testing.assert_allclose(K, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_up_to_a_horizon_the_rows_are_those_of_the_points_before_it(small_tiles):
    """As if there were no others: the mean is over those that count."""
    tiles, parameters, _ = build("reaction", "double")
    problem = tiles.system.problem
    points = training_points(TrainingGrid(nx=4, nt=3, edge=5), problem)
    early = points.t <= 0.5
    fewer = points._replace(x=points.x[early], t=points.t[early])
    alone = row_system(problem, fewer, tiles.network, REGULARIZERS["double"])
    wanted = np.asarray(RowTiles(tiles.network, alone).rows(parameters))

    @jax.jit
    def seen(instant):
        rows = tiles.until(instant)
        return rows.rows(parameters), rows.pull(parameters, jnp.ones(tiles.size)), rows.active(0)

    rows, pulled, active = map(np.asarray, seen(0.5))
    assert active < len(tiles.sets[0].counts)
    np.testing.assert_allclose(
        np.sort(rows[rows != 0]), np.sort(wanted[wanted != 0]), rtol=1e-11, atol=1e-14
    )
    J = np.asarray(jax.jacfwd(lambda p: tiles.until(0.5).rows(p))(parameters))
    np.testing.assert_allclose(pulled, J.sum(axis=0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("equation", "dtype"), [("reaction", np.float64), ("convection", np.float32)]
)
def test_pivoted_columns_make_the_matrix(equation, dtype, small_tiles):
    """F Fᵀ is K but for what the damping allows, and its damped inverse is that of K."""
    tiles, parameters, _ = build(equation, "double", dtype)
    gram, damping = PivotedGram(tiles, 200), 1e-6 if dtype == np.float64 else 1e-3
    z = jnp.asarray(np.random.default_rng(3).normal(size=tiles.size), dtype)

    @jax.jit
    def both(p):
        matrix = gram.matrix(p, damping)
        mu = damping * matrix.scale
        return matrix, gram.solve(matrix, gram.factor(matrix, mu), mu, z)

    matrix, solved = both(parameters)
    K = np.asarray(jax.jit(WholeGram(tiles).products)(parameters), np.float64)
    F, mu = np.asarray(matrix.F, np.float64), damping * float(matrix.scale)
    off = K - F @ F.T
    assert matrix.F.dtype == dtype
    assert 0 < int(matrix.count) < np.count_nonzero(np.diagonal(K))
    assert float(matrix.missing) <= 10 * mu * (1 + 1e-6)
    assert np.linalg.norm(off, 2) <= 10 * mu
    rounding = 20 * np.finfo(dtype).eps * np.abs(K).max()
    np.testing.assert_allclose(matrix.inner, F.T @ F, rtol=0, atol=len(K) * rounding)
    wanted = np.linalg.solve(F @ F.T + mu * np.eye(tiles.size), np.asarray(z, np.float64))
    precision = 1e-6 if dtype == np.float64 else 5e-2
    np.testing.assert_allclose(solved, wanted, atol=precision * np.abs(wanted).max())


def test_no_more_columns_than_allowed(small_tiles):
    tiles, parameters, _ = build("reaction", "none")
    matrix = jax.jit(lambda p: PivotedGram(tiles, 12).matrix(p, 1e-12))(parameters)
    largest = max(groups * size for groups, size in (s.tile_shape for s in tiles.sets))
    assert 12 <= int(matrix.count) <= 12 + largest
