"""What a network is: a choice that builds a Flax module, seen as a function of a flat vector."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from double_pinn.errors import DataError
from double_pinn.numerics.choice import Choice
from double_pinn.numerics.derivatives import Plan, nested_channels


class Network(Choice):
    """A network with its options.

    Attributes:
        has_taps: whether each layer's inputs and cotangents can be had, which Gauss-Newton needs.
        sees_sequences: whether a point is a sequence, whose elements have a row each.
        aligned: whether the loss has a term ``alignment``, which only sequence models can have:
            the first of one point's sequence is the second of its neighbour's.
    """

    has_taps: ClassVar[bool] = False
    sees_sequences: ClassVar[bool] = False
    aligned: ClassVar[bool] = False

    def module(self, rngs: nnx.Rngs, dtype) -> nnx.Module:
        """Return a fresh module.

        It maps inputs of shape (..., 2), x and t rescaled to [-1, 1], to u of shape (...), and is
        smooth enough for the derivatives of the equation. Only parameters (``nnx.Param``) are
        trained and kept in the run's file; all else must be the same for every seed.

        Args:
            rngs: random streams; ``params`` is used.
            dtype: of the parameters.
        """
        raise NotImplementedError

    def check_grid(self, spacing: float) -> None:
        """Refuse a training grid that the network cannot be trained on.

        Args:
            spacing: of the grid in t.

        Raises:
            SettingsError: saying what to do.
        """

    def bound(self, dtype) -> "FlatNetwork":
        """Return the network as a function of one flat parameter vector."""
        return FlatNetwork(self, dtype)


class FlatNetwork:
    """A network as a function of one flat parameter vector, which is what the optimisers see.

    Derivatives are nested ``jvp`` through the module, which any network allows.

    Attributes:
        size: number of parameters.
        dtype: of the parameters.
        chunk_points: points that travel through the network at a time while it trains; ``None``:
            so many that their channels fit into the caches.
    """

    chunk_points: ClassVar[int | None] = None

    def __init__(self, network: Network, dtype):
        """Build the template; no random numbers are drawn."""
        self.network, self.dtype = network, jnp.dtype(dtype)
        graph_state = jax.eval_shape(lambda: nnx.state(self._module(0), nnx.Param))
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, self.dtype), graph_state)
        flat, self._unravel = ravel_pytree(zeros)
        self.size = flat.size

    def _module(self, seed, dtype=jnp.float32):
        return self.network.module(nnx.Rngs(params=seed), dtype)

    def init(self, seed: int) -> Float[Array, " size"]:
        """Return the initial parameters of a seed, shape (size,).

        The draw is made in FP32 and then cast, so both precisions start at the same point.
        """
        flat, _ = ravel_pytree(nnx.state(self._module(seed), nnx.Param))
        return flat.astype(self.dtype)

    def weights(self, flat: Float[Array, " size"]) -> Any:
        """Return the parameters as a pytree, from the flat vector."""
        return self._unravel(flat)

    def named(self, flat: Float[Array, " size"]) -> dict[str, jax.Array]:
        """Return the parameters by name, such as ``layers.0.kernel``.

        A name is the path of attributes and indices in the Flax module; a kernel has the shape
        (n_in, n_out).
        """
        leaves = jax.tree_util.tree_flatten_with_path(self._unravel(flat))[0]
        names = (jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves)
        return dict(
            zip((n.removesuffix(".value") for n in names), (a for _, a in leaves), strict=True)
        )

    def from_named(self, arrays: Mapping[str, np.ndarray]) -> Float[Array, " size"]:
        """Return the flat vector of parameters that are given by name, cast to the dtype.

        Raises:
            DataError: with a line for every name that is missing or unknown, and every array that
                has another shape or is not finite.
        """
        own = jax.eval_shape(self.named, jax.ShapeDtypeStruct((self.size,), self.dtype))
        lines = [f"{name} is missing, of shape {own[name].shape}" for name in own.keys() - arrays]
        for name in sorted(arrays):
            if name not in own:
                lines.append(f"{name} is unknown")
            elif np.shape(arrays[name]) != own[name].shape:
                lines.append(f"{name} has shape {np.shape(arrays[name])}, not {own[name].shape}")
            elif np.asarray(arrays[name]).dtype.kind not in "fiu":
                lines.append(f"{name} holds no real numbers")
            elif not np.isfinite(arrays[name]).all():
                lines.append(f"{name} is not finite everywhere")
        if lines:
            raise DataError("\n".join(sorted(lines)))
        parts = [np.ravel(np.asarray(arrays[name], self.dtype)) for name in own]
        return jnp.asarray(np.concatenate(parts))

    def kernels(self, weights) -> list[jax.Array]:
        """Return the weights without the biases: what L² and L¹ penalise."""
        return [leaf for leaf in jax.tree.leaves(weights) if leaf.ndim > 1]

    def network_channels(
        self,
        weights,
        x: Float[Array | np.ndarray, " n"],
        t: Float[Array | np.ndarray, " n"],
        box,
        plan: Plan,
    ) -> list[Float[Array, " n"]]:
        """Evaluate the network and the derivatives of a plan at points.

        Args:
            weights: see :meth:`weights`.
            x: positions, shape (n,).
            t: instants, shape (n,).
            box: the domain ((x0, x1), (t0, t1)), rescaled to [-1, 1]² (Appendix A).
            plan: the channels.

        Returns:
            One array of shape (n,) a channel.
        """
        module = self._merged(weights)
        (x0, x1), (t0, t1) = box

        def u(x, t):
            scaled = [(x - x0) * (2.0 / (x1 - x0)) - 1.0, (t - t0) * (2.0 / (t1 - t0)) - 1.0]
            return module(jnp.stack(scaled).astype(self.dtype))

        return nested_channels(u, jnp.asarray(x), jnp.asarray(t), plan)

    def row_places(self, x, t):
        """Return where the rows of points lie: at the points, but for sequence models."""
        return x, t

    def row_channels(self, weights, x, t, box, plan: Plan) -> list[jax.Array]:
        """Evaluate what the rows of points are made of: :meth:`network_channels`.

        A sequence model has arrays of shape (n, L), an element of a point's sequence each.
        """
        return self.network_channels(weights, x, t, box, plan)

    @cached_property
    def _structure(self):
        """What a module is beside its parameters."""
        abstract = nnx.eval_shape(lambda: self._module(0, self.dtype))
        graph, _, *rest = nnx.split(abstract, nnx.Param, ...)
        if jax.tree.leaves(rest[0]):
            # Kept: it must be of arrays, also where the first to ask is being traced.
            with jax.ensure_compile_time_eval():
                graph, _, *rest = nnx.split(self._module(0, self.dtype), nnx.Param, ...)
        return graph, rest[0]

    def module(self, flat: Float[Array, " size"]) -> Any:
        """Return the Flax module that holds the parameters."""
        return self._merged(self._unravel(flat))

    def _merged(self, weights):
        graph, rest = self._structure
        return nnx.merge(graph, weights, rest)
