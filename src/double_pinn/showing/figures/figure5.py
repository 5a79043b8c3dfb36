"""Figure 5: double PINN in FP64 on the four equations."""

import xarray as xr
from matplotlib.figure import Figure

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Double PINN in FP64 on the four equations"
ROLES = ("convection", "reaction", "wave", "allen_cahn")
EXPECTED = {
    role: {"equation": role, "regularizer": "double", "precision": "fp64"} for role in ROLES
}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 5 of the paper (Sec. 4.3).

    The paper shows the field and the error of double PINN FP64 on each of the four equations after
    10⁶ L-BFGS iterations. Here the iterations run are those printed under the figure. Every map
    has its own limits.

    Args:
        cells: evaluation datasets, one for each equation.
    """
    page = style.canvas(3.5)
    axes = page.subplots(2, 4)
    letter = style.letters()

    for (field_ax, error_ax), role in zip(axes.T, ROLES, strict=True):
        cell = cells[role]
        u = panels.shown(cell)["u"]
        field_scale = style.field_scale(cell["u_reference"], u)
        panels.field(field_ax, u, field_scale, time_ticks=2)
        panels.colorbar(page, field_scale, "", ax=field_ax)
        style.title(field_ax, next(letter), f"{wording.equation_label(role)}, u")
        errors = panels.error_field(page, error_ax, cell, time_ticks=2)
        error_ax.set_title("\n".join(("|u − exact|", *errors)), loc="left")
    axes[1, -1].set_title(axes[1, -1].get_title(loc="left").replace("exact", "num."), loc="left")

    style.footnote(
        page, style.budgets((wording.equation_label(role), cells[role]) for role in ROLES)
    )
    return page
