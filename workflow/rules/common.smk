# Reads and checks the configuration; pure helpers that hand each stage its slice of it.

import ast
import csv
import hashlib
import json
import math
import re
from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from jsonschema import Draft202012Validator, validators
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

PACKAGE = Path("src/double_pinn")
SCHEMAS = Path(workflow.basedir) / "workflow" / "schemas"


def typed(value):
    """Return a value of the command line with its numbers, truth values and nulls as such.

    Inside lists and mappings, `--config` leaves them as text: 'seeds=[0,1]' would be ["0", "1"].
    """
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        meant = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return meant if meant is None or isinstance(meant, (bool, int, float)) else value


# --- Checks: every message names the key, and the file where it is not the configuration ---


def is_integer(checker, value):
    """JSON Schema takes 2.0 for an integer; a count or a seed must be written as one."""
    return isinstance(value, int) and not isinstance(value, bool)


StrictValidator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer),
)


def describe(error):
    """One line for a violation of a schema: the key, and what is wrong with it."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema["properties"]
        unknown = [key for key in error.instance if key not in known]
        keys = ", ".join(".".join([*path, str(key)]) for key in unknown)
        return f"{keys}: unknown; known here: {', '.join(known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{', '.join('.'.join([*path, key]) for key in missing)}: missing"
    hint = " (text for YAML; write 5e-4 as 5.0e-4)" if is_number_as_text(error) else ""
    return f"{'.'.join(path)}: {error.message}{hint}"


def is_number_as_text(error):
    """Whether a value was refused because YAML took a number such as 5e-4 for text."""
    if error.validator != "type" or not isinstance(error.instance, str):
        return False
    return isinstance(parse_value(error.instance), float)


@cache
def read_schema(name):
    return StrictValidator(yaml.safe_load((SCHEMAS / name).read_text()))


def check_schema(data, schema, where):
    """Raise a WorkflowError that lists every violation of workflow/schemas/{schema}."""
    lines = sorted({describe(error) for error in read_schema(schema).iter_errors(data)})
    require(not lines, "\n".join(f"{where}: {line}" for line in lines))


def require(condition, message):
    """Raise a WorkflowError with this message unless the condition holds."""
    if not condition:
        raise WorkflowError(message)


def check_configuration():
    """What a schema cannot say about the configuration."""
    for key, value in numbers_in(config):
        require(math.isfinite(value), f"configuration: {key}: {value} is not finite")
    for name, parameters in config["equations"].items():
        key = f"configuration: equations.{name}"
        source = PACKAGE / "problems" / f"{name}.py"
        require(source.is_file(), f"{key}: unknown equation, there is no {source}")
        known = coefficients_of(source)
        for parameter, value in parameters.items():
            require(
                known is None or parameter in known,
                f"{key}.{parameter}: unknown; known here: {', '.join(known or ())}",
            )
            if isinstance(value, list):
                low, high = value
                require(
                    low < high,
                    f"{key}.{parameter}: {value}: the second end must lie beyond the first",
                )
    known = ", ".join(config["equations"])
    for name in config["evaluation"]["grid"]:
        require(
            name == "default" or name in config["equations"],
            f"configuration: evaluation.grid.{name}: unknown equation; known: {known}",
        )


def numbers_in(values, prefix=""):
    """Yield every number of nested mappings and lists, with its key."""
    if isinstance(values, (dict, list)):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from numbers_in(value, f"{prefix}.{key}" if prefix else f"{key}")
    elif isinstance(values, (int, float)):
        yield prefix, values


@cache
def coefficients_of(source):
    """Return what an equation's file lets one set; None where it inherits from another equation.

    Read from the text: importing the file would load JAX at every start of the workflow.
    """
    classes = [n for n in ast.parse(source.read_text()).body if isinstance(n, ast.ClassDef)]
    if not any(isinstance(b, ast.Name) and b.id == "Problem" for c in classes for b in c.bases):
        return None
    fields = [n.target.id for c in classes for n in c.body if isinstance(n, ast.AnnAssign)]
    return list(dict.fromkeys([*fields, "x_range", "t_range"]))


# --- The table of experiments ---


def parse_value(text):
    """Return a cell of the table as int, float or str."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def read_experiments(path):
    """Return the rows of all scales as a data frame, and check them one by one."""
    require(Path(path).is_file(), f"configuration: experiments: there is no file {path}")
    with open(path, newline="") as file:
        table = list(csv.DictReader(file))
    require(table, f"{path}: the table has no rows")
    rows, seen = [], set()
    for number, texts in enumerate(table, start=2):
        where = f"{path}, line {number} ({texts.get('cell') or 'no name'})"
        require(None not in texts, f"{where}: more values than columns")
        row = {key: parse_value(text) for key, text in texts.items() if text not in ("", None)}
        rows.append(row)
        check_schema(row, "experiments.schema.yaml", where)
        check_row(row, where)
        require(row["cell"] not in seen, f"{where}: cell: this name is taken by a line above")
        seen.add(row["cell"])
    return pd.DataFrame(rows)


