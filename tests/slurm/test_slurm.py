"""The workflow on a real SLURM: time limits, cancelled jobs, a lost workflow, GPUs."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from campaign import HOLDING, PATIENCE, ROOT, Campaign, output

from double_pinn.showing.figures import FIGURES

pytestmark = pytest.mark.slurm

ROWS = [
    {"cell": "plain", "regularizer": "none", "used_in": "figure3:none"},
    {
        "cell": "doubled",
        "regularizer": "double",
        "used_in": "figure3:double table1:wave/double_pinn",
    },
]
COMMON = {
    **{"equation": "wave", "precision": "fp64", "optimizer": "lbfgs", "scales": "smoke"},
    **{"nx": 20, "nt": 20, "edge": 200},
}
# Two cells that can be interrupted several times, one with a time limit of a minute.
OVERLAY = {
    "experiments": "experiments.csv",
    "seeds": [0],
    "networks": {"mlp": {"hidden_layers": 2, "width": 128}},
    "points_limit": {"grid": None, "edge": None},
    "iterations": {"default": 300},
    "resources": {
        "train": {
            "default": {"runtime": 20, "mem_mb": 1500},
            "cells": {"plain": {"runtime": 1, "mem_mb": 1500}},
        }
    },
}
# Instead of training on a GPU that is none: what SLURM gave to the job.
STAND_IN = """\
#!/bin/sh
[ "$1" = where ] && exit
while [ $# -gt 1 ]; do
  case "$1" in --output) output=$2 ;; --device) device=$2 ;; esac
  shift
