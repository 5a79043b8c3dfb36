"""Optimisers as steppers: one signature for those that take the loss and those that take rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from double_pinn.configuration.settings import Optimizer
from double_pinn.errors import SettingsError
from double_pinn.numerics.cores import WHOLE
from double_pinn.numerics.objective import Objective
from double_pinn.numerics.optimizers.gauss_newton import first_damping, gauss_newton_step
from double_pinn.numerics.optimizers.gram import RowGram
from double_pinn.numerics.optimizers.lbfgs import SPREAD, lbfgs

FIRST_ORDER, SECOND_ORDER = 0, 1


class StepState(NamedTuple):
    """What one optimiser carries from step to step.

    Attributes:
        parameters: flat parameters, shape (n,).
        value: objective there, scalar.
        gradient: gradient there, shape (n,); not kept up by second-order steps.
        evaluations: evaluations of the objective so far, int32 scalar.
        stalled: whether the last step found no decrease, and the next would find none either.
        phase: whether the next step is of first (0) or second order (1), int32 scalar.
        inner: the optimiser's own state.
    """

    parameters: Any
    value: Any
    gradient: Any
    evaluations: Any
    stalled: Any
    phase: Any
    inner: Any


class Stepper(NamedTuple):
    """An optimiser bound to an objective.

    Attributes:
        init: ``init(parameters) -> StepState``.
        step: ``step(StepState) -> StepState``, traceable.
        spread: how the state is spread over several cores.
    """

    init: Callable
    step: Callable
    spread: Any = WHOLE


def make_stepper(optimizer: Optimizer, objective: Objective) -> Stepper:
    """Return the optimiser that the settings name, bound to an objective.

    Args:
        optimizer: the settings.
        objective: what to minimise; L-BFGS deals its history out over the cores that share its
            points (see :mod:`double_pinn.numerics.cores`).

    Raises:
        SettingsError: if ``gauss_newton`` is asked to minimise what is not a sum of squared rows.
    """
    memory, most = optimizer.memory, optimizer.max_line_search_steps
    if optimizer.name == "optax_lbfgs":
        search = optax.scale_by_zoom_linesearch(
            max_linesearch_steps=most, initial_guess_strategy="one"
        )
        return optax_stepper(optax.lbfgs(memory_size=memory, linesearch=search), objective)
    compact = lbfgs(memory, most, cores=objective.system.cores)
    first = optax_stepper(compact, objective, (SPREAD, WHOLE, WHOLE))
    if optimizer.name == "lbfgs":
        return first
    if objective.regularizer.name in ("l1", "l2"):
        raise SettingsError(
            f"regularizer.name is {objective.regularizer.name!r}: optimizer gauss_newton works on "
            "rows; choose none, double or gpinn, or the optimizer lbfgs"
        )
    return _gauss_newton_stepper(optimizer, objective, first)


def optax_stepper(transformation, objective, spread=WHOLE) -> Stepper:
    """Bind an Optax transformation that ends in a zoom line search to an objective.

    Args:
        transformation: the optimiser.
        objective: what it minimises.
        spread: how the transformation's state is spread over several cores.
    """
    value_and_grad = jax.value_and_grad(objective)

    def init(parameters):
        value, gradient = value_and_grad(parameters)
        inner = transformation.init(parameters)
        return StepState(
            parameters,
            value,
            gradient,
            evaluations=jnp.ones((), jnp.int32),
            stalled=jnp.zeros((), bool),
            phase=jnp.full((), FIRST_ORDER, jnp.int32),
            inner=inner,
        )

    def step(state):
        updates, inner = transformation.update(
            state.gradient,
            state.inner,
            state.parameters,
            value=state.value,
            grad=state.gradient,
            value_fn=objective,
        )
        # The first failed search empties the memory; steepest descent failing too is the end.
        rates = [optax.tree.get(s, "learning_rate") for s in (state.inner, inner)]
        searched = optax.tree.get(inner, "info").num_linesearch_steps
        return state._replace(
            parameters=optax.apply_updates(state.parameters, updates),
            value=optax.tree.get(inner, "value"),
            gradient=optax.tree.get(inner, "grad"),
            evaluations=state.evaluations + searched.astype(jnp.int32),
            stalled=(rates[0] == 0) & (rates[1] == 0),
            inner=inner,
        )

    # All but the transformation's own state is on every core.
    return Stepper(init, step, StepState(*[WHOLE] * 6, inner=spread))


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


def _gauss_newton_stepper(optimizer: Optimizer, objective: Objective, first: Stepper) -> Stepper:
    """L-BFGS from the fresh network, Gauss-Newton once L-BFGS has become slow.

    The rule looks every 100 iterations: Gauss-Newton takes over when the loss has fallen below
    ``switch_loss`` times its first value, or when L-BFGS stalls, at the latest after
    ``warmup_iterations``. Where there are more rows than ``most_rows``, the steps see one part of
    them after the other; once no part lowers the loss of all rows, the steps see all rows.
    """
    gram = RowGram(objective.network, objective.system, optimizer.most_rows)

    def init(parameters):
        state = first.init(parameters)
        inner = GaussNewtonState(
            state.inner,
            count=jnp.zeros((), jnp.int32),
            marked=state.value,
            damping=first_damping(parameters.dtype),
            refused=jnp.zeros((), jnp.int32),
        )
        phase = SECOND_ORDER if optimizer.warmup_iterations == 0 else FIRST_ORDER
        return state._replace(phase=jnp.full((), phase, jnp.int32), inner=inner)

    def first_order(state):
        inner = state.inner
        new = first.step(state._replace(inner=inner.first))
        count = inner.count + 1
        low = (count % _LOOK_EVERY == 0) & (new.value < optimizer.switch_loss * inner.marked)
        over = low | new.stalled | (count >= optimizer.warmup_iterations)
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
            acceleration=optimizer.acceleration,
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

    return Stepper(init, step)
