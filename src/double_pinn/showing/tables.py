"""Table 1: published and reproduced results side by side, each with its origin.

Published and reproduced numbers never share a row. A row is a mapping over `COLUMNS`; what does
not apply to it is ``None``: nobody printed how many seeds the published means are over.
"""

import csv
import html
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from double_pinn.errors import DataError, UserError
from double_pinn.results.netcdf import read_dataset
from double_pinn.showing.wording import equation_label, optimizer_label, scientific

Row = dict[str, Any]

#: Rows that the workflow reproduces: key in a cell's role, name in the table.
MODELS = {
    "pinn_fp64": "PINN FP64",
    "double_pinn": "double PINN",
    "double_pinn_gn": "double PINN, Gauss-Newton (ours, beyond the paper)",
}

#: What the name of a row promises of its cell.
EXPECTED = {
    "pinn_fp64": {"regularizer": "none", "precision": "fp64"},
    "double_pinn": {"regularizer": "double", "precision": "fp64"},
    "double_pinn_gn": {
        "regularizer": "double",
        "precision": "fp64",
        "optimizer": "gauss_newton",
    },
}

#: Rows that the paper does not have: listed only where a scale runs them.
BEYOND_THE_PAPER = ("double_pinn_gn",)

NOT_RUN = "not run at this scale"

#: Quantity in the table: variable of an evaluation file. The loss is what was minimised: the
#: penalty is part of it, as in the paper.
QUANTITIES = {"loss": "final_objective", "rmae": "rmae", "rrmse": "rrmse"}
#: Further quantities, in the CSV file only: the un-regularised losses.
LOSSES = {"train_loss": "final_train_loss", "test_loss": "final_test_loss"}

_PUBLISHED_NUMBERS = [f"{name}_{part}" for name in QUANTITIES for part in ("mean", "std")]
_PUBLISHED_COLUMNS = ["equation", "model", *_PUBLISHED_NUMBERS, "n", "source"]

COLUMNS = [
    "equation",
    "model",
    "origin",  # published | reproduced
    "status",  # published | run | not run at this scale
    *_PUBLISHED_NUMBERS,
    *(f"{name}_{part}" for name in LOSSES for part in ("mean", "std")),
    "n",
    "seeds",
    "iterations_min",
    "iterations_max",
    "max_iterations",
    "stop_reasons",
    "regularizer",
    "optimizer",
    "precision",
    "reference_error",
    "devices",
    "commit",  # of the training, not of the evaluation
    "source",
]


def write(
    cells: Mapping[str, str | os.PathLike[str]],
    published: str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
) -> None:
    """Write Table 1 from evaluation files and the published numbers.

    Args:
        cells: the evaluation netCDF file of each row, named `equation/model` with a model of
            `MODELS`.
        published: CSV file of the published numbers.
        outputs: files to write; the suffix decides: .csv has every column; .md, .tex and
            .html are to be read.

    Raises:
        UserError: a row of another name, or an output of another suffix.
        DataError: a file is missing, truncated, or does not hold what it should.
    """
    outputs = [Path(path) for path in outputs]
    for path in outputs:
        if path.suffix not in _FORMATS:
            raise UserError(f"{path}: a table is written as {', '.join(_FORMATS)}")
    rows = table1(cells, published)
    for path in outputs:
        _write_text(path, _FORMATS[path.suffix](rows))


def table1(
    cells: Mapping[str, str | os.PathLike[str]], published: str | os.PathLike[str]
) -> list[Row]:
    """The rows of Table 1, by equation and model, the published row before the reproduced one.

    Arguments and errors are those of `write`.
    """
    known = published_rows(published)
    done = [reproduced_row(role, path) for role, path in cells.items()]
    found = {(row["equation"], row["model"]): row for row in done}
    beyond = {MODELS[key] for key in BEYOND_THE_PAPER}
    beyond -= {model for _, model in found}

    rows = []
    for equation in _unique(row["equation"] for row in (*known, *done)):
        printed = {row["model"]: row for row in known if row["equation"] == equation}
        for model in _unique((*printed, *MODELS.values())):
            if model in printed:
                rows.append(printed[model])
            if model in MODELS.values() and model not in beyond:
                missing = _row(equation=equation, model=model, origin="reproduced", status=NOT_RUN)
                rows.append(found.get((equation, model), missing))
    return rows


def published_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Read the published numbers.

    Raises:
        DataError: the file is missing, lacks a column, or a number is none; the line is named.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: {error.reason}") from error
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _PUBLISHED_COLUMNS if name not in (reader.fieldnames or ())]:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}")
    rows = []
    for line in reader:
        row = _row(origin="published", status="published")
        for name in _PUBLISHED_COLUMNS:
            row[name] = line[name]
            if name in (*_PUBLISHED_NUMBERS, "n"):
                try:
                    row[name] = int(line[name]) if name == "n" else float(line[name])
                except (TypeError, ValueError):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {name} is {line[name]!r}, not a number"
                    ) from None
        rows.append(row)
    return rows


