"""Each claim of the paper in a line: the numbers that decide it, and whether it holds here.

What a reviewer of a reproduction asks for first. A claim whose cells a scale does not train is not
run, which is neither for nor against it.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from double_pinn import files
from double_pinn.showing import templates
from double_pinn.showing.cells import read_cell
from double_pinn.showing.claims.rules import Claim, claims
from double_pinn.showing.outputs import of_kinds
from double_pinn.showing.published import published_rows

TITLE = "The paper's claims, decided by the runs of this scale"
HOLDS, DOES_NOT, NOT_RUN = "holds", "does not hold", "not run"

#: What the rules read of an evaluation file.
VARIABLES = (
    "train_loss",
    "test_loss",
    "residual",
    "x_collocation",
    "t_collocation",
    "rmae",
    "rrmse",
    "final_train_loss",
    "final_test_loss",
    "iterations_run",
)
ATTRIBUTES = ("settings", "optimizer", "precision")


class Line(NamedTuple):
    """A claim and what became of it.

    Attributes:
        where: figure or table of the paper.
        claim: in words.
        verdict: ``holds``, ``does not hold`` or ``not run``.
        numbers: what decides it; empty if not run, or what is missing.
    """

    where: str
    claim: str
    verdict: str
    numbers: str


def decide(cells: Mapping[str, xr.Dataset], published: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Decide every claim.

    Args:
        cells: evaluation datasets by use, such as ``figure1:none``.
        published: rows of the published numbers.
    """
    return [_decide(claim, cells, published) for claim in claims()]


def _decide(claim: Claim, cells: Mapping[str, xr.Dataset], published) -> Line:
    found: list[Any] = []
    for need in claim.needs:
        there = [cells[use] for use in need.split("|") if use in cells]
        if not there:
            return Line(claim.where, claim.text, NOT_RUN, "")
        found.append(there if "|" in need else there[0])
    paper = []
    if claim.published:
        paper = [{row["model"]: row for row in published if row["equation"] == claim.published}]
    if (verdict := claim.rule(*found, *paper)) is None:
        return Line(claim.where, claim.text, NOT_RUN, "the published numbers lack this equation's")
    holds, numbers = verdict
    return Line(claim.where, claim.text, HOLDS if holds else DOES_NOT, numbers)


def write(
    cells: Mapping[str, str | os.PathLike[str]],
    published: str | os.PathLike[str],
    outputs: Sequence[str | os.PathLike[str]],
) -> None:
    """Write the claims from evaluation files and the published numbers; all outputs or none.

    Args:
        cells: evaluation files by use, such as ``figure1:none``.
        published: a CSV file of the published numbers.
        outputs: .md and .html files.

    Raises:
        UserError: for an output of another suffix.
        DataError: if a file is missing, truncated, or does not hold what it should; an output
            cannot be written.
    """
    paths = of_kinds(outputs, (".md", ".html"), "the claims are written as .md or .html")
    # A cell may be shown in several places.
    files_of_cells = {Path(path) for path in cells.values()}
    read = {path: read_cell(path, VARIABLES, ATTRIBUTES) for path in files_of_cells}
    lines = decide(
        {use: read[Path(path)] for use, path in cells.items()}, published_rows(published)
    )
    environment = templates.environment(Path(__file__).with_name("templates"))
    counts = {
        words: sum(line.verdict == verdict for line in lines)
        for verdict, words in ((HOLDS, "hold"), (DOES_NOT, "do not hold"), (NOT_RUN, "not run"))
    }
    texts = {
        path: environment.get_template(f"claims{path.suffix}.jinja").render(
            title=TITLE, lines=lines, counts=counts
        )
        for path in paths
    }
    files.write_all(texts)
