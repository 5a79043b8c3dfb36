"""A copy of the repository, and Snakemake run in it on a SLURM of its own."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil
import yaml
from cluster import END_WITH_PARENT, Cluster

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds for anything that SLURM or Snakemake has to notice

# The command as it is; only that training stops in its tracks some way in, while a file `hold` lies
# there. A stopped process costs no processor time and waits as long as a slow machine needs; SLURM
# wakes what it ends.
HOLDING = f"""\
#!{sys.executable}
import os, signal, sys
from pathlib import Path

from double_pinn.cli import main
from double_pinn.running.progress import Progress

HOLD, update = Path("hold"), Progress.update
first, held = [], []


def update_and_hold(self, iteration, *arguments, **options):
    update(self, iteration, *arguments, **options)
    first.append(iteration)
    if iteration > first[0] + 20 and HOLD.exists() and not held:
        held.append(iteration)
        os.kill(os.getpid(), signal.SIGSTOP)


Progress.update = update_and_hold
sys.exit(main())
"""


def wait_for(get, what: str):
    """Return the first true value of ``get()``."""
    deadline = time.monotonic() + PATIENCE
    while not (value := get()):
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.2)
    return value


class Campaign:
    """One workflow on the cluster, started as often as a test likes."""

    def __init__(self, path: Path, cluster: Cluster, overlay: dict, command: str):
        """Copy the repository.

        Args:
            path: where to; a folder that holds nothing of it.
            cluster: where the jobs run.
            overlay: configuration on top of config/smoke.yaml.
            command: a script that stands for ``double-pinn``.
        """
        self.path, self.cluster = path, cluster
        self.snakemake: subprocess.Popen | None = None
        for name in ("config", "envs", "src", "workflow"):
            shutil.copytree(ROOT / name, path / name)
        for name in ("Snakefile", "profiles"):
            shutil.copy2(ROOT / name, path / name, follow_symlinks=False)
        (path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
        (path / "bin").mkdir()
        (path / "bin" / "double-pinn").write_text(command)
        (path / "bin" / "double-pinn").chmod(0o755)
        paths = [path / "bin", sysconfig.get_path("scripts"), cluster.environment["PATH"]]
        self.environment = cluster.environment | {
            "PATH": os.pathsep.join(map(str, paths)),
            "PYTHONPATH": str(path / "src"),
            "XDG_CACHE_HOME": str(path / ".cache"),
            # A job that is started again need not compile again.
            "JAX_COMPILATION_CACHE_DIR": str(path / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }

    # --- The workflow ---

    def start(self, *arguments: str):
        """Start Snakemake; what it says goes to snakemake.log."""
        with open(self.path / "snakemake.log", "ab") as log:
            self.snakemake = subprocess.Popen(
                [
                    *END_WITH_PARENT,
                    *(sys.executable, "-m", "snakemake", "--workflow-profile", "slurm"),
                    *("--slurm-init-seconds-before-status-checks", "2"),
                    "--slurm-keep-successful-logs",
                    *("--configfile", "config/smoke.yaml", "overlay.yaml", "--"),
                    *arguments,
                ],
                cwd=self.path,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def finish(self, patience: float = PATIENCE):
        """Wait for the end of Snakemake and see that all went well."""
        try:
            assert self.snakemake.wait(patience) == 0, self.said()
        finally:
            self.stop()

    def stop(self):
        """End Snakemake if it still runs, so that it cancels its jobs."""
        if self.snakemake is not None and self.snakemake.poll() is None:
            self.snakemake.send_signal(signal.SIGINT)
            self.snakemake.wait(PATIENCE)

    def lose(self):
        """Kill Snakemake, cancel the jobs it left, and make its folder usable again."""
        self.snakemake.kill()
        self.snakemake.wait()
        self.cluster.cancel_all()
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock"],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            check=True,
        )

    def said(self) -> str:
        """Return the end of what Snakemake said."""
        return (self.path / "snakemake.log").read_text()[-20_000:]

    # --- Training ---

    def jobs(self, cell: str) -> list[dict[str, str]]:
        """Return the training jobs of a cell, oldest first."""
        name = f"rule_train_network_wildcards_smoke_{cell}_0"
        ours = [job for job in self.cluster.jobs() if job["WorkDir"] == str(self.path)]
        return [job for job in ours if job.get("Comment") == name]

    def held(self, cell: str, least_attempt: int) -> psutil.Process:
        """Wait until training holds, in this or a later attempt on a cell; return its process."""

        def process():
            assert self.snakemake.poll() is None, self.said()
            jobs = self.jobs(cell)
            if len(jobs) < least_attempt:
                return None
            assert jobs[-1]["JobState"] != "COMPLETED", output(jobs[-1])
            return next((p for p in psutil.process_iter() if _is_held(p, jobs[-1])), None)

        return wait_for(process, f"attempt {least_attempt} to train {cell} to hold")


def output(job: dict[str, str]) -> str:
    """Return what a job wrote."""
    path = Path(job["StdOut"])
    return path.read_text() if path.exists() else ""


def _is_held(process: psutil.Process, job: dict[str, str]) -> bool:
    try:
        if process.status() != psutil.STATUS_STOPPED or "train" not in process.cmdline():
            return False
        return process.environ().get("SLURM_JOB_ID") == job["JobId"]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
