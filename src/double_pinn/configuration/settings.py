"""The settings of one cell of the paper's figures and tables: all that decides its numbers."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from double_pinn.errors import SettingsError
from double_pinn.numerics.problems import Initial, Problem, get_problem

PRECISIONS = ("fp32", "fp64")
REGULARIZERS = ("none", "l2", "l1", "double", "gpinn")
OPTIMIZERS = ("lbfgs", "optax_lbfgs", "gauss_newton")


def _refuse(key: str, value, what: str):
    raise SettingsError(f"{key} is {value!r}: {what}")


def _check_count(key: str, value, least: int = 1):
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        _refuse(key, value, f"an integer of at least {least} is needed")


def _check_number(key: str, value, *, positive: bool):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        _refuse(key, value, f"a {'positive' if positive else 'non-negative'} number is needed")


def _check_choice(key: str, value, choices):
    if value not in choices:
        _refuse(key, value, f"choose one of {', '.join(choices)}")


@dataclass(frozen=True)
class Equation:
    """Which equation, and the coefficients that differ from the paper's."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.name, str):
            _refuse("equation.name", self.name, "a name is needed")
        if not isinstance(self.parameters, dict):
            _refuse("equation.parameters", self.parameters, "a table of coefficients is needed")


@dataclass(frozen=True)
class Network:
    """Hidden layers and neurons of the MLP (Section 3: 4 × 128)."""

    hidden_layers: int = 4
    width: int = 128

    def __post_init__(self):
        _check_count("network.hidden_layers", self.hidden_layers)
        _check_count("network.width", self.width)


@dataclass(frozen=True)
class Regularizer:
    """Name and strength: λ_r of L² and L¹ (Section 5), w of double PINN and gPINN (Eq. 4)."""

    name: str = "none"
    weight: float = 0.0

    def __post_init__(self):
        _check_choice("regularizer.name", self.name, REGULARIZERS)
        _check_number("regularizer.weight", self.weight, positive=self.name != "none")


@dataclass(frozen=True)
class Points:
    """Training points: an ``nx`` × ``nt`` grid, and ``edge`` points on every edge."""

    nx: int
    nt: int
    edge: int

    def __post_init__(self):
        for key in ("nx", "nt", "edge"):
            _check_count(f"points.{key}", getattr(self, key), least=2)


@dataclass(frozen=True)
class TestPoints:
    """Test points: random in the domain, equally spaced on every edge (Appendix A)."""

    __test__ = False  # not a test class, whatever its name looks like to pytest

    domain: int = 10_000
    edge: int = 10_000
    seed: int = 12345

    def __post_init__(self):
        _check_count("test_points.domain", self.domain)
        _check_count("test_points.edge", self.edge, least=2)
        _check_count("test_points.seed", self.seed, least=0)


@dataclass(frozen=True)
class Optimizer:
    """The optimiser and its options; options of other optimisers are refused.

    Attributes:
        name: ``lbfgs`` (compact form), ``optax_lbfgs`` or ``gauss_newton``.
        memory: pairs kept by L-BFGS (Appendix A: 100).
        max_line_search_steps: evaluations a line search may take (Optax's default: 20).
        warmup_iterations: L-BFGS iterations after which ``gauss_newton`` takes over at the latest.
        switch_loss: ``gauss_newton`` takes over as soon as the loss is below this fraction of its
            first value.
        acceleration: whether ``gauss_newton`` uses geodesic acceleration.
        most_rows: that a ``gauss_newton`` step sees, about; a step's matrix has so many rows and
            columns. Beyond it the points of the domain are dealt out to parts.
    """

    name: str = "lbfgs"
    memory: int | None = None
    max_line_search_steps: int | None = None
    warmup_iterations: int | None = None
    switch_loss: float | None = None
    acceleration: bool | None = None
    most_rows: int | None = None

    _DEFAULTS = {  # noqa: RUF012 - a constant, not a field: it has no annotation
        "lbfgs": {"memory": 100, "max_line_search_steps": 20},
        "optax_lbfgs": {"memory": 100, "max_line_search_steps": 20},
        "gauss_newton": {
            "memory": 100,
            "max_line_search_steps": 20,
            "warmup_iterations": 3000,
            "switch_loss": 1e-4,
            "acceleration": True,
            "most_rows": 4000,
        },
    }

    def __post_init__(self):
        _check_choice("optimizer.name", self.name, OPTIMIZERS)
        defaults = self._DEFAULTS[self.name]
        for f in fields(self):
            if f.name == "name":
                continue
            value = getattr(self, f.name)
            if f.name not in defaults:
                if value is not None:
                    _refuse(f"optimizer.{f.name}", value, f"{self.name} has no such option")
            elif value is None:
                object.__setattr__(self, f.name, defaults[f.name])
        _check_count("optimizer.memory", self.memory)
        _check_count("optimizer.max_line_search_steps", self.max_line_search_steps)
        if self.name == "gauss_newton":
            _check_count("optimizer.warmup_iterations", self.warmup_iterations, least=0)
            _check_number("optimizer.switch_loss", self.switch_loss, positive=False)
            if not isinstance(self.acceleration, bool):
                _refuse("optimizer.acceleration", self.acceleration, "true or false is needed")
            _check_count("optimizer.most_rows", self.most_rows)


