"""The command line: what it refuses, in which words, and with which status."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from double_pinn import __version__, cli
from double_pinn.cli import main
from double_pinn.code import PACKAGE
from double_pinn.configuration.catalogue import get_problem
from double_pinn.errors import DeviceError, TrainingInterruptedError
from double_pinn.results import reference
from double_pinn.results.netcdf import read_dataset, write_dataset
from double_pinn.running import training


@pytest.fixture
def unconfigured(monkeypatch):
    """The tests' own process stays as it is, whatever a command asks for."""
    monkeypatch.setattr(cli, "configure_jax", lambda *args, **kwargs: None)


def refused(capsys, *arguments) -> str:
    """Run a command that must fail as a user's error; return its message."""
    assert main([str(a) for a in arguments]) == 2
    written = capsys.readouterr().err.strip()
    assert written.startswith("error: ")
    assert "Traceback" not in written
    return written


def test_where_the_code_lies(capsys):
    assert main(["where"]) == 0
    assert capsys.readouterr().out.strip() == str(PACKAGE)


def test_the_code_of_another_workflow_is_refused(tmp_path, monkeypatch, capsys):
    other = shutil.copytree(PACKAGE, tmp_path / "double_pinn")
    monkeypatch.setenv("DOUBLE_PINN_CODE", str(other))
    assert main(["where"]) == 0  # a copy of the same content
    capsys.readouterr()
    with open(other / "values.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    message = refused(capsys, "where")
    assert f"the workflow is of {other}, and the double-pinn on the PATH of {PACKAGE}" in message


@pytest.mark.parametrize("threads", [1, 2])
def test_the_environment_does_not_override_threads(threads):
    """What the command decides wins; other flags of the user's stay."""
    program = (
        "import os; from double_pinn.cli import configure_jax\n"
        "import jax\n"
        f"configure_jax('cpu', None, True, cores={threads})\n"
        "print(jax.device_count(), os.environ['XLA_FLAGS'])"
    )
    flags = "--xla_force_host_platform_device_count=4 --xla_cpu_multi_thread_eigen=true"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {"XLA_FLAGS": f"{flags} --xla_dump_max_hlo_modules=3", "JAX_NUM_CPU_DEVICES": "3"},
        check=True,
        capture_output=True,
        text=True,
    )
    count, kept = done.stdout.strip().split(" ", 1)
    assert int(count) == threads
    assert "device_count" not in kept
    assert "eigen=true" not in kept
    assert "--xla_dump_max_hlo_modules=3" in kept


def train_arguments(settings, output, *more):
    return ["train", "--settings", settings, "--seed", "0", "--output", output, *more]


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("command", ["reference", "train", "evaluate", "figure", "table"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "--output" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "paint"),
        (["train"], "--settings"),
        (train_arguments("s", "o", "--seed", "-1"), "'-1' is no integer from 0 to 4294967295"),
        (train_arguments("s", "o", "--seed", "x"), "'x' is no integer"),
        (train_arguments("s", "o", "--threads", "0"), "'0' is no integer of at least 1"),
        (train_arguments("s", "o", "--checkpoint-seconds", "-2"), "'-2' is no number of seconds"),
        (train_arguments("s", "o", "--checkpoint-seconds", "nan"), "no number of seconds"),
        (train_arguments("s", "o", "--device", "tpu"), "tpu"),
        (["figure", "1", "--cell", "none", "--output", "f.pdf"], "ROLE=FILE"),
    ],
)
def test_arguments_that_make_no_sense(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_a_missing_settings_file(tmp_path, capsys):
    message = refused(capsys, *train_arguments(tmp_path / "no.json", tmp_path / "o.nc"))
    assert f"{tmp_path}/no.json does not exist" in message


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"equation__name": "poisson"}, "equation.name"),
        ({"regularizer__name": "dropout"}, "regularizer.name"),
        ({"precision": "fp16"}, "precision"),
        ({"points__nx": 0}, "points.nx"),
        ({"points__edge": -5}, "points.edge"),
        ({"equation__parameters": {"x_range": [1.0, 1.0]}}, "equation.parameters.x_range"),
        ({"stopping__patience": 3}, "stopping.patience"),
    ],
)
def test_bad_settings_name_file_and_key(settings_file, tmp_path, capsys, change, key):
    path = settings_file(**change)
    message = refused(capsys, *train_arguments(path, tmp_path / "o.nc"))
    assert f"{path}: {key}" in message
    assert not (tmp_path / "o.nc").exists()


