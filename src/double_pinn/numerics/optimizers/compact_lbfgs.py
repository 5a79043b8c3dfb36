"""L-BFGS in compact form: a few matrix-vector products instead of two loops.

Byrd, Nocedal and Schnabel, "Representations of quasi-Newton matrices and their use in limited
memory methods", Math. Program. 63 (1994), Theorem 2.2 and Section 3.2. The two-loop recursion of
``optax.lbfgs`` touches each of the m = 100 pairs one after the other, four vector operations each;
here the pairs are two blocks of one matrix, read twice an iteration, and what is sequential happens
in m × m matrices. In exact arithmetic the directions are the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.scipy.linalg import solve_triangular

from double_pinn.numerics.cores import (
    AXIS,
    SHARES,
    WHOLE,
    gather_shares,
    own_share,
    sum_over_cores,
)
from double_pinn.numerics.optimizers.linesearch import scale_by_zoom


class ScaleByCompactLBFGSState(NamedTuple):
    """State of :func:`scale_by_compact_lbfgs`; n parameters, memory m.

    Attributes:
        count: updates so far, int32 scalar.
        params: parameters at the last update, shape (n,).
        updates: gradient at the last update, shape (n,).
        pairs: rows 0..m-1 hold s (parameter differences), rows m..2m-1 hold y (gradient
            differences), a ring buffer each, shape (2m, n); of several cores each has a share of
            the rows.
        used: whether a slot holds a pair that counts, shape (m,).
        s_dot_y: sᵢᵀyⱼ by slot, valid where i is not younger than j, shape (m, m).
        y_dot_y: yᵢᵀyⱼ by slot, shape (m, m).
        pairs_dot_g: products of all pairs with the gradient at the last update, shape (2m,).
        scale: γ of the initial matrix γI, scalar.
        skipped: pairs refused by the curvature guard, int32 scalar.
    """

    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    params: jax.Array
    updates: jax.Array
    pairs: jax.Array
    used: jax.Array
    s_dot_y: jax.Array
    y_dot_y: jax.Array
    pairs_dot_g: jax.Array
    scale: jax.Array
    skipped: jax.Array


# How the state is spread over several cores.
SPREAD = ScaleByCompactLBFGSState._make(
    SHARES if field == "pairs" else WHOLE for field in ScaleByCompactLBFGSState._fields
)


def _store(pairs, rows, vectors, cores: int):
    """Write vectors to rows of the pairs, each on the core whose share has the row."""
    if cores == 1:
        return pairs.at[rows[0]].set(vectors[0]).at[rows[1]].set(vectors[1])
    first = jax.lax.axis_index(AXIS) * len(pairs)
    for row, vector in zip(rows, vectors, strict=True):
        at = jnp.clip(row - first, 0, len(pairs) - 1)
        pairs = pairs.at[at].set(jnp.where(at == row - first, vector, pairs[at]))
    return pairs


def scale_by_compact_lbfgs(
    memory_size: int = 100, curvature_tolerance: float | None = None, cores: int = 1
) -> optax.GradientTransformation:
    """Scale a gradient by the L-BFGS approximation of the inverse Hessian.

    A drop-in for ``optax.scale_by_lbfgs`` where the parameters are ONE flat vector. A pair whose
    curvature sᵀy is not above ``curvature_tolerance`` · ‖s‖‖y‖ does not count: the bound is
    relative, because an absolute one stops learning at the tiny losses reached late in training,
    and without any a failed line search poisons the memory. Where rounding has left no direction
    of descent, the scaled gradient is returned; after a step of length zero (a search that found no
    decrease) the memory is forgotten, all but the scaling.

    Args:
        memory_size: number m of pairs.
        curvature_tolerance: least cosine of the angle between s and y; default: ten times the
            machine epsilon.
        cores: over which the pairs are dealt out; more than one: inside
            :func:`double_pinn.numerics.cores.compiled` only.

    Raises:
        ValueError: if ``memory_size`` is not positive, if the cores do not divide its double, or
            if the parameters are not one vector.
    """
    if memory_size < 1:
        raise ValueError("memory_size must be >= 1")
    if 2 * memory_size % cores:
        raise ValueError(f"{cores} cores do not share {2 * memory_size} vectors equally")
    m = memory_size

    def init_fn(params):
        if getattr(params, "ndim", None) != 1:
            raise ValueError("compact L-BFGS needs the parameters as one flat vector")
        matrix = jnp.zeros((m, m), params.dtype)
        return ScaleByCompactLBFGSState(
            count=jnp.zeros((), jnp.int32),
            params=jnp.zeros_like(params),
            updates=jnp.zeros_like(params),
            pairs=jnp.zeros((2 * m // cores, params.size), params.dtype),
            used=jnp.zeros(m, bool),
            s_dot_y=matrix,
            y_dot_y=matrix,
            pairs_dot_g=jnp.zeros(2 * m, params.dtype),
            scale=jnp.ones((), params.dtype),
            skipped=jnp.zeros((), jnp.int32),
        )

    def update_fn(updates, state, params):
        g = updates
        tolerance = (
            10 * jnp.finfo(g.dtype).eps if curvature_tolerance is None else curvature_tolerance
        )
        s, y = params - state.params, g - state.updates
        sy, yy, ss = s @ y, y @ y, s @ s
        fresh = (state.count == 0) | (ss == 0)
        good = ~fresh & (sy > tolerance * jnp.sqrt(ss) * jnp.sqrt(yy))

        slot = (state.count - 1) % m
        pairs = _store(state.pairs, (slot, m + slot), (s, y), cores)
        used = (state.used & ~fresh).at[slot].set(good)
        pairs_g = gather_shares(pairs @ g, cores)
        if g.dtype == jnp.float64:
            # y is a difference of gradients, so its products are differences too: the pairs are
            # read once for all products, and once for the direction.
            pairs_y = (
                (pairs_g - state.pairs_dot_g)
                .at[jnp.stack([slot, m + slot])]
                .set(jnp.stack([sy, yy]))
            )
        else:
            # In FP32 the difference loses what tells a good direction from a poor one.
            pairs_y = gather_shares(pairs @ y, cores)
        s_dot_y = state.s_dot_y.at[:, slot].set(pairs_y[:m])
        y_dot_y = state.y_dot_y.at[slot, :].set(pairs_y[m:]).at[:, slot].set(pairs_y[m:])

        # After a search without decrease the curvature last seen is a better guess than 1/‖g‖.
        scale = jnp.where(state.count == 0, jnp.minimum(1, 1 / jnp.sqrt(g @ g)), state.scale)
        scale = jnp.where(good, sy / jnp.where(good, yy, 1), scale).astype(g.dtype)

        # From slots to age, oldest first: R = triu(SᵀY) is triangular in that order only. A slot
        # that does not count is cut out of all products and leaves a one on R's diagonal.
        order = (slot + 1 + jnp.arange(m)) % m
        counts = used[order]
        both = counts[:, None] & counts
        R = jnp.where(both, s_dot_y[order][:, order], jnp.eye(m, dtype=g.dtype))
        gram = jnp.where(both, y_dot_y[order][:, order], 0)
        s_g = jnp.where(counts, pairs_g[:m][order], 0)
        y_g = jnp.where(counts, pairs_g[m:][order], 0)
        p = solve_triangular(R, s_g)
        middle = jnp.diagonal(R) * p + scale * (gram @ p - y_g)
        q = jnp.where(counts, solve_triangular(R, middle, trans=1), 0)
        by_slot = jnp.zeros((2, m), g.dtype).at[:, order].set(jnp.stack([q, -scale * p]))
        direction = scale * g + sum_over_cores(own_share(by_slot.reshape(-1), cores) @ pairs, cores)
        direction = jnp.where(direction @ g > 0, direction, scale * g)

        new_state = ScaleByCompactLBFGSState(
            count=state.count + 1,
            params=params,
            updates=g,
            pairs=pairs,
            used=used,
            s_dot_y=s_dot_y,
            y_dot_y=y_dot_y,
            pairs_dot_g=pairs_g,
            scale=scale,
            skipped=state.skipped + (~good & (state.count > 0)),
        )
        return direction, new_state

    return optax.GradientTransformation(init_fn, update_fn)


def lbfgs(
    memory_size: int = 100,
    max_linesearch_steps: int = 20,
    curvature_tolerance: float | None = None,
    cores: int = 1,
) -> optax.GradientTransformationExtraArgs:
    """Return compact L-BFGS with a zoom line search: a drop-in for ``optax.lbfgs``.

    Args:
        memory_size: number of pairs kept.
        max_linesearch_steps: evaluations a line search may take.
        curvature_tolerance: see :func:`scale_by_compact_lbfgs`.
        cores: see :func:`scale_by_compact_lbfgs`.
    """
    return optax.chain(
        scale_by_compact_lbfgs(memory_size, curvature_tolerance, cores),
        optax.scale(-1.0),
        scale_by_zoom(max_linesearch_steps),
    )
