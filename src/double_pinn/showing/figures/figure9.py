"""Figure 9: Allen-Cahn, Gauss-Newton beside L-BFGS (ours, beyond the paper)."""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Allen-Cahn with double PINN, Gauss-Newton beside L-BFGS"
ROLES = tuple(style.OPTIMIZERS)
EXPECTED = {
    role: {
        "equation": "allen_cahn",
        "regularizer": "double",
        "precision": "fp64",
        "optimizer": role,
    }
    for role in ROLES
}
VARIABLES = ("wall_time",)

_LOOKS = {"train": ("train_loss", "-"), "test": ("test_loss", ":")}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 9: the equation whose plateau L-BFGS is slow to leave, by both optimisers.

    (a) the numerical solution, (b) and (c) the field of each optimiser, with its difference from
    the numerical solution below, (d) train and test loss over the seconds of training, from the
    start of the process. The differences have scales of their own.

    Args:
        cells: evaluation datasets of the roles ``lbfgs`` and ``gauss_newton``.
    """
    reference = cells["lbfgs"]["u_reference"]
    scale = style.field_scale(reference, *(panels.shown(cells[role])["u"] for role in ROLES))
    page, axes, letter = panels.page_with_reference(3.6, 3, reference, scale, "numerical u")
    notes = []
    for (field_ax, error_ax), role in zip(axes[:, 1:].T, ROLES, strict=True):
        cell, panel = cells[role], next(letter)
        panels.field(field_ax, panels.shown(cell)["u"], scale)
        style.title(field_ax, panel, f"{wording.optimizer_label(role)}, u")
        errors = panels.error_field(page, error_ax, cell)
        error_ax.set_title(", ".join(("|u − num.|", *errors)), loc="left")
        notes.append((f"({panel})", cell))
    panels.colorbar(page, scale, "", ax=axes[0, :])

    _losses(axes[1, 0], cells)
    style.title(axes[1, 0], next(letter), "losses")
    style.footnote(page, style.budgets(notes))
    return page


def _losses(ax: Axes, cells: dict[str, xr.Dataset]) -> None:
    """Draw train and test loss of every seed over the seconds of training; a dot marks the end."""
    for role, colour in style.OPTIMIZERS.items():
        panels.over_time(ax, cells[role], _LOOKS, colour)
    ax.set_ylabel("loss")
    # Widened to two powers of ten: with less, labels in between lie on each other.
    panels.share_limits([ax], "xy")
    ax.legend(handles=panels.time_lines(_LOOKS), loc="best")
