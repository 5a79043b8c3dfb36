"""Evaluation datasets made of formulas, without any training; the command line in a process."""

import json
import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import xarray as xr

PI = np.pi


def _convection(x, t):
    return np.sin(x - 50 * t)


def _reaction(x, t):
    h = np.exp(-((x - PI) ** 2) / (2 * (PI / 4) ** 2))
    return h * np.exp(5 * t) / (h * np.exp(5 * t) + 1 - h)


def _wave(x, t):
    return np.sin(PI * x) * np.cos(2 * PI * t) + 0.5 * np.sin(3 * PI * x) * np.cos(6 * PI * t)


def _allen_cahn(x, t):
    # Not the solution, but its look: two plateaus that sharpen.
    start = x**2 * np.cos(PI * x)
    return np.tanh((1 + 6 * t) * 2 * (0.5 - np.abs(x))) * t - (1 - t) * -start


EQUATIONS = {
    "convection": (_convection, (0, 2 * PI), (20, 20, 200)),
    "reaction": (_reaction, (0, 2 * PI), (16, 16, 100)),
    "wave": (_wave, (0, 1), (12, 12, 100)),
    "allen_cahn": (_allen_cahn, (-1, 1), (64, 64, 100)),
}
WEIGHTS = {"none": 0, "l2": 2e-5, "l1": 1.5e-6, "double": 5e-4, "gpinn": 5e-4}


