"""The marked parts of README.md and docs/*.md, from files that workflow and benchmarks write.

    python docs/update.py [--results results]

A part stands between ``<!-- name -->`` and ``<!-- /name -->``; one whose source is missing is left
as it is, and named. Figures are copied to docs/images.
"""

import argparse
import math
import re
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from double_pinn.configuration import catalogue
from double_pinn.showing.claims.measures import common_level, reached
from double_pinn.showing.published import published_rows
from double_pinn.showing.tables import mean_and_std, plus_minus, reproduced_row
from double_pinn.showing.wording import (
    equation_label,
    regularizer_label,
    scientific,
    settings_of,
    short,
)

ROOT = Path(__file__).resolve().parent.parent
#: The scale whose figure the documents show.
SHOWN = {
    **dict.fromkeys((1, 4, 5, 7), "laptop"),
    **dict.fromkeys((3, 6, 8, 9), "night"),
    10: "models",
}
#: Gauss-Newton's cell in a race, what it is called, and L-BFGS's beside it.
RACE = (
    ("convection_double_gn_fp64", "Convection", "convection_double_fp64"),
    ("reaction_double_gn_fp64", "Reaction", "reaction_double_fp64"),
    ("wave_double_gn_fp64", "Wave", "wave_double_fp64"),
    ("night_wave_gn_dense", "Wave, 20 × 20 points", None),
    ("allen_cahn_double_gn_fp64", "Allen-Cahn", "allen_cahn_double_fp64"),
)
#: Cells of the night: the end of their names, their model of Table 1, and what they are called.
NIGHT = (("fp64", "double_pinn", "L-BFGS"), ("gn_fp64", "double_pinn_gn", "Gauss-Newton"))
ERRORS = ("rmae", "rrmse")


def fill(path: Path, name: str, content: str) -> None:
    """Replace the part ``name`` of a document; refuse a document without that part."""
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"error: {path} has no part <!-- {name} --> ... <!-- /{name} -->")
    text = pattern.sub(lambda m: f"{m[1]}{content.strip()}\n{m[2]}", text)
    path.write_text(text, encoding="utf-8")


