"""What can be told of an equation by looking at it, before anything is computed with it."""

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from double_pinn.errors import SettingsError
from double_pinn.numerics.problems.base import (
    ALIGNMENT,
    AXES,
    EQUATION,
    Condition,
    Problem,
    kind_of,
)


def check_problem(problem: Problem) -> None:
    """Refuse what is no equation, or one that is not complete, or not what it seems to be.

    Raises:
        SettingsError: naming file and class, and what to write.
    """
    if isinstance(problem, type):
        raise SettingsError(f"{problem.__name__} is a class: write {problem.__name__}()")
    if not isinstance(problem, Problem):
        raise SettingsError(
            f"{problem!r} is no equation: an instance of a Problem is needed, such as "
            'get_problem("wave")'
        )
    check_class(type(problem))
    check_conditions(problem)


def check_conditions(problem: Problem) -> None:
    """Refuse conditions that are none, or that the loss cannot tell apart.

    Raises:
        SettingsError: naming file and class, and what to write.
    """
    for wrong in _wrong_conditions(problem.conditions):
        raise SettingsError(f"{where(type(problem))}: {wrong}")


def check_class(cls: type[Problem]) -> None:
    """Refuse a class that is not complete, or whose fields Python would silently ignore.

    Raises:
        SettingsError: naming file and class, and what to write.
    """
    for wrong in (*_ignored_fields(cls), *_missing_parts(cls)):
        raise SettingsError(f"{where(cls)}: {wrong}")


def where(cls: type) -> str:
    """Return a class and the file that defines it, in words."""
    try:
        return f"{inspect.getfile(cls)}: class {cls.__name__}"
    except (TypeError, OSError):  # typed into an interpreter
        return f"class {cls.__name__}"


def _ignored_fields(cls: type[Problem]) -> Iterator[str]:
    for part in cls.__mro__[: cls.__mro__.index(Problem)]:
        annotated = inspect.get_annotations(part).items()
        typed = {name for name, kind in annotated if "ClassVar" not in str(kind)}
        if typed and "__dataclass_params__" not in vars(part):
            yield (
                f"its {', '.join(sorted(typed))} does not count: write @dataclass(frozen=True) "
                f"above class {part.__name__}"
            )
        bases = [base for base in part.__bases__ if is_dataclass(base)]
        inherited = {field.name for base in bases for field in fields(base)}
        for name in sorted(inherited & vars(part).keys() - typed):
            kind = "tuple[float, float]" if name.endswith("_range") else "float"
            yield f"its {name} does not count without a type: write {name}: {kind} = ..."


def _missing_parts(cls: type[Problem]) -> Iterator[str]:
    if not isinstance(getattr(cls, "name", None), str):
        yield 'it has no name: write what the configuration calls it, name = "..."'
    if not isinstance(getattr(cls, "title", None), str):
        yield 'it has no title: write what figures and tables call it, title = "..."'
    if cls.residual is Problem.residual:
        yield "it has no equation: write def residual(self, u, x, t), which returns F(u)"
    conditions = inspect.getattr_static(cls, "conditions")
    if inspect.isfunction(conditions):
        yield "its conditions is no property: write @property above def conditions(self)"
    if conditions is vars(Problem)["conditions"]:
        yield "it has no conditions: write a property conditions that returns a tuple of them"


def _wrong_conditions(conditions) -> Iterator[str]:
    if isinstance(conditions, Condition):
        yield "conditions returns a single one: a comma makes it a tuple, return (Initial(...),)"
    elif not isinstance(conditions, tuple | list):
        yield f"conditions returns a {type(conditions).__name__}: return a tuple of conditions"
    else:
        for condition in conditions:
            kind_of(condition)
            name = condition.name
            if not (isinstance(name, str) and name.isidentifier()):
                yield f"a condition has the name {name!r}: write a word, such as 'initial_u'"
            if not callable(condition.residual) and type(condition).line is Condition.line:
                yield (
                    f"the condition {name!r} has no line: write a function behind its name, such "
                    "as lambda u, x: u - self.initial(x)"
                )
        names = [EQUATION, ALIGNMENT, *(condition.name for condition in conditions)]
        for name, count in Counter(names).items():
            if count > 1:
                yield (
                    f"two terms of the name {name!r}: give every condition one of its own, and "
                    f"none {EQUATION!r} or {ALIGNMENT!r}"
                )
        derived = {f"{EQUATION}_{axis}": EQUATION for axis in AXES}
        derived |= {f"{c.name}_{kind_of(c).tangent}": c.name for c in conditions}
        for name in names:
            if name in derived:
                yield (
                    f"the condition {name!r} has the name of the derivative of {derived[name]!r} "
                    "that double PINN adds: give it another, such as 'left_flux'"
                )
