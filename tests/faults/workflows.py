"""One training run in Snakemake's hands, in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil
import yaml
from jobs import SETTINGS

ROOT = Path(__file__).parents[2]
CELL = "convection_none_fp32"
RUN = f"results/smoke/runs/{CELL}/seed0.nc"
OVERLAY = {
    "networks": {"mlp": SETTINGS["network"]},
    "iterations": {"default": 10_000},
    "stopping": {"check_every": 200, "tolerance": 0.0},
    "logging": {"every": 500},
}
# The command as it is, with checkpoints at once instead of every two minutes.
COMMAND = """\
#!/bin/sh
[ "$1" = train ] && set -- "$@" --checkpoint-seconds 0.1 --progress-seconds 0.2
exec python -m double_pinn.cli "$@"
"""


class Workflow:
    """A copy of the repository in which Snakemake trains one cell."""

    def __init__(self, folder: Path, compiled: Path):
        """Copy the repository; ``compiled`` is a folder for what JAX compiles."""
        self.folder = Path(folder)
        for name in ("config", "envs", "src", "workflow"):
            shutil.copytree(ROOT / name, self.folder / name)
        for name in ("Snakefile", "profiles"):
            shutil.copy2(ROOT / name, self.folder / name, follow_symlinks=False)
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY))
        command = self.folder / "bin" / "double-pinn"
        command.parent.mkdir()
        command.write_text(COMMAND)
        command.chmod(0o755)
        paths = [str(command.parent), sysconfig.get_path("scripts"), os.environ["PATH"]]
        self.environment = os.environ | {
            "PATH": os.pathsep.join(paths),
            "PYTHONPATH": str(self.folder / "src"),
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        self.run = self.folder / RUN
        self.log = self.folder / "results" / "smoke" / "logs" / "train" / CELL / "seed0.log"

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake, with its jobs a process group of its own, as a terminal does."""
        self.said = self.folder / f"snakemake{len(list(self.folder.glob('snakemake*')))}.log"
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        with open(self.said, "wb") as log:
            return subprocess.Popen(
                [*command, "--configfile", "config/smoke.yaml", "overlay.yaml", "--", RUN],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, *arguments: str) -> str:
        """Run Snakemake to its end; return what it said."""
        status = self.start(*arguments).wait(300)
        said = self.said.read_text()
        assert status == 0, said
        return said

    def checkpoints(self) -> list[int]:
        """Return the iterations of the complete checkpoints, the newest last."""
        folders = self.folder.glob("results/smoke/checkpoints/*/*/seed0/[0-9]*")
        return sorted(int(path.name.partition("-")[0]) for path in folders)

    def until_checkpoint(self, snakemake: subprocess.Popen) -> psutil.Process:
        """Wait until training has saved its state; return its process."""
        end = time.monotonic() + 120
        while not self.checkpoints():
            assert snakemake.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.01)
        children = psutil.Process(snakemake.pid).children(recursive=True)
        (trainer,) = (p for p in children if p.cmdline()[1:4] == ["-m", "double_pinn.cli", "train"])
        return trainer

    def continued(self) -> list[int]:
        """Return the iterations from which the last job said it continues."""
        found = re.findall(r"continues from iteration ([\d,]+)", self.log.read_text())
        return [int(number.replace(",", "")) for number in found]

    def signal(self, snakemake: subprocess.Popen, number: int) -> int:
        """Send a signal to Snakemake and all its jobs, wait for their end; return its status."""
        os.killpg(snakemake.pid, number)
        status = snakemake.wait(60)
        _, alive = psutil.wait_procs(self._trainers(), 60)  # it saves its state and ends
        assert not alive
        return status

    def kill_all(self):
        """Kill what is left, so that no test leaves a process behind."""
        for process in self._trainers():
            process.kill()

    def _trainers(self) -> list[psutil.Process]:
        return [p for p in psutil.process_iter() if _trains_in(p, self.folder)]


def _trains_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder) and "train" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return False
