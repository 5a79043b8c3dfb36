"""Errors and the evaluation file: right numbers from the right runs, and nothing else."""

import copy
import json

import numpy as np
import pytest
import xarray as xr

from double_pinn.configuration.settings import evaluation_from_dict
from double_pinn.errors import DataError
from double_pinn.results import predict, reference, runs
from double_pinn.results.evaluation import evaluate, refine, rmae, rrmse
from double_pinn.results.netcdf import VARIABLES, read_dataset, write_dataset

RUN = {
    "cell": "convection_double_fp32",
    "equation": {"name": "convection", "parameters": {"beta": 3.0}},
    "network": {"name": "mlp", "hidden_layers": 1, "width": 4},
    "precision": "fp32",
    "regularizer": {"name": "double", "weight": 5e-4},
    "points": {"nx": 5, "nt": 4, "edge": 7},
    "stopping": {"max_iterations": 300},
}
GRIDS = {"nx": 11, "nt": 9, "residual_points": 16}


def settings_with(evaluation=None, **changes):
    run = copy.deepcopy(RUN)
    for section, keys in changes.items():
        run[section] = {**run[section], **keys} if isinstance(keys, dict) else keys
    return evaluation_from_dict({"run": run, "evaluation": {**GRIDS, **(evaluation or {})}})


@pytest.fixture
def settings():
    return settings_with()


@pytest.fixture
def reference_path(settings, tmp_path):
    path = tmp_path / "reference.nc"
    write_dataset(reference.solve(settings.run.problem, 11, 9), path)
    return path


@pytest.fixture
def write_run(settings, tmp_path):
    """Write the run of a seed such as training does; return its path."""

    def write(
        number,
        iterations=(0, 100, 200),
        *,
        name=None,
        settings=settings.run,
        settings_json=None,
        **attributes,
    ):
        n = len(iterations)
        network = settings.network.bound(np.float32)
        losses = {
            name: ("iteration", 10.0 * number + k + 1 / (1 + np.arange(n)))
            for k, name in enumerate(("objective", "train_loss", "test_loss", "penalty"))
        }
        terms = ["equation", "initial_u", "periodic_u"]
        run = xr.Dataset(
            {
                **losses,
                "train_term": (("iteration", "term"), np.ones((n, 3))),
                "test_term": (("iteration", "term"), np.ones((n, 3))),
                "wall_time": ("iteration", np.arange(n) * 1.5),
                "evaluations": ("iteration", np.arange(n)),
                "parameters": ("parameter", np.asarray(network.init(number))),
            },
            {"iteration": list(iterations), "term": terms},
            {
                "seed": number,
                "iterations_run": iterations[-1] if n else 0,
                "stop_reason": "tolerance",
                "n_collocation": settings.collocation_count,
                "device": "cpu",
                "settings": settings_json or settings.to_json(),
                **attributes,
            },
        )
        run.attrs = {key: value for key, value in run.attrs.items() if value is not None}
        path = tmp_path / (name or f"seed{number}.nc")
        write_dataset(run, path, title="Run", source="a test")
        return path

    return write


def test_errors_by_hand():
    u, u_hat = np.array([[3.0, -4.0], [0.0, 1.0]]), np.array([[3.0, -2.0], [1.0, 1.0]])
    assert rmae(u_hat, u) == pytest.approx(3 / 8)
    assert rrmse(u_hat, u) == pytest.approx(np.sqrt(5 / 26))
    assert rmae(u, u) == rrmse(u, u) == 0
    assert rmae(0 * u, u) == rrmse(0 * u, u) == 1


@pytest.mark.parametrize("error", [rmae, rrmse])
@pytest.mark.parametrize(
    ("u_hat", "u", "message"),
    [
        (np.ones(3), np.ones((3, 1)), "shape"),
        ([1.0, np.nan], [1.0, 1.0], "prediction is not finite"),
        ([1.0, 1.0], [1.0, np.inf], "reference is not finite"),
        ([1.0, 1.0], [0.0, 0.0], "zero everywhere"),
    ],
)
def test_errors_that_are_not_defined(error, u_hat, u, message):
    with pytest.raises(ValueError, match=message):
        error(u_hat, u)


@pytest.mark.parametrize(("nodes", "points", "size"), [(20, 400, 400), (64, 400, 442), (9, 3, 9)])
def test_refined_axis_contains_the_nodes(nodes, points, size):
    axis = np.linspace(0, 2 * np.pi, nodes)
    fine = refine(axis, points)
    assert len(fine) == size
    assert set(axis) <= set(fine)
    np.testing.assert_allclose(np.diff(fine), np.diff(fine)[0], rtol=1e-9)


