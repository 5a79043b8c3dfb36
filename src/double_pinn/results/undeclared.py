"""Files that an equation reads and does not name: a change in one would train nothing again."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from double_pinn.code import is_installed
from double_pinn.errors import UserError
from double_pinn.numerics.problems import Problem
from double_pinn.numerics.problems.checks import where
from double_pinn.numerics.problems.written import is_of_an_equation

# What Python itself opens while it imports.
_CODE = {".py", ".pyc", ".pyi", ".so", ".pth"}


@contextlib.contextmanager
def files_read() -> Iterator[set[Path]]:
    """Collect the files that are opened by what stands in an equation's file, or by what it calls.

    Yields:
        The files so far.
    """
    seen: set[Path] = set()
    active = True

    def look(event: str, arguments: tuple) -> None:
        if (
            active
            and event == "open"
            and isinstance(arguments[0], str)
            and _is_called_by_an_equation()
        ):
            path = Path(arguments[0]).resolve()
            if path.suffix not in _CODE and path.is_file() and not is_installed(path):
                seen.add(path)

    sys.addaudithook(look)  # for good: Python has no way to take one off
    try:
        yield seen
    finally:
        active = False


def _is_called_by_an_equation() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if is_of_an_equation(Path(frame.f_code.co_filename)):
            return True
        frame = frame.f_back
    return False


def check_files(problem: Problem, read: set[Path]) -> None:
    """Refuse an equation that has read a file which its ``files`` does not name.

    Raises:
        UserError: naming the file, and what to write.
    """
    named = {path.resolve() for path in type(problem).data_files().values()}
    for path in sorted(read - named):
        raise UserError(
            f"{where(type(problem))}: it reads {path}, in which a change would go unseen: put the "
            f"file beside the class, write files = ({path.name!r},) in it, and open "
            f"self.file({path.name!r})"
        )
