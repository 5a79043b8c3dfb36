"""Reference solutions: closed forms in full precision, and a solver checked from several sides."""

import json
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import fft
from scipy.integrate import solve_ivp

from double_pinn.configuration.catalogue import get_problem
from double_pinn.errors import UserError
from double_pinn.numerics.problems import Initial, Periodic, Problem
from double_pinn.results import reference, reference_file, spectral, watch
from double_pinn.results.evaluation import rrmse


@dataclass(frozen=True)
class Linear(Problem):
    """u_t = -c u_x + d u_xx + r u: one wave that travels, decays and grows."""

    name = "linear"
    title = "Linear"
    formula = "u_t + c u_x - d u_{xx} - r u"

    x_range: tuple[float, float] = (1.0, 4.0)
    t_range: tuple[float, float] = (0.5, 1.5)
    c: float = 0.0
    d: float = 0.0
    r: float = 0.0

    def residual(self, u, x, t):
        return u.t + self.c * u.x - self.d * u.xx - self.r * u

    @property
    def conditions(self):
        return (
            Initial("initial_u", lambda u, x: u - self.initial(x)),
            Periodic("periodic_u", lambda left, right, t: left - right),
        )

    def initial(self, x):
        return jnp.sin(2 * np.pi * (x - 1.0))

    def linear_symbol(self, k):
        symbol = -self.d * k**2
        return symbol - 1j * self.c * k if self.c else symbol

    def nonlinear(self, u):
        return self.r * u

    def solution(self, x, t):
        k, elapsed = 2 * np.pi, t - 0.5
        growth = np.exp((self.r - self.d * k**2) * elapsed)
        return growth * np.sin(k * (x - 1.0 - self.c * elapsed))


@dataclass(frozen=True)
class Uniform(Linear):
    """u_t = u_xx + 5 u - 5 u³ from a constant: stays constant in x, and has a closed form."""

    name = "uniform"

    def residual(self, u, x, t):
        return u.t - u.xx - 5 * u + 5 * u**3

    def initial(self, x):
        return 0.1 + 0.0 * x

    def linear_symbol(self, k):
        return -(k**2)

    def nonlinear(self, u):
        return 5 * u - 5 * u**3

    def solution(self, x, t):
        return (1 + 99 * np.exp(-10 * (t - 0.5))) ** -0.5 + 0 * x


@dataclass(frozen=True)
class Square(Linear):
    """A problem from which neither a closed form nor a spectral solution can be had."""

    name = "square"
    linear_symbol = property()  # hasattr is false


def on_grid(problem, nx=24, nt=5):
    x, t = reference_file.axes(problem, nx, nt)
    return x, t, problem.solution(x[:, None], t)


@pytest.mark.parametrize(
    "problem",
    [Linear(d=0.05), Linear(c=0.7), Linear(c=0.7, d=0.05, r=1.5), Linear(d=50.0), Uniform()],
    ids=["heat", "advection", "all", "stiff", "uniform"],
)
def test_spectral_solver_finds_known_solutions(problem):
    x, t, exact = on_grid(problem)
    u = spectral.fourier_solution(problem, x, t, 48, substeps=40)
    np.testing.assert_allclose(u, exact, atol=1e-7 if isinstance(problem, Uniform) else 1e-9)


@pytest.mark.parametrize("problem", [Linear(d=0.05, r=3.0), Uniform()], ids=["linear", "uniform"])
def test_time_integration_is_of_fourth_order(problem):
    x, t, exact = on_grid(problem)
    errors = [
        np.abs(spectral.fourier_solution(problem, x, t, 48, n) - exact).max() for n in (4, 8, 16)
    ]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 4) < 0.3), orders


