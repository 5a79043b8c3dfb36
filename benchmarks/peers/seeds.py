"""The project itself, several seeds of one cell in one process by ``jax.vmap``."""

import time

import jax
import jax.numpy as jnp

from benchmarks.cases import Case
from benchmarks.peers import Stretch
from benchmarks.peers.project import Peer as Project
from double_pinn.numerics.cores import WHOLE, compiled


class Peer:
    """Seeds side by side; a line search goes on until the last of them is done.

    Attributes:
        states: of the optimiser, with a leading axis of seeds if there are several.
    """

    def __init__(self, case: Case, *, threads: int, seeds: int):
        """Compile the loop of iterations of all seeds."""
        # Points are dealt out for one seed alone, as the command line does.
        alone = seeds == 1
        project = Project(case, threads=threads, train=False, deal=alone)
        self.versions, self._seeds = project.versions, seeds
        trainer = project.trainer
        (init, step, spread), cores = trainer.stepper, trainer.cores
        starts = [trainer.network.init(seed) for seed in range(seeds)]
        self._evaluate = compiled(trainer.objective, cores, WHOLE, WHOLE)
        # One seed has no axis of seeds: ``vmap`` would slow its products down.
        start = starts[0] if alone else jnp.stack(starts)
        if not alone:
            init, step = jax.vmap(init), jax.vmap(step)
        self.states = compiled(init, cores, WHOLE, spread)(start)
        self._advance = compiled(
            lambda states, count: jax.lax.fori_loop(0, count, lambda _, s: step(s), states),
            *(cores, (spread, WHOLE), spread),
            donate_argnums=0,
        )
        self.states = jax.block_until_ready(self._advance(self.states, 0))

    def loss(self) -> float:
        """Return the first seed's loss at the present parameters."""
        return float(self._evaluate(jnp.atleast_2d(self.states.parameters)[0]))

    def advance(self, iterations: int) -> Stretch:
        """Take iterations of every seed; the stretch counts them all."""
        before, started = int(jnp.sum(self.states.evaluations)), time.perf_counter()
        self.states = jax.block_until_ready(self._advance(self.states, iterations))
        seconds = time.perf_counter() - started
        evaluations = int(jnp.sum(self.states.evaluations)) - before
        return Stretch(seconds, self._seeds * iterations, evaluations)
