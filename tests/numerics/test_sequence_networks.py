"""PINNsFormer and PINNMamba against plain NumPy, and how a point becomes a sequence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from double_pinn.configuration.catalogue import found, get_problem
from double_pinn.numerics.derivatives import make_plan, partial
from double_pinn.numerics.networks.pinnmamba import PINNMamba
from double_pinn.numerics.networks.pinnsformer import PINNsFormer
from double_pinn.numerics.networks.sequences import FlatSequenceNetwork, SequenceNetwork
from double_pinn.numerics.networks.waves import sine_and_cosine
from double_pinn.numerics.objective import Objective, loss_terms, row_system
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.rows import pointwise_residual, trained_residual
from double_pinn.values import Count, Positive

# Compiled once and run once, on a few points.
pytestmark = pytest.mark.usefixtures("quick_compilation")

SMALL = {
    "pinnsformer": PINNsFormer(length=3, step=0.05, width=8, feed_forward=6, head=5),
    "pinnmamba": PINNMamba(length=3, step=0.25, width=8, state=3, rank=2, head=5),
}


class Coupled(nnx.Module):
    """Elements that see each other, and little else: quick to compile."""

    def __init__(self, rngs, dtype):
        self.inner = nnx.Linear(2, 4, param_dtype=dtype, rngs=rngs)
        self.outer = nnx.Linear(4, 1, param_dtype=dtype, rngs=rngs)

    def __call__(self, inputs):
        h = jnp.tanh(self.inner(inputs))
        h = h * (1 + jnp.cumsum(h, -2) + h.sum(-2, keepdims=True) ** 2)
        return self.outer(h)[..., 0]


class Former(SequenceNetwork):
    length: Count = 3
    step: Positive = 0.05

    def module(self, rngs, dtype):
        return Coupled(rngs, dtype)


class Aligned(Former):
    aligned = True
    step: Positive = 0.25


STAND_INS = {"former": Former(), "aligned": Aligned()}
NONE = found("regularizer", "none").cls()
DOUBLE = found("regularizer", "double").cls(weight=0.1)


def bound(name, dtype=np.float64, seed=1):
    """A small network with parameters that are all different from their initial values."""
    network = {**SMALL, **STAND_INS}[name].bound(dtype)
    noise = np.random.default_rng(seed).normal(0, 0.1, network.size)
    return network, (network.init(seed) + noise).astype(dtype)


# --- NumPy's forward pass, written from the description of the models ---


def wave(p, name, a):
    return p[f"{name}.w1"] * np.sin(a) + p[f"{name}.w2"] * np.cos(a)


def linear(p, name, a):
    return a @ p[f"{name}.kernel"] + p[f"{name}.bias"]


def layered(p, name, h, count=3):
    for k in range(count - 1):
        h = wave(p, f"{name}.waves.{k}", linear(p, f"{name}.layers.{k}", h))
    return linear(p, f"{name}.layers.{count - 1}", h)


def softplus(a):
    return np.log1p(np.exp(a))


def attention(p, name, queries, context, heads=2):
    """One sequence, a head at a time: queries (L, width), context (L, width)."""
    width = queries.shape[1]
    kernel, bias = p[f"{name}.projection.kernel"], p[f"{name}.projection.bias"]
    q = queries @ kernel[:, :width] + bias[:width]
    k = context @ kernel[:, width : 2 * width] + bias[width : 2 * width]
    v = context @ kernel[:, 2 * width :] + bias[2 * width :]
    size, seen = width // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = np.exp(q[:, part] @ k[:, part].T / np.sqrt(size))
        seen.append(scores / scores.sum(1, keepdims=True) @ v[:, part])
    return linear(p, f"{name}.out", np.concatenate(seen, 1))


def transformer(p, inputs):
    def layer(name, x, context=None):
        a = wave(p, f"{name}.waves.0", x)
        x = x + attention(p, f"{name}.attention", a, a if context is None else context)
        return x + layered(p, f"{name}.feed_forward", wave(p, f"{name}.waves.1", x))

    e = linear(p, "embedding", inputs)
    memory = wave(p, "encoded", layer("encoder", e))
    return layered(p, "head", wave(p, "decoded", layer("decoder", e, memory)))[:, 0]


def mamba(p, inputs):
    e = linear(p, "embedding", inputs)
    z = wave(p, "block.waves.0", linear(p, "block.gate", e))
    x = linear(p, "block.convolution", linear(p, "block.entry", e))
    x = wave(p, "block.waves.1", softplus(x))
    state, rank = p["block.state_space.A_log"].shape[1], 2
    selected = linear(p, "block.state_space.selection", x)
    steps = softplus(linear(p, "block.state_space.rate", selected[:, :rank]))
    B, C = selected[:, rank : rank + state], selected[:, rank + state :]
    A, D = -np.exp(p["block.state_space.A_log"]), p["block.state_space.D"]
    h, y = np.zeros(A.shape), []
    for i in range(len(x)):
        h = np.exp(steps[i][:, None] * A) * h + (steps[i] * x[i])[:, None] * B[i]
        y.append(h @ C[i] + D * x[i])
    e = e + linear(p, "block.out", np.array(y) * z)
    return layered(p, "head", wave(p, "wave", e))[:, 0]


PLAIN = {"pinnsformer": transformer, "pinnmamba": mamba}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_element_is_what_numpy_computes(name, dtype):
    network, flat = bound(name, dtype)
    named = {key: np.asarray(value, np.float64) for key, value in network.named(flat).items()}
    inputs = np.random.default_rng(0).uniform(-2, 2, (4, 3, 2))
    expected = [PLAIN[name](named, sequence) for sequence in inputs]
    computed = jax.jit(network.module(flat))(inputs.astype(dtype))
    assert computed.shape == (4, 3)
    assert computed.dtype == dtype
    np.testing.assert_allclose(computed, expected, rtol=0, atol=2e2 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("cls", "count"), [(PINNsFormer, 453_561), (PINNMamba, 285_763)])
def test_as_many_parameters_as_published(cls, count):
    assert cls().bound(np.float32).size == count


def test_initial_values():
    network = PINNMamba(head=64).bound(np.float64)
    named = network.named(network.init(0))
    for key, value in named.items():
        if key.endswith((".w1", ".w2")) or key.endswith(".D"):
            assert np.all(value == 1), key
        elif "convolution" in key:
            assert np.abs(value).max() <= 32**-0.5
            assert np.abs(value).max() > 0.8 * 32**-0.5
        elif key.endswith("A_log"):
            np.testing.assert_allclose(value, np.tile(np.log(np.arange(1, 9)), (32, 1)), rtol=1e-6)
        elif key.endswith("bias"):
            np.testing.assert_allclose(value, 0.01, rtol=1e-6)
        else:  # Xavier-uniform
            bound = np.sqrt(6 / sum(value.shape))
            assert 0.8 * bound < np.abs(value).max() <= bound, key
    network = PINNsFormer(head=8).bound(np.float64)
    projection = network.named(network.init(0))
    assert not np.any(projection["encoder.attention.projection.bias"])
    kernel = projection["decoder.attention.projection.kernel"]
    assert 0.95 * np.sqrt(6 / 128) < np.abs(kernel).max() <= np.sqrt(6 / 128)


def test_both_precisions_start_at_the_same_point():
    single, double = (SMALL["pinnsformer"].bound(d).init(3) for d in (np.float32, np.float64))
    np.testing.assert_array_equal(single.astype(np.float64), double)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1.0), (np.float64, 1.0)])
def test_sine_and_cosine_to_rounding(dtype, tolerance):
    a = np.concatenate([np.random.default_rng(0).uniform(-s, s, 20_000) for s in (1, 10, 1e4)])
    a = np.append(a, [0, np.pi / 4, -np.pi / 2, np.pi]).astype(dtype)
    for computed, exact in zip(jax.jit(sine_and_cosine)(a), (np.sin, np.cos), strict=True):
        assert computed.dtype == dtype
        error = np.abs(np.asarray(computed) - exact(a.astype(np.longdouble)))
        assert error.max() < tolerance * np.finfo(dtype).eps


def test_derivatives_of_sine_and_cosine():
    a = jnp.asarray(0.7)
    sine = lambda a: sine_and_cosine(a)[0]  # noqa: E731
    for order, value in enumerate((np.sin(0.7), np.cos(0.7), -np.sin(0.7), -np.cos(0.7))):
        derivative = sine
        for _ in range(order):
            derivative = jax.grad(derivative)
        assert derivative(a) == pytest.approx(value, rel=1e-15)


# --- Sequences and their derivatives ---


def test_a_point_is_a_sequence_in_time():
    x, t = Former().bound(np.float64).row_places(np.array([1.0, 2.0]), np.zeros(2))
    np.testing.assert_array_equal(x, [[1, 1, 1], [2, 2, 2]])
    np.testing.assert_allclose(t, [[0, 0.05, 0.1]] * 2)


@pytest.mark.parametrize("name", STAND_INS)
def test_derivatives_are_products_with_ones_over_the_sequence(name):
    """By their definition: Jacobians of all elements by all places, summed over the elements."""
    network, flat = bound(name)
    module = jax.jit(network.module(flat))
    orders = [(1, 0), (0, 1), (2, 0), (0, 2), (1, 1)]
    plan = make_plan([partial(index) for index in orders])
    points = np.array([0.3, -0.4]), np.array([0.1, 0.6])
    channels = jax.jit(lambda p: network.row_channels(network.weights(p), *points, None, plan))(
        flat
    )

    def u(x, t):
        return module(jnp.stack([x, t], -1))

    def summed(f, argument):
        return lambda x, t: jax.jacfwd(f, argument)(x, t).sum(0)

    for k, (x, t) in enumerate(zip(*network.row_places(*points), strict=True)):
        np.testing.assert_allclose(plan.select(channels, partial((0, 0)))[k], u(x, t), rtol=1e-12)
        by = {
            (1, 0): summed(u, 0),
            (0, 1): summed(u, 1),
            (2, 0): summed(summed(u, 0), 0),
            (0, 2): summed(summed(u, 1), 1),
            (1, 1): summed(summed(u, 1), 0),  # along x last
        }
        for index in orders:
            computed = plan.select(channels, partial(index))[k]
            np.testing.assert_allclose(computed, jax.jit(by[index])(x, t), rtol=1e-9, atol=1e-9)


def test_the_field_is_the_first_element_and_its_derivatives_are_its_own():
    network, flat = bound("former")
    weights, module = network.weights(flat), network.module(flat)

    def u(x, t):
        return module(jnp.stack(network.row_places(x, t), -1))[0]

    x, t = np.array([0.3]), np.array([0.2])
    plan = make_plan([partial((1, 0)), partial((0, 2))])
    channels = jax.jit(lambda w: network.network_channels(w, x, t, None, plan))(weights)
    at = jnp.asarray(0.3), jnp.asarray(0.2)
    for index, expected in {
        (0, 0): u(*at),
        (1, 0): jax.jit(jax.grad(u, 0))(*at),
        (0, 2): jax.jit(jax.grad(jax.grad(u, 1), 1))(*at),
    }.items():
        np.testing.assert_allclose(plan.select(channels, partial(index)), [expected], rtol=1e-10)


def test_mamba_sees_nothing_of_what_comes_later():
    """So its field depends on neither the length nor the step of the sequences."""
    x, t, plan = np.linspace(0, 1, 5), np.linspace(0, 1, 5), make_plan([])
    fields = []
    for options in ({}, {"length": 7, "step": 0.01}):
        network = SMALL["pinnmamba"].model_copy(update=options).bound(np.float64)
        weights = network.weights(network.init(0))
        field = lambda w, n=network: n.network_channels(w, x, t, None, plan)[0]  # noqa: E731
        fields.append(jax.jit(field)(weights))
    np.testing.assert_allclose(*fields, rtol=1e-12)


# --- Rows, loss and gradient ---

GRID = TrainingGrid(nx=4, nt=5, edge=6)


def system_of(name, equation, regularizer=NONE, weights=None, parameters=None):
    problem = get_problem(equation, **(parameters or {}))
    network, flat = bound(name)
    points = training_points(GRID, problem)
    options = {"term_weights": weights or {}, "grid_column": GRID.nt}
    system = row_system(problem, points, network, regularizer, **options)
    return network, flat, system, problem, points


@pytest.mark.parametrize("name", STAND_INS)
def test_the_loss_by_hand(name):
    weights = {"equation": 2.0, "left_u": 10.0, "alignment": 7.0 if name == "aligned" else 1.0}
    if name == "former":
        del weights["alignment"]
    network, flat, system, problem, points = system_of(name, "wave", weights=weights)
    module = jax.jit(network.module(flat))

    def channels(x, t, *orders):
        plan = make_plan([partial(index) for index in orders])
        along = lambda p: network.row_channels(network.weights(p), x, t, None, plan)  # noqa: E731
        values = jax.jit(along)(flat)
        return [np.asarray(plan.select(values, partial(index))) for index in orders]

    u_xx, u_tt = channels(points.x, points.t, (2, 0), (0, 2))
    start = points.x_edge, np.zeros_like(points.x_edge)
    u = np.asarray(module(jnp.stack(network.row_places(*start), -1)))
    (u_t,) = channels(*start, (0, 1))
    edges = [
        np.asarray(
            module(jnp.stack(network.row_places(np.full_like(points.t_edge, x), points.t_edge), -1))
        )
        for x in (0.0, 1.0)
    ]
    terms = {
        "equation": np.mean((u_tt - 4 * u_xx) ** 2),
        "initial_u": np.mean((u[:, 0] - problem.initial(points.x_edge)) ** 2),
        "initial_u_t": np.mean(u_t**2),
        "left_u": np.mean(edges[0] ** 2),
        "right_u": np.mean(edges[1] ** 2),
    }
    assert system.terms == tuple(terms)
    losses = jax.jit(lambda p: loss_terms(network, system, p))(flat)
    np.testing.assert_allclose(losses, list(terms.values()), rtol=1e-10)

    total = sum(weights.get(term, 1.0) * value for term, value in terms.items())
    if name == "aligned":
        # Δ is the spacing of the grid: element k of the later point, k + 1 of the earlier one.
        u = np.asarray(module(jnp.stack(network.row_places(points.x, points.t), -1)))
        u = u.reshape(GRID.nx, GRID.nt, 3)
        squares = [
            (u[i, j + 1, k] - u[i, j, k + 1]) ** 2
            for i in range(GRID.nx)
            for j in range(GRID.nt - 1)
            for k in range(2)
        ]
        total += 7.0 * np.mean(squares)
    assert float(jax.jit(Objective(network, system, NONE))(flat)) == pytest.approx(
        float(total), rel=1e-10
    )


@pytest.mark.parametrize("name", STAND_INS)
@pytest.mark.parametrize("cores", [1, 2])
def test_chunks_of_points_change_nothing(name, cores, monkeypatch):
    """Chunks hold whole columns of the grid; a sum over cores is one over shares."""
    network, flat, system, *_ = system_of(name, "reaction")

    def square(chunk):
        monkeypatch.setattr(FlatSequenceNetwork, "chunk_points", chunk)
        return float(jax.jit(lambda p: system.weighted_square(network.weights(p)))(flat))

    whole = square(1000)
    for chunk in (1, 7):
        assert square(chunk) == pytest.approx(whole, rel=1e-12)
        places, counts = system.sets[0][0].cut(chunk * system.sets[0][0].columns, cores)
        assert counts.sum() == GRID.nx * GRID.nt
        if name == "aligned":
            columns = places[0][1].reshape(-1, GRID.nt)[counts.reshape(-1, GRID.nt).all(1)]
            assert len(columns) == GRID.nx
            np.testing.assert_allclose(columns, np.broadcast_to(np.linspace(0, 1, 5), (4, 5)))


@pytest.mark.parametrize(
    ("name", "equation", "regularizer"),
    [
        ("pinnsformer", "convection", NONE),
        ("pinnmamba", "convection", NONE),
        ("aligned", "wave", NONE),
        ("former", "allen_cahn", DOUBLE),
    ],
)
def test_gradients_by_finite_differences(name, equation, regularizer):
    network, flat, system, *_ = system_of(name, equation, regularizer)
    both = jax.jit(jax.value_and_grad(Objective(network, system, regularizer)))
    direction = np.random.default_rng(4).normal(size=network.size)
    _, gradient = both(flat)
    near, far = (
        (both(flat + s * direction)[0] - both(flat - s * direction)[0]) / (2 * s)
        for s in (1e-4, 2e-4)
    )
    # Richardson's extrapolation.
    assert float(gradient @ direction) == pytest.approx(float((4 * near - far) / 3), rel=1e-6)


def test_double_pinn_on_a_sequence_model():
    """Derived rows are the same products with ones, of the linear part; R by the chain rule."""
    network, flat, system, _, points = system_of("former", "reaction", DOUBLE)
    module, places = network.module(flat), network.row_places(points.x, points.t)
    names = [group.name for group in system.groups]

    @jax.jit
    def both(x, t):
        u = lambda x, t: module(jnp.stack([x, t], -1))  # noqa: E731
        u_t = jax.grad(lambda x, t: u(x, t).sum(), 1)
        u_tt = jax.grad(lambda x, t: u_t(x, t).sum(), 1)
        R, slope = 5 * u(x, t) * (1 - u(x, t)), 5 * (1 - 2 * u(x, t))
        rows = dict(zip(names, system.rows(network.weights(flat)), strict=True))
        equation = u_t(x, t) - R, u_tt(x, t) - slope * u_t(x, t)
        return equation, (rows["equation"], rows["equation_t"])

    for expected, computed in zip(*both(*places), strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-9, atol=1e-9)


def test_residuals_of_the_field_and_as_trained():
    network, flat, _, problem, points = system_of("former", "convection", parameters={"beta": 2})
    weights = network.weights(flat)
    field, trained = (
        jax.jit(lambda w, f=f: f(problem, w, points.x, points.t, network))(weights)
        for f in (pointwise_residual, trained_residual)
    )
    assert field.shape == points.x.shape
    assert trained.shape == (*points.x.shape, 3)
    assert not np.allclose(field, trained[:, 0])


def test_names_there_and_back():
    network, flat = bound("pinnmamba")
    named = network.named(flat)
    assert named["head.layers.0.kernel"].shape == (8, 5)
    np.testing.assert_array_equal(network.from_named(named), flat)