def short_table(evaluation: Path) -> str:
    """Return Table 1 in short: a line an equation, double PINN as published, by L-BFGS and by ours.

    Args:
        evaluation: folder of the scale's evaluations; a cell that it has not is a dash.
    """
    lines = [
        f"| rMAE, rRMSE | published, L-BFGS | {' | '.join(label for *_, label in NIGHT)} |",
        f"| --- | --- |{' --- |' * len(NIGHT)}",
    ]
    for equation, known in _published().items():
        found = {
            label: _short(row, path) for label, row, path in _double_pinn(evaluation, equation)
        }
        cells = [", ".join(_means(known, ERRORS)), *(found.get(label, "–") for *_, label in NIGHT)]
        lines.append(f"| {equation_label(equation)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _double_pinn(evaluation: Path, equation: str) -> Iterator[tuple[str, dict, Path]]:
    """Return name, row of Table 1 and file of each cell of the night that has been evaluated."""
    for suffix, model, label in NIGHT:
        path = evaluation / f"{equation}_double_{suffix}.nc"
        if path.exists():
            yield label, reproduced_row(f"{equation}/{model}", path), path


def _short(row: dict, path: Path) -> str:
    """Return both errors of a cell, its iterations, and the seconds of a run: means over seeds."""
    with xr.open_dataset(path) as cell:
        iterations = _each(cell["iterations_run"], "{:,}".format)
        seconds = float(cell["total_wall_time"].mean())
    return f"{', '.join(_means(row, ERRORS))} ({iterations} in {seconds:,.0f} s)"


def without_title(path: Path) -> str:
    """Return a Markdown file without its title: the document has one of its own."""
    return re.sub(r"\A# .*\n", "", path.read_text(encoding="utf-8"))


def decided(path: Path) -> str:
    """Return the table of claims.md without the claims that the scale runs nothing for."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("|") and "| not run |" not in line)


def sources(path: Path) -> str:
    """Return where the rows that Table 1 reproduces come from: files, commits, new beginnings."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("- reproduced "))


def sweep(evaluation: Path) -> str:
    """Return a line a cell of the sweep, the smallest weight of each regulariser first."""
    cells = [xr.load_dataset(path) for path in _whole_scale(evaluation)]
    if not cells:
        return ""
    cells.sort(key=lambda cell: (cell.attrs["regularizer"], _weight(cell)))
    lines = [
        "| Regulariser | train loss | test loss | rMAE | iterations | ended by |",
        f"|{' --- |' * 6}",
    ]
    for cell in cells:
        ends = [
            _each(cell[name], scientific)
            for name in ("final_train_loss", "final_test_loss", "rmae")
        ]
        lines.append(f"| {regularizer_label(cell)} | {' | '.join([*ends, *_taken(cell)[:2]])} |")
    return "\n".join(lines)


def race(evaluation: Path) -> str:
    """Return a table: seconds to the paper's errors, errors at the end, L-BFGS after as long."""
    published = _published()
    lines = [
        "| Equation | the paper's rMAE, rRMSE | both reached after | a tenth of both after "
        "| at the end: seconds, rMAE, rRMSE | L-BFGS by then |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for cell, label, rival in RACE:
        if not (evaluation / f"{cell}.nc").exists():
            continue
        runs = _runs(evaluation / f"{cell}.nc")
        equation = runs[0].attrs["equation"]
        goals = [published[equation][name] for name in ("rmae_mean", "rrmse_mean")]
        reached = [", ".join(_reached(run, goals, part) for run in runs) for part in (1, 10)]
        end = statistics.median(float(run["wall_time"][-1]) for run in runs)
        path = evaluation / f"{rival}.nc" if rival else None
        beside = _until(end, _runs(path)) if path and path.exists() else "not run"
        lines.append(
            f"| {label} | {', '.join(map(scientific, goals))} | {reached[0]} | {reached[1]} "
            f"| {_until(np.inf, runs)} | {beside} |"
        )
    return "\n".join(lines)


def night(evaluation: Path) -> str:
    """Return tables: both optimisers, also at the same loss, figure 6's order, and the weight w."""
    published = _published()
    lines = [
        "| Double PINN, FP64 | by | loss | rMAE | rRMSE | iterations | ended by | seconds "
        "| rMAE, rRMSE at the published loss |",
        f"|{' --- |' * 9}",
    ]
    for equation, known in published.items():
        known_means = " | ".join(_means(known))
        errors = ", ".join(_means(known, ERRORS))
        rows = [f"published, L-BFGS | {known_means} | ≤ 10⁶ | – | – | {errors}"]
        for label, row, path in _double_pinn(evaluation, equation):
            rows.append(f"{_night_row(row, path, label)} | {_at_loss(path, known)}")
        lines += [f"| {equation_label(equation)} | {row} |" for row in rows]
    lines += [
        "",
        "| At the same loss | loss | L-BFGS: rMAE, rRMSE | seconds "
        "| Gauss-Newton: rMAE, rRMSE | seconds |",
        f"|{' --- |' * 6}",
        *_at_same_losses(evaluation),
    ]
    regularizers = ("none", "double", "l2", "l1", "gpinn")
    paths = [evaluation / f"convection_{name}_fp32.nc" for name in regularizers]
    if paths := [path for path in paths if path.exists()]:
        lines += ["", *_order(paths)]
    known = published["reaction"]
    errors = ", ".join(_means(known, ERRORS))
    lines += [
        "",
        "| Reaction, Gauss-Newton: w | loss | train loss | rMAE | rRMSE "
        f"| at the published loss, {scientific(known['loss_mean'])}: rMAE, rRMSE |",
        f"|{' --- |' * 6}",
        f"| published | – | – | – | – | {errors} |",
    ]
    cells = ("night_reaction_gn_w1em4", "reaction_double_gn_fp64", "night_reaction_gn_w1em3")
    paths = [evaluation / f"{cell}.nc" for cell in cells]
    lines += [
        f"| {_weight_row(path)} | {_at_loss(path, known)} |" for path in paths if path.exists()
    ]
    return "\n".join(lines)


def _night_row(row: dict, path: Path, label: str) -> str:
    """Return the columns of a cell: mean and spread over its seeds, and what each seed took."""
    seeds = row["seeds"]
    with xr.open_dataset(path) as cell:
        taken = _taken(cell)
    return " | ".join([f"{label}, {seeds} seed{'s' * (seeds > 1)}", *_means(row), *taken])


def _means(row: dict, names: tuple[str, ...] = ("loss", *ERRORS)) -> list[str]:
    """Return numbers of a row of Table 1, each with its spread over seeds where there is one."""
    return [plus_minus(row[f"{name}_mean"], row[f"{name}_std"]) for name in names]


def _taken(cell: xr.Dataset) -> list[str]:
    """Return iterations, reason for the end and seconds of each seed."""
    return [
        _each(cell["iterations_run"], "{:,}".format),
        _each(cell["stop_reason"], str),
        _each(cell["total_wall_time"], "{:,.0f}".format),
    ]


def _order(paths: list[Path]) -> list[str]:
    """Return a table: how soon each seed of a regulariser has the test loss that most come to."""
    cells = [xr.load_dataset(path) for path in paths]
    level = common_level(*cells)
    lines = [
        "| Figure 6, FP32, each seed | iterations | ended by | seconds | rMAE | train loss "
        f"| test loss | iterations to a test loss of {scientific(level)} | seconds |",
        f"|{' --- |' * 9}",
    ]
    for cell in cells:
        names = ("rmae", "final_train_loss", "final_test_loss")
        ends = [_each(cell[name], scientific) for name in names]
        counts, seconds = [], []
        for seed, count in enumerate(reached(cell, level)):
            there = cell.isel(seed=seed)["iteration"] == count
            time = cell["wall_time"].isel(seed=seed).values[there.values]
            counts.append(f"{count:,.0f}" if time.size else "never")
            seconds.append(f"{time[0]:,.0f}" if time.size else "–")
        line = [*_taken(cell), *ends, *(", ".join(words) for words in (counts, seconds))]
        lines.append(f"| {regularizer_label(cell)} | {' | '.join(line)} |")
    return lines


def _weight_row(path: Path) -> str:
    with xr.open_dataset(path) as cell:
        names = ("final_objective", "final_train_loss", "rmae", "rrmse")
        values = [scientific(float(cell[name].mean())) for name in names]
        return " | ".join([scientific(_weight(cell)), *values])


def _weight(cell: xr.Dataset) -> float:
    return settings_of(cell)["regularizer"]["weight"]


def _at_same_losses(evaluation: Path) -> Iterator[str]:
    """Return a line for each power of ten in the last four orders that both have passed."""
    for equation in ("reaction", "wave"):
        paths = [evaluation / f"{equation}_double_{suffix}.nc" for suffix in ("fp64", "gn_fp64")]
        if not all(path.exists() for path in paths):
            continue
        slow, fast = map(_runs, paths)
        # Passed by all: below the first entry of every log, not below the least.
        least = max(float(run["objective"].min()) for run in (*slow, *fast))
        first = min(float(run["objective"][0]) for run in (*slow, *fast))
        last = math.ceil(math.log10(least))
        levels = 10.0 ** np.arange(last + 3, last - 1, -1)
        for level in levels[levels < first]:
            both = [
                f"{_errors_at(runs, level)} | {_seconds_at(runs, level)}" for runs in (slow, fast)
            ]
            yield f"| {equation_label(equation)} | {scientific(level)} | {' | '.join(both)} |"


def _at_loss(path: Path, known: dict) -> str:
    """Return both errors where the runs pass the published loss, mean and spread over seeds.

    A loss that all of the paper's seeds share is a floor: there is no error that belongs to it.
    """
    level = known["loss_mean"]
    if known["loss_std"] < 0.01 * level:
        return "–"
    runs = _runs(path)
    if any(float(run["objective"].min()) > level for run in runs):
        return "not reached"
    return _errors_at(runs, level)


def _errors_at(runs: list[xr.Dataset], level: float) -> str:
    """Return both errors where runs pass a loss, mean and spread over seeds."""
    errors = np.array([_passing(run, level) for run in runs])
    return ", ".join(plus_minus(*mean_and_std(seeds)) for seeds in errors.T)


def _seconds_at(runs: list[xr.Dataset], level: float) -> str:
    """Return the median over seeds of the seconds until a loss."""
    times = [float(run["wall_time"][_first(run, level)]) for run in runs]
    return f"{statistics.median(times):,.0f}"


def _first(run: xr.Dataset, level: float) -> int:
    """Return the first entry of the log at or below a loss."""
    return int(np.flatnonzero(run["objective"].values <= level)[0])


def _passing(run: xr.Dataset, level: float) -> list[float]:
    """Return both errors at the first passage of a loss, between two entries of the log."""
    last = _first(run, level)
    names = ("objective", "rmae_history", "rrmse_history")
    # The later entry first: np.interp asks for rising values.
    losses, *errors = (np.log(run[name].values[[last, last - 1]]) for name in names)
    return [float(np.exp(np.interp(np.log(level), losses, error))) for error in errors]


def _each(values, word) -> str:
    """Return a value for each seed, once where all have the same."""
    words = [word(value).replace("_", " ") for value in values.values.tolist()]
    return ", ".join(words if len(set(words)) > 1 else words[:1])


def _published() -> dict[str, dict]:
    """Return the published numbers of double PINN by equation."""
    rows = published_rows(ROOT / "config" / "published.csv")
    return {row["equation"]: row for row in rows if row["model"] == "double PINN"}


def gallery(evaluation: Path) -> str:
    """Return a line a cell: points, steps, seconds, errors, test over train loss; and its picture.

    Args:
        evaluation: folder of a scale whose cells are of different equations.
    """
    lines = [
        "| Equation | N | steps | seconds | rMAE, rRMSE | test / train loss | reference |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    images = []
    paths = _whole_scale(evaluation)
    if not paths:
        return ""
    for path in paths:
        with xr.open_dataset(path) as cell:
            name, first = cell.attrs["equation"], cell.isel(seed=0)
            ratio = float(first["final_test_loss"] / first["final_train_loss"])
            lines.append(
                f"| {equation_label(name)} | {cell.attrs['n_collocation']:,} "
                f"| {int(first['iterations_run'])} | {float(first['total_wall_time']):.0f} "
                f"| {', '.join(scientific(float(first[key])) for key in ('rmae', 'rrmse'))} "
                f"| {short(ratio)} | {cell.attrs['reference_method']} |"
            )
            device = cell.attrs["run_devices"]
        picture = evaluation.parent / "figures" / "cells" / f"{path.stem}.png"
        if picture.is_file():
            shutil.copy(picture, ROOT / "docs" / "images" / picture.name)
            images.append(f"![{equation_label(name)}](images/{picture.name})")
    return "\n".join([*lines, "", f"One core each ({device}).", "", "\n\n".join(images)])


def _whole_scale(evaluation: Path) -> list[Path]:
    """Return the evaluations of a scale; none as long as one is missing."""
    asked = (evaluation.parent / "settings" / "evaluate").glob("*.json")
    paths = [evaluation / f"{path.stem}.nc" for path in sorted(asked)]
    return paths if all(path.exists() for path in paths) else []


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
    """Read what there is, write the documents and docs/images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    results = parser.parse_args().results
    catalogue.read_without_jax()
    tables, night_tables = (results / scale / "tables" for scale in ("laptop", "night"))
    # Document, part, what it is made from, how.
    parts = (
        ("README.md", "table1-short", results / "night" / "evaluation", short_table),
        ("docs/results.md", "table1", tables / "table1.md", without_title),
        ("docs/results.md", "claims", tables / "claims.md", without_title),
        ("docs/results.md", "race", results / "night" / "evaluation", race),
        ("docs/results.md", "costs", results / "models" / "tables" / "costs.md", without_title),
        ("docs/results.md", "models", results / "models" / "tables" / "table1.md", without_title),
        ("docs/results.md", "night", results / "night" / "evaluation", night),
        ("docs/results.md", "night-claims", night_tables / "claims.md", decided),
        ("docs/results.md", "night-sources", night_tables / "table1.md", sources),
        ("docs/method.md", "sweep", results / "sweep" / "evaluation", sweep),
        ("docs/gallery.md", "gallery", results / "gallery" / "evaluation", gallery),
        ("docs/speed.md", "models", ROOT / "benchmarks" / "results" / "models.md", Path.read_text),
        ("docs/speed.md", "benchmark", ROOT / "benchmarks" / "results" / "core.md", without_title),
    )
    for document, name, source, content in parts:
        if text := content(source) if source.exists() else "":
            fill(ROOT / document, name, text)
        else:
            words = "misses a cell" if source.exists() else "is missing"
            print(f"{source} {words}: {name} in {document} stays as it is", file=sys.stderr)
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
