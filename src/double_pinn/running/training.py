"""One training job: one cell, one seed, from the first draw to the netCDF's content.

One loop serves both precisions and all optimisers. Python asks the compiled loop for a stretch of
iterations, logs and checkpoints; nothing that is computed depends on how the stretches are cut.
"""

import contextlib
import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import xarray as xr

from double_pinn import files
from double_pinn.configuration.settings import RunSettings
from double_pinn.errors import DataError, TrainingInterruptedError
from double_pinn.numerics.trainer import Ingredients, Solution, Trainer
from double_pinn.running.checkpoints import CheckpointFolder
from double_pinn.running.history import Progression
from double_pinn.running.identity import checkpoint_identity, run_digest
from double_pinn.running.progress import Progress
from double_pinn.running.signals import Signals
from double_pinn.running.trainable import check_terms, first_not_finite

# Stretches of compiled iterations aim at this many seconds: short enough to answer a signal.
_STRETCH_SECONDS = 2.0


def make_trainer(settings: RunSettings, solution: Solution | None = None) -> Trainer:
    """Return the compiled pieces of a cell, whose log looks at a solution.

    Raises:
        SettingsError: if a term of the loss does not depend on u.
    """
    trainer = Trainer(
        Ingredients(
            settings.problem,
            settings.network,
            settings.regularizer,
            settings.optimizer,
            settings.points,
            settings.test_points,
            settings.precision,
            settings.term_weights,
        ),
        solution,
    )
    check_terms(trainer.objective.system)
    return trainer


