"""One nursery and one uninterrupted run for all faults."""

import shutil
import signal
from pathlib import Path

import pytest
from jobs import Nursery, Run, wait_for


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with Nursery(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(scope="session")
def uninterrupted(nursery, tmp_path_factory):
    """What a run holds that nothing happened to."""
    dataset = Run(tmp_path_factory.mktemp("uninterrupted")).finish(nursery)
    assert dataset.attrs["iterations_run"] == Run.END
    assert not list(tmp_path_factory.getbasetemp().glob("**/partial-*"))
    return dataset


@pytest.fixture(scope="session")
def _cut(nursery, uninterrupted, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("cut"))
    job = run.start(nursery)
    assert wait_for(lambda: len(run.complete()) == 2, job), job.said
    job.kill(signal.SIGKILL)
    job.wait()
    return run


@pytest.fixture
def cut(_cut, tmp_path) -> Run:
    """A run that was killed when it had two checkpoints, each test its own copy."""
    shutil.copytree(_cut.checkpoints, tmp_path / "cut" / "checkpoints")
    return Run(tmp_path / "cut")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, filled and freed by ``disk.fill()`` and ``disk.free()``."""
    import subprocess

    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here ({done.stderr.strip()})")
    yield Disk(place)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


class Disk:
    def __init__(self, place: Path):
        self.place, self._filler = place, place / "filler"

    def fill(self):
        """Leave not one page."""
        with open(self._filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        self._filler.unlink()
