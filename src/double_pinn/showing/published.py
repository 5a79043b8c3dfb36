"""The published numbers: read from a CSV file, and never mixed with those of a run."""

import os
from pathlib import Path
from typing import Any

from double_pinn.configuration.spreadsheets import read_lines
from double_pinn.errors import DataError

#: Mean and standard deviation of every quantity of Table 1.
NUMBERS = tuple(f"{name}_{part}" for name in ("loss", "rmae", "rrmse") for part in ("mean", "std"))
COLUMNS = ("equation", "model", *NUMBERS, "n", "source")


def published_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read the published numbers.

    Args:
        path: a CSV file with the columns equation, model, n, source, and mean and standard
            deviation of every quantity.

    Raises:
        DataError: if the file is missing, lacks a column, or a number is none; the line is named.
    """
    path = Path(path)
    columns, lines = read_lines(path)
    if missing := [name for name in COLUMNS if name not in columns]:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}")
    rows = []
    for number, line in lines:
        row: dict[str, Any] = {name: line.get(name, "") for name in COLUMNS}
        for name in (*NUMBERS, "n"):
            try:
                row[name] = int(row[name]) if name == "n" else float(row[name])
            except ValueError:
                raise DataError(
                    f"{path}, line {number}: {name} is {row[name]!r}, not a number"
                ) from None
        rows.append(row)
    return rows