done
echo "$device ${CUDA_VISIBLE_DEVICES-none}" > "$output"
"""


def without_smoke(row):
    """Return the row for its other scales alone: no role at the smoke scale either."""
    kept = {
        name: [word for word in row[name].split() if not word.endswith("smoke")]
        for name in ("scales", "used_in")
    }
    return row | {name: " ".join(words) for name, words in kept.items()}


def write_table(path):
    """Write the table of experiments, with other rows for the smoke scale."""
    with open(ROOT / "config" / "experiments.csv", newline="") as file:
        reader = csv.DictReader(file)
        rows = [without_smoke(row) for row in reader]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames)
        writer.writeheader()
        writer.writerows(row for row in rows if row["scales"])
        writer.writerows(COMMON | row for row in ROWS)


@pytest.fixture(scope="module")
def new_campaign(tmp_path_factory, cluster):
    """Return a function that lays out a campaign; all are stopped afterwards."""
    campaigns = []

    def build(overlay, command):
        path = tmp_path_factory.mktemp("campaign")
        write_table(path / "experiments.csv")
        campaigns.append(Campaign(path, cluster, overlay, command))
        return campaigns[-1]

    yield build
    for campaign in campaigns:
        campaign.stop()


# --- One workflow with every misfortune; each test below looks at one of them ---


@pytest.fixture(scope="module")
def campaign(new_campaign):
    """A time limit for one cell, scancel for the other, then the loss of Snakemake."""
    campaign = new_campaign(OVERLAY, HOLDING)
    hold = campaign.path / "hold"
    hold.touch()
    campaign.start()
    campaign.environment_of_job = campaign.held("doubled", 1).environ()
    campaign.cluster.run("scancel", campaign.jobs("doubled")[0]["JobId"])
    references = []
    try:
        campaign.held("doubled", 2)
        campaign.held("plain", 2)  # its first attempt held until the limit
        hold.unlink()
        references += [start_here(campaign, row["cell"]) for row in ROWS]
        campaign.lose()
        campaign.start()
        campaign.finish()
    finally:
        ends = [process.wait(PATIENCE) for process in references]
    assert ends == [0, 0]
    return campaign


def start_here(campaign, cell):
    """Start the same training without SLURM and without interruption."""
    run = campaign.path / f"{cell}.nc"
    settings = campaign.path / "results" / "smoke" / "settings" / "train" / f"{cell}.json"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "double_pinn.cli", "train", "--settings", settings),
            *("--seed", "0", "--output", run, "--threads", "1"),
        ],
        env=campaign.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def parameters(run):
    with xr.open_dataset(run) as data:
        return data["parameters"].values


def test_every_file_is_written_by_jobs_of_slurm(campaign):
    results = campaign.path / "results" / "smoke"
    evaluations = [f"evaluation/{row['cell']}.nc" for row in ROWS]
    for name in (*evaluations, "figures/figure3.png", "tables/table1.md"):
        assert (results / name).stat().st_size > 0
    rules = {job["Comment"].split("_wildcards")[0] for job in campaign.cluster.jobs()}
    stages = ("solve_reference", "train_network", "evaluate_cell", "draw_figure3", "write_table1")
    assert rules >= {f"rule_{stage}" for stage in stages}


def test_cells_are_spread_over_nodes(campaign):
    plain, doubled = campaign.jobs("plain")[0], campaign.jobs("doubled")[0]
    assert {plain["NodeList"], doubled["NodeList"]} == {"node1", "node2"}


def test_a_time_limit_is_retried_with_more_of_everything(campaign):
    first, second = campaign.jobs("plain")[:2]
    assert first["JobState"] == "TIMEOUT"
    assert (first["TimeLimit"], first["MinMemoryNode"]) == ("00:01:00", "1500M")
    assert (second["TimeLimit"], second["MinMemoryNode"]) == ("00:02:00", "3000M")


def test_a_cancelled_job_is_retried(campaign):
    first, *others = campaign.jobs("doubled")
    assert first["JobState"] == "CANCELLED"
    assert others


@pytest.mark.parametrize("cell", ["plain", "doubled"])
def test_an_attempt_continues_where_the_one_before_was_stopped(campaign, cell):
    said = "".join(output(job).replace(",", "") for job in campaign.jobs(cell))
    ended = r"stopped by SIGTERM at iteration (\d+); state saved|(\d+) iterations stopped by"
    ends = [int(one or other) for one, other in re.findall(ended, said)]
    continued = [int(n) for n in re.findall(r"continues from iteration (\d+)", said)]
    assert continued
    assert set(continued) <= set(ends)
    assert sorted(continued) == continued


@pytest.mark.parametrize("cell", ["plain", "doubled"])
def test_interruptions_change_no_number(campaign, cell):
    run = campaign.path / "results" / "smoke" / "runs" / cell / "seed0.nc"
    np.testing.assert_array_equal(parameters(run), parameters(campaign.path / f"{cell}.nc"))


# --- GPUs ---


def test_a_job_gets_the_gpu_that_it_asks_for(new_campaign):
    campaign = new_campaign(OVERLAY | {"device": "gpu"}, STAND_IN)
    run = "results/smoke/runs/plain/seed0.nc"
    campaign.start(run)
    campaign.finish()
    assert (campaign.path / run).read_text() == "gpu 0\n"
    (job,) = campaign.jobs("plain")
    assert job["TresPerJob"] == "gres:gpu:1"


def test_a_job_that_asks_for_no_gpu_gets_none(campaign):
    assert "CUDA_VISIBLE_DEVICES" not in campaign.environment_of_job
    assert "TresPerJob" not in campaign.jobs("plain")[0]


# --- Every cell ---


@pytest.mark.slow
def test_the_whole_smoke_scale(new_campaign):
    campaign = new_campaign({}, HOLDING)  # nothing says hold
    with open(ROOT / "config" / "experiments.csv", newline="") as file:
        cells = {row["cell"] for row in csv.DictReader(file) if "smoke" in row["scales"].split()}
    campaign.start()
    campaign.finish(3 * PATIENCE)
    results = campaign.path / "results" / "smoke"
    assert {path.stem for path in (results / "evaluation").glob("*.nc")} == cells
    drawn = {path.stem for path in (results / "figures").glob("*.pdf")}
    assert drawn == {f"figure{number}" for number in FIGURES}
    assert (results / "tables" / "table1.md").stat().st_size > 0
    for cell in cells:
        (job,) = campaign.jobs(cell)
        assert job["JobState"] == "COMPLETED"
