"""Which code and settings a run belongs to: what its checkpoints and its file are known by."""

import hashlib
import json
from pathlib import Path

from double_pinn.code import PACKAGE, code_digest, files_behind
from double_pinn.configuration.catalogue import KINDS, found
from double_pinn.configuration.settings import RunSettings

_NUMERICS = PACKAGE / "numerics"
# Errors and kinds of values: in the digest they would make every run another one for a word.
_GROUND = {PACKAGE / "errors.py", PACKAGE / "values.py"}


def number_deciding_files(chosen: dict[str, str]) -> list[Path]:
    """Return the files that decide the numbers of a run: a place, and what was chosen there.

    These are all files of ``numerics/`` outside the folders of choices, what every choice of a
    folder shares, the four chosen files, and what these import from this package.

    Args:
        chosen: name of the choice by kind (a key of ``KINDS``).

    Raises:
        SettingsError: if there is no such choice.
    """
    folders = [_NUMERICS / folder for folder, _ in KINDS.values()]
    core = [p for p in _NUMERICS.rglob("*.py") if p.parent not in folders]
    shared = [folder / name for folder in folders for name in ("__init__.py", "base.py")]
    files = [found(kind, name).path for kind, name in chosen.items()]
    behind = {*files_behind(files, [PACKAGE])} - _GROUND
    return sorted({*core, *shared, *behind})


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