def make_cell(
    equation="convection",
    regularizer="none",
    precision="fp32",
    *,
    fails=None,
    seeds=(0,),
    iterations=4100,
    max_iterations=20000,
    stop_reason="tolerance",
    small=False,
    optimizer="lbfgs",
    error=1e-3,
    switch=None,
    timed=False,
    network="mlp",
):
    """An evaluation dataset as the workflow writes it; `small` is the smoke scale.

    With a `switch`, the iteration at which Gauss-Newton takes over, it has the histories of that
    optimiser: entries at every fifth step, the phase, and the error; `timed`: the error alone.
    """
    fails = regularizer == "none" if fails is None else fails
    solution, (low, high), (nx, nt, edge) = EQUATIONS[equation]
    n, every = (101, 100), 100
    if small:
        nx, nt, edge, n, every = 6, 5, 8, (11, 9), max(1, iterations // 2)
    rng = np.random.default_rng(len(regularizer) + 10 * len(equation))

    x, t = np.linspace(low, high, n[0]), np.linspace(0, 1, n[1] + 2)
    xc, tc = np.linspace(low, high, nx), np.linspace(0, 1, nt)
    fine = 3 if small else -(-400 // min(nx, 64))
    xr_ = np.linspace(low, high, (nx - 1) * fine + 1)
    tr = np.linspace(0, 1, (nt - 1) * fine + 1)
    exact = solution(x[:, None], t)

    u, residual, rmae, rrmse = [], [], [], []
    for seed in seeds:
        bumps = np.sin(3 * x[:, None] + seed) * np.cos(4 * t) * error
        field = exact * np.exp(-30 * t) + bumps if fails else exact + bumps
        smooth = np.sin(2.3 * xr_[:, None] + seed) * np.cos(5.1 * tr + 1)
        if fails:
            # Zero at every node, large between them, and largest at the initial edge.
            gap = 1 - (np.cos(PI * (nx - 1) * (xr_ - low) / (high - low)) ** 40)[:, None] * (
                np.cos(PI * (nt - 1) * tr) ** 40
            )
            values = 40 * (gap + 1e-3) * (np.exp(-8 * tr) + 0.005) * (smooth + 1.2)
        else:
            values = error * 30 * smooth
        u.append(field)
        residual.append(values + 1e-5 * rng.standard_normal(values.shape))
        rmae.append(np.abs(field - exact).sum() / np.abs(exact).sum())
        rrmse.append(np.sqrt(((field - exact) ** 2).sum() / (exact**2).sum()))

    iteration = np.unique([*range(0, iterations + 1, every), iterations])
    if switch is not None:
        first = range(0, switch, every)
        second = range(switch, iterations + 1, 1 if small else 5)
        iteration = np.unique([*first, *second, iterations])
    shape = (len(seeds), len(iteration))
    noise = 1 + 0.05 * rng.random(shape)
    train = (1e3 / (1 + iteration) ** 1.6 + 1e-6) * noise
    test = np.maximum(train * 1.2, 17) if fails else train * 1.1
    if switch is not None:
        fall = np.exp(-0.2 * np.maximum(iteration - switch, 0))
        train = train * (1e-9 + fall)
        test = np.maximum(train * 1.2, 17) if fails else train * 1.5
    penalty = 0 * train if regularizer == "none" else 0.3 * train + 0.01 * (regularizer == "l1")
    objective = train + penalty
    count = len(seeds)
    seeded = {
        "rmae": rmae,
        "rrmse": rrmse,
        "iterations_run": [iterations] * count,
        "stop_reason": np.array([stop_reason] * count, dtype=object),
        "final_objective": objective[:, -1],
        "final_train_loss": train[:, -1],
        "final_test_loss": test[:, -1],
        "total_wall_time": [60.0] * count,
        "peak_memory": [5e8] * count,
        "residual_rms": [0.5] * count,
        "trained_residual_rms": [0.4] * count,
    }
    histories = {
        "objective": objective,
        "train_loss": train,
        "test_loss": test,
        "penalty": penalty,
        "wall_time": np.broadcast_to(0.01 * iteration, shape),
        "evaluations": np.broadcast_to(1.1 * iteration, shape),
    }
    if switch is not None:
        histories["phase"] = np.broadcast_to((iteration >= switch).astype(float), shape)
    if switch is not None or timed:
        # The error follows the root of the test loss.
        scale = np.sqrt(test / test[:, -1:])
        histories["rmae_history"] = np.minimum(np.asarray(rmae)[:, None] * scale, 1.1)
        histories["rrmse_history"] = 1.2 * histories["rmae_history"]
    settings = {
        "cell": f"{equation}_{regularizer}_{precision}",
        "equation": {"name": equation, "parameters": {}},
        "precision": precision,
        "network": {"name": network, **({} if network == "mlp" else {"length": 5})},
        "regularizer": {"name": regularizer, "weight": WEIGHTS[regularizer]},
        "points": {"nx": nx, "nt": nt, "edge": edge},
        "optimizer": {"name": optimizer, "memory": 100},
        "stopping": {"max_iterations": max_iterations, "check_every": 100, "tolerance": None},
    }
    return xr.Dataset(
        {
            "u": (("seed", "x", "t"), u),
            "u_reference": (("x", "t"), exact),
            "residual": (
                ("seed", "x_residual", "t_residual"),
                np.asarray(residual, dtype=np.float32),
            ),
            **{name: (("seed", "iteration"), values) for name, values in histories.items()},
            **{name: ("seed", values) for name, values in seeded.items()},
            "reference_error": 3.1e-9 if equation == "allen_cahn" else 0.0,
        },
        coords={
            "seed": list(seeds),
            "x": x,
            "t": t,
            "x_residual": xr_,
            "t_residual": tr,
            "x_collocation": xc,
            "t_collocation": tc,
            "iteration": iteration,
        },
        attrs={
            "cell": settings["cell"],
            "equation": equation,
            "network": network,
            "regularizer": regularizer,
            "precision": precision,
            "optimizer": optimizer,
            "parameter_count": 50_049 if network == "mlp" else 453_561,
            "run_devices": "cpu",
            "run_commits": "0" * 40,
            "settings": json.dumps(settings),
            "n_collocation": nx * nt + 2 * edge,
            "max_iterations": max_iterations,
        },
    )


def make_cells(number, **common):
    """The cells of one figure, looking as the paper says that they do."""
    double64 = {"regularizer": "double", "precision": "fp64", "error": 1e-5}
    chosen = {
        1: {"none": {}, "double": {"regularizer": "double", "iterations": 7000}},
        3: {
            "none": {"equation": "wave", "precision": "fp64"},
            "double": {"equation": "wave", **double64},
        },
        4: {
            "none_fp32": {"equation": "allen_cahn", "fails": False, "error": 0.4},
            "none_fp64": {"equation": "allen_cahn", "precision": "fp64", "fails": False},
            "double": {"equation": "allen_cahn", **double64},
        },
        5: {name: {"equation": name, **double64} for name in EQUATIONS},
        6: {
            "none": {},
            "l2": {"regularizer": "l2", "iterations": 15000, "error": 0.01},
            "l1": {"regularizer": "l1", "iterations": 9000, "error": 0.1},
            "double": {"regularizer": "double", "iterations": 7000},
            "gpinn": {"regularizer": "gpinn", "iterations": 6000, "error": 0.01},
        },
        7: {
            f"{equation}/{regularizer}": {
                **double64,
                "equation": equation,
                "regularizer": regularizer,
                "optimizer": "gauss_newton",
                "fails": regularizer == "none",
                "switch": 1000 - 100 * len(regularizer),
                "iterations": steps + (100 if regularizer == "double" else 0),
                "max_iterations": steps + 100,
                "stop_reason": "max_iterations",
            }
            for equation, steps in {"reaction": 1020, "wave": 1080, "convection": 1050}.items()
            for regularizer in ("none", "gpinn", "double")
        },
        8: {
            f"{equation}/{optimizer}": {
                **double64,
                "equation": equation,
                "optimizer": optimizer,
                "timed": True,
                "seeds": (0, 1, 2),
                "iterations": 8000 if optimizer == "lbfgs" else 1200,
            }
            for equation in ("reaction", "wave", "convection")
            for optimizer in ("lbfgs", "gauss_newton")
        },
        9: {
            "lbfgs": {"equation": "allen_cahn", **double64, "error": 0.3, "timed": True},
            "gauss_newton": {
                "equation": "allen_cahn",
                **double64,
                "optimizer": "marching",
                "switch": 1000,
                "iterations": 1200,
            },
        },
        10: {
            f"{equation}/{model}": {"equation": equation, "timed": True, **options}
            for equation in EQUATIONS
            for model, options in {
                "pinnsformer": {"network": "pinnsformer", "iterations": 2000},
                "pinnmamba": {"network": "pinnmamba", "iterations": 3000, "error": 0.1},
                "pinn_fp64": {"precision": "fp64", "fails": False, "error": 1e-2},
                "double_pinn": double64,
            }.items()
        },
    }[number]
    if number in (7, 9) and common.get("small"):
        common = {**common, "switch": 2}
    return {role: make_cell(**{**cell, **common}) for role, cell in chosen.items()}


@pytest.fixture(scope="session")
def cell_factory():
    return make_cell


@pytest.fixture(scope="session")
def cells_factory():
    return make_cells


_WITHOUT_JAX = """
import sys
from double_pinn.cli import main
status = main(sys.argv[1:])
loaded = {"jax", "jaxlib", "flax", "optax"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(status or (f"loaded: {loaded}" if loaded else 0))
"""


@pytest.fixture(scope="session")
def command_without_jax():
    """``command_without_jax(*arguments)``: run ``double-pinn``, which must not load JAX."""

    def run(*arguments):
        command = [sys.executable, "-c", _WITHOUT_JAX, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run