def check_row(row, where):
    """What a schema cannot say about a row."""
    for column, value in numbers_in(row):
        require(math.isfinite(value), f"{where}: {column}: {value} is not finite")
    for column, section in (("equation", "equations"), ("optimizer", "optimizers")):
        require(
            row[column] in config[section],
            f"{where}: {column}: unknown {row[column]!r}; known: {', '.join(config[section])}",
        )
    for use in (row.get("used_in") or "").split():
        target = use.split(":")[0]
        require(
            target in known_targets(),
            f"{where}: used_in: there is no {target}; known: {', '.join(known_targets())}",
        )
    require(
        row["regularizer"] != "none" or "weight" not in row,
        f"{where}: weight: regularizer 'none' has no weight, leave it empty",
    )


@cache
def known_targets():
    """Return the names of all figures and tables that can show a cell."""
    figures = (path.stem for path in (PACKAGE / "figures").glob("figure[0-9]*.py"))
    return [*sorted(figures), "table1"]


def select_scale(experiments):
    """Return the rows of the configured scale, by cell, as plain values."""
    scale, path = config["scale"], config["experiments"]
    names = set(experiments["cell"])
    scales = set(" ".join(experiments["scales"]).split())
    sections = {"iterations": config["iterations"], "resources.train": config["resources"]["train"]}
    for section, values in sections.items():
        for other, exceptions in values.get("cells", {}).items():
            key = f"configuration: {section}.cells.{other}"
            require(other in scales, f"{key}: no row of {path} lists this scale")
            # A table of one's own need not have the cells of other scales.
            for name in exceptions if other == scale else ():
                require(name in names, f"{key}.{name}: no such cell in {path}")
    rows = experiments.astype(object).where(experiments.notna(), None).to_dict("records")
    cells = {row["cell"]: row for row in rows if scale in row["scales"].split()}
    require(cells, f"configuration: scale: no row of {path} lists {scale!r} under `scales`")
    return cells


def read_uses(cells):
    """Return {figure or table: {role in it: cell}}, in the order of the table of experiments."""
    uses = {}
    for cell, row in cells.items():
        for use in (row.get("used_in") or "").split():
            target, role = use.split(":")
            other = uses.setdefault(target, {}).setdefault(role, cell)
            require(
                other == cell,
                f"{config['experiments']}: {cell}: used_in: {use} is already taken by {other}",
            )
    return uses


# --- Slices of the configuration, one for each stage ---


def any_of(names):
    """Return the regular expression of a wildcard that takes these values."""
    return "|".join(names)


def evaluation_settings(equation):
    grid = config["evaluation"]["grid"]
    return {
        "residual_points": config["evaluation"]["residual_points"],
        **grid.get(equation, grid["default"]),
    }


def equation_settings(equation):
    return {"name": equation, "parameters": config["equations"][equation]}


def reference_settings(equation):
    """All that decides the reference solution of an equation."""
    return {
        "equation": equation_settings(equation),
        "evaluation": evaluation_settings(equation),
    }


def regularizer_settings(row):
    if row["regularizer"] == "none":
        return {"name": "none", "weight": 0.0}
    weight = row.get("weight") or config["regularizers"][row["regularizer"]]
    return {"name": row["regularizer"], "weight": weight}


def point_settings(row):
    limits = config["points_limit"]
    limit_of = {"nx": limits["grid"], "nt": limits["grid"], "edge": limits["edge"]}
    return {key: min(row[key], limit or row[key]) for key, limit in limit_of.items()}


def for_cell(cell, values):
    """Return the exception that holds for a cell at this scale, or else the default."""
    exceptions = values.get("cells", {}).get(config["scale"], {})
    return exceptions.get(cell, values["default"])


