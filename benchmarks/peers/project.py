"""The project itself, through the trainer that the command line uses."""

import time

import jax
import jax.numpy as jnp
import jaxlib

from benchmarks.cases import Case
from benchmarks.peers import Stretch
from benchmarks.peers.repeated import Evaluations
from double_pinn.cli import configure_jax
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.cores import WHOLE, compiled
from double_pinn.running.training import make_trainer


class Peer:
    """Compact L-BFGS on Taylor propagation.

    Attributes:
        trainer: the compiled pieces.
        state: of the optimiser.
    """

    def __init__(
        self,
        case: Case,
        *,
        precision: str | None = None,
        threads: int,
        train: bool = True,
        deal: bool = True,
    ):
        """Compile; without ``train``, only what an evaluation needs.

        Without a precision it is the case's.
        With ``deal`` the points are dealt out over the cores, as the command line does.
        """
        precision = precision or case.settings["precision"]
        settings = settings_from_dict({**case.settings, "precision": precision})
        cores = settings.optimizer.cores(threads) if deal else 1
        configure_jax("cpu", threads, x64=precision == "fp64", cores=cores)
        self.trainer = make_trainer(settings)
        self._parameters = jnp.asarray(case.flat, self.trainer.network.dtype)
        self.versions = {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
        self.state = None
        if train:
            self.state = self.trainer.init(jnp.copy(self._parameters))
            self.state, _, _ = jax.block_until_ready(self.trainer.advance(self.state, 0))
        evaluate = jax.value_and_grad(self.trainer.objective)
        on_all_cores = lambda f: compiled(f, cores, WHOLE, WHOLE)  # noqa: E731
        self._evaluate = on_all_cores(evaluate)
        self._evaluations = Evaluations(evaluate, on_all_cores)

    @property
    def _at(self):
        return self._parameters if self.state is None else self.state.parameters

    def loss(self) -> float:
        """Return the loss at the present parameters, by one value-and-gradient evaluation."""
        return float(jax.block_until_ready(self._evaluate(self._at))[0])

    def evaluation_seconds(self, count: int) -> float:
        """Return the seconds of one evaluation, in a loop of so many."""
        return self._evaluations.seconds(self._at, count)

    def advance(self, iterations: int) -> Stretch:
        """Take iterations, all in one call of the compiled loop.

        Raises:
            RuntimeError: if the loss stopped being finite.
        """
        before, started = int(self.state.evaluations), time.perf_counter()
        self.state, taken, finite = self.trainer.advance(self.state, iterations)
        if not bool(finite):
            raise RuntimeError(f"the loss is not finite after {int(taken)} iterations")
        seconds = time.perf_counter() - started
        return Stretch(seconds, int(taken), int(self.state.evaluations) - before)
