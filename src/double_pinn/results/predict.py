"""A trained network on a grid, in FP64 whatever precision it was trained in."""

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.configuration.settings import RunSettings
from double_pinn.numerics.derivatives import VALUE, make_plan, partial
from double_pinn.numerics.rows import pointwise_residual

_CHUNK = 4096


def predict_field(settings: RunSettings, parameters, x, t) -> np.ndarray:
    """Return u on the grid of ``x`` and ``t``, FP64, shape (len(x), len(t)).

    Args:
        settings: of the run.
        parameters: flat network parameters.
        x: positions, shape (nx,).
        t: instants, shape (nt,).
    """
    problem, plan = settings.problem, make_plan([partial(VALUE)])
    box = (problem.x_range, problem.t_range)

    def value(network, weights, x, t):
        return network.network_channels(weights, x, t, box, plan)[0]

    return _on_grid(settings, parameters, x, t, value)


def residual_field(settings: RunSettings, parameters, x, t) -> np.ndarray:
    """Return the pointwise residual F(u) on the grid, FP64, shape (len(x), len(t))."""

    def residual(network, weights, x, t):
        return pointwise_residual(settings.problem, weights, x, t, network)

    return _on_grid(settings, parameters, x, t, residual)


def _on_grid(settings, parameters, x, t, function):
    # Rounding of the evaluation must not enter the errors of an FP32 run.
    with jax.enable_x64(True):
        network = settings.network.bound(jnp.float64)
        weights = network.weights(jnp.asarray(parameters, jnp.float64))
        points_x, points_t = (a.ravel() for a in np.meshgrid(x, t, indexing="ij"))
        n = points_x.size
        padded = -(-n // _CHUNK) * _CHUNK
        chunks = [np.resize(p, padded).reshape(-1, _CHUNK) for p in (points_x, points_t)]
        on_chunk = lambda chunk: function(network, weights, *chunk)  # noqa: E731
        on_all = jax.jit(lambda chunks: jax.lax.map(on_chunk, tuple(chunks)))
        values = np.asarray(on_all(chunks)).ravel()[:n]
    return values.reshape(len(x), len(t))
