"""The matrix K = J Jᵀ as a whole, for few rows: filled tile by tile, factored by Cholesky."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from double_pinn.numerics.cores import AXIS, sum_over_cores
from double_pinn.numerics.optimizers.tiles import RowTiles, features, product, tile_of


class WholeMatrix(NamedTuple):
    """K and what its damping is measured by.

    Attributes:
        K: shape (size, size).
        scale: mean of its diagonal over the rows that count, scalar.
    """

    K: jax.Array
    scale: jax.Array


class WholeGram:
    """K + μI by Cholesky's decomposition; of several cores each fills a share of the tiles.

    Attributes:
        tiles: the rows, all of them on every core.
    """

    def __init__(self, tiles: RowTiles):
        """Name the rows; nothing is computed yet."""
        self.tiles = tiles

    def matrix(self, parameters: Float[Array, " parameters"], damping=None) -> WholeMatrix:
        """Return K = J Jᵀ at parameters.

        Args:
            parameters: flat parameters.
            damping: the least relative damping that is asked for; K serves any.
        """
        K = self.products(parameters)
        diagonal = jnp.diagonal(K)
        # Over the rows that count: how many only fill tiles up must not change the damping.
        return WholeMatrix(K, jnp.sum(diagonal) / jnp.count_nonzero(diagonal))

    def products(self, parameters: Float[Array, " parameters"]) -> Float[Array, "size size"]:
        """Return K, symmetric, shape (size, size)."""
        rows = self.tiles
        weights, box = rows.network.weights(parameters), rows.system.box
        sets = [
            (start, tiles, rows.scale(k), features(tiles, weights, box, tiles.places))
            for k, (start, tiles) in enumerate(zip(rows.starts, rows.sets, strict=False))
        ]
        K = jnp.zeros((rows.size, rows.size), rows.system.dtype)
        for k, mine in enumerate(sets):
            for o, theirs in enumerate(sets[: k + 1]):
                K = _fill(K, mine, theirs, same=k == o, cores=rows.system.cores)
        return sum_over_cores(K, rows.system.cores)

    def factor(self, matrix: WholeMatrix, mu):
        """Return the Cholesky factor of K + μI."""
        return damped_cholesky(matrix.K, mu)

    def solve(self, matrix: WholeMatrix, factor, mu, z: Float[Array, " size"]):
        """Return (K + μI)⁻¹ z."""
        return cho_solve((factor, True), z)


def damped_cholesky(matrix: Float[Array, "n n"], mu) -> Float[Array, "n n"]:
    """Return the Cholesky factor of a matrix + μI, its lower triangle; NaN where there is none."""
    diagonal = jnp.arange(len(matrix))
    return jnp.linalg.cholesky(matrix.at[diagonal, diagonal].add(mu), symmetrize_input=False)


def _fill(K, mine, theirs, *, same: bool, cores: int):
    """Fill the part of K between two sets, and its mirror image: this core's share of the tiles."""
    (start, tiles, scale, own), (other_start, others, other_scale, other) = mine, theirs
    side, other_side = scale[0].size, other_scale[0].size
    core = jax.lax.axis_index(AXIS) if cores > 1 else 0

    def fill_rows(i, K):
        here = tiles.gradients, jnp.asarray(scale)[i], tile_of(own, i)
        first = (core + i) % cores

        def put(k, K):
            j = first + k * cores
            there = others.gradients, jnp.asarray(other_scale)[j], tile_of(other, j)
            products = product(*here, *there)
            row, column = start + i * side, other_start + j * other_side
            K = jax.lax.dynamic_update_slice(K, products, (row, column))
            return jax.lax.dynamic_update_slice(K, products.T, (column, row))

        wanted = i + 1 if same else len(other_scale)
        return jax.lax.fori_loop(0, -(-(wanted - first) // cores), put, K)

    return jax.lax.fori_loop(0, len(scale), fill_rows, K)
