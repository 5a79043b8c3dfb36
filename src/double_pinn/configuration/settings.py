"""The settings of one cell of the paper's figures and tables: all that decides its numbers."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, InstanceOf, ValidationError, field_validator

from double_pinn.configuration import catalogue
from double_pinn.configuration.refusals import lines_of
from double_pinn.errors import SettingsError
from double_pinn.numerics.choice import Choice
from double_pinn.numerics.points import TestSample, TrainingGrid
from double_pinn.numerics.problems.base import (
    ALIGNMENT,
    EQUATION,
    Final,
    Initial,
    Problem,
    kind_of,
)
from double_pinn.numerics.problems.checks import check_problem
from double_pinn.numerics.schedule import Logging, Stopping
from double_pinn.values import AxisCount, Name, NonNegative, Section

if TYPE_CHECKING:
    from double_pinn.numerics.networks.base import Network
    from double_pinn.numerics.optimizers.base import Optimizer
    from double_pinn.numerics.regularizers.base import Regularizer
else:
    # Their modules import JAX, without which settings are read and checked.
    Network = Regularizer = Optimizer = InstanceOf[Choice]

Precision = Literal["fp32", "fp64"]

#: What a table of a solution may be.
TABLE_FORMATS = (".npz", ".mat", ".nc", ".csv")

#: What is chosen where nothing is said.
DEFAULT_CHOICES: dict[catalogue.ChoiceKind, str] = {
    "network": "mlp",
    "regularizer": "none",
    "optimizer": "lbfgs",
}


class Equation(Section):
    """Which equation, and the coefficients that differ from the paper's."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def problem(self) -> Problem:
        """The equation with its coefficients."""
        return catalogue.get_problem(self.name, **self.parameters)

    @classmethod
    def of(cls, problem: Problem) -> "Equation":
        """Return what says of an equation, which need not be in a file, what it is.

        Raises:
            SettingsError: if it is not complete.
        """
        check_problem(problem)
        equation = cls(name=problem.name, parameters=problem.parameters)
        equation.__dict__["problem"] = problem  # where the property keeps it
        return equation


class Grid(Section):
    """The grid on which errors are taken."""

    nx: AxisCount
    """Points along x."""
    nt: AxisCount
    """Points along t."""


class Evaluation(Grid):
    """The grids on which a trained network is judged."""

    residual_points: AxisCount
    """Least number of points along an axis of the residual field."""


