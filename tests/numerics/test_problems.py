"""The four equations of Appendix B, and what is refused."""

import dataclasses

import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem, names
from double_pinn.errors import SettingsError
from double_pinn.numerics.problems import Initial, Left, Periodic, Right


def test_names():
    assert {"allen_cahn", "convection", "reaction", "wave"} <= set(names("equation"))


@pytest.mark.parametrize(
    ("name", "x_range", "coefficients"),
    [
        ("convection", (0, 2 * np.pi), {"beta": 50}),
        ("reaction", (0, 2 * np.pi), {"rho": 5}),
        ("wave", (0, 1), {"beta": 3, "speed": 2}),
        ("allen_cahn", (-1, 1), {"diffusion": 1e-4, "rate": 5}),
    ],
)
def test_the_papers_values_are_the_defaults(name, x_range, coefficients):
    problem = get_problem(name)
    assert problem.x_range == x_range
    assert problem.t_range == (0, 1)
    for key, value in coefficients.items():
        assert problem.parameters[key] == value
    assert set(problem.parameters) == {"x_range", "t_range", *coefficients}
    assert problem.title
    assert problem.formula


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        ("convection", {"initial_u": Initial, "periodic_u": Periodic}),
        ("reaction", {"initial_u": Initial, "periodic_u": Periodic}),
        (
            "wave",
            {"initial_u": Initial, "initial_u_t": Initial, "left_u": Left, "right_u": Right},
        ),
        (
            "allen_cahn",
            {"initial_u": Initial, "periodic_u": Periodic, "periodic_u_x": Periodic},
        ),
    ],
)
def test_conditions(name, conditions):
    found = {condition.name: type(condition) for condition in get_problem(name).conditions}
    assert found == conditions


X, T = np.linspace(0, 1, 7)[:, None], np.linspace(0, 1, 5)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("convection", lambda x, t: np.sin(x - 50 * t)),
        (
            "wave",
            lambda x, t: (
                np.sin(np.pi * x) * np.cos(2 * np.pi * t)
                + 0.5 * np.sin(3 * np.pi * x) * np.cos(6 * np.pi * t)
            ),
        ),
        (
            "reaction",
            lambda x, t: 1 / (1 + np.exp(-5 * t) * (np.exp(8 * (x / np.pi - 1) ** 2) - 1)),
        ),
    ],
)
def test_exact_solutions(name, formula):
    problem = get_problem(name)
    low, high = problem.x_range
    x = low + X * (high - low)
    np.testing.assert_allclose(problem.exact(x, T), formula(x, T), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(problem.exact(x, 0.0), problem.initial(x), rtol=1e-14, atol=1e-14)


def test_allen_cahn_has_no_closed_form():
    problem = get_problem("allen_cahn")
    assert problem.exact is None
    np.testing.assert_allclose(problem.initial(X), X**2 * np.cos(np.pi * X), rtol=1e-14)
    np.testing.assert_allclose(problem.linear_symbol(3.0), -9e-4)
    np.testing.assert_allclose(problem.nonlinear(0.5), 5 * 0.5 - 5 * 0.125)


def test_an_unknown_equation_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"equation\.name is 'poisson'.*convection"):
        get_problem("poisson")


def test_an_unknown_coefficient_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"equation\.parameters\.speed.*beta"):
        get_problem("convection", speed=1.0)


@pytest.mark.parametrize("key", ["x_range", "t_range"])
@pytest.mark.parametrize(
    "interval", [(1.0, 1.0), (1.0, 0.0), (0.0, np.inf), (np.nan, 1.0), (0.0,), (0, 1, 2), 3.0, "ab"]
)
def test_an_interval_without_width(key, interval):
    with pytest.raises(SettingsError, match=key):
        get_problem("convection", **{key: interval})


@pytest.mark.parametrize("value", [np.nan, np.inf, "fast", None, [1.0]])
def test_a_coefficient_that_is_no_number(value):
    with pytest.raises(SettingsError, match="beta"):
        get_problem("convection", beta=value)


def test_a_problem_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_problem("convection").beta = 3.0


@pytest.mark.parametrize("name", ["convection", "reaction", "wave"])
@pytest.mark.parametrize(
    ("x_range", "t_range"), [((-3.0, 1.0), (0.5, 1.5)), ((2.0, 2.5), (-1.0, 1.0))]
)
def test_closed_forms_follow_the_domain(name, x_range, t_range):
    """The same solution, stretched over the interval and from its first instant."""
    usual, moved = get_problem(name), get_problem(name, x_range=x_range, t_range=t_range)
    stretch = moved.length / usual.length
    x, t = usual.x_range[0] + X * usual.length, T
    # Of a wave that travels, the way is stretched like the interval, and so its time.
    elapsed = t if name == "reaction" else t * stretch
    found = moved.exact(x_range[0] + X * moved.length, t_range[0] + elapsed)
    np.testing.assert_allclose(found, usual.exact(x, t), rtol=1e-9, atol=1e-12)


def test_the_initial_value_of_allen_cahn_follows_the_interval():
    problem = get_problem("allen_cahn", x_range=(0.0, 4.0))
    np.testing.assert_allclose(problem.initial(X * 4), get_problem("allen_cahn").initial(2 * X - 1))
