"""The workflow in Snakemake's hands: what it plans, refuses, writes and reruns."""

import csv
import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

ROOT = Path(__file__).parents[2]
SMOKE = "config/smoke.yaml"
REFERENCE = "results/smoke/reference/wave.nc"
FIGURES = (1, 3, 4, 5, 6, 7, 8, 9, 10)
# Figures whose cells take hours: not at the laptop scale.
ELSEWHERE = {10}
SEEDS = {"paper": {0, 1, 2, 3, 4}}


def read_table(path=ROOT / "config" / "experiments.csv"):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def cells_of(scale, **columns):
    """Return the names of the cells of a scale whose columns have these values."""
    return {
        row["cell"]
        for row in read_table()
        if scale in row["scales"].split() and all(row[k] == v for k, v in columns.items())
    }


def trained(jobs):
    """Return {(cell, seed)} of the training jobs in a plan."""
    return {
        (job.wildcards["cell"], int(job.wildcards["seed"]))
        for job in jobs
        if job.rule == "train_network"
    }


def rules_of(jobs):
    return {job.rule for job in jobs}


# --- What it plans ---


@pytest.mark.parametrize("scale", ["laptop", "smoke", "paper", "sweep", "models", "night"])
def test_a_scale_plans_every_cell_and_seed(checkout, scale):
    overlay = ["--configfile", f"config/{scale}.yaml"] if scale != "laptop" else []
    jobs = checkout.plan(*overlay)
    cells = cells_of(scale)
    assert cells
    own = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text()).get("cell_seeds", {})
    seeds = {cell: own.get(cell, SEEDS.get(scale, {0})) for cell in cells}
    assert trained(jobs) == {(cell, seed) for cell in cells for seed in seeds[cell]}
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == cells
    figures = {
        "sweep": set(),
        "smoke": set(FIGURES),
        "paper": set(FIGURES),
        "models": {10},
        "night": {5, 7, 8, 9},
        "laptop": set(FIGURES) - ELSEWHERE,
    }[scale]
    drawn = {f"draw_figure{n}" for n in figures}
    written = {"write_table1", "write_claims"} if figures else set()
    written |= {"write_costs"} if 10 in figures else set()
    others = {"write_settings", "solve_reference", "train_network", "evaluate_cell", "draw_cell"}
    assert rules_of(jobs) - others == drawn | written
    assert {j.wildcards["scale"] for j in jobs} == {scale}


def test_smoke_has_every_cell_of_the_paper():
    """Of what is slow to compile: one equation with every regulariser or network, and figure 9."""

    def split(scale):
        slow = ("_gn_", "_pinnsformer", "_pinnmamba", "laptop_")
        ours = {cell for cell in cells_of(scale) if any(part in cell for part in slow)}
        return cells_of(scale) - ours, ours

    smoke, ours = split("smoke")
    assert smoke == split("paper")[0]
    assert split("laptop")[0] <= smoke
    regularized = {f"reaction_{name}_gn_fp64" for name in ("none", "gpinn", "double")}
    sequences = {"convection_pinnsformer", "convection_pinnmamba"}
    assert ours == regularized | sequences | {"allen_cahn_double_gn_fp64"}
    assert cells_of("laptop") - {"laptop_wave_double_gn"} <= cells_of("paper")


def test_a_target_plans_its_part_only(checkout):
    assert rules_of(checkout.plan("train")) == {"write_settings", "train_network"}
    (drawn,) = [j for j in checkout.plan("results/laptop/figures/figure1.png") if "draw" in j.rule]
    assert drawn.rule == "draw_figure1"
    shown = rules_of(checkout.plan("figure1", "table1"))
    assert {rule for rule in shown if "draw" in rule} == {"draw_figure1"}
    assert "write_table1" in shown


# --- What it refuses ---


