"""How settings, counts and results are put into words, in figures and tables alike."""

import json
from typing import Any

import numpy as np
import xarray as xr

from double_pinn.configuration import catalogue

#: Optimisers that all count as Gauss-Newton: they differ in what comes before the last steps.
GAUSS_NEWTON = ("gauss_newton", "lbfgs_gauss_newton", "marching")

#: Optimisers that are compared: role in a figure, and what may play it.
COMPARED = {"lbfgs": ("lbfgs",), "gauss_newton": GAUSS_NEWTON}

STOP_REASONS = {
    "tolerance": "stopped by the relative-change rule",
    "max_iterations": "budget used up",
    "non_finite_loss": "stopped by a non-finite loss; last finite state",
    "imported": "weights from elsewhere, not trained here",
    "no_decrease": "stopped: no step lowers the loss",
}


def scientific(value: float, digits: int = 1) -> str:
    """Return a number as the paper's Table 1 prints it: 4.9e-6 (no padded exponent)."""
    if not np.isfinite(value):
        return str(float(value))
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def short(value: float) -> str:
    """Return a relative error or ratio in a title, two digits or three: 0.98, 14, 4.9e-6."""
    if not 0.1 <= value < 100:
        return scientific(value)
    return f"{value:.0f}" if value >= 9.995 else f"{value:.2f}"


def equation_label(name: str) -> str:
    """Return the name of an equation as a heading: allen_cahn becomes Allen-Cahn."""
    return catalogue.label("equation", name)


def optimizer_label(name: str) -> str:
    """Return the name of an optimiser as text."""
    return catalogue.label("optimizer", name)


def stop_phrase(reason: str) -> str:
    """Return why a run stopped, as a phrase; unknown reasons stand as they are."""
    return STOP_REASONS.get(reason, f"stopped: {reason.replace('_', ' ')}")


def settings_of(cell: xr.Dataset) -> dict[str, Any]:
    """Return the resolved settings that an evaluation file carries as JSON text."""
    return json.loads(cell.attrs["settings"])


def regularizer_label(cell: xr.Dataset) -> str:
    """Return the regulariser and its weight, such as "double PINN (w = 5e-4)"."""
    regularizer = settings_of(cell)["regularizer"]
    label = catalogue.label("regularizer", regularizer["name"])
    symbol = catalogue.weight_symbol(regularizer["name"])
    return f"{label} ({symbol} = {compact(regularizer['weight'])})" if symbol else label


def compact(value: float) -> str:
    """Return a chosen constant with the digits that it needs: 5e-4, 2.5e-6."""
    if value == 0:
        return "0"
    text = scientific(value, 3)
    mantissa, _, exponent = text.partition("e")
    return f"{float(mantissa):g}e{exponent}" if exponent else text


def span(counts) -> str:
    """Return the fewest and the most of several counts: "90", "1,070 to 1,160"."""
    low, high = int(min(counts)), int(max(counts))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def budget(cell: xr.Dataset, *, every_seed: bool = False) -> str:
    """Return what a cell was given and used: iterations, stop, seed, precision, optimiser, points.

    Args:
        cell: an evaluation.
        every_seed: whether all seeds are drawn; else the first is described.
    """
    settings = settings_of(cell)
    points = settings["points"]
    allowed = int(cell.attrs["max_iterations"])
    seeds = cell["seed"].values
    several = len(seeds) > 1
    drawn = cell if every_seed else cell.isel(seed=[0])
    ends = dict.fromkeys(stop_phrase(str(reason)) for reason in drawn["stop_reason"].values)
    if every_seed and several:
        seed = f"{len(seeds)} seeds"
    else:
        seed = f"seed {seeds[0]}" + (f" of {len(seeds)}" if several else "")
    return " · ".join(
        [
            f"{span(drawn['iterations_run'].values)} iterations of at most {allowed:,} "
            f"({', '.join(ends)})",
            seed,
            f"{optimizer_label(settings['optimizer']['name'])} {settings['precision'].upper()}",
            f"{points['nx'] * points['nt']:,} + {points['edge']:,} points",
        ]
    )