def test_phi_functions():
    z = np.array([0.0, 1e-9, -1e-3, -0.5, 0.9, -1.0, -30.0, -1e5])
    phi1, phi2, phi3 = spectral.phi_functions(z)
    assert phi1.dtype == np.float64
    powers = z[:, None] ** np.arange(30)
    for phi, order in ((phi1, 1), (phi2, 2), (phi3, 3)):
        small = np.abs(z) <= 1
        factorials = np.cumprod([1.0, *np.arange(1, 40)])[order : order + 30]
        np.testing.assert_allclose(phi[small], (powers / factorials).sum(1)[small], rtol=2e-14)
    np.testing.assert_allclose(phi1[-2:], np.expm1(z[-2:]) / z[-2:], rtol=1e-13)
    np.testing.assert_allclose(phi3[-1], (phi2[-1] - 0.5) / z[-1], rtol=1e-13)
    assert np.iscomplexobj(spectral.phi_functions(1j * z)[0])


def even_solution(nx, t, modes=512):
    """Allen-Cahn by another road: cosine series, coefficients by hand, an explicit solver.

    The solution is even about x = 0 and x = 1. Of u0 = x² cos πx, the mean of cos aπx over x² is
    2 (-1)^a / (aπ)², which gives the coefficients without sampling u0.
    """
    n = np.arange(modes)

    def moment(a):
        return np.where(a == 0, 1 / 3, 2.0 * (-1.0) ** a / (np.pi * np.where(a == 0, 1, a)) ** 2)

    start = moment(n + 1) + moment(np.abs(n - 1))
    start[0] /= 2

    def values(c, points):
        padded = np.zeros(points + 1)
        padded[:modes] = c
        padded[1:-1] /= 2
        return fft.dct(padded, type=1)

    def right_side(_, c):
        u = values(c, 2 * modes)
        spectrum = fft.dct(5 * u - 5 * u**3, type=1)[:modes] / (2 * modes)
        spectrum[0] /= 2
        return spectrum - 1e-4 * (np.pi * n) ** 2 * c

    found = solve_ivp(right_side, (t[0], t[-1]), start, "DOP853", t, rtol=1e-12, atol=1e-14)
    x = np.linspace(-1, 1, nx, endpoint=False)
    return np.cos(np.pi * x[:, None] * n) @ found.y


def test_allen_cahn_agrees_with_an_independent_solution():
    problem = get_problem("allen_cahn")
    ds = reference.solve(problem, 64, 6, modes=1024, step=1 / 400)
    t = ds.t.values
    other = even_solution(64, t)
    # The first instant is the kinked initial value itself, which a series does not reach.
    assert rrmse(ds.u.values[:, 1:], other[:, 1:]) < 1e-9
    exact_start = ds.x.values**2 * np.cos(np.pi * ds.x.values)
    np.testing.assert_allclose(ds.u.values[:, 0], exact_start, rtol=0, atol=1e-15)
    assert 0 < float(ds.reference_error) < 1e-9


def test_self_convergence_tells_the_true_error():
    problem = get_problem("allen_cahn")
    coarse = reference.solve(problem, 64, 6, modes=512, step=1 / 20)
    x, t = coarse.x.values, coarse.t.values
    fine = spectral.fourier_solution(problem, x, t, 1024, substeps=40)
    true_error = rrmse(coarse.u.values, fine)
    assert 0.5 * true_error < float(coarse.reference_error) < 2 * true_error
    sum_of_both = coarse.attrs["space_error"] + coarse.attrs["time_error"]
    assert float(coarse.reference_error) == sum_of_both


def test_the_kink_is_projected_not_sampled():
    """With few modes, aliasing of the kink would show in every coefficient."""
    problem = get_problem("allen_cahn", rate=0.0)
    x, t = reference_file.axes(problem, 16, 3)
    late = spectral.fourier_solution(problem, x, t, 32, 1)[:, -1]
    n = np.arange(1, 16)
    moments = [2.0 * (-1.0) ** a / (np.pi * np.where(a == 0, 1, a)) ** 2 for a in (n + 1, n - 1)]
    moments[1][0] = 1 / 3
    decay = np.exp(-1e-4 * (np.pi * n) ** 2)
    expected = -2 / np.pi**2 + np.cos(np.pi * np.outer(x, n)) @ (decay * sum(moments))
    np.testing.assert_allclose(late, expected, atol=1e-6)


