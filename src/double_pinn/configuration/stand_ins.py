"""Stand-ins for libraries that are slow to import, while only declarations are read.

Inside :func:`instead_of` an import of such a library gives an object that takes part in whatever
Python does when it reads a file: it has every attribute, can be called, subclassed, subscripted and
used in annotations, and as a decorator it returns the function.
"""

import contextlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType

# What was imported with stand-ins for some libraries.
_KEPT: dict[tuple[str, ...], dict[str, ModuleType]] = {}


class _StandIn(ModuleType):
    """A module, and everything in it."""

    def __init__(self, name):
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _StandIn(f"{self.__name__}.{name}")

    def __call__(self, *arguments, **options):
        is_decorated = len(arguments) == 1 and isinstance(arguments[0], FunctionType | type)
        return arguments[0] if is_decorated else self

    def __mro_entries__(self, bases):
        return ()

    def __getitem__(self, key):
        return self

    def __or__(self, other):
        return self

    __ror__ = __or__

    # What asks for numbers or items gets an error, and the file the real library.
    __iter__ = None

    def __bool__(self):
        raise TypeError(f"{self.__name__} is a stand-in")


def any_in(cls: type) -> bool:
    """Return whether a class holds a stand-in where a value is expected, such as a default."""
    defaults = [field.default for field in getattr(cls, "model_fields", {}).values()]
    return any(isinstance(value, _StandIn) for value in (*vars(cls).values(), *defaults))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, libraries):
        self._libraries = libraries

    def find_spec(self, name, path=None, target=None):
        library = name.partition(".")[0]
        if library not in self._libraries:
            return None
        # In a library that is loaded already its part would stay, as a stand-in.
        loaded = sys.modules.get(library)
        if loaded is not None and not isinstance(loaded, _StandIn):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return _StandIn(spec.name)

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def instead_of(*libraries: str) -> Iterator[None]:
    """Import stand-ins for libraries, those that are loaded already excepted.

    Every module that was first imported inside is forgotten afterwards: whoever imports it again
    gets the real one. Inside, next time, it is what it was.
    """
    kept = _KEPT.setdefault(libraries, {})
    finder, before = _Finder(libraries), set(sys.modules)
    sys.modules.update({name: kept[name] for name in kept.keys() - before})
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in (*libraries, __package__.partition(".")[0]):
                kept[name] = sys.modules.pop(name)
