"""The library: what a notebook sees, and the code of docs/library.md as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import double_pinn as dp
from double_pinn.errors import SettingsError, UserError

pytestmark = pytest.mark.usefixtures("quick_compilation")
DOCUMENT = Path(__file__).parent.parent / "docs" / "library.md"


@pytest.fixture(scope="module")
def documented(quick_compilation):
    """What the code of the document defines."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    names = {"__name__": "documented"}
    # Dataclasses look for the module in which they are written.
    sys.modules["documented"] = sys.modules[__name__]
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    del sys.modules["documented"]
    return names


def test_the_documented_equation_is_solved(documented):
    solved = documented["solved"]
    assert solved.u.dims == ("seed", "x", "t")
    assert float(solved.rmae.max()) < 1e-2
    assert solved.attrs["regularizer"] == "double"
    assert solved.attrs["n_collocation"] == 8 * 8 + 3 * 20
    assert list(solved.term) == ["equation", "initial_u", "left_flux", "right_cooling"]
    assert solved.parameters.sizes["parameter"] == solved.attrs["parameter_count"]


def test_the_documented_rows(documented):
    names = [name + end for name in ("equation",) for end in ("", "_x", "_t")]
    names += ["initial_u", "initial_u_x", "left_flux", "left_flux_t"]
    rows = documented["rows"]
    assert list(rows) == [*names, "right_cooling", "right_cooling_t"]
    assert rows["equation_x"].shape == (64,)
    assert rows["left_flux_t"].shape == (20,)
    assert np.isfinite(float(documented["value"]))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(documented["gradient"]))
    assert float(documented["test_loss"]) > 0


def test_rows_of_a_known_function():
    """u = x² t in convection: F = x² + 2β x t."""
    problem = dp.get_problem("convection", beta=3.0)
    points = dp.TrainingGrid(nx=4, nt=3, edge=5)
    rows = dp.rows(problem, lambda x, t: x**2 * t, points)
    x, t = np.meshgrid(np.linspace(0, 2 * np.pi, 4), np.linspace(0, 1, 3), indexing="ij")
    x, t = x.ravel(), t.ravel()
    edge, end = np.linspace(0, 1, 5), 2 * np.pi
    wanted = {
        "equation": x**2 + 6 * x * t,
        "equation_x": 2 * x + 6 * t,
        "equation_t": 6 * x,
        "initial_u": -np.sin(np.linspace(0, end, 5)),
        "initial_u_x": -np.cos(np.linspace(0, end, 5)),
        "periodic_u": -(end**2) * edge,
        "periodic_u_t": np.full(5, -(end**2)),
    }
    assert list(rows) == list(wanted)
    for name, row in rows.items():
        np.testing.assert_allclose(row, wanted[name], rtol=1e-13, atol=1e-13, err_msg=name)
    weights = [1.0, 5e-4, 5e-4, 1.0, 5e-4, 1.0, 5e-4]
    squares = [w * np.mean(row**2) for w, row in zip(weights, wanted.values(), strict=True)]
    np.testing.assert_allclose(dp.loss(problem, lambda x, t: x**2 * t, points), sum(squares))


def test_the_test_loss_of_an_exact_solution_is_zero():
    problem = dp.get_problem("reaction")
    sample = dp.TestSample(domain=50, edge=7)
    rows = dp.rows(problem, problem.exact, sample, regularizer="none")
    assert [len(row) for row in rows.values()] == [50, 7, 7]
    assert float(dp.loss(problem, problem.exact, sample, regularizer="none")) < 1e-24


def test_the_precision_is_that_of_jax():
    with jax.enable_x64(False):
        rows = dp.rows(dp.get_problem("wave"), lambda x, t: jnp.sin(x * t))
    assert {row.dtype for row in rows.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "adam"}, r"optimizer\.name is 'adam': choose one of"),
        ({"regularizer": {"name": "double", "weight": -1}}, r"regularizer\.weight is -1"),
        ({"points": {"nx": 1}}, r"points\.nx is 1"),
        ({"precision": "fp16"}, "precision is 'fp16'"),
        ({"network": "pinnsformer"}, "network.name is 'pinnsformer': it does not give"),
    ],
)
def test_what_is_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        dp.train(dp.get_problem("wave"), **options)


