"""One training job: one cell, one seed, from the first draw to the netCDF's content.

One loop serves both precisions and all optimisers. Python asks the compiled loop for a stretch of
iterations, logs and checkpoints; nothing that is computed depends on how the stretches are cut.
"""

import contextlib
import math
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from double_pinn.configuration.settings import Regularizer, RunSettings
from double_pinn.errors import DataError
from double_pinn.numerics.cores import WHOLE, compiled, core_count
from double_pinn.numerics.derivatives import VALUE, make_plan, network_channels, partial
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.objective import Objective, loss_terms, row_system
from double_pinn.numerics.optimizers import FIRST_ORDER, StepState, make_stepper
from double_pinn.numerics.points import test_points, training_points
from double_pinn.running.checkpoints import CheckpointFolder
from double_pinn.running.identity import code_digest
from double_pinn.running.progress import Progress

DTYPES = {"fp32": np.float32, "fp64": np.float64}

# Modules that decide the numbers, beside the network's, the optimisers' and the equation's.
_NUMERICS = (
    "cores",
    "derivatives",
    "gram",
    "losses",
    "points",
    "residuals",
    "settings",
    "training",
)

# Stretches of compiled iterations aim at this many seconds: short enough to answer a signal.
_STRETCH_SECONDS = 2.0


class TrainingInterruptedError(Exception):
    """Training was stopped by a signal after its state was saved."""


@dataclass
class History:
    """What is logged along the way, one entry a logging interval.

    Attributes:
        columns: name -> list of numbers; ``train_term`` and ``test_term`` hold lists.
    """

    columns: dict[str, list] = field(default_factory=dict)

    def append(self, **values):
        """Append one entry."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)

    def drop_last(self):
        """Remove the last entry."""
        for column in self.columns.values():
            column.pop()

    @property
    def last_iteration(self) -> int:
        """The iteration of the last entry, or -1."""
        return self.columns.get("iteration", [-1])[-1]


@dataclass
class Progression:
    """Where a run stands; everything here goes into the checkpoint.

    Attributes:
        iteration: iterations done.
        phase: of the optimiser: first or second order.
        history: entries so far.
        checked_loss: objective at the last look of the stopping rule.
        wall_time: seconds, accumulated over restarts.
        stop_reason: why training ended, or ``None``.
    """

    iteration: int = 0
    phase: int = FIRST_ORDER
    history: History = field(default_factory=History)
    checked_loss: float | None = None
    wall_time: float = 0.0
    stop_reason: str | None = None

    def as_dict(self) -> dict:
        """Return plain values for the checkpoint's manifest."""
        return {**vars(self), "history": self.history.columns}

    @classmethod
    def from_dict(cls, values: dict) -> "Progression":
        """Turn :meth:`as_dict` back."""
        return cls(**{**values, "history": History(values["history"])})


class Trainer:
    """The compiled pieces of one cell."""

    def __init__(self, settings: RunSettings):
        """Build network, rows, objective and optimiser; compiles lazily."""
        self.settings = settings
        dtype = DTYPES[settings.precision]
        if jax.dtypes.canonicalize_dtype(dtype) != dtype:
            raise RuntimeError("FP64 needs jax_enable_x64; the command line sets it")
        problem, plain = settings.problem, Regularizer()
        available = jax.device_count() if jax.default_backend() == "cpu" else 1
        self.cores = cores = core_count(settings.optimizer, available)
        self.network = FlatMLP(settings.network.hidden_layers, settings.network.width, dtype)
        train = training_points(settings.points, problem)
        test = test_points(settings.test_points, problem)
        self.objective = Objective(
            self.network,
            row_system(problem, train, dtype, settings.regularizer, cores),
            settings.regularizer,
        )
        self.stepper = make_stepper(settings.optimizer, self.objective)
        systems = [row_system(problem, points, dtype, plain, cores) for points in (train, test)]
        self.terms = systems[0].terms
        self.losses = compiled(
            lambda p: tuple(loss_terms(self.network, system, p) for system in systems),
            *(cores, WHOLE, WHOLE),
        )
        self.errors = self._errors() if problem.exact else None
        spread = self.stepper.spread
        self.init = compiled(self.stepper.init, cores, WHOLE, spread)
        self.advance = compiled(
            *(self._advance, cores, (spread, WHOLE), (spread, WHOLE, WHOLE)), donate_argnums=0
        )

    def _errors(self):
        """Return a function of the parameters: rMAE and rRMSE on a 101 × 101 grid.

        For the log alone: training never sees the closed form.
        """
        problem, dtype = self.settings.problem, DTYPES[self.settings.precision]
        grid = (np.linspace(*ends, 101) for ends in (problem.x_range, problem.t_range))
        x, t = (a.ravel() for a in np.meshgrid(*grid, indexing="ij"))
        u = np.asarray(problem.exact(x, t), np.float64)
        x, t, plan = x.astype(dtype), t.astype(dtype), make_plan([partial(VALUE)])
        box = (problem.x_range, problem.t_range)

        def errors(parameters):
            layers = self.network.layers(parameters)
            error = network_channels(layers, x, t, box, plan)[0] - u
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


