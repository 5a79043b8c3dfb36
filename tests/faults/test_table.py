"""docs/faults.md and the tests say the same."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = (TESTS.parent / "docs" / "faults.md").read_text()
NAMED = re.findall(r"`(test_\w+)`(?: \([^)|]*?(tests/[\w/]+\.py)\))?", TABLE)


def functions_of(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


FAULTS = set().union(
    *(
        {name for name in functions_of(path) if name.startswith("test_")}
        for path in TESTS.glob("faults/test_*faults.py")
    )
)


def test_the_table_names_only_tests_that_exist():
    assert NAMED
    for name, file in NAMED:
        assert name in (functions_of(TESTS.parent / file) if file else FAULTS), name


def test_every_test_of_a_fault_is_in_the_table():
    assert FAULTS
    assert {name for name, _ in NAMED} >= FAULTS


def test_every_row_has_a_test():
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 10
    assert all(re.search(r"`test_\w+`", row) for row in rows)
