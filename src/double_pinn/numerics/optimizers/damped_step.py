"""A damped Gauss-Newton step in dual form, for few rows or dependent ones, and many parameters.

Double PINN is a nonlinear least-squares problem with N rows r. A step from θ₀ aims at the minimum
of ‖r(θ)‖² + μ‖θ - θ₀‖², of which Levenberg-Marquardt takes the first iterate. With the Jacobian J
at θ₀ and K = J Jᵀ (N × N), it lies, but for the change of J, at θ = θ₀ - Jᵀy with r(θ) = μ y, and

    y ← y + (K + μI)⁻¹ (r(θ₀ - Jᵀy) - μ y),        from y = 0,

is the chord method for that. The first iterate is Levenberg-Marquardt's, the second has the
geodesic acceleration of Transtrum and Sethna (arXiv:1201.5885) and terms beyond it. An iterate
costs the rows, one product by Jᵀ and one solution, where K and its factor cost some fifty times as
much; and as r and Jᵀ are exact, K need not be.

Few directions, in which K has become wrong, would slow it down. So the last iterates are mixed
(Anderson; Walker and Ni, SIAM J. Numer. Anal. 49, 2011): of what is missing, r - μ y, the part that
their changes explain is taken away, and the inverse sees the rest.

This is not the paper's method: the paper trains with L-BFGS alone.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_RAISE = 3.0
# The next step is damped less where this one arrived after so few iterates.
_LOWER = ((3, 0.1), (12, 1.0 / 3.0))
_FIRST_DAMPING = 1e-3
_MOST_TRIALS = 30
_MOST_ITERATES = 30
# A step has arrived where what is missing is this fraction of what it gains.
_ARRIVED = 0.1
# It is given up where so many iterates have not brought it nearer by this factor.
_PATIENCE, _PROGRESS = 8, 0.5
# Changes of y and off that are mixed.
_REMEMBERED = 8


class Trial(NamedTuple):
    """A damped step and what became of it.

    Attributes:
        parameters: where it leads, shape (n,).
        value: objective there.
        damping: μ over the mean of K's diagonal, for the next step.
        trials: values of μ it took.
        evaluations: of the rows it took.
        accepted: whether the loss fell.
    """

    parameters: jax.Array
    value: jax.Array
    damping: jax.Array
    trials: jax.Array
    evaluations: jax.Array
    accepted: jax.Array


class _Iterate(NamedTuple):
    """Where the iteration for y stands; the last changes of y and of ``off`` are rows."""

    y: jax.Array
    off: jax.Array
    moves: jax.Array
    changes: jax.Array
    rows: jax.Array
    parameters: jax.Array
    value: jax.Array
    best: jax.Array
    since: jax.Array
    number: jax.Array
    arrived: jax.Array


def gauss_newton_step(gram: Any, parameters, value, damping) -> Trial:
    """Take one accepted step, raising the damping until there is one.

    Args:
        gram: the rows with their K, whole (:class:`~.gram.WholeGram`) or
            :class:`~.pivoted.PivotedGram`.
        parameters: flat parameters, shape (n,).
        value: objective there.
        damping: relative damping to try first.

    Returns:
        The accepted step, or, where rounding leaves none after 30 trials, the unchanged parameters.
    """
    tiles = gram.tiles
    start = tiles.rows(parameters)
    matrix = gram.matrix(parameters, damping)
    least = jnp.finfo(start.dtype).eps
    zero, no = jnp.zeros((), jnp.int32), jnp.zeros((), bool)

    def attempt(trial: Trial) -> Trial:
        mu = trial.damping * matrix.scale
        factor = gram.factor(matrix, mu)

        def iterate(last: _Iterate) -> _Iterate:
            mixed = _least(last.changes, last.off, tiles.total)
            off = last.off - mixed @ last.changes
            y = last.y - mixed @ last.moves + gram.solve(matrix, factor, mu, off)
            there = parameters - tiles.pull(parameters, y)
            rows = tiles.rows(there)
            off = rows - mu * y
            new, missing = tiles.total((rows @ rows, off @ off))
            # A failed factorisation is NaN and compares as false.
            arrived = (new < value) & (missing <= _ARRIVED * (value - new))
            nearer = missing < _PROGRESS * last.best
            slot = last.number % _REMEMBERED
            return _Iterate(
                y,
                off,
                last.moves.at[slot].set(y - last.y),
                last.changes.at[slot].set(off - last.off),
                rows,
                there,
                new,
                best=jnp.where(nearer, missing, last.best),
                since=jnp.where(nearer, 0, last.since + 1),
                number=last.number + 1,
                arrived=arrived,
            )

        def proceed(i: _Iterate):
            hopeless = (i.since > _PATIENCE) | ~jnp.all(jnp.isfinite(i.value))
            return ~i.arrived & ~hopeless & (i.number < _MOST_ITERATES)

        none = jnp.zeros((_REMEMBERED, start.size), start.dtype)
        infinite = jnp.full((), jnp.inf, start.dtype)
        first = _Iterate(
            *(jnp.zeros_like(start), start, none, none, start, parameters, value),
            *(infinite, zero, zero, no),
        )
        end = jax.lax.while_loop(proceed, iterate, first)
        # After a refusal the damping is right.
        effort = jnp.where(trial.trials == 0, end.number, _MOST_ITERATES)
        lower = jnp.select([effort <= few for few, _ in _LOWER], [by for _, by in _LOWER], 1.0)
        change = jnp.where(end.arrived, lower, _RAISE)
        return Trial(
            jnp.where(end.arrived, end.parameters, parameters),
            jnp.where(end.arrived, end.value, value),
            jnp.maximum(trial.damping * change, least).astype(start.dtype),
            trial.trials + 1,
            trial.evaluations + end.number,
            end.arrived,
        )

    first = Trial(parameters, value, damping, zero, zero, no)
    return jax.lax.while_loop(
        lambda trial: ~trial.accepted & (trial.trials < _MOST_TRIALS), attempt, first
    )


def _least(changes, off, total):
    """Return the combination of changes that is nearest to ``off`` in the least squares, (m,)."""
    products, along, squares = total((changes @ changes.T, changes @ off, jnp.sum(changes**2, 1)))
    # Changes differ by orders of magnitude, and of those that are zero there are none yet.
    unit = jnp.where(squares > 0, 1 / jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    values, vectors = jnp.linalg.eigh(products * unit * unit[:, None])
    cut = 1e3 * jnp.finfo(off.dtype).eps
    inverse = jnp.where(values > cut, 1 / jnp.where(values > cut, values, 1), 0)
    return unit * (vectors @ (inverse * (vectors.T @ (unit * along))))


def first_damping(dtype) -> jax.Array:
    """Return the relative damping of a first step, scalar."""
    return jnp.asarray(_FIRST_DAMPING, dtype)
