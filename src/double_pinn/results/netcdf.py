"""Reading and writing netCDF: the only module that knows the file format.

Every file of the workflow follows the CF conventions and says by itself what it is: each variable
has a long name and units, and the global attributes hold the title, the source, the settings of
the run, the versions of what computed it and the commit of this repository.
"""

import fcntl
import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from double_pinn import files
from double_pinn.errors import DataError

CONVENTIONS = "CF-1.11"

#: What the numbers reproduce.
REFERENCES = "arXiv:2605.30910"

#: Packages whose version is written into every file; they decide the numbers.
PACKAGES = ("double-pinn", "jax", "flax", "optax", "numpy", "xarray")

#: Arrays with more elements than this are compressed and carry a checksum.
COMPRESS_ABOVE = 100

#: Long name and units of every variable of the workflow's files; text has no units.
#: The equations are dimensionless, and so are their coordinates.
VARIABLES: dict[str, tuple[str, str | None]] = {
    # axes
    "x": ("position", "1"),
    "t": ("time", "1"),
    "x_residual": ("position on the residual grid", "1"),
    "t_residual": ("time on the residual grid", "1"),
    "x_collocation": ("position of the collocation points", "1"),
    "t_collocation": ("time of the collocation points", "1"),
    "iteration": ("iteration of the optimiser", "1"),
    "term": ("term of the loss", None),
    "seed": ("seed of the initial weights", "1"),
    "parameter": ("index into the flat vector of network parameters", "1"),
    # fields
    "u": ("solution u(x, t)", "1"),
    "u_reference": ("reference solution u(x, t)", "1"),
    "reference_error": ("self-convergence error (relative RMSE) of the reference", "1"),
    "residual": ("residual F(u) of the equation, zero for a solution", "1"),
    # histories
    "objective": ("regularised total that the optimiser minimises", "1"),
    "train_loss": ("un-regularised loss on the training points", "1"),
    "test_loss": ("un-regularised loss on the test points", "1"),
    "train_term": ("un-regularised terms of the loss on the training points", "1"),
    "test_term": ("un-regularised terms of the loss on the test points", "1"),
    "penalty": ("objective minus training loss: regularisation, and weights of terms", "1"),
    "wall_time": ("time spent training, compilation and restarts included", "s"),
    "evaluations": ("evaluations of the objective and its gradient", "1"),
    "phase": ("order of the optimiser's steps: 0 first order, 1 second order", "1"),
    "horizon": ("part of the time range whose points of the equation the steps see", "1"),
    "rmae_history": ("relative mean absolute error on at most 101 x 101 points", "1"),
    "rrmse_history": ("relative root mean square error on at most 101 x 101 points", "1"),
    # results
    "parameters": ("network parameters after the last iteration", "1"),
    "rmae": ("relative mean absolute error, sum |u - u_reference| / sum |u_reference|", "1"),
    "rrmse": (
        "relative root mean square error, sqrt(sum (u - u_reference)^2 / sum u_reference^2)",
        "1",
    ),
    "iterations_run": ("iterations run, of max_iterations allowed", "1"),
    "stop_reason": ("why training stopped", None),
    "final_objective": ("regularised total after the last iteration", "1"),
    "final_train_loss": ("un-regularised loss on the training points, last iteration", "1"),
    "final_test_loss": ("un-regularised loss on the test points, last iteration", "1"),
    "total_wall_time": ("time spent training, in all", "s"),
    "peak_memory": ("most memory that the training process held", "bytes"),
    "residual_rms": ("root mean square of the residual F(u) of the field", "1"),
    "trained_residual_rms": (
        "root mean square of the residual as it is trained on, of a sequence model over all "
        "elements of its sequences",
        "1",
    ),
}


def write_dataset(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    source: str | None = None,
) -> None:
    """Write a dataset as a netCDF file that explains itself; all of it or nothing.

    The file appears under its name only when it is complete and on disk. The parent folder is
    created.

    Args:
        ds: the data; it is not modified. Long names and units come from ``VARIABLES`` unless a
            variable brings its own. Its attributes are text, numbers, or flat sequences of one of
            them; structures such as settings go in as JSON text. A line is added to ``history``.
        path: where the file goes; an existing file is replaced.
        title: one line that says what the file holds; ``ds.attrs["title"]`` by default.
        source: how the data came about (the method); ``ds.attrs["source"]`` by default.

    Raises:
        ValueError: if there is no title or no source, or a variable is neither in ``VARIABLES`` nor
            has a ``long_name`` (and ``units``, if it is not text).
        TypeError: if an attribute is not of a plain type.
        DataError: if the file cannot be written (no space, no permission).
    """
    path = Path(path)
    ds = _described(ds)
    history = [
        *filter(None, [ds.attrs.get("history")]),
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}: written by double-pinn",
    ]
    title = title or ds.attrs.get("title")
    source = source or ds.attrs.get("source")
    if not (title and source):
        raise ValueError(f"{path}: a title and a source are needed")
    standard = {
        "title": title,
        "source": source,
        "history": "\n".join(history),
        "Conventions": CONVENTIONS,
        "references": REFERENCES,
        **provenance(),
    }
    # Twice: the standard ones come first in ``ncdump -h``, and win.
    ds.attrs = standard | _plain(ds.attrs) | standard

    # netCDF reports a full disk as a RuntimeError.
    with files.replacing(path, (OSError, RuntimeError)) as temporary:
        ds.to_netcdf(temporary, engine="netcdf4", format="NETCDF4", encoding=_encoding(ds))


