"""Runs of an archive that go on: from parameters alone, said wherever the run is shown."""

import re
from functools import partial

import numpy as np
import pytest
import xarray as xr

from double_pinn.configuration.settings import evaluation_from_dict, settings_from_dict
from double_pinn.errors import DataError
from double_pinn.results import continued, reference
from double_pinn.results.continued import begin, earlier_run
from double_pinn.results.evaluation import evaluate
from double_pinn.results.netcdf import read_dataset, write_dataset
from double_pinn.running.training import train

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def settings(plain_settings):
    """``settings(**changes)``: a tiny cell."""
    return lambda **changes: settings_from_dict(
        plain_settings(**{"network__hidden_layers": 1, **changes})
    )


@pytest.fixture
def archive(settings, tmp_path):
    """``archive(**changes)``: a folder that holds seed 0 of the cell, after 20 iterations."""

    def build(**changes):
        run = train(settings(**{"stopping__max_iterations": 20, **changes}), 0)
        folder = tmp_path / "archive"
        path = folder / "runs" / "tiny" / "seed0.nc"
        write_dataset(run, path, title="Run", source="a test")
        return folder

    return build


def test_a_run_goes_on_from_its_parameters(settings, archive, tmp_path):
    folder = archive()
    first = read_dataset(folder / "runs" / "tiny" / "seed0.nc")
    run = train(settings(), 0, earlier=partial(earlier_run, folder, settings(), 0))
    assert list(run.iteration) == [0, 10, 20, 30, 40]
    assert (run.iterations_run, run.restarts) == (40, [20])
    before = ["objective", "train_loss", "test_loss", "train_term", "penalty", "rmae_history"]
    xr.testing.assert_equal(run[before].isel(iteration=slice(3)), first[before])
    assert np.all(np.diff(run.objective) < 0)
    assert np.all(np.diff(run.wall_time) > 0)
    # The evaluation at which the optimiser begins anew counts too.
    assert run.evaluations[3] >= first.evaluations[-1] + 11

    # A second time, from a file, and through a checkpoint.
    path = tmp_path / "results" / "runs" / "tiny" / "seed0.nc"
    write_dataset(run, path, title="Run", source="a test")
    longer = settings(stopping__max_iterations=60)
    again = train(
        settings(stopping__max_iterations=50),
        0,
        earlier=partial(earlier_run, tmp_path / "results", longer, 0),
        checkpoints=tmp_path / "checkpoints",
    )
    assert again.restarts == [20, 40]
    # With a checkpoint no archive is asked.
    last = train(longer, 0, earlier=pytest.fail, checkpoints=tmp_path / "checkpoints")
    assert (last.restarts, last.iterations_run) == ([20, 40], 60)
    assert list(last.iteration) == [0, 10, 20, 30, 40, 50, 60]


def test_an_evaluation_says_where_the_optimiser_began_anew(
    settings, archive, evaluation_settings, tmp_path
):
    earlier = partial(earlier_run, archive(), settings(), 0)
    path = tmp_path / "seed0.nc"
    write_dataset(train(settings(), 0, earlier=earlier), path, title="Run", source="a test")
    judged = evaluation_from_dict(evaluation_settings(network__hidden_layers=1))
    solution = tmp_path / "reference.nc"
    write_dataset(
        reference.solve(judged.run.problem, 11, 11), solution, title="Reference", source="a test"
    )
    assert evaluate(judged, solution, [path]).run_restarts == "seed 0: 20"


@pytest.mark.parametrize(
    ("archived", "asked", "reason"),
    [
        ({}, {"regularizer__weight": 1e-3}, r"other settings \(regularizer.weight is 0.0005, not"),
        ({}, {"stopping__max_iterations": 20}, "had 20 iterations already; double-pinn restore"),
        ({"stopping__tolerance": 0.99}, {"stopping__tolerance": 0.99}, "stopped by tolerance"),
        ({}, {"optimizer": {"name": "gauss_newton"}}, "only lbfgs, optax_lbfgs can go on"),
    ],
)
def test_a_run_of_no_use_is_told(settings, archive, archived, asked, reason):
    folder, said = archive(**archived), []
    assert earlier_run(folder, settings(**asked), 0, said.append) is None
    assert len(said) == 1
    assert said[0].startswith(f"starts from the seed, not from {folder}")
    assert re.search(reason, said[0])


def test_a_run_of_other_code_does_not_go_on(settings, archive, monkeypatch):
    folder, said = archive(), []
    monkeypatch.setattr(continued, "run_digest", lambda settings: "other")
    assert earlier_run(folder, settings(), 0, said.append) is None
    assert "it was trained by other code" in said[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run: run.assign_attrs(settings='{"colour": 1}'), "its settings cannot be read"),
        (lambda run: run.drop_vars(["phase", "horizon"]), "it lacks phase, horizon"),
    ],
)
def test_a_run_of_long_ago_is_of_no_use(settings, archive, change, reason):
    folder, said = archive(), []
    (path,) = folder.glob("runs/*/seed0.nc")
    run = change(read_dataset(path))
    write_dataset(run, path, title="Run", source="a test")
    assert earlier_run(folder, settings(), 0, said.append) is None
    assert reason in said[0]


def test_without_an_earlier_run_nothing_is_said(settings, archive):
    assert earlier_run(archive(), settings(), 1, pytest.fail) is None


def test_an_archive_that_is_not_there_is_an_error(settings, tmp_path):
    with pytest.raises(DataError, match=r"elsewhere: no such folder.*continue_from"):
        earlier_run(tmp_path / "elsewhere", settings(), 0, pytest.fail)


def test_where_training_begins(settings, archive, tmp_path):
    folder, checkpoints = archive(), tmp_path / "checkpoints"
    assert begin(checkpoints, None, settings(), 0) == 0
    assert begin(checkpoints, folder, settings(), 0) == 20
    assert begin(checkpoints, folder, settings(), 1) == 0
    assert begin(checkpoints, folder, settings(regularizer__weight=1e-3), 0) == 0
    assert begin(checkpoints, tmp_path / "elsewhere", settings(), 0) == 0
    train(settings(), 0, checkpoints=checkpoints)
    assert begin(checkpoints, folder, settings(stopping__max_iterations=60), 0) == 40
