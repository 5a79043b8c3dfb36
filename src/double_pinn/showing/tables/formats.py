"""A table as CSV, with every digit, and through templates as text that is to be read."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from double_pinn import files
from double_pinn.showing.outputs import csv_text, of_kinds
from double_pinn.showing.tables import words
from double_pinn.showing.tables.rows import COLUMNS, Row, table1
from double_pinn.showing.templates import angled, environment


def write(
    cells: Mapping[str, str | os.PathLike[str]],
    published: str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
) -> None:
    """Write Table 1 from evaluation files and the published numbers; all outputs or none.

    Args:
        cells: the evaluation netCDF file of each row, named ``equation/model`` with a model of
            ``MODELS``.
        published: a CSV file of the published numbers.
        outputs: files to write; the suffix decides: .csv has every column; .md, .tex and
            .html are to be read.

    Raises:
        UserError: for a row of another name, or an output of another suffix.
        DataError: if a file is missing, truncated, or does not hold what it should; an output
            cannot be written.
    """
    paths = of_kinds(outputs, _FORMATS, f"a table is written as {', '.join(_FORMATS)}")
    rows = table1(cells, published)
    files.write_all({path: _FORMATS[path.suffix](rows) for path in paths})


def to_csv(rows: Sequence[Row]) -> str:
    """Return every column with every digit; empty where a column does not apply."""
    return csv_text(COLUMNS, rows)


def to_markdown(rows: Sequence[Row]) -> str:
    """Return a table to be read, with the source of every row below it."""
    return _render(_PLAIN, "table.md.jinja", rows)


def to_latex(rows: Sequence[Row]) -> str:
    """Return a table for a paper (packages booktabs and graphicx), with sources as comments."""
    return _render(_ANGLED, "table.tex.jinja", rows)


def to_html(rows: Sequence[Row]) -> str:
    """Return a page to be read, for the workflow's report; reproduced rows are shaded."""
    return _render(_PLAIN, "table.html.jinja", rows)


_FORMATS = {".csv": to_csv, ".md": to_markdown, ".tex": to_latex, ".html": to_html}


def _render(environment: jinja2.Environment, template: str, rows: Sequence[Row]) -> str:
    return environment.get_template(template).render(
        title=words.TITLE,
        headings=words.HEADINGS,
        notes=words.NOTES,
        lines=[words.line(row) for row in rows],
        sources=words.sources(rows),
    )


_PLAIN = environment(Path(__file__).with_name("templates"))
_ANGLED = angled(_PLAIN)
