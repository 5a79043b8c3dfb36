"""What networks, regularisers and optimisers have in common: a choice is one file.

The file defines one subclass with a name, a label, flags, and options: typed fields with defaults
and a line of documentation each. It is found by looking into its folder; there is no list.
"""

import importlib
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
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


class Folder(NamedTuple, Generic[Kind]):
    """What a folder of choices holds.

    Attributes:
        choices: the choices, by name, sorted.
        broken: the files that cannot be imported, with the reason.
    """

    choices: Mapping[str, Found[Kind]]
    broken: dict[str, str]

    def get(self, key: str, name: str) -> Found[Kind]:
        """Return a choice.

        Raises:
            SettingsError: if there is none of that name; ``key`` says where it was asked for.
        """
        if isinstance(name, str) and name in self.choices:
            return self.choices[name]
        broken = "".join(f"; {file} cannot be used: {why}" for file, why in self.broken.items())
        raise SettingsError(f"{key} is {name!r}: choose one of {', '.join(self.choices)}{broken}")


_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _words_of(cls: type) -> str:
    """Return the attribute that figures and tables show."""
    return "title" if issubclass(cls, Problem) else "label"


def read_folder(package, kind: type[Kind]) -> Folder[Kind]:
    """Import every file of a folder and collect what it defines.

    A file that cannot be imported hides no other choice: it may be half written.

    Args:
        package: the imported package.
        kind: the base class of its choices.

    Raises:
        SettingsError: if two files define choices of the same name.
    """
    found: dict[str, Found[Kind]] = {}
    broken: dict[str, str] = {}
    for info in pkgutil.iter_modules(package.__path__):
        path = Path(package.__path__[0]) / f"{info.name}.py"
        try:
            module = importlib.import_module(f"{package.__name__}.{info.name}")
        except Exception as error:
            broken[path.name] = f"{type(error).__name__}: {error}"
            continue
        for item in vars(module).values():
            is_kind = isinstance(item, type) and issubclass(item, kind)
            if not is_kind or item.__module__ != module.__name__:
                continue
            # Its own name, not that of a class from which it inherits; one without is a base.
            if "name" not in vars(item) and "name" not in getattr(item, "model_fields", {}):
                continue
            name, words = vars(item).get("name"), getattr(item, _words_of(item), None)
            if not (isinstance(name, str) and _NAME.fullmatch(name) and isinstance(words, str)):
                broken[path.name] = (
                    f"{item.__name__} needs a name of small letters, digits and _, without a type, "
                    f"and a {_words_of(item)}"
                )
                continue
            other = found.setdefault(name, Found(item, path))
            if other.cls is not item:
                raise SettingsError(f"{path} and {other.path} both define {name!r}")
    return Folder(dict(sorted(found.items())), broken)
