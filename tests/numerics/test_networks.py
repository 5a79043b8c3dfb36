"""The multilayer perceptron of Section 3, as a Flax module and as a flat vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.numerics.derivatives import VALUE, make_plan, network_channels, partial
from double_pinn.numerics.networks.mlp import TanhMLP


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
