"""Where a run stands and what it has logged so far: what a checkpoint keeps beside the arrays."""

from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from double_pinn.numerics.schedule import FIRST_ORDER


@dataclass
class History:
    """What is logged along the way, one entry a logging interval.

    Attributes:
        columns: name -> list of numbers; ``train_term`` and ``test_term`` hold lists.
    """

    columns: dict[str, list] = field(default_factory=dict)

    def append(self, **values):
        """Append one entry."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)

    def drop_last(self):
        """Remove the last entry."""
        for column in self.columns.values():
            column.pop()

    @property
    def last_iteration(self) -> int:
        """The iteration of the last entry, or -1."""
        return self.columns.get("iteration", [-1])[-1]


@dataclass
class Progression:
    """Where a run stands; everything here goes into the checkpoint.

    Attributes:
        iteration: iterations done.
        phase: of the optimiser: first or second order.
        history: entries so far.
        checked_loss: objective at the last look of the stopping rule.
        wall_time: seconds, accumulated over restarts.
        stop_reason: why training ended, or ``None``.
        restarts: iterations at which the optimiser began anew, from an archived run's parameters.
    """

    iteration: int = 0
    phase: int = FIRST_ORDER
    history: History = field(default_factory=History)
    checked_loss: float | None = None
    wall_time: float = 0.0
    stop_reason: str | None = None
    restarts: list[int] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Return plain values for the checkpoint's manifest."""
        return {**vars(self), "history": self.history.columns}

    @classmethod
    def from_dict(cls, values: dict) -> "Progression":
        """Turn :meth:`as_dict` back."""
        return cls(**{**values, "history": History(values["history"])})

    @classmethod
    def from_run(cls, run: xr.Dataset) -> "Progression":
        """Return where a run stood that has ended, from the content of its file."""
        logged = [name for name in run.data_vars if "iteration" in run[name].dims]
        columns = {str(name): run[name].values.tolist() for name in ["iteration", *logged]}
        columns.pop("penalty", None)  # it follows from the others
        return cls(
            iteration=int(run.attrs["iterations_run"]),
            phase=int(columns["phase"][-1]),
            history=History(columns),
            wall_time=columns["wall_time"][-1],
            stop_reason=run.attrs["stop_reason"],
            restarts=restarts_of(run),
        )


def restarts_of(run: xr.Dataset) -> list[int]:
    """Return the iterations at which a run's optimiser began anew, from the content of its file."""
    return [int(k) for k in np.atleast_1d(run.attrs.get("restarts", []))]
