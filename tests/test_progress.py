"""Progress: readable where it lands, and never the end of a training."""

import re

import pytest

from double_pinn import progress as module
from double_pinn.errors import DataError
from double_pinn.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_lines_say_iteration_losses_pace_and_time_left(tmp_path, capsys, clock):
    log = tmp_path / "logs" / "run.log"
    shown = Progress("cell seed 3", 10_000, log=log, interval=10)
    shown.update(0, 2.5, 3.5)
    clock[0] += 4
    shown.update(1000, 0.5, 3.25)  # too early for a line
    clock[0] += 6
    shown.update(2500, 1.25e-3, 3.0)
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert log.read_text().splitlines() == lines
    assert len(lines) == 2
    assert "0/10,000" in lines[0]
    assert re.search(
        r"^cell seed 3 .*25 % 2,500/10,000  loss 1.25e-03  test 3.00e\+00  250 it/s  left 00:30",
        lines[1],
    )


def test_a_resumed_job_continues_its_log(tmp_path):
    for text in ("first", "second"):
        shown = Progress("run", 10, log=tmp_path / "run.log")
        shown.say(text)
        shown.close()
    assert (tmp_path / "run.log").read_text() == "run  first\nrun  second\n"


def test_on_a_terminal_the_bar_is_redrawn_in_place(capsys, monkeypatch, clock):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    shown = Progress("run", 100)
    for iteration in (0, 50, 100):
        clock[0] += 1
        shown.update(iteration, 1.0, None)
    shown.say("done")
    shown.close()
    written = capsys.readouterr().err
    assert written.count("\r") == 4
    assert "\n" not in written[: written.index("done")]
    assert "███" in written
    assert "test" not in written


def test_time_left_is_honest_after_a_restart(tmp_path, capsys, clock):
    """The pace is that of this process: iterations done before it do not count."""
    shown = Progress("run", 2000, interval=0)
    shown.update(1000, 1.0, 1.0)
    clock[0] += 10
    shown.update(1010, 1.0, 1.0)
    assert "1 it/s  left 16:30" in capsys.readouterr().err


def test_a_log_that_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=f"{tmp_path}/file/run.log: the log cannot be opened"):
        Progress("run", 10, log=tmp_path / "file" / "run.log")


def test_a_log_that_fails_does_not_end_the_training(capsys):
    """/dev/full opens, and has no space left."""
    shown = Progress("run", 10, log="/dev/full")
    shown.say("first")
    shown.say("second")
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "run  first"
    assert "/dev/full: the log cannot be written any more: No space left" in lines[1]
    assert lines[2:] == ["run  second"]
