# Reads and checks the configuration (src/double_pinn/configuration) and finds the files of each job.

import argparse
import os
import subprocess
import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

ROOT = Path(workflow.basedir)
# The workflow is read by the code of this checkout; jobs run the `double-pinn` on the path, which
# compares itself with this.
sys.path.insert(0, str(ROOT / "src"))
shell.prefix(f"export DOUBLE_PINN_CODE={quote(str(ROOT / 'src' / 'double_pinn'))}; ")

from double_pinn.code import PACKAGE, files_behind
from double_pinn.configuration import catalogue
from double_pinn.configuration.campaign import Campaign, check_scale, typed
from double_pinn.configuration.yaml_files import check_keys
from double_pinn.errors import UserError
from double_pinn.running.identity import checkpoint_key, files_of, number_deciding_files
from double_pinn.showing.figures import figure_numbers, figure_title, needed_roles


def of_workflow(path):
    """Return a file of the workflow as Snakemake sees it from the folder in which it works."""
    return os.path.relpath(ROOT / path)


def given(path):
    """Return a file that the configuration names: here, or else in the workflow's folder."""
    return path if Path(path).exists() else of_workflow(path)


def library_files(*modules, rooms=()):
    """Return modules of the library and what they import from some rooms, however indirectly."""
    found = files_behind([PACKAGE / m for m in modules], [PACKAGE / room for room in rooms])
    return [of_workflow(path) for path in found]


def any_of(names):
    """Return the regular expression of a wildcard that takes these values."""
    return "|".join(names)


# --- Code that a job depends on ---


def reference_code(wildcards):
    """Return the files of the solver and of the equation."""
    rooms = ["numerics/functions.py", "results/spectral.py", "results/tabulated.py"]
    solver = library_files("results/reference.py", rooms=rooms)
    return solver + [of_workflow(path) for path in files_of("equation", wildcards.equation)]


def reference_table(wildcards):
    """Return the table of an equation's solution, if the configuration names one."""
    table = CAMPAIGN.table(wildcards.equation)
    return [table.file] if table else []


def number_deciding(wildcards):
    """Return the files that decide the numbers of a cell's training: a change in one retrains it."""
    return [of_workflow(p) for p in number_deciding_files(CAMPAIGN.run(wildcards.cell).chosen)]


def checkpoint_folder(wildcards, input):
    """Return the folder of a run's checkpoints.

    Its name is made from all that decides the numbers, settings and code, but for the budget: a
    run with a higher budget continues, a run that differs otherwise starts afresh beside it.
    Being made from `input`, it is no parameter whose change could rerun a job.
    """
    key = checkpoint_key(CAMPAIGN.run(wildcards.cell))
    return f"results/{wildcards.scale}/checkpoints/{wildcards.cell}/{key}/seed{wildcards.seed}"


def runs_of(cell):
    """Return the run of every seed of a cell."""
    return [f"results/{SCALE}/runs/{cell}/seed{seed}.nc" for seed in CAMPAIGN.seeds(cell)]


def table_for_the_log(wildcards, input):
    """Return the table against which the log of a training measures its errors, as an option.

    Made from `input` for the same reason: the log must not cause a training.
    """
    table = CAMPAIGN.table(CAMPAIGN.cells[wildcards.cell].equation)
    return ["--table", *table.words()] if table else []


def archive_to_continue(wildcards, input):
    """Return the archive of earlier runs, as an option; made from `input` for the same reason."""
    archive = CAMPAIGN.configuration.continue_from
    return ["--continue-from", given(archive)] if archive else []


# --- Resources: they grow with every attempt ---


def train_runtime(wildcards, attempt):
    return attempt * CAMPAIGN.train_job(wildcards.cell).runtime


def train_threads(wildcards):
    return CAMPAIGN.train_job(wildcards.cell).threads


def train_memory(wildcards, attempt):
    return attempt * CAMPAIGN.train_job(wildcards.cell).mem_mb


