"""The layers that the sequence models share: the wave activation, linear layers, the head.

They come from PINNsFormer (arXiv:2307.11833), from which PINNMamba has taken them over.
"""

from functools import cache
from itertools import pairwise
from math import factorial, pi

import jax
import jax.numpy as jnp
from flax import nnx

_BIAS = 0.01
# What is left of Taylor's series at π/4 is below half a unit in the last place.
_LAST_POWER = {"float32": 9, "float64": 16}
# π/2 in parts whose products with small integers are exact: FP32 carries 24 bits, FP64 53.
_HALF_PI = {
    "float32": (1.5703125, 4.837512969970703e-4, 7.54978995489188e-8),
    "float64": (1.5707963109016418, 1.5893254712295857e-8, 6.123233995736766e-17),
}


class Wave(nnx.Module):
    """The activation w₁ sin a + w₂ cos a with two trained scalars, both 1 at first.

    Attributes:
        w1, w2: the scalars.
    """

    def __init__(self, dtype):
        self.w1, self.w2 = (nnx.Param(jnp.ones((), dtype)) for _ in range(2))

    def __call__(self, a):
        """Return the activation of every element."""
        sine, cosine = sine_and_cosine(a)
        return self.w1 * sine + self.w2 * cosine


class Head(nnx.Module):
    """32 → 512 → 512 → 1 (or other widths) with waves between."""

    def __init__(self, *widths: int, rngs: nnx.Rngs, dtype):
        pairs = list(pairwise(widths))
        self.layers = nnx.List(linear(*pair, rngs, dtype) for pair in pairs)
        self.waves = nnx.List(Wave(dtype) for _ in pairs[1:])

    def __call__(self, h):
        """Return an array whose last axis has the last width."""
        for layer, wave in zip(self.layers[:-1], self.waves, strict=True):
            h = wave(layer(h))
        return self.layers[-1](h)


def linear(n_in: int, n_out: int, rngs: nnx.Rngs, dtype, bias: float = _BIAS) -> nnx.Linear:
    """Return a linear layer: weights Xavier-uniform, biases all the same."""
    return nnx.Linear(
        n_in,
        n_out,
        kernel_init=nnx.initializers.xavier_uniform(),
        bias_init=nnx.initializers.constant(bias),
        param_dtype=dtype,
        rngs=rngs,
    )


def sine_and_cosine(a):
    """Return sin a and cos a, to about one unit in the last place of 1 for |a| up to 10⁴.

    Both at once, by one reduction to [-π/4, π/4] and Taylor's polynomials, and their derivatives by
    each other: XLA's own on a CPU take one element at a time, twelve times as long in FP32.
    """
    return _with_derivatives()(a)


@cache
def _with_derivatives():
    both = jax.custom_jvp(_both)

    @both.defjvp
    def _(primals, tangents):
        sine, cosine = both(*primals)
        (da,) = tangents
        return (sine, cosine), (cosine * da, -sine * da)

    return both


def _both(a):
    kind = a.dtype.name
    turns = jnp.round(a * (2 / pi))
    r = a
    for part in _HALF_PI[kind]:
        r = r - turns * part
    square, last = r * r, _LAST_POWER[kind]
    sine = r * _series(square, range(1, last + 1, 2))
    cosine = _series(square, range(0, last + 2, 2))
    quarter = turns.astype(jnp.int32)
    is_odd = (quarter & 1) == 1
    first, second = jnp.where(is_odd, cosine, sine), jnp.where(is_odd, sine, cosine)
    first = jnp.where((quarter & 2) == 0, first, -first)
    second = jnp.where(((quarter + 1) & 2) == 0, second, -second)
    # Cheap as they are, XLA would compute them again for each of their uses.
    return jax.lax.optimization_barrier((first, second))


def _series(square, powers):
    """Return Σ ± square^k / power! by Horner's rule."""
    coefficients = [(-1) ** k / factorial(power) for k, power in enumerate(powers)]
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * square + coefficient
    return value