def refusal(checkout, *arguments):
    done = checkout.snakemake("--dry-run", *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("overlay", "key"),
    [
        ({"colour": "red"}, "colour"),
        ({"networks": {"mlp": {"width": 0}}}, "networks.mlp.width"),
        ({"networks": {"mlp": {"depth": 4}}}, "networks.mlp.depth"),
        ({"network": {"width": 4}}, "network"),
        ({"iterations": {"default": -5}}, "iterations.default"),
        ({"iterations": {"cells": {"nobody": 5}}}, "iterations.cells.nobody"),
        ({"equations": {"poisson": {"nu": 0.01}}}, "equations.poisson"),
        ({"equations": {"wave": {"x_range": [1.0, 1.0]}}}, "equations.wave.x_range"),
        ({"regularizers": {"l3": {}}}, "regularizers.l3"),
        ({"scale": "nowhere"}, "iterations is missing"),
        ({"scale": "nowhere", "iterations": {"default": 9}}, "scale is 'nowhere'"),
    ],
)
def test_a_bad_configuration_is_refused_by_key(checkout, overlay, key):
    assert key in refusal(checkout, "--configfile", checkout.overlay(overlay, "bad.yaml"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("equation", "poisson"),
        ("regularizer", "dropout"),
        ("precision", "fp16"),
        ("optimizer", "adam"),
        ("nx", "0"),
    ],
)
def test_a_bad_row_is_refused_by_file_cell_and_column(checkout, column, value):
    rows = read_table()
    rows[0][column] = value
    with open(checkout.path / "bad.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    message = refusal(checkout, "--config", "experiments=bad.csv")
    for part in ("bad.csv", "line 2", rows[0]["cell"], column, value):
        assert part in message


def test_a_role_that_a_figure_does_not_know_is_refused_before_training(checkout, tmp_path):
    text = (ROOT / "config/experiments.csv").read_text(encoding="utf-8")
    table = tmp_path / "a table.csv"
    table.write_text(text.replace("figure1:none", "figure1:bogus"), encoding="utf-8")
    overlay = checkout.overlay({"experiments": str(table)})
    run = "results/smoke/runs/convection_none_fp32/seed0.nc"
    done = checkout.snakemake("--configfile", SMOKE, overlay, "--", run)
    assert done.returncode != 0
    assert "a table.csv: used_in: figure 1: unknown cell 'bogus'" in done.stdout
    assert not (checkout.path / "results/smoke/runs").exists()


def test_a_figure_that_lacks_a_cell_is_left_out_and_named(checkout, tmp_path):
    text = (ROOT / "config/experiments.csv").read_text(encoding="utf-8")
    table = tmp_path / "table.csv"
    table.write_text(text.replace("figure1:none ", ""), encoding="utf-8")
    overlay = checkout.overlay({"experiments": str(table)})
    done = checkout.snakemake("--dry-run", "figures", "--configfile", SMOKE, overlay)
    assert done.returncode == 0, done.stdout
    words = "Figure 1 is left out: scale smoke has no cell whose used_in says figure1:none\n"
    assert done.stdout.count(words) == 1
    assert "rule draw_figure1:" not in done.stdout
    assert "rule draw_figure3:" in done.stdout


def test_a_workflow_profile_that_is_not_there_is_refused(checkout):
    done = checkout.snakemake("--dry-run", "--workflow-profile", "slrm", "--configfile", SMOKE)
    assert done.returncode != 0
    assert "--workflow-profile slrm: there is no such profile; there are ci, def" in done.stdout


def test_a_missing_file_is_named(checkout):
    assert "none.csv" in refusal(checkout, "--config", "experiments=none.csv")


# --- What it writes ---


def test_smoke_writes_every_file_of_the_chain(smoke):
    results = smoke.path / "results" / "smoke"
    expected = [f"figures/figure{n}.{kind}" for n in FIGURES for kind in ("pdf", "png")]
    expected += [f"tables/table1.{kind}" for kind in ("csv", "md", "tex", "html")]
    expected += [f"tables/claims.{kind}" for kind in ("md", "html")]
    expected += [f"tables/costs.{kind}" for kind in ("csv", "md", "html")]
    expected += [f"figures/cells/{cell}.png" for cell in cells_of("smoke")]
    expected += [f"evaluation/{cell}.nc" for cell in cells_of("smoke")]
    expected += [f"runs/{cell}/seed0.nc" for cell in cells_of("smoke")]
    for name in expected:
        assert (results / name).stat().st_size > 0, name
    for number in FIGURES:
        assert (results / f"figures/figure{number}.png").read_bytes().startswith(b"\x89PNG")
        assert (results / f"figures/figure{number}.pdf").read_bytes().startswith(b"%PDF")


def test_smoke_runs_open_with_plain_xarray(smoke):
    networks = {row["cell"]: row["network"] or "mlp" for row in read_table()}
    for cell in cells_of("smoke"):
        with xr.open_dataset(smoke.path / f"results/smoke/runs/{cell}/seed0.nc") as run:
            assert run.attrs["cell"] == cell
            assert int(run.attrs["seed"]) == 0
            assert {"train_loss", "test_loss", "objective", "penalty"} <= set(run.data_vars)
            assert run["train_loss"].dims == ("iteration",)
            assert np.isfinite(run["train_loss"]).all()
            assert run["iteration"][-1] == run.attrs["iterations_run"] <= 20
            settings = json.loads(run.attrs["settings"])
            assert settings["cell"] == cell
            if networks[cell] == "mlp":
                assert settings["network"] == {"name": "mlp", "hidden_layers": 2, "width": 16}
            else:
                assert settings["network"]["name"] == networks[cell]
                assert settings["network"]["width"] == 8
            assert "evaluation" not in settings


def test_smoke_evaluations_open_with_plain_xarray(smoke):
    for cell in cells_of("smoke"):
        path = smoke.path / "results" / "smoke" / "evaluation" / f"{cell}.nc"
        with xr.open_dataset(path) as evaluation:
            assert evaluation.sizes["seed"] == 1
            assert {"u", "u_reference", "residual", "rmae", "rrmse"} <= set(evaluation.data_vars)
            assert evaluation["u"].dims == ("seed", "x", "t")
            assert np.isfinite(evaluation["rmae"]).all()


def test_smoke_table_has_every_cell_of_the_table(smoke):
    with open(smoke.path / "results/smoke/tables/table1.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) >= 8


def test_smoke_says_at_the_start_how_much_there_is_to_do(smoke):
    said = (smoke.path / "said.txt").read_text()
    begin = f"Duration: {len(cells_of('smoke'))} training jobs and "
    assert begin in said
    # Its networks are too small for any archive to have timed them.
    assert "no archive has timed them" in said[said.index(begin) :].splitlines()[0]


def test_smoke_makes_a_report(smoke):
    done = smoke.snakemake("--configfile", SMOKE, "--report", "report.html")
    assert done.returncode == 0, done.stdout
    html = (smoke.path / "report.html").read_text()
    for part in ("Figures", "Tables", "Claims", "figure6.png", "table1.html", "claims.html"):
        assert part in html
    # Each caption names the optimiser with its budget.
    assert html.count("Trained here by ") >= len(FIGURES)
    assert "L-BFGS in FP32 (none 20, double 20, l2 20, l1 20, gpinn 20)" in html


# --- What it reruns ---


@contextmanager
def changed(path, text="\n# a change\n"):
    """Append to a file, and put it back afterwards (its date stays new)."""
    before = path.read_text()
    path.write_text(before + text)
    try:
        yield
    finally:
        path.write_text(before)


def smoke_plan(smoke, overlay=None):
    files = [SMOKE] if overlay is None else [SMOKE, smoke.overlay(overlay)]
    return smoke.plan("--configfile", *files)


def test_a_second_run_has_nothing_to_do(smoke):
    assert smoke_plan(smoke) == []


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("src/double_pinn/showing/figures/figure1.py", {"draw_figure1"}),
        (
            "src/double_pinn/showing/figures/style.py",
            {"draw_cell", *(f"draw_figure{n}" for n in FIGURES)},
        ),
        ("src/double_pinn/showing/picture.py", {"draw_cell"}),
        ("src/double_pinn/showing/tables/rows.py", {"write_table1"}),
        ("src/double_pinn/showing/claims/measures.py", {"write_claims", "draw_cell"}),
        (
            "src/double_pinn/showing/templates.py",
            {"write_table1", "write_claims", "write_costs"},
        ),
        (
            "src/double_pinn/showing/models.py",
            {"write_table1", "write_claims", "write_costs", "draw_figure10", "draw_cell"},
        ),
        (
            "config/published.csv",
            {"write_table1", "write_claims", "write_costs", *(f"draw_figure{n}" for n in FIGURES)},
        ),
        ("workflow/report/figure1.rst", set()),
        ("workflow/report/cell.rst", set()),
        ("workflow/report/workflow.rst", set()),
        ("src/double_pinn/cli.py", set()),
        ("src/double_pinn/results/netcdf.py", set()),
        ("src/double_pinn/showing/tables/templates/table.md.jinja", {"write_table1"}),
        ("src/double_pinn/running/checkpoints.py", set()),
        ("src/double_pinn/running/progress.py", set()),
        ("src/double_pinn/running/training.py", set()),
        ("src/double_pinn/configuration/settings.py", set()),
        ("src/double_pinn/files.py", set()),
        ("envs/cpu.yaml", set()),
    ],
)
def test_what_shows_or_moves_numbers_retrains_nothing(smoke, file, rules):
    with changed(smoke.path / file):
        assert rules_of(smoke_plan(smoke)) == rules


