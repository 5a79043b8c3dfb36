"""Imports point one way: each part of the package knows only those before it."""

import ast

import pytest

from double_pinn.code import PACKAGE

# In order; modules of the same part know each other.
PARTS = ("numerics", "configuration", "running", "results", "library", "showing", "cli")
# What everybody may import; these know nothing but each other.
GROUND = {"__init__", "errors", "values", "code", "files"}
# Numbers come from the place whose code a run is known by, and from nothing that could change them.
GROUND_OF_NUMERICS = {"errors", "values"}

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    """``numerics`` of ``numerics/optimizers/gram.py``, ``cli`` of ``cli.py``."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_parts(path):
    """The parts that a file imports from, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they point"
            # ``from double_pinn import files`` may name a module, or something of ``__init__``.
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        inner = [module.split(".") for module in modules]
        found |= {names[1] for names in inner if names[0] == PACKAGE.name and len(names) > 1}
    return {part if part in {*PARTS, *GROUND} else "__init__" for part in found}


def test_every_file_belongs_to_a_part():
    assert {part_of(path) for path in FILES} == {*PARTS, *GROUND}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_part_and_from_those_before(path):
    part = part_of(path)
    if part in GROUND:
        allowed = GROUND
    elif part == "numerics":
        allowed = {part} | GROUND_OF_NUMERICS
    else:
        allowed = {*PARTS[: PARTS.index(part) + 1], *GROUND}
    assert imported_parts(path) <= allowed
