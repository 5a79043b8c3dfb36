"""Adam, as somebody might add it."""

import jax
import jax.numpy as jnp
import optax

from double_pinn.numerics.optimizers.base import Optimizer, Stepper, StepState
from double_pinn.numerics.schedule import FIRST_ORDER
from double_pinn.values import Positive


class Adam(Optimizer):
    """Adam with a constant rate."""

    name = "adam"
    label = "Adam"

    rate: Positive = 1e-3
    """Learning rate."""

    def stepper(self, objective):
        """Return Adam bound to an objective."""
        adam, value_and_grad = optax.adam(self.rate), jax.value_and_grad(objective)

        def init(parameters):
            value, gradient = value_and_grad(parameters)
            one, never = jnp.ones((), jnp.int32), jnp.zeros((), bool)
            phase = jnp.full((), FIRST_ORDER, jnp.int32)
            inner = adam.init(parameters)
            return StepState(parameters, value, gradient, one, never, phase, inner)

        def step(state):
            updates, inner = adam.update(state.gradient, state.inner, state.parameters)
            parameters = optax.apply_updates(state.parameters, updates)
            value, gradient = value_and_grad(parameters)
            return state._replace(
                parameters=parameters,
                value=value,
                gradient=gradient,
                evaluations=state.evaluations + 1,
                inner=inner,
            )

        return Stepper(init, step)
