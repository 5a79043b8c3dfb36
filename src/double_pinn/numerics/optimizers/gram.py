"""The Gram matrix K = J Jᵀ of the rows' Jacobian, without the Jacobian.

By Leibniz' rule (see :mod:`double_pinn.numerics.optimizers.leibniz`) K = T Q Tᵀ, where Q holds the
products of the gradients of the functionals that the rows are made of, and T a few coefficients a
point. From the channels a and g of a layer, Q is a sum of products (a · a')(g · g'). No matrix with
a column a parameter is ever stored. K is filled tile by tile, each small enough for the cache.

Where the rows are too many for that (Allen-Cahn: 12,900, a matrix of 1.3 GB and a factorisation of
half a minute on one core), the domain's points are dealt out to *parts*, and a step sees one part
with all conditions: a sketch of the rows by sampling.
"""

import copy
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from double_pinn.numerics.cores import AXIS, sum_over_cores
from double_pinn.numerics.optimizers.leibniz import RowGradients, last_products, layer_products
from double_pinn.numerics.row_sets import RowSet
from double_pinn.numerics.rows import RowSystem

# Points times channels of a tile; times its groups of rows, the side of the largest product.
_TILE_COLUMNS = 170


class _Tiles(NamedTuple):
    """A point set cut into tiles.

    Attributes:
        row_set: the set.
        places: points with a leading axis of tiles.
        scale: √(weight / n) of each row, 0 for the filling, shape (tiles, groups, size).
        gradients: of the set's rows.
        parts: into which the points are dealt out, a run of tiles each.
    """

    row_set: RowSet
    places: list
    scale: np.ndarray
    gradients: RowGradients
    parts: int = 1

    def part(self, k) -> "_Tiles":
        """Return the tiles of part ``k``, which may be traced; it stands for all of them."""
        if self.parts == 1:
            return self
        take = (  # noqa: E731
            lambda a: jax.lax.dynamic_index_in_dim(
                jnp.reshape(a, (self.parts, -1, *a.shape[1:])), k, keepdims=False
            )
        )
        return self._replace(
            places=[(take(x), take(t)) for x, t in self.places],
            scale=take(self.scale) * self.parts**0.5,
            parts=1,
        )


class RowGram:
    """Rows as one vector, tile by tile, with its products by J, Jᵀ and the matrix J Jᵀ.

    The order of the rows is: set, tile, group, point. Rows that only fill up a tile are zero.

    Attributes:
        size: length of the vector, filling included.
        parts: into which the points of the domain are dealt out.
    """

    def __init__(self, network, system: RowSystem, most_rows: int | None = None):
        """Cut the points; nothing is computed yet.

        Args:
            network: the :class:`~double_pinn.numerics.networks.mlp.FlatMLP`.
            system: the rows.
            most_rows: of a part, about; ``None``: there is one part.
        """
        self.network, self.system = network, system
        self._sets: list[_Tiles] = []
        rows = [sum(group.count for group in groups) for _, groups in system.sets]
        self.parts = _part_count(rows[0], sum(rows[1:]), most_rows)
        for k, (row_set, groups) in enumerate(system.sets):
            parts = self.parts if k == 0 else 1
            places, counts = row_set.cut(_TILE_COLUMNS, parts)
            weights = np.asarray([group.weight / group.count for group in groups])
            scale = np.sqrt(weights)[None, :, None] * counts[:, None, :]
            self._sets.append(
                _Tiles(
                    row_set,
                    places,
                    scale.astype(system.dtype),
                    RowGradients(row_set),
                    parts,
                )
            )
        self.size = sum(tiles.scale.size for tiles in self._sets)

    def part(self, k) -> "RowGram":
        """Return the rows of part ``k`` of the domain's points, and of all conditions.

        The part's rows carry the weight of all: its r·r estimates the objective.

        Args:
            k: number of the part; it may be traced.
        """
        part = copy.copy(self)
        part._sets, part.parts = [tiles.part(k) for tiles in self._sets], 1
        part.size = sum(tiles.scale.size for tiles in part._sets)
        return part

    def rows(self, parameters: Float[Array, " parameters"]) -> Float[Array, " size"]:
        """Return the weighted rows r, shape (size,); the objective is r·r (Eqs. 2-4)."""
        layers, box = self.network.weights(parameters), self.system.box

        def of_set(tiles):
            def of_tile(tile):
                places, scale = tile
                return jnp.stack(tiles.row_set.rows(layers, box, places)) * scale

            return jax.lax.map(of_tile, (tiles.places, tiles.scale)).ravel()

        return jnp.concatenate([of_set(tiles) for tiles in self._sets])

    def matrix(self, parameters: Float[Array, " parameters"]) -> Float[Array, "size size"]:
        """Return K = J Jᵀ, symmetric, shape (size, size)."""
        layers = self.network.weights(parameters)
        K = jnp.zeros((self.size, self.size), self.system.dtype)
        features = [_features(tiles, layers, self.system.box) for tiles in self._sets]
        starts = np.cumsum([0, *(tiles.scale.size for tiles in self._sets)])
        for s, (tiles, mine) in enumerate(zip(self._sets, features, strict=True)):
            for o, (others, theirs) in enumerate(zip(self._sets[: s + 1], features, strict=False)):
                here, there = (starts[s], tiles, mine), (starts[o], others, theirs)
                K = _fill(K, here, there, same=s == o, cores=self.system.cores)
        return sum_over_cores(K, self.system.cores)


