"""The compiled pieces of one run: start, stretches of iterations, losses and errors for the log."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.numerics.cores import WHOLE, compiled
from double_pinn.numerics.derivatives import VALUE, make_plan, partial
from double_pinn.numerics.functions import values_of
from double_pinn.numerics.networks.base import Network
from double_pinn.numerics.objective import Objective, loss_terms, row_system
from double_pinn.numerics.optimizers.base import Optimizer, StepState
from double_pinn.numerics.points import TestSample, TrainingGrid, test_points, training_points
from double_pinn.numerics.problems.base import Problem
from double_pinn.numerics.regularizers.base import Regularizer

DTYPES = {"fp32": np.float32, "fp64": np.float64}

# Points of the grid on which the log measures errors, each way; of a given solution, at most.
_ERROR_GRID = 101


class Solution(NamedTuple):
    """A solution on a grid, for the log to look at.

    Attributes:
        x: shape (nx,).
        t: shape (nt,).
        u: shape (nx, nt), float64.
    """

    x: np.ndarray
    t: np.ndarray
    u: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> "Solution | None":
        """Return the closed form of an equation, if it has one, on 101 × 101 points."""
        if problem.exact is None:
            return None
        x, t = (np.linspace(*ends, _ERROR_GRID) for ends in (problem.x_range, problem.t_range))
        u = values_of(problem, "exact", *np.meshgrid(x, t, indexing="ij"))
        return cls(x, t, np.asarray(u, np.float64))

    def thinned(self) -> "Solution":
        """Return every k-th point each way, with the least k that leaves 101 or fewer."""
        i, j = (slice(None, None, -(-len(axis) // _ERROR_GRID)) for axis in (self.x, self.t))
        return Solution(self.x[i], self.t[j], self.u[i, j])


class Ingredients(NamedTuple):
    """What a run is made of.

    Attributes:
        problem: the equation.
        network: what approximates its solution.
        regularizer: what is added to the mean squares of its residuals.
        optimizer: what minimises them.
        grid: the training points.
        sample: the test points.
        precision: ``fp32`` or ``fp64``.
        term_weights: of the loss terms, by name; 1 where nothing is said.
    """

    problem: Problem
    network: Network
    regularizer: Regularizer
    optimizer: Optimizer
    grid: TrainingGrid
    sample: TestSample
    precision: str
    term_weights: Mapping[str, float] = MappingProxyType({})


class Trainer:
    """The compiled pieces of one cell.

    Attributes:
        network: the network as a function of a flat vector.
        objective: what is minimised.
        stepper: the optimiser, bound to the objective.
        terms: names of the loss terms.
        cores: over which the run is dealt out.
        init: ``init(parameters) -> StepState``.
        advance: ``advance(state, count) -> (state, taken, finite)``, see :meth:`_advance`.
        losses: ``losses(parameters) -> (train terms, test terms)``, un-regularised.
        errors: ``errors(parameters) -> (rMAE, rRMSE)``, or ``None`` without a solution.
    """

    def __init__(self, made_of: Ingredients, solution: Solution | None = None):
        """Build network, rows, objective and optimiser; compiles lazily.

        Args:
            made_of: what the run is made of.
            solution: what the log measures errors against, for the log alone: training never sees
                it. By default the closed form, if there is one.
        """
        problem, optimizer, dtype = made_of.problem, made_of.optimizer, DTYPES[made_of.precision]
        if jax.dtypes.canonicalize_dtype(dtype) != dtype:
            raise RuntimeError("FP64 needs jax_enable_x64; the command line sets it")
        self.problem, self.dtype = problem, dtype
        available = jax.device_count() if jax.default_backend() == "cpu" else 1
        self.cores = cores = optimizer.cores(available)
        self.network = network = made_of.network.bound(dtype)
        train = training_points(made_of.grid, problem)
        test = test_points(made_of.sample, problem)
        rows = row_system(
            problem,
            train,
            network,
            made_of.regularizer,
            cores,
            term_weights=made_of.term_weights,
            grid_column=made_of.grid.nt,
        )
        self.objective = Objective(network, rows, made_of.regularizer)
        self.stepper = optimizer.stepper(self.objective)
        systems = [row_system(problem, points, network, cores=cores) for points in (train, test)]
        self.terms = systems[0].terms
        self.losses = compiled(
            lambda p: tuple(loss_terms(network, system, p) for system in systems),
            *(cores, WHOLE, WHOLE),
        )
        solution = solution or Solution.of(problem)
        self.errors = self._errors(solution.thinned()) if solution else None
        spread = self.stepper.spread
        self.init = compiled(self.stepper.init, cores, WHOLE, spread)
        self.advance = compiled(
            *(self._advance, cores, (spread, WHOLE), (spread, WHOLE, WHOLE)), donate_argnums=0
        )

    def _errors(self, solution: Solution):
        """Return a function of the parameters: rMAE and rRMSE against a solution."""
        box, dtype = (self.problem.x_range, self.problem.t_range), self.dtype
        axes = np.meshgrid(solution.x, solution.t, indexing="ij")
        (x, t), u = (axis.ravel().astype(dtype) for axis in axes), solution.u.ravel()
        plan = make_plan([partial(VALUE)])

        def errors(parameters):
            weights = self.network.weights(parameters)
            error = self.network.network_channels(weights, x, t, box, plan)[0] - u
            rmae = jnp.abs(error).sum() / np.abs(u).sum()
            return rmae, jnp.sqrt((error**2).sum() / (u**2).sum())

        return jax.jit(errors)

    def _advance(self, state: StepState, count):
        """Take up to ``count`` steps; a step to a loss that is not finite is not taken.

        Returns:
            ``(state, taken, finite)``: the last finite state, the steps taken, and whether the
            next one would have been finite. Fewer steps are taken where the optimiser stalls or
            changes its phase.
        """
        phase = state.phase

        def proceed(carry):
            state, taken, finite = carry
            # A change of phase ends the stretch, because it changes when to log.
            return finite & ~state.stalled & (state.phase == phase) & (taken < count)

        def body(carry):
            state, taken, _ = carry
            new = self.stepper.step(state)
            finite = jnp.isfinite(new.value) & jnp.isfinite(jnp.sum(new.parameters))
            # Of the optimiser's own state the last finite version is not kept: training ends.
            kept = new._replace(
                parameters=jnp.where(finite, new.parameters, state.parameters),
                value=jnp.where(finite, new.value, state.value),
            )
            return kept, taken + (finite & ~new.stalled), finite

        start = (state, jnp.zeros((), jnp.int32), jnp.isfinite(state.value))
        return jax.lax.while_loop(proceed, body, start)
