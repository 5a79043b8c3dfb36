"""What an optimiser is: a choice that binds steps of one signature to an objective."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax

from double_pinn.numerics.choice import Choice
from double_pinn.numerics.cores import WHOLE
from double_pinn.numerics.objective import Objective
from double_pinn.numerics.schedule import FIRST_ORDER
from double_pinn.values import Count


class Optimizer(Choice):
    """An optimiser with its options.

    Attributes:
        needs_rows: whether it works on the rows one by one, so that a penalty that is no mean of
            squared rows is out of its reach.
        needs_taps: whether it needs each layer's inputs and cotangents from the network.
        dealt: what a run deals out in equal shares over several CPU cores, a device each, in words
            and with the option that counts it; empty: XLA splits its products over them.
    """

    needs_rows: ClassVar[bool] = False
    needs_taps: ClassVar[bool] = False
    dealt: ClassVar[str] = ""

    def cores(self, available: int) -> int:
        """Return over how many of the available cores a run is dealt out."""
        return 1

    def stepper(self, objective: Objective) -> "Stepper":
        """Return the optimiser bound to an objective."""
        raise NotImplementedError


class LimitedMemory(Optimizer):
    """What all forms of L-BFGS have in common: it is no choice by itself."""

    memory: Count = 100
    """Pairs kept by L-BFGS (Appendix A: 100)."""
    max_line_search_steps: Count = 20
    """Evaluations a line search may take (Optax's default: 20)."""


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
        horizon: fraction of the time range whose points of the equation the next step sees, scalar.
    """

    parameters: Any
    value: Any
    gradient: Any
    evaluations: Any
    stalled: Any
    phase: Any
    inner: Any
    horizon: Any = 1.0


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
            horizon=jnp.ones((), value.dtype),
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
    return Stepper(init, step, StepState(*[WHOLE] * 8)._replace(inner=spread))