class RunSettings(Section):
    """All settings of one cell; a seed is given to each run beside them.

    Use :func:`settings_from_dict` to build them.
    """

    cell: str = Field(min_length=1)
    equation: Equation
    points: TrainingGrid
    stopping: Stopping
    precision: Precision = "fp64"
    network: Network
    regularizer: Regularizer
    test_points: TestSample = TestSample()
    optimizer: Optimizer
    logging: Logging = Logging()
    term_weights: dict[Name, NonNegative] = Field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """The equation with its coefficients."""
        return self.equation.problem

    @property
    def chosen(self) -> dict[str, str]:
        """The name of each choice, by kind."""
        return {kind: getattr(self, kind).name for kind in catalogue.KINDS}

    @property
    def collocation_count(self) -> int:
        """The number of training points N as the paper counts it (Table 1, footnote 2).

        A set is counted once: initial conditions share theirs, and final ones; a periodic condition
        has one for both of its edges.
        """
        kinds = [kind_of(condition) for condition in self.problem.conditions]
        shared = [kind for kind in kinds if issubclass(kind, Initial | Final)]
        sets = len(kinds) - len(shared) + len(set(shared))
        return self.points.nx * self.points.nt + sets * self.points.edge

    def as_dict(self) -> dict:
        """Return nested plain values; :func:`settings_from_dict` turns them back."""
        choices: dict[str, dict] = {kind: getattr(self, kind).named() for kind in DEFAULT_CHOICES}
        return {**self.model_dump(exclude=set(choices)), **choices}

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, one line."""
        return json.dumps(self.as_dict(), sort_keys=True)

    def attributes(self) -> dict:
        """Return what a file made with these settings says of them."""
        return {
            "cell": self.cell,
            **self.chosen,
            "precision": self.precision,
            "max_iterations": self.stopping.max_iterations,
            "n_collocation": self.collocation_count,
            "settings": self.to_json(),
        }

    def resolved(self) -> dict:
        """Return all that decides the numbers, every coefficient of the equation included."""
        values = self.as_dict()
        values["equation"]["parameters"] = self.problem.parameters
        return values


class EvaluationSettings(Section):
    """What an evaluation needs: how the cell was trained, and the grids on which it is judged."""

    run: InstanceOf[RunSettings]
    evaluation: Evaluation


class Table(Section):
    """A solution from elsewhere: a file with two axes and the values on their grid."""

    file: str
    """Its path: `.npz`, `.mat`, `.nc` or `.csv`."""
    x: str = Field(default="x", min_length=1)
    """Name of the positions in it."""
    t: str = Field(default="t", min_length=1)
    """Name of the instants in it."""
    u: str = Field(default="u", min_length=1)
    """Name of the values in it."""
    rows: Literal["x", "t"] | None = None
    """Whose values follow each other down the rows of u; null: as the shapes tell."""

    @field_validator("file")
    @classmethod
    def _is_known(cls, file: str) -> str:
        if Path(file).suffix.lower() not in TABLE_FORMATS:
            raise ValueError(f"a file that ends in {', '.join(TABLE_FORMATS)} is needed")
        return file

    @classmethod
    def from_words(cls, file: str, *names: str) -> "Table":
        """Return a table as the command line names it: FILE u=NAME ...

        Raises:
            SettingsError: naming the key.
        """
        pairs = (name.partition("=") for name in names)
        return checked(cls, {"file": file, **{key: value for key, _, value in pairs}}, "table.")

    def words(self) -> list[str]:
        """Return what :meth:`from_words` makes this table of."""
        names = self.model_dump(exclude={"file"}, exclude_defaults=True)
        return [self.file, *(f"{key}={value}" for key, value in names.items())]


class ReferenceSettings(Section):
    """What a reference solution needs."""

    equation: Equation
    evaluation: Grid
    table: Table | None = None
    """Where the solution stands already."""

    @property
    def problem(self) -> Problem:
        """The equation with its coefficients."""
        return self.equation.problem


def checked(model: type[Section], values: Any, prefix: str = "") -> Any:
    """Return a section made of plain values.

    Args:
        model: the section.
        values: keys and values.
        prefix: of the keys in messages, with its dot.

    Raises:
        SettingsError: with a line for each unknown or missing key and each value out of range.
    """
    if not isinstance(values, Mapping):
        where = prefix.rstrip(".") or "settings"
        raise SettingsError(f"{where} is {values!r}: a table of keys and values is needed")
    try:
        if issubclass(model, Choice):
            # As JSON, in which a tuple is a list and a member of an enumeration its value.
            return model.model_validate_json(json.dumps(dict(values), default=str))
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"{prefix}{line}" for line in lines_of(error, values, model)]
        raise SettingsError("\n".join(lines)) from None


def choose(kind: catalogue.ChoiceKind, values: Any, key: str | None = None) -> Choice:
    """Return a choice with its options.

    Args:
        kind: ``network``, ``regularizer`` or ``optimizer``.
        values: its ``name`` (a default where there is none) and options.
        key: where this stands; by default the kind.

    Raises:
        SettingsError: naming the key, if there is no such choice or an option is refused.
    """
    key = key or kind
    if not isinstance(values, Mapping):
        raise SettingsError(f"{key} is {values!r}: a table of keys and values is needed")
    options = dict(values)
    name = options.pop("name", DEFAULT_CHOICES[kind])
    return checked(catalogue.found(kind, name, f"{key}.name").cls, options, f"{key}.")


def check_combination(network: Network, regularizer: Regularizer, optimizer: Optimizer) -> None:
    """Refuse choices that cannot work together.

    Raises:
        SettingsError: naming them, and what would do.
    """

    def others(kind, fits):
        names = [n for n in catalogue.names(kind) if fits(catalogue.found(kind, n).cls)]
        return ", ".join(names)

    if optimizer.needs_rows and regularizer.adds_penalty:
        raise SettingsError(
            f"regularizer.name is {regularizer.name!r}: its penalty is no sum of squared rows, on "
            f"which the optimizer {optimizer.name} works; choose one of "
            f"{others('regularizer', lambda cls: not cls.adds_penalty)}, or an optimizer of "
            f"{others('optimizer', lambda cls: not cls.needs_rows)}"
        )
    if optimizer.needs_taps and not network.has_taps:
        raise SettingsError(
            f"network.name is {network.name!r}: it does not give the layers' inputs and "
            f"cotangents, which the optimizer {optimizer.name} needs; choose one of "
            f"{others('network', lambda cls: cls.has_taps)}, or an optimizer of "
            f"{others('optimizer', lambda cls: not cls.needs_taps)}"
        )


def settings_from_dict(values: Any) -> RunSettings:
    """Build and check the settings of a run.

    Raises:
        SettingsError: for an unknown or missing key, a value out of range or a combination that
            cannot work, naming the key.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"settings is {values!r}: a table of keys and values is needed")
    choices = {kind: choose(kind, values.get(kind, {})) for kind in DEFAULT_CHOICES}
    settings = checked(RunSettings, {**values, **choices})
    _ = settings.problem
    network = settings.network
    check_combination(network, settings.regularizer, settings.optimizer)
    if network.aligned and network.length < 2:
        raise SettingsError(
            f"network.length is {network.length}: the alignment compares what the sequences of "
            f"neighbours share, so give at least 2 (networks.{network.name}.length)"
        )
    t0, t1 = settings.problem.t_range
    network.check_grid((t1 - t0) / (settings.points.nt - 1))
    check_term_weights(settings)
    return settings


