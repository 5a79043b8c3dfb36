"""The rows on one set of points, chunk by chunk: what a core's cache holds at a time."""

import math
import os
from collections.abc import Container, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.numerics import derivatives as d
from double_pinn.numerics.cores import own_share
from double_pinn.numerics.lines import Line

# Points times channels, for each core, of a chunk that stays in cache through all layers; and of
# one where every core has chunks of its own.
_CHUNK_COLUMNS = 450
_OWN_CHUNK_COLUMNS = 350
# The log needs no gradient, and takes so many chunks of a network that names its own at once.
_LOG_CHUNKS = 8


class RowSet:
    """The rows of all lines that share a set of points, with the channels they need there."""

    def __init__(
        self,
        places,
        lines: Sequence[Line],
        axes: Sequence[int],
        network,
        *,
        starts: Container[str] = (),
        column: int = 1,
    ):
        """Plan the channels.

        Args:
            places: the points ``(x, t)``, each of shape (n,), of every field that the lines take.
            lines: the pointwise lines.
            axes: along which each line is derived, beside the line itself.
            network: what evaluates channels: it has ``row_places``, ``row_channels`` and, for
                Gauss-Newton, ``gradient_channels``.
            starts: terms of which only the first element counts, where a point is a sequence.
            column: points of the grid along t, which are never cut apart: the set has the rows of
                the alignment, too. By default it has not.
        """
        self.places, self.lines, self.axes, self.network = places, lines, tuple(axes), network
        self._starts, self._column = starts, column
        per_line = [line.functionals(self.axes) for line in lines]
        self.plans = [
            d.make_plan(f for line in per_line for f in line[k]) for k in range(len(places))
        ]

    def rows(self, weights, box, places=None):
        """Return the rows of all lines, at the set's own places or at others."""
        places = self.places if places is None else places
        values = [
            self.network.row_channels(weights, x, t, box, plan)
            for (x, t), plan in zip(places, self.plans, strict=True)
        ]
        return self.rows_from(self.plans, values, *self.network.row_places(*places[0]))

    def rows_from(self, plans, values, x, t) -> list:
        """Return the rows of all lines from values at points.

        Args:
            plans: what selects a functional from the values, for each field.
            values: one array of shape (n,) a channel, for each field; (n, L) of sequences.
            x: positions, of the same shape.
            t: instants, of the same shape.

        Returns:
            Rows of that shape; of a term that counts at the start of a sequence (n, 1); of the
            alignment (columns of the grid, points along t but one, L - 1).
        """
        rows = [
            self._counting(line, line.row(plans, values, x, t, axis))
            for line in self.lines
            for axis in (None, *self.axes)
        ]
        return [*rows, _alignment(values[0][0], self._column)] if self._column > 1 else rows

    def _counting(self, line: Line, row):
        return row[:, :1] if line.term in self._starts else row

    @property
    def group_count(self) -> int:
        """The number of groups of rows of the set."""
        return len(self.lines) * (1 + len(self.axes)) + (self._column > 1)

    @property
    def columns(self) -> int:
        """Channels a point of the set, over all its places."""
        return sum(len(plan) for plan in self.plans)

    def cut(self, columns: float, parts: int = 1):
        """Cut the points into equal chunks of about ``columns`` points times channels.

        Args:
            columns: points times channels of a chunk.
            parts: deal the points out at random to so many parts first, each cut by itself; a
                part is a run of chunks. The random numbers are the same every time.

        Returns:
            ``(places, counts)``: the places with a leading axis of chunks, and a mask of 0 and 1
            of shape (chunks, size): a part's last chunk is filled up with points that do not count.
        """
        n = self.places[0][0].size
        pieces = n // self._column
        order = np.arange(pieces) if parts == 1 else np.random.default_rng(0).permutation(pieces)
        largest = -(-pieces // parts)
        chunks = max(1, min(largest, round(largest * self._column * self.columns / columns)))
        size = -(-largest // chunks)
        take = np.full((parts, chunks * size), -1)
        for part in range(parts):
            mine = order[part::parts]
            take[part, : mine.size] = mine
        take = self._points_of(take.reshape(parts * chunks, size))
        counts = (take >= 0).astype(self.places[0][0].dtype)
        take = np.where(take >= 0, take, n - 1)
        return [(x[take], t[take]) for x, t in self.places], counts

    def _points_of(self, pieces):
        """Return the points of pieces of the grid, -1 of the piece -1."""
        points = pieces[..., None] * self._column + np.arange(self._column)
        return np.where(pieces[..., None] < 0, -1, points).reshape(len(pieces), -1)

    def _share(self, columns: float, cores: int):
        """Return what :meth:`cut` returns for this core's share of the points."""
        places, counts = self.cut(columns, cores)
        own = lambda a: own_share(a, cores)  # noqa: E731
        return [(own(x), own(t)) for x, t in places], own(counts)

    def weighted_square(self, weights, box, group_weights, cores: int = 1):
        """Return Σ weight · mean(row²), chunk by chunk of points, or this core's share of it.

        A chunk's channels stay in cache from the first layer to the gradient, which is taken
        together with the value: a backward pass over all points would find them in memory only.
        """
        n = self.places[0][0].size
        chunk = self.network.chunk_points
        columns = chunk * self.columns if chunk else _chunk_columns(cores)
        places, counts = self._share(columns, cores)

        def square(weights, places, counts):
            rows = self.rows(weights, box, places)
            return sum(
                w / _all_of(r, n) * jnp.vdot(r * _as_row(counts, r), r)
                for w, r in zip(group_weights, rows, strict=True)
            )

        if len(counts) == 1:
            return square(weights, [(x[0], t[0]) for x, t in places], counts[0])

        @jax.custom_vjp
        def all_chunks(weights):
            return with_gradient(weights)[0]

        def with_gradient(weights):
            def add(carry, chunk):
                return jax.tree.map(jnp.add, carry, jax.value_and_grad(square)(weights, *chunk)), ()

            start = (jnp.zeros((), counts.dtype), jax.tree.map(jnp.zeros_like, weights))
            return jax.lax.scan(add, start, (places, counts))[0]

        all_chunks.defvjp(
            with_gradient, lambda gradient, g: (jax.tree.map(lambda leaf: g * leaf, gradient),)
        )
        return all_chunks(weights)

    def mean_square_shares(self, weights, box, cores: int) -> list:
        """Return this core's share of each group's mean square."""
        n, chunk = self.places[0][0].size, self.network.chunk_points
        places, counts = self._share(
            _LOG_CHUNKS * chunk * self.columns if chunk else math.inf, cores
        )

        def shares(chunk):
            places, counts = chunk
            rows = self.rows(weights, box, places)
            return [jnp.vdot(r * _as_row(counts, r), r) / _all_of(r, n) for r in rows]

        if len(counts) == 1:
            return shares(([(x[0], t[0]) for x, t in places], counts[0]))
        return [jnp.sum(share) for share in jax.lax.map(shares, (places, counts))]


def _alignment(u, column: int):
    """Return what sequences of neighbours in time give to the same point, less one another.

    Element k of the later point's is at its instant + kΔ, element k + 1 of the earlier one's too,
    if Δ lies between the points.

    Args:
        u: shape (n, L), of whole columns of the grid.
        column: points of the grid along t.
    """
    u = u.reshape(-1, column, u.shape[-1])
    return u[:, 1:, :-1] - u[:, :-1, 1:]


def _all_of(row, points: int) -> int:
    """Return how many values a row has at all points, not only at those of a chunk."""
    if row.ndim < 3:
        return points * math.prod(row.shape[1:])
    return points // (row.shape[1] + 1) * math.prod(row.shape[1:])


def _as_row(counts, row):
    """Return the mask of points in a shape that multiplies a row."""
    if row.ndim == 1:
        return counts
    if row.ndim == 2:
        return counts[:, None]
    return counts.reshape(len(row), -1)[:, 1:, None]


def _chunk_columns(cores: int = 1) -> float:
    """Return points times channels of a chunk: what the cores' caches hold, on a GPU all."""
    if jax.default_backend() != "cpu":
        return math.inf
    if cores > 1:
        return _OWN_CHUNK_COLUMNS
    # XLA has a thread for each core that this variable (see cli.configure_jax) leaves it.
    threads = os.environ.get("NPROC") or os.cpu_count() or 1
    return _CHUNK_COLUMNS * int(threads)
