"""Fill the marked parts of README.md from files that the workflow and the benchmarks write.

    python docs/update.py [--results results]

A part stands between ``<!-- name -->`` and ``<!-- /name -->``; one whose file is missing is left as
it is, and named.
"""

import argparse
import csv
import re
import shutil
import statistics
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from double_pinn.showing.wording import scientific

ROOT = Path(__file__).resolve().parent.parent
#: The scale whose figure the README shows.
SHOWN = {1: "laptop", 6: "laptop", 7: "laptop", 8: "race", 9: "hour"}
#: Cell of the race, what it is called, and the L-BFGS cell beside it.
RACE = (
    ("race_reaction_gn", "reaction", "race_reaction_lbfgs"),
    ("race_wave_gn", "wave", "race_wave_lbfgs"),
    ("race_convection_gn", "convection", "race_convection_lbfgs"),
    ("race_wave_gn_dense", "wave, 20 × 20 points", None),
)


def fill(text: str, name: str, content: str) -> str:
    """Return the text with the part ``name`` replaced; refuse a text without that part."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"error: README.md has no part <!-- {name} --> ... <!-- /{name} -->")
    return pattern.sub(lambda m: f"{m[1]}{content.strip()}\n{m[2]}", text)


def race(results: Path) -> str:
    """Return a table: seconds to the paper's errors, errors at the end, L-BFGS after as long."""
    with open(ROOT / "config" / "published.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "double PINN"]
    published = {row["equation"]: row for row in rows}
    lines = [
        "| Equation | the paper's rMAE, rRMSE | both reached after | a tenth of both after "
        "| at the end: seconds, rMAE, rRMSE | L-BFGS by then |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for cell, label, rival in RACE:
        runs = _runs(results / "evaluation" / f"{cell}.nc")
        equation = runs[0].attrs["equation"]
        goals = [float(published[equation][name]) for name in ("rmae_mean", "rrmse_mean")]
        reached = [", ".join(_reached(run, goals, part) for run in runs) for part in (1, 10)]
        end = statistics.median(float(run["wall_time"][-1]) for run in runs)
        beside = _until(end, _runs(results / "evaluation" / f"{rival}.nc")) if rival else "not run"
        lines.append(
            f"| {label} | {', '.join(map(scientific, goals))} | {reached[0]} | {reached[1]} "
            f"| {_until(np.inf, runs)} | {beside} |"
        )
    return "\n".join(lines)


def _runs(path: Path) -> list[xr.Dataset]:
    """Return the history of each seed of a cell."""
    with xr.open_dataset(path) as cell:
        return [
            cell.isel(seed=k).dropna("iteration", subset=["wall_time"]).load()
            for k in range(cell.sizes["seed"])
        ]


def _until(seconds: float, runs) -> str:
    """Return the medians over seeds of time and both errors, at the last entry by then."""
    last = [int(np.flatnonzero(run["wall_time"].values <= seconds)[-1]) for run in runs]
    time, *errors = (
        statistics.median(float(run[name][k]) for run, k in zip(runs, last, strict=True))
        for name in ("wall_time", "rmae_history", "rrmse_history")
    )
    return f"{time:.0f} s, {', '.join(map(scientific, errors))}"


def _reached(run: xr.Dataset, goals, part: float) -> str:
    """Return when both errors were at or below a part of the goals, in seconds of training."""
    good = (run["rmae_history"] <= goals[0] / part) & (run["rrmse_history"] <= goals[1] / part)
    times = run["wall_time"].values[good.values]
    return f"{times[0]:.0f} s" if times.size else "not reached"


def main():
    """Read what there is, write README.md and docs/images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    results = parser.parse_args().results
    laptop = results / "laptop"
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    parts = {
        "table1": laptop / "tables" / "table1.md",
        "benchmark": ROOT / "benchmarks" / "results" / "core.md",
    }
    for name, path in parts.items():
        if path.is_file():
            text = fill(text, name, path.read_text(encoding="utf-8"))
        else:
            print(f"{path} is missing: part {name!r} stays as it is", file=sys.stderr)
    if (results / "race" / "evaluation").is_dir():
        text = fill(text, "race", race(results / "race"))
    else:
        print(f"{results}/race is missing: part 'race' stays as it is", file=sys.stderr)
    readme.write_text(text, encoding="utf-8")
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    for number, scale in SHOWN.items():
        path = results / scale / "figures" / f"figure{number}.png"
        if path.is_file():
            shutil.copy(path, images / path.name)
        else:
            print(f"{path} is missing: docs/images keeps the one it has", file=sys.stderr)


if __name__ == "__main__":
    main()
