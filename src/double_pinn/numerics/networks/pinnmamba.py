"""PINNMamba: a selective state space model (ICML 2025)."""

import jax
import jax.numpy as jnp
from flax import nnx

from double_pinn.numerics.networks.sequences import SequenceNetwork
from double_pinn.numerics.networks.waves import Head, Wave, linear
from double_pinn.values import Count, Positive


class StateSpace(nnx.Module):
    """A state that runs along a sequence, with steps and couplings that depend on the input.

    h_t = exp(Δ_t A) ⊙ h_(t-1) + Δ_t x_t B_t from h = 0, and y_t = h_t · C_t + D ⊙ x_t.

    Attributes:
        selection: from x to δ, B and C.
        rate: from δ to Δ, before the softplus.
        A_log: A = -exp(A_log), shape (width, state).
        D: shape (width,).
    """

    def __init__(self, width: int, state: int, rank: int, *, rngs: nnx.Rngs, dtype):
        self.sizes = rank, state
        self.selection = linear(width, rank + 2 * state, rngs, dtype)
        self.rate = linear(rank, width, rngs, dtype)
        logarithms = jnp.log(jnp.arange(1, state + 1, dtype=jnp.float32))
        self.A_log = nnx.Param(jnp.tile(logarithms, (width, 1)).astype(dtype))
        self.D = nnx.Param(jnp.ones(width, dtype))

    def __call__(self, x):
        """Return y for ``x`` of shape (..., L, width), of the same shape."""
        rank, state = self.sizes
        low, B, C = jnp.split(self.selection(x), [rank, rank + state], -1)
        steps = jax.nn.softplus(self.rate(low))
        A = -jnp.exp(self.A_log[...].T)
        # Sequences are short: the loop is unrolled. States are (..., state, width), so that what
        # lies side by side in memory is the longer axis. Unlike slices, a split is concatenated
        # again by its transpose, in one pass.
        elements = (jnp.split(a, x.shape[-2], -2) for a in (steps, steps * x, B, C))
        h, outputs = None, []
        for step, drive, b, c in zip(*elements, strict=True):
            driven = drive * jnp.swapaxes(b, -1, -2)
            h = driven if h is None else jnp.exp(step * A) * h + driven
            # XLA would compute the states before it again for each of its uses.
            h = jax.lax.optimization_barrier(h)
            outputs.append(c @ h)
        return jnp.concatenate(outputs, -2) + self.D[...] * x


class Block(nnx.Module):
    """e + W_o(y ⊙ z): y from the state space, z a gate."""

    def __init__(self, width: int, state: int, rank: int, *, rngs: nnx.Rngs, dtype):
        self.gate = linear(width, width, rngs, dtype)
        self.entry = linear(width, width, rngs, dtype)
        # A convolution of kernel one, with the initial values of a convolution.
        self.convolution = nnx.Linear(
            width,
            width,
            kernel_init=_uniform(width),
            bias_init=_uniform(width),
            param_dtype=dtype,
            rngs=rngs,
        )
        self.state_space = StateSpace(width, state, rank, rngs=rngs, dtype=dtype)
        self.out = linear(width, width, rngs, dtype)
        self.waves = nnx.List(Wave(dtype) for _ in range(2))

    def __call__(self, e):
        """Return an array of the shape of ``e``, (..., L, width)."""
        z = self.waves[0](self.gate(e))
        x = self.waves[1](jax.nn.softplus(self.convolution(self.entry(e))))
        return e + self.out(self.state_space(x) * z)


def _uniform(n_in: int):
    """Return what draws from ±1/√n_in."""
    bound = n_in**-0.5
    return lambda key, shape, dtype, **_: jax.random.uniform(key, shape, dtype, -bound, bound)


class Mamba(nnx.Module):
    """From sequences of (x, t) to sequences of u: embedding, one block, head; no normalisation."""

    def __init__(self, network: "PINNMamba", *, rngs: nnx.Rngs, dtype):
        width = network.width
        self.embedding = linear(2, width, rngs, dtype)
        self.block = Block(width, network.state, network.rank, rngs=rngs, dtype=dtype)
        self.wave = Wave(dtype)
        self.head = Head(width, network.head, network.head, 1, rngs=rngs, dtype=dtype)

    def __call__(self, inputs):
        """Return u for ``inputs`` of shape (..., L, 2); the result has shape (..., L)."""
        return self.head(self.wave(self.block(self.embedding(inputs))))[..., 0]


class PINNMamba(SequenceNetwork):
    """PINNMamba, 285,763 parameters, of which Table 1 has the published numbers.

    A further term of its loss, the alignment, compares the values that the sequences of
    neighbouring points give to the same point.
    """

    name = "pinnmamba"
    label = "PINNMamba"
    aligned = True

    length: Count = 7
    """Elements of a sequence, L."""
    step: Positive = 0.01
    """Between two elements of a sequence in time, Δ; the spacing of the training grid."""
    width: Count = 32
    """Of the embedding and of the block."""
    state: Count = 8
    """Size of the state, for each of the width."""
    rank: Count = 8
    """Of what decides the step of the state."""
    head: Count = 512
    """Neurons of the two hidden layers at the end."""

    def module(self, rngs, dtype):
        """Return a fresh :class:`Mamba`."""
        return Mamba(self, rngs=rngs, dtype=dtype)
