"""The panels that the figures are made of: fields, residuals, losses.

Time is the horizontal axis of every map and position the vertical one. Of several seeds the first
is drawn; losses draw the others faintly behind it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter

from double_pinn.configuration import catalogue
from double_pinn.errors import DataError
from double_pinn.showing import wording
from double_pinn.showing.figures import style
from double_pinn.showing.figures.style import Scale

#: The lines of the losses: the optimiser's objective thin, behind the un-regularised losses.
LOOKS = {
    "train + penalty": {"color": style.PENALISED, "linewidth": 0.7},
    # Thinner than the train loss, which stays visible where the two lie on each other.
    "train": {"color": style.TRAIN, "linewidth": 1.6},
    "test": {"color": style.TEST, "linewidth": 1, "linestyle": "--"},
}

#: Colour of published errors.
PAPER = "0.6"

#: Both errors along the way: variable and line style of each label.
ERRORS: dict[str, tuple[str, Any]] = {
    "rMAE": ("rmae_history", "-"),
    "rRMSE": ("rrmse_history", ":"),
}

#: Histories this short are drawn with a marker at each logged iteration.
FEW = 5


def shown(cell: xr.Dataset) -> xr.Dataset:
    """Return the seed of a cell that the figures draw: the first."""
    return cell.isel(seed=0)


def equations_at_hand(equations: Iterable[str], roles: Iterable[str]) -> list[str]:
    """Return the equations of which there is a cell, where a role is ``equation/name``."""
    found = {role.partition("/")[0] for role in roles}
    return [equation for equation in equations if equation in found]


def error_text(cell: xr.Dataset) -> str:
    """Return the relative mean absolute error of the seed that is drawn."""
    return f"rMAE {wording.short(float(shown(cell)['rmae']))}"


def field(ax: Axes, values: xr.DataArray, scale: Scale, time_ticks: int = 5) -> None:
    """Draw a map over (x, t).

    Args:
        ax: where.
        values: two-dimensional; its dimensions are the position (x...) and the time (t...).
        scale: colours and limits.
        time_ticks: at most this many intervals between the ticks of the time axis.
    """
    position, time = _axes_of(values)
    data = np.asarray(values.transpose(position, time), dtype=float)
    if isinstance(scale.norm, mpl.colors.LogNorm):
        # Exact zeros have no logarithm; they are below the scale, not missing.
        data = np.where(np.isfinite(data), np.maximum(np.abs(data), 1e-300), np.nan)
    x, t = values[position].values, values[time].values
    ax.pcolormesh(
        t,
        x,
        np.ma.masked_invalid(data),
        cmap=scale.cmap,
        norm=scale.norm,
        shading="nearest",
        rasterized=True,
    )
    ax.set(xlim=(t[0], t[-1]), ylim=(x[0], x[-1]), xlabel="t", ylabel="x")
    _position_ticks(ax.yaxis, x)
    ax.xaxis.set_major_locator(MaxNLocator(time_ticks))
    if not np.isfinite(data).any():
        _note(ax, "no finite values")


def page_with_reference(
    height: float, columns: int, reference: xr.DataArray, scale: Scale, name: str
) -> tuple[Figure, np.ndarray, Iterator[str]]:
    """Begin a page of two rows of panels, the reference solution at its top left.

    Args:
        height: of the page in inches.
        columns: panels a row.
        reference: the map of the first panel.
        scale: its colours and limits.
        name: its title.

    Returns:
        The page, its axes, and the letters of the panels that follow.
    """
    page = style.canvas(height)
    axes = page.subplots(2, columns)
    letters = style.letters()
    field(axes[0, 0], reference, scale)
    style.title(axes[0, 0], next(letters), name)
    return page, axes, letters


def error_field(page: Figure, ax: Axes, cell: xr.Dataset, time_ticks: int = 5) -> tuple[str, str]:
    """Draw |u - reference| of the seed that is drawn, on a scale of its own beside the map.

    Args:
        page: for the colour bar.
        ax: where.
        cell: an evaluation dataset.
        time_ticks: see :func:`field`.

    Returns:
        The two relative errors as text, ``rMAE ...`` and ``rRMSE ...``.
    """
    drawn = shown(cell)
    error = abs(drawn["u"] - cell["u_reference"])
    scale = style.error_scale(error)
    field(ax, error, scale, time_ticks=time_ticks)
    colorbar(page, scale, "", ax=ax)
    rmae, rrmse = (wording.short(float(drawn[name])) for name in ("rmae", "rrmse"))
    return f"rMAE {rmae}", f"rRMSE {rrmse}"


def error_note(ax: Axes, cell: xr.Dataset) -> None:
    """Print the error into a corner of a field, where the title has no room for it."""
    ax.text(
        0.97,
        0.05,
        error_text(cell),
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=7,
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"},
    )


def residual_zoom(ax: Axes, cell: xr.Dataset, scale: Scale, window: tuple[slice, slice]) -> None:
    """Draw |F(u)| in a window, with a ring around every collocation point in it.

    Args:
        ax: where.
        cell: an evaluation dataset.
        scale: colours and limits.
        window: the ranges of x and t.
    """
    x, t = window
    zoomed = shown(cell)["residual"].sel(x_residual=x, t_residual=t)
    field(ax, zoomed, scale)
    _position_ticks(ax.yaxis, cell["x_residual"].values, values=zoomed["x_residual"].values)
    nodes = np.meshgrid(
        cell["t_collocation"].sel(t_collocation=t), cell["x_collocation"].sel(x_collocation=x)
    )
    # The window reaches beyond the edge of the domain, so that rings on it are whole.
    ax.set(xlim=(t.start, t.stop), ylim=(x.start, x.stop))
    # Rings, not dots: the value at the point stays visible.
    for width, colour in ((1.8, "black"), (0.8, "white")):
        ax.plot(
            *map(np.ravel, nodes),
            linestyle="none",
            marker="o",
            markersize=6,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=width,
        )


def residual_window(cell: xr.Dataset, rows: int = 3, columns: int = 5) -> tuple[slice, slice]:
    """Return the part of the initial edge where the residual of a cell is largest.

    Args:
        cell: an evaluation dataset.
        rows: collocation intervals in time, from the initial edge.
        columns: collocation intervals in position.

    Returns:
        The ranges of x and t; they end a third of an interval beyond collocation points.
    """
    x, t = cell["x_collocation"].values, cell["t_collocation"].values
    rows, columns = min(rows, len(t) - 1), min(columns, len(x) - 1)
    step, margin = x[1] - x[0], 0.3
    time = slice(t[0] - margin * (t[1] - t[0]), t[0] + (rows + margin) * (t[1] - t[0]))
    magnitude = abs(shown(cell)["residual"].sel(t_residual=time)).mean("t_residual")
    windows = [
        slice(left - margin * step, left + (columns + margin) * step)
        for left in x[: len(x) - columns]
    ]
    sizes = [np.nan_to_num(magnitude.sel(x_residual=window).mean()) for window in windows]
    return windows[int(np.argmax(sizes))], time


def residual_slice(ax: Axes, cell: xr.Dataset, time: float) -> None:
    """Draw |F(u)| against x at one time; grey lines mark the collocation points."""
    residual = abs(shown(cell)["residual"]).sel(t_residual=time, method="nearest")
    x = residual["x_residual"].values
    values = np.asarray(residual, dtype=float)
    for node in cell["x_collocation"].values:
        ax.axvline(node, color="0.75", linewidth=0.8, zorder=0)
    ax.plot(x, np.where(values > 0, values, np.nan), color=style.TRAIN, linewidth=1)
    ax.set(yscale="log", xlim=(x[0], x[-1]), xlabel="x", ylabel="|F(u)|")
    _position_ticks(ax.xaxis, x)
    if not np.isfinite(values).any():
        _note(ax, "no finite values")


def losses(ax: Axes, cell: xr.Dataset) -> None:
    """Draw un-regularised train and test loss, and thinly what the optimiser minimised.

    The objective is drawn only where it differs from the train loss: with a regulariser.
    """
    for index in range(cell.sizes["seed"] - 1, -1, -1):
        run = cell.isel(seed=index)
        alpha = 1.0 if index == 0 else 0.25
        if catalogue.weight_symbol(cell.attrs["regularizer"]):
            _curve(ax, run["objective"], alpha=alpha, **LOOKS["train + penalty"])
        _curve(ax, run["train_loss"], alpha=alpha, **LOOKS["train"])
        _curve(ax, run["test_loss"], alpha=alpha, **LOOKS["test"])
    ax.set(yscale="log", xlabel="iteration", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.grid(True, axis="y", linewidth=0.4, alpha=0.5)
    drawn = shown(cell)
    if str(drawn["stop_reason"].values) == "non_finite_loss":
        _note(ax, f"loss not finite\nafter iteration {int(drawn['iterations_run']):,}")


def errors_over_time(ax: Axes, role: str, cell: xr.Dataset, colour) -> None:
    """Draw the errors of every seed over the seconds of training; a dot marks the end.

    Args:
        ax: where; both its axes become logarithmic.
        role: what the cell is in the figure.
        cell: an evaluation dataset.
        colour: of all lines.

    Raises:
        DataError: if a seed has no history of its error.
    """
    for index in range(cell.sizes["seed"]):
        run = cell.isel(seed=index)
        seconds = np.asarray(run["wall_time"], dtype=float)
        for name, look in ERRORS.values():
            values = np.asarray(run[name], dtype=float)
            good = np.isfinite(values) & np.isfinite(seconds) & (seconds > 0)
            if not good.any():
                raise DataError(f"cell {role!r}: {name} holds no error; train the cell again")
            ax.plot(seconds[good], values[good], look, color=colour, linewidth=1, alpha=0.8)
            ax.plot(seconds[good][-1], values[good][-1], "o", color=colour, markersize=3)
    ax.set(xscale="log", yscale="log", xlabel="training time (s)")
    ax.grid(True, axis="both", linewidth=0.4, alpha=0.5)


def paper_errors(ax: Axes, row: dict | None) -> None:
    """Draw the published errors of an equation as lines across a panel, if they are known."""
    if row:
        for label, (_, look) in ERRORS.items():
            ax.axhline(row[f"{label.lower()}_mean"], color=PAPER, ls=look, lw=0.8, zorder=0)


def time_lines(optimizers: Iterable[str] = tuple(style.OPTIMIZERS)) -> list[Line2D]:
    """Return what the lines of errors over time of some optimisers mean, for a legend."""
    lines = [
        Line2D([], [], color=style.OPTIMIZERS[name], label=wording.optimizer_label(name))
        for name in optimizers
    ]
    paper = Line2D([], [], color=PAPER, linewidth=0.8, label="the paper's errors")
    return [*lines, *error_looks(), paper]


def error_looks() -> list[Line2D]:
    """Return what tells the two errors apart, for a legend."""
    return [
        Line2D([], [], color="0.3", ls=look, label=label) for label, (_, look) in ERRORS.items()
    ]


def loss_lines() -> list[Line2D]:
    """Return what the lines of :func:`losses` mean, for a legend."""
    return [
        Line2D([], [], label=label, **LOOKS[label])
        for label in ("train", "test", "train + penalty")
    ]


def share_limits(axes: Sequence[Axes] | np.ndarray, which: str = "y") -> None:
    """Give panels the widest of their limits on the axes in ``which`` ("x", "y" or "xy").

    ``Axes.sharey`` would impose the limits of the first on the rest, and cut their curves off. A
    logarithmic axis is widened until it holds two powers of ten, which alone are labelled.
    """
    for name in which:
        limits = [getattr(ax, f"get_{name}lim")() for ax in axes]
        widest = min(low for low, _ in limits), max(high for _, high in limits)
        if all(getattr(ax, f"get_{name}scale")() == "log" for ax in axes):
            widest = _with_two_powers(*widest)
            for ax in axes:
                getattr(ax, f"{name}axis").set_minor_formatter(NullFormatter())
        for ax in axes:
            ax.set(**{f"{name}lim": widest})


def _with_two_powers(low: float, high: float) -> tuple[float, float]:
    """Return the limits, widened as little as possible until they hold two powers of ten."""
    a, b = np.log10(low), np.log10(high)
    first, last = np.ceil(a), np.floor(b)
    if last > first:
        return low, high
    below, above = (first - 1, last + 1) if last == first else (last, first)
    if last < first:
        return 10.0**below, 10.0**above
    return (10.0**below, high) if a - below <= above - b else (low, 10.0**above)


def colorbar(figure: Figure, scale: Scale, label: str, **where) -> None:
    """Draw the colour bar of a scale; ``where`` goes to ``Figure.colorbar`` (ax or cax)."""
    bar = figure.colorbar(
        ScalarMappable(scale.norm, scale.cmap), label=label, extend=scale.extend, **where
    )
    bar.outline.set_linewidth(0.5)
    top = scale.norm.vmax or 0.0
    if 0 < top < 0.01 and not isinstance(scale.norm, mpl.colors.LogNorm):
        # A common factor above the bar would push it aside.
        bar.formatter = FuncFormatter(lambda value, _: wording.compact(value))


def _curve(ax: Axes, history: xr.DataArray, **look) -> None:
    history = history.where(np.isfinite(history) & (history > 0)).dropna("iteration")
    marker = "." if history.sizes["iteration"] <= FEW else None
    ax.plot(history["iteration"], history, marker=marker, markersize=4, **look)


def _axes_of(values: xr.DataArray) -> tuple[str, str]:
    position = next(str(name) for name in values.dims if str(name).startswith("x"))
    time = next(str(name) for name in values.dims if str(name).startswith("t"))
    return position, time


def _position_ticks(axis, domain: np.ndarray, values: np.ndarray | None = None) -> None:
    """Return ticks in units of π on a domain of length 2π, plain numbers elsewhere."""
    if abs(domain[-1] - domain[0] - 2 * np.pi) > 0.05 * np.pi:
        axis.set_major_locator(MaxNLocator(4))
        return
    values = domain if values is None else values
    quarters = 2 if values[-1] - values[0] > 1.2 * np.pi else 1
    axis.set_major_locator(mpl.ticker.MultipleLocator(quarters * np.pi / 2))
    axis.set_major_formatter(lambda value, _: _in_pi(value))


def _in_pi(value: float) -> str:
    """Return the nearest multiple of π/2: 0, π/2, π, 3π/2, −π."""
    halves = round(value / (np.pi / 2))
    count, end = (halves, "/2") if halves % 2 else (halves // 2, "")
    sign, many = "−" if count < 0 else "", "" if abs(count) == 1 else abs(count)
    return f"{sign}{many}π{end}" if count else "0"


def _note(ax: Axes, text: str) -> None:
    ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=7,
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "0.5", "alpha": 0.9},
    )
