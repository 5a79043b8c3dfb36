"""What a role promises of its cell: a field under the heading L² is of no other regulariser."""

from collections.abc import Mapping
from typing import Any


def broken_promise(
    attributes: Mapping[str, Any], expected: Mapping[str, str | tuple[str, ...]]
) -> str | None:
    """Return in words what a cell is and should not be, if there is anything.

    Args:
        attributes: of the cell, as its evaluation has them.
        expected: for some of them the value, or several, that what it is shown as promises.
    """
    for name, wanted in expected.items():
        among = (wanted,) if isinstance(wanted, str) else wanted
        if attributes[name] not in among:
            words = " or ".join(map(repr, among))
            return f"its {name} is {attributes[name]!r}, but {words} is needed"
    return None
