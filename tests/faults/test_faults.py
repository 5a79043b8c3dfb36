"""The faults of docs/faults.md, done to real processes: nothing is lost but the last moments."""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest
from jobs import SETTINGS, Run, identical, wait_for


def newest(run: Run) -> Path:
    return max(run.checkpoints.glob("[0-9]*"))


def array_file(checkpoint: Path) -> Path:
    files = [p for p in (checkpoint / "state").rglob("*") if p.is_file()]
    return max(files, key=lambda p: p.stat().st_size)


def snapshot(folder: Path) -> dict:
    """Return the content of all complete checkpoints."""
    files = [p for c in folder.glob("[0-9]*") for p in c.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def one_error_line(job) -> str:
    assert "Traceback" not in job.said
    (line,) = [line for line in job.said.splitlines() if line.startswith("error: ")]
    return line


def test_sigterm_to_the_command(nursery, uninterrupted, tmp_path):
    """From the shell, without a nursery: saved at once, exit status 75, continued exactly."""
    run = Run(tmp_path)
    command = Path(sysconfig.get_path("scripts")) / "double-pinn"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(nursery.folder / "compiled")}
    process = subprocess.Popen(
        [command, *map(str, run.arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
    )
    with process:
        wait_for(run.complete)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    (at,) = re.findall(
        r"^interrupted: stopped by SIGTERM at iteration (\d+); state saved", said, re.M
    )
    assert run.complete()[-1] == int(at) < Run.END
    assert not run.output.exists()
    assert identical(run.finish(nursery), uninterrupted)
    assert run.continued() == [int(at)]


def test_sigkill_at_random_moments(nursery, uninterrupted, tmp_path):
    chance, run = random.Random(4), Run(tmp_path)
    expected = []
    for _ in range(3):
        job = run.start(nursery)
        known = run.complete()
        # Until a checkpoint was added, and then a while.
        if wait_for(lambda: run.complete() != known, job):  # noqa: B023
            time.sleep(chance.uniform(0, 0.3))
        job.kill()
        job.wait()
        expected.append(run.complete()[-1])
    assert identical(run.finish(nursery), uninterrupted)
    # Every start went on from the newest complete checkpoint.
    assert run.continued() == expected


def test_sigkill_while_a_checkpoint_is_written(nursery, uninterrupted, tmp_path):
    run, torn = Run(tmp_path), 0
    for seconds in (0.0, 0.02, 0.05):
        job = run.start(nursery)
        wait_for(lambda: run.complete() and run.partial(), job)
        time.sleep(seconds)
        job.kill()
        job.wait()
        torn += bool(run.partial())
    assert torn, "no checkpoint was torn: the test tested nothing"
    expected = run.complete()[-1]
    assert identical(run.finish(nursery), uninterrupted)
    assert run.continued()[-1] == expected
    assert not run.partial()


def test_sigkill_while_the_netcdf_is_written(nursery, uninterrupted, cut):
    for _ in range(5):
        job = cut.start(nursery)
        # Not at the start, where it is tried out whether the file can be written.
        if wait_for(lambda: Run.END in cut.complete() and cut.unfinished_output(), job):
            job.kill()
            job.wait()
            if not cut.output.exists():
                break
        else:
            job.wait()
        cut.output.unlink(missing_ok=True)  # too late: it was whole
    else:
        pytest.fail("no write was hit: the test tested nothing")
    before = snapshot(cut.checkpoints)
    assert identical(cut.finish(nursery), uninterrupted)
    assert cut.continued()[-1] == Run.END  # nothing was trained again
    assert snapshot(cut.checkpoints) == before


def test_a_file_that_may_not_grow_while_a_checkpoint_is_written(nursery, uninterrupted, cut):
    before = snapshot(cut.checkpoints)
    job = cut.start(nursery, limits={"RLIMIT_FSIZE": 50_000})
    assert job.wait() == 2, job.said
    line = one_error_line(job)
    assert f"{cut.checkpoints}: the checkpoint of iteration" in line
    assert "File too large" in line
    assert snapshot(cut.checkpoints) == before
    assert not cut.partial()
    assert identical(cut.finish(nursery), uninterrupted)


def test_a_full_disk_while_a_checkpoint_is_written(nursery, uninterrupted, small_disk, tmp_path):
    run = Run(tmp_path / "run", checkpoints=small_disk.place / "checkpoints")
    job = run.start(nursery)
    assert wait_for(run.complete, job), job.said
    small_disk.fill()
    assert job.wait() == 2, job.said
    line = one_error_line(job)
    assert f"{run.checkpoints}: the checkpoint of iteration" in line
    assert "No space left on device" in line
    at = run.complete()[-1]
    small_disk.free()
    assert identical(run.finish(nursery), uninterrupted)
    assert run.continued() == [at]


def test_a_full_disk_while_the_netcdf_is_written(nursery, uninterrupted, small_disk, cut):
    run = Run(cut.folder, output=small_disk.place / "seed0.nc")
    small_disk.fill()
    job = run.start(nursery)
    assert job.wait() == 2, job.said
    assert f"{run.output}: cannot be written" in one_error_line(job)
    assert not run.output.exists()
    assert not run.unfinished_output()
    small_disk.free()
    assert identical(run.finish(nursery), uninterrupted)
    assert run.continued()[-1] == Run.END


def test_a_truncated_checkpoint(nursery, uninterrupted, cut):
    older, damaged = cut.complete()[0], newest(cut)
    file = array_file(damaged)
    os.truncate(file, file.stat().st_size // 2)
    assert identical(cut.finish(nursery), uninterrupted)
    assert f"a checkpoint is passed over: {damaged}" in cut.log.read_text()
    assert cut.continued() == [older]


def test_all_checkpoints_truncated(nursery, cut):
    for checkpoint in cut.checkpoints.glob("[0-9]*"):
        os.truncate(array_file(checkpoint), 10)
    before = snapshot(cut.checkpoints)
    job = cut.start(nursery)
    assert job.wait() == 2, job.said
    assert f"remove {cut.checkpoints} to start over" in one_error_line(job)
    assert snapshot(cut.checkpoints) == before


@pytest.mark.parametrize("damaged", ["run", "reference"])
def test_a_truncated_netcdf(nursery, uninterrupted, cut, tmp_path, damaged):
    cut.finish(nursery)
    files = {"run": cut.output, "reference": tmp_path / "reference.nc"}
    grid, judged = {"nx": 11, "nt": 11}, tmp_path / "evaluation.json"
    judged.write_text(json.dumps({"run": SETTINGS, "evaluation": {**grid, "residual_points": 12}}))
    short = tmp_path / "reference.json"
    short.write_text(json.dumps({"equation": SETTINGS["equation"], "evaluation": grid}))
    job = nursery.start("reference", "--settings", short, "--output", files["reference"])
    assert job.wait() == 0, job.said
    os.truncate(files[damaged], files[damaged].stat().st_size // 2)
    result = tmp_path / "evaluation.nc"
    job = nursery.start(
        *["evaluate", "--settings", judged, "--reference", files["reference"]],
        *["--runs", files["run"], "--output", result, "--threads", 1],
    )
    assert job.wait() == 2, job.said
    assert f"{files[damaged]}: truncated or not netCDF" in one_error_line(job)
    assert not result.exists()


def test_a_loss_that_is_not_finite(nursery, tmp_path):
    """FP32 overflows at once; a NaN half way through is in tests/running/test_training.py."""
    run = Run(tmp_path)
    changed = SETTINGS | {
        "precision": "fp32",
        "equation": {"name": "convection", "parameters": {"beta": 1e30}},
    }
    run.settings.write_text(json.dumps(changed))
    job = run.start(nursery)
    assert job.wait() == 2, job.said
    line = one_error_line(job)
    assert "the loss is not finite before the first step: equation at x = " in line
    assert not run.output.exists()


def test_out_of_memory(nursery, uninterrupted, cut):
    """The address space may not grow any more once training is under way."""
    job = cut.start(nursery, stuck=5.0)
    known = cut.complete()
    assert wait_for(lambda: cut.complete() != known, job), job.said
    status = Path(f"/proc/{job.pid}/status").read_text()
    size = 1024 * int(re.search(r"VmSize:\s+(\d+)", status)[1])
    resource.prlimit(job.pid, resource.RLIMIT_AS, (size, size))
    code = job.wait()
    if code == 0:
        pytest.skip("the job ended before it needed memory")
    assert not cut.output.exists()
    expected = cut.complete()[-1]
    assert identical(cut.finish(nursery), uninterrupted)
    assert cut.continued()[-1] == expected


def test_two_jobs_of_one_run_at_once(nursery, uninterrupted, cut):
    first = cut.start(nursery)
    assert wait_for(cut.continued, first), first.said
    second = cut.start(nursery)
    assert second.wait() == 2, second.said
    line = one_error_line(second)
    assert f"{cut.checkpoints} is in use by process {first.pid} on " in line
    assert first.wait() == 0, first.said
    assert identical(cut.dataset(), uninterrupted)


def test_a_lock_does_not_outlive_a_killed_job(nursery, uninterrupted, cut):
    job = cut.start(nursery)
    assert wait_for(cut.continued, job), job.said
    job.kill()
    job.wait()
    shutil.copy(cut.checkpoints / "lock", cut.folder)  # it lies there still, with its last holder
    assert f"process {job.pid} " in (cut.folder / "lock").read_text()
    assert identical(cut.finish(nursery), uninterrupted)
