"""Partial derivatives of a network, propagated layer by layer (Taylor mode).

A derivative is named by its orders in x and t, an :data:`Index`: ``u.xxt`` is ``(2, 1)``. A linear
combination of derivatives with constant coefficients is a :data:`Functional`. Through a layer
``tanh(z)`` a functional C obeys (Faà di Bruno)

    C(tanh z) = tanh'(z) C(z) + terms in derivatives of lower order,

so a whole operator such as ``u_tt - 4 u_xx``, or its x-derivative, travels through the network as
ONE channel ("collapsed"), whatever the number of derivatives it sums. A :class:`Plan` is the
smallest set of channels that this module finds for the functionals asked of it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import jax
import jax.numpy as jnp

Index = tuple[int, int]
Functional = tuple[tuple[Index, float], ...]

VALUE: Index = (0, 0)


def index_of(name: str) -> Index:
    """Return the index of a derivative's name, such as ``(2, 1)`` for ``xxt``.

    Raises:
        AttributeError: if the name holds anything but ``x`` and ``t``.
    """
    if not name or set(name) - {"x", "t"}:
        raise AttributeError(f"{name!r} is no partial derivative: use x and t, such as u.xxt")
    return (name.count("x"), name.count("t"))


def partial(index: Index) -> Functional:
    """Return the functional that is one partial derivative."""
    return ((index, 1.0),)


def combination(terms: dict[Index, float]) -> Functional:
    """Return the functional Σ coefficient · derivative; zero coefficients are dropped."""
    return tuple(sorted((index, float(c)) for index, c in terms.items() if c != 0))


def differentiate(functional: Functional, axis: int) -> Functional:
    """Return the derivative of a functional along x (axis 0) or t (axis 1)."""
    return combination({_raised(index, axis): c for index, c in functional})


def _raised(index: Index, axis: int) -> Index:
    return (index[0] + (axis == 0), index[1] + (axis == 1))


@cache
def _partitions(index: Index) -> tuple[tuple[tuple[Index, ...], int], ...]:
    """Return the set partitions of a derivative into two or more blocks, with multiplicities."""

    def split(items):
        if not items:
            yield ()
            return
        head, tail = items[0], items[1:]
        for blocks in split(tail):
            yield ((head,), *blocks)
            for k, block in enumerate(blocks):
                yield (*blocks[:k], (head, *block), *blocks[k + 1 :])

    counts = Counter(
        tuple(sorted((b.count(0), b.count(1)) for b in blocks))
        for blocks in split((0,) * index[0] + (1,) * index[1])
        if len(blocks) > 1
    )
    return tuple(sorted(counts.items()))


def _without_value(functional: Functional) -> tuple[Functional, float | None]:
    """Split off the value, which is no derivative: it passes a layer in another way."""
    terms = dict(functional)
    at_value = terms.pop(VALUE, None)
    return tuple(terms.items()), at_value


def _lower(functional: Functional) -> set[Index]:
    """Return the derivatives of lower order that a functional needs to pass a nonlinear layer."""
    return {b for index, _ in functional for blocks, _ in _partitions(index) for b in blocks}


@dataclass(frozen=True)
class Plan:
    """The channels that travel through the network.

    Attributes:
        channels: the functionals, one a channel; the first is the value itself.
    """

    channels: tuple[Functional, ...]

    def __len__(self):
        return len(self.channels)

    @property
    def order(self) -> int:
        """The highest order of a derivative in the plan."""
        return max(sum(index) for channel in self.channels for index, _ in channel)

    def select(self, values: Sequence, functional: Functional):
        """Return a functional's values from the channels' values, a sum of few of them.

        Args:
            values: one array a channel, all of one shape.
            functional: one of those the plan was made for.

        Raises:
            KeyError: if the plan does not carry the functional.
        """
        functional, at_value = _without_value(functional)
        total = None if at_value is None else at_value * values[0]
        if functional in self.channels:
            operator = values[self.channels.index(functional)]
            return operator if total is None else total + operator
        for index, coefficient in functional:
            channel = partial(index)
            if channel not in self.channels:
                raise KeyError(f"the plan does not carry the derivative {index}")
            value = values[self.channels.index(channel)]
            term = value if coefficient == 1.0 else coefficient * value
            total = term if total is None else total + term
        return total

    def needed_channels(self, functionals: Iterable[Functional]) -> set[int]:
        """Return the channels on which functionals depend through the layers of the network.

        Raises:
            KeyError: if the plan does not carry one of them.
        """
        pending, needed = [f for f in functionals if f], set()
        while pending:
            functional, at_value = _without_value(pending.pop())
            if at_value is not None:
                needed.add(0)
            if not functional:
                continue
            if functional not in self.channels:
                if len(functional) == 1 and functional == partial(functional[0][0]):
                    raise KeyError(f"the plan does not carry the derivative {functional[0][0]}")
                pending += [partial(index) for index, _ in functional]
            elif (k := self.channels.index(functional)) not in needed:
                needed.add(k)
                # A layer's slope is taken at the value, whatever the channel.
                pending += [partial(VALUE), *map(partial, _lower(functional))]
        return needed


def make_plan(functionals: Iterable[Functional]) -> Plan:
    """Find few channels from which all functionals follow.

    A functional travels collapsed unless its single derivatives are needed anyway, or are no more
    than the functionals that share them.
    """
    functionals = [rest for f in functionals if (rest := _without_value(f)[0])]
    single = {f[0][0] for f in functionals if len(f) == 1}
    # A multiple of one derivative is that derivative.
    collapsed = [f for f in dict.fromkeys(functionals) if len(f) > 1]

    pending = set(single).union(*(_lower(f) for f in collapsed))
    needed: set[Index] = set()
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending |= _lower(partial(index))
    needed.discard(VALUE)

    def missing(functional):
        return {index for index, _ in functional} - needed - {VALUE}

    collapsed = [f for f in collapsed if missing(f)]
    fresh = set().union(*(missing(f) for f in collapsed))
    if len(fresh) <= len(collapsed):
        needed |= fresh
        collapsed = []
    ordered = sorted(needed, key=lambda index: (sum(index), index[1], index[0]))
    return Plan((partial(VALUE), *(partial(index) for index in ordered), *collapsed))


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


def tanh_channels(plan: Plan, z: Sequence) -> list:
    """Push all channels through tanh.

    Args:
        plan: the channels.
        z: one array a channel, broadcastable to the first; ``None`` stands for zero.

    Returns:
        One array a channel, of the shape of the first.
    """
    y = jnp.tanh(z[0])
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
            for blocks, count in _partitions(index):
                factors = [of[b] for b in blocks]
                if any(f is None for f in factors):
                    continue
                weight = coefficient * count
                term = prod(factors[1:], start=factors[0])
                by_slope.setdefault(len(blocks), []).append(term if weight == 1 else weight * term)
        total = None
        for k, terms in sorted(by_slope.items()):
            part = slopes[k] * sum(terms[1:], start=terms[0])
            total = part if total is None else total + part
        out.append(jnp.zeros_like(y) if total is None else total)
    return out


def network_channels(layers: Sequence, x, t, box, plan: Plan) -> list:
    """Evaluate a tanh network and the derivatives of a plan at points.

    All channels of a layer go through its weights in one matrix product.

    Args:
        layers: ``(kernel (n_in, n_out), bias (n_out,))`` a layer, the last one linear and scalar.
        x: positions, shape (n,).
        t: instants, shape (n,).
        box: ``((x0, x1), (t0, t1))``, rescaled to [-1, 1]² before the first layer (Appendix A).
        plan: the channels to carry.

    Returns:
        One array of shape (n,) a channel, derivatives in the units of x and t as given.
    """
    return _propagate(layers, x, t, box, plan, None)[0]


def tapped_channels(layers: Sequence, x, t, box, plan: Plan, shifts: Sequence) -> tuple:
    """Evaluate as :func:`network_channels`, with access to every layer's two sides.

    Args:
        layers: see :func:`network_channels`.
        x: positions, shape (n,).
        t: instants, shape (n,).
        box: the domain.
        plan: the channels to carry, C of them.
        shifts: added to each layer's output, shape (C, n_out, n) a layer; differentiating with
            respect to zeros gives the cotangents of the layer's output.

    Returns:
        ``(values, inputs)``: the values as from :func:`network_channels`, and each layer's input,
        shape (C, n_in, n).
    """
    return _propagate(layers, x, t, box, plan, shifts)


def _propagate(layers, x, t, box, plan, shifts):
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
    taps = []
    if shifts is not None:
        taps.append(jnp.stack(inputs))
        z = [s if value is None else value + s for value, s in zip(z, shifts[0], strict=True)]

    for k, (kernel, bias) in enumerate(layers[1:], start=1):
        entering = tanh_channels(plan, z)
        stacked = _mix(kernel, jnp.concatenate(entering, axis=1))
        # Unlike slices, a split is concatenated again by its transpose, in one pass.
        z = jnp.split(stacked, len(plan), axis=1)
        z[0] = z[0] + bias[:, None]
        if shifts is not None:
            taps.append(jnp.stack(entering))
            z = [value + s for value, s in zip(z, shifts[k], strict=True)]
    return [value[0] for value in z], taps


def _mix(kernel, channels):
    """Return kernelᵀ @ channels, neurons first.

    With neurons first, this product and the two of its gradient all run over contiguous memory,
    provided that the transpose is made and not folded into the product: hence the barrier. On a
    CPU the gradient of the kernel is twice as fast so as with points first.
    """
    return jax.lax.optimization_barrier(kernel.T) @ channels
