"""About how long training takes here.

Archived runs say what an iteration of a cell cost on the machine that trained them, a short run
says how much slower or faster this one is. Nothing is known of cells that no archive has.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from double_pinn.configuration.settings import RunSettings
from double_pinn.errors import DataError
from double_pinn.results.netcdf import read_dataset
from double_pinn.results.runs import settings_of

#: Below this many seconds, on the archive's machine, measuring this one takes too long.
WORTH_MEASURING = 300.0
#: Iterations of the short run.
PROBE_ITERATIONS = 300
_PROBE_OPTIMIZER = "lbfgs"  # compiles in seconds


class Training(NamedTuple):
    """Training jobs of a cell that are to be done.

    Attributes:
        settings: of the cell.
        begins: iterations that each of them has had already, one number a seed.
        threads: cores of each.
    """

    settings: RunSettings
    begins: Sequence[int]
    threads: int


class Timing(NamedTuple):
    """What an archived run took.

    Attributes:
        settings: of its cell.
        start: seconds until its first logged step, compilation included.
        iteration: seconds an iteration after that.
        first: number of that step.
        stopped: iterations after which a rule ended it; 0: its budget did.
    """

    settings: RunSettings
    start: float
    iteration: float
    first: int
    stopped: int

    def seconds(self, budget: int, begin: int = 0) -> float:
        """Return the seconds that a run of this cell takes.

        Args:
            budget: of iterations, from the seed on.
            begin: iterations that it has had already.
        """
        count = min(budget, self.stopped or budget)
        return self.start + self.iteration * max(0, count - begin - self.first)


class Pace(NamedTuple):
    """How fast this machine is.

    Attributes:
        ratio: seconds here of what takes a second on the archive's machine.
        start: seconds in which a process starts here.
        words: what was measured.
    """

    ratio: float
    start: float
    words: str


def timings(archives: Path) -> list[Timing]:
    """Return what every archived run took, of those in which it can be read.

    Args:
        archives: folder of the archives, one folder a scale.
    """
    found = map(timing_of, sorted(archives.glob("*/runs/*/seed*.nc")))
    return [timing for timing in found if timing is not None]


def timing_of(path: Path) -> Timing | None:
    """Return what a finished run took; ``None`` if its file does not say.

    It may be damaged, its history too short, its settings those of another time.
    """
    try:
        run = read_dataset(path, require=("wall_time", "iteration"))
        settings = settings_of(run, path)
    except (DataError, KeyError):
        return None
    seconds = np.asarray(run["wall_time"], float)
    iterations = np.asarray(run["iteration"], int)
    if len(iterations) < 3 or iterations[-1] <= iterations[1]:
        return None
    rate = (seconds[-1] - seconds[1]) / (iterations[-1] - iterations[1])
    stopped = run.attrs.get("stop_reason") != "max_iterations"
    return Timing(
        settings,
        float(seconds[1]),
        float(rate),
        int(iterations[1]),
        int(iterations[-1]) if stopped else 0,
    )


def announcement(
    trainings: Sequence[Training],
    others: int,
    cores: int,
    archived: Iterable[Timing],
    measure: Callable[[Timing, int], Pace],
) -> str:
    """Return how many jobs there are, and about how long they take.

    Args:
        trainings: what is to be trained.
        others: number of the other jobs.
        cores: that work at once.
        archived: what archived runs took.
        measure: runs a cell as an archived run did, on so many cores, and says how fast it is here.
    """
    known = {_what(timing.settings): timing for timing in archived}
    jobs, unknown = [], 0
    for training in trainings:
        if timing := known.get(_what(training.settings)):
            budget = training.settings.stopping.max_iterations
            threads = min(training.threads, cores)
            jobs += [(timing.seconds(budget, begin), threads) for begin in training.begins]
        else:
            unknown += len(training.begins)
    count = sum(len(training.begins) for training in trainings)
    said = f"{_counted(count, 'training job')} and {_counted(others, 'other')}"
    if not jobs:
        return f"{said}; no archive has timed them" if count else said
    span, where = makespan(jobs, cores), f"on {_counted(cores, 'core')}"
    probes = [t for t in known.values() if t.settings.optimizer.name == _PROBE_OPTIMIZER]
    pace = None
    if span >= WORTH_MEASURING and probes:
        try:
            cheapest = min(probes, key=lambda timing: timing.iteration)
            pace = measure(cheapest, min(cores, len(jobs)))
        except (OSError, DataError, subprocess.CalledProcessError) as error:
            # It must not keep anybody from training.
            said = f"this machine could not be measured ({error}); {said}"
    if pace:
        span = span * pace.ratio + others * pace.start / cores
        said = f"{said}, about {in_words(span)} {where} ({pace.words})"
    else:
        said = f"{said}, about {in_words(span)} {where} as fast as those of the archive"
    if unknown:
        said += f"; {unknown:,} of the training jobs no archive has timed, they come on top"
    return said


def makespan(jobs: Iterable[tuple[float, int]], cores: int) -> float:
    """Return the seconds in which jobs end that are begun by length, the longest first.

    Args:
        jobs: seconds and cores of each.
        cores: how many there are.
    """
    free = [0.0] * cores
    for seconds, threads in sorted(jobs, reverse=True):
        free.sort()
        free[:threads] = [free[threads - 1] + seconds] * threads
    return max(free)


def measure(timing: Timing, processes: int) -> Pace:
    """Train a cell for a few iterations, in several processes at once, as the workflow will.

    Args:
        timing: of an archived run of that cell.
        processes: how many.

    Raises:
        subprocess.CalledProcessError: if one of them fails.
        DataError: if none says how long it took.
    """
    settings = timing.settings.as_dict()
    settings["stopping"]["max_iterations"] = PROBE_ITERATIONS
    with TemporaryDirectory() as folder:
        told = Path(folder) / "settings.json"
        told.write_text(json.dumps(settings), encoding="utf-8")
        outputs = [Path(folder) / f"{k}.nc" for k in range(processes)]
        began = time.perf_counter()
        train = [sys.executable, "-m", "double_pinn.cli", "train", "--seed", "0", "--threads", "1"]
        running = [
            subprocess.Popen(
                [*train, "--settings", str(told), "--output", str(output)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for output in outputs
        ]
        # All of them: none must go on in a folder that is gone.
        if failed := [process for process in running if process.wait()]:
            raise subprocess.CalledProcessError(failed[0].returncode, failed[0].args)
        elapsed = time.perf_counter() - began
        here = [found for output in outputs if (found := timing_of(output))]
    if not here:
        raise DataError("its times are too short")
    iteration = float(np.mean([found.iteration for found in here]))
    training = max(found.seconds(PROBE_ITERATIONS) for found in here)
    words = (
        f"an iteration of {settings['cell']} takes {iteration * 1e3:.0f} ms here, and "
        f"{timing.iteration * 1e3:.0f} ms in the archive"
    )
    return Pace(iteration / timing.iteration, max(0.0, elapsed - training), words)


def _what(settings: RunSettings) -> str:
    """Return what decides how long an iteration takes."""
    kept = {k: v for k, v in settings.resolved().items() if k not in ("cell", "stopping")}
    return json.dumps(kept, sort_keys=True)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def in_words(seconds: float) -> str:
    """Return a duration in whole minutes, hours or days; the shortest is a minute."""
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return _counted(minutes, "minute")
    hours = round(minutes / 60)
    return _counted(hours, "hour") if hours < 48 else _counted(round(hours / 24), "day")
