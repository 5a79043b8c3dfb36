"""One peer in one process, driven line by line: JSON requests on stdin, JSON replies on stdout.

The first reply, ``{"ready": ...}``, comes when training could start; the second holds the first
loss. Then every request has one reply:

``{"do": "turn", "seconds": s, "evaluations": k}``
    train for about s seconds, then time k evaluations of value and gradient;
``{"do": "rates", "library": name}``
    measure the machine;
``{"do": "end"}``
    peak memory, and the process ends.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks.cases import load_case
from benchmarks.peers import load_peer


class Turns:
    """Turns of a given length, with as few calls of ``advance`` as the pace allows."""

    def __init__(self, peer):
        self._peer, self._pace = peer, 0.0

    def turn(self, seconds: float, evaluations: int) -> dict:
        """Train for about ``seconds``, an iteration at least unless it is 0; time evaluations."""
        done = {"seconds": 0.0, "iterations": 0, "evaluations": 0}
        remaining = seconds
        while remaining > self._pace / 2 or (seconds and not done["iterations"]):
            calls = max(1, round(remaining / self._pace)) if self._pace else 1
            stretch = self._peer.advance(calls)
            self._pace = stretch.seconds / calls
            remaining -= stretch.seconds
            for key, value in stretch._asdict().items():
                done[key] += value
        return {**done, "evaluation_seconds": self._time(evaluations), "loss": self._peer.loss()}

    def _time(self, evaluations: int) -> list[float]:
        if evaluations and hasattr(self._peer, "evaluation_seconds"):
            return [self._peer.evaluation_seconds(evaluations)]
        times = []
        for _ in range(evaluations):
            started = time.perf_counter()
            self._peer.loss()
            times.append(time.perf_counter() - started)
        return times


def _peak_memory() -> int:
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * (1 if sys.platform == "darwin" else 1024)


def serve(name: str, case_file: str, options: dict, requests, reply):
    """Build a peer and answer requests until ``end``."""
    peer = load_peer(name)(load_case(Path(case_file)), **options)
    reply({"ready": True})
    reply({"loss": peer.loss(), "versions": peer.versions})
    turns, peak = Turns(peer), None
    for line in requests:
        request = json.loads(line)
        if request["do"] == "turn":
            reply(turns.turn(request["seconds"], request["evaluations"]))
        elif request["do"] == "rates":
            from benchmarks.machine import measure_rates

            # What is measured here is no need of the peer.
            peak = peak or _peak_memory()
            reply(measure_rates(request["library"]))
        else:
            reply({"peak_memory": peak or _peak_memory()})
            return


def main(name: str, case_file: str, cores: str, options: str):
    """Serve on stdin and stdout; whatever a library prints goes to stderr."""
    # Before any library looks how many cores there are.
    os.sched_setaffinity(0, json.loads(cores))
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    reply = lambda values: print(json.dumps(values), file=replies, flush=True)  # noqa: E731
    serve(name, case_file, json.loads(options), sys.stdin, reply)


if __name__ == "__main__":
    main(*sys.argv[1:])
