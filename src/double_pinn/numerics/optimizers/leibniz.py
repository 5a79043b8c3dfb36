"""Gradients of rows with respect to a layer's weights, by Leibniz' rule.

Let a layer with input a give z = Wᵀa + b, and let g = ∂u/∂z, both functions of (x, t). Then

    ∂(D^α u)/∂W = D^α(a ⊗ g) = Σ_β C(α, β) D^β a ⊗ D^(α-β) g,

and D^α g is the cotangent of the layer's *value* channel when the channel of D^α u is pulled back.
A row is a function of a few functionals of u at its point (u, u_x, L u, ∂L u, ...), so its gradient
is a combination of theirs with few coefficients a point: f', f'' u_x, ... of the pointwise line.
"""

from collections.abc import Sequence
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from double_pinn.numerics.derivatives import Functional, Terms, leibniz_terms
from double_pinn.numerics.lines import dependent_outputs
from double_pinn.numerics.row_sets import RowSet


class _Direct:
    """A plan whose channels are the functionals themselves."""

    def __init__(self, functionals: Sequence[Functional]):
        self._functionals = functionals

    def select(self, values: Sequence, functional: Functional):
        return values[self._functionals.index(functional)]


class RowGradients:
    """The gradients of a set's rows, as combinations of those of few functionals.

    Attributes:
        row_set: the set.
        channels: number of channels, over all places one after the other.
        values: which of the channels carry a value (not a derivative), shape (channels,).
        terms: of each functional, over all places one after the other.
        last_terms: the same at the last layer, by the channel of a: there g is 1.
        fixed: by group of rows and functional, the coefficient where it is the same at all points
            and parameters (often 0), else ``None``.
    """

    def __init__(self, row_set: RowSet):
        """Find the functionals and which coefficients are constants."""
        self.row_set = row_set
        wanted = [line.functionals(row_set.axes) for line in row_set.lines]
        self._functionals = [
            list(dict.fromkeys(f for line in wanted for f in line[k] if f))
            for k in range(len(row_set.places))
        ]
        self._plans = [_Direct(functionals) for functionals in self._functionals]
        starts = np.cumsum([0, *(len(plan) for plan in row_set.plans)])
        self.channels = int(starts[-1])
        self.values = np.asarray([k == 0 for plan in row_set.plans for k in range(len(plan))])
        self.terms: list[Terms] = [
            {(a + int(s), g + int(s)): c for (a, g), c in leibniz_terms(plan, f).items()}
            for s, plan, functionals in zip(starts, row_set.plans, self._functionals, strict=False)
            for f in functionals
        ]
        self.last_terms = [
            {a: c for (a, g), c in terms.items() if self.values[g]} for terms in self.terms
        ]
        self.fixed = self._fixed()

    def _fixed(self) -> list[list[float | None]]:
        count = len(self.terms)

        def flat(values, x, t):
            return [slope for group in self._slopes(values, x, t) for slope in group]

        with jax.ensure_compile_time_eval():
            point = jnp.full(1, 0.3), jnp.full(1, 0.4)
            example = ([jnp.full(1, 0.5 + 0.1 * k) for k in range(count)], *point)
            dependent = dependent_outputs(flat, *example)
            slopes = [float(slope[0]) for slope in flat(*example)]
        known = [None if d else s for d, s in zip(dependent, slopes, strict=True)]
        return [known[k : k + count] for k in range(0, len(known), count)]

    def _rows(self, functionals: Sequence, x, t) -> list:
        """Return the rows from the values of the functionals."""
        at_hand = iter(functionals)
        values = [[next(at_hand) for _ in place] for place in self._functionals]
        return self.row_set.rows_from(self._plans, values, x, t)

    def _slopes(self, functionals: Sequence, x, t) -> list[list]:
        """Return, by group and functional, the derivative of a row by a functional."""
        ones, zeros = jnp.ones_like(x), jnp.zeros_like(x)

        def along(k):
            unit = [ones if j == k else zeros for j in range(len(functionals))]
            rows = lambda f: self._rows(f, x, t)  # noqa: E731
            return jax.jvp(rows, (list(functionals),), (unit,))[1]

        by_functional = [along(k) for k in range(len(functionals))]
        return [
            [jnp.broadcast_to(slopes[group], x.shape) for slopes in by_functional]
            for group in range(self.row_set.group_count)
        ]

    def features(self, layers, box, places):
        """Return what the products of gradients are made of, at points.

        Args:
            layers: ``(kernel, bias)`` a layer.
            box: the domain.
            places: the points of each field, shapes (n,).

        Returns:
            ``(inputs, cotangents, last, slopes)``: for each layer but the last the channels of a,
            shape (channels, n, n_in), and of g, (channels, n, n_out); of the last layer the
            functionals of a, (functionals, n, n_in); and the coefficients that are not fixed,
            (count, n).
        """
        n, dtype = places[0][0].size, layers[0][0].dtype
        inputs, cotangents, functionals = [], [], []
        for (x, t), plan, wanted in zip(places, self.row_set.plans, self._functionals, strict=True):
            values, entering, leaving = self.row_set.network.gradient_channels(
                layers, x, t, box, plan
            )
            inputs.append([jnp.swapaxes(a, 1, 2) for a in entering])
            cotangents.append([jnp.swapaxes(g, 1, 2) for g in leaving])
            functionals += [plan.select(values, f) for f in wanted]
        slopes = self._slopes(functionals, *places[0])
        free = [
            slope
            for group, fixed in zip(slopes, self.fixed, strict=True)
            for slope, value in zip(group, fixed, strict=True)
            if value is None
        ]
        *inner, outermost = zip(*inputs, strict=True)
        last = jnp.concatenate(outermost)
        functionals_of_last = [
            sum(c * last[channel] for channel, c in terms.items()) for terms in self.last_terms
        ]
        return (
            [jnp.concatenate(layer) for layer in inner],
            [jnp.concatenate(layer) for layer in zip(*cotangents, strict=True)],
            jnp.stack(functionals_of_last),
            jnp.stack(free) if free else jnp.zeros((0, n), dtype),
        )

    def coefficients(self, slopes) -> list[list]:
        """Return, by group and functional, a fixed coefficient or one a point, shape (n,)."""
        free = iter(range(len(slopes)))
        return [
            [slopes[next(free)] if value is None else value for value in group]
            for group in self.fixed
        ]


