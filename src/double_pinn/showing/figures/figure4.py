"""Figure 4: an optimisation difficulty is not a failure mode (Allen-Cahn)."""

import xarray as xr
from matplotlib.figure import Figure

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Allen-Cahn equation in FP32 and FP64"
ROLES = ("none_fp32", "none_fp64", "double")
EXPECTED = {
    "none_fp32": {"equation": "allen_cahn", "regularizer": "none", "precision": "fp32"},
    "none_fp64": {"equation": "allen_cahn", "regularizer": "none", "precision": "fp64"},
    "double": {"equation": "allen_cahn", "regularizer": "double", "precision": "fp64"},
}
_NAMES = {"none_fp32": "PINN FP32", "none_fp64": "PINN FP64", "double": "double, FP64"}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 4 of the paper (Sec. 4.2).

    The paper shows, on 64 × 64 domain points: (a) the numerical solution; (b) PINN FP32, badly
    optimised, yet train and test loss move together: an optimisation difficulty, no failure mode;
    (c) PINN FP64, which succeeds, and whose test loss turns up late: it begins to overfit; (d)
    double PINN FP64, the best. The losses of each stand below its field.

    Args:
        cells: evaluation datasets of the roles ``none_fp32``, ``none_fp64`` and ``double``.
    """
    reference = cells["none_fp32"]["u_reference"]
    scale = style.field_scale(reference, *(panels.shown(cells[role])["u"] for role in ROLES))

    page, axes, letter = panels.page_with_reference(3.5, 4, reference, scale, "numerical u")
    notes = []
    for column, role in enumerate(ROLES, start=1):
        cell, panel = cells[role], next(letter)
        field_ax, loss_ax = axes[:, column]
        panels.field(field_ax, panels.shown(cell)["u"], scale)
        style.title(field_ax, panel, _NAMES[role])
        panels.losses(loss_ax, cell)
        loss_ax.set_title(panels.error_text(cell), loc="left")
        notes.append((f"({panel}) {wording.regularizer_label(cell)}", cell))

    panels.share_limits(axes[1, 1:])

    _key(page, axes[1, 0], scale, float(cells["double"]["reference_error"]))
    style.footnote(page, style.budgets(notes))
    return page


def _key(page: Figure, ax, scale: style.Scale, error: float) -> None:
    """Fill the empty place below the numerical solution with what all panels share."""
    ax.axis("off")
    bar = ax.inset_axes((0.05, 0.9, 0.9, 0.08))
    panels.colorbar(page, scale, "u", cax=bar, orientation="horizontal")
    ax.text(
        0.5,
        0.49,
        f"error of the\nnumerical solution\n(rRMSE) {wording.scientific(error)}",
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=7,
    )
    ax.legend(handles=panels.loss_lines(), loc="lower center", bbox_to_anchor=(0.5, -0.14))
