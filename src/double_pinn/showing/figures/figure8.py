"""Figure 8: error over wall-clock time, L-BFGS beside Gauss-Newton (ours, beyond the paper)."""

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style

TITLE = "Error over wall-clock time"
EQUATIONS = ("reaction", "wave", "convection")
ROLES = ()
#: The equations at hand are the columns of the figure; one of them is enough.
OPTIONAL_ROLES = tuple(f"{equation}/{name}" for equation in EQUATIONS for name in style.OPTIMIZERS)
EXPECTED = {
    f"{equation}/{name}": {
        "equation": equation,
        "regularizer": "double",
        "precision": "fp64",
        "optimizer": played_by,
    }
    for equation in EQUATIONS
    for name, played_by in wording.COMPARED.items()
}
VARIABLES = ("wall_time", "rmae_history", "rrmse_history")

PUBLISHED = True


@style.themed
def figure(cells: dict[str, xr.Dataset], published: dict[str, dict]) -> Figure:
    """Draw Figure 8: what an optimiser has reached after how many seconds.

    A column for each equation at hand, double PINN on the paper's points. The seconds are those of
    training, from the start of the process: compilation, losses for the log and checkpoints are in
    them. Every seed is a line.

    Args:
        cells: evaluation datasets of the roles ``equation/optimizer``, one or more.
        published: the paper's numbers of double PINN, by equation: grey lines.

    Raises:
        DataError: if a cell has no history of its error.
    """
    equations = panels.equations_at_hand(EQUATIONS, cells)
    page = style.canvas(2.6)
    grid = page.add_gridspec(2, len(equations), height_ratios=[1, 0.09])
    letter, axes, notes = style.letters(), [], []
    for column, equation in enumerate(equations):
        ax, panel = page.add_subplot(grid[0, column]), next(letter)
        style.title(ax, panel, wording.equation_label(equation))
        for name, colour in style.OPTIMIZERS.items():
            if cell := cells.get(f"{equation}/{name}"):
                panels.errors_over_time(ax, f"{equation}/{name}", cell, colour)
                notes.append((f"({panel})", cell))
        panels.paper_errors(ax, published.get(equation))
        axes.append(ax)
    panels.share_limits(axes, "xy")
    for ax in axes:
        # Less than two decades would be labelled in between, one label on the other.
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("relative error")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)

    key = page.add_subplot(grid[1, :])
    key.axis("off")
    handles = panels.time_lines()
    handles.append(Line2D([], [], color="0.3", marker="o", markersize=3, lw=0, label="end"))
    key.legend(handles=handles, loc="center", ncols=6)
    style.footnote(page, style.budgets(notes, every_seed=True))
    return page
