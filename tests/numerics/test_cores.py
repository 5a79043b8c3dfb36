"""One run on several cores: the numbers of one core, whatever the number of cores."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from double_pinn.numerics.optimizers.compact_lbfgs import scale_by_compact_lbfgs
from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.optimizers.optax_lbfgs import OptaxLBFGS

MEMORY = 10
REGULARIZERS = {
    "double": {"name": "double", "weight": 5e-4},
    "none": {"name": "none", "weight": 0.0},
}


@given(memory=st.integers(1, 200), available=st.integers(1, 300))
def test_cores_share_the_history_equally(memory, available):
    cores = LBFGS(memory=memory).cores(available)
    assert 1 <= cores <= available
    assert 2 * memory % cores == 0
    assert not any(2 * memory % n == 0 for n in range(cores + 1, available + 1))


def test_an_optimiser_that_deals_nothing_out_keeps_one_device():
    assert OptaxLBFGS().cores(8) == 1
    assert GaussNewton().cores(8) == LBFGS().cores(8) == 8


def test_a_history_that_cores_do_not_share_equally_is_refused():
    with pytest.raises(ValueError, match="3 cores do not share 20 vectors"):
        scale_by_compact_lbfgs(MEMORY, cores=3)


@pytest.fixture
def run(settings_file, tmp_path):
    """``run(threads, name, iterations, **changes)``: train by the command line.

    Runs of the same name share their checkpoints.
    """

    def train(threads, name, iterations=40, **changes):
        changes = {"network__hidden_layers": 1, "stopping__max_iterations": iterations, **changes}
        settings = settings_file(**changes)
        output = tmp_path / f"{name}.nc"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "double_pinn.cli", "train", "--settings", settings),
                *("--seed", "0", "--output", output, "--threads", str(threads)),
                *("--checkpoints", tmp_path / name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with xr.open_dataset(output) as dataset:
            return dataset.load(), done.stderr

    return train


def agree(a, b, rel):
    assert list(a.iteration) == list(b.iteration)
    for name in ("objective", "train_term", "test_term", "rmae_history"):
        np.testing.assert_allclose(a[name], b[name], rtol=rel)
    # Not to the bit: the sums have another order.
    size = np.abs(b.parameters).max()
    assert 0 < np.abs(a.parameters - b.parameters).max() < rel * size


@pytest.mark.parametrize(("regularizer", "cores"), [("double", 4), ("none", 2)])
def test_several_cores_compute_what_one_computes(run, regularizer, cores):
    # More pairs than the history holds, and more points than a core's block.
    changes = {
        "regularizer": REGULARIZERS[regularizer],
        "points": {"nx": 23, "nt": 21, "edge": 31},
    }
    alone, _ = run(1, "alone", **changes)
    # 31 points of an edge make unequal shares.
    together, said = run(cores, "together", **changes)
    assert " cores: " not in said
    assert (alone.cores, together.cores) == (1, cores)
    agree(together, alone, 1e-6)


@pytest.mark.parametrize(("regularizer", "whole_rows"), [("double", 4000), ("none", 1)])
def test_gauss_newton_deals_the_tiles_of_its_matrix_out(run, regularizer, whole_rows):
    options = {"memory": MEMORY, "warmup_iterations": 10, "whole_rows": whole_rows}
    changes = {
        "optimizer": {"name": "gauss_newton", **options},
        "regularizer": REGULARIZERS[regularizer],
        "iterations": 14,
    }
    alone, _ = run(1, "alone", **changes)
    together, _ = run(2, "together", **changes)
    assert (alone.cores, together.cores) == (1, 2)
    # A step of second order goes far: rounding grows with it.
    agree(together, alone, 1e-4)


def test_single_precision_on_two_cores(run):
    alone, _ = run(1, "alone", iterations=10, precision="fp32")
    together, _ = run(2, "together", iterations=10, precision="fp32")
    assert together.parameters.dtype == np.float32
    agree(together, alone, 1e-2)


def test_a_run_goes_on_with_another_number_of_cores(run):
    straight, _ = run(1, "straight")
    run(4, "moved", iterations=20)
    moved, said = run(2, "moved")
    assert "continues from iteration 20" in said
    agree(moved, straight, 1e-6)


def test_cores_that_are_left_over_are_named(run):
    _, said = run(3, "three", iterations=1, optimizer={"name": "lbfgs", "memory": MEMORY})
    assert "uses 2 of 3 cores" in said
    assert "optimizer.memory" in said
