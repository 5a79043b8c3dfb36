"""Export of the cases: this project's points and starting parameters, for all peers."""

import sys
from pathlib import Path

import jax
import numpy as np

from benchmarks.cases import SEQUENCES, Case, save_case
from double_pinn.cli import configure_jax
from double_pinn.configuration.settings import RunSettings, settings_from_dict
from double_pinn.numerics.points import training_points

# The paper's points (Table 1): the domain grid is square.
POINTS = {
    "reaction": {"nx": 16, "nt": 16, "edge": 100},
    "wave": {"nx": 12, "nt": 12, "edge": 100},
    "convection": {"nx": 20, "nt": 20, "edge": 200},
    "allen_cahn": {"nx": 64, "nt": 64, "edge": 100},
}
WEIGHT = 5e-4
SEED = 0


def paper_settings(equation: str, loss: str) -> RunSettings:
    """Return the paper's settings of an equation in FP64; ``loss`` is ``none`` or ``double``."""
    return settings_from_dict(
        {
            "cell": f"{equation}_{loss}",
            "equation": {"name": equation},
            "precision": "fp64",
            "regularizer": {"name": loss, "weight": WEIGHT if loss == "double" else 0.0},
            "points": POINTS[equation],
            "optimizer": {"name": "lbfgs", "memory": 100},
            "stopping": {"max_iterations": 1_000_000},
        }
    )


def sequence_settings(equation: str, network: str) -> RunSettings:
    """Return the settings of a sequence model on 101 × 101 points in FP32."""
    alignment = {"alignment": 1000.0} if network == "pinnmamba" else {}
    return settings_from_dict(
        {
            "cell": f"{equation}_{network}",
            "equation": {"name": equation},
            "network": {"name": network},
            "precision": "fp32",
            "points": {"nx": 101, "nt": 101, "edge": 101},
            "optimizer": {"name": "lbfgs", "memory": 100},
            "stopping": {"max_iterations": 1_000_000},
            "term_weights": alignment,
        }
    )


def export(settings: RunSettings) -> Case:
    """Return the case of a cell; needs FP64 to be enabled."""
    problem = settings.problem
    points = training_points(settings.points, problem)
    network = settings.network.bound(np.float64)
    flat = network.init(SEED)
    is_mlp = settings.network.name == "mlp"
    coefficients = {k: v for k, v in problem.parameters.items() if not k.endswith("_range")}
    return Case(
        settings=settings.as_dict(),
        coefficients=coefficients,
        box=(problem.x_range, problem.t_range),
        x=points.x,
        t=points.t,
        x_edge=points.x_edge,
        t_edge=points.t_edge,
        initial=np.asarray(problem.initial(points.x_edge)),
        initial_x=np.asarray(jax.vmap(jax.grad(problem.initial))(points.x_edge)),
        flat=np.asarray(flat),
        layers=[(np.asarray(k), np.asarray(b)) for k, b in network.weights(flat)] if is_mlp else [],
        named={} if is_mlp else {k: np.asarray(v) for k, v in network.named(flat).items()},
    )


def main(folder: str, *names: str):
    """Write ``{equation}_{loss}.npz``, or ``{equation}_{network}.npz``, for names of that form."""
    configure_jax("cpu", None, x64=True)
    for name in names:
        equation, _, kind = name.rpartition("_")
        make = sequence_settings if kind in SEQUENCES else paper_settings
        save_case(export(make(equation, kind)), Path(folder) / f"{name}.npz")


if __name__ == "__main__":
    main(*sys.argv[1:])
