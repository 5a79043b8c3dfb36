"""Figure 3: FP64 does not prevent overfitting on few points (wave)."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style
from double_pinn.showing.slices import slice_time

TITLE = "Wave equation in FP64 on a small grid"
ROLES = ("none", "double")
EXPECTED = {role: {"equation": "wave", "regularizer": role, "precision": "fp64"} for role in ROLES}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 3 of the paper (Sec. 4.1.2).

    The paper shows, for β = 3, FP64 and 12 × 12 domain points: (a) the exact field; (b) the
    unregularised field, which fails although FP64 succeeds on 101 × 101 points; (c) its residual
    along a time slice, with minima exactly at the collocation points (grey lines); (d) the
    regularised field, which succeeds; (e) its residual, without such minima.

    The slice is the inner collocation time at which the unregularised residual is largest in mean
    square, the same for both.

    Args:
        cells: evaluation datasets of the roles ``none`` and ``double``.
    """
    none, double = cells["none"], cells["double"]
    time = slice_time(none)
    fields = [panels.shown(cell)["u"] for cell in (none, double)]
    scale = style.field_scale(none["u_reference"], *fields)

    page, axes, letter = panels.page_with_reference(3.5, 3, none["u_reference"], scale, "exact u")
    for row, (name, cell) in enumerate((("PINN", none), ("double PINN", double))):
        field_ax, slice_ax = axes[row, 1:]
        panels.field(field_ax, panels.shown(cell)["u"], scale)
        field_ax.axvline(time, color="black", linestyle=":", linewidth=1)
        style.title(field_ax, next(letter), f"{name}, {panels.error_text(cell)}")
        panels.residual_slice(slice_ax, cell, time)
        style.title(slice_ax, next(letter), f"residual at t = {time:.3f}")
    panels.share_limits(axes[:, 2])

    _key(page, axes[1, 0], scale)
    style.footnote(
        page,
        style.budgets(
            [
                (f"(b), (c) {wording.regularizer_label(none)}", none),
                (f"(d), (e) {wording.regularizer_label(double)}", double),
            ]
        ),
    )
    return page


def _key(page: Figure, ax, scale: style.Scale) -> None:
    """Fill the empty place below the exact field with what all panels share."""
    ax.axis("off")
    bar = ax.inset_axes((0.05, 0.75, 0.9, 0.08))
    panels.colorbar(page, scale, "u", cax=bar, orientation="horizontal")
    ax.legend(
        [
            Line2D([], [], color="black", linestyle=":", linewidth=1),
            Line2D([], [], color="0.75", linewidth=0.8),
        ],
        ["time of the slice", "collocation points"],
        loc="lower center",
    )
