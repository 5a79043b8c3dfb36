"""Optax's own L-BFGS, for comparison."""

import optax

from double_pinn.numerics.optimizers.base import LimitedMemory, optax_stepper


class OptaxLBFGS(LimitedMemory):
    """``optax.lbfgs`` as it is: two loops, and its own zoom line search."""

    name = "optax_lbfgs"
    label = "Optax L-BFGS"

    def stepper(self, objective):
        """Return the optimiser bound to an objective."""
        search = optax.scale_by_zoom_linesearch(
            max_linesearch_steps=self.max_line_search_steps, initial_guess_strategy="one"
        )
        return optax_stepper(optax.lbfgs(memory_size=self.memory, linesearch=search), objective)
