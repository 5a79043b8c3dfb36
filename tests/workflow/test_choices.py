"""A choice is one file: dropped in, it is found, checked, trained and evaluated."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

HERE = Path(__file__).parent / "choices"
SMOKE = "config/smoke.yaml"
FILES = {
    "adam.py": "optimizers",
    "elastic.py": "regularizers",
    "sine.py": "networks",
}
CELLS = """\
cell,equation,network,regularizer,precision,nx,nt,edge,optimizer,scales
with_adam,convection,,double,fp64,8,8,12,adam,smoke
with_elastic,reaction,mlp,elastic,fp32,8,8,12,lbfgs,smoke
with_sine,wave,sine,double,fp64,8,8,12,lbfgs,smoke
"""


def drop_in(checkout):
    for name, folder in FILES.items():
        shutil.copy(HERE / name, checkout.path / "src/double_pinn/numerics" / folder / name)
    (checkout.path / "mine.csv").write_text(CELLS)
    return ["--configfile", SMOKE, checkout.overlay({"experiments": "mine.csv"}, "mine.yaml")]


def test_a_new_file_of_each_kind_retrains_nothing(smoke, tmp_path):
    copy = smoke.duplicate(tmp_path / "copy")
    drop_in(copy)
    assert copy.plan("--configfile", SMOKE) == []


@pytest.fixture(scope="module")
def chosen(checkout, tmp_path_factory):
    """A copy in which a cell was run with each new choice."""
    copy = checkout.duplicate(tmp_path_factory.mktemp("chosen") / "copy")
    done = copy.snakemake("evaluations", *drop_in(copy))
    assert done.returncode == 0, done.stdout[-20_000:]
    return copy


@pytest.mark.parametrize(
    ("cell", "kind", "options"),
    [
        ("with_adam", "optimizer", {"name": "adam", "rate": 1e-3}),
        ("with_elastic", "regularizer", {"name": "elastic", "weight": 1e-6, "share": 0.5}),
        ("with_sine", "network", {"name": "sine", "width": 8}),
    ],
)
def test_a_new_file_is_a_new_choice(chosen, cell, kind, options):
    results = chosen.path / "results" / "smoke"
    with xr.open_dataset(results / "runs" / cell / "seed0.nc") as run:
        assert json.loads(run.attrs["settings"])[kind] == options
        assert run.attrs["iterations_run"] == 20
        assert run["objective"][-1] < run["objective"][0]
        assert (run["penalty"] > 0).all()
    with xr.open_dataset(results / "evaluation" / f"{cell}.nc") as evaluation:
        assert np.isfinite(evaluation["rmae"]).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizers": {"adam": {"rate": -1.0}}}, "optimizers.adam.rate is -1.0"),
        ({"optimizers": {"adam": {"speed": 1.0}}}, "optimizers.adam.speed is unknown"),
        ({"networks": {"sine": {"width": 0}}}, "networks.sine.width is 0"),
    ],
)
def test_options_of_a_new_choice_are_checked(chosen, changes, words):
    overlay = chosen.overlay(changes, "bad.yaml")
    done = chosen.snakemake("--dry-run", "--configfile", SMOKE, "mine.yaml", overlay)
    assert done.returncode != 0
    assert words in done.stdout


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "bad,reaction,mlp,elastic,fp64,8,8,12,gauss_newton,smoke",
            "regularizer.name is 'elastic'",
        ),
        ("bad,reaction,sine,double,fp64,8,8,12,gauss_newton,smoke", "network.name is 'sine'"),
    ],
)
def test_a_new_choice_is_refused_where_it_cannot_work(chosen, row, words):
    (chosen.path / "bad.csv").write_text(CELLS + row + "\n")
    overlay = chosen.overlay({"experiments": "bad.csv"}, "bad.yaml")
    done = chosen.snakemake("--dry-run", "--configfile", SMOKE, overlay)
    assert done.returncode != 0
    assert words in done.stdout
