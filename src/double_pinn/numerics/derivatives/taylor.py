"""Taylor mode: the channels of a plan pushed through a tanh network, layer by layer."""

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from double_pinn.numerics.derivatives.plans import Plan, leibniz_terms, set_partitions

Layers = Sequence[tuple[Float[Array, "n_in n_out"], Float[Array, " n_out"]]]
Box = tuple[tuple[float, float], tuple[float, float]]


def _tanh_derivatives(y, order: int) -> list:
    """Return tanh', tanh'', ... up to ``order`` as polynomials in ``y`` = tanh(z)."""
    coefficients, derivatives = [0.0, 1.0], []
    for _ in range(order):
        # d/dz p(y) = p'(y) (1 - y²)
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [*slope, 0.0, 0.0]
        for k, c in enumerate(slope):
            coefficients[k + 2] -= c
        derivatives.append(_polynomial(coefficients, y))
    return derivatives


def _polynomial(coefficients, y):
    """Evaluate by Horner's rule in y²; the polynomials of tanh are even or odd."""
    odd = coefficients[0] == 0 and any(coefficients[1::2])
    even_part = coefficients[1::2] if odd else coefficients[0::2]
    while even_part and even_part[-1] == 0:
        even_part = even_part[:-1]
    square, result = y * y, even_part[-1]
    for c in reversed(even_part[:-1]):
        result = result * square + c
    return result * y if odd else result


def tanh_channels(
    plan: Plan, z: Sequence[Float[Array, " neurons #n"] | None]
) -> list[Float[Array, "neurons n"]]:
    """Push all channels through tanh.

    Args:
        plan: the channels.
        z: one array a channel, broadcastable to the first; ``None`` stands for zero.

    Returns:
        One array a channel, of the shape of the first.
    """
    y = jnp.tanh(z[0])  # type: ignore[arg-type]  # the value's own channel is never zero
    slopes = [None, *_tanh_derivatives(y, max(plan.order, 1))]
    of = {
        channel[0][0]: value
        for channel, value in zip(plan.channels, z, strict=True)
        if len(channel) == 1
    }
    out = [y]
    for channel, value in zip(plan.channels[1:], z[1:], strict=True):
        by_slope: dict[int, list] = {1: [value]} if value is not None else {}
        for index, coefficient in channel:
            for factors, count in set_partitions(index):
                values = [v for factor in factors if (v := of[factor]) is not None]
                if len(values) < len(factors):
                    continue
                weight = coefficient * count
                term = prod(values[1:], start=values[0])
                by_slope.setdefault(len(factors), []).append(term if weight == 1 else weight * term)
        derivative = None
        for k, terms in sorted(by_slope.items()):
            product = slopes[k] * sum(terms[1:], start=terms[0])
            derivative = product if derivative is None else derivative + product
        out.append(jnp.zeros_like(y) if derivative is None else derivative)
    return out


def network_channels(
    layers: Layers, x: Float[Array, " n"], t: Float[Array, " n"], box: Box, plan: Plan
) -> list[Float[Array, " n"]]:
    """Evaluate a tanh network and the derivatives of a plan at points.

    All channels of a layer go through its weights in one matrix product.

    Args:
        layers: ``(kernel, bias)`` a layer, the last one linear and scalar.
        x: positions.
        t: instants.
        box: ``((x0, x1), (t0, t1))``, rescaled to [-1, 1]² before the first layer (Appendix A).
        plan: the channels to carry.

    Returns:
        One array a channel, derivatives in the units of x and t as given.
    """
    return _propagate(layers, x, t, box, plan)[0]


def gradient_channels(
    layers: Layers, x: Float[Array, " n"], t: Float[Array, " n"], box: Box, plan: Plan
) -> tuple[
    list[Float[Array, " n"]], list[Float[Array, "channels n_in n"]], list[Float[Array, "c n_out n"]]
]:
    """Evaluate as :func:`network_channels`, with the channels of every layer's two sides.

    With z = Wᵀa + b of a layer, both a and the cotangent g = ∂u/∂z are functions of (x, t). The
    channels of g travel backwards as those of a do forwards: linearly through the weights, and
    through tanh' = 1 - tanh² by Leibniz' rule.

    Args:
        layers: see :func:`network_channels`.
        x: positions.
        t: instants.
        box: the domain.
        plan: the channels to carry.

    Returns:
        ``(values, inputs, cotangents)``: the values as from :func:`network_channels`, and for each
        layer but the last the channels of a; of g; the channels of a of the last layer, whose g
        is 1, are the last of ``inputs``.
    """
    values, inputs = _propagate(layers, x, t, box, plan, tapped=True)
    terms = [leibniz_terms(plan, channel) for channel in plan.channels]
    kernel = layers[-1][0]
    after: list = [jnp.broadcast_to(kernel, inputs[-1].shape[1:]), *[None] * (len(plan) - 1)]
    cotangents = []
    for k in range(len(layers) - 2, -1, -1):
        tanh = list(inputs[k + 1])
        square = _product(terms, tanh, tanh)
        slope = [1 - square[0], *(-s for s in square[1:])]
        cotangent = _product(terms, after, slope)
        cotangents.append(jnp.stack(cotangent))
        if k > 0:
            mixed = layers[k][0] @ jnp.concatenate(cotangent, axis=1)
            after = jnp.split(mixed, len(plan), axis=1)
    return values, inputs, cotangents[::-1]


def _product(terms, left, right) -> list:
    """Return the channels of a product from those of its factors; ``None`` stands for zero."""
    return [
        sum(
            left[i] * right[j] if c == 1 else c * (left[i] * right[j])
            for (i, j), c in of_channel.items()
            if left[i] is not None
        )
        for of_channel in terms
    ]


def _propagate(layers, x, t, box, plan, *, tapped: bool = False):
    (x0, x1), (t0, t1) = box
    sx, st = 2.0 / (x1 - x0), 2.0 / (t1 - t0)
    kernel, bias = layers[0]
    scaled = jnp.stack([(x - x0) * sx - 1.0, (t - t0) * st - 1.0]).astype(kernel.dtype)
    z, inputs = [kernel.T @ scaled + bias[:, None]], [scaled]
    for channel in plan.channels[1:]:
        slope = dict(channel)
        a, b = slope.get((1, 0), 0.0) * sx, slope.get((0, 1), 0.0) * st
        z.append((a * kernel[0] + b * kernel[1])[:, None] if a or b else None)
        inputs.append(jnp.full_like(scaled, jnp.asarray([[a], [b]], scaled.dtype)))
    taps = [jnp.stack(inputs)] if tapped else []

    for kernel, bias in layers[1:]:
        entering = tanh_channels(plan, z)
        stacked = _mix(kernel, jnp.concatenate(entering, axis=1))
        # Unlike slices, a split is concatenated again by its transpose, in one pass.
        z = jnp.split(stacked, len(plan), axis=1)
        z[0] = z[0] + bias[:, None]
        if tapped:
            taps.append(jnp.stack(entering))
    return [value[0] for value in z], taps


def _mix(kernel, channels):
    """Return kernelᵀ @ channels, neurons first.

    With neurons first, this product and the two of its gradient all run over contiguous memory,
    provided that the transpose is made and not folded into the product: hence the barrier. On a
    CPU the gradient of the kernel is twice as fast so as with points first.
    """
    return jax.lax.optimization_barrier(kernel.T) @ channels
