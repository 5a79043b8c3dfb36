"""What is measured, as a file that every peer reads with NumPy alone."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EQUATIONS = ("reaction", "wave", "convection", "allen_cahn")
LOSSES = ("none", "double")
SEQUENCES = ("pinnsformer", "pinnmamba")


@dataclass(frozen=True)
class Case:
    """One loss with its points and its starting parameters; arrays are FP64.

    Attributes:
        settings: the settings of this project's cell, as plain values.
        coefficients: of the equation, such as ``{"beta": 50.0}``.
        box: the domain ((x0, x1), (t0, t1)).
        x: positions in the domain, shape (n,).
        t: instants in the domain, shape (n,).
        x_edge: positions on the initial edge, shape (m,).
        t_edge: instants on the left and right edges, shape (m,).
        initial: u(x_edge, t0), shape (m,).
        initial_x: its derivative, shape (m,).
        flat: the starting parameters as this project's flat vector.
        layers: the same as (kernel (n_in, n_out), bias (n_out,)) a layer; of the MLP alone.
        named: the same by name, of any other network.
    """

    settings: dict
    coefficients: dict
    box: tuple
    x: np.ndarray
    t: np.ndarray
    x_edge: np.ndarray
    t_edge: np.ndarray
    initial: np.ndarray
    initial_x: np.ndarray
    flat: np.ndarray
    layers: list
    named: dict

    @property
    def equation(self) -> str:
        """Name of the equation."""
        return self.settings["equation"]["name"]

    @property
    def weight(self) -> float:
        """Double PINN's w; 0 for the plain loss."""
        return self.settings["regularizer"]["weight"]

    @property
    def memory(self) -> int:
        """Pairs that L-BFGS keeps."""
        return self.settings["optimizer"]["memory"]


_ARRAYS = ("x", "t", "x_edge", "t_edge", "initial", "initial_x", "flat")


def save_case(case: Case, path: Path):
    """Write a case to an ``.npz`` file."""
    arrays = {name: getattr(case, name) for name in _ARRAYS}
    for k, (kernel, bias) in enumerate(case.layers):
        arrays |= {f"kernel{k}": kernel, f"bias{k}": bias}
    arrays |= {f"named/{name}": value for name, value in case.named.items()}
    plain = {"settings": case.settings, "coefficients": case.coefficients, "box": case.box}
    np.savez(path, plain=json.dumps(plain), **arrays)


def load_case(path: Path) -> Case:
    """Read what :func:`save_case` wrote."""
    with np.load(path) as data:
        plain = json.loads(str(data["plain"]))
        layers = [
            (data[f"kernel{k}"], data[f"bias{k}"])
            for k in range(sum(name.startswith("kernel") for name in data.files))
        ]
        named = {n.removeprefix("named/"): data[n] for n in data.files if n.startswith("named/")}
        arrays = {name: data[name] for name in _ARRAYS}
        return Case(**plain, layers=layers, named=named, **arrays)
