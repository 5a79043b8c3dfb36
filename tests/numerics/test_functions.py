"""An equation's functions as people write them: they work, or are refused by class and method."""

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.errors import UserError
from double_pinn.numerics.functions import values_of
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.points import TestSample as Sample
from double_pinn.numerics.points import TrainingGrid
from double_pinn.numerics.problems import Initial, Left, Problem, Right
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.trainer import Ingredients, Solution, Trainer


@dataclass(frozen=True)
class Steady(Problem):
    """u_xx - u = 0: no time in it."""

    name = "steady"
    title = "Steady"
    formula = "u_{xx} - u"

    def residual(self, u, x, t):
        return u.xx - u

    def exact(self, x, t):
        return jnp.sinh(x) / jnp.sinh(1.0)

    @property
    def conditions(self):
        return (
            Left("left_u", lambda u, t: u + 0.0),
            Right("right_u", lambda u, t: u - 1.0),
        )


def with_exact(function, base=Steady):
    return type("Mine", (base,), {"exact": function})()


X, T = np.linspace(0, 1, 5)[:, None], np.linspace(0, 1, 7)[None, :]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x, t: 0.0, 0 * X * T),
        (lambda self, x, t: 2, 2 + 0 * X * T),
        (lambda self, x, t: jnp.sinh(x), np.sinh(X) + 0 * T),
        (lambda self, x, t: np.exp(-t), np.exp(-T) + 0 * X),
        (lambda self, x, t: x < 0.4, (X < 0.4) + 0.0 * T),
        (lambda self, x, t: np.where(x < 0.4, 1, t), np.where(X < 0.4, 1, T)),
        (lambda self, x, t: jnp.where(x < 0.4, 1.0, 0.0), (X < 0.4) + 0.0 * T),
        (
            lambda self, x, t: jnp.interp(x, jnp.array([0.0, 1.0]), jnp.array([1.0, 3.0])),
            1 + 2 * X + 0 * T,
        ),
        (lambda self, x, t: np.interp(x, [0.0, 1.0], [1.0, 3.0]), 1 + 2 * X + 0 * T),
    ],
)
def test_numbers_and_functions_of_one_axis_fill_the_grid(function, expected):
    found = values_of(with_exact(function), "exact", X, T)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (0.0, r"Mine\.exact is 0\.0, not a method: def exact\(self, x, t\) is needed"),
        (lambda self, x: x, r"Mine\.exact fails on arrays \(TypeError: .*def exact\(self, x, t\)"),
        (lambda self, x, t: math.sin(x), r"Mine\.exact fails .*jnp\.sin for math\.sin"),
        (lambda self, x, t: 1.0 if x < 0 else 0.0, r"Mine\.exact fails .*jnp\.where for if"),
        (lambda self, x, t: None, r"Mine\.exact gives object; .* that returns real numbers"),
        (lambda self, x, t: np.exp(1j * x), r"Mine\.exact gives complex128; .* real numbers"),
        (lambda self, x, t: np.ones(3), r"Mine\.exact gives shape \(3,\) where \(5, 7\) is asked"),
    ],
)
def test_what_is_no_such_function_is_refused_by_name(function, words):
    with pytest.raises(UserError, match=words):
        values_of(with_exact(function), "exact", X, T)


def test_a_missing_function_is_named():
    with pytest.raises(UserError, match=r"Steady\.initial is missing: def initial\(self, x\)"):
        values_of(Steady(), "initial", X)


def test_the_log_of_a_steady_equation_has_its_solution_everywhere():
    solution = Solution.of(Steady())
    assert solution.u.shape == (101, 101)
    expected = np.sinh(solution.x)[:, None] / np.sinh(1.0)
    np.testing.assert_allclose(solution.u, np.broadcast_to(expected, (101, 101)), rtol=1e-14)


def trainer(problem):
    return Trainer(
        Ingredients(
            problem,
            TanhMLP(hidden_layers=1, width=4),
            DoublePINN(),
            LBFGS(),
            TrainingGrid(nx=3, nt=3, edge=4),
            Sample(domain=4, edge=4, seed=1),
            "fp64",
        )
    )


def test_a_steady_equation_has_rows(quick_compilation):
    steady = trainer(Steady())
    terms, _ = steady.losses(steady.network.init(0))
    assert steady.terms == ("equation", "left_u", "right_u")
    assert np.isfinite(terms).all()


@dataclass(frozen=True)
class Stepped(Steady):
    """From an initial value that some function gives."""

    def initial(self, x):
        return self.step(x)

    @property
    def conditions(self):
        return (Initial("initial_u", lambda u, x: u - self.initial(x)),)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: np.where(x < 0.5, 1.0, 0.0),
        lambda x: np.interp(x, [0, 1], [1, 0]),
        lambda x: math.sin(x),
        lambda x: 1.0 if x < 0.5 else x,
    ],
)
def test_what_jax_cannot_trace_is_refused_by_class_and_line(step):
    problem = type("Mine", (Stepped,), {"step": staticmethod(step)})()
    words = r"class Mine: the condition 'initial_u' \(test_functions\.py, line \d+\): .*jnp"
    with pytest.raises(UserError, match=words):
        trainer(problem)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: jnp.where(x < 0.5, 1.0, 0.0),
        lambda x: jnp.interp(x, jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0])),
        lambda x: 0.5,
    ],
)
def test_what_jax_can_trace_has_rows(step):
    problem = type("Mine", (Stepped,), {"step": staticmethod(step)})()
    assert trainer(problem).terms == ("equation", "initial_u")
