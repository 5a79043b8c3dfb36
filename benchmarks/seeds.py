"""Several seeds of one cell: in one process side by side, or in processes of their own."""

import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import Worker

TURNS = 5


class Arrangement(NamedTuple):
    """A way to train several seeds.

    Attributes:
        processes: that run at the same time.
        cores: of each.
        seeds: of each, by ``jax.vmap``.
    """

    processes: int
    cores: int
    seeds: int

    @property
    def title(self) -> str:
        """The arrangement in words."""
        processes = f"{self.processes} process{'es' * (self.processes > 1)}"
        cores = f"{self.cores} core{'s' * (self.cores > 1)}"
        seeds = "one seed" if self.seeds == 1 else f"{self.seeds} seeds side by side"
        return f"{processes} of {cores}, {seeds}{' each' * (self.processes > 1)}"


def arrangements(cores: int) -> list[Arrangement]:
    """Return what is worth comparing on so many cores; the first is one seed alone."""
    together = [Arrangement(1, cores, seeds) for seeds in (1, 2, 4)]
    apart = [Arrangement(cores, 1, seeds) for seeds in (1, 2)] if cores > 1 else []
    return together + apart


def measure_seeds(case_file: Path, python: str, cores: list[int], seconds: float, say) -> list:
    """Measure every arrangement, turn by turn.

    Args:
        case_file: the case.
        python: interpreter with this project.
        cores: to run on.
        seconds: of training for each arrangement.
        say: called with lines of progress.

    Returns:
        One dictionary an arrangement: ``arrangement``, ``processes``, ``cores_each``,
        ``seeds_each``, ``seconds_per_seed_iteration`` and ``peak_memory_mib`` of all processes.
    """
    with ExitStack() as stack:
        groups = {}
        for a in arrangements(len(cores)):
            parts = [cores[i * a.cores : (i + 1) * a.cores] for i in range(a.processes)]
            groups[a] = [
                stack.enter_context(Worker("seeds", case_file, part, python, seeds=a.seeds))
                for part in parts
            ]
        paces = {a: [] for a in groups}
        for _ in range(TURNS):
            for a, workers in groups.items():
                for worker in workers:
                    worker.send(do="turn", seconds=seconds / TURNS, evaluations=0)
                turns = [worker.receive() for worker in workers]
                paces[a].append(1 / sum(turn["iterations"] / turn["seconds"] for turn in turns))
        rows = []
        for a, workers in groups.items():
            rows.append(
                {
                    "case": case_file.stem,
                    "arrangement": a.title,
                    "processes": a.processes,
                    "cores_each": a.cores,
                    "seeds_each": a.seeds,
                    "seconds_per_seed_iteration": statistics.median(paces[a]),
                    "peak_memory_mib": sum(worker.end() for worker in workers) / 2**20,
                }
            )
            say(f"{case_file.stem}: {a.title}: {1e3 * statistics.median(paces[a]):.1f} ms")
    return rows
