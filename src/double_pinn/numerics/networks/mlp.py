"""The paper's network: a multilayer perceptron with tanh activations (Section 3, Appendix A)."""

from itertools import pairwise

import jax.numpy as jnp
from flax import nnx

from double_pinn.numerics.derivatives import gradient_channels, network_channels
from double_pinn.numerics.networks.base import FlatNetwork, Network
from double_pinn.values import Count


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


class TanhMLP(Network):
    """The paper's MLP; Section 3: 4 hidden layers of 128 neurons."""

    name = "mlp"
    label = "MLP"
    has_taps = True

    hidden_layers: Count = 4
    """Hidden layers."""
    width: Count = 128
    """Neurons a hidden layer."""

    def module(self, rngs, dtype):
        """Return a fresh :class:`MLP`."""
        return MLP(self.hidden_layers, self.width, rngs=rngs, dtype=dtype)

    def bound(self, dtype):
        """Return the network with derivatives in Taylor mode."""
        return FlatMLP(self, dtype)


class FlatMLP(FlatNetwork):
    """The MLP as its layers, through which all derivatives travel in Taylor mode.

    See :mod:`double_pinn.numerics.derivatives`.
    """

    network: TanhMLP

    network_channels = staticmethod(network_channels)  # type: ignore[assignment]  # without self
    row_channels = network_channels  # type: ignore[assignment]
    gradient_channels = staticmethod(gradient_channels)

    def weights(self, flat) -> list:
        """Return ``[(kernel (n_in, n_out), bias (n_out,)), ...]`` from the flat vector."""
        by_index = self._unravel(flat)["layers"]
        return [
            (by_index[k]["kernel"].get_value(), by_index[k]["bias"].get_value())
            for k in range(self.network.hidden_layers + 1)
        ]

    def kernels(self, weights) -> list:
        """Return the kernels of the layers."""
        return [kernel for kernel, _ in weights]
