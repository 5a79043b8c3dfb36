"""What the model of the settings says of itself: JSON schemas and tables of config/README.md."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from double_pinn.configuration import catalogue
from double_pinn.configuration.experiments import Row
from double_pinn.configuration.model import Configuration
from double_pinn.configuration.settings import DEFAULT_CHOICES
from double_pinn.errors import UserError
from double_pinn.numerics.choice import Choice
from double_pinn.numerics.problems.base import Problem

_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
_RANGES = ("x_range", "t_range")


def configuration_schema() -> dict:
    """Return the JSON schema of the configuration, options of all choices included."""
    schema = Configuration.model_json_schema()
    for kind in DEFAULT_CHOICES:
        _close(schema, f"{kind}s", {n: _options(kind, n) for n in catalogue.names(kind)})
    _close(schema, "equations", {n: _coefficients(n) for n in catalogue.names("equation")})
    return {**_DIALECT, **schema}


def experiments_schema() -> dict:
    """Return the JSON schema of one row of the table of experiments."""
    return {**_DIALECT, **Row.model_json_schema()}


def _close(schema: dict, key: str, properties: dict) -> None:
    section = schema["properties"][key]
    section.pop("patternProperties")
    section |= {"properties": properties, "additionalProperties": False}


def _options(kind: catalogue.ChoiceKind, name: str) -> dict:
    return catalogue.found(kind, name).cls.model_json_schema()


def _coefficients(name: str) -> dict:
    number = {"type": "number"}
    interval = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    known = fields(catalogue.found("equation", name).cls)
    properties = {
        f.name: {**(interval if f.name in _RANGES else number), "default": _default(f.default)}
        for f in known
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _default(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# --- Tables ---


def keys_table() -> str:
    """Return the table of all keys of the configuration."""
    lines = ["| key | meaning | default | a change reruns |", "| --- | --- | --- | --- |"]
    lines += [_line(*row) for row in _keys(Configuration)]
    return "\n".join(lines)


def _keys(model: type[BaseModel], prefix: str = "", reruns: str = "") -> Iterator[tuple]:
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        rerun = str(extra.get("reruns", reruns)) if isinstance(extra, dict) else reruns
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and not field.description:
            yield from _keys(inner, f"{prefix}{name}.", rerun)
        else:
            key = f"`{prefix}{name}{_member(prefix + name, field)}`"
            yield key, field.description or "", _shown(field), rerun


def _member(key: str, field: FieldInfo) -> str:
    """Return what stands below a key whose own keys are names."""
    if not str(field.annotation).startswith("dict"):
        return ""
    below = {name: ".CELL" for name in ("cells", "cell_seeds")}
    below |= {name: ".EQUATION" for name in ("grid", "reference")}
    return below.get(key.split(".")[-1], ".NAME.OPTION")


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return f"`{json.dumps(value)}`" if value != {} else ""


def options_table() -> str:
    """Return the table of all choices and their options."""
    lines = [
        "| kind | name | in figures | option | default | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in catalogue.KINDS:
        for name in catalogue.names(kind):
            cls, label = catalogue.found(kind, name).cls, catalogue.label(kind, name)
            first = (kind, f"`{name}`", label)
            for row in _option_rows(cls) if issubclass(cls, Choice) else _coefficient_rows(cls):
                lines.append(_line(*first, *row))
                first = ("", "", "")
    return "\n".join(lines)


def _option_rows(cls: type[BaseModel]) -> list[tuple]:
    return [(f"`{n}`", _shown(f), f.description or "") for n, f in cls.model_fields.items()]


def _coefficient_rows(cls: type[Problem]) -> list[tuple]:
    said = dict(re.findall(r"^ +(\w+): (.*)$", cls.__doc__ or "", re.MULTILINE))
    said |= {"x_range": "The two ends of the space interval.", "t_range": "First and last instant."}
    return [
        (f"`{f.name}`", f"`{json.dumps(_default(f.default))}`", said.get(f.name, ""))
        for f in fields(cls)
    ]


def columns_table() -> str:
    """Return the table of the columns of the table of experiments."""
    lines = ["| column | meaning |", "| --- | --- |"]
    lines += [_line(f"`{n}`", f.description or "") for n, f in Row.model_fields.items()]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    texts = [re.sub(r"\s+", " ", cell).replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(texts)} |"


# --- Files ---


def documents(root: Path) -> dict[Path, str]:
    """Return what the files that the model describes ought to hold.

    Args:
        root: of the repository.

    Raises:
        UserError: if config/README.md has no place for one of the tables.
    """
    readme = root / "config" / "README.md"
    if not readme.is_file():
        raise UserError(f"{readme}: no such file; name the folder of the repository with --root")
    text = readme.read_text(encoding="utf-8")
    for name, table in {
        "keys": keys_table(),
        "options": options_table(),
        "columns": columns_table(),
    }.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = pattern.search(text)
        if not found:
            raise UserError(f"{readme}: has no part <!-- {name} --> ... <!-- /{name} -->")
        text = f"{text[: found.end(1)]}{table}\n{text[found.start(2) :]}"
    schemas = root / "workflow" / "schemas"
    return {
        readme: text,
        schemas / "config.schema.json": _json(configuration_schema()),
        schemas / "experiments.schema.json": _json(experiments_schema()),
    }


def _json(schema: dict) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
