"""Gauss-Newton for double PINN, after L-BFGS from the fresh network (ours, not the paper's)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from double_pinn.numerics.cores import WHOLE
from double_pinn.numerics.objective import Objective
from double_pinn.numerics.optimizers.base import Stepper
from double_pinn.numerics.optimizers.damped_step import first_damping, gauss_newton_step
from double_pinn.numerics.optimizers.gram import RowGram
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.schedule import FIRST_ORDER, SECOND_ORDER
from double_pinn.values import Count, Natural, NonNegative


class GaussNewton(LBFGS):
    """L-BFGS first, then Levenberg-Marquardt on the rows, with geodesic acceleration.

    Over several cores the tiles of K = J Jᵀ are dealt out; each has the whole of the rest.
    """

    name = "gauss_newton"
    label = "Gauss-Newton"
    needs_rows = True
    needs_taps = True

    warmup_iterations: Natural = 1000
    """L-BFGS iterations after which Gauss-Newton takes over at the latest."""
    switch_loss: NonNegative = 1e-5
    """Gauss-Newton takes over once the loss is below this fraction of its first value."""
    acceleration: bool = True
    """Whether to use geodesic acceleration."""
    most_rows: Count = 4000
    """Rows that a step sees, about: its matrix has as many rows and columns. Beyond it the points
    of the domain are dealt out to parts (Allen-Cahn alone; on a GPU ask for all, 20000)."""

    def stepper(self, objective):
        """Return the schedule bound to an objective."""
        return _scheduled(self, objective, super().stepper(objective))


class GaussNewtonState(NamedTuple):
    """State of the schedule L-BFGS, then Gauss-Newton.

    Attributes:
        first: state of L-BFGS.
        count: steps so far, int32 scalar.
        marked: objective at the last look of the switching rule, scalar.
        damping: relative damping of the next Gauss-Newton step, scalar.
        refused: parts of the rows in a row that gave no step, int32 scalar.
    """

    first: Any
    count: Any
    marked: Any
    damping: Any
    refused: Any


# Iterations between two looks of the switching rule.
_LOOK_EVERY = 100


def _scheduled(options: "GaussNewton", objective: Objective, first: Stepper) -> Stepper:
    """Return L-BFGS from the fresh network, and Gauss-Newton once L-BFGS has become slow.

    The rule looks every 100 iterations: Gauss-Newton takes over when the loss has fallen below
    ``switch_loss`` times its first value, or when L-BFGS stalls, at the latest after
    ``warmup_iterations``. Where there are more rows than ``most_rows``, the steps see one part of
    them after the other; once no part lowers the loss of all rows, the steps see all rows.
    """
    gram = RowGram(objective.network, objective.system, options.most_rows)

    def init(parameters):
        state = first.init(parameters)
        inner = GaussNewtonState(
            state.inner,
            count=jnp.zeros((), jnp.int32),
            marked=state.value,
            damping=first_damping(parameters.dtype),
            refused=jnp.zeros((), jnp.int32),
        )
        phase = SECOND_ORDER if options.warmup_iterations == 0 else FIRST_ORDER
        return state._replace(phase=jnp.full((), phase, jnp.int32), inner=inner)

    def first_order(state):
        inner = state.inner
        new = first.step(state._replace(inner=inner.first))
        count = inner.count + 1
        low = (count % _LOOK_EVERY == 0) & (new.value < options.switch_loss * inner.marked)
        over = low | new.stalled | (count >= options.warmup_iterations)
        return new._replace(
            stalled=jnp.zeros((), bool),
            phase=jnp.where(over, SECOND_ORDER, FIRST_ORDER).astype(jnp.int32),
            inner=inner._replace(first=new.inner, count=count),
        )

    def take(rows, state):
        return gauss_newton_step(
            rows,
            state.parameters,
            state.value,
            state.inner.damping,
            acceleration=options.acceleration,
            judge=gram,
        )

    def second_order(state):
        inner = state.inner
        if gram.parts == 1:
            trial = take(gram, state)
            whole = jnp.ones((), bool)
        else:
            whole = inner.refused >= gram.parts
            part = inner.count % gram.parts
            trial = jax.lax.cond(
                whole, lambda s: take(gram, s), lambda s: take(gram.part(part), s), state
            )
        refused = jnp.where(trial.accepted, 0, inner.refused + 1).astype(jnp.int32)
        return state._replace(
            parameters=trial.parameters,
            value=trial.value,
            evaluations=state.evaluations + trial.trials,
            stalled=whole & ~trial.accepted,
            inner=inner._replace(
                count=inner.count + 1,
                # What one part refused says nothing of the next.
                damping=jnp.where(trial.accepted, trial.damping, inner.damping),
                # From then on: all rows.
                refused=jnp.where(whole, inner.refused, refused),
            ),
        )

    def step(state):
        return jax.lax.cond(state.phase == FIRST_ORDER, first_order, second_order, state)

    inner = GaussNewtonState(first.spread.inner, *[WHOLE] * 4)
    return Stepper(init, step, first.spread._replace(inner=inner))
