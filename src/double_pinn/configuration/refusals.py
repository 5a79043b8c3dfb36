"""What was refused, in words: the key, its value, and what is allowed there."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from double_pinn.values import NAME_PATTERN


def lines_of(error: ValidationError, values: Any, model: type[BaseModel]) -> list[str]:
    """Return a line for everything that a model refuses.

    Args:
        error: from pydantic.
        values: what was refused.
        model: what refused it.
    """
    return list(dict.fromkeys(_line(detail, values, model) for detail in error.errors()))


def _line(detail: Mapping, values, model) -> str:
    # Parts of the path that are no key of the values name a member of a union or a validator.
    path, inner = [], values
    for step in detail["loc"]:
        if isinstance(inner, Mapping) and (step in inner or detail["type"] == "missing"):
            path.append(str(step))
            inner = inner.get(step)
        elif isinstance(inner, Sequence) and not isinstance(inner, str) and isinstance(step, int):
            path.append(str(step))
            inner = inner[step]
        elif isinstance(inner, Mapping) and step == "[key]":
            break
    key, kind, value = ".".join(path) or "settings", detail["type"], detail["input"]
    if kind == "missing":
        return f"{key} is missing"
    if kind == "extra_forbidden":
        return f"{key} is unknown; known here: {', '.join(_known(model, path[:-1]))}"
    if value is None:
        return f"{key} is empty: {_needed(detail)}; write it there, or remove the line"
    return f"{key} is {value!r}: {_needed(detail)}{_hint(key, value, kind)}"


def _known(model, path: Iterable[str]) -> list[str]:
    """Return the keys of the section at a path."""
    for step in path:
        field = model.model_fields.get(step)
        if field is None:
            continue  # a name, below which stands what every name has
        inner = _members(field.annotation)
        models = [a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def _members(annotation) -> list:
    arguments = getattr(annotation, "__args__", ())
    return [annotation, *(inner for a in arguments for inner in _members(a))]


def _needed(detail: Mapping) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    bounds = {"greater_than_equal": ("ge", "at least"), "greater_than": ("gt", "more than")}
    bounds |= {"less_than_equal": ("le", "at most"), "less_than": ("lt", "less than")}
    if kind in bounds:
        limit, words = bounds[kind]
        return f"{words} {context[limit]} is needed"
    needed = {
        "int_type": "an integer is needed",
        "int_from_float": "an integer is needed",
        "float_type": "a number is needed",
        "finite_number": "a finite number is needed",
        "bool_type": "true or false is needed",
        "string_type": "text is needed",
        "list_type": "a list is needed",
        "dict_type": "a table of keys and values is needed",
        "model_type": "a table of keys and values is needed",
        "literal_error": f"choose one of {context.get('expected', '').replace(' or ', ', ')}",
        "string_pattern_mismatch": (
            "small letters, digits and _ are allowed, a letter first"
            if context.get("pattern") == NAME_PATTERN
            else "this is not its form, which config/README.md shows"
        ),
        "string_too_short": "a text is needed",
        "too_short": f"at least {context.get('min_length')} entry is needed",
        "enum": f"choose one of {context.get('expected')}",
    }
    return needed.get(kind, detail["msg"].removeprefix("Value error, "))


def _hint(key: str, value, kind: str) -> str:
    """Explain a number that YAML took for text, such as 5e-4, and a list without brackets."""
    if kind == "list_type" and isinstance(value, (str, int, float)):
        return f" ({key}=[{value}] on the command line, {key}: [{value}] in a file)"
    is_power = isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value)
    return " (text for YAML; write 5e-4 as 5.0e-4)" if kind == "float_type" and is_power else ""
