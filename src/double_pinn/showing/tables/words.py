"""How a row is put into words: the same for every format that is to be read."""

from collections.abc import Sequence
from dataclasses import dataclass

from double_pinn.showing.tables.rows import INSTEAD_RUN, NOT_RUN, QUANTITIES, Row
from double_pinn.showing.wording import equation_label, optimizer_label, scientific

TITLE = "Table 1: published and reproduced"

#: Above the cells of a line, which follow its equation, model and origin.
HEADINGS = ["Loss", "rMAE", "rRMSE", "N", "Seeds", "Iterations run", "Stopped by", "Optimiser"]

NOTES = [
    "Mean ± sample standard deviation over the seeds; a single seed has none.",
    "Iterations run are the fewest and the most of the seeds, of the budget given.",
    "Budget too small: training ended for want of iterations with an rMAE above the published mean "
    "and its standard deviation.",
    "N counts all collocation points: domain, initial and boundary.",
    "The loss is what was minimised, penalty included: it does not compare across methods.",
]

_NONE = "–"


@dataclass(frozen=True)
class Line:
    """A row in words.

    Attributes:
        equation, model, origin: what it is about; the origin is published or reproduced.
        cells: one under each of ``HEADINGS``.
        missing: whether the row was not run: its first cell says so, the others are empty.
    """

    equation: str
    model: str
    origin: str
    cells: list[str]
    missing: bool = False


def line(row: Row) -> Line:
    """Put a row into words."""
    label = equation_label(row["equation"]), row["model"], row["origin"]
    if row["status"] in (NOT_RUN, INSTEAD_RUN):
        return Line(*label, [row["status"], *[_NONE] * (len(HEADINGS) - 1)], missing=True)
    numbers = [plus_minus(row[f"{name}_mean"], row[f"{name}_std"]) for name in QUANTITIES]
    return Line(*label, [*numbers, str(row["n"]), *_training(row)])


def plus_minus(mean: float, std: float | None) -> str:
    """Return mean and standard deviation as the paper prints them: 4.9e-6 ± 4.4e-6."""
    return scientific(mean) + ("" if std is None else f" ± {scientific(std)}")


def sources(rows: Sequence[Row]) -> list[str]:
    """Return where each row comes from; published rows of one source share a line."""
    papers: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == "published":
            papers.setdefault(row["source"], []).append(row["model"])
    lines = [
        f"published {', '.join(dict.fromkeys(models))}: {source}"
        for source, models in papers.items()
    ]
    for row in rows:
        if row["status"] == "run":
            where = f"{row['source']} (commit {row['commit']})"
            if row["restarts"]:
                where += f"; iterations at which the optimiser began anew: {row['restarts']}"
            lines.append(f"reproduced {equation_label(row['equation'])}, {row['model']}: {where}")
    return lines


def _training(row: Row) -> list[str]:
    """Return seeds, iterations, stop reasons, optimiser: the cells of reproduced rows alone."""
    if row["status"] != "run":
        return [_NONE] * 4
    return [
        str(row["seeds"]),
        _iterations(row),
        row["stop_reasons"].replace("_", " ")
        + (": budget too small" if row["budget_too_small"] else ""),
        f"{optimizer_label(row['optimizer'])} {row['precision'].upper()}",
    ]


def _iterations(row: Row) -> str:
    low, high = row["iterations_min"], row["iterations_max"]
    run = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return f"{run} of {row['max_iterations']:,}"
