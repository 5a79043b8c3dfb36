"""Choices: a file each, found by looking into their folder."""

import enum
import importlib
import json
import sys
from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

from double_pinn.configuration import catalogue
from double_pinn.configuration.settings import checked, choose
from double_pinn.errors import SettingsError
from double_pinn.numerics.choice import Choice, Folder
from double_pinn.numerics.optimizers.gauss_newton import GaussNewton
from double_pinn.numerics.regularizers.double import DoublePINN

CHOICE = """
from {home}.base import Kind


class {cls}(Kind):
    name = "{name}"
    label = "{name}"
"""


class Kind(Choice):
    """What the choices of a made-up folder are."""

    shared: ClassVar[bool] = True


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """``folder(**files)``: an imported package of made-up choices, a text for each file."""
    home = "folder_of_choices"

    def build(**files):
        (tmp_path / home).mkdir()
        texts = {"__init__": "", "base": f"from {__name__} import Kind\n", **files}
        for name, text in texts.items():
            (tmp_path / home / f"{name}.py").write_text(text)
        return importlib.import_module(home)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    yield build
    for name in [n for n in sys.modules if n.partition(".")[0] == home]:
        del sys.modules[name]


def choice(name, cls="One"):
    return CHOICE.format(home="folder_of_choices", name=name, cls=cls)


def test_a_folder_gives_its_choices_by_name(folder):
    package = folder(late=choice("b"), early=choice("a"), tools="def help(): pass\n")
    found = Folder(package, Kind)
    assert found.names == ("a", "b")
    assert list(found.choices) == ["a", "b"]
    assert not found.broken
    assert found.choices["b"].path.name == "late.py"
    assert issubclass(found.choices["b"].cls, Kind)
    assert found.get("kind.name", "a") == found.choices["a"]


def test_a_choice_made_of_another_is_counted_once(folder):
    made_of = "from folder_of_choices.one import One\n\n\nclass Two(One):\n    name = 'two'\n"
    found = Folder(folder(one=choice("one"), two=made_of), Kind)
    assert {name: entry.path.name for name, entry in found.choices.items()} == {
        "one": "one.py",
        "two": "two.py",
    }


@pytest.mark.parametrize(
    ("draft", "words"),
    [
        ("import nothing_of_this_name\n", r"ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit('tired')\n", r"draft\.py:2 cannot be used: SystemExit: tired"),
        ("x = 1 / 0\n", r"draft\.py:1 cannot be used: ZeroDivisionError"),
    ],
)
def test_a_draft_harms_itself_alone(folder, draft, words):
    found = Folder(folder(draft=draft + choice("draft"), good=choice("good")), Kind)
    assert found.get("kind.name", "good").cls.name == "good"
    with pytest.raises(SettingsError, match=r"kind\.name is 'draft': .*" + words):
        found.get("kind.name", "draft")
    assert list(found.choices) == ["good"]
    assert list(found.broken) == ["draft.py"]


def test_a_file_that_is_no_python_is_named_where_a_name_is_unknown(folder):
    found = Folder(folder(bad="class Half(\n", good=choice("good")), Kind)
    words = r"kind\.name is 'bad': choose one of good; bad\.py cannot be read: SyntaxError"
    with pytest.raises(SettingsError, match=words):
        found.get("kind.name", "bad")


def test_two_choices_of_one_name_are_refused_where_it_is_asked_for(folder):
    texts = {"first": choice("same"), "second": choice("same", cls="Other")}
    found = Folder(folder(**texts, third=choice("third")), Kind)
    assert found.get("kind.name", "third").cls.name == "third"
    with pytest.raises(SettingsError, match=r"first\.py and .*second\.py both define it"):
        found.get("kind.name", "same")


def test_a_name_on_something_else_is_no_choice(folder):
    found = Folder(folder(other="class Other:\n    name = 'other'\n"), Kind)
    with pytest.raises(SettingsError, match=r"Other is no Kind; write class Other\(Kind\)"):
        found.get("kind.name", "other")


def test_a_choice_as_plain_values_is_its_name_and_all_its_options():
    assert DoublePINN(weight=0.25).named() == {"name": "double", "weight": 0.25}
    values = GaussNewton(warmup_iterations=7).named()
    assert values["name"] == "gauss_newton"
    assert set(values) == {"name", *GaussNewton.model_fields}
    assert values["warmup_iterations"] == 7


@pytest.mark.parametrize("kind", ["network", "regularizer", "optimizer"])
def test_plain_values_make_the_same_choice_again(kind):
    for name in catalogue.names(kind):
        made = catalogue.found(kind, name).cls()
        assert choose(kind, made.named()) == made
        assert made.label
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, next(iter(type(made).model_fields)), 1)


@pytest.mark.parametrize(
    "text",
    [
        choice("Bad-Name"),
        choice("good").replace("name = ", "name: str = "),
        choice("good").replace('name = "good"', "name = __name__"),
    ],
)
def test_a_choice_that_says_too_little_of_itself_is_named(folder, text):
    found = Folder(folder(odd=text), Kind)
    assert not found.choices
    assert "needs a name of small letters, digits and _" in found.broken["odd.py"]


def test_a_choice_without_words_for_figures_is_refused(folder):
    found = Folder(folder(odd=choice("odd").replace('    label = "odd"\n', "")), Kind)
    with pytest.raises(SettingsError, match=r"odd\.py: One has no label: write .*label = "):
        found.get("kind.name", "odd")


class Act(enum.Enum):
    tanh = "tanh"
    sine = "sine"


class Odd(Kind):
    name = "odd"
    label = "odd"

    widths: tuple[int, ...] = (8, 8)
    act: Act = Act.tanh
    mode: Literal["a", "b"] = "a"


def test_options_survive_the_journey_through_json():
    made = checked(Odd, {"widths": [3, 4], "act": "sine", "mode": "b"})
    assert made == Odd(widths=(3, 4), act=Act.sine, mode="b")
    values = json.loads(json.dumps(made.named()))
    assert values.pop("name") == "odd"
    assert checked(Odd, values) == made
    for wrong, words in [
        ({"widths": [3, 4.5]}, r"widths\.1 is 4\.5: an integer"),
        ({"act": "relu"}, r"act is 'relu': choose one of 'tanh' or 'sine'"),
        ({"mode": "c"}, r"mode is 'c': choose one of 'a', 'b'"),
    ]:
        with pytest.raises(SettingsError, match=words):
            checked(Odd, wrong)


def test_axes_that_there_are_not_are_refused():
    with pytest.raises(TypeError, match=r"Slanted\.equation_axes is \('y',\)"):

        class Slanted(DoublePINN):
            name = "slanted"
            equation_axes = ("y",)
