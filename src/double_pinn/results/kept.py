"""What a job is about to replace, kept beside until the new one stands.

Snakemake deletes the output of a job before the job starts, which may then be refused: a budget
below that of the checkpoints, another version of JAX, a full disk. What is kept has ``.kept``
behind its name, in the same folder.
"""

import os
import shutil
from pathlib import Path

from double_pinn import files
from double_pinn.running.checkpoint_names import complete_checkpoints

_SUFFIX = ".kept"


def keep(path: Path) -> None:
    """Give a finished file a second name, under which it outlives its deletion.

    Args:
        path: the file; one that is not there is left to what is kept of it already.

    Raises:
        DataError: if the folder cannot be written.
    """
    place = _place(path)
    if not path.is_file():
        return
    with files.naming(place, "written"):
        place.unlink(missing_ok=True)
        try:
            os.link(path, place)
        except OSError:  # some file systems have no links
            shutil.copy2(path, place)


def set_aside(folder: Path) -> None:
    """Rename a folder of checkpoints, so that a training starts anew.

    Args:
        folder: of one run; one without checkpoints is left to what is kept of it already. Where
            something is kept already the folder is that of a training that began anew and did not
            end: it goes.

    Raises:
        DataError: if it cannot be renamed.
    """
    place = _place(folder)
    if not complete_checkpoints(folder):
        return
    with files.naming(place, "written"):
        if place.is_dir():
            shutil.rmtree(folder)
        else:
            folder.rename(place)


def settle(results: Path) -> list[Path]:
    """Put back what nothing has replaced, and remove what was replaced.

    With a run its checkpoints come back, in place of those of a training that did not end. Where
    there was no run, neither training has ended, and the checkpoints of both stay:
    :func:`undecided`.

    Args:
        results: folder of a scale; no job may be at work there.

    Returns:
        The runs that were put back.

    Raises:
        DataError: if a folder cannot be written.
    """
    returned = []
    for place in sorted(results.glob(f"runs/*/*{_SUFFIX}")):
        run = place.with_suffix("")
        with files.naming(run, "written"):
            if run.is_file():
                place.unlink()
            else:
                place.rename(run)
                returned.append(run)
    for place in undecided(results):
        folder, cell = place.with_suffix(""), place.parent.parent.name
        run = results / "runs" / cell / f"{folder.name}.nc"
        with files.naming(folder, "written"):
            if run in returned or not complete_checkpoints(folder):
                shutil.rmtree(folder, ignore_errors=True)
                place.rename(folder)
            elif run.is_file():
                shutil.rmtree(place)
    return returned


def undecided(results: Path) -> list[Path]:
    """Return what is still kept of checkpoints: of trainings that began anew and have not ended."""
    return sorted(results.glob(f"checkpoints/*/*/*{_SUFFIX}"))


def _place(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)
