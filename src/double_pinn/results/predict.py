"""Trained networks on a grid, in FP64 whatever precision they were trained in."""

from functools import cache
from os import PathLike

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from double_pinn.configuration.settings import RunSettings
from double_pinn.errors import DataError
from double_pinn.numerics.derivatives import VALUE, make_plan, partial
from double_pinn.numerics.networks.base import FlatNetwork, Network
from double_pinn.numerics.rows import pointwise_residual, trained_residual

# Few enough for a core's cache; the values are the same to the bit.
_CHUNK = 256


@cache
def in_double(network: Network) -> FlatNetwork:
    """Return a network bound to FP64, made once: its template takes half a second."""
    with jax.enable_x64(True):
        return network.bound(jnp.float64)


def parameters_of(network: FlatNetwork, run: xr.Dataset, name: str | PathLike[str]) -> np.ndarray:
    """Return the flat parameters of a run, shape (n,).

    Args:
        network: whose they are, bound to any dtype.
        run: what the run's file holds.
        name: of that file, for messages.

    Raises:
        DataError: if they are not as many as the network has: other code has trained it.
    """
    flat = run["parameters"].values
    if flat.size != network.size:
        raise DataError(
            f"{name}: holds {flat.size:,} parameters, but its network has {network.size:,}; "
            "train it again"
        )
    return flat


def predict_field(settings: RunSettings, parameters, x, t) -> np.ndarray:
    """Return u on the grid of ``x`` and ``t``, FP64, shape (seeds, len(x), len(t)).

    Args:
        settings: of the runs.
        parameters: flat network parameters of each seed, shape (seeds, n).
        x: positions, shape (nx,).
        t: instants, shape (nt,).
    """
    problem, plan = settings.problem, make_plan([partial(VALUE)])
    box = (problem.x_range, problem.t_range)

    def value(network, weights, x, t):
        return network.network_channels(weights, x, t, box, plan)[0]

    return _on_grid(settings, parameters, x, t, value)


def residual_field(settings: RunSettings, parameters, x, t) -> np.ndarray:
    """Return the pointwise residual F(u) likewise."""

    def residual(network, weights, x, t):
        return pointwise_residual(settings.problem, weights, x, t, network)

    return _on_grid(settings, parameters, x, t, residual)


def trained_residual_rms(settings: RunSettings, parameters, x, t) -> list[float]:
    """Return the root mean square of F(u) as the network is trained on it, of each seed.

    Of a sequence model that is over all elements of the sequences, with its own derivatives; of any
    other it would be that of :func:`residual_field`. The arguments are those of
    :func:`predict_field`.
    """

    def square(network, weights, x, t):
        rows = trained_residual(settings.problem, weights, x, t, network)
        return jnp.mean(rows.reshape(len(x), -1) ** 2, axis=1)

    squares = _on_grid(settings, parameters, x, t, square)
    return [float(value) for value in np.sqrt(squares.mean(axis=(1, 2)))]


def _on_grid(settings, parameters, x, t, function):
    # Rounding of the evaluation must not enter the errors of an FP32 run.
    with jax.enable_x64(True):
        network = in_double(settings.network)
        points_x, points_t = (a.ravel() for a in np.meshgrid(x, t, indexing="ij"))
        n = points_x.size
        padded = -(-n // _CHUNK) * _CHUNK
        chunks = [np.resize(p, padded).reshape(-1, _CHUNK) for p in (points_x, points_t)]

        @jax.jit  # once for all seeds
        def on_all(parameters, chunks):
            weights = network.weights(parameters)
            return jax.lax.map(lambda chunk: function(network, weights, *chunk), tuple(chunks))

        values = [on_all(jnp.asarray(seed, jnp.float64), chunks) for seed in parameters]
        fields = np.stack([np.asarray(value).ravel()[:n] for value in values])
    return fields.reshape(-1, len(x), len(t))
