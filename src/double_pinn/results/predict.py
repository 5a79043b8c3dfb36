"""A trained network on a grid, in FP64 whatever precision it was trained in."""

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.configuration.settings import RunSettings
from double_pinn.numerics.derivatives import VALUE, make_plan, network_channels, partial
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.rows import pointwise_residual

_BLOCK = 4096


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
    return _on_grid(
        settings,
        parameters,
        x,
        t,
        lambda layers, *at: network_channels(layers, *at, box, plan)[0],
    )


def residual_field(settings: RunSettings, parameters, x, t) -> np.ndarray:
    """Return the pointwise residual F(u) on the grid, FP64, shape (len(x), len(t))."""
    problem = settings.problem
    return _on_grid(
        settings, parameters, x, t, lambda layers, x, t: pointwise_residual(problem, layers, x, t)
    )


def _on_grid(settings, parameters, x, t, function):
    # Rounding of the evaluation must not enter the errors of an FP32 run.
    with jax.enable_x64(True):
        network = FlatMLP(settings.network.hidden_layers, settings.network.width, jnp.float64)
        layers = network.layers(jnp.asarray(parameters, jnp.float64))
        points_x, points_t = (a.ravel() for a in np.meshgrid(x, t, indexing="ij"))
        n = points_x.size
        padded = -(-n // _BLOCK) * _BLOCK
        blocks = [np.resize(p, padded).reshape(-1, _BLOCK) for p in (points_x, points_t)]
        on_blocks = jax.jit(lambda b: jax.lax.map(lambda p: function(layers, *p), tuple(b)))
        values = np.asarray(on_blocks(blocks)).ravel()[:n]
    return values.reshape(len(x), len(t))
