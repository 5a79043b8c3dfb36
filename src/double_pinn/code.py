"""What files compute, as a digest: the identity of the code behind a run's numbers."""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
import token
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent
_NAME = __name__.partition(".")[0]

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
# Of an environment, of the system, of the user.
_INSTALLED = {"site-packages", "dist-packages"}

# By name, because the numbers of tokens differ from one Python to the next.
_OPENS = {"FSTRING_START", "TSTRING_START"}
_CLOSES = {"FSTRING_END", "TSTRING_END"}
_SILENT = {"COMMENT", "NL", "ENCODING", "ENDMARKER"}


def code_digest(files: Iterable[Path]) -> str:
    """Return a digest of what files say, the same under Python 3.11 to 3.14.

    Of Python it is made of tokens: comments, docstrings and the breaking of lines do not enter; of
    other files of all bytes. The names of the files decide their order and nothing else.

    Args:
        files: in any order.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(files):
        digest.update(_digest_of(path, path.stat().st_mtime_ns))
    return digest.hexdigest()


@cache
def _digest_of(path: Path, changed: int) -> bytes:
    """Return the digest of one file as it was when it was last changed."""
    digest = hashlib.blake2b(digest_size=8)
    if path.suffix != ".py":
        digest.update(path.read_bytes())
        return digest.digest()
    for line in _logical_lines(path):
        # A string that stands alone is a docstring.
        if [kind for kind, _ in line] != ["STRING", "NEWLINE"]:
            digest.update(repr(line).encode())
    return digest.digest()


def same_code(package: Path) -> bool:
    """Return whether another copy of this package has the same content as this one.

    Args:
        package: its folder.
    """
    if package.resolve() == PACKAGE:
        return True
    return _contents(package) == _contents(PACKAGE)


def _contents(package: Path) -> dict[str, bytes]:
    return {str(p.relative_to(package)): p.read_bytes() for p in sorted(package.rglob("*.py"))}


def imported_files(path: Path) -> list[Path]:
    """Return the files of this package that a file imports."""
    return _imported(path, path.stat().st_mtime_ns)


@cache
def _imported(path: Path, changed: int) -> list[Path]:
    modules = _modules_imported(path, changed)
    found = [_file_of(parts[1:]) for parts in modules if parts[0] == _NAME]
    return [file for file in found if file]


@cache
def _modules_imported(path: Path, changed: int) -> list[list[str]]:
    """Return the parts of the names that a file imports, of modules or of something in one."""
    package = path.relative_to(PACKAGE).parent.parts if path.is_relative_to(PACKAGE) else ()
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = node.module.split(".") if node.module else []
            if node.level:  # from . import, from .. import
                parent = [_NAME, *package[: len(package) - node.level + 1], *parent]
            # What is imported is a module, or something in one.
            modules += [[*parent, alias.name] for alias in node.names]
    return modules


def _file_of(parts: list[str]) -> Path | None:
    """Return the file of a module of this package, or of the module in which a name stands."""
    base = PACKAGE.joinpath(*parts)
    places = [base.with_suffix(".py"), base / "__init__.py"]
    places += [base.parent.with_suffix(".py"), base.parent / "__init__.py"]
    return next((place for place in places if place.is_file()), None)


def files_behind(paths: Iterable[Path], rooms: Iterable[Path]) -> list[Path]:
    """Return files and what they import from some rooms, however indirectly, sorted.

    Args:
        paths: the files to begin with.
        rooms: folders (with all that is below them) or files; imports from elsewhere are left out.
    """
    places, found, pending = frozenset(rooms), set(), list(paths)
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imported_from(places, path, path.stat().st_mtime_ns)
    return sorted(found)


@cache
def _imported_from(places: frozenset[Path], path: Path, changed: int) -> list[Path]:
    """Return what a file, as it was when it was last changed, imports from some places."""
    return [p for p in imported_files(path) if not places.isdisjoint({p, *p.parents})]


def files_elsewhere(paths: Iterable[Path]) -> list[Path]:
    """Return the modules that files import from neither Python, nor what is installed, nor here.

    Somebody's own, found on the path of modules; of a package all of its modules.

    Args:
        paths: the files to begin with; what is found is looked into as well.
    """
    found: set[Path] = set()
    pending = list(paths)
    while pending:
        path = pending.pop()
        for first, *_ in _modules_imported(path, path.stat().st_mtime_ns):
            new = set(_module_elsewhere(first)) - found
            found |= new
            pending += new
    return sorted(found)


def is_installed(path: Path) -> bool:
    """Return whether a file (absolute, links followed) is Python's or of an installed package."""
    return path.is_relative_to(_STANDARD_LIBRARY) or bool(_INSTALLED & {*path.parts})


@cache
def _module_elsewhere(name: str) -> tuple[Path, ...]:
    if name in sys.stdlib_module_names or name == _NAME:
        return ()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ()
    if not (spec and spec.origin and spec.origin.endswith(".py")):
        return ()
    path = Path(spec.origin).resolve()
    if is_installed(path):
        return ()
    return tuple(sorted(path.parent.rglob("*.py"))) if path.name == "__init__.py" else (path,)


def _logical_lines(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Yield kind and text of the tokens of each logical line; a step of indentation is its own."""
    line: list[tuple[str, str]] = []
    for kind, text in _tokens(path):
        if kind in ("INDENT", "DEDENT"):
            yield [(kind, "")]
        elif kind == "NEWLINE":
            yield [*line, (kind, "")]
            line = []
        else:
            line.append((kind, text))


def _tokens(path: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each token; an f-string is one STRING, as before Python 3.12."""
    with tokenize.open(path) as file:
        rows = file.readlines()
    depth, start = 0, (0, 0)
    for found in tokenize.generate_tokens(iter(rows).__next__):
        kind = token.tok_name[found.type]
        if kind in _OPENS:
            start = start if depth else found.start
            depth += 1
        elif kind in _CLOSES:
            depth -= 1
            if depth == 0:
                yield "STRING", _between(rows, start, found.end)
        elif depth == 0 and kind not in _SILENT:
            yield kind, found.string


def _between(rows: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the source from one (row, column) to another; rows count from 1."""
    taken = rows[start[0] - 1 : end[0]]
    taken[-1] = taken[-1][: end[1]]
    taken[0] = taken[0][start[1] :]
    return "".join(taken)
