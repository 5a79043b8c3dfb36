"""The configuration: what is refused, and how it becomes the settings of a job."""

import copy
import csv
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.cli import parse_config
from snakemake.utils import update_config

from double_pinn.configuration import catalogue
from double_pinn.configuration.campaign import Campaign, check_scale, typed
from double_pinn.configuration.settings import (
    evaluation_from_dict,
    reference_from_dict,
    settings_from_dict,
)
from double_pinn.errors import DataError, SettingsError
from double_pinn.running.identity import checkpoint_key
from double_pinn.showing.figures import figure_numbers

ROOT = Path(__file__).parents[2]
SCALES = ("laptop", "smoke", "paper", "sweep", "models", "gallery", "night")
# Optimisers whose steps are dear: their budgets are small.
SECOND_ORDER = ("gauss_newton", "lbfgs_gauss_newton", "marching")
TARGETS = [*(f"figure{number}" for number in figure_numbers()), "table1"]


def read_config(scale):
    """Return the configuration of a scale, merged as Snakemake does it."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text()))
    return config


CONFIGS = {scale: read_config(scale) for scale in SCALES}
load = partial(Campaign, targets=TARGETS, find=ROOT.joinpath)


def refusal(config):
    with pytest.raises(SettingsError) as caught:
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


def complete():
    """Return the configuration of the laptop with every key, defaults and all options included."""
    config = load(CONFIGS["laptop"]).configuration.model_dump()
    for kind in ("network", "regularizer", "optimizer"):
        config[f"{kind}s"] = {
            name: catalogue.found(kind, name).cls().model_dump() for name in catalogue.names(kind)
        }
    config["equations"] = {
        name: catalogue.get_problem(name).parameters for name in catalogue.names("equation")
    }
    return config


COMPLETE = complete()
SECTIONS = paths_to(COMPLETE, dict)
COUNTS = [path for path in paths_to(COMPLETE, int) if path[-1] != "seed"]
#: What stands in them is named by the user; a value of 1 is refused for another reason, or fine.
FREE = [("iterations", "cells"), ("resources", "train", "cells"), ("evaluation", "grid")]
CLOSED = [path for path in SECTIONS if path not in FREE]


# --- What is refused ---


@given(st.sampled_from(CLOSED), st.from_regex(r"[a-z]{3,12}", fullmatch=True))
def test_an_unknown_key_is_refused_and_named(path, key):
    key = f"zz_{key}"
    message = refusal(replaced(COMPLETE, (*path, key), 1))
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
    message = refusal(replaced(COMPLETE, path, value))
    assert ".".join(path) in message


@given(st.sampled_from(["l2", "l1", "double", "gpinn"]), st.floats(max_value=0))
def test_a_weight_must_be_positive(name, weight):
    message = refusal(replaced(COMPLETE, ("regularizers", name, "weight"), weight))
    assert f"regularizers.{name}.weight" in message


@given(
    st.sampled_from(catalogue.names("equation")),
    st.sampled_from(["x_range", "t_range"]),
    st.lists(st.floats(allow_nan=True), min_size=2, max_size=2),
)
def test_a_domain_must_have_a_finite_positive_width(equation, key, interval):
    config = replaced(COMPLETE, ("equations", equation, key), interval)
    low, high = interval
    if float("-inf") < low < high < float("inf"):
        parameters = load(config).slice("reference", equation)["equation"]["parameters"]
        assert parameters[key] == interval
    else:
        assert f"equations.{equation}.{key}" in refusal(config)


def test_an_unknown_coefficient_is_refused_and_the_known_ones_named():
    message = refusal(replaced(COMPLETE, ("equations", "wave", "betta"), 3.0))
    assert "equations.wave.betta is unknown to 'wave'; known here: x_range" in message


def test_a_number_that_yaml_takes_for_text_is_explained():
    message = refusal(replaced(COMPLETE, ("regularizers", "double", "weight"), "5e-4"))
    assert "regularizers.double.weight is '5e-4': a number is needed" in message
    assert "write 5e-4 as 5.0e-4" in message


def test_the_command_line_may_give_lists_and_mappings():
    """Snakemake hands `--config 'seeds=[0,1]'` over as ["0", "1"]."""
    given = parse_config(
        [
            "seeds=[0,3]",
            "points_limit={grid: null, edge: 12}",
            "optimizers={gauss_newton: {horizons: [0.5], whole_rows: 9}}",
        ]
    )
    assert given["seeds"] == ["0", "3"], "Snakemake reads types now: typed() can go"
    config = copy.deepcopy(CONFIGS["laptop"])
    update_config(config, given)
    update_config(config, typed(given))
    found = load(config).configuration
    assert found.seeds == [0, 3]
    assert found.points_limit.model_dump() == {"grid": None, "edge": 12}
    chosen = found.choice("optimizer", "gauss_newton")
    assert (chosen.horizons, chosen.whole_rows) == ((0.5,), 9)
    assert found.scale == "laptop"


def test_text_of_the_command_line_stays_text():
    for text in ("smoke", "a/b.csv", "%x", "[", "a: b", "2026-01-01"):
        assert typed({"key": [text]}) == {"key": [text]}


@pytest.mark.parametrize(
    "key", ["scale", "seeds", "experiments", "published", "device", "iterations", "resources"]
)
def test_a_missing_key_is_named(key):
    config = copy.deepcopy(CONFIGS["laptop"])
    del config[key]
    assert f"{key} is missing" in refusal(config)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("seeds",), [], "seeds"),
        (("seeds",), [0, 0], "seeds"),
        (("seeds",), [-1], "seeds.0"),
        (("seeds",), [2**32], "seeds.0"),
        (("stopping", "tolerance"), float("nan"), "stopping.tolerance"),
        (("regularizers", "double", "weight"), float("inf"), "regularizers.double.weight"),
        (("equations", "wave", "beta"), float("nan"), "equations.wave.beta"),
        (("optimizers", "gauss_newton", "switch_loss"), float("nan"), "gauss_newton.switch_loss"),
        (("device",), "tpu", "device"),
        (("scale",), "Laptop!", "scale"),
        (("equations", "poisson"), {"nu": 1.0}, "equations.poisson"),
        (
            ("evaluation", "grid", "poisson"),
            {"nx": 9, "nt": 9},
            "evaluation.grid.poisson",
        ),
        (("regularizers", "l3"), {"weight": 1.0}, "regularizers.l3"),
        (("optimizers", "adam"), {}, "optimizers.adam is unknown; known here: gauss_newton"),
        (("networks", "mlp"), 3, "networks.mlp"),
        (("networks", "mlp"), {"depth": 4}, "networks.mlp.depth"),
        (("iterations", "default"), -5, "iterations.default"),
        (("iterations", "cells", "nobody"), 10, "iterations.cells.nobody"),
        (("cell_seeds",), {"nobody": [1]}, "cell_seeds.nobody is unknown"),
        (("cell_seeds",), {"wave_none_fp64": [1, 1]}, "cell_seeds.wave_none_fp64 is [1, 1]: every"),
        (("cell_seeds",), {"wave_none_fp64": []}, "cell_seeds.wave_none_fp64"),
        (("resources", "train", "cells", "nobody"), {"runtime": 1, "mem_mb": 1}, "cells.nobody"),
        (("stopping", "tolerance"), -1.0, "stopping.tolerance"),
        (("seeds",), [], "seeds is []: at least 1 entry"),
        (("equations", "wave", "beta"), 10**400, "equations.wave.beta"),
        (("equations", "wave", "name"), "x", "equations.wave.name"),
        (("evaluation", "grid", "wave"), {"nx": 2, "nt": 2, "nz": 2}, "known here: nx, nt"),
        (
            ("reference",),
            {"poisson": {"file": "a.npz"}},
            "reference.poisson is unknown; known",
        ),
        (
            ("reference",),
            {"wave": {"file": "a.txt"}},
            "reference.wave.file is 'a.txt': a file that",
        ),
        (
            ("reference",),
            {"wave": {"file": "gone.npz"}},
            "reference.wave.file is 'gone.npz': no su",
        ),
        (("reference",), {"wave": {"u": "usol"}}, "reference.wave.file is missing"),
        (("reference",), {"wave": {"file": "a.npz", "v": "u"}}, "known here: file, x, t, u, rows"),
        (("reference",), {"wave": {"file": "a.npz", "rows": "u"}}, "reference.wave.rows is 'u'"),
        (
            ("reference",),
            {"wave": "a.npz"},
            "reference.wave is 'a.npz': a table of keys and values",
        ),
        # Forms of before.
        (("network",), {"width": 3}, "network is unknown; known here: scale"),
        (("network",), {"width": 3}, "; write networks.mlp"),
        (("regularizers", "double"), 5e-4, "a table of keys and values is needed; such as weight"),
        (("iterations", "cells", "laptop"), {"wave_none_fp64": 3}, "without a scale"),
    ],
)
def test_a_value_out_of_range_is_refused_by_key(path, value, key):
    assert key in refusal(replaced(COMPLETE, path, value))


def test_a_number_that_is_no_integer_is_not_taken_for_a_form_of_before():
    said = refusal(replaced(COMPLETE, ("iterations", "cells"), {"wave_none_fp64": 1.0e4}))
    assert said.endswith("iterations.cells.wave_none_fp64 is 10000.0: an integer is needed")


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
        ("equation", "poisson"),
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

    with pytest.raises(SettingsError, match=rf"experiments\.csv, line [23] .*: {column} is "):
        load_table(tmp_path, change)


@pytest.mark.parametrize("weight", ["nan", "inf"])
def test_a_weight_that_is_not_finite_is_not_the_default(tmp_path, weight):
    def change(rows):
        rows[1]["weight"] = weight  # of double PINN

    with pytest.raises(SettingsError, match=rf"line 3 .*: weight is {weight}: a finite number"):
        load_table(tmp_path, change)


def test_a_value_too_many_is_refused_by_line(tmp_path):
    text = (ROOT / "config" / "experiments.csv").read_text().splitlines()
    text[2] += ",extra"
    path = tmp_path / "experiments.csv"
    path.write_text("\n".join(text))
    words = r"line 3 \(convection_.*\): more values than columns, 'extra' is under none"
    with pytest.raises(DataError, match=words):
        load({**CONFIGS["laptop"], "experiments": str(path)})


def test_a_blank_line_does_not_shift_the_lines(tmp_path):
    path = tmp_path / "experiments.csv"
    text = (ROOT / "config" / "experiments.csv").read_text().replace("wave_none_fp64,", "Wave,", 1)
    path.write_text("\ufeff" + text.replace("\n", "\n\n", 1), encoding="utf-8")
    number = text.splitlines().index(next(x for x in text.splitlines() if x.startswith("Wave")))
    with pytest.raises(SettingsError, match=rf"line {number + 2} \(Wave\): cell is 'Wave'"):
        load({**CONFIGS["laptop"], "experiments": str(path)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": "0,1"}, r"seeds is '0,1': a list is needed \(seeds=\[0,1\] on the command line"),
        ({"seeds": 3}, r"seeds is 3: a list is needed \(seeds=\[3\] on the command line"),
        ({"seeds": None}, "seeds is empty: a list is needed; write it there, or remove the line"),
        ({"equations": None}, "equations is empty: a table of keys and values is needed"),
        ({"iterations": {"default": None}}, "iterations.default is empty: an integer is needed"),
        ({"equations": {"wave": None}}, "equations.wave is empty: a table of keys and values"),
        ({"published": "nosuch.csv"}, r"published is 'nosuch\.csv': no such file"),
        (
            {"term_weights": {"cells": {"convection_none_fp32": {"initial": 2.0}}}},
            r"term_weights\.cells\.convection_none_fp32: term_weights\.initial is unknown: the",
        ),
    ],
)
def test_what_is_refused_says_how_to_write_it(change, words):
    with pytest.raises(SettingsError, match=words):
        load({**CONFIGS["laptop"], **change})


def test_a_role_is_played_by_one_cell(tmp_path):
    def change(rows):
        rows[1]["used_in"] = rows[0]["used_in"]

    with pytest.raises(SettingsError, match="figure1:none is already taken"):
        load_table(tmp_path, change)


def with_use(tmp_path, cell, use):
    def change(rows):
        next(row for row in rows if row["cell"] == cell)["used_in"] += f" {use}"

    return load_table(tmp_path, change)


def test_a_role_of_one_scale_goes_before_that_of_all(tmp_path):
    laptop, paper = load(CONFIGS["laptop"]), load(CONFIGS["paper"])
    assert laptop.uses["figure5"]["reaction"] == "reaction_double_gn_fp64"
    assert paper.uses["figure5"]["reaction"] == "reaction_double_fp64"
    assert with_use(tmp_path, "wave_none_gn_fp64", "figure1:none@laptop").uses["figure1"] == {
        "none": "wave_none_gn_fp64",
        "double": "convection_double_fp32",
    }


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("figure3:double@laptop", "figure3:double is already taken by wave_"),
        ("figure3:double@smoke", "the cell is not run at scale smoke; scales is 'laptop paper'"),
        ("figure3:double@Laptop", "used_in is "),
    ],
)
def test_a_role_of_one_scale_is_played_by_one_cell_of_it(tmp_path, use, words):
    with pytest.raises(SettingsError, match=words):
        with_use(tmp_path, "wave_none_gn_fp64", use)


def test_by_what_a_figure_is_trained():
    campaign = load(CONFIGS["laptop"])
    budgets = {c: campaign.run(c).stopping.max_iterations for c in campaign.cells}
    assert campaign.trained("figure4") == (
        "Gauss-Newton, marching in FP64 "
        f"(none_fp64 {budgets['allen_cahn_none_gn_fp64']:,}, "
        f"double {budgets['allen_cahn_double_gn_fp64']:,}); "
        f"L-BFGS in FP32 (none_fp32 {budgets['allen_cahn_none_fp32']:,})"
    )


def test_a_weight_in_the_table_wins():
    campaign = load(CONFIGS["sweep"])
    for cell, row in campaign.cells.items():
        assert campaign.run(cell).regularizer.weight == row.weight


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"step": 0.3}, r"models_convection_pinnmamba: network\.step is 0\.3, but the training"),
        ({"length": 1, "step": 0.02}, r"models_convection_pinnmamba: network\.length is 1: the"),
    ],
)
def test_sequences_fit_the_grid_before_anything_is_trained(network, words):
    with pytest.raises(SettingsError, match=words):
        load({**read_config("models"), "networks": {"pinnmamba": network}})


# --- The settings of a job ---


@pytest.mark.parametrize("scale", SCALES)
def test_every_cell_has_settings_that_the_library_takes(scale):
    campaign = load(CONFIGS[scale])
    for cell in campaign.cells:
        run = settings_from_dict(campaign.slice("train", cell))
        assert run.cell == cell
        assert evaluation_from_dict(campaign.slice("evaluate", cell)).run == run


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
    settings = load(CONFIGS["paper"]).run(cell)
    assert settings.collocation_count == count
    assert settings.stopping.max_iterations == 1_000_000
    assert settings.optimizer.memory == 100


def test_the_paper_scale_keeps_no_budget_of_the_laptop():
    campaign = load(CONFIGS["paper"])
    for cell, row in campaign.cells.items():
        budget = campaign.run(cell).stopping.max_iterations
        if row.network == "mlp":
            assert budget == (2000 if row.optimizer in SECOND_ORDER else 1_000_000), cell
        else:  # the originals' steps, of 20 iterations each
            assert budget in (10_000, 20_000), cell


@pytest.mark.parametrize("scale", ["laptop", "smoke", "paper"])
def test_gauss_newton_has_steps_left_after_the_switch(scale):
    campaign = load(CONFIGS[scale])
    cells = [c for c, row in campaign.cells.items() if row.optimizer in SECOND_ORDER]
    assert len(cells) == {"smoke": 3, "laptop": 12, "paper": 11}[scale]
    for cell in cells:
        settings = campaign.run(cell)
        assert settings.optimizer.warmup_iterations < settings.stopping.max_iterations


@given(st.one_of(st.none(), st.integers(2, 300)), st.one_of(st.none(), st.integers(2, 300)))
def test_a_limit_on_points_only_takes_away(grid, edge):
    campaign = load({**CONFIGS["laptop"], "points_limit": {"grid": grid, "edge": edge}})
    for cell, row in campaign.cells.items():
        points = campaign.run(cell).points
        assert points.nx == (row.nx if grid is None else min(row.nx, grid))
        assert points.nt == (row.nt if grid is None else min(row.nt, grid))
        assert points.edge == (row.edge if edge is None else min(row.edge, edge))


@given(st.sampled_from(sorted(load(CONFIGS["laptop"]).cells)), st.integers(1, 10**7))
def test_the_budget_of_a_cell_touches_no_other_cell(cell, budget):
    before = load(CONFIGS["laptop"])
    after = load(replaced(CONFIGS["laptop"], ("iterations", "cells", cell), budget))
    assert after.run(cell).stopping.max_iterations == budget
    for other in set(before.cells) - {cell}:
        assert after.run(other) == before.run(other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seeds",), [7, 8]),
        (("cell_seeds",), {"wave_none_gn_fp64": [7, 8]}),
        (("continue_from",), "results/archive/laptop"),
        (("device",), "gpu"),
        (("evaluation", "residual_points"), 50),
        (("resources", "train", "default"), {"runtime": 1, "mem_mb": 1}),
    ],
)
def test_training_is_told_only_what_changes_its_numbers(path, value):
    before, after = load(CONFIGS["laptop"]), load(replaced(CONFIGS["laptop"], path, value))
    for cell in before.cells:
        assert after.slice_json("train", cell) == before.slice_json("train", cell)


def test_a_cell_may_have_seeds_of_its_own():
    campaign = load({**CONFIGS["laptop"], "cell_seeds": {"wave_none_gn_fp64": [7, 8]}})
    assert campaign.seeds("wave_none_gn_fp64") == [7, 8]
    assert campaign.seeds("wave_double_gn_fp64") == [0]


def test_a_table_of_a_solution_is_a_matter_of_its_reference_alone(tmp_path):
    path = tmp_path / "wave.mat"
    path.touch()
    given = {"file": str(path), "u": "usol"}
    before = load(CONFIGS["laptop"])
    after = load({**CONFIGS["laptop"], "reference": {"wave": given}})
    assert "table" not in before.slice("reference", "wave")
    told = reference_from_dict(after.slice("reference", "wave"))
    assert told.table.model_dump() == {**given, "x": "x", "t": "t", "rows": None}
    assert after.slice_json("reference", "reaction") == before.slice_json("reference", "reaction")
    for cell in before.cells:
        for stage in ("train", "evaluate"):
            assert after.slice_json(stage, cell) == before.slice_json(stage, cell)


def test_a_table_of_an_equation_that_is_not_run_need_not_be_there(tmp_path):
    gone = {"allen_cahn": {"file": "gone.npz"}}
    assert "allen_cahn" not in load(CONFIGS["sweep"]).equations
    assert load({**CONFIGS["sweep"], "reference": gone}).table("wave") is None


def test_a_table_of_ones_own_needs_no_cells_of_others(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "cell,equation,regularizer,precision,nx,nt,edge,optimizer,scales\n"
        "mine,wave,double,fp64,8,8,12,gauss_newton,mine\n"
    )
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    config |= {"scale": "mine", "iterations": {"default": 5}, "experiments": str(path)}
    campaign = load(config)
    assert list(campaign.cells) == ["mine"]
    assert campaign.run("mine").optimizer.warmup_iterations == 0


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_a_combination_that_cannot_work_is_refused_when_the_table_is_read(tmp_path, name):
    def change(rows):
        (row,) = [row for row in rows if row["cell"] == "reaction_double_gn_fp64"]
        row["regularizer"] = name

    with pytest.raises(SettingsError, match=rf"reaction_double_gn_fp64.*{name}.*gauss_newton"):
        load_table(tmp_path, change)


# --- Checkpoints ---


def key_of(config, cell="wave_double_gn_fp64"):
    return checkpoint_key(load(config).run(cell))


def test_a_higher_budget_continues_from_the_same_checkpoints():
    longer = replaced(CONFIGS["laptop"], ("iterations", "cells", "wave_double_gn_fp64"), 10**6)
    assert key_of(longer) == key_of(CONFIGS["laptop"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("regularizers", "double", "weight"), 0.25),
        (("networks", "mlp", "width"), 7),
        (("equations", "wave", "beta"), 2.0),
        (("stopping", "check_every"), 7),
    ],
)
def test_other_settings_have_checkpoints_of_their_own(path, value):
    assert key_of(replaced(COMPLETE, path, value)) != key_of(COMPLETE)


@pytest.mark.parametrize("scale", ["paper", "models"])
def test_weights_of_terms_are_those_of_a_cell(scale):
    overlay = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text())
    campaign = load(CONFIGS[scale])
    for cell, row in campaign.cells.items():
        told = overlay["term_weights"]["cells"].get(cell, {})
        assert campaign.run(cell).term_weights == told
        assert bool(told) == (row.network == "pinnmamba")


def test_a_scale_comes_with_its_overlay(tmp_path):
    overlay = tmp_path / "paper.yaml"
    overlay.write_text("scale: paper\n", encoding="utf-8")
    other = tmp_path / "smoke.yaml"
    for files in ([], [other]):
        with pytest.raises(SettingsError, match=r"write --configfile config/paper\.yaml instead"):
            check_scale({"scale": "paper"}, files, tmp_path)
    check_scale({"scale": "paper"}, [other, overlay], tmp_path)
    check_scale({"scale": "mine"}, [], tmp_path)  # of one's own, without a file of that name
    check_scale({"seeds": [1]}, [other], tmp_path)