def read_dataset(path: str | os.PathLike[str], require: Sequence[str] = ()) -> xr.Dataset:
    """Read a netCDF file into memory and close it.

    Args:
        path: a file that :func:`write_dataset` wrote.
        require: names of variables that it must hold.

    Returns:
        The dataset, every value loaded.

    Raises:
        DataError: if the file is missing, truncated or corrupt, in use by another program, or lacks
            a variable.
    """
    path = Path(path)
    again = "remove it and run the rule that writes it again"
    if not path.exists():
        raise DataError(f"{path}: no such file; run the rule that writes it first")
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            ds = opened.load()
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # a damaged file fails anywhere in HDF5, netCDF or xarray
        if _in_use(path):
            raise DataError(
                f"{path}: is in use: another program holds it open for writing; close it there, "
                "then start again"
            ) from error
        raise DataError(f"{path}: truncated or not netCDF ({error}); {again}") from error
    if missing := [name for name in require if name not in ds.variables]:
        raise DataError(f"{path}: lacks {', '.join(missing)}; {again}")
    return ds


def _in_use(path: Path) -> bool:
    """Return whether a process has locked a file for itself, as HDF5 does while it writes."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # some network file systems have no locks
        return False
    return False


def provenance() -> dict[str, str]:
    """Return versions of Python and of the packages that decide the numbers, and the commit."""
    versions = {"python_version": platform.python_version()}
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        versions[f"{package.replace('-', '_')}_version"] = version
    return {**versions, "commit": commit()}


@functools.cache
def commit() -> str:
    """Return the commit of the checkout that this package lies in, looked up once in a process.

    Returns:
        The full hash, with ``-dirty`` behind it if tracked files were modified; ``unknown`` if the
        package does not lie in a git checkout of its own, or git is not there.
    """
    here = Path(__file__).resolve()
    # Inside a git hook these variables point at another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here.parent), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()

    try:
        # An environment inside somebody else's repository: that commit says nothing about us.
        git("ls-files", "--error-unmatch", here.name)
        described = git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return "unknown"
    return described or "unknown"


def _described(ds: xr.Dataset) -> xr.Dataset:
    """Return a copy in which every variable has its long name and units, and no stale encoding."""
    ds = ds.drop_encoding()  # a shallow copy, though its variables share their attributes
    for name in ds.variables:
        variable = ds[name].variable
        long_name, units = VARIABLES.get(str(name), (None, None))
        found = {"long_name": long_name, "units": units, **variable.attrs}
        is_text = variable.dtype.kind not in "biuf"
        if not found["long_name"] or not (found["units"] or is_text):
            raise ValueError(
                f"variable {name!r} has no long_name and units: "
                "add it to VARIABLES in netcdf.py, or set its attributes"
            )
        ds[name].attrs = _plain({k: v for k, v in found.items() if v is not None})
    return ds


def _encoding(ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return encodings: larger arrays compressed, with checksums; coordinates never filled."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in ds.variables.items():
        numeric = variable.dtype.kind in "biuf"
        chosen: dict[str, Any] = {}
        if numeric and variable.size > COMPRESS_ABOVE:
            chosen |= {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}
        if name in ds.coords:
            chosen["_FillValue"] = None
        encoding[str(name)] = chosen
    return encoding


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes, if netCDF can hold each of them as it is."""

    def number(value: Any) -> bool:
        is_bool = isinstance(value, bool | np.bool_)
        return isinstance(value, int | float | np.integer | np.floating) and not is_bool

    for name, value in attributes.items():
        many = list(value) if isinstance(value, list | tuple | np.ndarray) else [value]
        if not (many and (all(map(number, many)) or all(isinstance(v, str) for v in many))):
            raise TypeError(
                f"attribute {name!r} is {value!r}: only text and numbers go into a file; "
                "write a structure as JSON text"
            )
    return dict(attributes)
