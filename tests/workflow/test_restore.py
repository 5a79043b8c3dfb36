"""Restored runs in Snakemake's hands: nothing is trained that is there, nothing passes for another.

Two cells, with made-up runs; only settings are really written, everything else is planned.
"""

import csv
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from experiments import SMOKE

from double_pinn.configuration.settings import load_settings
from double_pinn.results.archive import pack
from double_pinn.results.netcdf import write_dataset

CELLS = {"convection_none_fp32", "convection_double_fp32"}


def configuration(checkout, **changes):
    """The arguments that leave only the two cells of figure 1, with one seed."""
    source, target = checkout.path / "config/experiments.csv", checkout.path / "few.csv"
    with open(source, newline="") as read, open(target, "w", newline="") as written:
        rows = csv.DictReader(read)
        writer = csv.DictWriter(written, rows.fieldnames)
        writer.writeheader()
        for row in rows:
            if row["cell"] in CELLS:
                row["used_in"] = row["used_in"].split()[0]
                writer.writerow(row)
    values = {"experiments": "few.csv", "seeds": [0], **changes}
    return ["--configfile", SMOKE, checkout.overlay(values)]


def plan(checkout, *targets, **changes):
    return checkout.plan(*targets, *configuration(checkout, **changes))


def trained(jobs):
    return {job.wildcards["cell"] for job in jobs if job.rule == "train_network"}


def write_settings(checkout, **changes):
    arguments = configuration(checkout, **changes)
    done = checkout.snakemake("--until", "write_settings", *arguments)
    assert done.returncode == 0, done.stdout


def restore(checkout, archive):
    command = [sys.executable, "-m", "double_pinn.cli", "restore"]
    return subprocess.run(
        [*command, "--archive", str(archive), "--results", "results/smoke"],
        cwd=checkout.path,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def clone(checkout, tmp_path_factory):
    """A fresh clone, its settings written."""
    copy = type(checkout).of_repository(tmp_path_factory.mktemp("clone"))
    write_settings(copy)
    return copy


@pytest.fixture(scope="module")
def archive(clone, tmp_path_factory):
    """An archive of both cells, packed elsewhere from made-up runs."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    asked = clone.path / "results" / "smoke" / "settings" / "train"
    shutil.copytree(asked, elsewhere / "settings" / "train")
    names = ("objective", "train_loss", "test_loss", "penalty", "wall_time", "evaluations")
    terms = (("iteration", "term"), np.ones((2, 1)))
    for path in asked.glob("*.json"):
        settings = load_settings(path)
        run = xr.Dataset(
            {name: ("iteration", [2.0, 1.0]) for name in names}
            | {"train_term": terms, "test_term": terms, "parameters": ("parameter", np.ones(9))},
            {"iteration": [0, 20], "term": ["equation"]},
            {
                "cell": settings.cell,
                "seed": 0,
                "iterations_run": 20,
                "stop_reason": "max_iterations",
                "n_collocation": settings.collocation_count,
                "settings": settings.to_json(),
            },
        )
        target = elsewhere / "runs" / settings.cell / "seed0.nc"
        write_dataset(run, target, title="Run", source="a test")
    pack(elsewhere, elsewhere / "archive")
    return elsewhere / "archive"


@pytest.fixture(scope="module")
def restored(clone, archive, tmp_path_factory):
    """A clone into which both runs were restored."""
    copy = clone.duplicate(tmp_path_factory.mktemp("restored") / "clone")
    assert trained(plan(copy)) == CELLS
    done = restore(copy, archive)
    assert done.returncode == 0, done.stderr
    return copy


def test_after_a_restore_nothing_is_trained_and_the_rest_is_made(restored):
    rules = {job.rule for job in plan(restored)}
    assert rules == {
        "solve_reference",
        "evaluate_cell",
        "draw_cell",
        "draw_figure1",
        "write_claims",
    }


def test_a_changed_setting_retrains_its_cell_only(restored):
    jobs = plan(restored, regularizers={"double": {"weight": 0.5}})
    assert trained(jobs) == {"convection_double_fp32"}


def test_another_seed_is_trained(restored):
    jobs = plan(restored, seeds=[0, 1])
    assert {job.wildcards["seed"] for job in jobs if job.rule == "train_network"} == {"1"}


def test_a_changed_module_retrains_what_was_restored(restored):
    module = restored.path / "src/double_pinn/numerics/trainer.py"
    date = module.stat().st_mtime
    module.touch()
    try:
        assert trained(plan(restored)) == CELLS
    finally:
        os.utime(module, (date, date))


def test_runs_with_other_settings_are_not_restored(clone, archive, tmp_path):
    copy = clone.duplicate(tmp_path / "clone")
    changes = {"regularizers": {"double": {"weight": 0.5}}}
    write_settings(copy, **changes)
    done = restore(copy, archive)
    assert done.returncode == 0, done.stderr
    assert "regularizer.weight is 0.0005, not 0.5" in done.stdout
    assert "Missing cells: convection_double_fp32" in done.stdout
    assert trained(plan(copy, **changes)) == {"convection_double_fp32"}
