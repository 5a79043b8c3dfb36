"""Checkpoints: whole or not at all, verified before they are trusted, one process at a time."""

import json
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.errors import DataError
from double_pinn.running import checkpoints
from double_pinn.running.checkpoints import CheckpointFolder

IDENTITY = {"seed": 0, "points": {"nx": 3, "nt": 4}}


class State(NamedTuple):
    parameters: object
    pairs: object
    count: object
    done: object


def state_of(value) -> State:
    return State(
        parameters=jnp.full(5, value, np.float64),
        pairs=(jnp.full((4, 5), value, np.float32), jnp.arange(2)),
        count=jnp.asarray(value, np.int32),
        done=jnp.asarray(True),
    )


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "run" / "seed0", IDENTITY)


def names(folder):
    return sorted(p.name for p in folder.folder.iterdir())


def same(a: State, b: State):
    for x, y in zip(jax_leaves(a), jax_leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def jax_leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_nothing_there(folder):
    assert folder.restore(state_of(0)) is None


def test_what_goes_in_comes_out(folder):
    progress = {
        "iteration": 7,
        "history": {"loss": [1 / 3, float("nan"), float("inf"), 5e-324], "term": [[1.0, 2.0]]},
        "stop_reason": None,
    }
    folder.save(state_of(1), progress)
    found = folder.restore(state_of(0))
    same(found.state, state_of(1))
    assert isinstance(found.state, State)
    assert found.skipped == ()
    assert json.dumps(found.progress) == json.dumps(progress)


def test_the_newest_two_are_kept(folder):
    for k in (1, 5, 10, 100_000_000):
        folder.save(state_of(k), {"iteration": k})
        assert folder.restore(state_of(0)).progress["iteration"] == k
    assert names(folder) == ["00000010", "100000000"]


def test_one_is_kept_at_the_end(folder):
    for k in (1, 5):
        folder.save(state_of(k), {"iteration": k})
    folder.save(state_of(7), {"iteration": 7}, keep=1)
    assert names(folder) == ["00000007"]
    assert folder.size() > sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state_of(7)))


def test_a_second_checkpoint_of_an_iteration_stands_beside_the_first(folder):
    for value in (1, 2, 3):
        folder.save(state_of(value), {"iteration": 5})
    assert names(folder) == ["00000005-1", "00000005-2"]
    same(folder.restore(state_of(0)).state, state_of(3))


def flip(path, at=-3):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def array_file(checkpoint):
    """The largest of the files that hold the arrays."""
    files = [p for p in (checkpoint / "state").rglob("*") if p.is_file()]
    return max(files, key=lambda p: p.stat().st_size)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


