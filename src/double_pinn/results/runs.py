"""Run files as training leaves them: read, and checked against the settings they are taken for."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import xarray as xr

from double_pinn.configuration.settings import RunSettings, settings_from_dict
from double_pinn.errors import DataError, SettingsError
from double_pinn.results.netcdf import read_dataset

#: What every run logs along the way.
HISTORIES = (
    "objective",
    "train_loss",
    "test_loss",
    "train_term",
    "test_term",
    "penalty",
    "wall_time",
    "evaluations",
)

#: Logged too, not by earlier versions; errors are NaN where the log had no solution to look at.
MORE_HISTORIES = ("phase", "horizon", "rmae_history", "rrmse_history")

#: Attributes that a run file must have.
RUN_ATTRIBUTES = ("seed", "settings", "iterations_run", "stop_reason", "n_collocation")


def run_file(cell: str, seed: int) -> str:
    """Return a run's file, relative to an archive and to the results of a scale alike."""
    return f"runs/{cell}/seed{seed}.nc"


def read_runs(
    settings: RunSettings, paths: Sequence[str | PathLike[str]]
) -> list[tuple[str | PathLike[str], xr.Dataset]]:
    """Read the runs of a cell, one for each seed.

    Args:
        settings: of the cell.
        paths: run files, in any order.

    Returns:
        The files and what they hold, sorted by seed.

    Raises:
        DataError: if there is no run; a file is missing or damaged or its history is empty; a run
            was made with other settings, or its seed comes twice. Settings are compared as the
            model understands them: a key that a file does not say has its default.
    """
    if not paths:
        raise DataError(f"cell {settings.cell!r}: no run to evaluate")
    by_seed: dict[int, tuple[str | PathLike[str], xr.Dataset]] = {}
    for path in paths:
        run = read_dataset(path, require=(*HISTORIES, "iteration", "term", "parameters"))
        if missing := [name for name in RUN_ATTRIBUTES if name not in run.attrs]:
            raise DataError(f"{path}: lacks the attributes {', '.join(missing)}; train it again")
        trained = settings_of(run, path)
        if different := differences(trained.resolved(), settings.resolved()):
            raise DataError(
                f"{path}: was trained with other settings ({different}); train it again, or give "
                "the settings it was trained with"
            )
        if run.sizes["iteration"] == 0:
            raise DataError(f"{path}: its history is empty; train it again")
        seed = int(run.attrs["seed"])
        if seed in by_seed:
            raise DataError(f"{path}: seed {seed} is that of {by_seed[seed][0]} already")
        by_seed[seed] = path, run
    return [by_seed[seed] for seed in sorted(by_seed)]


def settings_of(run: xr.Dataset, path: str | PathLike[str]) -> RunSettings:
    """Return the settings that a run was trained with.

    Args:
        run: the content of a run file.
        path: the file.

    Raises:
        DataError: if they cannot be read, or are not of this version.
    """
    values = settings_in(run.attrs["settings"], path)
    # Files of before said, too, how the run would be judged.
    values.pop("evaluation", None)
    try:
        return settings_from_dict(values)
    except SettingsError as error:
        raise DataError(f"{path}: was trained with settings that are no more: {error}") from None


def settings_in(text: Any, path: str | PathLike[str]) -> dict:
    """Return the settings that an attribute holds as JSON text.

    Args:
        text: the attribute.
        path: the file that it is from.

    Raises:
        DataError: if it is no JSON text, or holds something else than keys and values.
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its settings cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: its settings are {value!r}, not keys and values")
    return value


def differences(found: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return the keys at which nested settings differ, with both values; empty if equal.

    Args:
        found: values as read from JSON.
        asked: values that may never have been JSON: a tuple is a list then.
    """

    def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        for key, value in values.items():
            if isinstance(value, Mapping):
                pairs |= flat(value, f"{prefix}{key}.")
            else:
                pairs[f"{prefix}{key}"] = value
        return pairs

    a, b = flat(found), flat(json.loads(json.dumps(asked)))
    return ", ".join(
        f"{key} is {a.get(key, 'missing')}, not {b.get(key, 'missing')}"
        for key in sorted(a.keys() | b.keys())
        if key not in a or key not in b or a[key] != b[key]
    )
