"""What the rules of the claims measure on an evaluation file; a number is the seeds' median.

A run fails in the paper's sense where it fits its points and nothing else: the train loss is small,
the test loss is not, the field is wrong (Section 4). That is said of each seed.
"""

import numpy as np
import xarray as xr

from double_pinn.showing import wording

#: A train loss is small below this fraction of the fresh network's.
SMALL = 1e-2
#: Test and train loss have parted beyond this ratio, and go together below the other.
PARTED, TOGETHER = 100.0, 10.0
#: A field is wrong above this relative mean absolute error, and solved below the other.
WRONG, SOLVED = 0.3, 0.05
#: The residual has minima at the points where its root mean square there is below this fraction of
#: that everywhere (or along a slice), and none above the other.
MINIMA, NO_MINIMA = 0.2, 0.5
#: A test loss has turned where its end is so many times its least value.
TURNED = 1.5


def median(cell: xr.Dataset, name: str) -> float:
    """Return the median over the seeds of a quantity, such as ``rmae``."""
    return float(np.median(cell[name]))


def final_ratio(cell: xr.Dataset) -> float:
    """Return test loss over train loss after the last iteration."""
    return float(np.median(cell["final_test_loss"] / cell["final_train_loss"]))


def failed(cell: xr.Dataset) -> np.ndarray:
    """Return which seeds show the failure mode."""
    first = cell["train_loss"].isel(iteration=0)
    fitted = cell["final_train_loss"] <= SMALL * first
    parted = cell["final_test_loss"] >= PARTED * cell["final_train_loss"]
    return (fitted & parted & (cell["rmae"] >= WRONG)).values


def cured(cell: xr.Dataset) -> np.ndarray:
    """Return which seeds have solved the equation, train and test loss together."""
    together = cell["final_test_loss"] <= TOGETHER * cell["final_train_loss"]
    return (together & (cell["rmae"] <= SOLVED)).values


def at_points(cell: xr.Dataset) -> float:
    """Return the root mean square of F(u) at the collocation points over that everywhere."""
    square = cell["residual"].astype(float) ** 2
    points = square.sel(
        x_residual=cell["x_collocation"], t_residual=cell["t_collocation"], method="nearest"
    )
    axes = ["x_residual", "t_residual"], ["x_collocation", "t_collocation"]
    return float(np.sqrt(np.median(points.mean(axes[1]) / square.mean(axes[0]))))


def at_points_of_slice(cell: xr.Dataset, time: float) -> float:
    """Return the root mean square of F(u) at the points of a time slice over that along it all.

    Args:
        cell: an evaluation.
        time: of the slice, a collocation time.
    """
    return at_points(cell.sel(t_residual=[time], t_collocation=[time], method="nearest"))


def turns(cell: xr.Dataset) -> tuple[bool, float]:
    """Return whether the test loss turns up while the train loss falls on, and by how much.

    By how much is its end over its least value; the train loss must at the end be below that of
    the iteration where the test loss was least.
    """
    rises, falls = [], []
    for seed in range(cell.sizes["seed"]):
        run = cell.isel(seed=seed)[["train_loss", "test_loss"]].dropna("iteration")
        test, train = (np.asarray(run[name]) for name in ("test_loss", "train_loss"))
        least = int(np.argmin(test))
        rises.append(test[-1] / test[least])
        falls.append(train[-1] < train[least])
    rise = float(np.median(rises))
    return rise >= TURNED and sum(falls) > len(falls) / 2, rise


def common_level(*cells: xr.Dataset) -> float:
    """Return a test loss that all cells come below whose seeds are cured, most of them; or 0."""
    cures = [cell for cell in cells if 2 * cured(cell).sum() > cell.sizes["seed"]]
    return 2 * max((median(cell, "final_test_loss") for cell in cures), default=0.0)


def reached(cell: xr.Dataset, level: float) -> np.ndarray:
    """Return each seed's first logged iteration with a test loss of at most ``level``, or inf."""
    good = (cell["test_loss"] <= level).transpose("seed", "iteration").values
    return np.where(good.any(1), cell["iteration"].values[good.argmax(1)], np.inf)


def losses(cell: xr.Dataset) -> str:
    """Return train and test loss and the error in words, and what they were computed by."""
    train, test, error = (
        wording.scientific(median(cell, name))
        for name in ("final_train_loss", "final_test_loss", "rmae")
    )
    return f"{by(cell)}: train {train}, test {test}, rMAE {error}"


def by(cell: xr.Dataset) -> str:
    """Return optimiser and iterations of a cell: "L-BFGS, 20,000 iterations"."""
    count = wording.span(cell["iterations_run"].values)
    seeds = cell.sizes["seed"]
    label = wording.optimizer_label(cell.attrs["optimizer"])
    return f"{label}, {count} iterations{f', {seeds} seeds' if seeds > 1 else ''}"
