"""The time slice of figure 3, which its figure draws and its claims measure (Sec. 4.1.2)."""

import numpy as np
import xarray as xr


def slice_time(cell: xr.Dataset) -> float:
    """Return the inner collocation time at which a cell's residual has its largest mean square.

    Args:
        cell: an evaluation; of its seeds the first, which is the one drawn, decides.
    """
    times = cell["t_collocation"].values
    inner = times[1:-1] if len(times) > 2 else times
    residual = cell["residual"].isel(seed=0).sel(t_residual=inner, method="nearest")
    size = np.nan_to_num((residual.astype(float) ** 2).mean("x_residual").values)
    return float(inner[int(np.argmax(size))])
