"""The rows on one set of points, chunk by chunk: what a core's cache holds at a time."""

import math
import os
from collections.abc import Sequence

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


class RowSet:
    """The rows of all lines that share a set of points, with the channels they need there."""

    def __init__(self, places, lines: Sequence[Line], axes: Sequence[int], network):
        """Plan the channels.

        Args:
            places: the points ``(x, t)``, each of shape (n,), of every field that the lines take.
            lines: the pointwise lines.
            axes: along which each line is derived, beside the line itself.
            network: what evaluates channels: it has ``network_channels`` and, for Gauss-Newton,
                ``gradient_channels``.
        """
        self.places, self.lines, self.axes, self.network = places, lines, tuple(axes), network
        per_line = [line.functionals(self.axes) for line in lines]
        self.plans = [
            d.make_plan(f for line in per_line for f in line[k]) for k in range(len(places))
        ]

    def rows(self, weights, box, places=None):
        """Return the rows of all lines, at the set's own places or at others."""
        places = self.places if places is None else places
        values = [
            self.network.network_channels(weights, x, t, box, plan)
            for (x, t), plan in zip(places, self.plans, strict=True)
        ]
        return self.rows_from(self.plans, values, *places[0])

    def rows_from(self, plans, values, x, t) -> list:
        """Return the rows of all lines from values at points.

        Args:
            plans: what selects a functional from the values, for each field.
            values: one array of shape (n,) a channel, for each field.
            x: positions, shape (n,).
            t: instants, shape (n,).
        """
        return [
            line.row(plans, values, x, t, axis)
            for line in self.lines
            for axis in (None, *self.axes)
        ]

    @property
    def group_count(self) -> int:
        """The number of groups of rows of the set."""
        return len(self.lines) * (1 + len(self.axes))

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
        order = np.arange(n) if parts == 1 else np.random.default_rng(0).permutation(n)
        largest = -(-n // parts)
        chunks = max(1, round(largest * self.columns / columns))
        size = -(-largest // chunks)
        take = np.full((parts, chunks * size), -1)
        for part in range(parts):
            mine = order[part::parts]
            take[part, : mine.size] = mine
        take = take.reshape(parts * chunks, size)
        counts = (take >= 0).astype(self.places[0][0].dtype)
        take = np.where(take >= 0, take, n - 1)
        return [(x[take], t[take]) for x, t in self.places], counts

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
        places, counts = self._share(_chunk_columns(cores), cores)

        def square(weights, places, counts):
            rows = self.rows(weights, box, places)
            return sum(
                w / n * jnp.vdot(r * counts, r) for w, r in zip(group_weights, rows, strict=True)
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
        places, counts = self._share(math.inf, cores)
        rows = self.rows(weights, box, [(x[0], t[0]) for x, t in places])
        return [jnp.vdot(row * counts[0], row) / self.places[0][0].size for row in rows]


def _chunk_columns(cores: int = 1) -> float:
    """Return points times channels of a chunk: what the cores' caches hold, on a GPU all."""
    if jax.default_backend() != "cpu":
        return math.inf
    if cores > 1:
        return _OWN_CHUNK_COLUMNS
    # XLA has a thread for each core that this variable (see cli.configure_jax) leaves it.
    threads = os.environ.get("NPROC") or os.cpu_count() or 1
    return _CHUNK_COLUMNS * int(threads)