DAMAGES = {
    "a bit of an array": lambda c: flip(array_file(c)),
    "a truncated array": lambda c: truncate(array_file(c)),
    "an empty array": lambda c: os.truncate(array_file(c), 0),
    "a missing array": lambda c: array_file(c).unlink(),
    "no arrays": lambda c: shutil.rmtree(c / "state"),
    "no manifest": lambda c: (c / "manifest.json").unlink(),
    "a truncated manifest": lambda c: truncate(c / "manifest.json"),
    "an empty manifest": lambda c: os.truncate(c / "manifest.json", 0),
    "a manifest that is no table": lambda c: (c / "manifest.json").write_text("[1]"),
    "a digit of the history": lambda c: (c / "manifest.json").write_text(
        (c / "manifest.json").read_text().replace('"loss": [0.25]', '"loss": [0.26]')
    ),
    "an empty folder": lambda c: (shutil.rmtree(c), c.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(folder, damage):
    for k in (1, 2):
        folder.save(state_of(k), {"iteration": k, "loss": [0.25]})
    newest = folder.folder / "00000002"
    DAMAGES[damage](newest)
    found = folder.restore(state_of(0))
    same(found.state, state_of(1))
    assert found.progress["iteration"] == 1
    assert len(found.skipped) == 1
    assert str(newest) in found.skipped[0]

    # The next save sweeps the damaged one away, never the good one.
    folder.save(state_of(3), {"iteration": 2})
    assert len(names(folder)) == 2
    DAMAGES["a bit of an array"](folder.folder / "00000002-1")
    same(folder.restore(state_of(0)).state, state_of(1))


@pytest.mark.parametrize("damage", DAMAGES)
def test_if_all_are_damaged_nothing_is_started_over_silently(folder, damage):
    for k in (1, 2):
        folder.save(state_of(k), {"iteration": k, "loss": [0.25]})
        DAMAGES[damage](folder.folder / f"{k:08d}")
    with pytest.raises(DataError, match="no checkpoint can be read") as caught:
        folder.restore(state_of(0))
    for word in ("00000001", "00000002", f"remove {folder.folder}"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ({**IDENTITY, "seed": 1}, ["another seed", "0 there, 1 here"]),
        (
            {**IDENTITY, "points": {"nx": 3, "nt": 5}},
            ["another points", "nt: 4 there, 5 here"],
        ),
        ({"points": IDENTITY["points"]}, ["another seed", "None here"]),
        ({**IDENTITY, "double_pinn": "9.9"}, ["another double_pinn", "9.9"]),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_the_key(folder, identity, words):
    folder.save(state_of(1), {"iteration": 1})
    other = CheckpointFolder(folder.folder, identity)
    if "double_pinn" in identity:
        other.identity["double_pinn"] = identity["double_pinn"]
    with pytest.raises(DataError, match="was written with") as caught:
        other.restore(state_of(0))
    for word in [*words, f"remove {folder.folder}"]:
        assert word in str(caught.value)


def test_versions_are_part_of_the_identity(folder, monkeypatch):
    folder.save(state_of(1), {"iteration": 1})
    monkeypatch.setattr(checkpoints, "__version__", "9.9.9")
    with pytest.raises(DataError, match=r"another double_pinn.*9\.9\.9"):
        CheckpointFolder(folder.folder, IDENTITY).restore(state_of(0))


def test_other_arrays_are_refused(folder):
    folder.save(state_of(1), {"iteration": 1})
    for template in (jnp.zeros(5), state_of(1)._replace(parameters=jnp.zeros(6))):
        with pytest.raises(DataError, match="other arrays"):
            folder.restore(template)


def test_a_failed_save_leaves_the_earlier_ones(folder, monkeypatch):
    folder.save(state_of(1), {"iteration": 1})

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", fail)
    with pytest.raises(DataError, match=r"iteration 2 cannot be written.*No space left"):
        folder.save(state_of(2), {"iteration": 2})
    assert names(folder) == ["00000001"]
    monkeypatch.undo()
    same(folder.restore(state_of(0)).state, state_of(1))


def test_rubbish_of_a_killed_job_is_swept_away(folder):
    folder.save(state_of(1), {"iteration": 1})
    rubbish = folder.folder / "partial-00000002-12345"
    shutil.copytree(folder.folder / "00000001", rubbish)
    assert folder.restore(state_of(0)).progress["iteration"] == 1
    folder.save(state_of(2), {"iteration": 2})
    assert not rubbish.exists()


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match=f"{tmp_path}/file/run: no folder for checkpoints"),
        CheckpointFolder(tmp_path / "file" / "run", IDENTITY),
    ):
        pass
    with pytest.raises(DataError, match="cannot be written"):
        CheckpointFolder(tmp_path / "file", IDENTITY).save(state_of(1), {"iteration": 1})


def test_one_at_a_time(folder):
    other = CheckpointFolder(folder.folder, IDENTITY)
    with folder:
        with pytest.raises(DataError, match=f"in use by process {os.getpid()} on "), other:
            pass
        folder.save(state_of(1), {"iteration": 1})
    with other as locked:
        assert locked.warning is None
        assert locked.restore(state_of(0)).progress["iteration"] == 1


def test_the_lock_goes_with_its_process(folder):
    program = (
        "import sys, os, signal\n"
        "from double_pinn.running.checkpoints import CheckpointFolder\n"
        "CheckpointFolder(sys.argv[1], {}).__enter__()\n"
        "print('locked', flush=True)\n"
        "signal.pause()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, folder.folder], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(DataError, match=f"in use by process {holder.pid}"), folder:
            pass
        holder.kill()
    with folder:
        pass


def test_a_file_system_without_locks_is_said(folder, monkeypatch):
    def fail(*args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(checkpoints.fcntl, "flock", fail)
    with folder as opened:
        assert "cannot be locked (Function not implemented)" in opened.warning