WAVE = dp.get_problem("wave")
U = lambda x, t: jnp.sin(x) * t  # noqa: E731


@pytest.mark.parametrize(
    ("problem", "u", "points", "regularizer", "words"),
    [
        (type(WAVE), U, None, "double", r"Wave is a class: write Wave\(\)"),
        ("wave", U, None, "double", r"'wave' is no equation: .* get_problem\("),
        (WAVE, None, None, "double", r"u is a NoneType: a function u\(x, t\) is needed"),
        (WAVE, lambda x, t: None, None, "double", r"u\(x, t\) returns nothing"),
        (WAVE, lambda x, t: (x, t), None, "double", r"u\(x, t\) returns a tuple of 2"),
        (WAVE, lambda x, t: jnp.array([x]), None, "double", r"returns an array of shape \(1,\)"),
        (WAVE, lambda x, t: jnp.exp(1j * x), None, "double", "returns a complex number"),
        (WAVE, lambda x, t: x > t, None, "double", "returns a truth value"),
        (WAVE, lambda x, t: np.sin(x), None, "double", r"\(test_library\.py, line \d+\): NumPy"),
        (WAVE, U, (6, 6, 8), "double", r"points is \(6, 6, 8\): a mapping such as \{\"nx\": "),
        (WAVE, U, np.zeros(3), "double", "points is array.*: a mapping such as"),
        (WAVE, U, {"nx": 3, "m": 4}, "double", "points.m is unknown; known here: nx, nt, edge"),
        (WAVE, U, None, None, "regularizer is None: a name is needed"),
        (WAVE, U, None, ("double", 1e-3), r"regularizer is \('double', 0.001\): a mapping such as"),
        (WAVE, U, None, {"weight": 1e-3}, r"regularizer is \{'weight': 0.001\}: a name is needed"),
        (WAVE, U, None, "doubel", "regularizer.name is 'doubel': choose one of double"),
    ],
)
def test_rows_that_make_no_sense(problem, u, points, regularizer, words):
    with pytest.raises(UserError, match=words):
        dp.rows(problem, u, points, regularizer=regularizer)


def test_numbers_of_numpy_are_numbers():
    rows = dp.rows(WAVE, U, {"nx": np.int64(3), "nt": np.int32(4), "edge": 5})
    assert rows["equation"].shape == (12,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": 3}, "points is 3: a mapping"),
        ({"optimizer": None}, "optimizer is None: a name is needed"),
        ({"optimizer": {"memory": 3}}, r"optimizer is \{'memory': 3\}: a name is needed"),
        ({"iterations": 0}, "^iterations is 0: an integer of at least 1 is needed"),
        ({"iterations": 2.0}, r"^iterations is 2\.0: an integer"),
        ({"grid": 11}, r"grid is 11: two numbers of points are needed, \(nx, nt\)"),
        ({"grid": (11, 12, 13)}, "two numbers of points are needed"),
        ({"grid": (1, 11)}, "grid is 1: an integer of at least 2"),
        *[
            ({"seeds": seeds}, "seeds is .*: a sequence of different integers from 0 to 4294967295")
            for seeds in (3, [], [0, 0], [-1], [0, 1.5], "01", ["a"], [2**32], [True])
        ],
    ],
)
def test_trainings_that_make_no_sense(arguments, words):
    with pytest.raises(UserError, match=words):
        dp.train(WAVE, **arguments)
    with pytest.raises(UserError, match="is a class: write Wave"):
        dp.train(type(WAVE))


def test_an_equation_that_is_not_complete_is_refused():
    class Half(dp.Problem):
        name = "half"

    for use in (dp.train, dp.check, lambda p: dp.rows(p, lambda x, t: x)):
        with pytest.raises(UserError, match="class Half: it has no title"):
            use(Half())


def test_the_package_is_imported_without_jax():
    program = (
        "import sys, double_pinn as dp; assert 'jax' not in sys.modules; assert 'train' in dir(dp);"
        "assert all(getattr(dp, name) for name in dp.__all__); assert 'jax' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        _ = dp.tarin
