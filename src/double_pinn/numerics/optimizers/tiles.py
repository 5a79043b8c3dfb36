"""Rows as one vector, in tiles of points small enough for a core's cache, dealt out over the cores.

With the Jacobian J of the rows r by the parameters: r itself, products Jᵀy, and tiles of J Jᵀ. By
Leibniz' rule (see :mod:`double_pinn.numerics.optimizers.leibniz`) J Jᵀ = T Q Tᵀ, where Q holds the
products of the gradients of the functionals that the rows are made of, and T a few coefficients a
point. From the channels a and g of a layer, Q is a sum of products (a · a')(g · g'). No matrix with
a column a parameter is ever stored.
"""

import copy
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from double_pinn.numerics.cores import own_share, sum_over_cores
from double_pinn.numerics.optimizers.leibniz import RowGradients, last_products, layer_products
from double_pinn.numerics.row_sets import RowSet
from double_pinn.numerics.rows import RowSystem

# Points times channels of a tile; times its groups of rows, the side of the largest product.
_TILE_COLUMNS = 170


class TileSet(NamedTuple):
    """A set of rows, its points cut into tiles.

    The tiles are dealt out to the shares like cards, and lie share after share: all shares have
    about as many of the earliest points.

    Attributes:
        row_set: the set.
        gradients: of its rows.
        places: the points of each field, shapes (tiles, size).
        counts: 1, or 0 for a point that only fills its tile up, shape (tiles, size).
        numbers: of the points in the set, shape (tiles, size), whatever the shares.
        weights: of each group of rows.
    """

    row_set: RowSet
    gradients: RowGradients
    places: list
    counts: np.ndarray
    numbers: np.ndarray
    weights: np.ndarray

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Groups of rows and points of a tile."""
        return len(self.weights), self.counts.shape[1]


class RowTiles:
    """The rows at a set of points as one vector, or this core's share of it.

    The order is: set, tile, group, point. Rows that only fill up a tile are zero.

    Attributes:
        sets: the sets of rows, the equation's first.
        shares: over which the tiles are dealt out; 1: every core has all of them.
        horizon: the instant beyond which the equation's points do not count; ``None``: all do.
        size: length of the vector, filling included.
    """

    def __init__(self, network, system: RowSystem, shares: int = 1):
        """Cut the points; nothing is computed yet.

        Args:
            network: the :class:`~double_pinn.numerics.networks.mlp.FlatMLP`.
            system: the rows.
            shares: over which the tiles are dealt out.
        """
        self.network, self.system, self.shares = network, system, shares
        self.horizon: Any = None
        self.sets = [
            _cut(row_set, groups, shares, by_time=k == 0)
            for k, (row_set, groups) in enumerate(system.sets)
        ]
        sizes = [len(s.counts) // shares * math.prod(s.tile_shape) for s in self.sets]
        self.starts = np.cumsum([0, *sizes])
        self.size = int(self.starts[-1])

    def until(self, horizon) -> "RowTiles":
        """Return the rows with those points of the equation only that lie at t ≤ ``horizon``.

        Args:
            horizon: an instant; it may be traced.
        """
        seen = copy.copy(self)
        seen.horizon = horizon
        return seen

    def own(self, array):
        """Return this core's share of an array with a leading axis of tiles."""
        return own_share(array, self.shares)

    def total(self, share):
        """Return the sum over the shares."""
        return sum_over_cores(share, self.shares)

    def counts(self, k: int):
        """Return which points of a set count, 1 or 0, shape (tiles, size)."""
        counts = self.sets[k].counts
        if k == 0 and self.horizon is not None:
            counts = counts * (self.sets[k].places[0][1] <= self.horizon)
        return counts

    def scale(self, k: int):
        """Return √(weight / n) of each row of a set, or 0, shape (tiles, groups, size)."""
        counts = self.counts(k)
        xp = np if isinstance(counts, np.ndarray) else jnp
        scale = xp.sqrt(self.sets[k].weights / counts.sum())[None, :, None] * counts[:, None, :]
        return scale.astype(self.system.dtype)

    def active(self, k: int):
        """Return how many of this core's tiles of a set have points that count: the first ones."""
        if k > 0 or self.horizon is None:
            return len(self.sets[k].counts) // self.shares
        return jnp.count_nonzero(jnp.any(self.own(self.counts(k)) > 0, axis=1))

    def _row_tile(self, k: int):
        """Return a function of parameters and tile: that tile's rows, shape (groups, size)."""
        tiles, scale = self.sets[k], self.own(self.scale(k))
        places = [(self.own(x), self.own(t)) for x, t in tiles.places]

        def rows(parameters, i):
            here = [(jnp.asarray(x)[i], jnp.asarray(t)[i]) for x, t in places]
            weights = self.network.weights(parameters)
            rows = tiles.row_set.rows(weights, self.system.box, here)
            return jnp.stack(rows) * jnp.asarray(scale)[i]

        return rows

    def _shaped(self, k: int, vector):
        """Return a set's part of a vector, shape (tiles, groups, size)."""
        part = vector[self.starts[k] : self.starts[k + 1]]
        return part.reshape(-1, *self.sets[k].tile_shape)

    def rows(self, parameters: Float[Array, " parameters"]) -> Float[Array, " size"]:
        """Return the weighted rows r; the objective is r·r over all shares (Eqs. 2-4)."""
        parts = []
        for k in range(len(self.sets)):
            tile = self._row_tile(k)
            empty = self._shaped(k, jnp.zeros(self.size, self.system.dtype))

            def fill(i, rows, tile=tile):
                return rows.at[i].set(tile(parameters, i))

            parts.append(jax.lax.fori_loop(0, self.active(k), fill, empty).ravel())
        return jnp.concatenate(parts)

    def pull(
        self, parameters: Float[Array, " parameters"], y: Float[Array, " size"]
    ) -> Float[Array, " parameters"]:
        """Return Jᵀy, summed over the shares."""
        gradient = jnp.zeros_like(parameters)
        for k in range(len(self.sets)):
            tile, cotangents = self._row_tile(k), self._shaped(k, y)

            def add(i, gradient, tile=tile, cotangents=cotangents):
                _, pull = jax.vjp(lambda p: tile(p, i), parameters)
                return gradient + pull(cotangents[i])[0]

            gradient = jax.lax.fori_loop(0, self.active(k), add, gradient)
        return self.total(gradient)