@dataclass(frozen=True)
class Stopping:
    """When training ends (Appendix A).

    Attributes:
        max_iterations: the budget.
        check_every: iterations between two looks at the relative change of the train loss.
        tolerance: least relative change; ``None``: the square root of the machine epsilon.
    """

    max_iterations: int
    check_every: int = 100
    tolerance: float | None = None

    def __post_init__(self):
        _check_count("stopping.max_iterations", self.max_iterations)
        _check_count("stopping.check_every", self.check_every)
        if self.tolerance is not None:
            _check_number("stopping.tolerance", self.tolerance, positive=False)


@dataclass(frozen=True)
class Logging:
    """Iterations between two entries of the history (train and test losses).

    Attributes:
        every: of first-order steps.
        every_second_order: of Gauss-Newton steps, which are dearer and go further.
    """

    every: int = 100
    every_second_order: int = 5

    def __post_init__(self):
        for f in fields(self):
            _check_count(f"logging.{f.name}", getattr(self, f.name))


@dataclass(frozen=True)
class Evaluation:
    """Dense grid of the errors, and the least number of points an axis of the residual field."""

    nx: int = 101
    nt: int = 101
    residual_points: int = 400

    def __post_init__(self):
        for f in fields(self):
            _check_count(f"evaluation.{f.name}", getattr(self, f.name), least=2)


@dataclass(frozen=True)
class RunSettings:
    """All settings of one cell; a seed is given to each run beside them.

    Raises:
        SettingsError: on construction, naming the key that is out of range.
    """

    cell: str
    equation: Equation
    points: Points
    stopping: Stopping
    precision: str = "fp64"
    network: Network = Network()
    regularizer: Regularizer = Regularizer()
    test_points: TestPoints = TestPoints()
    optimizer: Optimizer = Optimizer()
    logging: Logging = Logging()
    evaluation: Evaluation = Evaluation()

    def __post_init__(self):
        _check_choice("precision", self.precision, PRECISIONS)
        if not isinstance(self.cell, str) or not self.cell:
            _refuse("cell", self.cell, "a name is needed")
        _ = self.problem

    @property
    def problem(self) -> Problem:
        """The equation with its coefficients."""
        return get_problem(self.equation.name, **self.equation.parameters)

    @property
    def collocation_count(self) -> int:
        """The number of training points N as the paper counts it (Table 1, footnote 2).

        A set is counted once: initial conditions share theirs, a periodic condition has one for
        both of its edges.
        """
        conditions = self.problem.conditions
        initial = [c for c in conditions if isinstance(c, Initial)]
        sets = bool(initial) + len(conditions) - len(initial)
        return self.points.nx * self.points.nt + sets * self.points.edge

    def as_dict(self) -> dict:
        """Return nested plain values; :func:`settings_from_dict` turns them back."""
        plain = asdict(self)
        plain["optimizer"] = {k: v for k, v in plain["optimizer"].items() if v is not None}
        return plain

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, one line."""
        return json.dumps(self.as_dict(), sort_keys=True)


_SECTIONS = {
    "equation": Equation,
    "network": Network,
    "regularizer": Regularizer,
    "points": Points,
    "test_points": TestPoints,
    "optimizer": Optimizer,
    "stopping": Stopping,
    "logging": Logging,
    "evaluation": Evaluation,
}


def _build(cls, values, prefix: str):
    if not isinstance(values, dict):
        _refuse(prefix.rstrip(".") or "settings", values, "a table of keys and values is needed")
    known = {f.name: f for f in fields(cls)}
    for key in values:
        if key not in known:
            raise SettingsError(f"{prefix}{key} is unknown; known keys: {', '.join(known)}")
    try:
        return cls(**values)
    except TypeError as error:
        missing = [k for k in known if k not in values and f"'{k}'" in str(error)]
        raise SettingsError(
            f"{', '.join(prefix + k for k in missing) or error} is missing"
        ) from None


def settings_from_dict(values: dict) -> RunSettings:
    """Build and check settings.

    Raises:
        SettingsError: for an unknown or missing key or a value out of range, naming the key.
    """
    if not isinstance(values, dict):
        _refuse("settings", values, "a table of keys and values is needed")
    built = {
        key: _build(_SECTIONS[key], value, f"{key}.") if key in _SECTIONS else value
        for key, value in values.items()
    }
    return _build(RunSettings, built, "")


def read_json(path) -> dict:
    """Read a settings file as plain values.

    Raises:
        SettingsError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid JSON: {error}") from None


def load_settings(path) -> RunSettings:
    """Read and check a settings file.

    Raises:
        SettingsError: naming the file and the key.
    """
    try:
        return settings_from_dict(read_json(path))
    except SettingsError as error:
        message = str(error)
        raise SettingsError(message if str(path) in message else f"{path}: {message}") from None


def read_reference_settings(path) -> tuple[Problem, Evaluation]:
    """Read what a reference solution needs: the keys ``equation`` and ``evaluation``.

    Raises:
        SettingsError: naming the file and the key.
    """
    values = read_json(path)
    try:
        if not isinstance(values, dict):
            _refuse("settings", values, "a table of keys and values is needed")
        for key in values:
            if key not in ("equation", "evaluation"):
                raise SettingsError(f"{key} is unknown; known keys: equation, evaluation")
        equation = _build(Equation, values.get("equation", {}), "equation.")
        evaluation = _build(Evaluation, values.get("evaluation", {}), "evaluation.")
        return get_problem(equation.name, **equation.parameters), evaluation
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
