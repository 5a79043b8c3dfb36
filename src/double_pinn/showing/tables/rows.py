"""What is in a row: the published numbers, and those of an evaluation file.

Published and reproduced numbers never share a row. A row is a mapping over ``COLUMNS``; what does
not apply to it is ``None``: nobody printed how many seeds the published means are over.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from double_pinn.errors import DataError, UserError
from double_pinn.results import netcdf
from double_pinn.showing.models import EXPECTED, MODELS, printed_name
from double_pinn.showing.promises import broken_promise
from double_pinn.showing.published import NUMBERS, published_rows

Row = dict[str, Any]

#: Rows that the paper does not have: listed only where a scale runs them.
BEYOND_THE_PAPER = ("double_pinn_gn",)

NOT_RUN = "not run at this scale"
#: Of a row whose place another takes, where a scale cannot afford the paper's optimiser.
INSTEAD = {"double_pinn": "double_pinn_gn"}
INSTEAD_RUN = f"{NOT_RUN}: Gauss-Newton instead, in the next row"

#: Quantity in the table: variable of an evaluation file. The loss is what was minimised: the
#: penalty is part of it, as in the paper.
QUANTITIES = {"loss": "final_objective", "rmae": "rmae", "rrmse": "rrmse"}
#: Further quantities, in the CSV file only: the un-regularised losses.
LOSSES = {"train_loss": "final_train_loss", "test_loss": "final_test_loss"}

COLUMNS = [
    "equation",
    "model",
    "origin",  # published | reproduced
    "status",  # published | run | NOT_RUN | INSTEAD_RUN
    *NUMBERS,
    *(f"{name}_{part}" for name in LOSSES for part in ("mean", "std")),
    "n",
    "seeds",
    "iterations_min",
    "iterations_max",
    "max_iterations",
    "stop_reasons",
    "budget_too_small",  # whether it ended at its budget above the published error and its spread
    "regularizer",
    "optimizer",
    "precision",
    "reference_error",
    "devices",
    "restarts",  # iterations at which the optimiser began anew
    "commit",  # of the training, not of the evaluation
    "source",
]


def table1(
    cells: Mapping[str, str | os.PathLike[str]], published: str | os.PathLike[str]
) -> list[Row]:
    """Return the rows of Table 1, by equation and model, the published before the reproduced one.

    Args:
        cells: the evaluation netCDF file of each row, named ``equation/model`` with a model of
            ``MODELS``.
        published: a CSV file of the published numbers.

    Raises:
        UserError: for a row of another name.
        DataError: if a file is missing, truncated, or does not hold what it should.
    """
    printed_rows = published_rows(published)
    known = [_row(origin="published", status="published", **row) for row in printed_rows]
    done = [reproduced_row(role, path) for role, path in cells.items()]
    by_name = {(row["equation"], row["model"]): row for row in known}
    for row in done:
        goal = by_name.get((row["equation"], printed_name(row["model"])))
        row["budget_too_small"] = goal is not None and _budget_too_small(row, goal)
    found = {(row["equation"], row["model"]): row for row in done}
    beyond = {MODELS[key] for key in BEYOND_THE_PAPER}
    beyond -= {model for _, model in found}
    instead_of = {MODELS[key]: MODELS[other] for key, other in INSTEAD.items()}

    rows = []
    for equation in dict.fromkeys(row["equation"] for row in (*known, *done)):
        printed = {row["model"]: row for row in known if row["equation"] == equation}
        for model in dict.fromkeys((*printed, *MODELS.values())):
            if model in printed:
                rows.append(printed[model])
            if model in MODELS.values() and model not in beyond:
                instead = (equation, instead_of.get(model)) in found
                status = INSTEAD_RUN if instead else NOT_RUN
                missing = _row(equation=equation, model=model, origin="reproduced", status=status)
                rows.append(found.get((equation, model), missing))
    return rows


def check(cells: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse, before anything is trained, cells that the table would refuse.

    Args:
        cells: by role, what the evaluation of the cell will say of it (its attributes).

    Raises:
        UserError: naming role, cell and what is needed.
    """
    for role, attributes in cells.items():
        if broken := broken_promise(attributes, _promised(role)[1]):
            raise UserError(f"table 1: cell {attributes['cell']}, as {role!r}: {broken}")


def _promised(role: str) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the model that a role names, and what equation and model promise of its cell."""
    equation, _, model = role.partition("/")
    if not equation or model not in MODELS:
        raise UserError(
            f"table cell {role!r}: give EQUATION/ROW=FILE with a row of {', '.join(MODELS)}"
        )
    return model, {"equation": (equation,), **EXPECTED[model]}


def reproduced_row(role: str, path: str | os.PathLike[str]) -> Row:
    """Return the row of one evaluation file: means and sample standard deviations over its seeds.

    A single seed has no standard deviation (``None``). A value that is not finite is not left
    out: it makes the mean not finite.

    Args:
        role: what the file is in the table, ``equation/model`` with a model of ``MODELS``.
        path: an evaluation netCDF file.

    Raises:
        UserError: if the role is not ``equation/model``.
        DataError: if the file is missing or truncated, or is not of the cell that the role names.
    """
    model, expected = _promised(role)
    variables = {**QUANTITIES, **LOSSES}
    cell = netcdf.read_dataset(
        path, require=[*variables.values(), "iterations_run", "stop_reason", "reference_error"]
    )
    named = ("equation", "regularizer", "optimizer", "precision")
    needed = {*named, "network", "max_iterations", "n_collocation", "run_devices", "run_commits"}
    if missing := needed - set(cell.attrs):
        raise DataError(
            f"{path}: lacks the attributes {', '.join(sorted(missing))}; run the evaluation again"
        )
    if broken := broken_promise(cell.attrs, expected):
        raise DataError(f"{path}: {broken} in the row {role!r}; give another file")
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
        restarts=cell.attrs.get("run_restarts", ""),
        commit=cell.attrs["run_commits"],
        source=str(path),
    )
    for name, variable in variables.items():
        row[f"{name}_mean"], row[f"{name}_std"] = mean_and_std(cell[variable])
    return row


def mean_and_std(values) -> tuple[float, float | None]:
    """Return the mean over seeds and the sample standard deviation, of which one seed has none."""
    values = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):  # infinite values: the result says so
        return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else None


def _budget_too_small(row: Row, goal: Row) -> bool:
    """Whether iterations ended before the published error and its spread were reached."""
    error = goal["rmae_mean"] + goal["rmae_std"]
    return row["rmae_mean"] > error and "max_iterations" in row["stop_reasons"]


def _row(**values: Any) -> Row:
    return {**dict.fromkeys(COLUMNS), **values}


def _counted(reasons: Iterable[str]) -> str:
    """Return stop reasons, counted where seeds differ: "tolerance (3), max_iterations (2)"."""
    counts = Counter(reasons)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{reason} ({count})" for reason, count in counts.most_common())