def _cut(row_set: RowSet, groups, shares: int, *, by_time: bool) -> TileSet:
    places, counts = row_set.places, np.ones_like(row_set.places[0][0])
    n = counts.size
    order = np.argsort(places[0][1], kind="stable") if by_time else np.arange(n)
    tiles = max(1, round(n * row_set.columns / _TILE_COLUMNS))
    size = -(-n // tiles)
    tiles = -(-tiles // shares) * shares
    take = np.concatenate([order, np.full(tiles * size - n, order[-1])]).reshape(tiles, size)
    counts = (np.arange(tiles * size) < n).astype(counts.dtype).reshape(tiles, size)
    dealt = np.arange(tiles).reshape(-1, shares).T.ravel()
    return TileSet(
        row_set,
        RowGradients(row_set),
        [(x[take[dealt]], t[take[dealt]]) for x, t in places],
        counts[dealt],
        take[dealt],
        np.asarray([group.weight for group in groups]),
    )


def features(tiles: TileSet, weights, box, places):
    """Return what the products of gradients are made of, for several tiles, a leading axis of them.

    The layers before the last come as one: between the tiles and the rest their arrays have an axis
    of layers. The first layer's two inputs are filled up with zeros, because a program of its own
    for its products takes as long to compile as that of all others.

    Args:
        tiles: the set.
        weights: ``(kernel, bias)`` a layer.
        box: the domain.
        places: points of each field, shapes (tiles, size).
    """
    count, size = places[0][0].shape
    # All points at once: a tile is too small for an efficient pass through the network.
    everywhere = [(jnp.ravel(x), jnp.ravel(t)) for x, t in places]
    inputs, cotangents, last, slopes = tiles.gradients.features(weights, box, everywhere)

    def by_tile(channels):
        """Return (channels, points, neurons) as (tiles, channels · size, neurons)."""
        split = channels.reshape(len(channels), count, size, -1)
        return jnp.swapaxes(split, 0, 1).reshape(count, -1, split.shape[-1])

    width = max(a.shape[-1] for a in inputs)
    inputs = [jnp.pad(a, ((0, 0), (0, 0), (0, width - a.shape[-1]))) for a in inputs]
    layers = tuple(jnp.stack([by_tile(a) for a in side], axis=1) for side in (inputs, cotangents))
    slopes = jnp.swapaxes(slopes.reshape(-1, count, size), 0, 1)
    return layers, by_tile(last), slopes


def tile_of(features, k):
    """Return the features of one tile."""
    return jax.tree.map(lambda a: a[k], features)


def product(mine: RowGradients, scale, features, theirs: RowGradients, other_scale, other_features):
    """Return the products of the gradients of all rows of one tile with all of another.

    Args:
        mine: of the set of the one tile.
        scale: of its rows, shape (groups, size).
        features: of its points.
        theirs: of the set of the other tile.
        other_scale: of its rows.
        other_features: of its points.
    """
    layers, last, slopes = features
    other_layers, other_last, other_slopes = other_features

    def add(products, layer):
        own, other = layer
        return products + layer_products(mine, theirs, *own, *other), None

    products = last_products(mine, theirs, last, other_last)
    products = jax.lax.scan(add, products, (layers, other_layers))[0]
    products = products.reshape(len(mine.terms), len(theirs.terms), *products.shape[1:])
    left, right = mine.coefficients(slopes), theirs.coefficients(other_slopes)
    # T Q Tᵀ: first along their rows, then along mine.
    half = [
        [_combined(coefficients, products[f], axis=1) for coefficients in right]
        for f in range(len(mine.terms))
    ]
    return jnp.concatenate(
        [
            jnp.concatenate(
                [
                    _combined(coefficients, [row[s] for row in half], axis=0)
                    * (scale[r][:, None] * other_scale[s])
                    for s in range(len(right))
                ],
                axis=1,
            )
            for r, coefficients in enumerate(left)
        ]
    )


def _combined(coefficients, products, axis: int):
    """Return Σ coefficient · product; a coefficient is one number, or one a point of an axis."""
    terms = [
        (c if isinstance(c, float) else jnp.expand_dims(c, 1 - axis)) * product
        for c, product in zip(coefficients, products, strict=True)
        if not (isinstance(c, float) and c == 0)
    ]
    return sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(products[0])
