"""What is kept of a run while another replaces it."""

import os

import pytest

from double_pinn.errors import DataError
from double_pinn.results import kept


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "runs" / "cell" / "seed0.nc"
    path.parent.mkdir(parents=True)
    path.write_text("old")
    return path


@pytest.fixture
def checkpoints(tmp_path):
    folder = tmp_path / "checkpoints" / "cell" / "0a1b" / "seed0"
    (folder / "00000020").mkdir(parents=True)
    return folder


def test_a_run_that_nothing_replaced_comes_back(run, tmp_path):
    kept.keep(run)
    run.unlink()
    assert kept.settle(tmp_path) == [run]
    assert run.read_text() == "old"
    assert os.listdir(run.parent) == [run.name]


def test_a_run_that_was_replaced_is_gone(run, tmp_path):
    kept.keep(run)
    run.unlink()
    run.write_text("new")
    assert kept.settle(tmp_path) == []
    assert run.read_text() == "new"
    assert os.listdir(run.parent) == [run.name]


def test_a_run_that_is_kept_twice_is_the_newer_one(run, tmp_path):
    kept.keep(run)
    run.unlink()
    kept.keep(run)  # a second start, after the first was killed: there is nothing newer
    run.write_text("newer")
    kept.keep(run)
    run.unlink()
    kept.settle(tmp_path)
    assert run.read_text() == "newer"


def test_a_run_is_kept_where_there_are_no_links(run, tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    kept.keep(run)
    run.unlink()
    kept.settle(tmp_path)
    assert run.read_text() == "old"


def test_checkpoints_come_back_where_there_are_no_new_ones(checkpoints, tmp_path):
    kept.set_aside(checkpoints)
    assert not checkpoints.exists()
    checkpoints.mkdir()
    (checkpoints / "lock").touch()  # of a job that was refused
    kept.settle(tmp_path)
    assert os.listdir(checkpoints) == ["00000020"]


def test_new_checkpoints_stay_with_a_new_run(run, checkpoints, tmp_path):
    kept.keep(run)
    kept.set_aside(checkpoints)
    (checkpoints / "00000003").mkdir(parents=True)
    kept.settle(tmp_path)
    assert os.listdir(checkpoints) == ["00000003"]
    assert os.listdir(checkpoints.parent) == ["seed0"]


def test_where_neither_training_ended_both_checkpoints_stay(checkpoints, tmp_path):
    kept.set_aside(checkpoints)
    (checkpoints / "00000003").mkdir(parents=True)
    kept.settle(tmp_path)
    (place,) = kept.undecided(tmp_path)
    assert place == checkpoints.with_name("seed0.kept")
    assert (os.listdir(checkpoints), os.listdir(place)) == (["00000003"], ["00000020"])


def test_what_is_set_aside_twice_is_the_older_one(run, checkpoints, tmp_path):
    """The second time it is what a forced training left that was killed."""
    kept.keep(run)
    kept.set_aside(checkpoints)
    run.unlink()
    (checkpoints / "00000003").mkdir(parents=True)
    kept.keep(run)
    kept.set_aside(checkpoints)
    assert not checkpoints.exists()
    assert kept.settle(tmp_path) == [run]
    assert os.listdir(checkpoints) == ["00000020"]
    assert kept.undecided(tmp_path) == []


def test_with_a_run_its_checkpoints_come_back(run, checkpoints, tmp_path):
    """A training that was forced and stopped must not take the place of a finished one."""
    kept.keep(run)
    kept.set_aside(checkpoints)
    run.unlink()
    (checkpoints / "00000003").mkdir(parents=True)
    assert kept.settle(tmp_path) == [run]
    assert os.listdir(checkpoints) == ["00000020"]
    assert os.listdir(checkpoints.parent) == ["seed0"]


def test_what_is_not_there_is_not_kept(tmp_path):
    kept.keep(tmp_path / "seed0.nc")
    kept.set_aside(tmp_path / "seed0")
    assert kept.settle(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_taken_is_an_error(run):
    (run.parent / "seed0.nc.kept").mkdir()
    with pytest.raises(DataError, match=r"seed0\.nc\.kept: cannot be written"):
        kept.keep(run)
    assert run.read_text() == "old"
