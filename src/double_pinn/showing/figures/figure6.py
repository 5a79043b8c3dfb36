"""Figure 6: the regularisers side by side (convection, FP32)."""

import xarray as xr
from matplotlib.figure import Figure

from double_pinn.configuration import catalogue
from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Regularisers compared on the convection equation"
ROLES = ("none", "l2", "l1", "double")
OPTIONAL_ROLES = ("gpinn",)
EXPECTED = {
    role: {"equation": "convection", "regularizer": role, "precision": "fp32"}
    for role in (*ROLES, *OPTIONAL_ROLES)
}
#: Not in the paper.
_OURS = ("gpinn",)


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 6 of the paper (Sec. 5).

    The paper shows losses, residuals and fields for β = 50 without regulariser, which overfits,
    and with L², L¹ and double PINN, which do not; double PINN reaches the lowest loss and is the
    fastest, L¹ is the worst. The penalty on the domain residual alone (gPINN) is ours, for
    comparison.

    Args:
        cells: evaluation datasets of the roles ``none``, ``l2``, ``l1``, ``double`` and, if at
            hand, ``gpinn``.
    """
    roles = [role for role in (*ROLES, *OPTIONAL_ROLES) if role in cells]
    drawn = [panels.shown(cells[role]) for role in roles]
    field_scale = style.field_scale(cells["none"]["u_reference"], *(run["u"] for run in drawn))
    residual_scale = style.residual_scale(*(run["residual"] for run in drawn))

    page = style.canvas(1.4 * len(roles) + 0.6)
    *axes, key = page.subplots(len(roles) + 1, 3, height_ratios=[1] * len(roles) + [0.35])
    letter = style.letters()
    notes = []
    for row, role in zip(axes, roles, strict=True):
        cell, panel = cells[role], next(letter)
        panels.losses(row[0], cell)
        style.title(row[0], panel, _title(role))
        panels.field(row[1], panels.shown(cell)["residual"], residual_scale)
        row[1].set_title("residual", loc="left")
        panels.field(row[2], panels.shown(cell)["u"], field_scale)
        row[2].set_title(f"u, {panels.error_text(cell)}", loc="left")
        notes.append((f"({panel}) {wording.regularizer_label(cell)}", cell))
    panels.share_limits([row[0] for row in axes], "xy")
    for row in axes[:-1]:
        for ax in row:
            ax.set_xlabel("")

    for ax in key:
        ax.axis("off")
    key[0].legend(handles=panels.loss_lines(), loc="upper center", ncols=3, columnspacing=1)
    for ax, scale, label in ((key[1], residual_scale, "|F(u)|"), (key[2], field_scale, "u")):
        bar = ax.inset_axes((0.05, 0.75, 0.9, 0.25))
        panels.colorbar(page, scale, label, cax=bar, orientation="horizontal")
    style.footnote(page, style.budgets(notes))
    return page


def _title(role: str) -> str:
    return catalogue.label("regularizer", role) + (" (ours, not in the paper)" * (role in _OURS))
