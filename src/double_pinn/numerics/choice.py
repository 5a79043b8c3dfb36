"""What networks, regularisers and optimisers have in common: a choice is one file.

The file defines one subclass with a name, a label, flags, and options: typed fields with defaults
and a line of documentation each. It is found by looking into its folder; there is no list. Files
are read for the names that they define, and only the one that is asked for is imported: a draft
beside it harms itself alone.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Generic, NamedTuple, TypeVar

from double_pinn.errors import SettingsError
from double_pinn.numerics.problems.base import Problem
from double_pinn.values import Section


class Choice(Section):
    """A network, a regulariser or an optimiser with its options.

    Attributes:
        name: the key in the configuration and in file names.
        label: the name in figures and tables.
    """

    name: ClassVar[str]
    label: ClassVar[str]

    def named(self) -> dict:
        """Return the options as plain values, after the name: what stands in a settings file."""
        return {"name": self.name, **self.model_dump(mode="json")}


Kind = TypeVar("Kind", bound=Choice | Problem, covariant=True)


class Found(NamedTuple, Generic[Kind]):
    """A choice and the file that defines it.

    Attributes:
        cls: the class.
        path: the file.
    """

    cls: type[Kind]
    path: Path


_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Folder(Generic[Kind]):
    """What a folder of choices holds.

    Attributes:
        names: of the choices, sorted.
        broken: the files that cannot be read, with the reason.
    """

    def __init__(self, package: ModuleType, kind: type[Kind]):
        """Read the files of a folder; none is imported.

        Args:
            package: the folder, an imported package.
            kind: the base class of its choices.
        """
        self._package, self._kind = package, kind
        self._places: dict[str, list[Path]] = {}
        self.broken: dict[str, str] = {}
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            try:
                found = list(_names_in(path))
            except (SyntaxError, ValueError, OSError) as error:
                self.broken[path.name] = f"{type(error).__name__}: {error}"
                continue
            for name in found:
                self._places.setdefault(name, []).append(path)
        self.names = tuple(sorted(self._places))

    @cached_property
    def choices(self) -> Mapping[str, Found[Kind]]:
        """All choices that can be imported, by name, sorted; the others are :attr:`broken`."""
        found = {}
        for name in self.names:
            try:
                found[name] = self.get(name, name)
            except SettingsError as error:
                self.broken |= dict.fromkeys((p.name for p in self._places[name]), str(error))
        return found

    def get(self, key: str, name: str) -> Found[Kind]:
        """Import a choice.

        Raises:
            SettingsError: if there is none of that name, or its file cannot be used; ``key`` says
                where it was asked for.
        """
        places = self._places.get(name, []) if isinstance(name, str) else []
        if not places:
            broken = "".join(f"; {file} cannot be read: {why}" for file, why in self.broken.items())
            known = ", ".join(self.names)
            raise SettingsError(f"{key} is {name!r}: choose one of {known}{broken}")
        if len(places) > 1:
            both = " and ".join(map(str, places))
            raise SettingsError(f"{key} is {name!r}: {both} both define it; rename one")
        return Found(self._imported(key, name, places[0]), places[0])

    def _imported(self, key: str, name: str, path: Path) -> type[Kind]:
        try:
            module = importlib.import_module(f"{self._package.__name__}.{path.stem}")
        # A draft may do anything, such as leave by sys.exit().
        except (Exception, SystemExit) as error:
            line = _line_in(path, error)
            raise SettingsError(
                f"{key} is {name!r}: {path}{line} cannot be used: {type(error).__name__}: {error}"
            ) from error
        for item in vars(module).values():
            if isinstance(item, type) and vars(item).get("name") == name:
                if not issubclass(item, self._kind):
                    raise SettingsError(
                        f"{key} is {name!r}: {path}: {item.__name__} is no {self._kind.__name__}; "
                        f"write class {item.__name__}({self._kind.__name__})"
                    )
                return _complete(item, path)
        raise SettingsError(f"{key} is {name!r}: {path} defines no such class when it is imported")


def _names_in(path: Path) -> Iterator[str]:
    """Yield the names that the classes of a file give themselves.

    Raises:
        SyntaxError: if it is no Python.
        ValueError: if a name is not written down as a name.
    """
    classes = ast.parse(path.read_text(encoding="utf-8")).body
    for item in (found for found in classes if isinstance(found, ast.ClassDef)):
        for line in item.body:
            match line:
                case ast.Assign(targets=[ast.Name(id="name")], value=value):
                    is_typed = False
                case ast.AnnAssign(target=ast.Name(id="name"), value=value) if value:
                    is_typed = "ClassVar" not in ast.unparse(line.annotation)
                case _:
                    continue
            name = value.value if isinstance(value, ast.Constant) else None
            if is_typed or not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise ValueError(
                    f"line {line.lineno}: {item.name} needs a name of small letters, digits and _, "
                    "written down as text, without a type"
                )
            yield name


def _line_in(path: Path, error: BaseException) -> str:
    """Return the line of a file in which an error arose, as ``:LINE``; empty if it has none."""
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f":{lines[-1]}" if lines else ""


def _complete(cls: type[Kind], path: Path) -> type[Kind]:
    """Return a class that has what figures and tables call it.

    Raises:
        SettingsError: if it has not.
    """
    words = "title" if issubclass(cls, Problem) else "label"
    if not isinstance(getattr(cls, words, None), str):
        raise SettingsError(
            f"{path}: {cls.__name__} has no {words}: write what figures and tables call it, "
            f'{words} = "..."'
        )
    return cls