def check_term_weights(settings: RunSettings) -> None:
    """Refuse a weight of a term that the loss has not.

    Raises:
        SettingsError: naming the term, and those there are.
    """
    conditions = [condition.name for condition in settings.problem.conditions]
    known = [EQUATION, *conditions, *([ALIGNMENT] if settings.network.aligned else [])]
    for term in settings.term_weights:
        if term not in known:
            raise SettingsError(
                f"term_weights.{term} is unknown: the loss of {settings.equation.name} with the "
                f"network {settings.network.name} has the terms {', '.join(known)}"
            )


def evaluation_from_dict(values: Any) -> EvaluationSettings:
    """Build and check what an evaluation needs.

    Raises:
        SettingsError: naming the key.
    """
    if isinstance(values, Mapping) and "run" in values:
        values = {**values, "run": settings_from_dict(values["run"])}
    return checked(EvaluationSettings, values)


def reference_from_dict(values: Any) -> ReferenceSettings:
    """Build and check what a reference solution needs.

    Raises:
        SettingsError: naming the key.
    """
    settings = checked(ReferenceSettings, values)
    _ = settings.problem
    return settings


def read_json(path) -> Any:
    """Read a settings file as plain values.

    Raises:
        SettingsError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist") from None
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"settings file {path} is not valid JSON: {error}; if Snakemake wrote it, remove it: "
            "it will be written again"
        ) from None


def load_settings(path, build=settings_from_dict):
    """Read and check a settings file.

    Args:
        path: the file.
        build: what makes settings of its values: of a run, an evaluation or a reference.

    Raises:
        SettingsError: naming the file and the key.
    """
    values = read_json(path)
    try:
        return build(values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
