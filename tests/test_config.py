"""The configuration: what is refused, and how it becomes the settings of a job.

The helpers of workflow/rules/common.smk are plain Python: they run here without Snakemake.
"""

import copy
import csv
import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.cli import parse_config
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.problems import get_problem
from double_pinn.showing.figures import FIGURES

ROOT = Path(__file__).parents[1]
COMMON = ROOT / "workflow" / "rules" / "common.smk"
CODE = compile(COMMON.read_text(), COMMON, "exec")
SCALES = ("laptop", "smoke", "paper", "sweep", "race", "hour")


def read_config(scale):
    """Return the configuration of a scale, merged as Snakemake does it."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    if scale != "laptop":
        overlay = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text())
        update_config(config, overlay)
    return config


CONFIGS = {scale: read_config(scale) for scale in SCALES}


def load(config, command_line=None):
    """Run common.smk for a configuration and return its names."""
    workflow = SimpleNamespace(
        basedir=ROOT, config_settings=SimpleNamespace(config=command_line or {})
    )
    names = {"config": copy.deepcopy(config), "workflow": workflow}
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        exec(CODE, names)
    finally:
        os.chdir(before)
    return SimpleNamespace(**names)


def refusal(config):
    with pytest.raises(WorkflowError) as caught:
        load(config)
    return str(caught.value)


def replaced(config, path, value):
    """Return a copy of the configuration with one value put in its place."""
    config = copy.deepcopy(config)
    section = config
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return config


def paths_to(config, kind, prefix=()):
    """Return the paths to all values of a type."""
    found = [prefix] if isinstance(config, kind) and not isinstance(config, bool) else []
    if isinstance(config, dict):
        for key, value in config.items():
            found += paths_to(value, kind, (*prefix, key))
    return found


SECTIONS = paths_to(CONFIGS["laptop"], dict)
COUNTS = [path for path in paths_to(CONFIGS["laptop"], int) if path[-1] != "seed"]
FREE = [("equations",), ("iterations", "cells"), ("iterations", "cells", "laptop")]
CLOSED = [p for p in SECTIONS if p not in FREE and p[:1] != ("equations",)]


# --- What is refused ---


@given(st.sampled_from(CLOSED), st.from_regex(r"[a-z]{3,12}", fullmatch=True))
def test_an_unknown_key_is_refused_and_named(path, key):
    key = f"zz_{key}"
    message = refusal(replaced(CONFIGS["laptop"], (*path, key), 1))
    assert ".".join((*path, key)) in message


@given(
    st.sampled_from(COUNTS),
    st.one_of(
        st.integers(max_value=0),
        st.booleans(),
        st.text(),
        st.none(),
        st.just(20.0),
        st.lists(st.integers()),
    ),
)
def test_a_count_must_be_a_positive_integer(path, value):
    zero_is_fine = path[-1] == "warmup_iterations" and value == 0
    if zero_is_fine and not isinstance(value, bool):
        return
    message = refusal(replaced(CONFIGS["laptop"], path, value))
    assert ".".join(path) in message


@given(st.sampled_from(["l2", "l1", "double", "gpinn"]), st.floats(max_value=0))
def test_a_weight_must_be_positive(name, weight):
    message = refusal(replaced(CONFIGS["laptop"], ("regularizers", name), weight))
    assert f"regularizers.{name}" in message


@given(
    st.sampled_from(sorted(CONFIGS["laptop"]["equations"])),
    st.sampled_from(["x_range", "t_range"]),
    st.lists(st.floats(allow_nan=True), min_size=2, max_size=2),
)
def test_a_domain_must_have_a_finite_positive_width(equation, key, interval):
    config = replaced(CONFIGS["laptop"], ("equations", equation, key), interval)
    low, high = interval
    if float("-inf") < low < high < float("inf"):
        parameters = load(config).equation_settings(equation)["parameters"]
        assert parameters[key] == interval
    else:
        assert f"equations.{equation}.{key}" in refusal(config)


def test_an_unknown_coefficient_is_refused_and_the_known_ones_named():
    message = refusal(replaced(CONFIGS["laptop"], ("equations", "wave", "betta"), 3.0))
    assert "equations.wave.betta: unknown; known here: beta" in message


def test_the_coefficients_read_from_the_text_are_those_of_the_class():
    names = load(CONFIGS["laptop"])
    for equation in CONFIGS["laptop"]["equations"]:
        source = Path(ROOT / "src" / "double_pinn" / "problems" / f"{equation}.py")
        assert set(names.coefficients_of(source)) == set(get_problem(equation).parameters)


def test_every_figure_has_a_title_for_the_report():
    names = load(CONFIGS["laptop"])
    for number, module in FIGURES.items():
        assert names.title_of(number) == importlib.import_module(module).TITLE
    assert names.title_of(2) == ""


def test_an_equation_that_inherits_from_another_may_bring_any_coefficient(tmp_path):
    source = tmp_path / "faster.py"
    source.write_text("class Faster(Convection):\n    delta: float = 1.0\n")
    assert load(CONFIGS["laptop"]).coefficients_of(source) is None


def test_a_number_that_yaml_takes_for_text_is_explained():
    message = refusal(replaced(CONFIGS["laptop"], ("regularizers", "double"), "5e-4"))
    assert "regularizers.double: '5e-4' is not of type 'number'" in message
    assert "write 5e-4 as 5.0e-4" in message


def test_the_command_line_may_give_lists_and_mappings():
    """Snakemake hands `--config 'seeds=[0,1]'` over as ["0", "1"]."""
    given = parse_config(
        [
            "seeds=[0,3]",
            "points_limit={grid: null, edge: 12}",
            "optimizers={gauss_newton: {acceleration: false}}",
        ]
    )
    assert given["seeds"] == ["0", "3"], "Snakemake reads types now: typed() can go"
    config = copy.deepcopy(CONFIGS["laptop"])
    update_config(config, given)
    config = load(config, given).config
    assert config["seeds"] == [0, 3]
    assert config["points_limit"] == {"grid": None, "edge": 12}
    assert config["optimizers"]["gauss_newton"]["acceleration"] is False
    assert config["scale"] == "laptop"


def test_text_of_the_command_line_stays_text():
    typed = load(CONFIGS["laptop"]).typed
    for text in ("smoke", "a/b.csv", "%x", "[", "a: b", "2026-01-01"):
        assert typed({"key": [text]}) == {"key": [text]}


@pytest.mark.parametrize("path", [path for path in SECTIONS if path not in FREE and len(path) == 1])
def test_a_missing_section_is_named(path):
    config = copy.deepcopy(CONFIGS["laptop"])
    del config[path[0]]
    assert f"{path[0]}: missing" in refusal(config)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("seeds",), [], "seeds"),
        (("seeds",), [0, 0], "seeds"),
        (("seeds",), [-1], "seeds.0"),
        (("seeds",), [2**32], "seeds.0"),
        (("stopping", "tolerance"), float("nan"), "stopping.tolerance"),
        (("regularizers", "double"), float("inf"), "regularizers.double"),
        (("equations", "wave", "beta"), float("nan"), "equations.wave.beta"),
        (("optimizers", "gauss_newton", "switch_loss"), float("nan"), "gauss_newton.switch_loss"),
        (("device",), "tpu", "device"),
        (("scale",), "Laptop!", "scale"),
        (("equations", "burgers"), {"nu": 1.0}, "equations.burgers"),
        (("evaluation", "grid", "burgers"), {"nx": 9, "nt": 9}, "evaluation.grid.burgers"),
        (("iterations", "cells", "laptop", "nobody"), 10, "iterations.cells.laptop.nobody"),
        (("iterations", "cells", "nowhere"), {}, "iterations.cells.nowhere"),
        (("stopping", "tolerance"), -1.0, "stopping.tolerance"),
    ],
)
def test_a_value_out_of_range_is_refused_by_key(path, value, key):
    assert key in refusal(replaced(CONFIGS["laptop"], path, value))


# --- The table of experiments ---


def load_table(tmp_path, change):
    """Load the configuration with a table in which ``change(rows)`` was made."""
    with open(ROOT / "config" / "experiments.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    path = tmp_path / "experiments.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), extrasaction="raise", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return load({**CONFIGS["laptop"], "experiments": str(path)})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cell", "Not A Name"),
        ("cell", "convection_double_fp32"),
        ("equation", "burgers"),
        ("regularizer", "dropout"),
        ("weight", "1e-3"),  # the first row has no regulariser
        ("precision", "fp16"),
        ("nx", "-20"),
        ("nt", "20.5"),
        ("edge", ""),
        ("optimizer", "adam"),
        ("used_in", "figure1"),
        ("used_in", "table2:wave/double_pinn"),
        ("used_in", "figure2:none"),
        ("scales", ""),
        ("colour", "red"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_column(tmp_path, column, value):
    def change(rows):
        for row in rows:
            row.setdefault(column, "")
        rows[0][column] = value

    with pytest.raises(WorkflowError, match=rf"experiments\.csv, line [23] .*: {column}: "):
        load_table(tmp_path, change)


@pytest.mark.parametrize("weight", ["nan", "inf"])
def test_a_weight_that_is_not_finite_is_not_the_default(tmp_path, weight):
    def change(rows):
        rows[1]["weight"] = weight  # of double PINN

    with pytest.raises(WorkflowError, match=rf"line 3 .*: weight: {weight} is not finite"):
        load_table(tmp_path, change)


def test_a_value_too_many_is_refused_by_line(tmp_path):
    text = (ROOT / "config" / "experiments.csv").read_text().splitlines()
    text[2] += ",extra"
    path = tmp_path / "experiments.csv"
    path.write_text("\n".join(text))
    with pytest.raises(WorkflowError, match=r"line 3 \(convection_.*\): more values than columns"):
        load({**CONFIGS["laptop"], "experiments": str(path)})


def test_a_role_is_played_by_one_cell(tmp_path):
    def change(rows):
        rows[1]["used_in"] = rows[0]["used_in"]

    with pytest.raises(WorkflowError, match="figure1:none is already taken"):
        load_table(tmp_path, change)


def test_a_weight_in_the_table_wins():
    names = load(CONFIGS["sweep"])
    for cell, row in names.CELLS.items():
        assert names.train_settings(cell)["regularizer"]["weight"] == row["weight"]


# --- The settings of a job ---


@pytest.mark.parametrize("scale", SCALES)
def test_every_cell_has_settings_that_the_library_takes(scale):
    names = load(CONFIGS[scale])
    for cell in names.CELLS:
        for stage in ("train", "evaluate"):
            text = names.settings_json(SimpleNamespace(stage=stage, name=cell))
            settings = settings_from_dict(json.loads(text))
            assert settings.cell == cell


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("convection_double_fp64", 800),
        ("reaction_double_fp64", 456),
        ("wave_double_fp64", 444),
        ("allen_cahn_double_fp64", 4396),
        ("convection_none_fp64_dense", 10403),
        ("reaction_none_fp64_dense", 10403),
        ("wave_none_fp64_dense", 10504),
        ("allen_cahn_none_fp64_dense", 10504),
    ],
)
def test_the_points_of_table_1_are_those_of_the_paper(cell, count):
    settings = settings_from_dict(load(CONFIGS["paper"]).evaluate_settings(cell))
    assert settings.collocation_count == count
    assert settings.stopping.max_iterations == 1_000_000
    assert settings.optimizer.memory == 100


def test_the_paper_scale_keeps_no_budget_of_the_laptop():
    names = load(CONFIGS["paper"])
    for cell, row in names.CELLS.items():
        budget = names.train_settings(cell)["stopping"]["max_iterations"]
        assert budget == (2000 if row["optimizer"] == "gauss_newton" else 1_000_000), cell


@pytest.mark.parametrize("scale", ["laptop", "smoke", "paper"])
def test_gauss_newton_has_steps_left_after_the_switch(scale):
    names = load(CONFIGS[scale])
    cells = [c for c, row in names.CELLS.items() if row["optimizer"] == "gauss_newton"]
    assert len(cells) == {"smoke": 4, "laptop": 9, "paper": 10}[scale]
    for cell in cells:
        settings = names.train_settings(cell)
        budget = settings["stopping"]["max_iterations"]
        assert settings["optimizer"]["warmup_iterations"] < budget


@given(st.one_of(st.none(), st.integers(2, 300)), st.one_of(st.none(), st.integers(2, 300)))
def test_a_limit_on_points_only_takes_away(grid, edge):
    config = {**CONFIGS["laptop"], "points_limit": {"grid": grid, "edge": edge}}
    names = load(config)
    for cell, row in names.CELLS.items():
        points = names.train_settings(cell)["points"]
        assert points["nx"] == (row["nx"] if grid is None else min(row["nx"], grid))
        assert points["nt"] == (row["nt"] if grid is None else min(row["nt"], grid))
        assert points["edge"] == (row["edge"] if edge is None else min(row["edge"], edge))


@given(st.sampled_from(sorted(load(CONFIGS["laptop"]).CELLS)), st.integers(1, 10**7))
def test_the_budget_of_a_cell_touches_no_other_cell(cell, budget):
    before = load(CONFIGS["laptop"])
    after = load(replaced(CONFIGS["laptop"], ("iterations", "cells", "laptop", cell), budget))
    assert after.train_settings(cell)["stopping"]["max_iterations"] == budget
    for other in set(before.CELLS) - {cell}:
        assert after.train_settings(other) == before.train_settings(other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seeds",), [7, 8]),
        (("device",), "gpu"),
        (("evaluation", "residual_points"), 50),
        (("resources", "train", "default"), {"runtime": 1, "mem_mb": 1}),
    ],
)
def test_training_is_told_only_what_changes_its_numbers(path, value):
    before, after = load(CONFIGS["laptop"]), load(replaced(CONFIGS["laptop"], path, value))
    for cell in before.CELLS:
        assert after.train_settings(cell) == before.train_settings(cell)


@given(st.integers(1, 5))
def test_resources_grow_with_every_attempt(attempt):
    names = load(CONFIGS["paper"])
    for cell in names.CELLS:
        job = SimpleNamespace(cell=cell)
        assert names.train_runtime(job, attempt) == attempt * names.train_runtime(job, 1) > 0
        assert names.train_memory(job, attempt) == attempt * names.train_memory(job, 1) > 0


# --- Checkpoints ---


def checkpoint_folder(config, code=(), cell="wave_double_fp64"):
    job = SimpleNamespace(scale=config["scale"], cell=cell, seed="0")
    return load(config).checkpoint_folder(job, SimpleNamespace(code=code))


def test_a_higher_budget_continues_from_the_same_checkpoints():
    longer = replaced(CONFIGS["laptop"], ("iterations", "default"), 10**6)
    assert checkpoint_folder(longer) == checkpoint_folder(CONFIGS["laptop"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("regularizers", "double"), 0.25),
        (("network", "width"), 7),
        (("equations", "wave", "beta"), 2.0),
        (("stopping", "check_every"), 7),
    ],
)
def test_other_settings_have_checkpoints_of_their_own(path, value):
    other = replaced(CONFIGS["laptop"], path, value)
    assert checkpoint_folder(other) != checkpoint_folder(CONFIGS["laptop"])


def test_other_code_has_checkpoints_of_its_own(tmp_path):
    folders = []
    for number, text in enumerate(
        [
            "def f(x):\n    return x + 1\n",
            'def f(x):\n    """One more."""\n    return x + 1  # that is it\n',
            "def f(x):\n    return x + 2\n",
        ]
    ):
        path = tmp_path / f"{number}.py"
        path.write_text(text)
        folders.append(checkpoint_folder(CONFIGS["laptop"], code=[path]))
    assert folders[0] == folders[1] != folders[2]