def other_runtime(wildcards, attempt):
    return attempt * CAMPAIGN.configuration.resources.evaluate.runtime


def other_memory(wildcards, attempt):
    return attempt * CAMPAIGN.configuration.resources.evaluate.mem_mb


# --- Figures and tables ---


def evaluations_of(target):
    """Return the evaluation of every cell that a figure or table shows."""
    return [f"results/{{scale}}/evaluation/{cell}.nc" for cell in CAMPAIGN.uses[target].values()]


def roles_of(target, before=""):
    """Return the option --cell ROLE=FILE for every cell that a figure or table shows.

    What stands `before` the role names the target too, for a job that sees several.
    """
    files = zip(CAMPAIGN.uses[target], evaluations_of(target))
    return [f"--cell {before}{role}={file}" for role, file in files]


def numbers_of(kind):
    """Return the numbers of the figures (or tables) for which this scale has cells."""
    targets = [target for target in CAMPAIGN.uses if target.startswith(kind)]
    return sorted(int(target.removeprefix(kind)) for target in targets)


def missing_roles(number):
    """Return the roles of a figure that no cell of this scale plays, but has to."""
    return [role for role in needed_roles(number) if role not in CAMPAIGN.uses[f"figure{number}"]]


def say_what_is_left_out():
    """Name the figures of which this scale has some cells, but not all that they need."""
    for number in numbers_of("figure"):
        if roles := ", ".join(f"figure{number}:{role}" for role in missing_roles(number)):
            print(
                f"Figure {number} is left out: scale {SCALE} has no cell whose used_in says {roles}",
                file=sys.stderr,
            )


# --- Before anything else ---


def refuse_other_code():
    """Compare the `double-pinn` that the jobs would run with the code of this checkout.

    Jobs compare themselves too, but by then Snakemake has deleted what they were to replace.
    """
    if workflow.deployment_settings.deployment_method:
        return  # the command is not of this environment
    try:
        with_place = {**os.environ, "DOUBLE_PINN_CODE": str(PACKAGE)}
        done = subprocess.run(
            ["double-pinn", "where"],
            env=with_place,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise UserError(
            "there is no command double-pinn on the PATH: activate the environment "
            "(. .venv/bin/activate), or use make"
        ) from None
    if done.returncode:
        raise UserError(done.stderr.strip().removeprefix("error: "))


def refuse_missing_profile():
    """Refuse a workflow profile that is not there: Snakemake would run without one, here."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workflow-profile", default="none")
    name = parser.parse_known_args(sys.argv[1:])[0].workflow_profile
    folders = [Path("profiles"), ROOT / "profiles"]
    if name != "none" and not any(
        path.exists() for path in (Path(name), *(f / name for f in folders))
    ):
        known = sorted(path.parent.name for path in (ROOT / "profiles").glob("*/*config*.yaml"))
        raise UserError(
            f"--workflow-profile {name}: there is no such profile; there are {', '.join(known)}"
        )


# Every job reads the workflow again: without JAX that takes no time.
catalogue.read_without_jax()
settings_given = workflow.config_settings
update_config(config, typed(dict(settings_given.config or {})))
try:
    if workflow.is_main_process:
        refuse_other_code()
        refuse_missing_profile()
        check_keys(map(Path, workflow.configfiles))
        check_scale(settings_given.config or {}, settings_given.configfiles, ROOT / "config")
    CAMPAIGN = Campaign(
        config,
        targets=[*(f"figure{number}" for number in figure_numbers()), "table1"],
        find=given,
    )
except UserError as error:
    raise WorkflowError(str(error))
CELLS = list(CAMPAIGN.cells)
SCALE = CAMPAIGN.configuration.scale
DEVICE = CAMPAIGN.configuration.device
FIGURES = [number for number in numbers_of("figure") if not missing_roles(number)]
SHOWING = [f"figure{number}" for number in FIGURES] + [f"table{n}" for n in numbers_of("table")]
if workflow.is_main_process:
    say_what_is_left_out()
