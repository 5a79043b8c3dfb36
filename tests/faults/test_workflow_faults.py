"""The faults of docs/faults.md, done to Snakemake and its training job together, on one machine."""

import os
import signal
import time

import pytest
from jobs import identical
from workflows import Workflow

from double_pinn.results.netcdf import read_dataset


def result(workflow):
    """Return what the run holds, but for the time it took."""
    return read_dataset(workflow.run).drop_vars("wall_time").assign_attrs(peak_memory=0)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where JAX keeps what it compiled, for all workflows of this file."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, compiled):
    """A workflow that nothing happened to."""
    workflow = Workflow(tmp_path_factory.mktemp("undisturbed") / "copy", compiled)
    workflow.finish()
    return workflow


@pytest.fixture
def workflow(tmp_path, compiled):
    workflow = Workflow(tmp_path / "copy", compiled)
    yield workflow
    workflow.kill_all()


def ctrl_c(workflow, snakemake, trainer):
    return workflow.signal(snakemake, signal.SIGINT)


def sigterm_to_the_job(workflow, snakemake, trainer):
    trainer.terminate()
    return snakemake.wait(60)


def sigkill_to_everything(workflow, snakemake, trainer):
    status = workflow.signal(snakemake, signal.SIGKILL)
    # A killed Snakemake leaves its lock, as the machine's end would: it says so, and what to do.
    assert workflow.start().wait(60) != 0
    assert "--unlock" in workflow.said.read_text()
    assert workflow.start("--unlock").wait(60) == 0
    return status


@pytest.mark.parametrize("fault", [ctrl_c, sigterm_to_the_job, sigkill_to_everything])
def test_a_workflow_that_was_stopped_goes_on_when_it_is_started_again(workflow, undisturbed, fault):
    snakemake = workflow.start()
    trainer = workflow.until_checkpoint(snakemake)
    assert fault(workflow, snakemake, trainer) != 0
    assert not workflow.run.exists()
    newest = workflow.checkpoints()[-1]
    workflow.finish()
    assert workflow.continued() == [newest]
    assert identical(result(workflow), result(undisturbed))


def test_a_forced_training_that_is_stopped_leaves_the_finished_one(workflow):
    workflow.finish()
    before, checkpoints = workflow.run.read_bytes(), workflow.checkpoints()
    snakemake = workflow.start("--force")
    while not list(workflow.folder.glob("results/smoke/checkpoints/*/*/seed0.kept")):
        assert snakemake.poll() is None, workflow.said.read_text()
        time.sleep(0.01)
    ctrl_c(workflow, snakemake, workflow.until_checkpoint(snakemake))
    assert workflow.run.read_bytes() == before
    assert workflow.checkpoints() == checkpoints
    said = workflow.finish("--dry-run")
    assert "Nothing to be done" in said, said


def test_two_workflows_at_once(workflow, undisturbed):
    first = workflow.start()
    trainer = workflow.until_checkpoint(first)
    trainer.suspend()  # the first is not over before the second has looked
    try:
        assert workflow.start().wait(120) != 0
        assert "cannot be locked" in workflow.said.read_text()
        assert first.poll() is None
    finally:
        trainer.resume()
    assert first.wait(300) == 0
    assert workflow.continued() == []
    assert identical(result(workflow), result(undisturbed))


def test_files_from_a_clock_that_went_backwards(workflow, undisturbed):
    """Wrong by years: checkpoints and run seem older than what they were made from."""
    snakemake = workflow.start()
    workflow.until_checkpoint(snakemake)
    workflow.signal(snakemake, signal.SIGINT)
    # The newest checkpoint has the oldest date: their order is that of the iterations.
    checkpoints = sorted(workflow.folder.glob("results/smoke/checkpoints/*/*/seed0/[0-9]*"))
    for date, path in enumerate(reversed(checkpoints), start=1):
        for file in (*path.rglob("*"), path):
            os.utime(file, (1e9 * date / len(checkpoints),) * 2)
    newest = workflow.checkpoints()[-1]
    workflow.finish()
    assert workflow.continued() == [newest]
    assert identical(result(workflow), result(undisturbed))
    # Snakemake knows by their checksums that the inputs are the old ones: nothing is trained again.
    os.utime(workflow.run, (1e9, 1e9))
    assert "Nothing to be done" in workflow.finish()
