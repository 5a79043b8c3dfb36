"""What Snakemake plans and refuses, without running it."""

import csv

import numpy as np
import pytest
import yaml
from experiments import FIGURES, ROOT, SMOKE, cells_of, read_table, rules_of, trained
from snakemake.settings.types import MaxJobsPerTimespan

REFERENCE = "results/smoke/reference/wave.nc"
# Figures whose cells take hours: not at the laptop scale.
ELSEWHERE = {10}
SEEDS = {"paper": {0, 1, 2, 3, 4}}


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
        "night": {1, 3, 5, 6, 7, 8, 9},
        "laptop": set(FIGURES) - ELSEWHERE,
    }[scale]
    drawn = {f"draw_figure{n}" for n in figures}
    written = {"write_table1", "write_claims"} if figures else set()
    written |= {"write_costs"} if 10 in figures else set()
    others = {"write_settings", "solve_reference", "train_network", "evaluate_cell", "draw_cell"}
    assert rules_of(jobs) - others == drawn | written
    assert {j.wildcards["scale"] for j in jobs} == {scale}


def test_smoke_has_every_kind_of_cell():
    """But for one of the two networks that see sequences, and a warm-up: long to compile."""

    def values(scale, column):
        return {row[column] for row in read_table() if scale in row["scales"].split()}

    for column in ("equation", "regularizer", "precision"):
        assert values("smoke", column) == values("paper", column)
    assert values("paper", "network") - values("smoke", "network") == {"pinnmamba"}
    assert values("paper", "optimizer") - values("smoke", "optimizer") == {"lbfgs_gauss_newton"}
    assert cells_of("smoke") <= cells_of("paper")
    assert cells_of("laptop") - {"laptop_wave_double_gn"} <= cells_of("paper")


def test_a_target_plans_its_part_only(checkout):
    assert rules_of(checkout.plan("train")) == {"write_settings", "train_network"}
    (drawn,) = [j for j in checkout.plan("results/laptop/figures/figure1.png") if "draw" in j.rule]
    assert drawn.rule == "draw_figure1"
    shown = rules_of(checkout.plan("figure1", "table1"))
    assert {rule for rule in shown if "draw" in rule} == {"draw_figure1"}
    assert "write_table1" in shown
    numbers = checkout.plan("numbers", "--configfile", "config/night.yaml")
    assert {"write_table1", "write_claims"} <= rules_of(numbers)
    assert not [rule for rule in rules_of(numbers) if "draw" in rule]
    assert {j.wildcards["cell"] for j in numbers if "evaluate" in j.rule} == cells_of("night")


# --- What it refuses ---


def refusal(checkout, *arguments):
    done = checkout.snakemake("--dry-run", *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("overlay", "key"),
    [
        ({"networks": {"mlp": {"width": 0}}}, "networks.mlp.width"),
        ({"scale": "nowhere"}, "iterations is missing"),
        ({"scale": "nowhere", "iterations": {"default": 9}}, "scale is 'nowhere'"),
    ],
)
def test_a_bad_configuration_is_refused_by_key(checkout, overlay, key):
    assert key in refusal(checkout, "--configfile", checkout.overlay(overlay, "bad.yaml"))


def test_a_bad_row_is_refused_by_file_cell_and_column(checkout):
    rows = read_table()
    rows[0]["equation"] = "poisson"
    with open(checkout.path / "bad.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    message = refusal(checkout, "--config", "experiments=bad.csv")
    for part in ("bad.csv", "line 2", rows[0]["cell"], "equation", "poisson"):
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


PROFILES = sorted((ROOT / "workflow" / "profiles").glob("*/config.yaml"))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.parent.name)
def test_snakemake_ends_soon_after_its_last_job(profile):
    """It waits the timespan of this limit out at its end, whatever the limit is."""
    settings = yaml.safe_load(profile.read_text())
    limit = MaxJobsPerTimespan.parse_choice(settings["max-jobs-per-timespan"])
    assert limit.timespan <= 5
    assert limit.max_jobs / limit.timespan >= 100