def train_settings(cell):
    """All that decides the numbers of a training run, but for the seed."""
    row = CELLS[cell]
    return {
        "cell": cell,
        "equation": equation_settings(row["equation"]),
        "network": config["network"],
        "precision": row["precision"],
        "regularizer": regularizer_settings(row),
        "points": point_settings(row),
        "test_points": config["test_points"],
        "optimizer": {"name": row["optimizer"], **config["optimizers"][row["optimizer"]]},
        "stopping": {"max_iterations": for_cell(cell, config["iterations"]), **config["stopping"]},
        "logging": config["logging"],
    }


def evaluate_settings(cell):
    """The settings of training, and the grid on which its result is judged."""
    return {
        **train_settings(cell),
        "evaluation": evaluation_settings(CELLS[cell]["equation"]),
    }


def settings_json(wildcards):
    """Return the text of results/{scale}/settings/{stage}/{name}.json."""
    settings_of = {
        "train": train_settings,
        "evaluate": evaluate_settings,
        "reference": reference_settings,
    }
    settings = settings_of[wildcards.stage](wildcards.name)
    return json.dumps(settings, indent=2, sort_keys=True, allow_nan=False)


# --- Resources: they grow with every attempt ---


def train_job(cell):
    return for_cell(cell, config["resources"]["train"])


def train_runtime(wildcards, attempt):
    return attempt * train_job(wildcards.cell)["runtime"]


def train_memory(wildcards, attempt):
    return attempt * train_job(wildcards.cell)["mem_mb"]


def other_runtime(wildcards, attempt):
    return attempt * config["resources"]["evaluate"]["runtime"]


def other_memory(wildcards, attempt):
    return attempt * config["resources"]["evaluate"]["mem_mb"]


# --- Files ---


def library_files(*names):
    """Return the files of modules of the library, given without their ending."""
    return [f"{PACKAGE}/{name}.py" for name in names]


def train_modules(wildcards):
    """The modules that decide the numbers of this cell's training: a change in one retrains it.

    A module that only moves, shows or stores numbers must stay out of this list.
    """
    return library_files(*TRAIN_MODULES, f"problems/{CELLS[wildcards.cell]['equation']}")


@cache
def code_of(path):
    """Return what a Python file says, less comments, layout and docstrings."""
    tree = ast.parse(Path(path).read_text())
    for node in ast.walk(tree):
        documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if documented and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def checkpoint_folder(wildcards, input):
    """Return the folder of a run's checkpoints.

    Its name is made from all that decides the numbers, settings and code, but for the budget: a
    run with a higher budget continues, a run that differs otherwise starts afresh beside it.
    Being made from `input`, it is no parameter whose change could rerun a job.
    """
    settings = train_settings(wildcards.cell)
    del settings["stopping"]["max_iterations"]
    parts = [json.dumps(settings, sort_keys=True), *map(code_of, input.code)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return f"results/{wildcards.scale}/checkpoints/{wildcards.cell}/{key}/seed{wildcards.seed}"


def evaluations_of(target):
    """Return the evaluation of every cell that a figure or table shows."""
    return [f"results/{{scale}}/evaluation/{cell}.nc" for cell in USES[target].values()]


def roles_of(target):
    """Return the option --cell ROLE=FILE for every cell that a figure or table shows."""
    return [f"--cell {role}={file}" for role, file in zip(USES[target], evaluations_of(target))]


def title_of(number):
    """Return the TITLE of a figure's module, as its text has it; empty if it has none yet.

    The text is searched, not parsed: a figure that is being edited must not stop the workflow.
    """
    source = PACKAGE / "figures" / f"figure{number}.py"
    found = re.search(r'^TITLE = "(.*)"$', source.read_text() if source.is_file() else "", re.M)
    return found[1] if found else ""


def numbers_of(kind):
    """Return the numbers of the figures (or tables) for which this scale has cells."""
    return sorted(int(target.removeprefix(kind)) for target in USES if target.startswith(kind))


update_config(config, typed(dict(workflow.config_settings.config or {})))
check_schema(config, "config.schema.yaml", "configuration")
check_configuration()

EXPERIMENTS = read_experiments(config["experiments"])
CELLS = select_scale(EXPERIMENTS)
USES = read_uses(CELLS)