def reproduced_row(role: str, path: str | os.PathLike[str]) -> Row:
    """The row of one evaluation file: means and sample standard deviations over its seeds.

    A single seed has no standard deviation (``None``). A value that is not finite is not left
    out: it makes the mean not finite.

    Raises:
        UserError: the role is not `equation/model`.
        DataError: the file is missing or truncated, or is not of the cell that the role names.
    """
    equation, _, model = role.partition("/")
    if not equation or model not in MODELS:
        raise UserError(
            f"table cell {role!r}: give EQUATION/ROW=FILE with a row of {', '.join(MODELS)}"
        )
    variables = {**QUANTITIES, **LOSSES}
    cell = read_dataset(
        path, require=[*variables.values(), "iterations_run", "stop_reason", "reference_error"]
    )
    named = ("equation", "regularizer", "optimizer", "precision")
    needed = {*named, "max_iterations", "n_collocation", "run_devices", "run_commits"}
    if missing := needed - set(cell.attrs):
        raise DataError(
            f"{path}: lacks the attributes {', '.join(sorted(missing))}; run the evaluation again"
        )
    for name, value in {"equation": equation, **EXPECTED[model]}.items():
        if cell.attrs[name] != value:
            raise DataError(
                f"{path}: its {name} is {cell.attrs[name]!r}, but the row {role!r} is one of "
                f"{name} {value!r}; give another file"
            )
    row = _row(
        **{name: cell.attrs[name] for name in named},
        model=MODELS[model],
        origin="reproduced",
        status="run",
        n=int(cell.attrs["n_collocation"]),
        seeds=cell.sizes["seed"],
        iterations_min=int(cell["iterations_run"].min()),
        iterations_max=int(cell["iterations_run"].max()),
        max_iterations=int(cell.attrs["max_iterations"]),
        stop_reasons=_counted(map(str, cell["stop_reason"].values)),
        reference_error=float(cell["reference_error"]),
        devices=cell.attrs["run_devices"],
        commit=cell.attrs["run_commits"],
        source=str(path),
    )
    for name, variable in variables.items():
        values = np.asarray(cell[variable], dtype=float)
        with np.errstate(invalid="ignore"):  # infinite values: the result says so
            row[f"{name}_mean"] = float(values.mean())
            row[f"{name}_std"] = float(values.std(ddof=1)) if values.size > 1 else None
    return row


def _row(**values: Any) -> Row:
    return {**dict.fromkeys(COLUMNS), **values}


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _counted(reasons: Iterable[str]) -> str:
    """Stop reasons, with their number where seeds differ: "tolerance (3), max_iterations (2)"."""
    counts = Counter(reasons)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{reason} ({count})" for reason, count in counts.most_common())


# Words --------------------------------------------------------------------------------------


def plus_minus(mean: float, std: float | None) -> str:
    """Mean and standard deviation as the paper prints them: 4.9e-6 ± 4.4e-6."""
    return scientific(mean) + ("" if std is None else f" ± {scientific(std)}")


def _numbers(row: Row) -> list[str]:
    return [plus_minus(row[f"{name}_mean"], row[f"{name}_std"]) for name in QUANTITIES]


def _iterations(row: Row) -> str:
    low, high = row["iterations_min"], row["iterations_max"]
    run = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return f"{run} of {row['max_iterations']:,}"


def _training(row: Row) -> list[str]:
    """Seeds, iterations, stop reasons, optimiser: the cells that only reproduced rows fill."""
    if row["status"] != "run":
        return ["–"] * 4
    return [
        str(row["seeds"]),
        _iterations(row),
        row["stop_reasons"].replace("_", " "),
        f"{optimizer_label(row['optimizer'])} {row['precision'].upper()}",
    ]


_HEADINGS = ["Loss", "rMAE", "rRMSE", "N", "Seeds", "Iterations run", "Stopped by", "Optimiser"]

_NOTES = [
    "Mean ± sample standard deviation over the seeds; a single seed has none.",
    "Iterations run are the fewest and the most of the seeds, of the budget given.",
    "N counts all collocation points: domain, initial and boundary.",
    "The loss is what was minimised, penalty included: it does not compare across methods.",
]


# Formats ------------------------------------------------------------------------------------