def test_a_touched_file_reruns_nothing(smoke):
    with changed(smoke.path / "src/double_pinn/numerics/trainer.py", ""):
        assert smoke_plan(smoke) == []


def test_a_changed_evaluation_retrains_nothing(smoke):
    with changed(smoke.path / "src/double_pinn/results/evaluation.py"):
        jobs = smoke_plan(smoke)
    assert trained(jobs) == set()
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == cells_of("smoke")


def test_a_changed_equation_retrains_its_cells_only(smoke):
    with changed(smoke.path / "src/double_pinn/numerics/problems/convection.py"):
        cells = {cell for cell, _ in trained(smoke_plan(smoke))}
    assert cells == cells_of("smoke", equation="convection")


@pytest.mark.parametrize(
    ("folder", "name", "column"),
    [
        ("regularizers", "l2", "regularizer"),
        ("optimizers", "gauss_newton", "optimizer"),
        ("optimizers", "marching", "optimizer"),
        ("networks", "mlp", "network"),
        ("networks", "pinnmamba", "network"),
    ],
)
def test_a_changed_choice_retrains_its_cells_only(smoke, folder, name, column):
    with changed(smoke.path / f"src/double_pinn/numerics/{folder}/{name}.py"):
        cells = {cell for cell, _ in trained(smoke_plan(smoke))}
    # A row that names no network has the MLP.
    expected = cells_of("smoke", **{column: "" if name == "mlp" else name})
    if name == "gauss_newton":
        expected |= cells_of("smoke", optimizer="marching")  # made from it
    assert cells == expected


