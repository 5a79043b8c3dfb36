"""The smoke scale run once, with every file of the chain, and what is run again after a change."""

import csv
import json
import re
from contextlib import ExitStack, contextmanager

import numpy as np
import xarray as xr
from experiments import FIGURES, SMOKE, cells_of, read_table, rules_of, trained
from new_choices import drop_in

DRAWN = {f"draw_figure{n}" for n in FIGURES}
TABLES = {"write_table1", "write_claims", "write_costs"}


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
        rows = [row for row in csv.DictReader(file) if row["status"] == "run"]
    uses = [
        use
        for row in read_table()
        if "smoke" in row["scales"].split()
        for use in row["used_in"].split()
    ]
    assert len(rows) == len({use for use in uses if use.startswith("table1:") and "@" not in use})
    assert {row["equation"] for row in rows} == {"convection", "reaction", "wave", "allen_cahn"}


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


#: Files that show numbers, and the rules that they belong to.
SHOWING = {
    "src/double_pinn/showing/figures/figure1.py": {"draw_figure1"},
    "src/double_pinn/showing/figures/style.py": {"draw_cell", *DRAWN},
    "src/double_pinn/showing/picture.py": {"draw_cell"},
    "src/double_pinn/showing/tables/rows.py": {"write_table1"},
    "src/double_pinn/showing/tables/templates/table.md.jinja": {"write_table1"},
    "src/double_pinn/showing/claims/measures.py": {"write_claims", "draw_cell"},
    "src/double_pinn/showing/templates.py": TABLES,
    "src/double_pinn/showing/models.py": {*TABLES, "draw_figure10", "draw_cell"},
    "config/published.csv": {*TABLES, *DRAWN},
}


def test_what_shows_numbers_retrains_and_evaluates_nothing(smoke):
    with ExitStack() as stack:
        for file in SHOWING:
            stack.enter_context(changed(smoke.path / file))
        jobs = smoke_plan(smoke)
    assert {file: rules_of(j for j in jobs if file in j.changed) for file in SHOWING} == SHOWING
    assert rules_of(jobs) == set().union(*SHOWING.values())


def test_a_changed_evaluation_retrains_nothing(smoke):
    with changed(smoke.path / "src/double_pinn/results/evaluation.py"):
        jobs = smoke_plan(smoke)
    assert trained(jobs) == set()
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == cells_of("smoke")


def test_what_moves_numbers_or_frames_them_reruns_nothing(smoke):
    files = (
        "workflow/report/figure1.rst",
        "workflow/report/cell.rst",
        "workflow/report/workflow.rst",
        "src/double_pinn/cli.py",
        "src/double_pinn/results/netcdf.py",
        "src/double_pinn/running/checkpoints.py",
        "src/double_pinn/running/progress.py",
        "src/double_pinn/running/training.py",
        "src/double_pinn/configuration/settings.py",
        "src/double_pinn/files.py",
        "envs/cpu.yaml",
    )
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(changed(smoke.path / file))
        assert smoke_plan(smoke) == []


def test_a_touched_file_reruns_nothing(smoke):
    with changed(smoke.path / "src/double_pinn/numerics/trainer.py", ""):
        assert smoke_plan(smoke) == []


def test_changed_numerics_retrain_the_cells_that_they_decide(smoke):
    decided = {
        "trainer.py": cells_of("smoke"),
        "derivatives/taylor.py": cells_of("smoke"),
        "optimizers/base.py": cells_of("smoke"),
        "problems/convection.py": cells_of("smoke", equation="convection"),
        "regularizers/l2.py": cells_of("smoke", regularizer="l2"),
        # Marching is made from it.
        "optimizers/gauss_newton.py": (
            cells_of("smoke", optimizer="gauss_newton") | cells_of("smoke", optimizer="marching")
        ),
        "optimizers/marching.py": cells_of("smoke", optimizer="marching"),
        # A row that names no network has the MLP.
        "networks/mlp.py": cells_of("smoke", network=""),
        "networks/pinnsformer.py": cells_of("smoke", network="pinnsformer"),
    }
    assert all(decided.values())
    decided = {f"src/double_pinn/numerics/{file}": cells for file, cells in decided.items()}
    with ExitStack() as stack:
        for file in decided:
            stack.enter_context(changed(smoke.path / file))
        jobs = smoke_plan(smoke)
    # By nothing else than these inputs.
    assert "write_settings" not in rules_of(jobs)
    cells = {
        file: {c for c, _ in trained(j for j in jobs if file in j.changed)} for file in decided
    }
    assert cells == decided


def test_another_seed_trains_that_seed_only(smoke):
    jobs = smoke_plan(smoke, {"seeds": [0, 1]})
    assert trained(jobs) == {(cell, 1) for cell in cells_of("smoke")}


def test_a_changed_budget_and_weight_retrain_their_cells_only(smoke):
    budget, weight = {"cells": {"wave_none_fp64": 30}}, {"l2": {"weight": 0.5}}
    jobs = smoke_plan(smoke, {"iterations": budget, "regularizers": weight})
    cells = {cell for cell, _ in trained(jobs)}
    assert cells == cells_of("smoke", regularizer="l2") | {"wave_none_fp64"}


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


def test_a_changed_evaluation_grid_retrains_nothing(smoke):
    jobs = smoke_plan(smoke, {"evaluation": {"grid": {"default": {"nx": 31}}}})
    assert trained(jobs) == set()
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == (
        cells_of("smoke") - cells_of("smoke", equation="allen_cahn")
    )


def test_where_a_job_runs_reruns_nothing(smoke):
    asked = {"train": {"default": {"runtime": 99, "mem_mb": 99}}}
    assert smoke_plan(smoke, {"device": "gpu", "resources": asked}) == []


def test_a_table_of_a_solution_retrains_nothing(smoke):
    np.savez(smoke.path / "wave.npz", x=[0.0], t=[0.0], u=[0.0])
    jobs = smoke_plan(smoke, {"reference": {"wave": {"file": "wave.npz"}}})
    assert trained(jobs) == set()
    assert {j.wildcards["equation"] for j in jobs if j.rule == "solve_reference"} == {"wave"}
    assert {j.wildcards["cell"] for j in jobs if j.rule == "evaluate_cell"} == (
        cells_of("smoke", equation="wave")
    )


def test_a_new_file_of_each_kind_retrains_nothing(smoke, tmp_path):
    copy = smoke.duplicate(tmp_path / "copy")
    drop_in(copy)
    assert copy.plan("--configfile", SMOKE) == []
