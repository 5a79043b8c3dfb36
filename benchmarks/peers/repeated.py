"""Evaluations as a compiled loop of training runs them: one after the other, no call in between."""

import time

import jax


class Evaluations:
    """A clock for value and gradient inside one compiled loop."""

    def __init__(self, value_and_grad, compiled=jax.jit):
        """Take what to evaluate, ``parameters -> (value, gradient)``, and how to compile it."""

        def run(parameters, count):
            # Each evaluation takes the one before, so none can be dropped.
            def next_parameters(_, p):
                return jax.tree.map(lambda a, g: a - 1e-12 * g, p, value_and_grad(p)[1])

            return jax.lax.fori_loop(0, count, next_parameters, parameters)

        self._run = compiled(run)

    def seconds(self, parameters, count: int) -> float:
        """Return the seconds of one evaluation, the mean of ``count``."""
        jax.block_until_ready(self._run(parameters, 0))  # compiled at the first call
        started = time.perf_counter()
        jax.block_until_ready(self._run(parameters, count))
        return (time.perf_counter() - started) / count
