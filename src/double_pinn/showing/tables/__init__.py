"""Table 1: published and reproduced results side by side, each with its origin."""

from double_pinn.showing.models import MODELS
from double_pinn.showing.tables.formats import to_csv, to_html, to_latex, to_markdown, write
from double_pinn.showing.tables.rows import (
    COLUMNS,
    INSTEAD_RUN,
    NOT_RUN,
    check,
    mean_and_std,
    reproduced_row,
    table1,
)
from double_pinn.showing.tables.words import plus_minus

__all__ = [
    "COLUMNS",
    "INSTEAD_RUN",
    "MODELS",
    "NOT_RUN",
    "check",
    "mean_and_std",
    "plus_minus",
    "reproduced_row",
    "table1",
    "to_csv",
    "to_html",
    "to_latex",
    "to_markdown",
    "write",
]
