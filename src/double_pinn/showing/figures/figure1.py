"""Figure 1: a failure mode is overfitting, and double PINN removes it (convection, FP32)."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Convection with and without double PINN"
ROLES = ("none", "double")
EXPECTED = {
    role: {"equation": "convection", "regularizer": role, "precision": "fp32"} for role in ROLES
}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 1 of the paper (Sec. 4.1.1).

    The paper shows, for β = 50, FP32, 400 domain points and 200 on each edge: (a) the exact field;
    without regulariser (b) the field, zero over most of the domain, (c) the residual near the
    initial edge, small exactly at the collocation points and large between them, (d) a train loss
    that falls and a test loss that does not; with double PINN (e) the field, (f) the residual,
    (g) train and test loss falling together.

    Args:
        cells: evaluation datasets of the roles ``none`` and ``double``.
    """
    none, double = cells["none"], cells["double"]
    window = panels.residual_window(none)
    near_edge = {"x_residual": window[0], "t_residual": window[1]}
    fields = [panels.shown(cell)["u"] for cell in (none, double)]
    field_scale = style.field_scale(none["u_reference"], *fields)
    residual_scale = style.residual_scale(
        *(panels.shown(cell)["residual"].sel(near_edge) for cell in (none, double))
    )

    page, axes, letter = panels.page_with_reference(
        3.6, 4, none["u_reference"], field_scale, "exact u"
    )
    for row, (name, cell) in enumerate((("PINN", none), ("double PINN", double))):
        field_ax, residual_ax, loss_ax = axes[row, 1:]
        panels.field(field_ax, panels.shown(cell)["u"], field_scale)
        style.title(field_ax, next(letter), name)
        panels.error_note(field_ax, cell)
        panels.residual_zoom(residual_ax, cell, residual_scale, window)
        style.title(residual_ax, next(letter), "residual near t = 0")
        panels.losses(loss_ax, cell)
        style.title(loss_ax, next(letter), "losses")
    panels.share_limits(axes[:, 3])

    _key(page, axes[1, 0], field_scale, residual_scale)
    style.footnote(
        page,
        style.budgets(
            [
                (f"(b)–(d) {wording.regularizer_label(none)}", none),
                (f"(e)–(g) {wording.regularizer_label(double)}", double),
            ]
        ),
    )
    return page


def _key(page: Figure, ax, field_scale: style.Scale, residual_scale: style.Scale) -> None:
    """Fill the empty place below the exact field with what all panels share."""
    ax.axis("off")
    for height, scale, label in ((0.92, field_scale, "u"), (0.54, residual_scale, "|F(u)|")):
        bar = ax.inset_axes((0.05, height, 0.9, 0.09))
        panels.colorbar(page, scale, label, cax=bar, orientation="horizontal")
    ring = Line2D([], [], linestyle="none", marker="o", markerfacecolor="none", color="black")
    ring.set(markersize=5, label="collocation point")
    train, test, penalised = panels.loss_lines()
    ax.legend(
        handles=[train, test, penalised, ring],
        loc="lower center",
        ncols=2,
        columnspacing=0.8,
        handlelength=1.4,
        handletextpad=0.4,
        bbox_to_anchor=(0.5, -0.12),
    )
