"""Progress: readable where it lands, and never the end of a training."""

import re

import pytest

from double_pinn.errors import DataError
from double_pinn.running import progress as module
from double_pinn.running.progress import Progress


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
    assert lines[0].endswith("  -- it/s  left --:--")
    assert re.search(
        r"^cell seed 3  [█▏▎▍▌▋▊▉ ]* 25 % 2,500/10,000"
        r"  loss 1.25e-03  test 3.00e\+00  250 it/s  left 00:30",
        lines[1],
    )


def test_a_resumed_job_continues_its_log(tmp_path):
    for text in ("first", "second"):
        shown = Progress("run", 10, log=tmp_path / "run.log")
        shown.say(text)
        shown.close()
    assert (tmp_path / "run.log").read_text() == "run  first\nrun  second\n"


@pytest.fixture
def terminal(monkeypatch):
    """Makes stderr a terminal of a given width."""

    def of(columns):
        monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(module, "_columns", lambda: columns)

    return of


def screen(written):
    """What a terminal shows after these characters: its lines, each redrawn from its start."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            cleared = part.startswith("\033[K")
            text = part.replace("\033[K", "")
            shown = text if cleared or part.endswith("\033[K") else text + shown[len(text) :]
        lines.append(shown)
    return lines


def test_on_a_terminal_the_bar_is_redrawn_in_place(capsys, terminal, clock):
    terminal(200)
    shown = Progress("run", 1_000_000)
    for iteration, loss in ((0, 1.0), (500_000, 1.0), (900_000, 0.125)):
        clock[0] += 1
        shown.update(iteration, loss, None)
    shown.say("warning")
    clock[0] += 0.1
    shown.update(1_000_000, 0.25, None)  # too early to be drawn, but the last
    shown.say("done")
    shown.close()
    shown.close()
    written = capsys.readouterr().err
    first, second, bar, rest = screen(written)
    assert (first, second, rest) == ("run  warning", "run  done", "")
    # At the end there is no time left to tell.
    assert bar == "run  " + "█" * 20 + " 100 % 1,000,000/1,000,000  loss 2.50e-01"


def test_without_a_report_there_is_no_bar(capsys, terminal):
    terminal(80)
    shown = Progress("run", 10)
    shown.say("continues from iteration 3")
    shown.close()
    assert screen(capsys.readouterr().err) == ["run  continues from iteration 3", ""]


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("total", [20, 8_000, 1_000_000])
def test_the_bar_fits_into_the_terminal(capsys, terminal, clock, columns, total):
    terminal(columns)
    shown = Progress("reaction_double_gn_fp64 seed 0", total)
    for iteration in (0, total // 2, total):
        shown.update(iteration, 2.5e-11, 1.25e3)
        clock[0] += 40
    text = screen(capsys.readouterr().err)[-1]
    assert len(text) < columns
    assert f"{total:,}" in text
    if columns >= 60:
        assert "loss 2.5" in text
        assert "test 1.2" in text
        assert re.search(r"left \d\d:\d\d$", text)
    if columns >= 80:
        assert "it/s" in text
    if columns >= 100:
        assert "██████████" in text
    if columns >= 200:
        assert text.startswith("reaction_double_gn_fp64 seed 0  ██")


def test_what_was_reported_last_is_shown_before_the_end(tmp_path, capsys, clock):
    shown = Progress("run", 100, log=tmp_path / "run.log", interval=10)
    shown.update(0, 1.0, 1.0)
    shown.update(50, 0.5, 0.75)
    shown.say("50 iterations, stopped by tolerance")
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert "50/100  loss 5.00e-01  test 7.50e-01" in lines[1]
    assert lines[2:] == ["run  50 iterations, stopped by tolerance"]
    assert (tmp_path / "run.log").read_text().splitlines() == lines


def test_a_bar_is_full_only_at_the_end_and_a_pace_is_readable(capsys, clock):
    shown = Progress("run", 1000, interval=0)
    shown.update(0, 1.0, None)
    clock[0] += 0.5
    shown.update(999, 1.0, None)
    line = capsys.readouterr().err.splitlines()[-1]
    assert "█" * 20 not in line
    assert "1,998 it/s" in line


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