def test_evaluation_of_two_seeds(settings, reference_path, write_run, tmp_path):
    paths = [write_run(4, (0, 100, 200, 300)), write_run(2, (0, 100, 150))]
    ds = evaluate(settings, reference_path, paths)

    assert ds.seed.values.tolist() == [2, 4]
    assert ds.u.dims == ("seed", "x", "t")
    assert ds.residual.dims == ("seed", "x_residual", "t_residual")
    assert ds.train_term.dims == ("seed", "iteration", "term")
    assert (ds.u.shape, ds.u.dtype) == ((2, 11, 9), np.float64)
    assert (ds.residual.shape, ds.residual.dtype) == ((2, 17, 16), np.float32)
    assert set(ds.x_collocation.values) <= set(ds.x_residual.values)
    assert set(ds.t_collocation.values) <= set(ds.t_residual.values)
    assert float(ds.reference_error) == 0
    np.testing.assert_allclose(ds.u_reference, np.sin(ds.x - 3 * ds.t), atol=1e-14)

    for i, path in enumerate(reversed(paths)):
        run = read_dataset(path)
        parameters = [run.parameters.values]
        (u,) = predict.predict_field(settings.run, parameters, ds.x.values, ds.t.values)
        np.testing.assert_array_equal(ds.u[i], u)
        assert float(ds.rmae[i]) == rmae(u, ds.u_reference.values) > 0
        assert float(ds.rrmse[i]) == rrmse(u, ds.u_reference.values) > 0
        own = ds.isel(seed=i).sel(iteration=run.iteration)
        for name in runs.HISTORIES:
            np.testing.assert_array_equal(own[name], run[name])
        assert float(ds.final_objective[i]) == float(run.objective[-1])
        assert float(ds.final_train_loss[i]) == float(run.train_loss[-1])
        assert float(ds.final_test_loss[i]) == float(run.test_loss[-1])
        assert float(ds.total_wall_time[i]) == float(run.wall_time[-1])

    assert ds.iteration.values.tolist() == [0, 100, 150, 200, 300]
    missing = np.isnan(ds.train_loss.values)
    assert missing.tolist() == [
        [False, False, False, True, True],
        [False, False, True, False, False],
    ]
    assert ds.iterations_run.values.tolist() == [150, 300]
    assert ds.iterations_run.dtype.kind == "i"
    assert ds.stop_reason.values.tolist() == ["tolerance", "tolerance"]

    assert ds.attrs["cell"] == "convection_double_fp32"
    assert ds.attrs["regularizer"] == "double"
    assert ds.attrs["max_iterations"] == 300
    assert ds.attrs["n_collocation"] == 20 + 2 * 7
    assert json.loads(ds.attrs["settings"]) == json.loads(settings.run.to_json())
    assert ds.attrs["run_devices"] == "cpu"

    write_dataset(ds, tmp_path / "evaluation.nc")  # every variable is described
    xr.testing.assert_equal(read_dataset(tmp_path / "evaluation.nc"), ds)
    assert set(ds.variables) <= set(VARIABLES)


def test_a_perfect_prediction_has_no_error(settings, reference_path, write_run, monkeypatch):
    def exact(settings, parameters, x, t):
        return np.sin(x[:, None] - 3 * t)[None]

    def distance_to_node(settings, parameters, x, t):
        return (np.abs(np.sin(2 * x[:, None])) + 0 * t)[None]

    monkeypatch.setattr(predict, "predict_field", exact)
    monkeypatch.setattr(predict, "residual_field", distance_to_node)
    ds = evaluate(settings, reference_path, [write_run(0)])
    assert float(ds.rmae[0]) < 1e-14
    assert float(ds.rrmse[0]) < 1e-14
    # A residual that vanishes exactly on the collocation points is seen to do so.
    on_points = ds.residual.sel(x_residual=ds.x_collocation.values).values
    assert np.abs(on_points).max() < 1e-6 < 0.5 < float(ds.residual.max())


def test_a_prediction_that_is_not_finite_names_the_run(
    settings, reference_path, write_run, monkeypatch
):
    def nowhere(settings, parameters, x, t):
        return np.full((1, len(x), len(t)), np.nan)

    monkeypatch.setattr(predict, "predict_field", nowhere)
    monkeypatch.setattr(predict, "residual_field", nowhere)
    with pytest.raises(DataError, match=r"seed7\.nc.*prediction is not finite"):
        evaluate(settings, reference_path, [write_run(7)])


def test_another_evaluation_grid_needs_no_new_training(settings, write_run, tmp_path):
    finer = settings_with(evaluation={"nx": 21, "residual_points": 30})
    write_dataset(reference.solve(finer.run.problem, 21, 9), tmp_path / "finer.nc")
    ds = evaluate(finer, tmp_path / "finer.nc", [write_run(0)])
    assert ds.u.shape == (1, 21, 9)
    assert ds.residual.shape == (1, 33, 31)


def test_a_run_with_other_settings_is_refused(settings, reference_path, write_run):
    other = settings_with(regularizer={"weight": 1e-3}, stopping={"max_iterations": 200})
    path = write_run(1, name="other.nc", settings=other.run)
    message = (
        r"other\.nc: was trained with other settings \(regularizer\.weight is 0\.001, not 0\.0005, "
        r"stopping\.max_iterations is 200, not 300\)"
    )
    with pytest.raises(DataError, match=message):
        evaluate(settings, reference_path, [write_run(0), path])


