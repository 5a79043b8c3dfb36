"""The Gram matrix K = J Jᵀ of the rows' Jacobian, without the Jacobian.

For a layer with inputs a and output cotangents d, one of each a channel, the gradient of row i with
respect to the layer's kernel is Σ_c a_ci ⊗ d_ci, so

    K_ij = Σ_layers Σ_cc' (a_ci · a_c'j + [both channels are values]) (d_ci · d_c'j),

where the bracket is the bias. The cost falls by about n_out / channels² against forming J, and no
matrix with a column a parameter is ever stored. The matrix is filled tile by tile, each small
enough for the cache.

Where the rows are too many for that (Allen-Cahn: 12,900, a matrix of 1.3 GB and a factorisation of
half a minute on one core), the domain's points are dealt out to *parts*, and a step sees one part
with all conditions: a sketch of the rows by sampling.
"""

import copy
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.row_sets import RowSet
from double_pinn.numerics.rows import RowSystem

# Points times channels of a tile; times its groups of rows, the side of the largest product.
_TILE_COLUMNS = 480


class _Tiles(NamedTuple):
    """A point set cut into tiles.

    Attributes:
        row_set: the set.
        places: points with a leading axis of tiles.
        scale: √(weight / n) of each row, 0 for the filling, shape (tiles, groups, size).
        value_channels: 1 for the channels that carry a value (not a derivative), shape (C,).
        active: for each group, the channels on which its rows depend; the cotangents of the others
            vanish.
        parts: into which the points are dealt out, a run of tiles each.
    """

    row_set: RowSet
    places: list
    scale: np.ndarray
    value_channels: np.ndarray
    active: list[list[int]]
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

    @property
    def active_channels(self) -> list[int]:
        """The active channels of all groups, one after the other."""
        return [c for channels in self.active for c in channels]


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
            values = [k == 0 for plan in row_set.plans for k in range(len(plan))]
            self._sets.append(
                _Tiles(
                    row_set,
                    places,
                    scale.astype(system.dtype),
                    np.asarray(values, system.dtype),
                    row_set.active_channels(),
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

    def rows(self, parameters) -> jax.Array:
        """Return the weighted rows r, shape (size,); the objective is r·r (Eqs. 2-4)."""
        layers, box = self.network.weights(parameters), self.system.box

        def of_set(tiles):
            def of_tile(tile):
                places, scale = tile
                return jnp.stack(tiles.row_set.rows(layers, box, places)) * scale

            return jax.lax.map(of_tile, (tiles.places, tiles.scale)).ravel()

        return jnp.concatenate([of_set(tiles) for tiles in self._sets])

    def matrix(self, parameters) -> jax.Array:
        """Return K = J Jᵀ, symmetric, shape (size, size)."""
        layers = self.network.weights(parameters)
        K = jnp.zeros((self.size, self.size), self.system.dtype)
        features = [self._features(tiles, layers) for tiles in self._sets]
        starts = np.cumsum([0, *(tiles.scale.size for tiles in self._sets)])
        for s, (tiles, mine) in enumerate(zip(self._sets, features, strict=True)):
            for o, (others, theirs) in enumerate(zip(self._sets[: s + 1], features, strict=False)):
                K = _fill(K, (starts[s], tiles, mine), (starts[o], others, theirs), same=s == o)
        return K

    def _features(self, tiles: _Tiles, layers):
        """Return, with a leading axis of tiles, each layer's inputs and cotangents.

        Inputs have shape (C·size, n_in); cotangents, weighted and of the active channels only,
        (Σ active · size, n_out).
        """
        row_set, box = tiles.row_set, self.system.box
        n, dtype = tiles.scale.shape[-1], self.system.dtype
        zeros = [
            [jnp.zeros((len(plan), bias.size, n), dtype) for _, bias in layers]
            for plan in row_set.plans
        ]

        def of_tile(tile):
            places, scale = tile
            rows, pull, taps = jax.vjp(
                lambda shifts: row_set.tapped_rows(layers, box, places, shifts),
                zeros,
                has_aux=True,
            )
            inputs = [_points_first(parts) for parts in zip(*taps, strict=True)]
            by_group = []
            for b in range(len(rows)):
                (cotangents,) = pull(
                    [scale[k] if k == b else jnp.zeros(n, dtype) for k in range(len(rows))]
                )
                by_group.append(
                    [
                        _points_first(parts, tiles.active[b])
                        for parts in zip(*cotangents, strict=True)
                    ]
                )
            outputs = [jnp.concatenate(parts) for parts in zip(*by_group, strict=True)]
            return inputs, outputs

        return jax.lax.map(of_tile, (tiles.places, tiles.scale))


def _part_count(equation_rows: int, condition_rows: int, most_rows: int | None) -> int:
    """Return into how many parts the equation's rows go so that a part has ``most_rows``."""
    if most_rows is None or equation_rows + condition_rows <= most_rows:
        return 1
    # Conditions are in every part: at least half of it is the equation's.
    return -(-equation_rows // max(most_rows - condition_rows, most_rows // 2, 1))


def _points_first(parts, channels=None):
    """Return some channels of (C, neurons, n) parts as shape (channels · n, neurons)."""
    stacked = jnp.swapaxes(jnp.concatenate(parts), 1, 2)
    if channels is not None:
        stacked = stacked[np.asarray(channels)]
    return stacked.reshape(-1, stacked.shape[-1])


def _fill(K, mine, theirs, *, same: bool):
    """Fill the part of K between two sets, and its mirror image, tile by tile."""
    (start, tiles, features), (other_start, others, other_features) = mine, theirs
    pairs = [
        (i, j) for i in range(len(tiles.scale)) for j in range(i + 1 if same else len(others.scale))
    ]
    side, other_side = tiles.scale[0].size, others.scale[0].size

    def put(K, pair):
        i, j = pair
        product = _tile(
            tiles,
            jax.tree.map(lambda a: a[i], features),
            others,
            jax.tree.map(lambda a: a[j], other_features),
        )
        row, column = start + i * side, other_start + j * other_side
        K = jax.lax.dynamic_update_slice(K, product, (row, column))
        return jax.lax.dynamic_update_slice(K, product.T, (column, row)), None

    return jax.lax.scan(put, K, tuple(jnp.asarray(pairs, jnp.int32).T))[0]


def _tile(tiles: _Tiles, features, others: _Tiles, other_features):
    """Return the products of all rows of one tile with all of another, summed over the layers."""

    def of_layer(layer):
        return _layer_tile(tiles, others, *layer)

    layers = list(zip(*features, *other_features, strict=True))
    products = of_layer(layers[0]) + of_layer(layers[-1])
    if hidden := layers[1:-1]:
        # The hidden layers are all alike: one program for all of them.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *hidden)
        add = lambda products, layer: (products + of_layer(layer), None)  # noqa: E731
        products = jax.lax.scan(add, products, stacked)[0]
    return products


def _layer_tile(tiles: _Tiles, others: _Tiles, a, d, other_a, other_d):
    n, m = tiles.scale.shape[-1], others.scale.shape[-1]
    c, e = tiles.value_channels.size, others.value_channels.size
    bias = tiles.value_channels[:, None, None, None] * others.value_channels[None, None, :, None]
    mine, theirs = tiles.active_channels, others.active_channels
    inputs = (a @ other_a.T).reshape(c, n, e, m) + bias
    inputs = inputs[:, :, np.asarray(theirs), :]
    outputs = (d @ other_d.T).reshape(len(mine), n, len(theirs), m)
    products = iter([inputs[channel] * outputs[k] for k, channel in enumerate(mine)])
    sums = [sum(next(products) for _ in channels) for channels in tiles.active]
    return jnp.concatenate([_sum_channels(rows, others.active) for rows in sums])


def _sum_channels(products, active):
    """Sum (n, Σ active, m) over each group's channels; the result has shape (n, groups · m)."""
    sums, k = [], 0
    for channels in active:
        sums.append(sum(products[:, k + i, :] for i in range(len(channels))))
        k += len(channels)
    return jnp.concatenate(sums, axis=1)
