"""The look of every figure: fonts, colours, scales, footnotes, files."""

import functools
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import matplotlib as mpl
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from double_pinn import files
from double_pinn.errors import DataError, UserError
from double_pinn.showing import wording

#: Width of a figure in inches: the text width of a paper, so fonts print at their size.
WIDTH = 7.2
DPI = 200
FOOTNOTE_SIZE = 6.5  # points
FOOTNOTE_COLUMNS = 154  # characters that fit into WIDTH at FOOTNOTE_SIZE

TRAIN, TEST = sns.color_palette("colorblind", 2)
PENALISED = "0.45"
#: The optimisers that are drawn beside each other.
OPTIMIZERS = dict(zip(wording.COMPARED, sns.color_palette("colorblind")[2:4], strict=True))
MISSING = "0.8"

_RC = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    # DejaVu comes with matplotlib: the same letters on every machine.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlepad": 4,
    "axes.labelsize": 8,
    "axes.labelpad": 2,
    "axes.linewidth": 0.7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.3,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "savefig.dpi": DPI,
}


def themed(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a function draw under the theme of this module, and leave the global one alone."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with mpl.rc_context(_RC):
            return draw(*args, **kwargs)

    return wrapper


def canvas(height: float) -> Figure:
    """Return an empty figure, ``WIDTH`` by ``height`` inches, whose panels arrange themselves."""
    layout = ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.04, wspace=0.03, hspace=0.03)
    return Figure(figsize=(WIDTH, height), layout=layout)


def letters() -> Iterator[str]:
    """Return the letters of the panels: a, b, c, ..."""
    return iter(ascii_lowercase)


def title(ax, letter: str, text: str) -> None:
    """Put the panel's letter in bold and a few words above it."""
    ax.set_title(rf"$\bf{{({letter})}}$ {text}", loc="left")


def footnote(figure: Figure, lines: Sequence[str]) -> None:
    """Print lines under the panels, and grow the figure so that they take nothing from it."""
    wrapped = [
        part
        for line in lines
        for part in textwrap.wrap(line, FOOTNOTE_COLUMNS, subsequent_indent="    ")
    ]
    height = (len(wrapped) * 1.35 + 1) * FOOTNOTE_SIZE / 72
    width, panels = figure.get_size_inches()
    total = panels + height
    figure.set_size_inches(width, total)
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine), "a figure is made by canvas"
    layout.set(rect=(0, height / total, 1, panels / total))
    figure.text(
        0.01,
        0.5 * FOOTNOTE_SIZE / 72 / total,
        "\n".join(wrapped),
        fontsize=FOOTNOTE_SIZE,
        color="0.3",
        linespacing=1.3,
        va="bottom",
    )


def budgets(named: Iterable[tuple[str, xr.Dataset]], *, every_seed: bool = False) -> list[str]:
    """Return one footnote line for each (name, cell): what each cell was given and used.

    Args:
        named: names and cells.
        every_seed: whether the figure draws all seeds, not the first alone.
    """
    return [f"{name}: {wording.budget(cell, every_seed=every_seed)}" for name, cell in named]


# Scales -------------------------------------------------------------------------------------

#: Values on a grid, with or without its coordinates.
Values = np.ndarray | xr.DataArray


@dataclass(frozen=True)
class Scale:
    """A colour map, its limits, and the ends at which values lie beyond them."""

    cmap: Colormap
    norm: Normalize
    extend: str = "neither"


def field_scale(reference: Values, *fields: Values) -> Scale:
    """Return the colours of u(x, t), the same for every panel that it is used in.

    White is zero. The limits are those of the reference, so a wrong field never dims the right
    one; where a field goes beyond them (by more than 1 %), the colour bar shows it.
    """
    values = finite(reference)
    if values.size == 0:
        raise DataError("u_reference: no finite value; compute the reference again")
    high = float(np.abs(values).max()) or 1.0
    signed = values.min() < -0.01 * high
    low = -high if signed else 0.0
    diverging = mpl.colormaps["RdBu_r"]
    # A field without sign takes the warm half, so that white stays zero.
    cmap = diverging if signed else ListedColormap(diverging(np.linspace(0.5, 1, 256)))
    slack = 0.01 * (high - low)
    shown = [v for v in map(finite, fields) if v.size]
    below = any(v.min() < low - slack for v in shown)
    above = any(v.max() > high + slack for v in shown)
    return Scale(_with_missing(cmap), Normalize(low, high), _extend(below, above))


def residual_scale(*residuals: Values, decades: int = 6) -> Scale:
    """Return logarithmic colours of |F(u)| in whole decades, shared by all residuals given.

    Small is light: on the dark half of a map, a residual that is small everywhere shows nothing.
    From the decade of the first percentile to that of the maximum, at most ``decades``.
    """
    magnitudes = np.concatenate([np.abs(finite(r)) for r in residuals] or [np.empty(0)])
    magnitudes = magnitudes[magnitudes > 0]
    if magnitudes.size == 0:
        magnitudes = np.array([0.1, 1.0])
    top = int(np.ceil(np.log10(magnitudes.max())))
    bottom = int(np.floor(np.log10(np.percentile(magnitudes, 1))))
    bottom = min(max(bottom, top - decades), top - 1)
    below = magnitudes.min() < 10.0**bottom
    cmap = _with_missing(mpl.colormaps["mako_r"])
    return Scale(cmap, LogNorm(10.0**bottom, 10.0**top), _extend(below, False))


def error_scale(error: Values) -> Scale:
    """Return linear colours of |u - reference| from zero to the largest error."""
    values = finite(error)
    high = float(values.max()) if values.size else 0.0
    return Scale(_with_missing(mpl.colormaps["rocket_r"]), Normalize(0, high or 1.0))


def finite(values: Values) -> np.ndarray:
    """Return the finite entries, flat: a seed has NaN where only others logged."""
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def _with_missing(cmap: Colormap) -> Colormap:
    return cmap.with_extremes(bad=MISSING)


def _extend(below: bool, above: bool) -> str:
    return {
        (True, True): "both",
        (True, False): "min",
        (False, True): "max",
        (False, False): "neither",
    }[bool(below), bool(above)]


# Files --------------------------------------------------------------------------------------


def save(figure: Figure, *paths: str | os.PathLike[str]) -> None:
    """Write a figure to files, each whole or not at all, the same bytes every time.

    Args:
        figure: what to write.
        paths: where; the suffix (.pdf or .png) decides the format. Folders are created.

    Raises:
        UserError: if a suffix is neither .pdf nor .png (nothing is written then), or the file
            cannot be written.
    """
    targets = [Path(path) for path in paths]
    for path in targets:
        if path.suffix not in (".pdf", ".png"):
            raise UserError(f"{path}: a figure is written as .pdf or .png; change the suffix")
    with mpl.rc_context(_RC):
        # Each drawing would move the panels a little further: arrange them once, for all files.
        figure.set_dpi(DPI)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    for path in targets:
        # Dates would make every file differ from its twin.
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else {}
        with files.replacing(path) as temporary, mpl.rc_context(_RC):
            figure.savefig(temporary, format=path.suffix[1:], dpi=DPI, metadata=metadata)
