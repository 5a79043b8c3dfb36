"""The configuration of the workflow: every key that config/*.yaml may hold, and its checks."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from double_pinn.configuration import catalogue
from double_pinn.configuration.settings import Grid, Table, checked, choose
from double_pinn.errors import SettingsError
from double_pinn.numerics.choice import Choice
from double_pinn.numerics.points import TestSample
from double_pinn.numerics.schedule import Logging, StoppingRule
from double_pinn.values import AxisCount, Count, Name, NonNegative, Section, Seed

#: By the name of a choice, its options: what these may be, the choice says.
Options = dict[Name, dict[str, Any]]


def _reruns(what: str):
    return Field(json_schema_extra={"reruns": what})


class PointsLimit(Section):
    """At most so many points, whatever the table of experiments says."""

    grid: AxisCount | None = None
    """At most this many points along a side of the training grid; null: as in the table."""
    edge: AxisCount | None = None
    """At most this many points on an edge; null: as in the table."""


class Iterations(Section):
    """Budgets; the paper's stopping rule may end a run sooner."""

    default: Count
    """The budget of a cell, in iterations."""
    cells: dict[Name, Count] = Field(default_factory=dict)
    """Another budget for a cell, by its name."""


class TermWeights(Section):
    """Weights of loss terms; 1 where nothing is said, as in the paper."""

    cells: dict[Name, dict[Name, NonNegative]] = Field(default_factory=dict)
    """Of a cell, by its name: weight of a term (`equation`, the name of a condition, `alignment`),
    and of its derived rows with it."""


class Grids(Section):
    """Where trained networks are judged."""

    residual_points: Annotated[AxisCount, _reruns("evaluation")]
    """Least number of points along an axis of the residual field."""
    grid: Annotated[dict[Name, Grid], _reruns("reference, evaluation")]
    """`nx` and `nt` of the grid of the errors, by equation; `default`: of all others."""


class Job(Section):
    """What a job asks of a cluster at its first attempt; both grow with every attempt."""

    runtime: Count
    """Minutes."""
    mem_mb: Count
    """Megabytes."""


class TrainJob(Job):
    """What a training job asks for."""

    threads: Count = 1
    """Cores; a run is dealt out over them, and computes the same but for rounding."""


class TrainJobs(Section):
    """What training jobs ask of a cluster."""

    default: TrainJob
    """`runtime` (minutes) and `mem_mb` of a training job, both grow with every attempt; and
    `threads`, its cores (default: 1)."""
    cells: dict[Name, TrainJob] = Field(default_factory=dict)
    """The same for a cell, by its name."""


class Resources(Section):
    """What jobs ask of a cluster."""

    train: TrainJobs
    evaluate: Job
    """`runtime` and `mem_mb` of all other jobs."""


class Configuration(Section):
    """All keys of the configuration."""

    scale: Name
    """Name of the scale: results go to `results/{scale}/`; rows whose `scales` name it are run."""
    seeds: Annotated[list[Seed], Field(min_length=1), _reruns("training of a new seed")]
    """One training run for each cell and seed, from 0 to 2³² - 1; mean ± std are over these."""
    cell_seeds: Annotated[
        dict[Name, Annotated[list[Seed], Field(min_length=1)]], _reruns("training of a new seed")
    ] = Field(default_factory=dict)
    """Other seeds for a cell, by its name."""
    experiments: Annotated[str, Field(min_length=1), _reruns("what changed in it")]
    """The table of experiments."""
    published: Annotated[str, Field(min_length=1), _reruns("figures, tables")]
    """The table of published numbers."""
    device: Annotated[Literal["cpu", "gpu"], _reruns("nothing")]
    """Where networks are trained; a GPU that is not there is an error."""
    equations: Annotated[Options, _reruns("reference, training")] = Field(default_factory=dict)
    """Coefficients of an equation, by its name, and its domain: `x_range: [a, b]`, `t_range`."""
    reference: Annotated[dict[Name, Table], _reruns("reference, evaluation")] = Field(
        default_factory=dict
    )
    """A table of an equation's solution, by its name: `file`, and the names `x`, `t` and `u` in it
    (docs/method.md). It goes before `exact` and the spectral solver."""
    networks: Annotated[Options, _reruns("training")] = Field(default_factory=dict)
    """Options of a network, by its name."""
    regularizers: Annotated[Options, _reruns("training")] = Field(default_factory=dict)
    """Options of a regulariser, by its name."""
    optimizers: Annotated[Options, _reruns("training")] = Field(default_factory=dict)
    """Options of an optimiser, by its name."""
    points_limit: Annotated[PointsLimit, _reruns("training")] = PointsLimit()
    test_points: Annotated[TestSample, _reruns("training")] = TestSample()
    stopping: Annotated[StoppingRule, _reruns("training")] = StoppingRule()
    iterations: Annotated[Iterations, _reruns("training")]
    continue_from: Annotated[str | None, _reruns("nothing")] = None
    """An archive whose L-BFGS runs of a smaller budget go on, where no checkpoint is left
    (docs/archive.md); null: every run starts from its seed."""
    term_weights: Annotated[TermWeights, _reruns("training")] = TermWeights()
    logging: Annotated[Logging, _reruns("training")] = Logging()
    evaluation: Grids
    resources: Annotated[Resources, _reruns("nothing")]

    def choice(self, kind: catalogue.ChoiceKind, name: str, **options) -> Choice:
        """Return a choice with the configured options and those given here."""
        configured = getattr(self, f"{kind}s").get(name, {})
        return choose(kind, {"name": name, **configured, **options})


