"""Checkpoints of a training job: written whole or not at all, checked before they are trusted.

A folder holds one subfolder a checkpoint, named by its iteration: the arrays as Orbax wrote them,
and a manifest with what they belong to, the history so far, and a checksum of every file. The
manifest is written last and the folder is renamed into place, so a job killed at any moment leaves
either a checkpoint that verifies or rubbish that the next save sweeps away. No complete checkpoint
is touched before a newer one is in place. One process at a time uses a folder: a lock that the
operating system drops with the process keeps others out.
"""

import contextlib
import faulthandler
import fcntl
import gc
import hashlib
import json
import logging
import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from double_pinn import __version__, files
from double_pinn.errors import DataError
from double_pinn.running.checkpoint_names import complete_checkpoints

_MANIFEST = "manifest.json"
_LOCK = "lock"
_KEEP = 2
# No write takes so long, be the network's file system ever so slow.
_STUCK_SECONDS = 900.0


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


def _files(folder: Path):
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != _MANIFEST)


def _checksum(content: dict) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _watched():
    """End the process, with its tracebacks, if what is inside hangs.

    Where memory is too short for another thread, Orbax waits for it for ever; a job that ends can
    be started again. The watch is a thread itself, so that a lack of memory shows here first.
    """
    faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _quiet():
    """Keep Orbax from printing the traceback of an error that is raised and reported anyway.

    The first array that cannot be written ends Orbax's event loop. The other arrays are still being
    written, by threads of TensorStore; each finds the loop closed, and Python reports that as an
    error which it cannot raise.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    levels, report = [logger.level for logger in loggers], sys.unraisablehook

    def report_others(unraisable):
        if str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = report_others
    try:
        yield
    except BaseException:
        gc.collect()  # asyncio reports a failed task that nobody asked when it is collected
        raise
    finally:
        sys.unraisablehook = report
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _remove(folder: Path):
    """Remove a folder into which threads may still be writing, and give them a moment to end.

    What a slower thread puts there again is swept away by the next save.
    """
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.1)
        if not folder.exists():
            break


class CheckpointFolder:
    """The checkpoints of one run; used as a context, the folder is locked for other processes.

    Attributes:
        folder: where they lie.
        identity: what they belong to; a checkpoint with another identity is refused.
        warning: why the folder could not be locked, or ``None``: some network file systems cannot.
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
        self.warning: str | None = None
        self._lock: int | None = None
        self._unreadable: list[Path] = []

    def __enter__(self):
        """Lock the folder.

        Raises:
            DataError: if another process uses it, or it cannot be made.
        """
        path = self.folder / _LOCK
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise DataError(f"{self.folder}: no folder for checkpoints: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 1000).decode(errors="replace") or "another process"
            self.__exit__()
            raise DataError(
                f"{self.folder} is in use by {holder}: wait until it ends, or stop it first"
            ) from None
        except OSError as error:
            self.warning = (
                f"{self.folder} cannot be locked ({error.strerror}): "
                "see to it that no other process uses it"
            )
            return self
        with contextlib.suppress(OSError):  # it only names the holder
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
        return self

    def __exit__(self, *exc_info):
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save(self, state, progress: dict, keep: int = _KEEP):
        """Write a checkpoint, then remove all but the newest.

        Args:
            state: a pytree of arrays.
            progress: plain values, with an ``iteration``.
            keep: how many stay, this one among them. Two, as long as a run goes on: the newest may
                be damaged later.

        Raises:
            DataError: if it cannot be written, such as on a full disk; earlier ones stay.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for rubbish in self.folder.glob("partial-*"):
                shutil.rmtree(rubbish, ignore_errors=True)
            with _watched(), _quiet():
                self._write(state, progress)
        except Exception as error:  # Orbax reports a full disk as a ValueError
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise DataError(
                f"{self.folder}: the checkpoint of iteration {progress['iteration']} cannot be "
                f"written, earlier ones stay: {reason or type(error).__name__}"
            ) from error
        readable = [p for p in complete_checkpoints(self.folder) if p not in self._unreadable]
        for old in [*self._unreadable, *readable[keep:]]:
            shutil.rmtree(old, ignore_errors=True)
        self._unreadable = []

    def _write(self, state, progress: dict):
        name = f"{progress['iteration']:08d}"
        partial, final = self.folder / f"partial-{name}-{os.getpid()}", self.folder / name
        partial.mkdir()
        try:
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
            arrays = {f"leaf_{k:03d}": leaf for k, leaf in enumerate(leaves)}
            with ocp.PyTreeCheckpointer() as checkpointer:
                checkpointer.save((partial / "state").absolute(), arrays)
            for path in partial.rglob("*"):
                files.sync(path)
            manifest = {
                "identity": self.identity,
                "progress": progress,
                "files": {str(p.relative_to(partial)): files.digest(p) for p in _files(partial)},
            }
            text = json.dumps({"checksum": _checksum(manifest), **manifest})
            files.write_through(partial / _MANIFEST, text)
            repeat = 0
            while final.exists():
                repeat += 1
                final = self.folder / f"{name}-{repeat}"
            os.rename(partial, final)
            files.sync(self.folder)
        except BaseException:
            _remove(partial)
            raise

    def size(self) -> int:
        """Return the bytes that the checkpoints take."""
        return files.size(self.folder)

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
        candidates, skipped = complete_checkpoints(self.folder), []
        for path in candidates:
            try:
                manifest = self._verified(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                skipped.append(f"{path}: {error}")
                self._unreadable.append(path)
                continue
            self._check_identity(path, manifest["identity"])
            with ocp.PyTreeCheckpointer() as checkpointer:
                arrays = checkpointer.restore((path / "state").absolute())
            return Checkpoint(_fill(path, template, arrays), manifest["progress"], tuple(skipped))
        if candidates:
            raise DataError(
                f"no checkpoint can be read; remove {self.folder} to start over: "
                + "; ".join(skipped)
            )
        return None

    def _verified(self, path: Path) -> dict:
        if not (path / _MANIFEST).is_file():
            raise ValueError(f"{_MANIFEST} is missing")
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        if manifest.pop("checksum") != _checksum(manifest):
            raise ValueError(f"{_MANIFEST} is corrupted")
        present = {str(p.relative_to(path)) for p in _files(path)}
        if missing := set(manifest["files"]) - present:
            raise ValueError(f"{min(missing)} is missing")
        for name, digest in manifest["files"].items():
            if files.digest(path / name) != digest:
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
