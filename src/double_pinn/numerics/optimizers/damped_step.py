"""A damped Gauss-Newton step in dual form, for few rows or dependent ones, and many parameters.

Double PINN is a nonlinear least-squares problem with N rows r. A step from θ₀ aims at the minimum
of ‖r(θ)‖² + μ‖θ - θ₀‖², of which Levenberg-Marquardt takes the first iterate. With the Jacobian J
at θ₀ and K = J Jᵀ (N × N), it lies, but for the change of J, at θ = θ₀ - Jᵀy with r(θ) = μ y, and

    y ← y + (K + μI)⁻¹ (r(θ₀ - Jᵀy) - μ y),        from y = 0,

is the chord method for that. The first iterate is Levenberg-Marquardt's, the second has the
geodesic acceleration of Transtrum and Sethna (arXiv:1201.5885) and terms beyond it. An iterate
costs the rows, one product by Jᵀ and one solution, where K and its factor cost some fifty times as
much; and as r and Jᵀ are exact, K need not be. This is not the paper's method: the paper trains
with L-BFGS alone.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_RAISE, _LOWER = 3.0, 1.0 / 3.0
_FIRST_DAMPING = 1e-3
_MOST_TRIALS = 30
_MOST_ITERATES = 8
# Iterates after which a step was easy: the next is damped less.
_EASY = 4
# The chord method must reduce the square of what is missing by this factor an iterate, and has
# arrived where it is this fraction of what the step gains.
_CONTRACTION = 0.5
_ARRIVED = 0.1


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
    y: jax.Array
    rows: jax.Array
    parameters: jax.Array
    value: jax.Array
    missing: jax.Array
    number: jax.Array
    arrived: jax.Array
    hopeless: jax.Array


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
            y = last.y + gram.solve(matrix, factor, mu, last.rows - mu * last.y)
            there = parameters - tiles.pull(parameters, y)
            rows = tiles.rows(there)
            off = rows - mu * y
            new, missing = tiles.total((rows @ rows, off @ off))
            # A failed factorisation is NaN and compares as false.
            arrived = (new < value) & (missing <= _ARRIVED * (value - new))
            slower = (last.number > 0) & ~(missing < _CONTRACTION * last.missing)
            hopeless = slower | ~jnp.isfinite(missing)
            return _Iterate(y, rows, there, new, missing, last.number + 1, arrived, hopeless)

        first = _Iterate(jnp.zeros_like(start), start, parameters, value, value, zero, no, no)
        end = jax.lax.while_loop(
            lambda i: ~i.arrived & ~i.hopeless & (i.number < _MOST_ITERATES), iterate, first
        )
        easy = (trial.trials == 0) & (end.number <= _EASY)
        change = jnp.where(end.arrived, jnp.where(easy, _LOWER, 1.0), _RAISE)
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


def first_damping(dtype) -> jax.Array:
    """Return the relative damping of a first step, scalar."""
    return jnp.asarray(_FIRST_DAMPING, dtype)
