"""A watch: lines at intervals, and an end to what would take too long."""

import pytest

from double_pinn.errors import UserError
from double_pinn.results import watch as module
from double_pinn.results.watch import Watch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told."""
    now = [50.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def worked(watch, clock, seconds, work=1.0):
    for _ in range(seconds):
        clock[0] += 1
        watch.advance(work)


def test_a_line_every_ten_seconds_with_what_is_left(clock, capsys):
    with Watch("the solution", 1000.0, "wait") as watch:
        watch.begin(40)
        worked(watch, clock, 4)
        assert capsys.readouterr().err == ""  # not worth a line
        worked(watch, clock, 21)
    assert capsys.readouterr().err.splitlines() == [
        "the solution is at 12 %, about 35 seconds left",
        "the solution is at 38 %, about 25 seconds left",
        "the solution is at 62 %, about 15 seconds left",
    ]


def test_lines_go_where_they_are_told(clock, capsys):
    said = []
    with Watch("it", 1000.0, "wait", said.append) as watch:
        watch.begin(10)
        worked(watch, clock, 5)
    assert said == ["it is at 50 %, about 5 seconds left"]
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line(clock, capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with Watch("it", 1000.0, "wait") as watch:
        watch.begin(10)
        worked(watch, clock, 6)
    assert capsys.readouterr().err == (
        "\rit is at 50 %, about 5 seconds left\033[K\rit is at 60 %, about 4 seconds left\033[K\n"
    )


def test_what_would_take_too_long_ends_as_soon_as_the_pace_is_known(clock):
    watch = Watch("the solution", 3600.0, "take less")
    watch.begin(720_000)
    with pytest.raises(UserError, match="would take about 10 days, and may take 60 minutes; take"):
        worked(watch, clock, 100, work=0.8)
    assert clock[0] == 50 + module.KNOWN_AFTER


def test_all_parts_count(clock):
    watch = Watch("it", 30.0, "take less")
    watch.begin(20)
    worked(watch, clock, 20)
    watch.begin(40)
    with pytest.raises(UserError, match="it would take about 1 minute"):
        worked(watch, clock, 20)
