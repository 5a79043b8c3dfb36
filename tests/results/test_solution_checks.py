"""A reference that does not solve its problem is refused, whatever it is that does not fit."""

import dataclasses
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.errors import UserError
from double_pinn.numerics.problems import Final, Initial, Left, Periodic, Problem, Right
from double_pinn.results.reference import solve
from double_pinn.results.solution_checks import check_closed_form, check_spectral

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("convection", {}),
        ("convection", {"beta": 5.0, "t_range": [0.5, 1.5], "x_range": [0.0, 4.0]}),
        ("reaction", {"x_range": [0.0, 4.0]}),
        ("wave", {"beta": 5.0, "x_range": [-1.0, 1.0]}),
    ],
)
def test_closed_forms_that_solve(name, parameters):
    check_closed_form(get_problem(name, **parameters))


def test_a_wave_with_half_a_harmonic_does_not_vanish_at_its_end():
    words = r"wave\.py: class Wave: exact.* does not solve .* row 'right_u' is -?0\.\d+ at x = 1, t"
    with pytest.raises(UserError, match=words):
        solve(get_problem("wave", beta=2.5), 20, 20)


@dataclass(frozen=True)
class Heat(Problem):
    """u_t = d u_xx, zero at both ends."""

    name = "heat"
    title = "Heat"
    d: float = 0.1
    rate: float = np.pi**2
    end: float = 0.0

    def residual(self, u, x, t):
        return u.t - self.d * u.xx

    @property
    def conditions(self):
        return (
            Initial("initial_u", lambda u, x: u - jnp.sin(np.pi * x)),
            Left("left_u", lambda u, t: u + 0.0),
            Right("right_u", lambda u, t: u - self.end),
            Final("final_u", lambda u, x: u - jnp.exp(-self.d * np.pi**2) * jnp.sin(np.pi * x)),
        )

    def exact(self, x, t):
        return jnp.exp(-self.d * self.rate * t) * jnp.sin(np.pi * x)


def test_a_final_condition_is_one_of_the_rows():
    check_closed_form(Heat())


@pytest.mark.parametrize(
    ("changes", "row"),
    [({"rate": np.pi}, "equation"), ({"end": 1e-3}, "right_u")],
)
def test_a_row_that_is_not_zero_is_named(changes, row):
    with pytest.raises(UserError, match=rf"its row '{row}' is .*, where it should be zero"):
        check_closed_form(Heat(**changes))


@dataclass(frozen=True)
class Steady(Problem):
    """u_xx = u."""

    name = "steady"
    title = "Steady"

    def residual(self, u, x, t):
        return u.xx - u

    @property
    def conditions(self):
        return (
            Left("left_u", lambda u, t: u - 1.0),
            Right("right_u", lambda u, t: u - np.exp(1.0)),
        )

    def exact(self, x, t):
        return jnp.exp(x)


def test_a_steady_solution():
    check_closed_form(Steady())


def test_an_exact_solution_that_is_not_finite_at_a_point():
    @dataclass(frozen=True)
    class Kernel(Heat):
        def exact(self, x, t):
            return jnp.exp(-(x**2) / (4 * self.d * t)) / jnp.sqrt(t)

    with pytest.raises(UserError, match=r"its row 'initial_u' is nan at x = .*, t = 0"):
        check_closed_form(Kernel())


@dataclass(frozen=True)
class Fisher(Problem):
    """The equation of the README."""

    name = "fisher"
    title = "Fisher"
    x_range: tuple[float, float] = (-np.pi, np.pi)
    d: float = 0.05

    def residual(self, u, x, t):
        return u.t - self.d * u.xx - 4 * u * (1 - u)

    def initial(self, x):
        return 0.1 + 0.1 * jnp.cos(x)

    @property
    def conditions(self):
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
            Periodic("periodic_u_x", lambda left, right, t: left.x - right.x),
        )

    def linear_symbol(self, k):
        return -self.d * k**2

    def nonlinear(self, u):
        return 4 * u * (1 - u)


def fisher(*conditions, **methods):
    start = Initial("initial_u", lambda u, x: u - Fisher().initial(x))
    parts = {"conditions": property(lambda self: (start, *conditions)), **methods}
    return type("Changed", (Fisher,), parts)()


def test_what_the_spectral_solver_solves():
    check_spectral(Fisher())
    check_spectral(get_problem("allen_cahn", x_range=[0.0, 3.0]))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Left("left_u", lambda u, t: u - 0.1), r"condition 'left_u' \(Left\)"),
        (Right("right_u", lambda u, t: u - 0.1), r"condition 'right_u' \(Right\)"),
        (Final("final_u", lambda u, x: u), r"condition 'final_u' \(Final\)"),
        (Periodic("shift", lambda left, right, t: left - right - 0.1), "condition 'shift'"),
        (Periodic("flux", lambda left, right, t: left.x + right.x), "condition 'flux'"),
        (Initial("rest", lambda u, x: u.t), "condition 'rest'"),
        (Initial("other", lambda u, x: u - 0.2), "condition 'other'"),
    ],
)
def test_a_condition_that_the_spectral_solver_does_not_impose(condition, words):
    with pytest.raises(UserError, match=rf"does not impose the {words}"):
        check_spectral(fisher(condition))


def test_an_equation_without_an_initial_value():
    @dataclass(frozen=True)
    class Free(Fisher):
        @property
        def conditions(self):
            return (Periodic("periodic_u", lambda left, right, t: left - right),)

    with pytest.raises(UserError, match=r"no condition that says u = initial\(x\)"):
        check_spectral(Free())


@pytest.mark.parametrize(
    "methods",
    [
        {"linear_symbol": lambda self, k: -0.06 * k**2},
        {"linear_symbol": lambda self, k: 0.05 * k**2},
        {"nonlinear": lambda self, u: 4 * u},
        {"residual": lambda self, u, x, t: u.t - 0.05 * u.xx - 4 * u * (1 - u) - x},
    ],
)
def test_parts_that_belong_to_another_equation(methods):
    with pytest.raises(UserError, match=r"belong to another equation than residual"):
        check_spectral(fisher(**methods))


def test_an_equation_of_second_order_in_time():
    wave = fisher(residual=lambda self, u, x, t: u.tt - u.xx)
    with pytest.raises(UserError, match=r"the equation has u\.tt\. The spectral solver takes u_t"):
        check_spectral(wave)


def test_the_parameters_are_named():
    assert dataclasses.is_dataclass(Heat)
    with pytest.raises(UserError, match=r"Parameters: .*d = 0\.1, rate = 3\.14.*, end = 0"):
        check_closed_form(Heat(rate=np.pi))
