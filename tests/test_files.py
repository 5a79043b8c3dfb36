"""Files whole or not at all: the faults are real ones, of the disk, of folders, of processes."""

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from double_pinn import files
from double_pinn.errors import DataError
from double_pinn.results.netcdf import write_dataset

SMALL, LARGE = b"small", bytes(200_000)


@contextlib.contextmanager
def disk_of(size):
    """A disk on which no file can be larger: writing fails as it does on a full one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def old(tmp_path):
    """A file that is there already."""
    path = tmp_path / "old.txt"
    path.write_text("old")
    return path


def in_folder(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def write_netcdf(path):
    noise = np.random.default_rng(0).normal(size=len(LARGE) // 4)
    write_dataset(xr.Dataset({"u": ("x", noise)}), path, title="Noise", source="a test")


def write_figure(path):
    from matplotlib.figure import Figure

    from double_pinn.showing.figures import style

    figure = Figure(figsize=(4, 4))
    figure.add_subplot().imshow(np.random.default_rng(0).normal(size=(400, 400)))
    style.save(figure, path)


def test_text_bytes_and_a_context_give_the_file_its_name(tmp_path, old):
    files.write_all({tmp_path / "new" / "deep" / "text": "ä\n", old: b"\x00\r\n"})
    assert (tmp_path / "new" / "deep" / "text").read_bytes() == "ä\n".encode()
    assert old.read_bytes() == b"\x00\r\n"
    with files.replacing(tmp_path / "other" / "table.csv") as temporary:
        assert temporary.parent == tmp_path / "other"
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".csv"
        temporary.write_text("1")
        assert not (tmp_path / "other" / "table.csv").exists()
    assert in_folder(tmp_path) == ["new/deep/text", "old.txt", "other/table.csv"]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path, old):
    files.write_all({tmp_path / "new": ""})
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == stat.S_IMODE(old.stat().st_mode)


@pytest.mark.parametrize(
    "write",
    [lambda path: files.write_all({path: LARGE}), write_netcdf, write_figure],
    ids=["bytes", "netcdf", "figure"],
)
def test_a_full_disk_keeps_the_old_file(tmp_path, write):
    path = tmp_path / "old.png"
    path.write_bytes(SMALL)
    with disk_of(20_000), pytest.raises(DataError, match=r"old\.png: cannot be written: "):
        write(path)
    assert path.read_bytes() == SMALL
    assert in_folder(tmp_path) == ["old.png"]
    write(path)
    assert path.stat().st_size > 20_000
    assert in_folder(tmp_path) == ["old.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_device_without_space_is_named(tmp_path, old):
    with (
        pytest.raises(DataError, match=r"old\.txt: cannot be written: No space left on device$"),
        files.replacing(old),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert old.read_text() == "old"
    assert in_folder(tmp_path) == ["old.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path, old):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match=r"old\.txt: cannot be written: Permission denied$"):
            files.write_all({old: "new"})
    finally:
        tmp_path.chmod(0o700)
    assert in_folder(tmp_path) == ["old.txt"]
    assert old.read_text() == "old"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_of_another_kind_stays_what_it_is(tmp_path, old, error):
    def break_off():
        with files.replacing(old) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        break_off()
    assert old.read_text() == "old"
    assert in_folder(tmp_path) == ["old.txt"]


def test_a_file_that_was_never_written_is_an_error(tmp_path, old):
    with (
        pytest.raises(DataError, match=r"old\.txt: cannot be written: No such file"),
        files.replacing(old),
    ):
        pass
    assert old.read_text() == "old"


def test_a_killed_process_leaves_the_old_file_under_its_name(tmp_path, old):
    program = (
        "import os, signal, sys\n"
        "from double_pinn import files\n"
        "with files.replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, old], check=False)
    assert done.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    rubbish, kept = in_folder(tmp_path)
    assert kept == "old.txt"
    assert rubbish.startswith(".old.")
    assert rubbish.endswith(".tmp.txt")
    files.write_all({old: "new"})  # rubbish is in nobody's way
    assert old.read_text() == "new"


def test_two_writers_at_once_do_not_mix(tmp_path, old):
    contents = [letter * 100_000 for letter in "ab"]
    start, failures = threading.Barrier(2), []

    def write(content):
        try:
            start.wait()
            for _ in range(20):
                files.write_all({old: content})
                assert old.read_text() in contents
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert old.read_text() in contents
    assert in_folder(tmp_path) == ["old.txt"]


def test_the_last_of_two_open_writers_wins(tmp_path, old):
    with files.replacing(old) as first, files.replacing(old) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert old.read_text() == "first"
    assert in_folder(tmp_path) == ["old.txt"]


def full(folder):
    return {folder / "b.txt": LARGE}


def no_folder(folder):
    (folder / "taken").write_text("a file")
    return {folder / "taken" / "b.txt": SMALL}


def a_folder_there(folder):
    (folder / "b.txt").mkdir()
    return {folder / "b.txt": SMALL}


@pytest.mark.parametrize("fault", [full, no_folder, a_folder_there])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_of_several_files_all_get_their_names_or_none(tmp_path, old, fault, at):
    good = [(old, "new"), (tmp_path / "a.txt", "new")]
    bad = fault(tmp_path)
    before = in_folder(tmp_path)
    contents = dict([*good[:at], *bad.items(), *good[at:]])
    with disk_of(20_000), pytest.raises(DataError, match=r"b\.txt: cannot be written: \w+"):
        files.write_all(contents)
    assert in_folder(tmp_path) == before
    assert old.read_text() == "old"


def test_content_is_on_disk_before_it_gets_its_name(tmp_path, old, monkeypatch):
    steps, fsync, replace = [], os.fsync, Path.replace

    def watched_sync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watched_replace(self, target):
        steps.append("name")
        return replace(self, target)

    monkeypatch.setattr(files.os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    files.write_all({old: "1", tmp_path / "a": "2"})
    assert steps == ["file", "file", "name", "name", "folder"]
    steps.clear()
    with files.replacing(old) as temporary:
        temporary.write_text("3")
    assert steps == ["file", "name", "folder"]


def test_reading_is_named_too(tmp_path):
    with (
        pytest.raises(DataError, match="cannot be read: Is a directory"),
        files.naming(tmp_path, "read"),
    ):
        files.digest(tmp_path)


def test_a_file_that_could_be_written_is_not_there_afterwards(tmp_path):
    files.check_writable(tmp_path / "new" / "a.nc")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_trial_leaves_a_file_as_it_is(old):
    files.check_writable(old)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_what_cannot_be_written_is_known_beforehand(old):
    with pytest.raises(DataError, match=r"b\.nc: cannot be written"):
        files.check_writable(old / "b.nc")
    with pytest.raises(DataError, match="it is a folder"):
        files.check_writable(old.parent)


def test_the_size_of_a_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(bytes(500))
    assert files.size(tmp_path) == 1500
    assert files.size(tmp_path / "nothing") == 0
    assert [files.megabytes(n) for n in (200_000, 45_400_000, 1_800_000_000)] == [
        "0.2 MB",
        "45 MB",
        "1,800 MB",
    ]