def test_a_log_or_a_folder_that_cannot_be(settings_file, tmp_path, capsys, unconfigured):
    (tmp_path / "file").write_text("")
    arguments = train_arguments(settings_file(), tmp_path / "o.nc")
    message = refused(capsys, *arguments, "--log", tmp_path / "file" / "log")
    assert f"{tmp_path}/file/log: the log cannot be opened" in message
    message = refused(capsys, *arguments, "--checkpoints", tmp_path / "file" / "c")
    assert f"{tmp_path}/file/c: no folder for checkpoints" in message


def evaluate_arguments(tmp_path, values):
    """Of a command that evaluates a run that is not there."""
    settings = tmp_path / "evaluation.json"
    settings.write_text(json.dumps(values))
    return [
        *["evaluate", "--settings", settings, "--reference", tmp_path / "reference.nc"],
        *["--runs", tmp_path / "run.nc", "--output", tmp_path / "e.nc"],
    ]


def test_an_output_that_cannot_be_written(settings_file, tmp_path, capsys, unconfigured):
    """Known before the first iteration, whatever is in the way."""
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "run.nc", tmp_path):
        message = refused(capsys, *train_arguments(settings_file(), output))
        assert str(output) in message
        assert "cannot be written" in message


def test_a_reference_of_another_equation(settings_file, tmp_path, capsys, unconfigured):
    solution = reference.solve(get_problem("wave"), 9, 9)
    write_dataset(solution, tmp_path / "wave.nc")
    arguments = train_arguments(settings_file(), tmp_path / "o.nc")
    message = refused(capsys, *arguments, "--reference", tmp_path / "wave.nc")
    assert f"{tmp_path}/wave.nc: solves another equation (name is wave, not convection" in message


def test_a_reference_that_is_not_there(evaluation_settings, tmp_path, capsys, unconfigured):
    message = refused(capsys, *evaluate_arguments(tmp_path, evaluation_settings()))
    assert f"{tmp_path}/reference.nc: no such file" in message


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda values: values["run"].update(precision="fp16"), "precision"),
        (lambda values: values["evaluation"].update(nx=1), "evaluation.nx"),
        (lambda values: values["evaluation"].pop("residual_points"), "evaluation.residual_points"),
        (lambda values: values.pop("evaluation"), "evaluation is missing"),
        (lambda values: values.pop("run"), "run is missing"),
    ],
)
def test_bad_settings_of_an_evaluation_name_file_and_key(
    evaluation_settings, tmp_path, capsys, unconfigured, change, key
):
    values = evaluation_settings()
    change(values)
    message = refused(capsys, *evaluate_arguments(tmp_path, values))
    assert f"{tmp_path}/evaluation.json: {key}" in message


def test_roles_given_twice(tmp_path, capsys):
    cells = ["--cell", "none=a.nc", "--cell", "none=b.nc"]
    message = refused(capsys, "figure", "1", *cells, "--output", tmp_path / "f.pdf")
    assert "--cell none=... is given twice" in message


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (TrainingInterruptedError("stopped by SIGTERM"), 75, "interrupted: stopped by"),
        (DeviceError("no GPU"), 2, "error: no GPU"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("a defect"), 1, "Traceback"),
    ],
)
def test_exit_status(
    settings_file, tmp_path, capsys, monkeypatch, unconfigured, error, status, words
):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(training, "train", fail)
    log = tmp_path / "run.log"
    assert main(train_arguments(str(settings_file()), "o.nc", "--log", str(log))) == status
    assert words in capsys.readouterr().err
    assert type(error).__name__ in log.read_text()


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "double_pinn.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("environment", [{}, {"JAX_PLATFORMS": "cpu"}])
def test_a_gpu_that_is_not_there_is_no_cpu(settings_file, tmp_path, environment):
    if _has_gpu():
        pytest.skip("there is a GPU")
    output = tmp_path / "o.nc"
    arguments = train_arguments(settings_file(), output, "--device", "gpu")
    done = run(*arguments, **environment)
    assert done.returncode == 2
    assert "--device gpu: JAX finds no such device" in done.stderr
    assert "--device cpu" in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


