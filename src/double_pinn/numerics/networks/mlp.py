"""The paper's network: a multilayer perceptron with tanh activations (Section 3, Appendix A)."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jax.flatten_util import ravel_pytree


class MLP(nnx.Module):
    """A tanh MLP from (x, t) to u; the inputs are expected in [-1, 1].

    Attributes:
        layers: hidden layers and the linear output layer.
    """

    def __init__(self, hidden_layers: int, width: int, *, rngs: nnx.Rngs, dtype=jnp.float32):
        """Draw Glorot-normal weights and zero biases.

        Args:
            hidden_layers: number of hidden layers.
            width: neurons a hidden layer.
            rngs: random streams; ``params`` is used.
            dtype: of the parameters.
        """
        sizes = [2, *([width] * hidden_layers), 1]
        self.layers = nnx.List(
            nnx.Linear(
                n_in,
                n_out,
                kernel_init=nnx.initializers.glorot_normal(),
                param_dtype=dtype,
                rngs=rngs,
            )
            for n_in, n_out in pairwise(sizes)
        )

    def __call__(self, inputs):
        """Return u for ``inputs`` of shape (..., 2); the result has shape (...)."""
        h = inputs
        for layer in self.layers[:-1]:
            h = nnx.tanh(layer(h))
        return self.layers[-1](h)[..., 0]


class FlatMLP:
    """The MLP as a function of one flat parameter vector, which is what the optimisers see.

    Attributes:
        size: number of parameters.
        dtype: of the parameters.
    """

    def __init__(self, hidden_layers: int, width: int, dtype):
        """Build the template; no random numbers are drawn."""
        self.hidden_layers, self.width, self.dtype = hidden_layers, width, jnp.dtype(dtype)
        graph_state = jax.eval_shape(lambda: nnx.state(self._module(0)))
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, self.dtype), graph_state)
        flat, self._unravel = ravel_pytree(zeros)
        self.size = flat.size

    def _module(self, seed):
        return MLP(self.hidden_layers, self.width, rngs=nnx.Rngs(params=seed))

    def init(self, seed: int):
        """Return the initial parameters of a seed, shape (size,).

        The draw is made in FP32 and then cast, so both precisions start at the same point.
        """
        flat, _ = ravel_pytree(nnx.state(self._module(seed)))
        return flat.astype(self.dtype)

    def layers(self, flat) -> list:
        """Return ``[(kernel (n_in, n_out), bias (n_out,)), ...]`` from the flat vector."""
        by_index = self._unravel(flat)["layers"]
        return [
            (by_index[k]["kernel"].get_value(), by_index[k]["bias"].get_value())
            for k in range(self.hidden_layers + 1)
        ]

    def module(self, flat) -> MLP:
        """Return the Flax module that holds the parameters."""
        module = self._module(0)
        nnx.update(module, self._unravel(flat))
        return module
