"""What is refused when an equation is built, each with what to write."""

from dataclasses import dataclass

import pytest

from double_pinn.errors import SettingsError
from double_pinn.numerics.problems import Initial, Left, Periodic, Problem
from double_pinn.numerics.problems.checks import check_class, check_problem
from double_pinn.numerics.problems.reaction import Reaction


def made(shown=None, **attributes):
    """A class of a problem, complete but for what is given."""
    start = Initial("initial_u", lambda u, x: u)
    complete = {
        "name": "made",
        "title": "Made",
        "residual": lambda self, u, x, t: u.t,
        "conditions": property(lambda self: (start,) if shown is None else shown),
    }
    parts = {k: v for k, v in {**complete, **attributes}.items() if v is not None}
    return dataclass(frozen=True)(type("Made", (Problem,), parts))


def test_a_complete_problem_is_let_through():
    check_problem(made()())
    check_problem(Reaction())


def test_a_class_of_another_needs_no_fields_of_its_own():
    class Fast(Reaction):
        name = "fast"
        title = "Fast"

    check_problem(Fast(rho=7.0))


def test_fields_without_the_decorator():
    class Domain(Problem):
        name = "domain"
        title = "Domain"
        x_range: tuple[float, float] = (0.0, 5.0)

    # Python takes it without a word, and the domain is (0, 1).
    assert Domain().x_range == (0.0, 1.0)
    words = r"test_problem_checks\.py: class Domain: its x_range does not count: write @dataclass"
    with pytest.raises(SettingsError, match=words):
        check_class(Domain)


def test_fields_without_a_type():
    @dataclass(frozen=True)
    class Fast(Reaction):
        name = "fast"
        rho = 10.0

    assert Fast().rho == 5.0
    with pytest.raises(SettingsError, match=r"its rho does not count without a type: write rho: "):
        check_class(Fast)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"name": None}, r'has no name: .*name = "\.\.\."'),
        ({"title": None}, r'has no title: .*title = "\.\.\."'),
        ({"residual": None}, r"has no equation: write def residual\(self, u, x, t\)"),
        ({"conditions": None}, "has no conditions: write a property"),
        ({"conditions": lambda self: ()}, "conditions is no property: write @property above"),
    ],
)
def test_parts_that_are_missing(attributes, words):
    with pytest.raises(SettingsError, match=rf"class Made: .*{words}"):
        check_class(made(**attributes))


U = Initial("initial_u", lambda u, x: u)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (U, r"returns a single one: a comma makes it a tuple, return \(Initial\(\.\.\.\),\)"),
        ({"a": U}, "returns a dict: return a tuple"),
        ((U, Left("initial_u", lambda u, t: u)), "two terms of the name 'initial_u'"),
        ((Left("equation", lambda u, t: u),), "two terms of the name 'equation'"),
        ((Left("equation_x", lambda u, t: u),), "'equation_x' has the name of the derivative of"),
        (
            (Left("left_u", lambda u, t: u), Left("left_u_t", lambda u, t: u.t)),
            "'left_u_t' has the name of the derivative of 'left_u' that double PINN adds",
        ),
        ((Periodic("periodic u", lambda left, right, t: left),), "the name 'periodic u': write a"),
        ((Initial("initial_u", 0.0),), "the condition 'initial_u' has no line: write a function"),
        (("initial_u",), "condition 'initial_u' is a str"),
    ],
)
def test_conditions_that_are_none(conditions, words):
    with pytest.raises(SettingsError, match=words):
        check_problem(made(conditions)())


def test_a_data_file_that_is_not_declared_is_not_given(tmp_path):
    with pytest.raises(SettingsError, match=r"reads 'a\.csv', which its files does not name"):
        made().file("a.csv")


def test_a_data_file_that_is_not_there():
    with pytest.raises(SettingsError, match=r"equation 'made': files: there is no file .*a\.csv"):
        made(files=("a.csv",)).file("a.csv")
