"""An equation checked by itself, in seconds."""

import re

import pytest

from double_pinn.code import PACKAGE
from double_pinn.configuration.catalogue import get_problem
from double_pinn.errors import UserError
from double_pinn.numerics.problems import Initial
from double_pinn.numerics.problems.reaction import Reaction
from double_pinn.results.check import checked_problem
from double_pinn.results.undeclared import check_files, files_read

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_what_is_said_of_a_sound_equation():
    said = checked_problem(get_problem("wave", beta=5.0))
    assert said.startswith("Wave (wave)\n")
    assert "  beta = 5.0\n" in said
    for name, kind in [("equation", "domain"), ("initial_u_t", "initial"), ("right_u", "right")]:
        assert re.search(rf"^  {name} +\d\.\d+e[+-]\d\d  {kind}$", said, re.MULTILINE)
    assert re.search(r"^  left_u_t +\d\.\d+e[+-]\d\d$", said, re.MULTILINE)
    assert said.endswith("exact(x, t), which solves the equation and every condition")


def test_an_equation_without_a_solution_is_told_so():
    class Open(Reaction):
        exact = None

    assert checked_problem(Open()).endswith("nor linear_symbol(k) and nonlinear(u)")


def test_a_loss_that_is_not_finite_is_an_error():
    class Power(Reaction):
        def residual(self, u, x, t):
            return u.t - u**1.2

    words = r"class Power: the loss of an untrained network is not finite: equation at x = "
    with pytest.raises(UserError, match=words):
        checked_problem(Power())


@pytest.mark.parametrize("line", [lambda u, x, t: 0.0, lambda u, x, t: x - x, lambda u, x, t: x])
def test_a_term_without_u_is_an_error(line):
    class Draft(Reaction):
        exact = None

        def residual(self, u, x, t):
            return line(u, x, t)

    words = "class Draft: the term 'equation' does not depend on u"
    with pytest.raises(UserError, match=words):
        checked_problem(Draft())


def test_a_condition_without_u_is_an_error():
    class Draft(Reaction):
        exact = None

        @property
        def conditions(self):
            return (Initial("initial_u", lambda u, x: self.initial(x)),)

    with pytest.raises(UserError, match="the term 'initial_u' does not depend on u"):
        checked_problem(Draft())


def read_by_an_equation(path):
    """Read a file from what looks like the file of an equation."""
    place = PACKAGE / "numerics" / "problems" / "made_up.py"
    names = {}
    exec(compile("def read(path): return path.read_text()", str(place), "exec"), names)
    names["read"](path)


def test_a_file_that_an_equation_reads_has_to_be_named(tmp_path):
    data, other = tmp_path / "a.csv", tmp_path / "b.csv"
    data.write_text("1.0")
    other.write_text("2.0")
    with files_read() as read:
        read_by_an_equation(data)
        other.read_text()  # by others
    read_by_an_equation(other)  # later
    assert read == {data}
    with pytest.raises(UserError, match=r"class Reaction: it reads .*a\.csv, in which a change"):
        check_files(Reaction(), read)

    class Named(Reaction):
        @classmethod
        def data_files(cls):
            return {"a.csv": data}

    check_files(Named(), read)
