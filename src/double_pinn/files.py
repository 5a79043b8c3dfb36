"""Files that are there whole or not at all: the only module that gives a file its name.

What is written goes beside its name first, hidden, and on to the disk; then it is renamed. A reader
sees the old file or the new one, never half of one, whenever the writer is killed or the power
fails. After an error nothing is left; after a kill, at most a hidden file with ``.tmp`` in its
name.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from double_pinn.errors import DataError

_FAILURES = (OSError,)


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], failures: tuple[type[Exception], ...] = _FAILURES
) -> Iterator[Path]:
    """Let a file be written by its temporary name; give it its name where no error occurs.

    Args:
        path: where the file goes; an existing file is replaced, the folder is created.
        failures: what the writer raises if it cannot write.

    Yields:
        The temporary name, in the same folder, with the same suffix. No file is there yet.

    Raises:
        DataError: if the file cannot be written (no space, no permission); an old one stays.
    """
    path = Path(path)
    with _staging([path]) as staged, naming(path, "written", failures):
        yield staged[path]
        sync(staged[path])


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Write files; none of them gets its name before all of them are on disk.

    Args:
        contents: the content of each file, text as UTF-8. Existing files are replaced, folders
            are created.

    Raises:
        DataError: if one of them cannot be written; old ones are unchanged.
    """
    with _staging(contents) as staged:
        for path, content in contents.items():
            with naming(path, "written"):
                write_through(staged[path], content)


def write_through(path: Path, content: str | bytes) -> None:
    """Write a file by the name given, and force it to disk.

    For a file inside a folder that is renamed as a whole; others are written by :func:`write_all`.

    Args:
        path: where, in a folder that exists.
        content: text (as UTF-8) or bytes.

    Raises:
        OSError: if it cannot be written; a part of it may be there.
    """
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to disk.

    Raises:
        OSError: if it is not there, or the disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """Return the BLAKE2b checksum of a file, that of ``b2sum``.

    Raises:
        OSError: if the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder; one that vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def megabytes(count: int) -> str:
    """Return a number of bytes in words: ``0.3 MB``, ``45 MB``, ``1,800 MB``."""
    return f"{count / 1e6:,.{0 if count >= 1e7 else 1}f} MB"


def check_writable(path: Path) -> None:
    """Find out now whether a file can be written later; no file is left of the trial.

    Raises:
        DataError: if it cannot, because of its folder, or because it is a folder itself.
    """
    with _staging([path], rename=False) as staged, naming(path, "written"):
        write_through(staged[path], b"")


def check_absent(path: Path) -> None:
    """Refuse a file that is there already, for a command that replaces it with --force alone.

    Raises:
        DataError: if there is something of this name.
    """
    if path.exists():
        raise DataError(f"{path}: is there already; give another name, or --force to replace it")


@contextlib.contextmanager
def naming(
    path: Path, what: str, failures: tuple[type[Exception], ...] = _FAILURES
) -> Iterator[None]:
    """Turn failures of the file system into errors for the user, with the name of the file.

    Args:
        path: the file, as the user knows it.
        what: "read" or "written".
        failures: what is turned.

    Raises:
        DataError: in place of a failure.
    """
    try:
        yield
    except failures as error:
        # Without its number, and without the temporary name that nobody gave.
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be {what}: {reason}") from error


@contextlib.contextmanager
def _staging(paths: Iterable[Path], rename: bool = True) -> Iterator[dict[Path, Path]]:
    """Yield a temporary name for each file; afterwards rename all of them, or remove them."""
    staged = {path: _beside(path) for path in paths}
    try:
        for path in staged:
            with naming(path, "written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():  # seen now: not after others have got their names
                    raise IsADirectoryError(None, "it is a folder")
        yield staged
        if not rename:
            return
        for path, temporary in staged.items():
            with naming(path, "written"):
                temporary.replace(path)
        for folder in dict.fromkeys(path.parent for path in staged):
            with naming(folder, "written"):
                sync(folder)
    finally:
        for temporary in staged.values():
            with contextlib.suppress(OSError):
                temporary.unlink()  # there only after a failure or a trial


def _beside(path: Path) -> Path:
    """Return a hidden name in the same folder, with the same suffix, that no other writer has."""
    own = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.stem}.{own}.tmp{path.suffix}")
