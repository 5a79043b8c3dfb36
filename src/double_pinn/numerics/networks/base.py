"""What a network is: a choice that builds a Flax module, seen as a function of a flat vector."""

from functools import cached_property
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from double_pinn.numerics.choice import Choice
from double_pinn.numerics.derivatives import Plan, nested_channels


class Network(Choice):
    """A network with its options.

    Attributes:
        has_taps: whether each layer's inputs and cotangents can be had, which Gauss-Newton needs.
    """

    has_taps: ClassVar[bool] = False

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

    def bound(self, dtype) -> "FlatNetwork":
        """Return the network as a function of one flat parameter vector."""
        return FlatNetwork(self, dtype)


class FlatNetwork:
    """A network as a function of one flat parameter vector, which is what the optimisers see.

    Derivatives are nested ``jvp`` through the module, which any network allows.

    Attributes:
        size: number of parameters.
        dtype: of the parameters.
    """

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
        graph, rest = self._structure
        module = nnx.merge(graph, weights, rest)
        (x0, x1), (t0, t1) = box

        def u(x, t):
            scaled = [(x - x0) * (2.0 / (x1 - x0)) - 1.0, (t - t0) * (2.0 / (t1 - t0)) - 1.0]
            return module(jnp.stack(scaled).astype(self.dtype))

        return nested_channels(u, jnp.asarray(x), jnp.asarray(t), plan)

    @cached_property
    def _structure(self):
        """What a module is beside its parameters."""
        # Kept: it must be of arrays, also where the first to ask is being traced.
        with jax.ensure_compile_time_eval():
            graph, _, *rest = nnx.split(self._module(0, self.dtype), nnx.Param, ...)
        return graph, rest[0]

    def module(self, flat: Float[Array, " size"]) -> Any:
        """Return the Flax module that holds the parameters."""
        graph, rest = self._structure
        return nnx.merge(graph, self._unravel(flat), rest)
