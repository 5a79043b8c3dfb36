"""Kill training runs at random moments, many times, and see whether anything is lost.

    python tests/faults/kill_campaign.py [--kills 100] [--seed 0]

Each run is killed by SIGKILL at random moments and started again until it has ended; what it wrote
must equal, bit for bit, what an uninterrupted run wrote, and every start must go on from the newest
complete checkpoint. Takes some minutes; docs/faults.md holds the result of one campaign. The exit
status is 1 if anything was lost.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from jobs import Nursery, Run, identical, wait_for


def traces(run: Run) -> tuple[set, set, set]:
    """Return the unfinished files, unfinished checkpoints and complete checkpoints of a run."""
    return set(run.unfinished_output()), set(run.partial()), set(run.complete())


def stage(run: Run, before: tuple[set, set, set]) -> str:
    """Say what a job that was just killed had been doing, from the traces that it left."""
    files, partial, complete = (now - old for now, old in zip(traces(run), before, strict=True))
    if files:
        return "while the netCDF was written"
    if partial:
        return "while a checkpoint was written"
    if run.output.exists():
        return "after the netCDF was complete"
    if complete:
        return "after a checkpoint"
    return "before its first checkpoint"


def lines(run: Run) -> int:
    """Return how often its jobs have said how far they are: each says so before it trains."""
    return run.log.read_text().count(" % ") if run.log.exists() else 0


def live(run: Run, job, said: int, chance: random.Random, duration: float):
    """Let a job live until a random moment: mostly some way into training, sometimes any."""
    if chance.random() < 0.8:
        wait_for(lambda: lines(run) > said, job)
        duration *= 0.8  # training; the rest is the start
    time.sleep(chance.uniform(0.0, duration))


def kill_and_finish(run: Run, nursery, chance, duration, stages: Counter, expected) -> list[str]:
    """Kill one run a few times, let it end, and return what is wrong with it."""
    continues = []
    for _ in range(chance.randint(1, 6)):
        before, said = traces(run), lines(run)
        job = run.start(nursery)
        live(run, job, said, chance, duration)
        job.kill()
        if job.wait() == 0:
            continue  # it had ended before
        stages[stage(run, before)] += 1
        continues.append(max(run.complete(), default=0))
    dataset = run.finish(nursery)
    wrong = []
    if not identical(dataset, expected):
        wrong.append("other numbers")
    # A job that was killed before it had read its checkpoints has said nothing.
    if not set(run.continued()) <= {Run.END, *continues}:
        wrong.append(f"continued from {run.continued()}, checkpoints {continues}")
    newest = max(continues, default=0)
    if newest and run.continued()[-1] not in (newest, Run.END):
        wrong.append(f"continued from {run.continued()[-1]}, not from {newest}")
    if run.continued() != sorted(run.continued()):
        wrong.append(f"went back: {run.continued()}")
    if run.partial():
        wrong.append("an unfinished checkpoint stayed")
    return wrong


def campaign(kills: int, seed: int, folder: Path) -> bool:
    """Kill until so many jobs went on; print what happened, return whether nothing was lost."""
    chance, stages, runs, resumed, wrong = random.Random(seed), Counter(), 0, 0, []
    with Nursery(folder / "nursery") as nursery:
        expected = Run(folder / "uninterrupted").finish(nursery)
        begun = time.monotonic()
        Run(folder / "timed").finish(nursery)  # now that everything is compiled
        duration = time.monotonic() - begun
        while min(stages.total(), resumed) < kills:
            runs += 1
            run = Run(folder / f"run{runs}")
            found = kill_and_finish(run, nursery, chance, duration, stages, expected)
            resumed += len(run.continued())
            wrong += [f"run {runs}: {what}" for what in found]
            print(
                f"{stages.total()} of {kills} kills, {resumed} went on, {runs} runs",
                *found,
                file=sys.stderr,
            )
    print(f"{stages.total()} kills over {runs} runs of about {duration:.1f} s each:")
    print(f"  {resumed:4d}  times a job went on from the newest checkpoint; the kills came")
    for name, count in stages.most_common():
        print(f"  {count:4d}  {name}")
    print("nothing was lost" if not wrong else "\n".join(wrong))
    return not wrong


def main() -> int:
    """Run the campaign in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nursery").mkdir()
        return 0 if campaign(arguments.kills, arguments.seed, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
