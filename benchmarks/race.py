"""The race: all peers on one case, turn by turn."""

import math
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.processes import BenchmarkError, Worker

# All peers must start from the same loss to this relative difference: in FP64, and in FP32, where
# sums of many squares differ by more than their rounding.
SAME_LOSS, SAME_LOSS_FP32 = 1e-10, 1e-4
TURNS = 5
SLOW_TURNS = 2  # for a sequence model, whose evaluation takes seconds
# Libraries in which a role can measure the machine.
_LIBRARIES = {"project": ("xla", "numpy"), "pytorch": ("torch",)}


def check_same_loss(losses: dict[str, float], tolerance: float = SAME_LOSS):
    """Compare the losses at the start.

    Raises:
        BenchmarkError: if a peer does not minimise the same function.
    """
    first = next(iter(losses.values()))
    for peer, loss in losses.items():
        if not abs(loss - first) <= tolerance * abs(first):
            every = ", ".join(f"{name} {value!r}" for name, value in losses.items())
            raise BenchmarkError(f"{peer} starts from another loss than the others: {every}")


def run_case(
    case_file: Path,
    peers: list[str],
    pythons: dict[str, str],
    cores: list[int],
    seconds: float,
    say,
    *,
    single: bool = False,
) -> dict:
    """Race on one case.

    Args:
        case_file: the case.
        peers: who takes part, in the order of their turns.
        pythons: interpreter of each peer and of the role ``evaluation``.
        cores: to run on.
        seconds: of training for each peer.
        say: called with lines of progress.
        single: whether the case is in FP32 and slow; then nothing else is measured.

    Returns:
        ``peers``: for each, its start-up, peak memory and turns; ``evaluation``: turns of this
        project in FP32; ``rates``: lists of measured rates; ``versions``.

    Raises:
        BenchmarkError: if a peer fails or starts from another loss.
    """
    begun = time.perf_counter()
    with ExitStack() as stack:

        def start(role, **options):
            worker = Worker(role, case_file, cores, pythons[role], **options)
            return stack.enter_context(worker)

        workers = {peer: start(peer) for peer in peers}
        losses = {peer: worker.loss for peer, worker in workers.items()}
        check_same_loss(losses, SAME_LOSS_FP32 if single else SAME_LOSS)
        if "project" in workers and not single:
            workers["evaluation"] = start("evaluation", precision="fp32", train=False)
        turns = {role: [] for role in workers}
        rates = []
        rounds = SLOW_TURNS if single else TURNS
        for k in range(rounds):
            for role, worker in workers.items():
                trained = sum(turn["seconds"] for turn in turns[role])
                # A turn that the one before has used up still takes an iteration.
                share = max(seconds * (k + 1) / rounds - trained, 1e-6)
                if role == "evaluation":
                    share = 0.0
                count = 1 if single else _evaluations(turns[role])
                turns[role].append(worker.ask(do="turn", seconds=share, evaluations=count))
                # Three looks at the machine are enough, and a look costs half a second.
                for library in _LIBRARIES.get(role, ()) if k % 2 == 0 and not single else ():
                    measured = worker.ask(do="rates", library=library)
                    rates.append({"library": library, **measured})
        results = {
            role: {
                "startup_seconds": worker.startup_seconds,
                "initial_loss": worker.loss,
                "turns": turns[role],
                "peak_memory": worker.end(),
            }
            for role, worker in workers.items()
        }
        versions = {k: v for worker in workers.values() for k, v in worker.versions.items()}
    pace = "  ".join(
        f"{PEERS[p].title} {1e3 * _seconds_per_iteration(turns[p]):.1f} ms" for p in peers
    )
    say(f"{case_file.stem}: {pace}  ({time.perf_counter() - begun:.0f} s)")
    evaluation = results.pop("evaluation", None)
    return {"peers": results, "evaluation": evaluation, "rates": rates, "versions": versions}


def _seconds_per_iteration(turns: list[dict]) -> float:
    return sum(t["seconds"] for t in turns) / max(1, sum(t["iterations"] for t in turns))


def _evaluations(turns: list[dict]) -> int:
    """Return how many evaluations fit into a quarter of a second, one at least."""
    times = [t for turn in turns for t in turn["evaluation_seconds"]]
    return 3 if not times else max(1, math.floor(0.25 / min(times)))
