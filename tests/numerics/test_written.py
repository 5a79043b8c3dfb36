"""Lines as people write them: they work, or say where and what to write instead."""

import math
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from double_pinn.errors import SettingsError
from double_pinn.numerics.fields import Field
from double_pinn.numerics.problems import Initial, Problem
from double_pinn.numerics.rows import condition_lines, equation_line

pytestmark = pytest.mark.usefixtures("quick_compilation")

VALUES = {(0, 0): 0.6, (1, 0): -0.3, (0, 1): 0.2, (2, 0): 1.5}
SLOTS = {(0, index): value for index, value in VALUES.items()}


def problem_of(residual, start=lambda u, x: u - x):
    @dataclass(frozen=True)
    class Own(Problem):
        name = "own"
        title = "Own"

        def residual(self, u, x, t):
            return residual(u, x, t)

        @property
        def conditions(self):
            return (Initial("initial_u", start),)

    return Own()


@pytest.mark.parametrize(
    ("residual", "value", "slope"),
    [
        (lambda u, x, t: jnp.sin(u), np.sin(0.6), np.cos(0.6)),
        (lambda u, x, t: np.sin(u), np.sin(0.6), np.cos(0.6)),
        (lambda u, x, t: u.t + jnp.exp(-u), 0.2 + np.exp(-0.6), -np.exp(-0.6)),
        (lambda u, x, t: u.t - jnp.where(u > 0.5, 1.0, 0.0), -0.8, 0.0),
        (lambda u, x, t: jnp.where(u >= 0.6, u, 0.0), 0.6, 1.0),
        (lambda u, x, t: jnp.where(u == 0.6, u**2, 0.0), 0.36, 1.2),
        (lambda u, x, t: jnp.where(u != 0.6, u**2, 0.0), 0.0, 0.0),
        (lambda u, x, t: u**2 * u.x, -0.108, -0.36),
        (lambda u, x, t: 2.0**u - u % 0.5, 2**0.6 - 0.1, np.log(2) * 2**0.6 - 1),
        (lambda u, x, t: u.t + 1.0, 1.2, None),
        (lambda u, x, t: 3, 3.0, None),
        (lambda u, x, t: u, 0.6, 1.0),
        (lambda u, x, t: jnp.maximum(u, 0.0) * abs(-u), 0.36, 1.2),
        (lambda u, x, t: jnp.interp(u, np.array([0.0, 1.0]), np.array([1.0, 3.0])), 2.2, 2.0),
        (lambda u, x, t: jax.nn.sigmoid(u.value), 1 / (1 + np.exp(-0.6)), None),
        (lambda u, x, t: jnp.polyval(jnp.array([1.0, 2.0, 0.0]), u), 1.56, 3.2),
    ],
)
def test_a_line_that_works(residual, value, slope):
    line = equation_line(problem_of(residual))
    at = lambda u: line.at(SLOTS | {(0, (0, 0)): u}, 0.1, 0.2)  # noqa: E731
    np.testing.assert_allclose(at(0.6), value, rtol=1e-14, atol=1e-15)
    if slope is not None:
        np.testing.assert_allclose(jax.grad(at)(0.6), slope, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        (lambda u, x, t: u.t - np.sin(np.pi * x), r"write jnp \(jax\.numpy\) for np"),
        (lambda u, x, t: u.t if u > 0 else u.x, r"write jnp\.where"),
        (lambda u, x, t: u.t if u else u.x, r"neither true nor false; jnp\.where"),
        (lambda u, x, t: u.t - max(u, 0), r"jnp\.maximum"),
        (lambda u, x, t: math.sin(u), r"module math take numbers; write those of jax\.numpy"),
        (lambda u, x, t: u.t - math.sin(x), "not of the module math"),
        (lambda u, x, t: jax.nn.sigmoid(u), r"write u\.value"),
        (lambda u, x, t: u.y, r"'y' is no partial derivative: use x and t"),
        (lambda u, x, t: (u.t,), r"returns a tuple of 1: return one number"),
        (lambda u, x, t: [u.t, u.x], r"returns a list of 2: .*a system of equations is out of"),
        (lambda u, x, t: None, "returns nothing: write return"),
        (lambda u, x, t: u.t + 1j * u.x, "returns a complex number"),
        (lambda u, x, t: u > 0, "returns a truth value"),
        (lambda u, x, t: u.t - u ^ 2, r"written with \*\*, not with \^"),
        (lambda u, x, t: u.t - x ^ 2, r"written with \*\*, not with \^"),
        (lambda u, x, t: "zero", "returns a str: return one number"),
        (lambda u, x, t: jnp.array([u.t, u.x]), r"returns an array of shape \(2,\)"),
        (lambda u, x, t: undefined, "NameError: name 'undefined'"),  # noqa: F821
    ],
)
def test_a_line_that_does_not(residual, words):
    problem = problem_of(residual)
    with pytest.raises(SettingsError, match=words) as caught:
        equation_line(problem)
    assert "test_written.py: class Own: residual" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_line_of_the_file_is_named():
    def residual(u, x, t):
        return u.t - np.cos(x)  # here

    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    number = next(k for k, line in enumerate(lines, 1) if line.endswith("# here"))
    with pytest.raises(
        SettingsError, match=rf"residual \(test_written\.py, line {number}\): NumPy"
    ):
        equation_line(problem_of(residual))


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (lambda u: u, "takes 1 positional argument"),
        (lambda u, x: (u, x), "returns a tuple of 2"),
        (lambda u, x: u - np.exp(x), r"write jnp"),
    ],
)
def test_a_condition_that_does_not(start, words):
    problem = problem_of(lambda u, x, t: u.t, start)
    with pytest.raises(SettingsError, match=rf"class Own: the condition 'initial_u'.*{words}"):
        list(condition_lines(problem, np.linspace(0, 1, 3), np.linspace(0, 1, 3)))


def test_a_field_is_no_number_for_python():
    field = Field(VALUES.__getitem__)
    for ask in (bool, float, hash):
        with pytest.raises(TypeError):
            ask(field)
