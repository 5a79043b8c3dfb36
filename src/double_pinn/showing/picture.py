"""A picture of any cell: solution, network, error, residual, losses, and a verdict.

What a cell of one's own shows without a figure being written for it.
"""

import os
import textwrap

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from double_pinn.configuration import catalogue
from double_pinn.showing import wording
from double_pinn.showing.cells import read_cell
from double_pinn.showing.claims.measures import PARTED, SOLVED
from double_pinn.showing.figures import ATTRIBUTES, VARIABLES, panels, style
from double_pinn.showing.models import MODELS

#: A test loss below this fraction of its first value has gone on falling with the train loss.
FELL = 1e-3

# More points than these hide what they stand on.
_DRAWN_POINTS = 1000


def picture(path: str | os.PathLike[str], output: str | os.PathLike[str]) -> None:
    """Draw the picture of a cell.

    Args:
        path: its evaluation, netCDF.
        output: PNG or PDF to write.

    Raises:
        DataError: if the file is missing, truncated or lacks something.
        UserError: if the output is of another kind, or cannot be written.
    """
    style.save(figure(read_cell(path, VARIABLES, ATTRIBUTES)), output)


@style.themed
def figure(cell: xr.Dataset) -> Figure:
    """Draw a cell: the first seed, losses of the others faintly behind.

    Args:
        cell: an evaluation dataset.
    """
    drawn = panels.shown(cell)
    scale = style.field_scale(cell["u_reference"], drawn["u"])
    page, axes, letter = panels.page_with_reference(
        3.9, 3, cell["u_reference"], scale, "reference u"
    )
    network, error, residual, losses, words = axes.ravel()[1:]
    panels.field(network, drawn["u"], scale)
    style.title(network, next(letter), "network û")
    panels.colorbar(page, scale, "", ax=network)

    errors = panels.error_field(page, error, cell)
    style.title(error, next(letter), "|û − u|")

    _residual(page, residual, cell)
    style.title(residual, next(letter), "|F(û)| and points")

    panels.losses(losses, cell)
    panels.share_limits([losses])
    style.title(losses, next(letter), "losses")
    handles = panels.loss_lines()
    if not catalogue.weight_symbol(cell.attrs["regularizer"]):
        handles = handles[:2]
    losses.legend(handles=handles, loc="best", handlelength=1.4)

    words.axis("off")
    heading, name = wording.equation_label(cell.attrs["equation"]), cell.attrs["network"]
    if name != "mlp":
        heading += f", {MODELS.get(name, name)}"
    lines = [
        heading,
        wording.regularizer_label(cell),
        *errors,
        f"train loss {_last(drawn, 'train_loss')}",
        f"test loss {_last(drawn, 'test_loss')}",
        "",
        *_wrapped(verdict(cell)),
    ]
    words.text(0.0, 1.0, "\n".join(lines), va="top", fontsize=7.5, linespacing=1.5)
    style.footnote(page, style.budgets([(str(cell.attrs.get("cell", "cell")), cell)]))
    return page


def verdict(cell: xr.Dataset) -> str:
    """Say whether a cell is overfitted: by the ratio of its un-regularised test and train loss.

    Args:
        cell: an evaluation dataset.

    Returns:
        A sentence about the first seed; of several, how many are overfitted.
    """
    ratios = [_ratio(cell.isel(seed=k)) for k in range(cell.sizes["seed"])]
    ratio, drawn = ratios[0], panels.shown(cell)
    test = style.finite(drawn["test_loss"])
    if not np.isfinite(ratio):
        return "no verdict: a loss is not finite"
    times = f"the test loss is {wording.short(ratio)} times the train loss"
    if ratio >= PARTED:
        said = f"overfitted: {times}"
        if test[-1] <= FELL * test[0]:
            said += f", and yet {wording.short(test[-1] / test[0])} of what it was at first"
    else:
        said = f"not overfitted: {times}"
        if float(drawn["rmae"]) > SOLVED:
            said += "; not solved either, rMAE " + wording.short(float(drawn["rmae"]))
    if len(ratios) > 1:
        count = sum(ratio >= PARTED for ratio in ratios)
        said += f" ({count} of {len(ratios)} seeds are overfitted)"
    return said


def _ratio(run: xr.Dataset) -> float:
    train, test = (style.finite(run[name]) for name in ("train_loss", "test_loss"))
    if not (len(train) and len(test)) or train[-1] == 0:
        return np.nan
    return float(test[-1] / train[-1])


def _last(run: xr.Dataset, name: str) -> str:
    values = style.finite(run[name])
    return wording.scientific(values[-1]) if len(values) else "not finite"


def _wrapped(text: str, width: int = 40) -> list[str]:
    return textwrap.wrap(text, width)


def _residual(page: Figure, ax, cell: xr.Dataset) -> None:
    residual = panels.shown(cell)["residual"]
    scale = style.residual_scale(residual)
    panels.field(ax, residual, scale)
    panels.colorbar(page, scale, "", ax=ax)
    x, t = np.meshgrid(cell["x_collocation"], cell["t_collocation"], indexing="ij")
    if x.size <= _DRAWN_POINTS:
        # On the edges too, whole.
        ax.plot(t.ravel(), x.ravel(), ".", color="black", markersize=1.2, clip_on=False)
