"""The losses of every optimiser × regulariser × precision on small networks, as they were recorded.

    python tests/recorded/losses.py           compares to the bit with what is recorded
    python tests/recorded/losses.py --record  records again: for changes of numbers on purpose

A word more, such as gauss_newton, does it for the cases alone whose names begin so.

Bits are those of one machine and one set of versions; other machines meet the tolerance of
test_recorded_losses.py. Threads of the linear algebra decide bits too, so there is one.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

RECORD = Path(__file__).with_name("losses.json")
COLUMNS = ("iteration", "objective", "train_loss", "test_loss")

# Each regulariser with an equation of its own, so that all four are seen.
EQUATIONS = {
    "none": {"name": "convection", "parameters": {"beta": 5.0}},
    "l2": {"name": "reaction"},
    "l1": {"name": "wave"},
    "double": {"name": "allen_cahn"},
    "gpinn": {"name": "wave"},
}
WEIGHTS = {"none": 0.0, "l2": 3e-5, "l1": 3e-6, "double": 5e-4, "gpinn": 5e-4}
# Rounding is amplified by every iteration: Gauss-Newton takes over early.
WARMUP = 10


def _case(optimizer: str, regularizer: str, precision: str, equation=None, **options) -> dict:
    is_second_order = optimizer == "gauss_newton"
    if is_second_order:
        options["warmup_iterations"] = WARMUP
    return {
        "cell": "recorded",
        "equation": equation or EQUATIONS[regularizer],
        "network": {"hidden_layers": 2, "width": 16},
        "precision": precision,
        "regularizer": {"name": regularizer, "weight": WEIGHTS[regularizer]},
        "points": {"nx": 8, "nt": 8, "edge": 12},
        "test_points": {"domain": 100, "edge": 50, "seed": 1},
        "optimizer": {"name": optimizer, "memory": 10, **options},
        "stopping": {
            "max_iterations": WARMUP + 40 if is_second_order else 300,
            "check_every": 100,
            "tolerance": 0.0,
        },
        "logging": {"every": 10, "every_second_order": 5},
    }


def cases() -> Iterator[tuple[str, dict]]:
    """Yield the name and the settings of each case."""
    for precision in ("fp64", "fp32"):
        for optimizer in ("lbfgs", "optax_lbfgs", "gauss_newton"):
            for regularizer in EQUATIONS:
                if optimizer == "gauss_newton" and regularizer in ("l1", "l2"):
                    continue
                name = f"{optimizer}-{regularizer}-{precision}"
                yield name, _case(optimizer, regularizer, precision)
    for regularizer in ("none", "l2", "gpinn"):
        equation = EQUATIONS[regularizer]
        name = f"lbfgs-double-fp64-{equation['name']}"
        yield name, _case("lbfgs", "double", "fp64", equation)
    pivoted = _case("gauss_newton", "double", "fp64", EQUATIONS["gpinn"], whole_rows=80)
    yield "gauss_newton-double-fp64-pivoted", pivoted


def trained(settings: dict) -> dict[str, list[float]]:
    """Train a case, and return its history; FP64 must be enabled."""
    from double_pinn.configuration.settings import settings_from_dict
    from double_pinn.running.training import train

    history = train(settings_from_dict(settings), 0)
    return {name: history[name].values.tolist() for name in COLUMNS}


def main() -> int:
    """Compare all cases to the bit, or record them; return the exit status."""
    for library in ("OMP", "OPENBLAS", "GOTO", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from double_pinn.cli import configure_jax

    configure_jax("cpu", 1, x64=True)
    found = {}
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    for name, settings in cases():
        if wanted and not name.startswith(tuple(wanted)):
            found[name] = recorded[name]
            continue
        found[name] = trained(settings)
        same = found[name] == recorded.get(name)
        print(f"{name}: {'the same to the bit' if same else 'DIFFERENT'}", flush=True)
    if "--record" in sys.argv[1:]:
        lines = (f"{json.dumps(name)}: {json.dumps(history)}" for name, history in found.items())
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return 0
    return int(found != recorded)


if __name__ == "__main__":
    sys.exit(main())
