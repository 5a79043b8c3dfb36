"""CSV files as people and spreadsheets write them: texts by column, or an error with the line."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from double_pinn import files
from double_pinn.errors import DataError

_SAVE = "save it as CSV, UTF-8, with commas between the values"


class Line(NamedTuple):
    """A row of a CSV file.

    Attributes:
        number: in the file, counted from 1.
        values: text by the name of its column; what stands empty, or beyond the end, is left out.
    """

    number: int
    values: dict[str, str]


def read_lines(path: Path) -> tuple[list[str], list[Line]]:
    """Read a CSV file; blank lines, blanks around values and empty columns are passed over.

    Args:
        path: the file, in UTF-8 with or without a byte-order mark, commas between the values.

    Returns:
        The names of the columns, and the lines below them.

    Raises:
        DataError: naming the file and the line: if it cannot be read, is of another form (UTF-16,
            semicolons), names a column twice, or has a line with more values than columns.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{path}: is empty; a line with the names of the columns is needed")
    (_, names), *below = rows
    if other := _separator(names):
        raise DataError(f"{path}: its columns are separated by {other}: {_SAVE}")
    named = [name for name in names if name]
    if twice := [name for name in named if named.count(name) > 1]:
        raise DataError(f"{path}: the column {twice[0]} stands there twice")
    lines = []
    for number, texts in below:
        pairs = {i: text for i, text in enumerate(texts) if text}
        beyond = [text for i, text in pairs.items() if i >= len(names) or not names[i]]
        if beyond:
            raise DataError(
                f"{path}, line {number} ({texts[0] or 'no name'}): more values than columns, "
                f"{beyond[0]!r} is under none of the {len(named)} names; a value with a comma in "
                "it stands in quotes"
            )
        if pairs:
            lines.append(Line(number, {names[i]: text for i, text in pairs.items()}))
    return named, lines


def _rows(path: Path):
    """Yield number and texts of each line that is not empty."""
    with files.naming(path, "read"):
        content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: is UTF-16 text: {_SAVE}")
    try:
        # Spreadsheets put a mark before the first column.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {number}: is not UTF-8 text: {_SAVE}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for texts in reader:
            if texts:
                yield reader.line_num, [text.strip() for text in texts]
            number = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}, line {number + 1}: {error}; a quotation mark there is not closed, or stands "
            "within a value"
        ) from None


def _separator(names: list[str]) -> str | None:
    """Return the name of what separates columns in a line in which no comma does."""
    found = {"semicolons": ";", "tabs": "\t"}
    whole = names[0] if len(names) == 1 else ""
    return next((name for name, mark in found.items() if mark in whole), None)
