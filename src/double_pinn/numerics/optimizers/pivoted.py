"""K = J Jᵀ of many rows by few of its columns: a randomly pivoted Cholesky decomposition in blocks.

Rows of a smooth network at neighbouring points are nearly dependent: of Allen-Cahn's 12,900 rows,
some 500 to 1,000 combinations carry all that is above a usual damping. K ≈ F Fᵀ is built from the
columns of a few points. In each round a tile's worth of points is drawn, each with a probability
in proportion to what F still misses on K's diagonal, their columns are computed, cleared of what F
has, and appended, until no more than a fraction of the damping is missing (Chen, Epperly, Tropp and
Webber, "Randomly pivoted Cholesky: Practical approximation of a kernel matrix with few entry
evaluations", arXiv:2207.06503). Every core has a share of the rows of F.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from double_pinn.numerics.cores import AXIS, gather_shares, largest_over_cores
from double_pinn.numerics.optimizers.gram import damped_cholesky
from double_pinn.numerics.optimizers.tiles import RowTiles, features, product, tile_of

# What F may miss of K's trace, over the damping: the misses' largest eigenvalue is far smaller.
_MISSING = 10.0
# Below so many roundings of the trace, a round that leaves this fraction of it was in vain.
_ROUNDING, _STUCK = 1e5, 0.8
# Columns that are worked on at once, and points that go through the network at once.
_COLUMNS = 128
_POINTS = 512


class PivotedMatrix(NamedTuple):
    """F, with K ≈ F Fᵀ, and what goes with it.

    Attributes:
        F: this core's rows, those without a use at the end zero, shape (size, columns).
        inner: FᵀF, shape (columns, columns).
        count: columns in use, int32 scalar.
        missing: trace of K - F Fᵀ, scalar.
        scale: mean of K's diagonal over the rows that count, scalar.
    """

    F: jax.Array
    inner: jax.Array
    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    missing: jax.Array
    scale: jax.Array


class _Round(NamedTuple):
    """Where the decomposition stands.

    Attributes:
        F: so far.
        diagonal: what F misses of K's, this core's share.
        missing: its sum by set, over all cores.
        stuck: whether rounding is all that F misses.
        count: columns in use.
        number: of the round.
    """

    F: jax.Array
    diagonal: jax.Array
    missing: jax.Array
    stuck: jax.Array
    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    number: jax.Array


class PivotedGram:
    """K + μI by Woodbury's identity: (F Fᵀ + μI)⁻¹ = (I - F (FᵀF + μI)⁻¹ Fᵀ) / μ.

    Attributes:
        tiles: this core's share of the rows.
        most_pivots: the most columns of F.
    """

    def __init__(self, tiles: RowTiles, most_pivots: int):
        """Name the rows; nothing is computed yet.

        Args:
            tiles: this core's share of the rows.
            most_pivots: the most columns of F.
        """
        self.tiles, self.most_pivots = tiles, most_pivots
        blocks = [groups * size for groups, size in (s.tile_shape for s in tiles.sets)]
        self._block = max(blocks)
        # A whole number of column chunks, with room for a last block.
        self.columns = -(-(most_pivots + self._block) // _COLUMNS) * _COLUMNS

    def matrix(self, parameters: Float[Array, " parameters"], damping) -> PivotedMatrix:
        """Return F at parameters.

        Args:
            parameters: flat parameters.
            damping: the least relative damping that is asked for.
        """
        rows = self.tiles
        weights, box = rows.network.weights(parameters), rows.system.box
        scales = [rows.own(rows.scale(k)) for k in range(len(rows.sets))]
        points = [_in_passes(s, weights, box, rows) for s in rows.sets]
        diagonal = jnp.concatenate(
            [
                _diagonal(s.gradients, scale, f, rows.active(k)).ravel()
                for k, (s, scale, f) in enumerate(zip(rows.sets, scales, points, strict=True))
            ]
        )
        trace, counted = rows.total((jnp.sum(diagonal), jnp.count_nonzero(diagonal)))
        scale = trace / counted
        eps = jnp.finfo(diagonal.dtype).eps
        least, rounding = 64 * eps, _ROUNDING * eps * trace
        enough = jnp.maximum(_MISSING * damping * scale, least * trace)
        smallest = least * largest_over_cores(jnp.max(diagonal), rows.shares)

        def append(k):
            return lambda state: self._append(state, k, weights, scales, points, smallest)

        def missing(diagonal):
            return rows.total(jnp.stack([jnp.sum(part) for part in self._by_set(diagonal)]))

        def proceed(state):
            room = (state.count < self.most_pivots) & (state.number < self.most_pivots)
            return room & ~state.stuck & (jnp.sum(state.missing) > enough)

        def body(state):
            # The set that misses most.
            k = jnp.argmax(state.missing)
            new = jax.lax.switch(k, [append(k) for k in range(len(rows.sets))], state)
            left = missing(new.diagonal)
            stuck = (jnp.sum(left) > _STUCK * jnp.sum(state.missing)) & (jnp.sum(left) < rounding)
            return new._replace(missing=left, stuck=stuck)

        zero, no = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
        F = jnp.zeros((rows.size, self.columns), diagonal.dtype)
        first = _Round(F, diagonal, missing(diagonal), no, zero, zero)
        end = jax.lax.while_loop(proceed, body, first)
        inner = rows.total(_inner(end.F, end.count))
        return PivotedMatrix(end.F, inner, end.count, jnp.sum(end.missing), scale)

    def _by_set(self, vector):
        return [
            vector[start:end]
            for start, end in zip(self.tiles.starts, self.tiles.starts[1:], strict=False)
        ]

    def _append(self, state: _Round, k: int, weights, scales, points, smallest) -> _Round:
        """Append the columns of a tile's worth of points of one set."""
        rows = self.tiles
        groups, size = rows.sets[k].tile_shape
        chosen = self._draw(state, k)
        share = len(rows.sets[k].counts) // rows.shares * size
        core = jax.lax.axis_index(AXIS) if rows.shares > 1 else 0
        mine, at = chosen // share == core, chosen % share
        row = at // size * (groups * size) + at % size
        row = (rows.starts[k] + jnp.arange(groups)[:, None] * size + row).ravel()
        mine = jnp.tile(mine, groups)

        def at_pivots(array):
            return rows.total(jnp.where(mine[:, None], array[row], 0))

        columns = self._columns(k, chosen, weights, scales, points)
        columns = _without(columns, state.F, at_pivots(state.F), state.count)
        square = at_pivots(columns)
        values, vectors = jnp.linalg.eigh((square + square.T) / 2)
        # Largest first: what is dropped is overwritten by the next block.
        values, vectors = values[::-1], vectors[:, ::-1]
        kept = values > smallest
        new = columns @ (vectors * jnp.where(kept, 1 / jnp.sqrt(jnp.where(kept, values, 1)), 0))
        F = jax.lax.dynamic_update_slice_in_dim(state.F, new, state.count, axis=1)
        diagonal = jnp.maximum(state.diagonal - jnp.sum(new**2, axis=1), 0)
        # A pivot's own row misses nothing but rounding.
        diagonal = diagonal.at[row].multiply(jnp.where(mine, 0, 1))
        count = (state.count + jnp.count_nonzero(kept)).astype(jnp.int32)
        return state._replace(F=F, diagonal=diagonal, count=count, number=state.number + 1)

    def _draw(self, state: _Round, k: int):
        """Return points of a set, drawn by what is missing there: numbers over all shares."""
        groups, size = self.tiles.sets[k].tile_shape
        missing = self._by_set(state.diagonal)[k].reshape(-1, groups, size).sum(axis=1)
        missing = gather_shares(missing, self.tiles.shares).ravel()
        # The same numbers at every step, and for a point on whatever core: a step is a function of
        # the state alone.
        numbers = self.tiles.sets[k].numbers
        key = jax.random.fold_in(jax.random.key(0), state.number)
        noise = jax.random.gumbel(key, (numbers.max() + 1,), missing.dtype)[numbers.ravel()]
        return jax.lax.top_k(jnp.log(missing) + noise, size)[1]

    def _columns(self, k: int, chosen, weights, scales, points):
        """Return the columns of K of points of one set, for this core's rows."""
        rows = self.tiles
        tiles = rows.sets[k]
        places = [(jnp.ravel(x)[chosen][None], jnp.ravel(t)[chosen][None]) for x, t in tiles.places]
        scale = jnp.swapaxes(jnp.asarray(rows.scale(k)), 1, 2).reshape(-1, len(tiles.weights))
        there = (
            tiles.gradients,
            scale[chosen].T,
            tile_of(features(tiles, weights, rows.system.box, places), 0),
        )
        parts = []
        for o, others in enumerate(rows.sets):

            def fill(i, part, o=o, others=others):
                here = others.gradients, jnp.asarray(scales[o])[i], tile_of(points[o], i)
                return part.at[i].set(product(*here, *there))

            count, (groups, size) = len(others.counts) // rows.shares, others.tile_shape
            part = jnp.zeros((count, groups * size, there[1].size), rows.system.dtype)
            part = jax.lax.fori_loop(0, rows.active(o), fill, part)
            parts.append(part.reshape(-1, there[1].size))
        return jnp.concatenate(parts)

    def factor(self, matrix: PivotedMatrix, mu):
        """Return the Cholesky factor of FᵀF + μI."""
        return damped_cholesky(matrix.inner, mu)

    def solve(self, matrix: PivotedMatrix, factor, mu, z: Float[Array, " size"]):
        """Return (F Fᵀ + μI)⁻¹ z, of this core's rows."""
        inner = cho_solve((factor, True), self.tiles.total(z @ matrix.F))
        return (z - matrix.F @ inner) / mu


