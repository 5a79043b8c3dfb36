"""A choice is one file: dropped in, it is found, checked, trained and evaluated."""

import json

import numpy as np
import pytest
import xarray as xr
from experiments import SMOKE
from new_choices import CELLS, drop_in


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