def test_refinement_until_the_tolerance():
    problem = get_problem("allen_cahn")
    ds = reference.solve(problem, 32, 3, modes=64, step=0.5, tolerance=1e-2)
    assert ds.attrs["modes"] > 64
    assert ds.attrs["time_step"] < 0.5
    assert float(ds.reference_error) <= 1e-2
    with pytest.raises(UserError, match=r"'allen_cahn'.* in space and .* in time"):
        reference.solve(problem, 32, 3, modes=64, step=0.5, tolerance=1e-15)


@pytest.mark.parametrize("name", ["convection", "reaction", "wave"])
def test_closed_forms_come_in_double_precision_on_a_grid_with_both_ends(name):
    problem = get_problem(name)
    ds = reference.solve(problem, 31, 21)
    assert ds.u.shape == (31, 21)
    assert ds.u.dtype == np.float64
    assert float(ds.reference_error) == 0
    assert (ds.x[0], ds.x[-1]) == problem.x_range
    assert (ds.t[0], ds.t[-1]) == problem.t_range
    assert ds.attrs["method"] == "closed form"
    x, t = ds.x.values[:, None], ds.t.values
    h = np.exp(-8 * (x - np.pi) ** 2 / np.pi**2)
    by_hand = {
        "convection": np.sin(x - 50 * t),
        "reaction": h * np.exp(5 * t) / (h * np.exp(5 * t) + 1 - h),
        "wave": np.sin(np.pi * x) * np.cos(2 * np.pi * t)
        + np.sin(3 * np.pi * x) * np.cos(6 * np.pi * t) / 2,
    }[name]
    np.testing.assert_allclose(ds.u, by_hand, rtol=0, atol=1e-13)  # not 1e-7: not rounded to FP32


def test_the_file_says_what_was_solved():
    ds = reference.solve(get_problem("convection", beta=2.0), 11, 7)
    assert ds.attrs["equation"] == "convection"
    assert json.loads(ds.attrs["equation_parameters"])["beta"] == 2.0
    np.testing.assert_allclose(ds.u, np.sin(ds.x - 2 * ds.t), atol=1e-15)


def test_periodic_grid_leaves_out_the_right_end():
    x, t = reference_file.axes(get_problem("allen_cahn"), 512, 201)
    np.testing.assert_allclose(x, -1 + 2 * np.arange(512) / 512, rtol=0, atol=1e-15)
    np.testing.assert_allclose(t, np.arange(201) / 200, rtol=0, atol=1e-15)


def test_a_problem_without_reference_is_refused():
    with pytest.raises(UserError, match=r"'square' .*neither exact\(x, t\) nor linear_symbol"):
        reference.solve(Square(), 8, 3)
    with pytest.raises(UserError, match=r"no table .* reference: \{square: \{file: PATH\}\}"):
        reference.solve(Square(), 8, 3)


def test_only_the_grid_of_the_spectral_solver_leaves_out_an_end():
    assert reference_file.axes(Square(), 4, 3)[0].tolist() == [1, 2, 3, 4]
    assert reference_file.axes(Linear(), 3, 3)[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("nx", "nt", "key"), [(1, 5, "nx"), (5, 0, "nt"), (5, -3, "nt")])
def test_too_few_points(nx, nt, key):
    with pytest.raises(UserError, match=rf"evaluation\.{key}"):
        reference.solve(get_problem("convection"), nx, nt)


def test_a_solution_that_blows_up_is_refused():
    with pytest.raises(UserError, match=r"'linear'.*not finite at t = "):
        reference.solve(Linear(d=-1.0, r=1.0), 16, 3, modes=1024)


def test_steps_are_relative_to_the_time():
    """A time in seconds costs as many steps as one in units of its own."""
    problem = Linear(d=1e-5, c=1e-3, t_range=(0.5, 900.5))
    solved = reference.solve(problem, 12, 5, modes=24, step=1 / 40)
    assert solved.attrs["time_step"] == 900 / 40
    _, _, exact = on_grid(problem, 12)
    np.testing.assert_allclose(solved.u, exact, atol=1e-13)