def test_a_key_that_a_run_does_not_say_has_its_default(reference_path, write_run):
    wide = settings_with(network={"width": 128})  # as by default
    values = wide.run.as_dict()
    del values["network"]["width"], values["network"]["name"], values["test_points"]
    old = write_run(1, settings=wide.run, settings_json=json.dumps(values))
    ds = evaluate(wide, reference_path, [write_run(0, settings=wide.run), old])
    assert ds.seed.values.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"seed1\.nc: .* \(network\.width is 128, not 4\)"):
        evaluate(settings_with(), reference_path, [old])


def test_a_run_of_before_said_how_it_would_be_judged(settings, reference_path, write_run):
    values = settings.run.as_dict() | {"evaluation": {"nx": 99, "nt": 99, "residual_points": 999}}
    ds = evaluate(settings, reference_path, [write_run(0, settings_json=json.dumps(values))])
    assert ds.u.shape == (1, 11, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patience": 3}, "patience is unknown"),
        ({"optimizer": {"name": "adam"}}, "optimizer.name is 'adam'"),
        ({"network": {"name": "mlp", "depth": 4}}, "network.depth is unknown"),
    ],
)
def test_settings_that_are_no_more_name_the_file(
    settings, reference_path, write_run, change, message
):
    run = write_run(0, settings_json=json.dumps(settings.run.as_dict() | change))
    with pytest.raises(DataError, match=rf"seed0\.nc: was trained with settings .* {message}"):
        evaluate(settings, reference_path, [run])


@pytest.mark.parametrize("text", ["{", "[1]", 3])
def test_settings_that_cannot_be_read_name_the_file(settings, reference_path, write_run, text):
    with pytest.raises(DataError, match=r"seed0\.nc: its settings"):
        evaluate(settings, reference_path, [write_run(0, settings_json=text)])


def test_parameters_of_another_network_name_the_file(settings, reference_path, write_run):
    path = write_run(0)
    run = read_dataset(path).isel(parameter=slice(1, None))
    write_dataset(run, path, title="Run", source="a test")
    with pytest.raises(DataError, match=r"seed0\.nc: holds \d+ parameters, but its network has"):
        evaluate(settings, reference_path, [path])


def test_a_seed_that_comes_twice_is_refused(settings, reference_path, write_run):
    with pytest.raises(DataError, match=r"copy\.nc: seed 1 is that of .*seed1\.nc"):
        evaluate(settings, reference_path, [write_run(1), write_run(1, name="copy.nc")])


@pytest.mark.parametrize("attribute", ["seed", "iterations_run", "stop_reason", "n_collocation"])
def test_a_run_without_an_attribute_is_refused(settings, reference_path, write_run, attribute):
    with pytest.raises(DataError, match=rf"seed3\.nc: lacks the attributes {attribute}"):
        evaluate(settings, reference_path, [write_run(3, **{attribute: None})])


def test_an_empty_history_is_refused(settings, reference_path, write_run):
    with pytest.raises(DataError, match=r"seed3\.nc: its history is empty"):
        evaluate(settings, reference_path, [write_run(3, ())])


def test_no_runs(settings, reference_path):
    with pytest.raises(DataError, match="'convection_double_fp32': no run"):
        evaluate(settings, reference_path, [])


def test_missing_and_truncated_files(settings, reference_path, write_run, tmp_path):
    run = write_run(0)
    with pytest.raises(DataError, match=r"gone\.nc: no such file"):
        evaluate(settings, reference_path, [tmp_path / "gone.nc"])
    with pytest.raises(DataError, match=r"gone\.nc: no such file"):
        evaluate(settings, tmp_path / "gone.nc", [run])
    run.write_bytes(run.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"seed0\.nc: truncated"):
        evaluate(settings, reference_path, [run])


def test_a_file_of_another_kind_is_refused(settings, reference_path, write_run):
    with pytest.raises(DataError, match=r"reference\.nc: lacks objective, train_loss"):
        evaluate(settings, reference_path, [reference_path])
    with pytest.raises(DataError, match=r"seed0\.nc: lacks u, x, t, reference_error"):
        evaluate(settings, write_run(0), [write_run(0)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equation": {"parameters": {"beta": 4.0}}}, r"parameters\.beta is 3\.0, not 4\.0"),
        ({"equation": {"name": "wave", "parameters": {}}}, "name is convection, not wave"),
        ({"evaluation": {"nx": 12}}, r"its x has 11 points .* evaluation\.nx asks for 12"),
        ({"evaluation": {"nt": 5}}, r"its t has 9 points .* evaluation\.nt asks for 5"),
    ],
)
def test_a_reference_of_something_else_is_refused(reference_path, write_run, changes, message):
    other = settings_with(**changes)
    with pytest.raises(DataError, match=rf"reference\.nc: .*{message}"):
        evaluate(other, reference_path, [write_run(0, settings=other.run)])
