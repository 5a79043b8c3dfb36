"""Which code and settings a run belongs to: what its checkpoints and its file are known by."""

import hashlib
import json
from pathlib import Path

from double_pinn.code import PACKAGE, code_digest, files_behind, files_elsewhere
from double_pinn.configuration.catalogue import KINDS, found
from double_pinn.configuration.settings import RunSettings
from double_pinn.numerics.problems.base import Problem

_NUMERICS = PACKAGE / "numerics"
# Errors, kinds of values, checks: in the digest they would make every run another for a word.
_WORDS = {
    *(PACKAGE / name for name in ("errors.py", "values.py")),
    *(_NUMERICS / "problems" / name for name in ("checks.py", "written.py")),
}


def number_deciding_files(chosen: dict[str, str]) -> list[Path]:
    """Return the files that decide the numbers of a run: a place, and what was chosen there.

    These are all files of ``numerics/`` outside the folders of choices, what every choice of a
    folder shares, the four chosen files, what these import from this package, and the data files
    of the equation.

    Args:
        chosen: name of the choice by kind (a key of ``KINDS``).

    Raises:
        SettingsError: if there is no such choice.
    """
    folders = [_NUMERICS / folder for folder, _ in KINDS.values()]
    core = [p for p in _NUMERICS.rglob("*.py") if p.parent not in folders]
    shared = [folder / name for folder in folders for name in ("__init__.py", "base.py")]
    behind = {path for kind, name in chosen.items() for path in files_of(kind, name)}
    return sorted({*core, *shared, *behind})


def files_of(kind: str, name: str) -> list[Path]:
    """Return the file of a choice, what it imports from this package, and its data files.

    Modules of somebody's own that lie elsewhere belong to it too.

    Args:
        kind: a key of ``KINDS``.
        name: of the choice.

    Raises:
        SettingsError: if there is no such choice, or one of its data files is not there.
    """
    choice = found(kind, name)
    data = choice.cls.data_files().values() if issubclass(choice.cls, Problem) else ()
    behind = {*files_behind([choice.path], [PACKAGE])} - _WORDS
    return sorted({*behind, *files_elsewhere(behind), *data})


def run_digest(settings: RunSettings) -> str:
    """Return the digest of the code that decides the numbers of a run."""
    return code_digest(number_deciding_files(settings.chosen))


def checkpoint_identity(settings: RunSettings, seed: int, code: str, backend: str) -> dict:
    """Return what a run's checkpoints belong to.

    A larger budget continues a run; the same settings under other code are another run.

    Args:
        settings: of the run.
        seed: of the run.
        code: digest of the code.
        backend: of JAX, such as ``cpu``.
    """
    return {**_without_budget(settings), "seed": seed, "backend": backend, "code": code}


def checkpoint_key(settings: RunSettings) -> str:
    """Return a short name made of all that decides the numbers of a cell but its budget."""
    text = json.dumps([_without_budget(settings), run_digest(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_budget(settings: RunSettings) -> dict:
    values = settings.as_dict()
    values["stopping"].pop("max_iterations")
    return values
