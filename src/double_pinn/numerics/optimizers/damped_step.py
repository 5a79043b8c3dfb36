"""Levenberg-Marquardt with geodesic acceleration in dual form, for few rows and many parameters.

Double PINN is a nonlinear least-squares problem with N rows r, far fewer than parameters. With the
Jacobian J and K = J Jᵀ (N × N, see :mod:`double_pinn.numerics.optimizers.gram`) a damped step is

    v = -Jᵀ (K + μ I)⁻¹ r,        a = -Jᵀ (K + μ I)⁻¹ r_vv,        step = v + a/2,

where r_vv is the second derivative of the rows along v (Transtrum and Sethna, "Improvements to the
Levenberg-Marquardt algorithm for nonlinear least-squares minimization", arXiv:1201.5885). One
Cholesky factor serves both; a step is taken if the loss falls and 2‖a‖/‖v‖ is at most 0.75. This is
not the paper's method: the paper trains with L-BFGS alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve

from double_pinn.numerics.optimizers.gram import RowGram

_LARGEST_ACCELERATION = 0.75
_RAISE, _LOWER = 2.5, 1.0 / 3.0
_FIRST_DAMPING = 1e-3
_MOST_TRIALS = 30


class Trial(NamedTuple):
    """A damped step and what became of it.

    Attributes:
        parameters: where it leads, shape (n,).
        value: objective there.
        damping: μ over the mean of K's diagonal, for the next step.
        trials: factorisations it took.
        accepted: whether the loss fell.
    """

    parameters: jax.Array
    value: jax.Array
    damping: jax.Array
    trials: jax.Array
    accepted: jax.Array


def gauss_newton_step(
    gram: RowGram, parameters, value, damping, *, acceleration=True, judge: RowGram | None = None
) -> Trial:
    """Take one accepted step, raising the damping until there is one.

    Args:
        gram: the rows, or a part of them.
        parameters: flat parameters, shape (n,).
        value: objective there.
        damping: relative damping to try first.
        acceleration: whether to use geodesic acceleration.
        judge: all rows, whose sum of squares must fall; ``None``: ``gram`` has them all.

    Returns:
        The accepted step, or, where rounding leaves none after 30 trials, the unchanged parameters.
    """
    judge = judge or gram
    rows, pull = jax.vjp(gram.rows, parameters)
    K = gram.matrix(parameters)
    diagonal = jnp.arange(gram.size)
    # Over the rows that count: how many only fill tiles up must not change the damping.
    scale = jnp.trace(K) / jnp.count_nonzero(K[diagonal, diagonal])
    least = jnp.finfo(K.dtype).eps

    def curvature(v):
        def slope(at):
            return jax.jvp(gram.rows, (at,), (v,))[1]

        return jax.jvp(slope, (parameters,), (v,))[1]

    def attempt(trial: Trial) -> Trial:
        factor = jnp.linalg.cholesky(
            K.at[diagonal, diagonal].add(trial.damping * scale), symmetrize_input=False
        )

        def towards(target):
            return -pull(cho_solve((factor, True), target))[0]

        v = towards(rows)
        step, ratio = v, jnp.zeros((), K.dtype)
        if acceleration:
            a = towards(curvature(v))
            step, ratio = v + 0.5 * a, 2 * jnp.linalg.norm(a) / jnp.linalg.norm(v)
        moved = parameters + step
        new_rows = judge.rows(moved)
        new_value = new_rows @ new_rows
        # A failed factorisation is NaN and compares as false.
        accepted = (new_value < value) & (ratio <= _LARGEST_ACCELERATION)
        at_once = jnp.where(trial.trials == 0, _LOWER, 1.0)
        return Trial(
            jnp.where(accepted, moved, parameters),
            jnp.where(accepted, new_value, value),
            jnp.maximum(trial.damping * jnp.where(accepted, at_once, _RAISE), least),
            trial.trials + 1,
            accepted,
        )

    start = Trial(parameters, value, damping, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    return jax.lax.while_loop(
        lambda trial: ~trial.accepted & (trial.trials < _MOST_TRIALS), attempt, start
    )


def first_damping(dtype) -> jax.Array:
    """Return the relative damping of a first step, scalar."""
    return jnp.asarray(_FIRST_DAMPING, dtype)
