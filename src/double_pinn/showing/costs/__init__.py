"""What each model costs and reaches, beside its published error: a table of figure 10's cells."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from double_pinn import files
from double_pinn.errors import UserError
from double_pinn.showing import templates, wording
from double_pinn.showing.cells import read_cell
from double_pinn.showing.models import MODELS, printed_name, short_name
from double_pinn.showing.outputs import csv_text, of_kinds
from double_pinn.showing.published import published_rows

TITLE = "What each model costs and reaches"
COLUMNS = (
    "equation",
    "model",
    "precision",
    "optimizer",
    "parameters",
    "n",
    "sequence_length",
    "seeds",
    "iterations",
    "ms_per_iteration",
    "peak_memory_mb",
    "seconds",
    "rmae",
    "rrmse",
    "published_rmae",
    "seconds_to_published",
    "residual_rms",
    "trained_residual_rms",
    "devices",
    "commit",
)
HEADINGS = (
    "Model",
    "Parameters",
    "N",
    "ms / iteration",
    "Memory (MB)",
    "Iterations",
    "Minutes",
    "rMAE",
    "rRMSE",
    "published rMAE",
    "reached after",
    "rms F(u)",
    "rms F(u), as trained",
)
NOTES = (
    "N counts the collocation points as the paper does; × L where each is a sequence of L.",
    "Milliseconds an iteration: the median over the intervals of the log; memory: the most that "
    "the training process held, the compiler's included.",
    "Minutes are those of training, compilation and log included. Over several seeds every number "
    "is a median.",
    "Reached after: minutes to the published mean rMAE; a dash where it was not reached.",
    "rms F(u) is that of the field; a sequence model is trained on derivatives of the sum over its "
    "sequences, of which the last column tells.",
)
VARIABLES = (
    "wall_time",
    "rmae_history",
    "rmae",
    "rrmse",
    "iterations_run",
    "total_wall_time",
    "peak_memory",
    "residual_rms",
    "trained_residual_rms",
)
ATTRIBUTES = (
    "settings",
    "equation",
    "precision",
    "optimizer",
    "n_collocation",
    "parameter_count",
    "run_devices",
    "run_commits",
)

Row = dict[str, Any]


def costs(cells: Mapping[str, xr.Dataset], published: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row a cell, in the order of the published equations and of the models.

    Args:
        cells: evaluation datasets by ``equation/model``, a model of ``MODELS``.
        published: rows of the published numbers.

    Raises:
        UserError: for a role of another form.
    """
    errors = {(row["equation"], row["model"]): row["rmae_mean"] for row in published}
    rows = []
    for role, cell in cells.items():
        equation, _, model = role.partition("/")
        if model not in MODELS:
            raise UserError(
                f"cell {role!r}: give EQUATION/MODEL=FILE with a model of {', '.join(MODELS)}"
            )
        error = errors.get((equation, printed_name(MODELS[model])))
        rows.append({"equation": equation, "model": short_name(model), **_row(cell, error)})
    equations = list(dict.fromkeys(row["equation"] for row in (*published, *rows)))
    names = list(map(short_name, MODELS))
    return sorted(
        rows, key=lambda row: (equations.index(row["equation"]), names.index(row["model"]))
    )


def write(
    cells: Mapping[str, str | os.PathLike[str]],
    published: str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
) -> None:
    """Write the table from evaluation files; all outputs or none.

    Args:
        cells: evaluation files by ``equation/model``.
        published: a CSV file of the published numbers.
        outputs: .csv, .md and .html files.

    Raises:
        UserError: for a role of another form, or an output of another suffix.
        DataError: if a file is missing, truncated, or does not hold what it should; an output
            cannot be written.
    """
    kinds = (".csv", ".md", ".html")
    paths = of_kinds(outputs, kinds, "the costs are written as .csv, .md or .html")
    read = {role: read_cell(path, VARIABLES, ATTRIBUTES) for role, path in cells.items()}
    rows = costs(read, published_rows(published))
    environment = templates.environment(Path(__file__).with_name("templates"))

    def text(suffix: str) -> str:
        if suffix == ".csv":
            return csv_text(COLUMNS, rows)
        lines = [(wording.equation_label(row["equation"]), _words(row)) for row in rows]
        return environment.get_template(f"costs{suffix}.jinja").render(
            title=TITLE, headings=HEADINGS, notes=NOTES, lines=lines
        )

    files.write_all({path: text(path.suffix) for path in paths})


def _row(cell: xr.Dataset, published: float | None) -> Row:
    settings = wording.settings_of(cell)

    def median(name: str) -> float:
        return float(np.median(cell[name]))

    return {
        "precision": cell.attrs["precision"],
        "optimizer": cell.attrs["optimizer"],
        "parameters": int(cell.attrs["parameter_count"]),
        "n": int(cell.attrs["n_collocation"]),
        "sequence_length": settings["network"].get("length", 1),
        "seeds": cell.sizes["seed"],
        "iterations": int(median("iterations_run")),
        "ms_per_iteration": 1e3 * _pace(cell),
        "peak_memory_mb": median("peak_memory") / 1e6,
        "seconds": median("total_wall_time"),
        "rmae": median("rmae"),
        "rrmse": median("rrmse"),
        "published_rmae": published,
        "seconds_to_published": None if published is None else _reached(cell, published),
        "residual_rms": median("residual_rms"),
        "trained_residual_rms": median("trained_residual_rms"),
        "devices": cell.attrs["run_devices"],
        "commit": cell.attrs["run_commits"],
    }


def _pace(cell: xr.Dataset) -> float:
    """Return the median seconds of an iteration: of all intervals of the log, over all seeds."""
    paces: list[float] = []
    for seed in range(cell.sizes["seed"]):
        seconds = cell["wall_time"].isel(seed=seed).dropna("iteration")
        paces.extend(np.diff(seconds.values) / np.diff(seconds["iteration"].values))
    # The first holds the compilation.
    return float(np.median(paces[1:] or paces)) if paces else np.nan


def _reached(cell: xr.Dataset, error: float) -> float | None:
    """Return the median seconds to an error; ``None`` if half of the seeds never had it."""
    firsts = []
    for seed in range(cell.sizes["seed"]):
        run = cell.isel(seed=seed)
        good = np.flatnonzero(run["rmae_history"].values <= error)
        firsts.append(float(run["wall_time"].values[good[0]]) if good.size else np.inf)
    middle = float(np.median(firsts))
    return middle if np.isfinite(middle) else None


def _words(row: Row) -> list[str]:
    """Return the cells of a row, one under each of ``HEADINGS``."""
    length, precision = row["sequence_length"], row["precision"].upper()

    def minutes(seconds: float | None) -> str:
        return "–" if seconds is None else f"{seconds / 60:.1f} min"

    return [
        row["model"] + (f", {precision}" if precision not in row["model"] else ""),
        f"{row['parameters']:,}",
        f"{row['n']:,}" + (f" × {length}" if length > 1 else ""),
        *(
            f"{row[name]:.0f}" if np.isfinite(row[name]) else "–"
            for name in ("ms_per_iteration", "peak_memory_mb")
        ),
        f"{row['iterations']:,}",
        f"{row['seconds'] / 60:.1f}",
        wording.scientific(row["rmae"]),
        wording.scientific(row["rrmse"]),
        "–" if row["published_rmae"] is None else wording.scientific(row["published_rmae"]),
        minutes(row["seconds_to_published"]),
        wording.scientific(row["residual_rms"]),
        wording.scientific(row["trained_residual_rms"]),
    ]
