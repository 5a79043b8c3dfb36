"""The equations, found by name: every module of this folder is searched for problems."""

import importlib
import pkgutil
from dataclasses import fields
from functools import cache

from double_pinn.errors import SettingsError
from double_pinn.numerics.problems.base import Initial, Left, Periodic, Problem, Right, kind_of

__all__ = [
    "Initial",
    "Left",
    "Periodic",
    "Problem",
    "Right",
    "get_problem",
    "kind_of",
    "problem_names",
]


@cache
def _classes() -> dict[str, type[Problem]]:
    found = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for item in vars(module).values():
            is_problem = isinstance(item, type) and issubclass(item, Problem)
            if is_problem and item is not Problem and item.__module__ == module.__name__:
                found[item.name] = item
    return found


def problem_names() -> tuple[str, ...]:
    """Return the names of all equations, sorted."""
    return tuple(sorted(_classes()))


def get_problem(name: str, **parameters) -> Problem:
    """Build an equation from its name and coefficients.

    Args:
        name: as in the configuration, such as ``convection``.
        **parameters: coefficients and ranges that differ from the paper's.

    Raises:
        SettingsError: if the name or a parameter is unknown, or a value is out of range.
    """
    if name not in _classes():
        raise SettingsError(
            f"equation.name {name!r} is unknown; known: {', '.join(problem_names())}"
        )
    cls = _classes()[name]
    known = {field.name for field in fields(cls)}
    for key in parameters:
        if key not in known:
            raise SettingsError(
                f"equation.parameters.{key} is unknown to {name!r}; "
                f"known: {', '.join(sorted(known))}"
            )
    try:
        return cls(**parameters)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"equation.parameters of {name!r}: {error}") from error
