"""Runs of an archive that go on: what training begins at where no checkpoint is left.

A checkpoint holds the optimiser whole, and a run that goes on from it is the same to the bit. An
archive holds the parameters alone. That is enough for L-BFGS, whose memory of its last steps is
full again a hundred iterations later; the run says where that happened (attribute ``restarts``).
"""

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from double_pinn.configuration.settings import RunSettings
from double_pinn.errors import DataError
from double_pinn.results.netcdf import read_dataset
from double_pinn.results.runs import HISTORIES, MORE_HISTORIES, differences, run_file, settings_of
from double_pinn.running.checkpoint_names import newest_iteration
from double_pinn.running.identity import run_digest

# Optimisers whose own state is a memory of their last steps, and nothing else.
_FORGETFUL = ("lbfgs", "optax_lbfgs")


def earlier_run(
    archive: Path, settings: RunSettings, seed: int, say: Callable[[str], None]
) -> xr.Dataset | None:
    """Return the run of an archive that ended for want of iterations, if there is one.

    Args:
        archive: folder of the archive, or of a scale's results.
        settings: of the run that is to go on.
        seed: of the run.
        say: told why a run that is there is of no use.

    Returns:
        The content of the run's file, or ``None``: training starts from the seed then.

    Raises:
        DataError: if the archive is not there, or the file cannot be read.
    """
    if not archive.is_dir():
        raise DataError(
            f"{archive}: no such folder, so no run goes on from it; give another, or none "
            "(in the configuration: continue_from)"
        )
    path = archive / run_file(settings.cell, seed)
    if not path.is_file():
        return None
    run = read_dataset(path)
    if reason := _of_no_use(settings, run, path):
        say(f"starts from the seed, not from {path}: {reason}")
        return None
    return run


def begin(checkpoints: Path, archive: Path | None, settings: RunSettings, seed: int) -> int:
    """Return the iteration at which training will begin, as far as files tell.

    Args:
        checkpoints: folder of the run's checkpoints.
        archive: see :func:`earlier_run`; ``None``: there is none.
        settings: of the run.
        seed: of the run.
    """
    if (newest := newest_iteration(checkpoints)) is not None:
        return newest
    if archive is None:
        return 0
    try:
        earlier = earlier_run(archive, settings, seed, lambda reason: None)
    except DataError:  # training will be refused, and say why
        return 0
    return 0 if earlier is None else int(earlier.attrs["iterations_run"])


def _of_no_use(settings: RunSettings, run: xr.Dataset, path: Path) -> str:
    needed = (*HISTORIES, *MORE_HISTORIES, "parameters")
    if lacking := [name for name in needed if name not in run]:
        return f"it lacks {', '.join(lacking)}"
    if settings.optimizer.name not in _FORGETFUL:
        return f"only {', '.join(_FORGETFUL)} can go on from parameters alone"
    try:
        found = settings_of(run, path).resolved()
    except DataError as error:
        return f"its settings cannot be read ({error})"
    asked = settings.resolved()
    had, budget = (values["stopping"].pop("max_iterations") for values in (found, asked))
    if different := differences(found, asked):
        return f"it was trained with other settings ({different})"
    if run.attrs.get("code") != run_digest(settings):
        return "it was trained by other code"
    if run.attrs["stop_reason"] != "max_iterations":
        return f"it was stopped by {run.attrs['stop_reason']}, not for want of iterations"
    if had >= budget:
        return f"it has had {had:,} iterations already; double-pinn restore brings it back"
    return ""
