"""A campaign: the cells of one scale, where they are shown, and what each job is told."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from double_pinn.configuration import catalogue
from double_pinn.configuration.experiments import Row, read_experiments
from double_pinn.configuration.model import Configuration, TrainJob, configuration_from
from double_pinn.configuration.settings import (
    RunSettings,
    Table,
    check_combination,
    settings_from_dict,
)
from double_pinn.errors import SettingsError


def typed(value: Any) -> Any:
    """Return a value of the command line with its numbers, truth values and nulls as such.

    Inside lists and mappings, ``--config`` leaves them as text: 'seeds=[0,1]' would be ["0", "1"].
    """
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        meant = json.loads(value)
    except ValueError:
        return value
    return meant if meant is None or isinstance(meant, (bool, int, float)) else value


def check_scale(asked: Mapping, given: Collection[Path], overlays: Path) -> None:
    """Refuse a scale that comes without its overlay: its cells would get the budgets of another.

    Args:
        asked: what ``--config`` says.
        given: the files of ``--configfile``.
        overlays: the folder that has a file of the scale's name.

    Raises:
        SettingsError: saying which file to give.
    """
    scale = asked.get("scale")
    overlay = overlays / f"{scale}.yaml"
    if scale is None or not overlay.is_file():
        return
    if overlay.resolve() not in [Path(path).resolve() for path in given]:
        raise SettingsError(
            f"--config scale={scale} takes the cells of {scale} with the budgets of another scale: "
            f"write --configfile config/{scale}.yaml instead"
        )


class Campaign:
    """The cells of the configured scale.

    Attributes:
        configuration: all settings.
        cells: row of the table by the name of its cell, in the order of the table.
        uses: by figure or table, the cell that plays each role.
    """

    configuration: Configuration
    cells: dict[str, Row]
    uses: dict[str, dict[str, str]]

    def __init__(self, values: Mapping, targets: Collection[str], find=Path):
        """Read and check everything.

        Args:
            values: the configuration as plain values.
            targets: figures and tables that can show a cell, such as ``figure1``.
            find: returns where a file lies that the configuration names.

        Raises:
            SettingsError: naming the key, or the file and its line.
        """
        self.configuration = configuration_from(values)
        self._find = find
        table = self.configuration.experiments
        rows = read_experiments(Path(find(table)), targets)
        scale = self.configuration.scale
        self.cells = {cell: row for cell, row in rows.items() if scale in row.scales.split()}
        if not self.cells:
            raise SettingsError(
                f"configuration: scale is {scale!r}: no row of {table} lists it under `scales`"
            )
        of_cells: dict[str, Collection[str]] = {
            "iterations.cells": self.configuration.iterations.cells,
            "term_weights.cells": self.configuration.term_weights.cells,
            "resources.train.cells": self.configuration.resources.train.cells,
            "cell_seeds": self.configuration.cell_seeds,
        }
        for section, exceptions in of_cells.items():
            if unknown := [name for name in exceptions if name not in rows]:
                raise SettingsError(
                    f"configuration: {section}.{unknown[0]} is unknown: {table} has no such "
                    "cell; a table of your own goes with a scale of your own (config/README.md)"
                )
        if not Path(find(self.configuration.published)).is_file():
            raise SettingsError(
                f"configuration: published is {self.configuration.published!r}: no such file"
            )
        for cell, row in self.cells.items():
            try:
                network, *others = self._choices(row)
                check_combination(network, *others)
                if network.sees_sequences:
                    self.run(cell)  # they have to fit the cell's grid
            except SettingsError as error:
                raise SettingsError(f"{table}, {cell}: {error}") from None
        for cell in [c for c in self.configuration.term_weights.cells if c in self.cells]:
            try:
                self.run(cell)
            except SettingsError as error:
                raise SettingsError(f"configuration: term_weights.cells.{cell}: {error}") from None
        for equation, given in self.configuration.reference.items():
            if equation in self.equations and not Path(find(given.file)).is_file():
                raise SettingsError(
                    f"configuration: reference.{equation}.file is {given.file!r}: no such file"
                )
        self.uses = self._read_uses()

    def _read_uses(self) -> dict[str, dict[str, str]]:
        uses: dict[str, dict[str, str]] = {}
        # What is said of this scale alone goes before what is said of all.
        for only in (self.configuration.scale, ""):
            players: dict[tuple[str, str], str] = {}
            for cell, row in self.cells.items():
                for target, role in row.shown(only):
                    other = players.setdefault((target, role), cell)
                    if other != cell:
                        raise SettingsError(
                            f"{self.configuration.experiments}: {cell}: used_in: {target}:{role} "
                            f"is already taken by {other}"
                        )
            for (target, role), cell in players.items():
                uses.setdefault(target, {}).setdefault(role, cell)
        return uses

    def _choices(self, row: Row) -> tuple:
        weight = {} if row.weight is None else {"weight": row.weight}
        return (
            self.configuration.choice("network", row.network),
            self.configuration.choice("regularizer", row.regularizer, **weight),
            self.configuration.choice("optimizer", row.optimizer),
        )

    # --- Slices of the configuration, one for each stage ---

    def run(self, cell: str) -> RunSettings:
        """Return all that decides the numbers of a training run, but for the seed."""
        row, configuration = self.cells[cell], self.configuration
        network, regularizer, optimizer = self._choices(row)
        budget = configuration.iterations.cells.get(cell, configuration.iterations.default)
        return settings_from_dict(
            {
                "cell": cell,
                "equation": self._equation(row.equation),
                "network": network.named(),
                "precision": row.precision,
                "regularizer": regularizer.named(),
                "points": self._points(row),
                "test_points": configuration.test_points.model_dump(),
                "optimizer": optimizer.named(),
                "stopping": {"max_iterations": budget, **configuration.stopping.model_dump()},
                "logging": configuration.logging.model_dump(),
                "term_weights": configuration.term_weights.cells.get(cell, {}),
            }
        )

    def seeds(self, cell: str) -> list[int]:
        """Return the seeds of a cell."""
        return self.configuration.cell_seeds.get(cell, self.configuration.seeds)

    def _equation(self, name: str) -> dict:
        return {"name": name, "parameters": self.configuration.equations.get(name, {})}

    def _points(self, row: Row) -> dict:
        limits = self.configuration.points_limit
        limit_of = {"nx": limits.grid, "nt": limits.grid, "edge": limits.edge}
        points = {key: getattr(row, key) for key in limit_of}
        return {key: min(n, limit_of[key] or n) for key, n in points.items()}

    def _grid(self, equation: str) -> dict:
        grids = self.configuration.evaluation.grid
        return grids.get(equation, grids["default"]).model_dump()

    def table(self, equation: str) -> Table | None:
        """Return the table of an equation's solution, if one is named, with its file found."""
        table = self.configuration.reference.get(equation)
        return table and table.model_copy(update={"file": str(self._find(table.file))})

    def slice(self, stage: str, name: str) -> dict:
        """Return what a job is told.

        Args:
            stage: ``train``, ``evaluate`` or ``reference``.
            name: of a cell; for ``reference``, of an equation.
        """
        if stage == "train":
            return self.run(name).as_dict()
        if stage == "reference":
            table = self.table(name)
            given = {"table": table.model_dump()} if table else {}
            return {"equation": self._equation(name), "evaluation": self._grid(name), **given}
        residual_points = self.configuration.evaluation.residual_points
        grid = self._grid(self.cells[name].equation)
        return {
            "run": self.run(name).as_dict(),
            "evaluation": {"residual_points": residual_points, **grid},
        }

    def slice_json(self, stage: str, name: str) -> str:
        """Return the text of results/{scale}/settings/{stage}/{name}.json."""
        return json.dumps(self.slice(stage, name), indent=2, sort_keys=True, allow_nan=False)

    def train_job(self, cell: str) -> TrainJob:
        """Return what a cell's training asks of a cluster at its first attempt."""
        jobs = self.configuration.resources.train
        return jobs.cells.get(cell, jobs.default)

    def trained(self, target: str) -> str:
        """Return by what the cells of a figure or table are trained, and for how long at most.

        Iterations stand behind each role: "L-BFGS in FP32 (none 20,000, double 20,000)".
        """
        by: dict[str, list[str]] = {}
        for role, cell in self.uses[target].items():
            run = self.run(cell)
            label = f"{catalogue.label('optimizer', run.optimizer.name)} in {run.precision.upper()}"
            by.setdefault(label, []).append(f"{role} {run.stopping.max_iterations:,}")
        lists = {label: ", ".join(budgets) for label, budgets in by.items()}
        return "; ".join(f"{label} ({budgets})" for label, budgets in lists.items())

    @property
    def equations(self) -> list[str]:
        """The equations of all cells."""
        return list(dict.fromkeys(row.equation for row in self.cells.values()))
