"""Optimisers as steppers: one signature for those that take the loss and those that take rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from double_pinn.losses import Objective
from double_pinn.optimizers.lbfgs import lbfgs
from double_pinn.settings import Optimizer


class StepState(NamedTuple):
    """What one optimiser carries from step to step.

    Attributes:
        parameters: flat parameters, shape (n,).
        value: objective there, scalar.
        gradient: gradient there, shape (n,).
        evaluations: value-and-gradient evaluations so far, int32 scalar.
        inner: the optimiser's own state.
    """

    parameters: Any
    value: Any
    gradient: Any
    evaluations: Any
    inner: Any


class Stepper(NamedTuple):
    """An optimiser bound to an objective.

    Attributes:
        init: ``init(parameters) -> StepState``.
        step: ``step(StepState) -> StepState``, traceable.
    """

    init: Callable
    step: Callable


def make_stepper(optimizer: Optimizer, objective: Objective) -> Stepper:
    """Return the optimiser that the settings name, bound to an objective."""
    options = {"memory_size": optimizer.memory}
    if optimizer.name == "optax_lbfgs":
        search = optax.scale_by_zoom_linesearch(
            max_linesearch_steps=optimizer.max_line_search_steps, initial_guess_strategy="one"
        )
        return optax_stepper(optax.lbfgs(linesearch=search, **options), objective)
    options["max_linesearch_steps"] = optimizer.max_line_search_steps
    return optax_stepper(lbfgs(**options), objective)


def optax_stepper(transformation, objective) -> Stepper:
    """Bind an Optax transformation that ends in a zoom line search to an objective."""
    value_and_grad = jax.value_and_grad(objective)

    def init(parameters):
        value, gradient = value_and_grad(parameters)
        state = transformation.init(parameters)
        return StepState(parameters, value, gradient, jnp.ones((), jnp.int32), state)

    def step(state):
        updates, inner = transformation.update(
            state.gradient,
            state.inner,
            state.parameters,
            value=state.value,
            grad=state.gradient,
            value_fn=objective,
        )
        searched = optax.tree.get(inner, "info").num_linesearch_steps
        return StepState(
            optax.apply_updates(state.parameters, updates),
            optax.tree.get(inner, "value"),
            optax.tree.get(inner, "grad"),
            state.evaluations + searched.astype(jnp.int32),
            inner,
        )

    return Stepper(init, step)