@pytest.mark.parametrize("file", ["trainer.py", "derivatives/taylor.py", "optimizers/base.py"])
def test_changed_numerics_retrain_everything(smoke, file):
    with changed(smoke.path / "src/double_pinn/numerics" / file):
        assert trained(smoke_plan(smoke)) == {(cell, 0) for cell in cells_of("smoke")}


def test_another_seed_trains_that_seed_only(smoke):
    jobs = smoke_plan(smoke, {"seeds": [0, 1]})
    assert trained(jobs) == {(cell, 1) for cell in cells_of("smoke")}


def test_a_changed_budget_retrains_that_cell_only(smoke):
    jobs = smoke_plan(smoke, {"iterations": {"cells": {"wave_none_fp64": 30}}})
    assert trained(jobs) == {("wave_none_fp64", 0)}


def test_a_higher_budget_and_a_second_seed_for_real(smoke, tmp_path):
    copy = smoke.duplicate(tmp_path / "copy")
    overlay = copy.overlay({"seeds": [0, 1], "iterations": {"default": 30}})
    target = "results/smoke/evaluation/wave_none_fp64.nc"
    done = copy.snakemake("--configfile", SMOKE, overlay, "--", target)
    assert done.returncode == 0, done.stdout
    assert (
        "continues from iteration 20"
        in (copy.path / "results/smoke/logs/train/wave_none_fp64/seed0.log").read_text()
    )
    with xr.open_dataset(copy.path / target) as evaluation:
        assert evaluation["seed"].values.tolist() == [0, 1]
        assert evaluation["iterations_run"].values.tolist() == [30, 30]
        assert np.isfinite(evaluation["rmae"]).all()


