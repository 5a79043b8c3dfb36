"""The table of experiments: a row is a cell, one trained model of the paper, at every seed."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field

from double_pinn.configuration import catalogue
from double_pinn.configuration.model import is_finite
from double_pinn.configuration.settings import DEFAULT_CHOICES, Precision, checked
from double_pinn.configuration.spreadsheets import read_lines
from double_pinn.errors import SettingsError
from double_pinn.values import AxisCount, Name, Positive, Section

_ROLE = (
    r"(figure[0-9]+:[a-z0-9_]+(/[a-z0-9_]+)?|table[0-9]+:[a-z0-9_]+/[a-z0-9_]+)"
    r"(@[a-z][a-z0-9_]*)?"
)


class Row(Section):
    """One row of the table of experiments."""

    cell: Name
    """Name of the row, also of its files."""
    equation: Name
    """Name of an equation."""
    network: Name = DEFAULT_CHOICES["network"]
    """Name of a network; empty, or without the column: `mlp`."""
    regularizer: Name
    """Name of a regulariser."""
    weight: Positive | None = None
    """The regulariser's weight in this cell; empty: the configured one."""
    precision: Precision
    """`fp32` or `fp64`."""
    nx: AxisCount
    """Points of the training grid along x, both ends included."""
    nt: AxisCount
    """Points of the training grid along t, both ends included."""
    edge: AxisCount
    """Points on each initial and boundary set."""
    optimizer: Name
    """Name of an optimiser."""
    used_in: Annotated[str, Field(pattern=rf"^({_ROLE}( {_ROLE})*)?$")] = ""
    """Where it is shown: `figure1:ROLE`, `figure7:EQUATION/ROLE`, `table1:EQUATION/ROW`, separated
    by blanks. With `@SCALE` behind it: at that scale, instead of the cell that has the role
    otherwise. A figure of which a scale has not all cells is left out there, which is said."""
    scales: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*( [a-z][a-z0-9_]*)*$")]
    """Scales at which it is run, separated by blanks."""

    def shown(self, only: str) -> list[tuple[str, str]]:
        """Return the figures and tables that show the cell, each with its role.

        Args:
            only: the scale of which ``used_in`` says so; empty: those of all scales.
        """
        uses = [use.partition("@") for use in self.used_in.split()]
        return [
            (target, role)
            for use, _, scale in uses
            for target, _, role in [use.partition(":")]
            if scale == only
        ]


_NUMBERS = {"weight", "nx", "nt", "edge"}


def read_experiments(path: Path, targets: Collection[str]) -> dict[str, Row]:
    """Read and check the rows of all scales.

    Args:
        path: the CSV file.
        targets: figures and tables that can show a cell, such as ``figure1``.

    Returns:
        The rows by the name of their cell, in the order of the table.

    Raises:
        SettingsError: naming the file, the line and the column.
        DataError: if the file is not of the form that :func:`read_lines` reads.
    """
    if not path.is_file():
        raise SettingsError(f"configuration: experiments: there is no file {path}")
    rows: dict[str, Row] = {}
    for number, texts in read_lines(path)[1]:
        where = f"{path}, line {number} ({texts.get('cell', 'no name')})"
        try:
            row = _row(texts, targets)
            if row.cell in rows:
                raise SettingsError(f"cell is {row.cell!r}: this name is taken by a line above")
        except SettingsError as error:
            lines = [f"{where}: {line}" for line in str(error).splitlines()]
            raise SettingsError("\n".join(lines)) from None
        rows[row.cell] = row
    if not rows:
        raise SettingsError(f"{path}: the table has no rows")
    return rows


def _row(texts: dict[str, str], targets: Collection[str]) -> Row:
    values = {key: _parsed(key, text) for key, text in texts.items()}
    for column, value in values.items():
        if not (isinstance(value, str) or is_finite(value)):
            raise SettingsError(f"{column} is {value}: a finite number is needed")
    row = checked(Row, values)
    for kind in catalogue.KINDS:
        catalogue.found(kind, getattr(row, kind), kind)
    for use in row.used_in.split():
        target = use.split(":")[0]
        if target not in targets:
            raise SettingsError(
                f"used_in is {row.used_in!r}: there is no {target}; known: {', '.join(targets)}"
            )
        only = use.partition("@")[2]
        if only and only not in row.scales.split():
            raise SettingsError(
                f"used_in is {row.used_in!r}: the cell is not run at scale {only}; scales is "
                f"{row.scales!r}"
            )
    if row.weight is not None and not catalogue.weight_symbol(row.regularizer):
        raise SettingsError(
            f"weight is {row.weight}: regularizer {row.regularizer!r} has no weight, leave it empty"
        )
    return row


def _parsed(column: str, text: str) -> int | float | str:
    for kind in (int, float) if column in _NUMBERS else ():
        try:
            return kind(text)
        except ValueError:
            pass
    return text