def configuration_from(values: Mapping) -> Configuration:
    """Build and check the configuration.

    Raises:
        SettingsError: with a line for everything that is refused, each naming its key.
    """
    lines = [
        f"{key} is {value}: a finite number is needed"
        for key, value in _numbers_in(values)
        if not is_finite(value)
    ]
    if lines:
        raise SettingsError(_listed(lines))
    try:
        configuration = checked(Configuration, values)
    except SettingsError as error:
        lines = [line + _advice(line) for line in str(error).splitlines()]
        raise SettingsError(_listed(lines)) from None
    for kind in ("network", "regularizer", "optimizer"):
        for name, options in getattr(configuration, f"{kind}s").items():
            lines += _refused(_check_options, kind, name, options)
    for name, parameters in configuration.equations.items():
        lines += _refused(_check_equation, name, parameters)
    of_cells = {f"cell_seeds.{cell}": seeds for cell, seeds in configuration.cell_seeds.items()}
    lines += [
        f"{key} is {seeds}: every seed may stand there once"
        for key, seeds in {"seeds": configuration.seeds, **of_cells}.items()
        if len(set(seeds)) < len(seeds)
    ]
    grids = configuration.evaluation.grid
    if "default" not in grids:
        lines.append("evaluation.grid.default is missing")
    for key, given, known in (
        ("evaluation.grid", grids, ("default", *catalogue.names("equation"))),
        ("reference", configuration.reference, catalogue.names("equation")),
    ):
        lines += [
            f"{key}.{name} is unknown; known here: {', '.join(known)}"
            for name in given
            if name not in known
        ]
    if lines:
        raise SettingsError(_listed(lines))
    return configuration


def is_finite(value: float) -> bool:
    """Return whether a number is one that FP64 has."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond FP64
        return False


def _advice(line: str) -> str:
    """Return what to do about some refusals: keys of before, and a scale without its file."""
    for beginning, refused, advice in (
        ("network is unknown", "", "; write networks.mlp"),
        ("iterations.cells.", " is {", "; cells stand there at once, without a scale"),
        ("resources.train.cells.", "is unknown", "; cells stand there at once, without a scale"),
        ("regularizers.", "table of keys", "; such as weight"),
        (
            "iterations is missing",
            "",
            ": it comes with a scale's file (--configfile config/SCALE.yaml)",
        ),
    ):
        if line.startswith(beginning) and refused in line:
            return advice
    return ""


def _listed(lines: list[str]) -> str:
    return "\n".join(f"configuration: {line}" for line in lines)


def _refused(check, *arguments) -> list[str]:
    try:
        check(*arguments)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def _known_key(kind: str, name: str) -> str:
    """Return the key of a choice's options, if there is the choice."""
    key, known = f"{kind}s.{name}", catalogue.names(kind)
    if name not in known:
        raise SettingsError(f"{key} is unknown; known here: {', '.join(known)}")
    return key


def _check_options(kind: catalogue.ChoiceKind, name: str, options: Mapping) -> None:
    key = _known_key(kind, name)
    checked(catalogue.found(kind, name).cls, options, f"{key}.")


def _check_equation(name: str, parameters: Mapping) -> None:
    key = _known_key("equation", name)
    try:
        catalogue.get_problem(name, **parameters)
    except SettingsError as error:
        raise SettingsError(str(error).replace("equation.parameters", key)) from None


def _numbers_in(values, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of nested mappings and lists, with its key."""
    if isinstance(values, (Mapping, list)):
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
            yield from _numbers_in(value, f"{prefix}.{key}" if prefix else f"{key}")
    elif isinstance(values, (int, float)):
        yield prefix, values