def test_a_run_that_is_refused_or_fails_leaves_the_finished_one(smoke, tmp_path):
    copy = smoke.duplicate(tmp_path / "copy")
    run = "results/smoke/runs/wave_none_fp64/seed0.nc"
    before = (copy.path / run).read_bytes()
    lower = copy.overlay({"iterations": {"default": 10}})
    done = copy.snakemake("--configfile", SMOKE, lower, "--", run)
    assert done.returncode != 0
    assert "holds iteration 20, beyond stopping.max_iterations = 10" in done.stdout
    assert f"{run} is the one of before" in done.stdout
    assert (copy.path / run).read_bytes() == before
    assert [path.name for path in (copy.path / run).parent.iterdir()] == ["seed0.nc"]

    forced = copy.snakemake("--force", "--configfile", SMOKE, lower, "--", run)
    assert forced.returncode == 0, forced.stdout
    with xr.open_dataset(copy.path / run) as dataset:
        assert dataset.attrs["iterations_run"] == 10
    assert not list(copy.path.glob("results/smoke/**/*.kept"))
    assert re.search(r"Checkpoints: [\d.,]+ MB in results/smoke/checkpoints", forced.stdout)


def test_a_changed_weight_retrains_that_regularizer_only(smoke):
    cells = {
        cell for cell, _ in trained(smoke_plan(smoke, {"regularizers": {"l2": {"weight": 0.5}}}))
    }
    assert cells == cells_of("smoke", regularizer="l2")


def test_a_changed_evaluation_grid_retrains_nothing(smoke):
    jobs = smoke_plan(smoke, {"evaluation": {"grid": {"default": {"nx": 31}}}})
    assert trained(jobs) == set()
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == (
        cells_of("smoke") - cells_of("smoke", equation="allen_cahn")
    )


@pytest.mark.parametrize(
    "overlay",
    [
        {"device": "gpu"},
        {"resources": {"train": {"default": {"runtime": 99, "mem_mb": 99}}}},
    ],
)
def test_where_a_job_runs_reruns_nothing(smoke, overlay):
    assert smoke_plan(smoke, overlay) == []


def test_a_table_of_a_solution_retrains_nothing(smoke):
    np.savez(smoke.path / "wave.npz", x=[0.0], t=[0.0], u=[0.0])
    jobs = smoke_plan(smoke, {"reference": {"wave": {"file": "wave.npz"}}})
    assert trained(jobs) == set()
    assert {j.wildcards["equation"] for j in jobs if j.rule == "solve_reference"} == {"wave"}
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == (
        cells_of("smoke", equation="wave")
    )


# --- The files that a job depends on ---


def library_inputs(jobs, rule, **wildcards):
    """Return the files of the library among the inputs of one job of a rule."""
    prefix = "src/double_pinn/"
    (job,) = [
        j for j in jobs if j.rule == rule and all(j.wildcards[k] == v for k, v in wildcards.items())
    ]
    return {name[len(prefix) :] for name in job.inputs if name.startswith(prefix)}


@pytest.fixture(scope="module")
def laptop_plan(checkout):
    return checkout.plan()


