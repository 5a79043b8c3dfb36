"""Optax's own L-BFGS, for comparison."""

import optax

from double_pinn.numerics.optimizers.base import Optimizer, optax_stepper
from double_pinn.values import Count


class OptaxLBFGS(Optimizer):
    """``optax.lbfgs`` as it is: two loops, and its own zoom line search."""

    name = "optax_lbfgs"
    label = "Optax L-BFGS"

    memory: Count = 100
    """Pairs kept by L-BFGS (Appendix A: 100)."""
    max_line_search_steps: Count = 20
    """Evaluations a line search may take (Optax's default: 20)."""

    def stepper(self, objective):
        """Return the optimiser bound to an objective."""
        search = optax.scale_by_zoom_linesearch(
            max_linesearch_steps=self.max_line_search_steps, initial_guess_strategy="one"
        )
        return optax_stepper(optax.lbfgs(memory_size=self.memory, linesearch=search), objective)
