"""A copy of the repository in a temporary folder, and Snakemake run there as a person would."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from experiments import ROOT, SMOKE

#: Rules that only collect.
TARGETS = {"all", "numbers", "train", "evaluations", "figures", "tables", "claims"}


@dataclass(frozen=True)
class Job:
    """A job that a dry run announces; ``changed`` are those of its inputs that have changed."""

    rule: str
    inputs: tuple[str, ...]
    changed: tuple[str, ...]
    wildcards: dict[str, str]


def listed(files: str) -> tuple[str, ...]:
    """Return the files that Snakemake writes with commas between them."""
    return tuple(filter(None, files.split(", ")))


class Checkout:
    """A working copy in which Snakemake runs with this interpreter's environment."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def of_repository(cls, path: Path) -> "Checkout":
        """Copy the files that git has or would take."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            source, target = ROOT / name, path / name
            if source.is_symlink() or source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        return cls(path)

    def duplicate(self, path: Path) -> "Checkout":
        """Copy everything, results and Snakemake's memory of them too."""
        return Checkout(shutil.copytree(self.path, path, symlinks=True))

    def snakemake(self, *arguments: str, folder: Path | None = None):
        """Run Snakemake on two cores, here or in another folder.

        Returns:
            The completed process; its standard output and error come together.
        """
        scripts = sysconfig.get_path("scripts")
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=folder or self.path,
            env=os.environ
            | {
                "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
                "PYTHONPATH": str(self.path / "src"),
                "XDG_CACHE_HOME": str(self.path / ".cache"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def plan(self, *arguments: str) -> list[Job]:
        """Return the jobs that a dry run announces, target rules left out."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout
        jobs = []
        for block in re.split(r"\n(?=(?:local)?rule )", done.stdout)[1:]:
            fields = dict(re.findall(r"^ +(\w+): (.*)$", block, re.MULTILINE))
            pairs = re.findall(r"(\w+)=([^,]+)", fields.get("wildcards", ""))
            name = re.match(r"(?:local)?rule (\w+):", block).group(1)
            if name not in TARGETS:
                inputs = listed(fields.get("input", ""))
                reasons = dict(
                    reason.partition(": ")[::2] for reason in fields.get("reason", "").split("; ")
                )
                changed = listed(reasons.get("Updated input files", ""))
                jobs.append(Job(name, inputs, changed, dict(pairs)))
        return jobs

    def overlay(self, values: dict, name: str = "overlay.yaml") -> str:
        """Write a configuration overlay and return its path."""
        (self.path / name).write_text(yaml.safe_dump(values))
        return name


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Checkout:
    """A copy in which nothing has been run: for dry runs only."""
    return Checkout.of_repository(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Checkout:
    """A copy in which the smoke scale has been run, once for all tests."""
    copy = Checkout.of_repository(tmp_path_factory.mktemp("smoke"))
    done = copy.snakemake("--configfile", SMOKE)
    assert done.returncode == 0, done.stdout[-20_000:]
    (copy.path / "said.txt").write_text(done.stdout)
    return copy
