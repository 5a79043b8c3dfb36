"""PINNsFormer: a transformer of one encoder and one decoder layer (arXiv:2307.11833)."""

import jax
import jax.numpy as jnp
from flax import nnx

from double_pinn.numerics.networks.sequences import SequenceNetwork
from double_pinn.numerics.networks.waves import Head, Wave, linear
from double_pinn.values import Count, Positive


class Attention(nnx.Module):
    """Multi-head attention with one packed projection for queries, keys and values.

    Attributes:
        heads: number of heads, which share the width equally.
        projection: from the width to three times the width: queries, keys, values.
        out: from the width to the width.
    """

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs, dtype):
        self.heads = heads
        self.projection = linear(width, 3 * width, rngs, dtype, bias=0.0)
        self.out = linear(width, width, rngs, dtype)

    def __call__(self, queries, context=None):
        """Return what queries of shape (..., L, width) see of a context, or of each other."""

        def projected(a):
            by_head = (*a.shape[:-1], self.heads, a.shape[-1] // self.heads)
            return [part.reshape(by_head) for part in jnp.split(self.projection(a), 3, -1)]

        q, k, v = projected(queries)
        if context is not None:
            _, k, v = projected(context)
        # Sequences are short: as sums of products, for XLA's batched products take them one by one.
        scores = jnp.sum(q[..., :, None, :, :] * k[..., None, :, :, :], -1)
        shares = jax.nn.softmax(scores / q.shape[-1] ** 0.5, axis=-2)
        seen = jnp.sum(shares[..., None] * v[..., None, :, :, :], -3)
        return self.out(seen.reshape(queries.shape))


class Layer(nnx.Module):
    """x + attention of wave(x) to itself or to a context, then x + feed-forward of wave(x)."""

    def __init__(self, width: int, hidden: int, heads: int, *, rngs: nnx.Rngs, dtype):
        self.waves = nnx.List(Wave(dtype) for _ in range(2))
        self.attention = Attention(width, heads, rngs=rngs, dtype=dtype)
        self.feed_forward = Head(width, hidden, hidden, width, rngs=rngs, dtype=dtype)

    def __call__(self, x, context=None):
        """Return an array of the shape of ``x``, (..., L, width)."""
        x = x + self.attention(self.waves[0](x), context)
        return x + self.feed_forward(self.waves[1](x))


class Transformer(nnx.Module):
    """From sequences of (x, t) to sequences of u; no normalisation, dropout or positions."""

    def __init__(self, network: "PINNsFormer", *, rngs: nnx.Rngs, dtype):
        width, sizes = network.width, (network.width, network.feed_forward, network.heads)
        self.embedding = linear(2, width, rngs, dtype)
        self.encoder = Layer(*sizes, rngs=rngs, dtype=dtype)
        self.decoder = Layer(*sizes, rngs=rngs, dtype=dtype)
        self.encoded, self.decoded = Wave(dtype), Wave(dtype)
        self.head = Head(width, network.head, network.head, 1, rngs=rngs, dtype=dtype)

    def __call__(self, inputs):
        """Return u for ``inputs`` of shape (..., L, 2); the result has shape (..., L)."""
        embedded = self.embedding(inputs)
        memory = self.encoded(self.encoder(embedded))
        return self.head(self.decoded(self.decoder(embedded, memory)))[..., 0]


class PINNsFormer(SequenceNetwork):
    """PINNsFormer, 453,561 parameters, of which Table 1 has the published numbers."""

    name = "pinnsformer"
    label = "PINNsFormer"

    length: Count = 5
    """Elements of a sequence, L."""
    step: Positive = 1e-4
    """Between two elements of a sequence in time, Δ."""
    width: Count = 32
    """Of the embedding."""
    heads: Count = 2
    """Of the attention; they share the width."""
    feed_forward: Count = 256
    """Neurons of the two hidden layers in encoder and decoder."""
    head: Count = 512
    """Neurons of the two hidden layers at the end."""

    def module(self, rngs, dtype):
        """Return a fresh :class:`Transformer`."""
        return Transformer(self, rngs=rngs, dtype=dtype)
