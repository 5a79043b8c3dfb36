"""A clock for ``torch.optim.LBFGS``, without the evaluation that every ``step`` repeats."""

import time

from benchmarks.peers import Stretch


class LBFGSClock:
    """A clock that runs calls of ``step`` and counts.

    A call of ``step`` evaluates once more where the last call ended. Users make calls of hundreds
    of iterations; here a call may hold few, so the repetition is not charged.
    """

    def __init__(self, optimizer):
        """Watch an optimiser: its closures are timed from now on."""
        self.optimizer, self._first = optimizer, None
        step = optimizer.step

        def timed_step(closure):
            self._first = None

            def timed():
                if self._first is not None:
                    return closure()
                started = time.perf_counter()
                value = closure()
                self._first = time.perf_counter() - started
                return value

            return step(timed)

        optimizer.step = timed_step

    def _count(self, name: str) -> int:
        return self.optimizer.state[self.optimizer.param_groups[0]["params"][0]].get(name, 0)

    def run(self, step, iterations: int) -> Stretch:
        """Take iterations by ``step()``, which calls the optimiser's ``step`` once.

        Raises:
            RuntimeError: if the optimiser refuses to go on.
        """
        self.optimizer.param_groups[0].update(max_iter=iterations, max_eval=25 * iterations + 25)
        before = self._count("n_iter"), self._count("func_evals")
        started = time.perf_counter()
        step()
        seconds = time.perf_counter() - started - self._first
        taken = self._count("n_iter") - before[0]
        if taken < iterations:
            raise RuntimeError(f"torch.optim.LBFGS stopped after {taken} of {iterations}")
        return Stretch(seconds, taken, self._count("func_evals") - before[1] - 1)