def test_steps_of_the_paper_are_what_they_were():
    problem = get_problem("allen_cahn")
    solved = reference.solve(problem, 16, 5, modes=64, step=1 / 80, tolerance=1.0)
    assert solved.attrs["time_step"] == 1 / 80
    x, t = solved.x.values, solved.t.values
    same = spectral.fourier_solution(problem, x, t, 64, 20)
    np.testing.assert_array_equal(solved.u, same)


def test_steps_that_are_too_long_for_the_equation_are_halved():
    problem = Uniform(t_range=(0.5, 40.5))
    solved = reference.solve(problem, 12, 5, modes=24, step=1 / 20)
    assert solved.attrs["time_step"] < 1
    _, _, exact = on_grid(problem, 12)
    np.testing.assert_allclose(solved.u, exact, atol=1e-6)


def test_a_solution_that_takes_too_long_is_refused_by_its_pace(monkeypatch):
    monkeypatch.setattr(watch, "KNOWN_AFTER", 0.0)
    with pytest.raises(UserError, match=r"'linear': the reference solution would take about "):
        reference.solve(Linear(t_range=(0.0, 900.0)), 8, 3, modes=16, step=1e-9, longest=60.0)


def test_a_solution_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(watch, "KNOWN_AFTER", 0.0)
    said = []
    reference.solve(Linear(d=0.1), 8, 3, modes=16, step=1 / 4, say=said.append)
    assert said[0].startswith("equation 'linear': the reference solution is at 5 %, about ")


@dataclass(frozen=True)
class Plain(Linear):
    """u_t = 1/2, with numbers where functions of arrays are expected."""

    name = "plain"

    def residual(self, u, x, t):
        return u.t - 0.5

    def initial(self, x):
        return 3

    def linear_symbol(self, k):
        return 0

    def nonlinear(self, u):
        return 0.5


def test_functions_that_return_plain_numbers():
    solved = reference.solve(Plain(), 8, 3, modes=16, step=1 / 4)
    np.testing.assert_allclose(solved.u, (3 + 0.5 * (solved.t - 0.5) + 0 * solved.x).T)


def test_a_closed_form_of_one_axis_or_none_fills_the_grid():
    for function in (lambda self, x, t: 0.0, lambda self, x, t: jnp.sinh(x)):
        rest = property(lambda self: (Initial("rest", lambda u, x: u.t),))
        parts = {"exact": function, "residual": lambda self, u, x, t: u.t, "conditions": rest}
        problem = type("Steady", (Linear,), parts)()
        solved = reference.solve(problem, 5, 3)
        expected = np.broadcast_to(function(problem, solved.x.values[:, None], None), (5, 3))
        np.testing.assert_array_equal(solved.u, expected)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("initial", 0.0, r"Mine\.initial is 0\.0, not a method: def initial\(self, x\)"),
        ("nonlinear", 0.0, r"Mine\.nonlinear is 0\.0, not a method: def nonlinear\(self, u\)"),
        ("linear_symbol", lambda self, k: None, r"Mine\.linear_symbol gives object"),
        ("linear_symbol", lambda self, k: 0 * k + np.inf, r"Mine\.linear_symbol is not finite"),
        ("nonlinear", lambda self, u: 1j * u, r"Mine\.nonlinear gives complex128; .* real"),
        ("exact", lambda self, x, t: np.float32(1), r"Mine\.exact gives float32; .* float64"),
        ("nonlinear", property(), r"nonlinear\(u\) \(only linear_symbol\(k\)\), and"),
    ],
)
def test_functions_that_are_none_are_refused_by_name(name, value, words):
    with pytest.raises(UserError, match=words):
        reference.solve(type("Mine", (Linear,), {name: value})(), 8, 3, modes=16)


def test_single_precision_is_refused():
    @dataclass(frozen=True)
    class Rounded(Linear):
        name = "rounded"

        def initial(self, x):
            return np.sin(x).astype(np.float32)

    with pytest.raises(UserError, match=r"Rounded\.initial gives float32"):
        reference.solve(Rounded(), 8, 3, modes=16)
