"""When training looks at itself: what is logged, and what ends it (Appendix A)."""

import math

import numpy as np

from double_pinn.values import Count, NonNegative, Section

#: The order of an optimiser's steps, which its state carries.
FIRST_ORDER, SECOND_ORDER = 0, 1


class StoppingRule(Section):
    """The rule of the relative change (Appendix A)."""

    check_every: Count = 100
    """Iterations between two looks at the relative change of the train loss."""
    tolerance: NonNegative | None = None
    """The change below which training stops; null: √ε of the precision, as in the paper."""

    def is_due(self, iteration: int) -> bool:
        """Return whether the rule looks at an iteration."""
        return iteration % self.check_every == 0

    def stands_still(self, before: float | None, loss: float, dtype) -> bool:
        """Return whether the loss has changed too little since the last look.

        Args:
            before: the loss at the last look; ``None``: there was none.
            loss: the loss now.
            dtype: of the run.
        """
        tolerance = self.tolerance
        if tolerance is None:
            tolerance = math.sqrt(np.finfo(dtype).eps)
        return before is not None and abs(before - loss) < tolerance * abs(before)

    def next_check(self, iteration: int) -> int:
        """Return the iteration after this one at which the rule looks next."""
        return (iteration // self.check_every + 1) * self.check_every


class Stopping(StoppingRule):
    """When training ends: by the rule, or at the latest when the budget is used up."""

    max_iterations: Count
    """The budget."""

    def verdict(self, iteration: int, before: float | None, loss: float, dtype) -> str | None:
        """Return why training ends at an iteration, or ``None``.

        Args:
            iteration: how many are done.
            before: the loss at the last look; ``None``: there was none.
            loss: the loss now.
            dtype: of the run.
        """
        if self.is_due(iteration) and self.stands_still(before, loss, dtype):
            return "tolerance"
        return "max_iterations" if iteration >= self.max_iterations else None


class Logging(Section):
    """How often losses are logged."""

    every: Count = 100
    """Iterations between two entries of the loss histories."""
    every_second_order: Count = 5
    """The same for second-order steps, which are dearer and go further."""

    def due(self, phase: int, last: int) -> int:
        """Return the iteration that is logged after ``last`` (-1: none yet), whatever the budget.

        Args:
            phase: order of the steps, ``FIRST_ORDER`` or ``SECOND_ORDER``.
            last: the iteration of the last entry.
        """
        every = self.every if phase == FIRST_ORDER else self.every_second_order
        return 0 if last < 0 else (last // every + 1) * every
