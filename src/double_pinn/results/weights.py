"""Network parameters by name, in and out of NumPy's .npz files: for weights from elsewhere."""

import zipfile
from os import PathLike
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr

from double_pinn import files
from double_pinn.configuration.settings import RunSettings
from double_pinn.errors import DataError, UserError
from double_pinn.numerics.trainer import DTYPES, Solution
from double_pinn.results.netcdf import read_dataset
from double_pinn.results.predict import parameters_of
from double_pinn.results.runs import settings_of
from double_pinn.running.training import untrained


def export_weights(run_path: str | PathLike[str], path: str | PathLike[str]) -> list[str]:
    """Write the parameters of a run, an array each; an existing file is replaced.

    Args:
        run_path: a run file.
        path: the .npz file.

    Returns:
        The names of the arrays.

    Raises:
        UserError: for another suffix.
        DataError: if the run cannot be read, its parameters are not those of its network, or the
            file cannot be written.
    """
    run = read_dataset(run_path, require=["parameters"])
    settings = settings_of(run, run_path)
    network = settings.network.bound(DTYPES[settings.precision])
    flat = parameters_of(network, run, run_path)
    arrays = {name: np.asarray(array) for name, array in network.named(jnp.asarray(flat)).items()}
    if Path(path).suffix != ".npz":
        raise UserError(f"{path}: weights are written as .npz; change the suffix")
    with files.replacing(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
    return list(arrays)


def import_weights(
    settings: RunSettings,
    seed: int,
    path: str | PathLike[str],
    solution: Solution | None = None,
) -> xr.Dataset:
    """Return the content of a run file whose parameters come from a .npz file.

    Args:
        settings: of the cell, which says what network it is.
        seed: under which the run goes.
        path: the .npz file: an array a parameter, by the names of :func:`export_weights`.
        solution: what errors are measured against; by default the closed form, if any.

    Returns:
        The content of the run's file; its attributes ``imported_from`` and ``imported_blake2b``
        name the .npz file and its checksum (that of ``b2sum``).

    Raises:
        DataError: if the file cannot be read, or lacks a parameter, or holds another.
    """
    network = settings.network.bound(DTYPES[settings.precision])
    try:
        with files.naming(Path(path), "read"), np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: no .npz file of arrays: {error}") from error
    try:
        with np.errstate(over="ignore"):
            flat = np.asarray(network.from_named(arrays))
    except DataError as error:
        lines = "\n".join(f"{path}: {line}" for line in str(error).splitlines())
        raise DataError(lines) from None
    if not np.isfinite(flat).all():
        raise DataError(
            f"{path}: holds a number that is too large for {settings.precision}; give the cell "
            "precision: fp64"
        )
    run = untrained(settings, seed, flat, solution)
    return run.assign_attrs(
        imported_from=Path(path).name, imported_blake2b=files.digest(Path(path))
    )
