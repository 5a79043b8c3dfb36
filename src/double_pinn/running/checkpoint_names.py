"""The checkpoints in a folder, by their names; read by what must not wait for Orbax."""

import re
from pathlib import Path

# The iteration; a second checkpoint of the same iteration stands beside the first.
_NAME = re.compile(r"(\d+)(?:-(\d+))?")


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that were renamed into place, newest first; none without a folder."""
    return [path for _, path in _numbered(folder)]


def newest_iteration(folder: Path) -> int | None:
    """Return the iteration of the newest checkpoint, ``None`` without one. It is not verified."""
    return next((iteration for (iteration, _), _ in _numbered(folder)), None)


def _numbered(folder: Path) -> list[tuple[tuple[int, int], Path]]:
    found = [(match, path) for path in folder.glob("*") if (match := _NAME.fullmatch(path.name))]
    numbered = [((int(match[1]), int(match[2] or 0)), path) for match, path in found]
    return sorted(numbered, key=lambda pair: pair[0], reverse=True)