def _part_count(equation_rows: int, condition_rows: int, most_rows: int | None) -> int:
    """Return into how many parts the equation's rows go so that a part has ``most_rows``."""
    if most_rows is None or equation_rows + condition_rows <= most_rows:
        return 1
    # Conditions are in every part: at least half of it is the equation's.
    return -(-equation_rows // max(most_rows - condition_rows, most_rows // 2, 1))


def _features(tiles: _Tiles, layers, box):
    """Return the features of all tiles, with a leading axis of them.

    The hidden layers, which are all alike, come as one: between the tiles and the rest their arrays
    have an axis of layers.
    """
    count, _, size = tiles.scale.shape
    # All points at once: a tile is too small for an efficient pass through the network.
    everywhere = [(jnp.ravel(x), jnp.ravel(t)) for x, t in tiles.places]
    inputs, cotangents, last, slopes = tiles.gradients.features(layers, box, everywhere)

    def by_tile(channels):
        """Return (channels, points, neurons) as (tiles, channels · size, neurons)."""
        split = channels.reshape(len(channels), count, size, -1)
        return jnp.swapaxes(split, 0, 1).reshape(count, -1, split.shape[-1])

    inputs, cotangents = ([by_tile(a) for a in side] for side in (inputs, cotangents))
    hidden = None
    if len(inputs) > 1:
        hidden = tuple(jnp.stack(side[1:], axis=1) for side in (inputs, cotangents))
    slopes = jnp.swapaxes(slopes.reshape(-1, count, size), 0, 1)
    return (inputs[0], cotangents[0]), hidden, by_tile(last), slopes


def _fill(K, mine, theirs, *, same: bool, cores: int):
    """Fill the part of K between two sets, and its mirror image: this core's share of the tiles."""
    (start, tiles, features), (other_start, others, other_features) = mine, theirs
    side, other_side = tiles.scale[0].size, others.scale[0].size
    core = jax.lax.axis_index(AXIS) if cores > 1 else 0

    def of_tile(features, k):
        return jax.tree.map(lambda a: a[k], features)

    def fill_rows(i, K):
        here = tiles.gradients, jnp.asarray(tiles.scale)[i], of_tile(features, i)
        first = (core + i) % cores

        def put(k, K):
            j = first + k * cores
            there = others.gradients, jnp.asarray(others.scale)[j], of_tile(other_features, j)
            product = _tile(*here, *there)
            row, column = start + i * side, other_start + j * other_side
            K = jax.lax.dynamic_update_slice(K, product, (row, column))
            return jax.lax.dynamic_update_slice(K, product.T, (column, row))

        wanted = i + 1 if same else len(others.scale)
        return jax.lax.fori_loop(0, -(-(wanted - first) // cores), put, K)

    return jax.lax.fori_loop(0, len(tiles.scale), fill_rows, K)


def _tile(mine: RowGradients, scale, features, theirs: RowGradients, other_scale, other_features):
    """Return the products of all rows of one tile with all of another."""
    first, hidden, last, slopes = features
    other_first, other_hidden, other_last, other_slopes = other_features
    products = layer_products(mine, theirs, *first, *other_first, first=True)
    products = products + last_products(mine, theirs, last, other_last)
    if hidden is not None:

        def add(products, layer):
            own, other = layer
            return products + layer_products(mine, theirs, *own, *other), None

        products = jax.lax.scan(add, products, (hidden, other_hidden))[0]
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
