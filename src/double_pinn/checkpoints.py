"""Checkpoints of a training job: written whole or not at all, checked before they are trusted.

A folder holds one subfolder a checkpoint, named by its iteration: the arrays as Orbax wrote them,
and a manifest with what they belong to, the history so far, and a checksum of every file. The
manifest is written last and the folder is renamed into place, so a job killed at any moment leaves
either a checkpoint that verifies or rubbish that the next save sweeps away.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from double_pinn import __version__
from double_pinn.errors import DataError

_MANIFEST = "manifest.json"
_KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint brings back.

    Attributes:
        state: the optimiser's state, a pytree of arrays.
        progress: plain values that belong to it (iteration, history, accumulated time, ...).
        skipped: newer checkpoints that did not verify, with the reason, newest first.
    """

    state: Any
    progress: dict
    skipped: tuple[str, ...] = ()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _files(folder: Path):
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != _MANIFEST)


def _sync(path: Path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complete(folder: Path) -> list[Path]:
    """Return the checkpoints that were renamed into place, newest first."""
    found = [p for p in folder.glob("[0-9]*") if p.is_dir() and p.name.isdigit()]
    return sorted(found, key=lambda p: int(p.name), reverse=True)


class CheckpointFolder:
    """The checkpoints of one run.

    Attributes:
        folder: where they lie.
        identity: what they belong to; a checkpoint with another identity is refused.
    """

    def __init__(self, folder, identity: dict):
        """Name the folder; nothing is read or written yet.

        Args:
            folder: a folder of this run alone.
            identity: plain values that decide the numbers (settings, seed); the version of this
                package and of JAX are added.
        """
        self.folder = Path(folder)
        self.identity = {**identity, "double_pinn": __version__, "jax": jax.__version__}

    def save(self, state, progress: dict):
        """Write a checkpoint, then remove all but the newest two.

        Args:
            state: a pytree of arrays.
            progress: plain values, with an ``iteration``.

        Raises:
            OSError: if the disk is full; earlier checkpoints stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{progress['iteration']:08d}"
        partial, final = self.folder / f"partial-{name}-{os.getpid()}", self.folder / name
        for rubbish in self.folder.glob("partial-*"):
            shutil.rmtree(rubbish, ignore_errors=True)
        partial.mkdir()
        try:
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
            arrays = {f"leaf_{k:03d}": leaf for k, leaf in enumerate(leaves)}
            with ocp.PyTreeCheckpointer() as checkpointer:
                checkpointer.save((partial / "state").absolute(), arrays)
            manifest = {
                "identity": self.identity,
                "progress": progress,
                "files": {str(p.relative_to(partial)): _digest(p) for p in _files(partial)},
            }
            for path in _files(partial):
                _sync(path)
            with open(partial / _MANIFEST, "w", encoding="utf-8") as file:
                json.dump(manifest, file)
                file.flush()
                os.fsync(file.fileno())
            if final.exists():
                shutil.rmtree(final)
            os.rename(partial, final)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        for old in _complete(self.folder)[_KEEP:]:
            shutil.rmtree(old)

    def restore(self, template) -> Checkpoint | None:
        """Read the newest checkpoint that verifies.

        Args:
            template: a pytree of the structure, shapes and dtypes that are expected.

        Returns:
            The checkpoint, or ``None`` if there is none at all.

        Raises:
            DataError: if a checkpoint belongs to other settings or another version, or if there
                are checkpoints but none verifies.
        """
        candidates, skipped = _complete(self.folder), []
        for path in candidates:
            try:
                manifest = self._verified(path)
            except (OSError, ValueError, KeyError) as error:
                skipped.append(f"{path}: {error}")
                continue
            self._check_identity(path, manifest["identity"])
            with ocp.PyTreeCheckpointer() as checkpointer:
                arrays = checkpointer.restore((path / "state").absolute())
            return Checkpoint(_fill(path, template, arrays), manifest["progress"], tuple(skipped))
        if candidates:
            raise DataError(
                "no checkpoint can be read; remove the folder to start over: " + "; ".join(skipped)
            )
        return None

    def _verified(self, path: Path) -> dict:
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        present = {str(p.relative_to(path)) for p in _files(path)}
        if missing := set(manifest["files"]) - present:
            raise ValueError(f"{min(missing)} is missing")
        for name, digest in manifest["files"].items():
            if _digest(path / name) != digest:
                raise ValueError(f"{name} is corrupted")
        return manifest

    def _check_identity(self, path: Path, found: dict):
        for key in sorted(set(found) | set(self.identity)):
            if found.get(key) != self.identity.get(key):
                difference = _differences(found.get(key), self.identity.get(key))
                raise DataError(
                    f"{path} was written with another {key} ({difference}); "
                    f"remove {self.folder} to start over, or run with what it was written with"
                )

    def remove(self):
        """Remove all checkpoints of the run."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _differences(found, wanted) -> str:
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return f"{found!r} there, {wanted!r} here"
    keys = [k for k in sorted({*found, *wanted}) if found.get(k) != wanted.get(k)]
    return "; ".join(f"{k}: {found.get(k)!r} there, {wanted.get(k)!r} here" for k in keys)


def _fill(path: Path, template, arrays: dict):
    leaves, structure = jax.tree.flatten(template)
    loaded = [np.asarray(arrays[key]) for key in sorted(arrays)]
    shapes = [(a.shape, a.dtype) for a in loaded]
    expected = [(np.shape(leaf), np.dtype(leaf.dtype)) for leaf in leaves]
    if shapes != expected:
        raise DataError(f"{path} holds other arrays than this optimiser needs; remove it")
    return jax.tree.unflatten(structure, loaded)
