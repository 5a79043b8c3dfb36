"""Training jobs in processes of their own, started quickly, so that many can be killed.

Most of a short job's time goes into importing. A nursery is a process that has imported everything
but has not started JAX; it forks a child for each job, which then is like one from the shell.
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = {
    "cell": "tiny",
    "equation": {"name": "convection", "parameters": {"beta": 30.0}},
    "network": {"hidden_layers": 2, "width": 16},
    "precision": "fp64",
    "regularizer": {"name": "none", "weight": 0.0},
    "points": {"nx": 10, "nt": 10, "edge": 20},
    "test_points": {"domain": 200, "edge": 50, "seed": 1},
    "optimizer": {"name": "lbfgs", "memory": 20},
    "stopping": {"max_iterations": 8000, "check_every": 200, "tolerance": 0.0},
    "logging": {"every": 500},
}


class Job:
    """A process that the nursery started."""

    def __init__(self, nursery, pid: int, output: Path):
        self.nursery, self.pid, self.output = nursery, pid, output

    def kill(self, number: int = signal.SIGKILL):
        """Send a signal; the job may have ended by itself."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; return the exit status, or minus the signal that killed it."""
        return self.nursery.ask({"wait": self.pid})

    def runs(self) -> bool:
        """Whether it has not ended; it stays a zombie until it is waited for."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"

    @property
    def said(self) -> str:
        """What it wrote to its standard output and error."""
        return self.output.read_text(errors="replace")


class Nursery:
    """Starts jobs; a context.

    Attributes:
        folder: where the compilations are kept, and what the jobs say.
    """

    def __init__(self, folder: Path):
        self.folder, self._count = Path(folder), 0

    def __enter__(self):
        environment = {
            "JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        return self

    def __exit__(self, *exc_info):
        self._server.communicate()

    def ask(self, request: dict) -> int:
        """Send a request to the server and return its answer."""
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())

    def start(self, *arguments, limits: dict[str, int] | None = None, stuck: float = 60.0) -> Job:
        """Start ``double-pinn`` with arguments.

        Args:
            *arguments: of the command line.
            limits: resource limits, such as ``{"RLIMIT_FSIZE": 50_000}``.
            stuck: seconds after which a write that hangs ends the job.
        """
        self._count += 1
        output = self.folder / f"job{self._count}.txt"
        request = {
            "arguments": [str(a) for a in arguments],
            "limits": limits or {},
            "stuck": stuck,
            "output": str(output),
        }
        return Job(self, self.ask(request), output)


class Run:
    """One training run: its settings, output, log and checkpoints in one folder."""

    END = SETTINGS["stopping"]["max_iterations"]

    def __init__(self, folder: Path, output: Path | None = None, checkpoints: Path | None = None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = self.folder / "settings.json"
        self.settings.write_text(json.dumps(SETTINGS))
        self.output = output or self.folder / "runs" / "seed0.nc"
        self.log = self.folder / "seed0.log"
        self.checkpoints = checkpoints or self.folder / "checkpoints"

    @property
    def arguments(self) -> list:
        """Of the command that trains it."""
        return [
            *["train", "--settings", self.settings, "--seed", 0, "--output", self.output],
            *["--checkpoints", self.checkpoints, "--checkpoint-seconds", 0.1, "--log", self.log],
            *["--threads", 1, "--progress-seconds", 1],
        ]

    def start(self, nursery: Nursery, **options) -> Job:
        """Start it, or go on with it."""
        return nursery.start(*self.arguments, **options)

    def finish(self, nursery: Nursery):
        """Run it to its end, and return what it wrote."""
        job = self.start(nursery)
        assert job.wait() == 0, job.said
        return self.dataset()

    def dataset(self):
        """Return what it wrote, but for the time it took."""
        from double_pinn.results import netcdf as store

        return store.read_dataset(self.output).drop_vars("wall_time").assign_attrs(peak_memory=0)

    def complete(self) -> list[int]:
        """Return the iterations of its complete checkpoints, the newest last."""
        names = [p.name for p in self.checkpoints.glob("[0-9]*")]
        return sorted(int(name.partition("-")[0]) for name in names)

    def partial(self) -> list[Path]:
        """Return the checkpoints that are being written, or were when the job was killed."""
        return list(self.checkpoints.glob("partial-*"))

    def unfinished_output(self) -> list[Path]:
        """Return the netCDF files that are being written."""
        return list(self.output.parent.glob(f".{self.output.stem}.*.tmp{self.output.suffix}"))

    def continued(self) -> list[int]:
        """Return the iterations that its jobs said they continue from."""
        text = self.log.read_text() if self.log.exists() else ""
        found = re.findall(r"continues from iteration ([\d,]+)", text)
        return [int(number.replace(",", "")) for number in found]


def identical(a, b) -> bool:
    """Whether two runs hold the same numbers, bit for bit: history, parameters, stop."""
    keys = ("iterations_run", "stop_reason")
    return a.equals(b) and all(a.attrs[k] == b.attrs[k] for k in keys)


def wait_for(condition, job: Job | None = None, seconds: float = 120.0) -> bool:
    """Wait until a condition holds; return whether it did before the job ended."""
    end = time.monotonic() + seconds
    while not condition():
        if job is not None and not job.runs():
            return False
        assert time.monotonic() < end, "waited in vain" + (job.said if job else "")
        time.sleep(0.001)
    return True


def _serve():
    import double_pinn.results.netcdf
    import double_pinn.running.training  # noqa: F401 - with all that it imports
    from double_pinn.cli import main
    from double_pinn.running import checkpoints

    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            said = os.open(request["output"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(said, stream)
            checkpoints._STUCK_SECONDS = request["stuck"]
            for name, limit in request["limits"].items():
                resource.setrlimit(getattr(resource, name), (limit, limit))
            status = 1
            with contextlib.suppress(SystemExit):
                status = main(request["arguments"])
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        print(pid, flush=True)


if __name__ == "__main__":
    _serve()
