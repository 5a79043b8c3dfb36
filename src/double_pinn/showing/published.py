"""The published numbers: read from a CSV file, and never mixed with those of a run."""

import csv
import io
import os
from pathlib import Path
from typing import Any

from double_pinn import files
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
    try:
        with files.naming(path, "read"):
            text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: {error.reason}") from error
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}")
    rows = []
    for line in reader:
        row: dict[str, Any] = {name: line[name] for name in COLUMNS}
        for name in (*NUMBERS, "n"):
            try:
                row[name] = int(line[name]) if name == "n" else float(line[name])
            except (TypeError, ValueError):
                raise DataError(
                    f"{path}, line {reader.line_num}: {name} is {line[name]!r}, not a number"
                ) from None
        rows.append(row)
    return rows
