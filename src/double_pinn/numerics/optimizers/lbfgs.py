"""L-BFGS, the paper's optimiser, in compact form."""

from double_pinn.numerics.cores import WHOLE, equal_shares
from double_pinn.numerics.optimizers.base import LimitedMemory, optax_stepper
from double_pinn.numerics.optimizers.compact_lbfgs import SPREAD, lbfgs


class LBFGS(LimitedMemory):
    """L-BFGS with a zoom line search (Appendix A); the same steps as Optax's, faster."""

    name = "lbfgs"
    label = "L-BFGS"
    dealt = "the vectors of the history (twice optimizer.memory)"

    def cores(self, available):
        """Return over how many cores the 2m vectors of the history are dealt out equally."""
        return equal_shares(2 * self.memory, available)

    def stepper(self, objective):
        """Return the optimiser bound to an objective, over whose cores the history is dealt out."""
        compact = lbfgs(self.memory, self.max_line_search_steps, cores=objective.system.cores)
        return optax_stepper(compact, objective, (SPREAD, WHOLE, WHOLE))
