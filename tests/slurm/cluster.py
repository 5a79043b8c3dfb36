"""A SLURM of one's own: munged, slurmctld and slurmd on this machine, in a folder that goes away.

``python tests/slurm/cluster.py COMMAND ...`` runs a command inside one. Two nodes with one GPU each
(in truth ``/dev/null``), reachable from this machine only; no accounting, as on small clusters.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Should the tests be killed, the daemons go too.
END_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("node1", "node2")
SBIN = os.pathsep.join(["/usr/sbin", "/sbin"])  # where packages put daemons

CONFIGURATION = """\
ClusterName=test
SlurmUser={user}
SlurmdUser={user}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=2
MinJobAge=3600
OverTimeLimit=0
KillWait=60
InactiveLimit=0
GresTypes=gpu
NodeName=DEFAULT CPUs=1 RealMemory=8000 Gres=gpu:1
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Return the daemons that are not installed."""
    return [name for name in DAEMONS if _which(name) is None]


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _which(name):
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), SBIN]))


def _free_ports(count):
    """Return ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """A running SLURM; as a context, its daemons and its folder are gone afterwards.

    Attributes:
        environment: what SLURM's commands need to find it.
    """

    def __enter__(self):
        """Start it and wait until every node is idle.

        Raises:
            RuntimeError: if that takes longer than a minute, or a daemon ends early.
        """
        # Not pytest's folder: munge wants one that others may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        path = os.pathsep.join([str(self.folder), os.environ["PATH"]])
        self.environment = os.environ | {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": path}
        self._daemons: list[subprocess.Popen] = []
        try:
            self._configure()
            self._start(
                "munged",
                "--foreground",
                *(
                    f"--{option}={self.folder}/munge.{end}"
                    for option, end in (
                        ("key-file", "key"),
                        ("socket", "socket"),
                        ("pid-file", "pid"),
                        ("log-file", "log"),
                        ("seed-file", "seed"),
                    )
                ),
            )
            self._wait(lambda: (self.folder / "munge.socket").exists())
            self._start("slurmctld", "-D")
            for node in NODES:
                self._start("slurmd", "-D", "-N", node)
            self._wait(
                lambda: self.run("sinfo", "-hN", "-o", "%T").split() == ["idle"] * len(NODES)
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info):
        """Stop what was started, newest first, and remove the folder."""
        if len(self._daemons) > 1:
            self.cancel_all()
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cancel_all(self):
        """Cancel every job and wait until none is left; give up after 30 seconds."""
        self.run("scancel", "--user", _user())
        deadline = time.monotonic() + 30
        while self.run("squeue", "--noheader") and time.monotonic() < deadline:
            time.sleep(0.3)

    def run(self, *command: str) -> str:
        """Return the output of one of SLURM's commands; empty if it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def jobs(self) -> list[dict[str, str]]:
        """Return the jobs of the last minutes, oldest first, as `scontrol show job` does."""
        lines = self.run("scontrol", "show", "job", "--oneliner").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "JobId=" in line]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def logs(self) -> str:
        """Return the ends of the daemons' logs."""
        logs = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in logs)

    def _configure(self):
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(mode=0o400)
        key.chmod(0o600)
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                user=_user(),
                host=socket.gethostname().split(".")[0],
                folder=self.folder,
                ports=_free_ports(1 + len(NODES)),
            )
        )
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        # Snakemake's plugin takes all variables SLURM_* from the srun of a job, this one with them.
        srun = self.folder / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        srun.chmod(0o755)

    def _start(self, name, *arguments):
        with open(self.folder / f"{name}.out", "ab") as output:
            self._daemons.append(
                subprocess.Popen(
                    [*END_WITH_PARENT, _which(name), *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    def _wait(self, ready):
        deadline = time.monotonic() + 60
        while not ready():
            ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"no SLURM came up; ended: {ended}\n{self.logs()}")
            time.sleep(0.2)


if __name__ == "__main__":
    with Cluster() as cluster:
        sys.exit(subprocess.run(sys.argv[1:], env=cluster.environment).returncode)
