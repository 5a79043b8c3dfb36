"""How long training takes here: from archived runs, and from how fast this machine is."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from double_pinn.configuration.campaign import Campaign
from double_pinn.configuration.settings import load_settings, settings_from_dict
from double_pinn.results import duration
from double_pinn.results.duration import Pace, Timing, Training, announcement, makespan
from double_pinn.showing.figures import figure_numbers

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"


@pytest.fixture
def timed(plain_settings, tmp_path):
    """``timed(wall_time, iterations, ...)``: what a run with these times took."""

    def build(wall_time, iterations, stop_reason="max_iterations", **changes):
        run = xr.Dataset(
            {"wall_time": ("iteration", np.asarray(wall_time, float))},
            {"iteration": np.asarray(iterations, int)},
            {"settings": json.dumps({**plain_settings(), **changes}), "stop_reason": stop_reason},
        )
        run.to_netcdf(tmp_path / "run.nc")
        return duration.timing_of(tmp_path / "run.nc")

    return build


@pytest.fixture
def settings(plain_settings):
    """``settings(name, budget, optimizer, nx)``."""

    def build(name="a", budget=100, optimizer="lbfgs", nx=4):
        changes = {"stopping__max_iterations": budget, "points__nx": nx}
        told = plain_settings(**changes) | {"cell": name, "optimizer": {"name": optimizer}}
        return settings_from_dict(told)

    return build


@pytest.fixture
def timing(settings):
    """``timing(start, iteration, ...)`` of an archived run."""

    def build(start=10.0, iteration=2.0, first=0, stopped=0, **changes):
        return Timing(settings(**changes), start, iteration, first, stopped)

    return build


def no_measure(timing, processes):
    raise AssertionError("nothing is worth measuring")


def no_pace(timing, processes):
    return Pace(1.0, 0.0, "as there")


def twice_as_slow(timing, processes):
    return Pace(2.0, 6.0, f"{processes} of {timing.settings.cell}")


def test_a_run_tells_its_start_and_its_iterations(timed):
    found = timed([3, 20, 30, 40], [0, 100, 200, 300])
    assert (found.start, found.iteration, found.first, found.stopped) == (20, 0.1, 100, 0)
    assert found.seconds(1100) == pytest.approx(20 + 100)
    assert found.seconds(50) == 20
    assert found.seconds(1100, begin=600) == pytest.approx(20 + 40)
    assert found.seconds(1100, begin=1100) == 20


def test_a_run_that_a_rule_ended_ends_there_again(timed):
    found = timed([3, 20, 30, 40], [0, 100, 200, 300], "tolerance")
    assert found.seconds(10**6) == pytest.approx(40)
    assert found.seconds(200) == pytest.approx(30)


@pytest.mark.parametrize("iterations", [[], [0], [0, 100], [0, 100, 100]])
def test_a_history_that_is_too_short_tells_nothing(timed, iterations):
    assert timed(np.arange(len(iterations)), iterations) is None


def test_what_cannot_be_read_is_left_out(timed, tmp_path):
    assert timed([3, 20, 30, 40], [0, 100, 200, 300], optimizer={"name": "forgotten"}) is None
    folder = tmp_path / "laptop" / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "seed0.nc").write_bytes(b"rubbish")
    assert duration.timings(tmp_path) == []


@pytest.mark.parametrize(
    ("jobs", "cores", "seconds"),
    [
        ([(5, 1)], 2, 5),
        ([(5, 1), (3, 1), (2, 1)], 2, 5),
        ([(5, 1), (4, 1), (3, 1)], 2, 7),
        ([(5, 2), (4, 1), (3, 1)], 2, 9),
        ([(5, 2), (4, 1)], 3, 5),
        ([(1, 1)] * 7, 3, 3),
    ],
)
def test_jobs_are_laid_out_over_the_cores(jobs, cores, seconds):
    assert makespan(jobs, cores) == seconds


def test_a_short_campaign_is_not_worth_measuring(settings, timing):
    said = announcement(
        [Training(settings(), [0, 0], 1)], 3, 2, [timing(iteration=0.2)], no_measure
    )
    assert said == (
        "2 training jobs and 3 others, about 1 minute on 2 cores as fast as those of the archive"
    )


def test_a_long_one_is_measured_here(settings, timing):
    todo = [Training(settings(budget=1000), [0, 0], 1)]
    archived = [timing(start=0, name="a"), timing(iteration=1.0, name="b", nx=3)]
    said = announcement(todo, 20, 2, archived, twice_as_slow)
    # 2,000 s there, 4,000 here, and 20 starts of 6 s on two cores; b is the cheapest to measure.
    assert said == "2 training jobs and 20 others, about 68 minutes on 2 cores (2 of b)"


def test_what_a_run_has_had_already_takes_no_time(settings, timing):
    todo = [Training(settings(budget=4000), [0, 3000, 4000], 1)]
    said = announcement(todo, 0, 1, [timing(start=0, iteration=1.0)], no_pace)
    assert "3 training jobs and 0 others, about 83 minutes on 1 core" in said


def test_what_is_compared_is_all_but_budget_and_name(settings, timing):
    archived = [timing(name="other", budget=7, iteration=0.1)]
    known = announcement([Training(settings(), [0], 1)], 0, 1, archived, no_measure)
    assert "about 1 minute on 1 core as fast" in known
    unknown = announcement([Training(settings(nx=5), [0], 1)], 0, 1, archived, no_measure)
    assert unknown == "1 training job and 0 others; no archive has timed them"


def test_what_nobody_has_timed_is_named(settings, timing):
    todo = [Training(settings(), [0], 1), Training(settings(nx=5), [0, 0, 0], 1)]
    said = announcement(todo, 0, 1, [timing()], no_measure)
    assert said.endswith("; 3 of the training jobs no archive has timed, they come on top")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(20, "1 minute"), (3540, "59 minutes"), (4 * 3600, "4 hours"), (30 * 86400, "30 days")],
)
def test_units(seconds, words, settings, timing):
    todo, archived = [Training(settings(), [0], 1)], [timing(start=seconds, iteration=0.0)]
    said = announcement(todo, 0, 1, archived, no_pace)
    assert f"about {words} on 1 core" in said


@pytest.mark.parametrize("error", [OSError("full"), subprocess.CalledProcessError(2, "train")])
def test_what_cannot_be_measured_is_said_and_stops_nobody(error, settings, timing):
    def fails(timing, processes):
        raise error

    said = announcement([Training(settings(budget=1000), [0], 1)], 0, 1, [timing()], fails)
    assert said.startswith(f"this machine could not be measured ({error}); 1 training job and ")
    assert said.endswith("about 34 minutes on 1 core as fast as those of the archive")


def test_nothing_to_train(timing):
    assert announcement([], 7, 2, [timing()], no_measure) == "0 training jobs and 7 others"


def test_this_machine_is_measured_by_training(settings_file, monkeypatch):
    monkeypatch.setattr(duration, "PROBE_ITERATIONS", 40)
    plain = load_settings(settings_file(logging__every=10))
    pace = duration.measure(Timing(plain, 1.0, 1e-3, 0, 0), 1)
    assert pace.ratio > 0
    assert pace.start > 0
    assert f"an iteration of {plain.cell} takes" in pace.words
    monkeypatch.setattr(duration, "PROBE_ITERATIONS", -1)
    with pytest.raises(subprocess.CalledProcessError):
        duration.measure(Timing(plain, 1.0, 1e-3, 0, 0), 1)


def test_the_archive_of_the_laptop_times_every_cell_of_it():
    values = [
        yaml.safe_load((CONFIG / f"{name}.yaml").read_text()) for name in ("config", "laptop")
    ]
    resources = {"train": {**values[0]["resources"]["train"], **values[1]["resources"]["train"]}}
    told = {**values[0], **values[1], "resources": {**values[0]["resources"], **resources}}
    campaign = Campaign(told, ["table1", *(f"figure{n}" for n in figure_numbers())], ROOT.joinpath)
    trainings = [Training(campaign.run(cell), [0], 1) for cell in campaign.cells]
    archived = duration.timings(ROOT / "results" / "archive")
    said = announcement(trainings, 0, 2, archived, no_pace)
    assert "on 2 cores (as there)" in said
    assert "no archive" not in said
