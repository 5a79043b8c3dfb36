"""Figure 7: overfitting under a second-order optimiser (ours, beyond the paper)."""

import matplotlib as mpl
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from double_pinn.configuration import catalogue
from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Gauss-Newton with and without double PINN"
EQUATIONS = ("reaction", "wave", "convection")
REGULARIZERS = ("none", "gpinn", "double")
ROLES = ()
#: The equations at hand are the rows of the figure; one of them is enough.
OPTIONAL_ROLES = tuple(f"{equation}/{name}" for equation in EQUATIONS for name in REGULARIZERS)
EXPECTED = {
    f"{equation}/{name}": {
        "equation": equation,
        "regularizer": name,
        "precision": "fp64",
        "optimizer": wording.GAUSS_NEWTON,
    }
    for equation in EQUATIONS
    for name in REGULARIZERS
}
VARIABLES = ("phase", "rmae_history", "final_train_loss", "final_test_loss")

#: Part of a panel's width for the iterations of L-BFGS, which are many and cheap.
_FIRST_SHARE = 0.3
_FIRST_COLOUR = "0.93"
_ERROR = {"color": sns.color_palette("colorblind")[2], "linewidth": 1.2, "linestyle": "-."}


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 7: the same steps of Gauss-Newton on the paper's few points.

    A row for each equation at hand. A column for the regulariser: none, gPINN (derivative rows of
    the equation only) and double PINN (derivative rows of all sets). Each panel has train loss,
    test loss and rMAE over the steps, on one logarithmic axis that its row shares. Where a scale
    warms up by L-BFGS, the axis is broken at the switch: a Gauss-Newton step costs as much as many
    iterations of L-BFGS, so the steps get most of the width.

    Args:
        cells: evaluation datasets of the roles ``equation/regularizer``, one or more.
    """
    equations = panels.equations_at_hand(EQUATIONS, cells)
    page = style.canvas(1.65 * len(equations) + 0.5)
    grid = page.add_gridspec(len(equations) + 1, 3, height_ratios=[1] * len(equations) + [0.16])
    letter = style.letters()
    notes = []
    warm = any(switch_iteration(cell) for cell in cells.values())
    for index, equation in enumerate(equations):
        drawn = []
        for column, name in enumerate(REGULARIZERS):
            ax, panel = page.add_subplot(grid[index, column]), next(letter)
            cell = cells.get(f"{equation}/{name}")
            title = f"{wording.equation_label(equation)}, {catalogue.label('regularizer', name)}"
            style.title(ax, panel, title if cell is None else f"{title}\n{_ends(cell)}")
            if cell is None:
                ax.axis("off")
                ax.text(0.5, 0.5, "not run at this scale", transform=ax.transAxes, ha="center")
                continue
            _histories(ax, cell)
            drawn.append((ax, cell))
            notes.append((f"({panel}) {wording.regularizer_label(cell)}", cell))
        steps = max(_second_order_steps(cell) for _, cell in drawn)
        for ax, cell in drawn:
            _break_axis(ax, switch_iteration(cell), steps)
            ax.set_xlabel("")
        axes = [ax for ax, _ in drawn]
        panels.share_limits(axes)
        for ax in axes[1:]:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)

    key = page.add_subplot(grid[-1, :])
    key.axis("off")
    before = "iteration of L-BFGS, then " if warm else ""
    key.set_title(f"{before}step of Gauss-Newton{' (+)' * warm}", loc="center", pad=1)
    train, test, penalised = panels.loss_lines()
    patches = [
        Patch(facecolor=_FIRST_COLOUR, label="L-BFGS"),
        Patch(facecolor="white", edgecolor="0.7", linewidth=0.7, label="Gauss-Newton"),
    ]
    key.legend(
        handles=[
            *(train, test, Line2D([], [], label="rMAE", **_ERROR), penalised),
            *(patches if warm else ()),
        ],
        loc="center",
        ncols=6,
        columnspacing=1.4,
    )
    style.footnote(page, style.budgets(notes))
    return page


def _histories(ax: Axes, cell: xr.Dataset) -> None:
    """Draw losses and error of a cell over the iterations."""
    panels.losses(ax, cell)
    for index in range(cell.sizes["seed"] - 1, -1, -1):
        error = cell["rmae_history"].isel(seed=index).dropna("iteration")
        marker = "." if error.sizes["iteration"] <= panels.FEW else None
        alpha = 1.0 if index == 0 else 0.25
        ax.plot(error["iteration"], error, marker=marker, markersize=4, alpha=alpha, **_ERROR)
    ax.set_ylabel("loss, rMAE")


def _ends(cell: xr.Dataset) -> str:
    """Return where the seed that is drawn ends: its error, and test loss over train loss."""
    run = panels.shown(cell)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = run["final_test_loss"].values / run["final_train_loss"].values
    return f"{panels.error_text(cell)}, test/train {wording.short(float(ratio))}"


def switch_iteration(cell: xr.Dataset) -> int:
    """Return the iteration at which Gauss-Newton took over, in the seed that is drawn.

    The last iteration where it never did.
    """
    run = panels.shown(cell)
    second = run["iteration"].values[run["phase"].values == 1]
    return int(second[0]) if len(second) else int(run["iterations_run"])


def _second_order_steps(cell: xr.Dataset) -> int:
    """Return how far the longest seed goes beyond the switch of the seed that is drawn."""
    return int(cell["iterations_run"].max()) - switch_iteration(cell)


def _break_axis(ax: Axes, switch: int, steps: int) -> None:
    """Give the iterations up to the switch a fixed share of the width, the rest to the steps."""
    end = switch + steps
    # Width of one first-order iteration, of which a second-order step has 1.
    width = _FIRST_SHARE / (1 - _FIRST_SHARE) * steps / switch if switch and steps else 1.0

    def forward(iteration):
        beyond = np.asarray(iteration, dtype=float) - switch
        return np.where(beyond < 0, width * beyond, beyond)

    def inverse(place):
        place = np.asarray(place, dtype=float)
        return switch + np.where(place < 0, place / width, place)

    ax.set_xscale("function", functions=(forward, inverse))
    ax.set_xlim(0, max(end, 1))
    if switch:
        ax.axvspan(0, switch, color=_FIRST_COLOUR, linewidth=0, zorder=0)
        ax.axvline(switch, color="0.5", linewidth=0.7, zorder=0.5)
    marks = mpl.ticker.MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]).tick_values(0, steps)
    ticks = {0: "0", switch: f"{switch}"}
    plus = "+" if switch else ""
    ticks |= {switch + int(m): f"{plus}{int(m)}" for m in marks if 0 < m <= steps}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.minorticks_off()
    ax.tick_params(axis="y", which="minor", left=False)