def train(
    settings: RunSettings,
    seed: int,
    *,
    checkpoints: Path | None = None,
    checkpoint_seconds: float = 120.0,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train one seed of one cell (Section 3 and Appendix A).

    Args:
        settings: the cell.
        seed: of the initial parameters.
        checkpoints: folder of this run's checkpoints; a run found there is continued.
        checkpoint_seconds: wall-clock seconds between two checkpoints.
        progress: where to report.

    Returns:
        The content of ``runs/{cell}/seed{seed}.nc``: histories over ``iteration``, the final
        parameters, and the reason for the end. After a loss that is not finite, the last finite
        state is returned with the stop reason ``non_finite_loss``.

    Raises:
        TrainingInterruptedError: on SIGTERM or SIGINT, after a checkpoint was written.
        DataError: if the checkpoints belong to other settings, cannot be read or written, or are
            in use by another process.
    """
    started = time.monotonic()
    # Of the start: files may change while training goes on with what it has read.
    code = code_digest(number_deciding_files(settings))
    folder = _folder(settings, seed, code, checkpoints) if checkpoints else None
    with folder or contextlib.nullcontext():
        trainer = Trainer(settings)
        dataset = _run(trainer, seed, folder, started, checkpoint_seconds, progress)
    return dataset.assign_attrs(code=code)


def _run(trainer, seed, folder, started, checkpoint_seconds, progress) -> xr.Dataset:
    settings = trainer.settings
    say = progress.say if progress else lambda message: None
    state, at = _start(trainer, seed, folder, say)
    was_finished = at.stop_reason is not None
    before, saved = at.wall_time, time.monotonic()
    stretch = 1

    def elapsed():
        return before + time.monotonic() - started

    def save():
        at.wall_time = elapsed()
        folder.save(state, at.as_dict())

    with _Signals() as signals:
        while at.stop_reason is None:
            if at.iteration >= _next_log(settings, at):
                _log(trainer, state, at, elapsed(), progress)
                at.stop_reason = _stop_reason(settings, at, float(state.value))
                continue
            count = min(stretch, _next_event(settings, at) - at.iteration)
            begun = time.monotonic()
            state, taken, finite = trainer.advance(state, count)
            taken, finite = int(taken), bool(finite)
            at.iteration, at.phase = at.iteration + taken, int(state.phase)
            pace = (time.monotonic() - begun) / max(taken, 1)
            stretch = max(1, min(4 * stretch, int(_STRETCH_SECONDS / max(pace, 1e-9))))
            if not finite:
                at.stop_reason = "non_finite_loss"
                say(_not_finite(at.iteration, float(state.value)))
            elif bool(state.stalled):
                at.stop_reason = "no_decrease"
                say(f"rounding leaves no step that lowers the loss after iteration {at.iteration}")
            elif at.iteration < _next_log(settings, at):
                _check(settings, at, float(state.value))
                if progress:
                    tests = at.history.columns["test_loss"]
                    progress.update(at.iteration, float(state.value), tests[-1])
            if folder and (signals.received or time.monotonic() - saved > checkpoint_seconds):
                save()
                saved = time.monotonic()
            if signals.received:
                where = "saved" if folder else "lost: no folder for checkpoints was given"
                raise TrainingInterruptedError(
                    f"stopped by {signals.received} at iteration {at.iteration}; state {where}"
                )
        # A signal from here on is not obeyed: what is left takes a moment.
        if at.history.last_iteration < at.iteration:
            _log(trainer, state, at, elapsed(), progress)
        at.wall_time = elapsed()
        if folder and not was_finished:
            # Kept: the netCDF is not written yet, and a larger budget continues from here.
            save()
    say(f"{at.iteration:,} iterations, stopped by {at.stop_reason}")
    return _dataset(trainer, settings, seed, state, at)


def _not_finite(iteration: int, loss: float) -> str:
    if not math.isfinite(loss):
        return f"the loss is not finite at iteration {iteration}: there is nothing to train"
    return (
        f"the loss is not finite at iteration {iteration + 1}: training stops and keeps the state "
        f"of iteration {iteration}"
    )


def _folder(settings: RunSettings, seed: int, code: str, path: Path) -> CheckpointFolder:
    identity = settings.as_dict()
    # A larger budget continues a run; how the result is evaluated does not touch it.
    identity["stopping"].pop("max_iterations")
    identity.pop("evaluation")
    # The same settings under other code are another run.
    backend = jax.default_backend()
    return CheckpointFolder(path, {**identity, "seed": seed, "backend": backend, "code": code})


def number_deciding_files(settings: RunSettings) -> list[Path]:
    """Return the source files of this package that decide the numbers of a run."""
    package = Path(__file__).parent
    equation = Path(sys.modules[type(settings.problem).__module__].__file__)
    folders = [package / name for name in ("networks", "optimizers")]
    return [
        *(package / f"{name}.py" for name in _NUMERICS),
        *(file for folder in folders for file in folder.glob("*.py")),
        package / "problems" / "base.py",
        equation,
    ]


def _start(trainer, seed, folder, say):
    settings = trainer.settings
    state = trainer.init(trainer.network.init(seed))
    if folder is None:
        return state, Progression(phase=int(state.phase))
    if folder.warning:
        say(folder.warning)
    found = folder.restore(state)
    if found is None:
        return state, Progression(phase=int(state.phase))
    for reason in found.skipped:
        say(f"a checkpoint is passed over: {reason}")
    at, budget = Progression.from_dict(found.progress), settings.stopping.max_iterations
    if at.iteration > budget:
        raise DataError(
            f"{folder.folder} holds iteration {at.iteration}, beyond stopping.max_iterations = "
            f"{budget}: raise it to continue, or remove the folder to start over"
        )
    say(f"continues from iteration {at.iteration:,}")
    if at.stop_reason == "max_iterations" and at.iteration < budget:
        at.stop_reason = None
        entries = at.history.columns["iteration"]
        before = entries[-2] if len(entries) > 1 else -1
        if at.iteration < _due(settings, at.phase, before):
            at.history.drop_last()  # it is there only because the run ended
    return jax.device_put(found.state), at


def _next_log(settings, at: Progression) -> int:
    due = _due(settings, at.phase, at.history.last_iteration)
    return min(due, settings.stopping.max_iterations)


def _due(settings, phase: int, last: int) -> int:
    """Return the iteration that is logged after ``last``, whatever the budget."""
    logging = settings.logging
    every = logging.every if phase == FIRST_ORDER else logging.every_second_order
    return 0 if last < 0 else (last // every + 1) * every


def _next_event(settings, at: Progression) -> int:
    every = settings.stopping.check_every
    return min(_next_log(settings, at), (at.iteration // every + 1) * every)


def _log(trainer, state, at: Progression, elapsed: float, progress):
    train_terms, test_terms = (np.asarray(v, np.float64) for v in trainer.losses(state.parameters))
    objective = float(state.value)
    if trainer.errors:
        rmae, rrmse = map(float, trainer.errors(state.parameters))
        at.history.append(rmae_history=rmae, rrmse_history=rrmse)
    at.history.append(
        phase=at.phase,
        iteration=at.iteration,
        objective=objective,
        train_loss=float(train_terms.sum()),
        test_loss=float(test_terms.sum()),
        train_term=train_terms.tolist(),
        test_term=test_terms.tolist(),
        wall_time=elapsed,
        evaluations=int(state.evaluations),
    )
    if progress:
        progress.update(at.iteration, objective, float(test_terms.sum()))


def _check(settings, at: Progression, loss: float) -> bool:
    """Apply the relative-change rule where it is due (Appendix A); return whether it stops."""
    if at.iteration % settings.stopping.check_every:
        return False
    tolerance = settings.stopping.tolerance
    if tolerance is None:
        tolerance = math.sqrt(np.finfo(DTYPES[settings.precision]).eps)
    before, at.checked_loss = at.checked_loss, loss
    stops = before is not None and abs(before - loss) < tolerance * abs(before)
    if stops:
        at.stop_reason = "tolerance"
    return stops


def _stop_reason(settings, at: Progression, loss: float) -> str | None:
    if _check(settings, at, loss):
        return "tolerance"
    return "max_iterations" if at.iteration >= settings.stopping.max_iterations else None


def _dataset(trainer, settings: RunSettings, seed: int, state, at: Progression) -> xr.Dataset:
    columns = {k: np.asarray(v) for k, v in at.history.columns.items()}
    iteration = columns.pop("iteration")
    data = {
        name: (("iteration", "term") if values.ndim == 2 else ("iteration",), values)
        for name, values in columns.items()
    }
    with np.errstate(invalid="ignore"):  # both may be infinite
        data["penalty"] = ("iteration", columns["objective"] - columns["train_loss"])
    data["parameters"] = ("parameter", np.asarray(state.parameters))
    return xr.Dataset(
        data,
        coords={"iteration": iteration, "term": list(trainer.terms)},
        attrs={
            "cell": settings.cell,
            "equation": settings.equation.name,
            "regularizer": settings.regularizer.name,
            "precision": settings.precision,
            "optimizer": settings.optimizer.name,
            "seed": seed,
            "iterations_run": at.iteration,
            "max_iterations": settings.stopping.max_iterations,
            "stop_reason": at.stop_reason,
            "n_collocation": settings.collocation_count,
            "device": jax.devices()[0].device_kind,
            "cores": trainer.cores,
            "settings": settings.to_json(),
        },
    )


class _Signals:
    """Notes SIGTERM and SIGINT instead of dying of them, so the state can be saved first."""

    def __init__(self):
        self.received: str | None = None
        self._old = {}

    def __enter__(self):
        def note(number, frame):
            self.received = signal.Signals(number).name

        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old[number] = signal.signal(number, note)
        except ValueError:
            pass  # not the main thread: whoever owns it handles signals
        return self

    def __exit__(self, *exc_info):
        for number, handler in self._old.items():
            signal.signal(number, handler)
