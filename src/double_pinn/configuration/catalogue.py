"""The choices that there are: equations, networks, regularisers and optimisers, found by name."""

import importlib
import sys
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Literal, overload

from double_pinn.configuration import stand_ins
from double_pinn.errors import SettingsError
from double_pinn.numerics.choice import Choice, Folder, Found
from double_pinn.numerics.problems.base import Problem
from double_pinn.numerics.problems.checks import check_class, check_problem

if TYPE_CHECKING:
    from double_pinn.numerics.regularizers.base import Regularizer

#: Kind of choice: its folder in ``numerics/``, and the class of its base.
KINDS = {
    "equation": ("problems", "Problem"),
    "network": ("networks", "Network"),
    "regularizer": ("regularizers", "Regularizer"),
    "optimizer": ("optimizers", "Optimizer"),
}
#: The kinds whose choices have options; an equation has coefficients.
ChoiceKind = Literal["network", "regularizer", "optimizer"]

_without_jax = False
# What stand-ins stand for then.
_LIBRARIES = ("jax", "flax", "optax", "jaxtyping", "scipy")


def read_without_jax() -> None:
    """Read the choices without their mathematics from now on, in this process.

    Importing JAX takes seconds, and the workflow is read again by every job. What a choice says of
    itself (name, options, flags, label) needs no mathematics; to train with it one needs a process
    that has not called this function.
    """
    global _without_jax
    _without_jax = True


@cache
def _real_folder(kind: str) -> Folder[Choice] | Folder[Problem]:
    return _read_folder(kind)


@cache
def _folder_without_jax(kind: str) -> Folder[Choice] | Folder[Problem]:
    with stand_ins.instead_of(*_LIBRARIES):
        return _read_folder(kind)


def _read_folder(kind: str) -> Folder[Choice] | Folder[Problem]:
    name, base = KINDS[kind]
    package = f"double_pinn.numerics.{name}"
    parent = importlib.import_module(f"{package}.base")
    return Folder(sys.modules[package], getattr(parent, base))


def folder_of(kind: str) -> Folder[Choice] | Folder[Problem]:
    """Return what the folder of a kind holds."""
    return _folder_without_jax(kind) if _is_without_jax() else _real_folder(kind)


def _is_without_jax() -> bool:
    return _without_jax and "jax" not in sys.modules


@cache
def _found(kind: str, key: str, name: str) -> Found[Choice] | Found[Problem]:
    folder = folder_of(kind)
    if name not in folder.names or not _is_without_jax():
        return folder.get(key, name)
    try:
        with stand_ins.instead_of(*_LIBRARIES):
            found = folder.get(key, name)
        if not stand_ins.any_in(found.cls):
            return found
    except SettingsError:
        pass
    # The file does more with JAX, when it is imported, than a stand-in can do; or it is broken.
    return _real_folder(kind).get(key, name)


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all choices of a kind, sorted."""
    return folder_of(kind).names


@overload
def found(kind: Literal["equation"], name: str, key: str | None = None) -> Found[Problem]: ...
@overload
def found(
    kind: Literal["regularizer"], name: str, key: str | None = None
) -> Found["Regularizer"]: ...
@overload
def found(kind: ChoiceKind, name: str, key: str | None = None) -> Found[Choice]: ...
@overload
def found(kind: str, name: str, key: str | None = None) -> Found[Choice] | Found[Problem]: ...
def found(kind: str, name: str, key: str | None = None) -> Found[Choice] | Found[Problem]:
    """Return a choice and its file.

    Args:
        kind: a key of ``KINDS``.
        name: of the choice.
        key: where it was asked for.

    Raises:
        SettingsError: if there is none of that name, or its file cannot be used.
    """
    key = key or f"{kind}.name"
    return _found(kind, key, name) if isinstance(name, str) else folder_of(kind).get(key, name)


def label(kind: str, name: str) -> str:
    """Return what figures and tables call a choice; a name that is no more, as words."""
    if name not in names(kind):
        return name.replace("_", " ")
    choice = found(kind, name).cls
    return choice.title if issubclass(choice, Problem) else choice.label


def weight_symbol(name: str) -> str:
    """Return the symbol of a regulariser's weight; empty where there is none to show."""
    return found("regularizer", name).cls.symbol if name in names("regularizer") else ""


def get_problem(name: str, /, **parameters) -> Problem:
    """Build an equation from its name and coefficients.

    Args:
        name: as in the configuration, such as ``convection``.
        **parameters: coefficients and ranges that differ from the paper's.

    Raises:
        SettingsError: if the name or a parameter is unknown, or a value is out of range.
    """
    cls = found("equation", name).cls
    check_class(cls)
    known = [field.name for field in fields(cls)]
    for key in parameters:
        if key not in known:
            raise SettingsError(
                f"equation.parameters.{key} is unknown to {name!r}; known here: {', '.join(known)}"
            )
    try:
        problem = cls(**parameters)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"equation.parameters of {name!r}: {error}") from error
    check_problem(problem)
    return problem
