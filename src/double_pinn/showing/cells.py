"""Evaluation files as figures and claims read them."""

import os
from collections.abc import Sequence

import xarray as xr

from double_pinn.errors import DataError
from double_pinn.results.netcdf import read_dataset


def read_cell(
    path: str | os.PathLike[str], variables: Sequence[str], attributes: Sequence[str]
) -> xr.Dataset:
    """Read an evaluation file.

    Args:
        path: the file.
        variables: that it must hold.
        attributes: that it must have.

    Raises:
        DataError: if the file is missing, truncated, or lacks one of them.
    """
    cell = read_dataset(path, require=variables)
    for name in attributes:
        if name not in cell.attrs:
            raise DataError(f"{path}: no attribute {name!r}; run the evaluation again")
    return cell
