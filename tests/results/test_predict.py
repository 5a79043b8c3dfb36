"""Fields of a trained network on a grid: FP64, whatever was trained and whatever the grid."""

import jax
import numpy as np
import pytest

from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.results import predict
from double_pinn.results.predict import predict_field, residual_field, trained_residual_rms


@pytest.fixture
def cell(plain_settings, pointwise, monkeypatch):
    """Settings, FP32 parameters, and the network as a function of scalars."""
    monkeypatch.setattr(predict, "_CHUNK", 16)  # 5 x 7 points: two chunks and a bit
    settings = settings_from_dict(plain_settings(network__hidden_layers=1, precision="fp32"))
    network = TanhMLP(hidden_layers=1, width=16).bound(np.float64)
    parameters = np.random.default_rng(2).normal(0, 0.5, network.size).astype(np.float32)
    problem = settings.problem
    u = pointwise(
        network.weights(parameters.astype(np.float64)), (problem.x_range, problem.t_range)
    )
    return settings, parameters, u


X, T = np.linspace(0, 6, 5), np.linspace(0, 1, 7)


def on_grid(function):
    return np.asarray(jax.vmap(lambda x: jax.vmap(lambda t: function(x, t))(T))(X))


def test_field(cell):
    settings, parameters, u = cell
    field, twice = predict_field(settings, [parameters, 2 * parameters], X, T)
    assert field.shape == twice.shape == (5, 7)
    assert not np.allclose(field, twice)
    assert field.dtype == np.float64
    np.testing.assert_allclose(field, on_grid(u), rtol=1e-13, atol=1e-14)


def test_residual(cell, nested):
    settings, parameters, u = cell
    u_x, u_t = nested(u, (1, 0)), nested(u, (0, 1))
    expected = on_grid(lambda x, t: u_t(x, t) + 5.0 * u_x(x, t))
    (field,) = residual_field(settings, [parameters], X, T)
    assert field.dtype == np.float64
    np.testing.assert_allclose(field, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_a_network_of_points_is_trained_on_the_residual_of_its_field(cell):
    settings, parameters, _ = cell
    (field,) = residual_field(settings, [parameters], X, T)
    (rms,) = trained_residual_rms(settings, [parameters], X, T)
    assert rms == pytest.approx(np.sqrt(np.mean(field**2)), rel=1e-12)


def test_fp64_even_where_jax_is_in_single_precision(cell):
    settings, parameters, _ = cell
    inside = predict_field(settings, [parameters], X, T)
    with jax.enable_x64(False):
        outside = predict_field(settings, [parameters], X, T)
    assert outside.dtype == np.float64
    np.testing.assert_array_equal(inside, outside)
