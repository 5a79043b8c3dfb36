"""Figure 10: what each model of Table 1 reaches after how many seconds (ours)."""

import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from double_pinn.showing import wording
from double_pinn.showing.figures import panels, style
from double_pinn.showing.models import EXPECTED as PROMISED
from double_pinn.showing.models import MODELS, short_name

TITLE = "Error of every model over wall-clock time"
EQUATIONS = ("convection", "reaction", "wave", "allen_cahn")
ROLES = ()
#: The equations at hand are the panels of the figure; one of them is enough.
OPTIONAL_ROLES = tuple(f"{equation}/{model}" for equation in EQUATIONS for model in MODELS)
EXPECTED = {
    f"{equation}/{model}": {"equation": equation, **PROMISED[model]}
    for equation in EQUATIONS
    for model in MODELS
}
VARIABLES = ("wall_time", "rmae_history", "rrmse_history")
COLOURS = dict(zip(MODELS, sns.color_palette("colorblind"), strict=False))


@style.themed
def figure(cells: dict[str, xr.Dataset]) -> Figure:
    """Draw Figure 10: the relative errors of the models, a panel for each equation at hand.

    The seconds are those of training, from the start of the process, with compilation and the log;
    every seed is a line that ends at a dot.

    Args:
        cells: evaluation datasets of the roles ``equation/model``, one or more.

    Raises:
        DataError: if a cell has no history of its error.
    """
    equations = panels.equations_at_hand(EQUATIONS, cells)
    page = style.canvas(2.4)
    axes = page.subplots(1, len(equations), squeeze=False)[0]
    letter, notes, drawn = style.letters(), [], {}
    for ax, equation in zip(axes, equations, strict=True):
        panel = next(letter)
        style.title(ax, panel, wording.equation_label(equation))
        for model, colour in COLOURS.items():
            if cell := cells.get(f"{equation}/{model}"):
                panels.errors_over_time(ax, f"{equation}/{model}", cell, colour)
                drawn[short_name(model)] = colour
                notes.append((f"({panel}) {short_name(model)}", cell))
    panels.share_limits(axes, "xy")
    axes[0].set_ylabel("relative error")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    lines = [Line2D([], [], color=colour, label=label) for label, colour in drawn.items()]
    page.legend(handles=[*lines, *panels.error_looks()], loc="outside upper center", ncols=7)
    style.footnote(page, style.budgets(notes, every_seed=True))
    return page