def test_training_depends_on_the_core_and_on_its_four_choices(laptop_plan):
    files = library_inputs(laptop_plan, "train_network", cell="convection_double_fp32", seed="0")
    numerics = ROOT / "src/double_pinn/numerics"
    folders = ("problems", "networks", "regularizers", "optimizers")
    core = {
        path.relative_to(numerics.parent).as_posix()
        for path in numerics.rglob("*.py")
        if path.parent.name not in folders or path.name in ("__init__.py", "base.py")
    }
    chosen = {
        "numerics/problems/convection.py",
        "numerics/networks/mlp.py",
        "numerics/regularizers/double.py",
        "numerics/optimizers/lbfgs.py",
        # What the optimiser imports.
        "numerics/optimizers/compact_lbfgs.py",
        "numerics/optimizers/linesearch.py",
    }
    assert files == core | chosen


def test_a_figure_depends_on_what_draws_it(laptop_plan):
    for number in set(FIGURES) - ELSEWHERE:
        files = library_inputs(laptop_plan, f"draw_figure{number}")
        own = {f"showing/figures/{name}.py" for name in (f"figure{number}", "panels", "style")}
        assert own | {"showing/wording.py"} <= files
        assert not any(file.startswith("numerics") for file in files)


def test_a_table_of_a_solution_is_an_input_of_its_reference_alone(checkout):
    np.savez(checkout.path / "a b.npz", x=[0.0], t=[0.0], u=[0.0])
    overlay = checkout.overlay({"reference": {"wave": {"file": "a b.npz"}}}, "table.yaml")
    jobs = checkout.plan("--configfile", SMOKE, overlay)
    assert {(j.rule, j.wildcards.get("equation")) for j in jobs if "a b.npz" in j.inputs} == {
        ("solve_reference", "wave")
    }
    done = checkout.snakemake(
        *("--dry-run", "--printshellcmds", "--configfile", SMOKE, overlay, "--"),
        "results/smoke/runs/wave_none_fp64/seed0.nc",
    )
    assert "--device cpu --table 'a b.npz'" in done.stdout


def test_an_archive_to_continue_is_told_to_training(checkout):
    (checkout.path / "a b").mkdir()
    overlay = checkout.overlay({"continue_from": "a b"}, "continued.yaml")
    done = checkout.snakemake(
        *("--dry-run", "--printshellcmds", "--configfile", SMOKE, overlay, "--"),
        "results/smoke/runs/wave_none_fp64/seed0.nc",
    )
    assert "--continue-from 'a b'" in done.stdout


# --- Where it runs ---


def test_several_overlays_compose(checkout):
    mine = checkout.overlay({"seeds": [3], "iterations": {"default": 7}}, "mine.yaml")
    jobs = checkout.plan("--configfile", SMOKE, mine)
    assert trained(jobs) == {(cell, 3) for cell in cells_of("smoke")}
    without_a_scale = checkout.plan("--configfile", mine)
    assert trained(without_a_scale) == {(cell, 3) for cell in cells_of("laptop")}


def test_it_runs_from_elsewhere(checkout, tmp_path):
    """Results go to the folder that one names; code and tables stay those of the workflow."""
    here = checkout.snakemake("--dry-run", "--configfile", SMOKE, "--directory", str(tmp_path))
    assert here.returncode == 0, here.stdout
    snakefile = ["--snakefile", str(checkout.path / "Snakefile")]
    overlay = ["--configfile", str(checkout.path / SMOKE)]
    elsewhere = checkout.snakemake(*snakefile, *overlay, "--", REFERENCE, folder=tmp_path)
    assert elsewhere.returncode == 0, elsewhere.stdout
    assert (tmp_path / REFERENCE).stat().st_size > 0
    assert not (checkout.path / REFERENCE).exists()


# --- The environments ---


def test_conda_environments_agree_with_the_lock():
    lock = dict(
        line.split(" ")[0].split(";")[0].split("==")
        for line in (ROOT / "envs" / "requirements.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    )
    for name in ("cpu", "cuda"):
        environment = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
        (pinned,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
        for requirement in pinned:
            package, version = requirement.split("==")
            package = package.split("[")[0].lower()
            assert lock[package] == version, f"envs/{name}.yaml: {requirement}"


def test_the_lock_has_hashes_and_names_no_address():
    text = (ROOT / "envs" / "requirements.txt").read_text()
    assert text.count("--hash=sha256:") > 100
    assert "://" not in text
    assert "index-url" not in text
