"""What a run is known by: the code that decides its numbers is a place, not a list."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from double_pinn.code import PACKAGE, code_digest
from double_pinn.configuration.catalogue import KINDS
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.errors import SettingsError
from double_pinn.numerics.choice import Found
from double_pinn.running import identity
from double_pinn.running.identity import (
    checkpoint_key,
    files_of,
    number_deciding_files,
    run_digest,
)

NUMERICS = PACKAGE / "numerics"
FOLDERS = {NUMERICS / folder for folder, _ in KINDS.values()}
CHOSEN = {
    "equation": "wave",
    "network": "mlp",
    "regularizer": "double",
    "optimizer": "lbfgs",
}


def of_folders(files):
    """Those that stand in a folder of choices, but for what all its choices share."""
    names = {str(p.relative_to(NUMERICS)) for p in files if p.parent in FOLDERS}
    return {name for name in names if Path(name).name not in ("__init__.py", "base.py")}


def test_the_files_are_the_core_the_four_chosen_and_what_those_import():
    files = number_deciding_files(CHOSEN)
    assert all(path.is_relative_to(NUMERICS) for path in files)
    core = {path for path in NUMERICS.rglob("*.py") if path.parent not in FOLDERS}
    shared = {folder / name for folder in FOLDERS for name in ("__init__.py", "base.py")}
    assert set(files) >= core | shared
    assert NUMERICS / "trainer.py" in core
    assert of_folders(files) == {
        "problems/wave.py",
        "networks/mlp.py",
        "regularizers/double.py",
        "optimizers/lbfgs.py",
        "optimizers/compact_lbfgs.py",
        "optimizers/linesearch.py",
    }


def test_gauss_newton_is_made_of_lbfgs_and_not_the_other_way_round():
    first, second = (
        of_folders(number_deciding_files({**CHOSEN, "optimizer": name}))
        for name in ("lbfgs", "gauss_newton")
    )
    assert second - first == {
        f"optimizers/{name}.py"
        for name in ("gauss_newton", "damped_step", "gram", "pivoted", "tiles", "leibniz")
    }
    assert first < second


FAST = """
from double_pinn.numerics.problems.reaction import Reaction

class Fast(Reaction):
    name = "fast"
    title = "Fast"
    files = ("rate.csv",)
"""


def test_an_equation_is_known_by_its_parents_and_its_data(tmp_path, monkeypatch):
    path = tmp_path / "fast_of_test.py"
    path.write_text(FAST, encoding="utf-8")
    table = tmp_path / "rate.csv"
    monkeypatch.syspath_prepend(tmp_path)
    fast = importlib.import_module("fast_of_test").Fast
    monkeypatch.setattr(identity, "found", lambda *_: Found(fast, path))
    with pytest.raises(SettingsError, match=r"'fast': files: there is no file .*rate\.csv"):
        files_of("equation", "fast")
    table.write_text("1.0\n", encoding="utf-8")
    files = files_of("equation", "fast")
    assert {path, table, NUMERICS / "problems" / "reaction.py"} < set(files)
    before = code_digest(files)
    os.utime(table, ns=(0, 0))
    assert code_digest(files) == before
    table.write_text("2.0\n", encoding="utf-8")
    assert code_digest(files) != before


def test_a_choice_that_is_not_there():
    with pytest.raises(SettingsError, match=r"optimizer\.name is 'adam': choose one of .*lbfgs"):
        number_deciding_files({**CHOSEN, "optimizer": "adam"})


def test_what_the_trainer_imports_lies_in_the_place_that_decides_numbers():
    """A module from elsewhere could change numbers and let old checkpoints in."""
    program = (
        "import sys, double_pinn.numerics.trainer\n"
        "names = [m for m in sys.modules if m.split('.')[0] == 'double_pinn']\n"
        "print(*(sys.modules[m].__file__ for m in names), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    files = {Path(line) for line in done.stdout.splitlines()}
    elsewhere = {path for path in files if not path.is_relative_to(NUMERICS)}
    assert files - elsewhere
    assert elsewhere == {PACKAGE / name for name in ("__init__.py", "errors.py", "values.py")}


@pytest.fixture
def settings(plain_settings):
    """``settings(**changes)``: of a tiny cell."""
    return lambda **changes: settings_from_dict(plain_settings(**changes))


def test_the_digest_follows_what_was_chosen(settings):
    digests = {
        run_digest(settings()),
        run_digest(settings(optimizer={"name": "gauss_newton"})),
        run_digest(settings(equation={"name": "wave"})),
        run_digest(settings(regularizer={"name": "l2"})),
    }
    assert len(digests) == 4
    assert run_digest(settings(optimizer__memory=7)) == run_digest(settings())


def test_checkpoints_have_another_name_for_all_but_a_larger_budget(settings, monkeypatch):
    key = checkpoint_key(settings())
    assert checkpoint_key(settings(stopping__max_iterations=400)) == key
    others = (
        {"optimizer__memory": 7},
        {"precision": "fp32"},
        {"stopping__tolerance": 0.5},
        {"equation__parameters": {"beta": 6.0}},
    )
    assert all(checkpoint_key(settings(**change)) != key for change in others)
    monkeypatch.setattr(identity, "run_digest", lambda settings: "other")
    assert checkpoint_key(settings()) != key