def train(
    settings: RunSettings,
    seed: int,
    *,
    solution: Solution | None = None,
    checkpoints: Path | None = None,
    checkpoint_seconds: float = 120.0,
    earlier: Callable[[Callable[[str], None]], xr.Dataset | None] | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train one seed of one cell (Section 3 and Appendix A).

    Args:
        settings: the cell.
        seed: of the initial parameters.
        solution: what the log measures errors against; by default the closed form, if any.
        checkpoints: folder of this run's checkpoints; a run found there is continued.
        checkpoint_seconds: wall-clock seconds between two checkpoints.
        earlier: asked where there is no checkpoint, with a function that tells the user: returns
            the same run with a smaller budget, as its file has it (see
            :mod:`double_pinn.results.continued`), or ``None``. Training goes on from its
            parameters, with an optimiser that begins anew.
        progress: where to report.

    Returns:
        The content of ``runs/{cell}/seed{seed}.nc``: histories over ``iteration``, the final
        parameters, and the reason for the end. After a loss that is not finite, the last finite
        state is returned with the stop reason ``non_finite_loss``.

    Raises:
        TrainingInterruptedError: on SIGTERM or SIGINT, after a checkpoint was written.
        DataError: if the checkpoints belong to other settings, cannot be read or written, or are
            in use by another process; if the loss is not finite before the first step.
    """
    started = time.monotonic()
    # Of the start: files may change while training goes on with what it has read.
    code = run_digest(settings)
    folder = None
    if checkpoints:
        folder = CheckpointFolder(
            checkpoints, checkpoint_identity(settings, seed, code, jax.default_backend())
        )
    with folder or contextlib.nullcontext():
        trainer = make_trainer(settings, solution)
        dataset = _run(
            trainer, settings, seed, folder, started, checkpoint_seconds, progress, earlier
        )
    return dataset.assign_attrs(code=code)


def train_untracked(
    settings: RunSettings,
    seed: int,
    *,
    solution: Solution | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train one seed of an equation that need be in no file: no checkpoints, no digest of its code.

    Arguments, result and errors are those of :func:`train`.
    """
    trainer = make_trainer(settings, solution)
    return _run(trainer, settings, seed, None, time.monotonic(), math.inf, progress)


def untrained(
    settings: RunSettings, seed: int, parameters: np.ndarray, solution: Solution | None = None
) -> xr.Dataset:
    """Return the content of a run file for parameters from elsewhere: losses, and no iteration.

    Args:
        settings: the cell.
        seed: under which the file goes.
        parameters: flat network parameters.
        solution: see :func:`train`.
    """
    started = time.monotonic()
    trainer = make_trainer(settings, solution)
    state = trainer.init(jax.numpy.asarray(parameters, trainer.dtype))
    now = Progression(phase=int(state.phase))
    _log(trainer, state, now, time.monotonic() - started, None)
    now.stop_reason, now.wall_time = "imported", time.monotonic() - started
    dataset = _dataset(trainer, settings, seed, state, now)
    return dataset.assign_attrs(code=run_digest(settings))


def _run(
    trainer, settings, seed, folder, started, checkpoint_seconds, progress, earlier=None
) -> xr.Dataset:
    say = progress.say if progress else lambda message: None
    state, now = _start(trainer, settings, seed, folder, say, earlier)
    was_finished = now.stop_reason is not None
    before, saved = now.wall_time, time.monotonic()
    stretch = 1

    def elapsed():
        return before + time.monotonic() - started

    def save(**options):
        now.wall_time = elapsed()
        folder.save(state, now.as_dict(), **options)

    with Signals() as signals:
        while now.stop_reason is None:
            if now.iteration >= _next_log(settings, now):
                _log(trainer, state, now, elapsed(), progress)
                _judge(trainer, settings, now, float(state.value))
                continue
            count = min(stretch, _next_event(settings, now) - now.iteration)
            begun = time.monotonic()
            state, taken, finite = trainer.advance(state, count)
            taken, finite = int(taken), bool(finite)
            now.iteration, now.phase = now.iteration + taken, int(state.phase)
            pace = (time.monotonic() - begun) / max(taken, 1)
            stretch = max(1, min(4 * stretch, int(_STRETCH_SECONDS / max(pace, 1e-9))))
            if not finite:
                if now.iteration == 0:
                    _refuse_if_never_finite(trainer, state.parameters)
                now.stop_reason = "non_finite_loss"
                say(
                    f"the loss is not finite at iteration {now.iteration + 1}: training stops and "
                    f"keeps the state of iteration {now.iteration}"
                )
            elif bool(state.stalled):
                now.stop_reason = "no_decrease"
                say(f"rounding leaves no step that lowers the loss after iteration {now.iteration}")
            elif now.iteration < _next_log(settings, now):
                _judge(trainer, settings, now, float(state.value))
                if progress:
                    tests = now.history.columns["test_loss"]
                    progress.update(now.iteration, float(state.value), tests[-1])
            if folder and (signals.received or time.monotonic() - saved > checkpoint_seconds):
                save()
                saved = time.monotonic()
            if signals.received:
                where = "saved" if folder else "lost: no folder for checkpoints was given"
                raise TrainingInterruptedError(
                    f"stopped by {signals.received} at iteration {now.iteration}; state {where}"
                )
        # A signal from here on is not obeyed: what is left takes a moment.
        if now.history.last_iteration < now.iteration:
            _log(trainer, state, now, elapsed(), progress)
        now.wall_time = elapsed()
        if folder and not was_finished:
            # One stays: the netCDF is not written yet, and a larger budget continues from here.
            save(keep=1)
            say(
                f"checkpoint of {files.megabytes(folder.size())} in {folder.folder}: "
                "a larger budget continues from it"
            )
    say(f"{now.iteration:,} iterations, stopped by {now.stop_reason}")
    return _dataset(trainer, settings, seed, state, now)


def _refuse_if_never_finite(trainer, parameters):
    if where := first_not_finite(trainer.objective, parameters):
        raise DataError(
            f"the loss is not finite before the first step: {where}; there is nothing to train. "
            "Change the equation, its domain or its parameters"
        )


def _start(trainer, settings, seed, folder, say, earlier):
    state = trainer.init(trainer.network.init(seed))
    if folder and folder.warning:
        say(folder.warning)
    found = folder.restore(state) if folder else None
    if found is None:
        run = earlier(say) if earlier else None
        if run is not None:
            return _begin_anew(trainer, settings, say, run)
        return state, Progression(phase=int(state.phase))
    for reason in found.skipped:
        say(f"a checkpoint is passed over: {reason}")
    now, budget = Progression.from_dict(found.progress), settings.stopping.max_iterations
    if now.iteration > budget:
        raise DataError(
            f"{folder.folder} holds iteration {now.iteration}, beyond stopping.max_iterations = "
            f"{budget} (in the configuration: iterations): raise it to continue; to start over, "
            "remove the folder (in the workflow: snakemake --force with the name of the run's file)"
        )
    say(f"continues from iteration {now.iteration:,}")
    if now.stop_reason == "max_iterations" and now.iteration < budget:
        _open_again(settings, now)
    return jax.device_put(found.state), now


def _begin_anew(trainer, settings, say, earlier: xr.Dataset):
    now = Progression.from_run(earlier)
    if settings.stopping.is_due(now.iteration):
        now.checked_loss = now.history.columns["objective"][-1]
    _open_again(settings, now)
    now.restarts.append(now.iteration)
    state = trainer.init(jax.numpy.asarray(earlier["parameters"].values, trainer.dtype))
    evaluations = state.evaluations + int(earlier["evaluations"][-1])
    say(
        f"goes on from iteration {now.iteration:,} of an earlier run: the parameters are its own, "
        "the optimiser begins anew"
    )
    return state._replace(evaluations=evaluations), now


def _open_again(settings, now: Progression):
    """Let a run go on whose budget has been raised."""
    now.stop_reason = None
    entries = now.history.columns["iteration"]
    before = entries[-2] if len(entries) > 1 else -1
    if now.iteration < settings.logging.due(now.phase, before):
        now.history.drop_last()  # it is there only because the run ended


def _next_log(settings, now: Progression) -> int:
    due = settings.logging.due(now.phase, now.history.last_iteration)
    return min(due, settings.stopping.max_iterations)


def _next_event(settings, now: Progression) -> int:
    return min(_next_log(settings, now), settings.stopping.next_check(now.iteration))


def _log(trainer, state, now: Progression, elapsed: float, progress):
    train_terms, test_terms = (np.asarray(v, np.float64) for v in trainer.losses(state.parameters))
    objective = float(state.value)
    unknown = math.nan, math.nan
    rmae, rrmse = map(float, trainer.errors(state.parameters) if trainer.errors else unknown)
    now.history.append(
        phase=now.phase,
        horizon=float(state.horizon),
        rmae_history=rmae,
        rrmse_history=rrmse,
        iteration=now.iteration,
        objective=objective,
        train_loss=float(train_terms.sum()),
        test_loss=float(test_terms.sum()),
        train_term=train_terms.tolist(),
        test_term=test_terms.tolist(),
        wall_time=elapsed,
        evaluations=int(state.evaluations),
    )
    if progress:
        progress.update(now.iteration, objective, float(test_terms.sum()))


def _judge(trainer, settings, now: Progression, loss: float):
    """Apply the stopping rule and the budget, and note the loss where the rule looks at it."""
    stopping = settings.stopping
    now.stop_reason = stopping.verdict(now.iteration, now.checked_loss, loss, trainer.dtype)
    if stopping.is_due(now.iteration):
        now.checked_loss = loss


def peak_memory() -> int:
    """Return the most memory that this process has held so far, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)


def _dataset(trainer, settings: RunSettings, seed: int, state, now: Progression) -> xr.Dataset:
    columns = {k: np.asarray(v) for k, v in now.history.columns.items()}
    iteration = columns.pop("iteration")
    data: dict[str, tuple[str | tuple[str, ...], np.ndarray]] = {
        name: (("iteration", "term") if values.ndim == 2 else ("iteration",), values)
        for name, values in columns.items()
    }
    with np.errstate(invalid="ignore"):  # both may be infinite
        data["penalty"] = ("iteration", columns["objective"] - columns["train_loss"])
    data["parameters"] = ("parameter", np.asarray(state.parameters))
    return xr.Dataset(
        data,
        coords={"iteration": iteration, "term": list(trainer.terms), "seed": seed},
        attrs={
            **settings.attributes(),
            "seed": seed,
            "iterations_run": now.iteration,
            "stop_reason": now.stop_reason,
            **({"restarts": now.restarts} if now.restarts else {}),
            "device": jax.devices()[0].device_kind,
            "cores": trainer.cores,
            "peak_memory": peak_memory(),
        },
    )
