"""Gauss-Newton for double PINN, from the fresh network or after L-BFGS (ours, not the paper's)."""

from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field, field_validator

from double_pinn.numerics.cores import WHOLE
from double_pinn.numerics.objective import Objective
from double_pinn.numerics.optimizers.base import Stepper, StepState
from double_pinn.numerics.optimizers.damped_step import first_damping, gauss_newton_step
from double_pinn.numerics.optimizers.gram import WholeGram
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.optimizers.pivoted import PivotedGram
from double_pinn.numerics.optimizers.tiles import RowTiles
from double_pinn.numerics.schedule import FIRST_ORDER, SECOND_ORDER
from double_pinn.values import Count, Natural, NonNegative, Positive


class GaussNewton(LBFGS):
    """Damped Gauss-Newton steps on the rows by the chord method, if wanted after L-BFGS.

    Over several cores the tiles of K = J Jᵀ are dealt out; if it is made as a whole, each core has
    the whole of the rest.
    """

    name = "gauss_newton"
    label = "Gauss-Newton"
    needs_rows = True
    needs_taps = True

    warmup_iterations: Natural = 0
    """L-BFGS iterations after which Gauss-Newton takes over at the latest; 0: no L-BFGS at all."""
    switch_loss: NonNegative = 1e-5
    """Gauss-Newton takes over once the loss is below this fraction of its first value."""
    horizons: Annotated[tuple[Positive, ...], Field(strict=False)] = ()
    """Time marching: fractions of the time range, rising, below 1. The steps see the equation's
    points up to the first, then up to the next, and in the end all; conditions are always whole."""
    horizon_loss: NonNegative = 1e-4
    """A horizon is left once the loss is below this fraction of the first of all."""
    horizon_steps: Count = 40
    """Steps after which a horizon is left at the latest."""
    whole_rows: Count = 4000
    """Rows up to which K is made as a whole; beyond, from randomly pivoted columns."""
    most_pivots: Count = 1500
    """The most columns that K is made from, where it is not made as a whole."""

    @field_validator("horizons")
    @classmethod
    def _rise(cls, horizons):
        if any(a >= b for a, b in pairwise((*horizons, 1.0))):
            raise ValueError("must rise and stay below 1: the last stage sees the whole time range")
        return horizons

    def stepper(self, objective):
        """Return the schedule bound to an objective."""
        return _Schedule(self, objective).stepper(super().stepper(objective))


class GaussNewtonState(NamedTuple):
    """State of the schedule L-BFGS, then Gauss-Newton.

    Attributes:
        first: state of L-BFGS; ``None`` without it.
        count: steps so far, int32 scalar.
        marked: objective at the start, scalar.
        damping: relative damping of the next Gauss-Newton step, scalar.
        stage: number of the horizon that the steps see, int32 scalar.
        since: steps taken at this horizon, int32 scalar.
    """

    first: Any
    count: Any
    marked: Any
    damping: Any
    stage: Any
    since: Any


# Iterations between two looks of the switching rule.
_LOOK_EVERY = 100


class _Schedule:
    """Gauss-Newton from the fresh network, or once L-BFGS has become slow.

    The rule looks every 100 iterations: Gauss-Newton takes over when the loss has fallen below
    ``switch_loss`` times its first value, or when L-BFGS stalls, at the latest after
    ``warmup_iterations``. Its steps see one horizon after the other.
    """

    def __init__(self, options: GaussNewton, objective: Objective):
        self.options = options
        network, system = objective.network, objective.system
        whole = sum(group.count for group in system.groups) <= options.whole_rows
        self._tiles = RowTiles(network, system, 1 if whole else system.cores)
        self._gram = WholeGram if whole else (lambda t: PivotedGram(t, options.most_pivots))
        self._fractions = np.asarray([*options.horizons, 1.0], system.dtype)
        t0, t1 = system.box[1]
        self._instants = (t0 + (t1 - t0) * self._fractions).astype(system.dtype)

    def _seen(self, stage) -> RowTiles:
        """Return the rows that the steps see."""
        if len(self._instants) == 1:
            return self._tiles
        # Rounding must not cost the last instant.
        beyond = jnp.asarray(self._instants * (1 + 4 * jnp.finfo(self._instants.dtype).eps))
        return self._tiles.until(beyond[stage])

    def _at_stage(self, state: StepState, stage) -> StepState:
        """Return a state at the start of a horizon, with the damping that its loss asks for."""
        seen = self._seen(stage)
        rows = seen.rows(state.parameters)
        value = seen.total(rows @ rows)
        inner = state.inner._replace(
            damping=jnp.minimum(value, 1).astype(value.dtype),
            stage=jnp.asarray(stage, jnp.int32),
            since=jnp.zeros((), jnp.int32),
        )
        return state._replace(value=value, horizon=jnp.asarray(self._fractions)[stage], inner=inner)

    def stepper(self, first: Stepper) -> Stepper:
        """Return the schedule that starts with another optimiser, or would without a warm-up."""
        warmup, marching = self.options.warmup_iterations, len(self._instants) > 1

        def init(parameters):
            state = first.init(parameters)
            zero = jnp.zeros((), jnp.int32)
            before = state.inner if warmup else None
            damping = first_damping(parameters.dtype)
            inner = GaussNewtonState(before, zero, state.value, damping, zero, zero)
            phase = FIRST_ORDER if warmup else SECOND_ORDER
            state = state._replace(phase=jnp.full((), phase, jnp.int32), inner=inner)
            return self._at_stage(state, 0) if marching and not warmup else state

        def first_order(state):
            inner = state.inner
            new = first.step(state._replace(inner=inner.first))
            count = inner.count + 1
            low = new.value < self.options.switch_loss * inner.marked
            over = (low & (count % _LOOK_EVERY == 0)) | new.stalled | (count >= warmup)
            new = new._replace(
                stalled=jnp.zeros((), bool),
                phase=jnp.where(over, SECOND_ORDER, FIRST_ORDER).astype(jnp.int32),
                inner=inner._replace(first=new.inner, count=count),
            )
            if not marching:
                return new
            return jax.lax.cond(over, lambda s: self._at_stage(s, 0), lambda s: s, new)

        def step(state):
            return jax.lax.cond(state.phase == FIRST_ORDER, first_order, self._step, state)

        inner = GaussNewtonState(first.spread.inner if warmup else None, *[WHOLE] * 5)
        # Without a warm-up L-BFGS is not compiled either, which takes as long as the step itself.
        return Stepper(init, step if warmup else self._step, first.spread._replace(inner=inner))

    def _step(self, state: StepState) -> StepState:
        """Take a Gauss-Newton step, and go on to the next horizon if this one has been solved."""
        inner, options, last = state.inner, self.options, len(self._instants) - 1
        gram = self._gram(self._seen(inner.stage))
        trial = gauss_newton_step(gram, state.parameters, state.value, inner.damping)
        taken = state._replace(
            parameters=trial.parameters,
            value=trial.value,
            evaluations=state.evaluations + trial.evaluations,
            stalled=~trial.accepted,
            inner=inner._replace(
                count=inner.count + 1, damping=trial.damping, since=inner.since + 1
            ),
        )
        if not last:
            return taken
        solved = trial.value < options.horizon_loss * inner.marked
        over = solved | ~trial.accepted | (taken.inner.since >= options.horizon_steps)

        def go_on(state):
            return self._at_stage(state, inner.stage + 1)._replace(stalled=jnp.zeros((), bool))

        return jax.lax.cond(over & (inner.stage < last), go_on, lambda s: s, taken)
