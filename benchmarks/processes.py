"""Workers as seen from outside: started, asked in turn, and stopped while it is others' turn."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers import ROLES

ROOT = Path(__file__).parent.parent


class BenchmarkError(Exception):
    """A measurement that cannot be made or must not be believed; the message is for the user."""


class Worker:
    """A peer in its own process.

    Between requests the process is stopped: threads that spin while they wait, or clean up, take
    no time from the others.

    Attributes:
        startup_seconds: from the start of the process until training could begin.
        loss: the loss it starts from.
        versions: what it runs on.
    """

    def __init__(self, role: str, case_file: Path, cores: list[int], python: str, **options):
        """Start, and wait until the peer is built.

        Raises:
            BenchmarkError: if it cannot be built.
        """
        self.role = role
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        started = time.perf_counter()
        options = {**options, "threads": len(cores)}
        self._process = subprocess.Popen(
            [
                *(python, "-m", "benchmarks.worker", role, str(case_file)),
                *(json.dumps(cores), json.dumps(options)),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self._read()
            self.startup_seconds = time.perf_counter() - started
            first = self._read()
            self.loss, self.versions = first["loss"], first["versions"]
            self._signal(signal.SIGSTOP)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _signal(self, number):
        os.kill(self._process.pid, number)

    def _read(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log.seek(0)
            tail = "".join(self._log.readlines()[-15:])
            raise BenchmarkError(f"{ROLES[self.role].title} ended early:\n{tail}")
        return json.loads(line)

    def send(self, **request):
        """Send a request without waiting for the reply."""
        self._signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict:
        """Wait for the reply.

        Raises:
            BenchmarkError: if the worker died.
        """
        reply = self._read()
        self._signal(signal.SIGSTOP)
        return reply

    def ask(self, **request) -> dict:
        """Send a request and return the reply."""
        self.send(**request)
        return self.receive()

    def end(self) -> int:
        """End the process; return its peak memory in bytes."""
        self.send(do="end")
        return self._read()["peak_memory"]


def export_cases(names: list[str], folder: Path):
    """Write case files; in a process of its own, so that this one stays small.

    A process starts with the memory of the one that starts it in its account.

    Raises:
        BenchmarkError: if a case cannot be written.
    """
    command = [sys.executable, "-m", "benchmarks.export", str(folder), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the cases cannot be written:\n{done.stderr[-2000:]}")