def to_csv(rows: Sequence[Row]) -> str:
    """Every column with every digit; empty where a column does not apply."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """A table to be read, with the source of every row below it."""
    headings = ["Equation", "Model", "Origin", *_HEADINGS]
    lines = ["# Table 1: published and reproduced", "", _pipes(headings)]
    lines.append(_pipes("---" for _ in headings))
    for row in rows:
        label = [equation_label(row["equation"]), row["model"], row["origin"]]
        if row["status"] == NOT_RUN:
            cells = [f"*{NOT_RUN}*", *["–"] * (len(_HEADINGS) - 1)]
        else:
            cells = [*_numbers(row), str(row["n"]), *_training(row)]
        lines.append(_pipes([*label, *cells]))
    lines += ["", *(f"- {note}" for note in _NOTES), "", "Sources:", ""]
    lines += [f"- {line}" for line in _sources(rows)]
    return "\n".join(lines) + "\n"


def to_latex(rows: Sequence[Row]) -> str:
    """A table for a paper (packages booktabs and graphicx), with sources as comments."""
    columns = 2 + len(_HEADINGS)
    lines = [f"% {line}" for line in _sources(rows)]
    lines += [
        r"\begin{table}",
        r"  \centering",
        r"  \caption{Published and reproduced results. " + _tex(" ".join(_NOTES)) + "}",
        r"  \label{tab:table1}",
        r"  \resizebox{\textwidth}{!}{%",
        r"  \begin{tabular}{ll" + "l" * 3 + "r" * 3 + "ll}",
        r"    \toprule",
        "    " + _ampersands(["Model", "Origin", *_HEADINGS]),
    ]
    equation = None
    for row in rows:
        if row["equation"] != equation:
            equation = row["equation"]
            heading = _tex(equation_label(equation))
            lines += [
                r"    \midrule",
                rf"    \multicolumn{{{columns}}}{{l}}{{\textbf{{{heading}}}}} \\",
            ]
        label = [row["model"], row["origin"]]
        if row["status"] == NOT_RUN:
            cells = rf"\multicolumn{{{len(_HEADINGS)}}}{{l}}{{\emph{{{NOT_RUN}}}}}"
            lines.append(f"    {' & '.join([*map(_tex, label), cells])} \\\\")
        else:
            lines.append(
                "    " + _ampersands([*label, *_numbers(row), str(row["n"]), *_training(row)])
            )
    lines += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


_STYLE = """
body { font: 13px/1.4 sans-serif; color: #222; margin: 1.5em; }
table { border-collapse: collapse; margin-bottom: 1em; }
th, td { padding: 3px 7px; text-align: left; white-space: nowrap; }
td:first-child { white-space: normal; min-width: 12em; }
th { border-bottom: 2px solid #222; }
th[colspan] { border-bottom: 1px solid #999; padding-top: 1em; }
.number { text-align: right; }
.reproduced { background: #e9f2fa; }
.missing { color: #777; font-style: italic; }
li { overflow-wrap: anywhere; }
"""


def to_html(rows: Sequence[Row]) -> str:
    """A page to be read, for the workflow's report; reproduced rows are shaded."""

    def line(cells: Iterable[str], tag: str = "td", attributes: str = "") -> str:
        texts = [html.escape(cell) for cell in cells]
        # The numbers of points and seeds.
        kinds = [' class="number"' if i in (5, 6) else "" for i in range(len(texts))]
        inner = "".join(f"<{tag}{k}>{t}</{tag}>" for k, t in zip(kinds, texts, strict=True))
        return f"<tr{attributes}>{inner}</tr>"

    lines = [line(["Model", "Origin", *_HEADINGS], "th")]
    equation = None
    for row in rows:
        if row["equation"] != equation:
            equation = row["equation"]
            heading = html.escape(equation_label(equation))
            lines.append(f'<tr><th colspan="{2 + len(_HEADINGS)}">{heading}</th></tr>')
        label = [row["model"], row["origin"]]
        if row["status"] == NOT_RUN:
            cells = [*label, NOT_RUN, *["–"] * (len(_HEADINGS) - 1)]
            lines.append(line(cells, attributes=' class="missing"'))
        else:
            cells = [*label, *_numbers(row), str(row["n"]), *_training(row)]
            lines.append(line(cells, attributes=f' class="{row["origin"]}"'))
    title = "Table 1: published and reproduced"
    lists = [
        "\n".join(["<ul>", *(f"<li>{html.escape(text)}</li>" for text in texts), "</ul>"])
        for texts in (_NOTES, _sources(rows))
    ]
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h2>{title}</h2>",
            *["<table>", *lines, "</table>"],
            f"{lists[0]}\n<h3>Sources</h3>\n{lists[1]}",
            "</body></html>\n",
        ]
    )


_FORMATS = {".csv": to_csv, ".md": to_markdown, ".tex": to_latex, ".html": to_html}


def _sources(rows: Sequence[Row]) -> list[str]:
    """Where each row comes from; published rows of one source share a line."""
    papers: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == "published":
            papers.setdefault(row["source"], []).append(row["model"])
    lines = [
        f"published {', '.join(_unique(models))}: {source}" for source, models in papers.items()
    ]
    for row in rows:
        if row["status"] == "run":
            where = f"{row['source']} (commit {row['commit']})"
            lines.append(f"reproduced {equation_label(row['equation'])}, {row['model']}: {where}")
    return lines


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _ampersands(cells: Iterable[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"


def _tex(text: str) -> str:
    for plain, escaped in {
        "\\": r"\textbackslash ",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "±": r"$\pm$",
        "–": "--",
    }.items():
        text = text.replace(plain, escaped)
    return text


def _write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
