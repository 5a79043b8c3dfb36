"""What tables, claims and costs have in common where they are written."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from double_pinn.errors import UserError


def of_kinds(
    outputs: Iterable[str | os.PathLike[str]], suffixes: Iterable[str], words: str
) -> list[Path]:
    """Return outputs as paths.

    Args:
        outputs: files to write.
        suffixes: that they may have.
        words: what is said of another.

    Raises:
        UserError: for an output of another suffix.
    """
    paths = [Path(path) for path in outputs]
    for path in paths:
        if path.suffix not in suffixes:
            raise UserError(f"{path}: {words}")
    return paths


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return every column with every digit; empty where a column does not apply."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
