"""Figure 9: Allen-Cahn over wall-clock time, Gauss-Newton beside L-BFGS (ours)."""

import xarray as xr
from matplotlib.figure import Figure

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Allen-Cahn with double PINN over wall-clock time"
ROLES = ("gauss_newton",)
OPTIONAL_ROLES = ("lbfgs",)
EXPECTED = {
    role: {
        "equation": "allen_cahn",
        "regularizer": "double",
        "precision": "fp64",
        "optimizer": played_by,
    }
    for role, played_by in wording.COMPARED.items()
}
VARIABLES = ("wall_time", "rmae_history", "rrmse_history")
PUBLISHED = True


@style.themed
def figure(cells: dict[str, xr.Dataset], published: dict[str, dict]) -> Figure:
    """Draw Figure 9: the equation whose plateau L-BFGS is slow to leave, by both optimisers.

    (a) the numerical solution, (b) and (c) the field of each optimiser at hand, with its difference
    from the numerical solution below, (d) the errors of every seed over the seconds of training,
    from the start of the process; a dot marks the end. The differences have scales of their own.

    Args:
        cells: evaluation datasets of the roles ``gauss_newton`` and perhaps ``lbfgs``.
        published: the paper's numbers of double PINN, by equation: grey lines.

    Raises:
        DataError: if a cell has no history of its error.
    """
    roles = [role for role in style.OPTIMIZERS if role in cells]
    reference = cells["gauss_newton"]["u_reference"]
    scale = style.field_scale(reference, *(panels.shown(cells[role])["u"] for role in roles))
    page, axes, letter = panels.page_with_reference(
        3.9, 1 + len(roles), reference, scale, "numerical u"
    )
    notes = []
    for (field_ax, error_ax), role in zip(axes[:, 1:].T, roles, strict=True):
        cell, panel = cells[role], next(letter)
        panels.field(field_ax, panels.shown(cell)["u"], scale)
        style.title(field_ax, panel, f"{wording.optimizer_label(role)}, u")
        errors = panels.error_field(page, error_ax, cell)
        error_ax.set_title(", ".join(("|u − num.|", *errors)), loc="left")
        notes.append((f"({panel})", cell))
    panels.colorbar(page, scale, "", ax=axes[0, :])

    ax = axes[1, 0]
    for role in roles:
        panels.errors_over_time(ax, role, cells[role], style.OPTIMIZERS[role])
    panels.paper_errors(ax, published.get("allen_cahn"))
    panels.share_limits([ax], "xy")
    ax.set_ylabel("relative error")
    panel = next(letter)
    style.title(ax, panel, "errors")
    # No corner of its panel is free of lines.
    page.legend(handles=panels.time_lines(roles), loc="outside upper center", ncols=5)
    # The fields are of the first seed.
    several = [
        (f"({panel}) {wording.optimizer_label(role)}", cells[role])
        for role in roles
        if cells[role].sizes["seed"] > 1
    ]
    style.footnote(page, style.budgets(notes) + style.budgets(several, every_seed=True))
    return page