def last_products(
    mine: RowGradients,
    theirs: RowGradients,
    a: Float[Array, "mine n_in"],
    other_a: Float[Array, "theirs n_in"],
) -> Float[Array, "products n m"]:
    """Return what the last layer, scalar and linear, adds to the products of the gradients.

    Args:
        mine: of the points of ``a``, n of them.
        theirs: of the points of ``other_a``, m of them.
        a: functionals of the last layer's input, (functionals · n, n_in).
        other_a: the same at the other points.

    Returns:
        Shape (functionals of mine · functionals of theirs, n, m).
    """
    f, h = len(mine.terms), len(theirs.terms)
    n, m = a.shape[0] // f, other_a.shape[0] // h
    products = (a @ other_a.T).reshape(f, n, h, m).transpose(0, 2, 1, 3)
    # Of the bias only the functional's part in the value.
    left, right = (
        [sum(c for k, c in terms.items() if side.values[k]) for terms in side.last_terms]
        for side in (mine, theirs)
    )
    bias = np.outer(left, right).astype(a.dtype)[:, :, None, None]
    return (products + bias).reshape(f * h, n, m)


def layer_products(
    mine: RowGradients,
    theirs: RowGradients,
    a: Float[Array, "mine n_in"],
    g: Float[Array, "mine n_out"],
    other_a: Float[Array, "theirs n_in"],
    other_g: Float[Array, "theirs n_out"],
) -> Float[Array, "products n m"]:
    """Return what a layer adds to the products of the functionals' gradients.

    Args:
        mine: of the points of ``a`` and ``g``, n of them.
        theirs: of the points of ``other_a`` and ``other_g``, m of them.
        a: channels of the layer's input, (channels · n, n_in).
        g: channels of the cotangents, (channels · n, n_out).
        other_a: inputs at the other points.
        other_g: cotangents there.

    Returns:
        Shape (functionals of mine · functionals of theirs, n, m).
    """
    c, e = mine.channels, theirs.channels
    n, m = a.shape[0] // c, other_a.shape[0] // e

    def by_channel(left, right):
        return (left @ right.T).reshape(c, n, e, m).transpose(0, 2, 1, 3)

    # The bias is a weight of a further input, which is 1.
    bias = np.outer(mine.values, theirs.values).astype(a.dtype)[:, :, None, None]
    inputs, cotangents = by_channel(a, other_a) + bias, by_channel(g, other_g)
    # Contiguous, and made once: strided slices fused with the products take minutes to compile.
    inputs, cotangents = jax.lax.optimization_barrier((inputs, cotangents))
    products = [
        _product(inputs, cotangents, of_mine, of_theirs)
        for of_mine in mine.terms
        for of_theirs in theirs.terms
    ]
    return jax.lax.optimization_barrier(jnp.stack(products))


def _product(inputs, cotangents, terms: Terms, other_terms: Terms):
    """Return Σ c c' (a · a')(g · g') over the terms of two functionals."""
    by_input: dict[tuple[int, int], list] = {}
    for ((a, g), c), ((other_a, other_g), other_c) in product(terms.items(), other_terms.items()):
        by_input.setdefault((a, other_a), []).append((c * other_c, g, other_g))
    return sum(
        inputs[pair] * sum(c * cotangents[g, other_g] for c, g, other_g in factors)
        for pair, factors in by_input.items()
    )
