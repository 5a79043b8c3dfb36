"""The paper's figures and four of ours, a module each: evaluation files in, PDF and PNG out.

Nothing here imports training code or JAX. A figure module holds

- ``TITLE``, what it shows, a string;
- ``ROLES``, the names of the cells that it draws, and perhaps ``OPTIONAL_ROLES``;
- ``EXPECTED``, for each role the attributes that its labels promise, a value or several: a field
  under the heading L² must not come from another regulariser;
- perhaps ``VARIABLES``, what it draws beyond the variables that all figures need;
- ``figure(cells)``, which returns a matplotlib figure; or ``figure(cells, published)`` with
  ``PUBLISHED = True``, where the paper's numbers are drawn beside those of the runs.

A new figure is a new module ``figureN.py`` in this folder. Its number and title are found
without importing it: drawing libraries load slowly, and the workflow has to do without them.
"""

import ast
import contextlib
import importlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from double_pinn.errors import UserError
from double_pinn.showing.promises import broken_promise

_FOLDER = Path(__file__).parent
#: Of a constant that is read without importing its module.
_MOST_LINES = 40


def _figures_in(folder: Path) -> dict[int, str]:
    """Return the name of the module of each figure in a folder, by number and in its order."""
    names = (path.stem for path in folder.glob("figure[0-9]*.py"))
    numbered = {int(n): name for name in names if (n := name.removeprefix("figure")).isdecimal()}
    return {number: f"{__name__}.{numbered[number]}" for number in sorted(numbered)}


#: Number in the paper: module. The text that the figures follow does not describe Figure 2;
#: Figures 7 to 10 are ours.
FIGURES = _figures_in(_FOLDER)

#: What every evaluation file must hold to be drawn.
VARIABLES = (
    "u",
    "u_reference",
    "residual",
    "objective",
    "train_loss",
    "test_loss",
    "rmae",
    "rrmse",
    "iterations_run",
    "stop_reason",
    "x_collocation",
    "t_collocation",
    "reference_error",
)
ATTRIBUTES = ("settings", "equation", "network", "regularizer", "precision", "max_iterations")


def figure_numbers() -> list[int]:
    """Return the numbers of all figures, in order."""
    return list(FIGURES)


def figure_title(number: int) -> str:
    """Return the ``TITLE`` of a figure's module, as its text has it; empty if it has none yet."""
    return _as_written(number, "TITLE", "")


def needed_roles(number: int) -> tuple[str, ...]:
    """Return the ``ROLES`` of a figure's module, without which it cannot be drawn, as written."""
    return _as_written(number, "ROLES", ())


def _as_written(number: int, name: str, default):
    """Return a constant of a figure's module, on one line or several; else the default.

    The text is searched, not parsed: a figure that is being edited must not stop the workflow.
    """
    source = _FOLDER / f"figure{number}.py"
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    for found in re.finditer(rf"^{name} = ", text, re.M):
        lines = text[found.end() :].splitlines()
        for count in range(1, min(len(lines), _MOST_LINES) + 1):
            with contextlib.suppress(SyntaxError, ValueError):
                return ast.literal_eval("\n".join(lines[:count]))
    return default


def figure_module(number: int) -> ModuleType:
    """Return the module that draws a figure.

    Raises:
        UserError: if the workflow has no figure of this number.
    """
    if number not in FIGURES:
        known = ", ".join(map(str, FIGURES))
        raise UserError(f"figure {number}: no such figure; the figures are {known}")
    return importlib.import_module(FIGURES[number])


def render(
    number: int,
    cells: Mapping[str, str | os.PathLike[str]],
    outputs: Sequence[str | os.PathLike[str]],
    published: str | os.PathLike[str] | None = None,
) -> None:
    """Draw one figure from evaluation files.

    Args:
        number: the figure's number.
        cells: the evaluation netCDF file of each role.
        outputs: the files to write, .pdf or .png.
        published: a CSV file of the published numbers, for a figure that draws them; without it,
            they are left out.

    Raises:
        UserError: for an unknown figure, an unknown or missing role, no cell at all, or an output
            of another kind.
        DataError: if a file is missing, truncated, lacks what the figure draws, or is not of the
            cell that its role names.
    """
    module = figure_module(number)
    _check_roles(number, module, cells)

    from double_pinn.showing.figures import style

    variables = (*VARIABLES, *getattr(module, "VARIABLES", ()))
    datasets = {
        role: _read(role, path, module.EXPECTED[role], variables) for role, path in cells.items()
    }
    beside = [_paper(published)] if getattr(module, "PUBLISHED", False) else []
    style.save(module.figure(datasets, *beside), *outputs)


def check(number: int, cells: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse, before anything is trained, cells that a figure would refuse when it draws.

    That some are missing is no reason: then the workflow leaves the figure out, and says so.

    Args:
        number: the figure's number.
        cells: by role, what the evaluation of the cell will say of it (its attributes).

    Raises:
        UserError: naming figure, role and what is needed.
    """
    module = figure_module(number)
    _refuse_unknown(number, module, cells)
    for role, attributes in cells.items():
        if broken := broken_promise(attributes, module.EXPECTED[role]):
            raise UserError(f"figure {number}: cell {attributes['cell']}, as {role!r}: {broken}")


def _paper(path: str | os.PathLike[str] | None) -> dict[str, dict[str, Any]]:
    """Return the published numbers of double PINN, by equation."""
    from double_pinn.showing.published import published_rows

    if path is None:
        return {}
    return {row["equation"]: row for row in published_rows(path) if row["model"] == "double PINN"}


def _check_roles(number: int, module: ModuleType, cells: Mapping) -> None:
    _refuse_unknown(number, module, cells)
    for role in module.ROLES:
        if role not in cells:
            raise UserError(
                f"figure {number}: cell {role!r} is missing; give {role}=FILE "
                f"(cells: {_known(module)})"
            )
    if not cells:
        raise UserError(
            f"figure {number}: there is no cell to draw; give ROLE=FILE with one of "
            f"{', '.join(module.OPTIONAL_ROLES)}"
        )


def _refuse_unknown(number: int, module: ModuleType, cells: Mapping) -> None:
    for role in cells:
        if role not in (*module.ROLES, *getattr(module, "OPTIONAL_ROLES", ())):
            raise UserError(
                f"figure {number}: unknown cell {role!r}; its cells are {_known(module)}"
            )


def _known(module: ModuleType) -> str:
    optional = getattr(module, "OPTIONAL_ROLES", ())
    return ", ".join((*module.ROLES, *(f"{role} (optional)" for role in optional)))


def _read(
    role: str,
    path: str | os.PathLike[str],
    expected: Mapping[str, str | tuple[str, ...]],
    variables: Sequence[str],
):
    from double_pinn.errors import DataError
    from double_pinn.showing.cells import read_cell

    cell = read_cell(path, variables, ATTRIBUTES)
    if broken := broken_promise(cell.attrs, expected):
        raise DataError(
            f"{path}: {broken}, to be the cell {role!r} of the figure; give another file"
        )
    if cell.sizes["seed"] == 0:
        raise DataError(f"{path}: holds no seed; run the evaluation again")
    return cell
