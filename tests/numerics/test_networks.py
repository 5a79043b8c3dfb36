"""The multilayer perceptron of Section 3, and any other network, as a flat vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics.derivatives import (
    VALUE,
    combination,
    make_plan,
    network_channels,
    partial,
)
from double_pinn.numerics.networks.base import Network
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import Objective, row_system
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.points import TestSample, TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.trainer import Ingredients, Trainer


@pytest.fixture(scope="module")
def network():
    return TanhMLP().bound(np.float64)


@pytest.fixture(scope="module")
def parameters(network):
    return network.init(0)


def test_the_papers_network_has_50049_parameters(network, parameters):
    assert network.size == 3 * 128 + 3 * 129 * 128 + 129 == 50_049
    assert parameters.shape == (50_049,)
    assert parameters.dtype == np.float64
    shapes = [(k.shape, b.shape) for k, b in network.weights(parameters)]
    assert shapes == [((2, 128), (128,)), *[((128, 128), (128,))] * 3, ((128, 1), (1,))]


def test_weights_are_glorot_normal_and_biases_zero(network, parameters):
    layers = network.weights(parameters)
    for kernel, bias in layers:
        assert not np.any(bias)
        deviation = np.sqrt(2 / sum(kernel.shape))
        assert np.std(kernel) == pytest.approx(deviation, rel=4 / np.sqrt(2 * kernel.size))
    # Truncated at two deviations (of the normal before truncation), as JAX's initialiser is.
    assert np.abs(layers[1][0]).max() < 2.4 * np.sqrt(2 / 256)


def test_both_precisions_start_at_the_same_point(parameters):
    single = TanhMLP().bound(np.float32).init(0)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single.astype(np.float64), parameters)


def test_seeds_differ(network, parameters):
    np.testing.assert_array_equal(network.init(0), parameters)
    kernel, other = (network.weights(p)[1][0] for p in (parameters, network.init(1)))
    assert np.abs(np.corrcoef(np.ravel(kernel), np.ravel(other))[0, 1]) < 0.05


def test_the_flax_module_and_the_channels_are_the_same_function(network, parameters):
    parameters = parameters + 0.01 * jnp.cos(jnp.arange(network.size))
    box = ((-1.0, 3.0), (0.0, 2.0))
    x, t = jnp.linspace(-1, 3, 5), jnp.linspace(0, 2, 5)
    inputs = jnp.stack([(x - 1) / 2, t - 1], axis=-1)
    plan = make_plan([partial(VALUE)])
    (channel,) = jax.jit(lambda p: network_channels(network.weights(p), x, t, box, plan))(
        parameters
    )
    np.testing.assert_allclose(network.module(parameters)(inputs), channel, rtol=1e-12, atol=1e-13)


class SineLayer(nnx.Module):
    """Sum of waves, each with a phase that is not trained beside one that is."""

    def __init__(self, waves, rngs, dtype):
        self.inner = nnx.Linear(2, waves, param_dtype=dtype, rngs=rngs)
        self.outer = nnx.Linear(waves, 1, param_dtype=dtype, rngs=rngs)
        self.shift = nnx.Variable(jnp.arange(waves, dtype=dtype))

    def __call__(self, inputs):
        return self.outer(jnp.sin(self.inner(inputs) + self.shift[...]))[..., 0]


class Sines(Network):
    """A network without layers of tanh; nothing but its module is said."""

    name = "sines"
    label = "sines"

    waves: int = 7

    def module(self, rngs, dtype):
        return SineLayer(self.waves, rngs, dtype)


SINE_BOX = ((-1.0, 3.0), (0.0, 2.0))


@pytest.fixture(scope="module")
def sines():
    """The network as a function of a flat vector, and such a vector."""
    network = Sines().bound(np.float64)
    return network, network.init(0) + 0.1 * jnp.cos(jnp.arange(network.size))


def test_any_network_starts_from_its_seed_alone_and_alike_in_both_precisions(sines):
    network, _ = sines
    assert network.size == 3 * 7 + 8
    start = network.init(3)
    assert start.dtype == np.float64
    np.testing.assert_array_equal(Sines().bound(np.float64).init(3), start)
    single = Sines().bound(np.float32).init(3)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single.astype(np.float64), start)
    assert np.abs(network.init(4) - start).max() > 0.1


def test_the_kernels_of_any_network_are_its_weights_without_biases(sines):
    network, parameters = sines
    kernels = network.kernels(network.weights(parameters))
    assert sorted(kernel.shape for kernel in kernels) == [(2, 7), (7, 1)]
    module = network.module(parameters)
    found = np.sort(np.concatenate([np.ravel(kernel) for kernel in kernels]))
    layers = (module.inner, module.outer)
    wanted = np.concatenate([np.ravel(layer.kernel[...]) for layer in layers])
    np.testing.assert_array_equal(found, np.sort(wanted))


def test_channels_of_any_network_are_its_value_and_derivatives(sines):
    """The closed form: a derivative multiplies by a frequency and turns by a quarter."""
    network, parameters = sines
    indices = [(0, 0), (1, 0), (0, 1), (2, 1), (0, 3)]
    heat = combination({(0, 1): 1.0, (2, 0): -0.3})
    plan = make_plan([heat, *map(partial, indices)])
    x, t = np.linspace(-1, 3, 6), np.linspace(0, 2, 6) ** 2 / 2
    channels = jax.jit(
        lambda p: network.network_channels(network.weights(p), x, t, SINE_BOX, plan)
    )(parameters)

    module = network.module(parameters)
    scaled = np.stack([(x - 1) / 2, t - 1], axis=-1)
    phase = np.asarray(module.inner(scaled)) + np.arange(7)
    along_x, along_t = np.asarray(module.inner.kernel[...]) * np.array([[0.5], [1.0]])
    height, offset = np.asarray(module.outer.kernel[...])[:, 0], module.outer.bias[0]

    def derivative(index):
        turned = np.sin(phase + sum(index) * np.pi / 2)
        waves = along_x ** index[0] * along_t ** index[1] * turned
        return waves @ height + (offset if index == VALUE else 0.0)

    for index in indices:
        found = plan.select(channels, partial(index))
        np.testing.assert_allclose(found, derivative(index), rtol=0, atol=1e-13, err_msg=index)
    wanted = derivative((0, 1)) - 0.3 * derivative((2, 0))
    np.testing.assert_allclose(plan.select(channels, heat), wanted, rtol=0, atol=1e-13)
    np.testing.assert_allclose(channels[0], module(scaled), rtol=0, atol=1e-13)


def test_the_loss_of_any_network_has_the_gradient_of_its_differences(sines, monkeypatch):
    monkeypatch.setenv("NPROC", "1")  # several chunks of points
    network, parameters = sines
    problem, grid = get_problem("convection", beta=2.0), TrainingGrid(nx=17, nt=19, edge=11)
    system = row_system(problem, training_points(grid, problem), network, DoublePINN(weight=0.1))
    objective = jax.jit(Objective(network, system, DoublePINN(weight=0.1)))
    direction = jnp.sin(jnp.arange(network.size))
    slope = jax.grad(objective)(parameters) @ direction
    h = 1e-5
    difference = (objective(parameters + h * direction) - objective(parameters - h * direction)) / 2
    assert float(slope) == pytest.approx(float(difference / h), rel=1e-7)


def test_any_network_trains(sines):
    network, _ = sines
    trainer = Trainer(
        Ingredients(
            get_problem("reaction"),
            Sines(),
            DoublePINN(),
            LBFGS(memory=5),
            TrainingGrid(nx=5, nt=4, edge=6),
            TestSample(domain=9, edge=5),
            "fp64",
        )
    )
    state = trainer.init(network.init(0))
    before = float(state.value)
    state, taken, finite = trainer.advance(state, 15)
    assert (int(taken), bool(finite)) == (15, True)
    assert float(state.value) < 0.5 * before
    assert np.all(np.isfinite(np.concatenate(trainer.losses(state.parameters))))