def _has_gpu() -> bool:
    return any(os.path.exists(f"/dev/{name}") for name in ("nvidia0", "kfd", "dxg"))


def test_train_in_single_precision(settings_file, tmp_path):
    """The real thing in a process of its own, without FP64."""
    from double_pinn.results import netcdf as store

    path = settings_file(
        precision="fp32", network__hidden_layers=1, regularizer={"name": "none", "weight": 0.0}
    )
    output, log = tmp_path / "runs" / "o.nc", tmp_path / "logs" / "o.log"
    more = ["--log", log, "--threads", 1, "--checkpoints", tmp_path / "checkpoints"]
    done = run(*train_arguments(path, output, *more))
    assert done.returncode == 0, done.stderr
    assert "40 iterations, stopped by max_iterations" in log.read_text()
    dataset = store.read_dataset(output, require=["objective", "parameters"])
    assert dataset.parameters.dtype == np.float32
    assert dataset.attrs["precision"] == "fp32"
    assert dataset.attrs["title"] == "Training run: tiny, seed 0"
    assert float(dataset.objective[-1]) < float(dataset.objective[0])


STARTS = {
    "allen_cahn": lambda x: x**2 * np.cos(np.pi * x),
    "wave": lambda x: np.sin(np.pi * x) + 0.5 * np.sin(3 * np.pi * x),
}


@pytest.fixture
def solution_table(tmp_path):
    """``solution_table(name)``: a .npz file that starts as a solution does, and stays so."""

    def write(name):
        x, t = np.linspace(*get_problem(name).x_range, 9), np.linspace(0, 1, 6)
        path = tmp_path / f"{name}.npz"
        np.savez(path, x=x, t=t, usol=np.repeat(STARTS[name](x)[:, None], 6, axis=1))
        return path

    return write


def test_a_reference_from_a_table_says_what_it_adds(solution_table, tmp_path, capsys, unconfigured):
    settings, output = tmp_path / "reference.json", tmp_path / "reference.nc"
    path = solution_table("wave")
    values = {"equation": {"name": "wave"}, "evaluation": {"nx": 5, "nt": 3}}
    values["table"] = {"file": str(path), "u": "usol"}
    settings.write_text(json.dumps(values))
    assert main(["reference", "--settings", str(settings), "--output", str(output)]) == 0
    said = capsys.readouterr().err
    assert f"{path}: the interpolation adds a relative error of about" in said
    assert "it leaves a residual of" in said
    written = read_dataset(output)
    np.testing.assert_allclose(written.u.isel(t=-1), STARTS["wave"](written.x), atol=1e-12)
    assert written.attrs["table_names"] == "x = x, t = t, u = usol"


@pytest.mark.parametrize(
    ("equation", "without"), [("allen_cahn", "no errors"), ("wave", "errors of the closed form")]
)
def test_the_log_measures_errors_against_a_table(
    settings_file, solution_table, tmp_path, monkeypatch, unconfigured, equation, without
):
    """And a table that is refused keeps nobody from training."""
    given = []

    def train(settings, seed, *, solution, **options):
        given.append(solution)
        raise TrainingInterruptedError("seen enough")

    monkeypatch.setattr(training, "train", train)
    path, log = settings_file(equation={"name": equation}), tmp_path / "run.log"
    table = solution_table(equation)
    for name in ("usol", "u"):
        more = ["--log", log, "--table", table, f"u={name}"]
        assert main([str(a) for a in train_arguments(path, tmp_path / "o.nc", *more)]) == 75
    assert np.ptp(given[0].u, axis=1).max() < 1e-12  # as the table, unlike any solution
    assert given[1] is None
    said = [line for line in log.read_text().splitlines() if "the log has" in line]
    assert len(said) == 1
    assert f"the log has {without}: {table}: has no 'u'; it has x, t, usol" in said[0]


def test_a_seed_has_32_bits(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--settings", "s", "--output", "o", "--seed", str(2**32)])
    assert "'4294967296' is no integer from 0 to 4294967295" in capsys.readouterr().err


@pytest.mark.parametrize(("points", "cores"), [(10, 1), (456, 7), (4396, 64)])
def test_few_points_are_not_dealt_out_over_many_cores(monkeypatch, points, cores):
    monkeypatch.setattr(cli, "available_cores", lambda: 64)
    assert cli.sensible_cores(points) == cores