def _in_passes(tiles, weights, box, rows: RowTiles):
    """Return the features of this core's tiles of a set, some hundred points at a time."""
    places = [(rows.own(x), rows.own(t)) for x, t in tiles.places]
    count, size = places[0][0].shape
    passes = next(n for n in range(-(-count * size // _POINTS), count + 1) if count % n == 0)
    split = [
        tuple(jnp.reshape(a, (passes, count // passes, size)) for a in place) for place in places
    ]
    found = jax.lax.map(lambda some: features(tiles, weights, box, some), split)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), found)


def _diagonal(gradients, scale, points, active):
    """Return the diagonal of K for the tiles of one set, shape (tiles, groups · size)."""
    scale = jnp.asarray(scale)

    def fill(i, diagonal):
        here = gradients, scale[i], tile_of(points, i)
        return diagonal.at[i].set(jnp.diagonal(product(*here, *here)))

    return jax.lax.fori_loop(0, active, fill, jnp.zeros((len(scale), scale[0].size), scale.dtype))


def _chunks(count):
    return -(-count // _COLUMNS)


def _without(columns, F, at_pivots, count):
    """Return columns without what F has of them."""

    def subtract(j, columns):
        here, there = (
            jax.lax.dynamic_slice_in_dim(a, j * _COLUMNS, _COLUMNS, axis=1) for a in (F, at_pivots)
        )
        return columns - here @ there.T

    return jax.lax.fori_loop(0, _chunks(count), subtract, columns)


def _inner(F, count):
    """Return FᵀF, chunk by chunk of the columns in use."""

    def chunk(j):
        return jax.lax.dynamic_slice_in_dim(F, j * _COLUMNS, _COLUMNS, axis=1)

    def fill_rows(i, inner):
        here = chunk(i)

        def put(j, inner):
            block = here.T @ chunk(j)
            row, column = i * _COLUMNS, j * _COLUMNS
            inner = jax.lax.dynamic_update_slice(inner, block, (row, column))
            return jax.lax.dynamic_update_slice(inner, block.T, (column, row))

        return jax.lax.fori_loop(0, i + 1, put, inner)

    empty = jnp.zeros((F.shape[1], F.shape[1]), F.dtype)
    return jax.lax.fori_loop(0, _chunks(count), fill_rows, empty)
