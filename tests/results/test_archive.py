"""Archives: what was packed comes back bit for bit, and nothing else is passed off for it."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from double_pinn import cli
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.errors import DataError
from double_pinn.results import archive
from double_pinn.results.archive import MANIFEST, pack, restore
from double_pinn.results.netcdf import write_dataset
from double_pinn.running.identity import run_digest

ROOT = Path(__file__).parents[2]
CELLS = ("convection_none_fp32", "wave_double_fp64")


def settings_of(cell, **changes):
    values = {
        "cell": cell,
        "equation": {"name": cell.split("_")[0], "parameters": {}},
        "network": {"name": "mlp", "hidden_layers": 1, "width": 4},
        "precision": "fp32",
        "points": {"nx": 5, "nt": 4, "edge": 7},
        "stopping": {"max_iterations": 300},
    }
    return copy.deepcopy({**values, **changes})


class Scale:
    """A folder of results with made-up runs, as training writes them."""

    def __init__(self, path):
        self.path = path

    def ask(self, cell, **changes):
        """Write the settings that the configuration asks."""
        path = self.path / "settings" / "train" / f"{cell}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings_of(cell, **changes)))

    def run(self, cell, seed, settings=None, settings_text=None, **attributes):
        """Write a run; an attribute of None is left out."""
        settings = settings_from_dict(settings or settings_of(cell))
        history = [3.0 + seed, 2.0, 1.0]
        names = ("objective", "train_loss", "test_loss", "penalty", "wall_time", "evaluations")
        terms = (("iteration", "term"), np.ones((3, 1)))
        attrs = {
            "cell": cell,
            "seed": seed,
            "iterations_run": 200,
            "stop_reason": "tolerance",
            "n_collocation": settings.collocation_count,
            "device": "cpu",
            "settings": settings_text or settings.to_json(),
            "code": run_digest(settings),
            **attributes,
        }
        run = xr.Dataset(
            {name: ("iteration", history) for name in names}
            | {"train_term": terms, "test_term": terms}
            | {"parameters": ("parameter", np.random.default_rng(seed).normal(size=500))},
            {"iteration": [0, 100, 200], "term": ["equation"]},
            {key: value for key, value in attrs.items() if value is not None},
        )
        path = self.file(cell, seed)
        write_dataset(run, path, title="Run", source="a test")
        return path

    def file(self, cell, seed):
        return self.path / "runs" / cell / f"seed{seed}.nc"

    def files(self):
        return sorted(p.name for p in (self.path / "runs").rglob("*") if p.is_file())


@pytest.fixture
def trained(tmp_path):
    scale = Scale(tmp_path / "trained")
    for cell in CELLS:
        scale.ask(cell)
        for seed in (0, 1):
            scale.run(cell, seed)
    return scale


@pytest.fixture
def packed(trained, tmp_path):
    """The archive of what was trained."""
    pack(trained.path, tmp_path / "archive")
    return tmp_path / "archive"


@pytest.fixture
def fresh(tmp_path):
    """Another clone: settings, but no runs."""
    scale = Scale(tmp_path / "fresh")
    for cell in CELLS:
        scale.ask(cell)
    return scale


def test_what_was_packed_comes_back(trained, packed, fresh):
    report = restore(packed, fresh.path)
    assert [(run.cell, run.seed) for run in report.runs] == [(c, s) for c in CELLS for s in (0, 1)]
    assert report.missing == report.notes == []
    for cell in CELLS:
        for seed in (0, 1):
            there = fresh.file(cell, seed)
            assert there.read_bytes() == trained.file(cell, seed).read_bytes()
            asked = fresh.path / "settings" / "train" / f"{cell}.json"
            assert there.stat().st_mtime_ns >= asked.stat().st_mtime_ns
    assert len(fresh.files()) == 4  # no temporary files


def test_the_manifest_says_what_is_in_the_archive(packed):
    content = json.loads((packed / MANIFEST).read_text())
    first = content["runs"][0]
    assert (first["cell"], first["seed"], first["iterations_run"]) == (CELLS[0], 0, 200)
    assert first["stop_reason"] == "tolerance"
    assert first["bytes"] == (packed / "runs" / CELLS[0] / "seed0.nc").stat().st_size
    assert first["commit"]


def test_packing_again_changes_nothing(trained, packed):
    before = (packed / MANIFEST).read_bytes()
    pack(trained.path, packed)
    assert (packed / MANIFEST).read_bytes() == before


def test_unfinished_and_unreadable_runs_are_left_out_by_name(trained, tmp_path):
    trained.run(CELLS[0], 2, stop_reason=None)
    trained.file(CELLS[0], 3).write_bytes(b"no netCDF")
    shutil.copy(trained.file(CELLS[0], 0), trained.file(CELLS[0], 4))
    trained.run(CELLS[0], 5, settings_of(CELLS[0], precision="fp64"))
    trained.ask("reaction_double_fp64")
    report = pack(trained.path, tmp_path / "archive")
    assert len(report.runs) == 4
    for seed, reason in ((2, "stop_reason"), (3, "netCDF"), (4, "misnamed"), (5, "precision")):
        (note,) = [n for n in report.notes if f"seed{seed}.nc" in n]
        assert reason in note
    assert report.missing == ["reaction_double_fp64"]


def test_runs_without_settings_beside_them_are_packed_if_the_seeds_agree(tmp_path):
    scale = Scale(tmp_path / "brought")
    scale.run(CELLS[0], 0)
    scale.run(CELLS[0], 1, settings_of(CELLS[0], precision="fp64"))
    report = pack(scale.path, tmp_path / "archive")
    assert [run.seed for run in report.runs] == [0]
    assert "precision is fp64, not fp32" in report.notes[0]


def test_nothing_to_pack_is_an_error(trained, tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        pack(tmp_path / "empty", tmp_path / "archive")
    with pytest.raises(DataError, match="no runs of nobody; there are: convection"):
        pack(trained.path, tmp_path / "archive", ["nobody"])


def test_an_archive_grows_from_several_machines(packed, tmp_path):
    other = Scale(tmp_path / "other")
    other.run(CELLS[0], 2)
    other.run("reaction_double_fp64", 0)
    pack(other.path, packed)
    held = {(run.cell, run.seed) for run in archive._read_manifest(packed).values()}
    assert held == {(c, s) for c in CELLS for s in (0, 1)} | {
        (CELLS[0], 2),
        ("reaction_double_fp64", 0),
    }


def test_a_cell_with_other_settings_is_not_mixed_into_an_archive(packed, tmp_path):
    other = Scale(tmp_path / "other")
    other.run(CELLS[0], 2, settings_of(CELLS[0], precision="fp64"))
    before = sorted(packed.rglob("*"))
    with pytest.raises(DataError, match=r"seed0.*other settings \(precision"):
        pack(other.path, packed)
    assert sorted(packed.rglob("*")) == before
    report = pack(other.path, packed, force=True)
    assert [run.seed for run in report.runs if run.cell == CELLS[0]] == [2]
    assert sorted(p.name for p in (packed / "runs" / CELLS[0]).iterdir()) == ["seed2.nc"]
    assert any("Removed" in note for note in report.notes)


def test_another_result_in_the_archive_is_not_overwritten(trained, packed):
    trained.run(CELLS[0], 0, iterations_run=100)
    with pytest.raises(DataError, match=r"seed0\.nc: differs from(.|\n)*--force"):
        pack(trained.path, packed)
    pack(trained.path, packed, force=True)
    assert archive._read_manifest(packed)[f"runs/{CELLS[0]}/seed0.nc"].iterations_run == 100


@pytest.mark.parametrize("where", [0, 0.5, 0.999])
def test_a_damaged_byte_is_noticed_before_anything_is_written(packed, fresh, where):
    path = packed / "runs" / CELLS[1] / "seed1.nc"
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{CELLS[1]}/seed1\.nc: damaged"):
        restore(packed, fresh.path)
    assert fresh.files() == []


def test_a_missing_file_is_named_before_anything_is_written(packed, fresh):
    (packed / "runs" / CELLS[1] / "seed1.nc").unlink()
    with pytest.raises(DataError, match=rf"{CELLS[1]}/seed1\.nc: .*no such file"):
        restore(packed, fresh.path)
    assert fresh.files() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ('"format": 1', '"format": 99'),
        ('"cell"', '"call"'),
        (f'"cell": "{CELLS[0]}"', '"cell": "../../elsewhere"'),
        ('"seed": 0', '"seed": 7'),
        ('"iterations_run": 200', '"iterations_run": 900'),
    ],
)
def test_a_damaged_manifest_is_refused(packed, fresh, old, new):
    path = packed / MANIFEST
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=r"manifest"):
        restore(packed, fresh.path)
    assert fresh.files() == []


def test_no_archive_and_no_settings_are_said(packed, fresh, tmp_path):
    with pytest.raises(DataError, match="is no archive"):
        restore(tmp_path / "nowhere", fresh.path)
    with pytest.raises(DataError, match=r"settings.train: no settings"):
        restore(packed, tmp_path / "nowhere")


def test_other_settings_are_not_passed_off(packed, fresh):
    fresh.ask(CELLS[0], network={"name": "mlp", "hidden_layers": 1, "width": 8})
    report = restore(packed, fresh.path)
    assert {run.cell for run in report.runs} == {CELLS[1]}
    assert report.missing == [CELLS[0]]
    assert "network.width is 4, not 8" in report.notes[0]
    fresh.ask(CELLS[1], precision="fp64")
    with pytest.raises(DataError, match="nothing in it fits"):
        restore(packed, fresh.path)


def test_how_runs_of_before_were_to_be_judged_is_no_other_training(trained, fresh, tmp_path):
    before = settings_of(CELLS[0], evaluation={"nx": 11, "nt": 11, "residual_points": 12})
    before["network"].pop("name")
    trained.run(CELLS[0], 0, settings=settings_of(CELLS[0]), settings_text=json.dumps(before))
    pack(trained.path, tmp_path / "archive")
    report = restore(tmp_path / "archive", fresh.path)
    assert len(report.runs) == 4
    assert report.missing == report.notes == []


def test_other_code_is_said(trained, fresh, tmp_path):
    """One line for all cells of which one run or more is concerned, with the commits of these."""
    trained.run(CELLS[0], 0, code="0123")
    pack(trained.path, tmp_path / "one")
    report = restore(tmp_path / "one", fresh.path)
    commit = archive._short(report.runs[0].commit)
    assert report.notes == [f"Trained by other code (commit {commit}): {CELLS[0]}"]
    trained.run(CELLS[1], 1, code="4567")
    pack(trained.path, tmp_path / "both")
    notes = restore(tmp_path / "both", fresh.path, force=True).notes
    assert notes == [f"Trained by other code (commit {commit}): {CELLS[0]}, {CELLS[1]}"]


def test_code_that_cannot_be_told_is_said(trained, fresh, tmp_path):
    for cell in CELLS:
        trained.run(cell, 1, code=None)
    trained.run(CELLS[0], 0, code="0123")
    pack(trained.path, tmp_path / "archive")
    report = restore(tmp_path / "archive", fresh.path)
    assert len(report.runs) == 4
    other, untold = report.notes
    assert other.endswith(f": {CELLS[0]}")
    assert untold == (
        f"Trained by code that cannot be told, before runs said so: {CELLS[0]}, {CELLS[1]}"
    )
    assert untold in str(report).splitlines()


def test_missing_and_foreign_cells_are_named(packed, fresh):
    fresh.ask("reaction_double_fp64")
    (fresh.path / "settings" / "train" / f"{CELLS[0]}.json").unlink()
    shutil.copytree(packed / "runs" / CELLS[1], packed / "runs" / "added_by_hand")
    report = restore(packed, fresh.path)
    assert {run.cell for run in report.runs} == {CELLS[1]}
    assert report.missing == ["reaction_double_fp64"]
    assert any(f"{CELLS[0]} is no cell of this scale" in note for note in report.notes)
    assert any("added_by_hand/seed0.nc is not in the manifest" in note for note in report.notes)


def test_chosen_cells_only(packed, fresh):
    report = restore(packed, fresh.path, [CELLS[1]])
    assert {run.cell for run in report.runs} == {CELLS[1]}
    assert report.missing == [CELLS[0]]
    assert restore(packed, fresh.path, [CELLS[0]]).missing == []


def test_another_existing_result_is_kept_unless_forced(packed, fresh):
    mine = fresh.run(CELLS[1], 0, iterations_run=100)
    content = mine.read_bytes()
    with pytest.raises(DataError, match=r"seed0\.nc: differs from(.|\n)*--force"):
        restore(packed, fresh.path)
    assert mine.read_bytes() == content
    assert fresh.files() == ["seed0.nc"]
    restore(packed, fresh.path, force=True)
    assert mine.read_bytes() != content


def test_restoring_twice_brings_the_dates_up_to_now(packed, fresh):
    restore(packed, fresh.path)
    path = fresh.file(CELLS[0], 0)
    os.utime(path, (0, 0))
    restore(packed, fresh.path)
    assert path.stat().st_mtime > 1e9


def test_a_failure_on_the_way_leaves_nothing(packed, fresh):
    (fresh.path / "runs").mkdir(parents=True)
    (fresh.path / "runs" / CELLS[1]).write_text("a file where a folder belongs")
    with pytest.raises(DataError, match="cannot be written"):
        restore(packed, fresh.path)
    assert fresh.files() == [CELLS[1]]


def test_the_command_line_prints_the_table(trained, fresh, tmp_path, capsys):
    target = str(tmp_path / "a")
    assert cli.main(["pack", "--results", str(trained.path), "--archive", target]) == 0
    capsys.readouterr()
    fresh.ask("reaction_double_fp64")
    assert cli.main(["restore", "--archive", target, "--results", str(fresh.path)]) == 0
    out = capsys.readouterr().out
    assert f"{CELLS[0]}  0 1    200         tolerance" in out
    assert "4 runs of 2 cells" in out
    assert "Missing cells: reaction_double_fp64" in out
    assert cli.main(["restore", "--archive", "none", "--results", str(fresh.path)]) == 2
    assert "none/manifest.json" in capsys.readouterr().err


def test_a_run_says_by_which_code_it_was_trained(settings_file, tmp_path):
    """From training to the word of `restore`, with a package whose code changes in between."""
    package = tmp_path / "src" / "double_pinn"
    shutil.copytree(ROOT / "src" / "double_pinn", package)

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "double_pinn.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(package.parent)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    settings = settings_file(stopping__max_iterations=1, network__hidden_layers=1)
    old, new, archive = (tmp_path / name for name in ("old", "new", "archive"))
    for results in (old, new):
        (results / "settings" / "train").mkdir(parents=True)
        shutil.copy(settings, results / "settings" / "train" / "tiny.json")
    run = old / "runs" / "tiny" / "seed0.nc"
    command("train", "--settings", settings, "--seed", 0, "--output", run, "--threads", 1)
    command("pack", "--results", old, "--archive", archive)
    restore_it = ("restore", "--archive", archive, "--results", new)
    said = command(*restore_it)
    assert "Trained by" not in said
    with open(package / "numerics" / "objective.py", "a") as file:
        file.write("\n\n# A comment computes nothing.\n")
    assert command(*restore_it) == said
    with open(package / "numerics" / "optimizers" / "gauss_newton.py", "a") as file:
        file.write("\n\nEXTRA = 1.0\n")  # which this cell does not use
    assert command(*restore_it) == said
    with open(package / "numerics" / "objective.py", "a") as file:
        file.write("EXTRA = 1.0\n")
    (line,) = [x for x in command(*restore_it).splitlines() if x.startswith("Trained by other")]
    assert re.fullmatch(r"Trained by other code \(commit [\w-]+\): tiny", line)
