"""Training: histories, the stopping rule, and runs that go on where they were cut."""

import math
import os
import signal
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from double_pinn.configuration.settings import evaluation_from_dict, settings_from_dict
from double_pinn.errors import DataError, TrainingInterruptedError
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.optimizers.lbfgs import LBFGS
from double_pinn.numerics.trainer import DTYPES, Solution
from double_pinn.results import netcdf
from double_pinn.running import training
from double_pinn.running.history import Progression
from double_pinn.running.training import make_trainer, train

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def compiled():
    """Trainers by what they compile; budgets and logging are not part of it."""
    return {}


@pytest.fixture
def settings(plain_settings, compiled, monkeypatch):
    """``settings(**changes)``: a tiny cell; ``train`` compiles each kind of it only once."""

    def trainer_of(settings, solution=None):
        if solution is not None:
            return make_trainer(settings, solution)
        plain = settings.as_dict()
        key = repr({k: v for k, v in plain.items() if k not in ("stopping", "logging")})
        if key not in compiled:
            compiled[key] = make_trainer(settings)
        return compiled[key]

    monkeypatch.setattr(training, "make_trainer", trainer_of)

    def build(**changes):
        changes = {"network__hidden_layers": 1, **changes}
        return settings_from_dict(plain_settings(**changes))

    return build


class At:
    """A progress that does something real once an iteration is reached."""

    def __init__(self, iteration, action):
        self.iteration, self.action, self.said = iteration, action, []

    def update(self, iteration, loss, test_loss):
        if iteration >= self.iteration:
            self.action()

    def say(self, message):
        self.said.append(message)


def interrupt(number=signal.SIGTERM):
    return lambda: os.kill(os.getpid(), number)


def same(a: xr.Dataset, b: xr.Dataset, *but: str):
    """Bit for bit, but for the time and the memory it took."""
    a, b = (d.drop_vars(["wall_time", *but]).assign_attrs(peak_memory=0) for d in (a, b))
    xr.testing.assert_identical(a, b)


@pytest.fixture
def straight(settings):
    """An uninterrupted run of 40 iterations."""
    return train(settings(), seed=0)


def test_what_a_run_holds(straight, settings, tmp_path):
    assert list(straight.iteration) == [0, 10, 20, 30, 40]
    assert list(straight.term) == ["equation", "initial_u", "periodic_u"]
    assert straight.parameters.shape == (3 * 16 + 16 + 1,)
    assert straight.parameters.dtype == np.float64
    for name in ("objective", "train_loss", "test_loss", "penalty", "wall_time", "evaluations"):
        assert straight[name].dims == ("iteration",)
        assert np.all(np.isfinite(straight[name]))
    for kind in ("train", "test"):
        terms = straight[f"{kind}_term"]
        assert terms.dims == ("iteration", "term")
        np.testing.assert_allclose(terms.sum("term"), straight[f"{kind}_loss"], rtol=1e-12)
    np.testing.assert_allclose(
        straight.penalty, straight.objective - straight.train_loss, rtol=1e-12
    )
    assert np.all(straight.penalty > 0)
    assert np.all(np.diff(straight.objective) < 0)
    assert np.all(np.diff(straight.wall_time) >= 0)
    assert straight.evaluations[0] == 1
    assert np.all(np.diff(straight.evaluations) >= 10)

    trainer = make_trainer(settings())
    assert float(trainer.objective(straight.parameters.values)) == pytest.approx(
        float(straight.objective[-1]), rel=1e-12
    )
    expected = {
        "cell": "tiny",
        "equation": "convection",
        "regularizer": "double",
        "precision": "fp64",
        "optimizer": "lbfgs",
        "seed": 0,
        "iterations_run": 40,
        "max_iterations": 40,
        "stop_reason": "max_iterations",
        "n_collocation": 6 * 5 + 2 * 9,
        "settings": settings().to_json(),
    }
    assert {k: straight.attrs[k] for k in expected} == expected
    netcdf.write_dataset(straight, tmp_path / "run.nc", title="run", source="test")
    xr.testing.assert_equal(netcdf.read_dataset(tmp_path / "run.nc"), straight)


def test_the_first_entry_is_the_fresh_network(straight, settings):
    trainer = make_trainer(settings())
    start = trainer.network.init(0)
    assert float(straight.objective[0]) == pytest.approx(float(trainer.objective(start)), rel=1e-12)


def test_the_log_looks_at_the_closed_form_or_at_a_given_solution(straight, settings):
    exact = settings().problem.exact
    x, t = np.linspace(0, 2 * np.pi, 303), np.linspace(0, 1, 202)
    u = exact(*np.meshgrid(x, t, indexing="ij"))
    given = train(settings(), seed=0, solution=Solution(x, t, np.asarray(u)))
    same(given, straight, "rmae_history", "rrmse_history")
    for name in ("rmae_history", "rrmse_history"):
        assert np.all(given[name] > 0)
        np.testing.assert_allclose(given[name], straight[name], rtol=2e-2)
    doubled = train(settings(), seed=0, solution=Solution(x, t, 2 * np.asarray(u)))
    assert np.all(doubled.rmae_history != given.rmae_history)


def test_without_a_solution_errors_are_missing(settings):
    run = train(settings(equation={"name": "allen_cahn"}, stopping__max_iterations=10), seed=0)
    assert np.all(np.isnan(run.rmae_history))
    assert np.all(np.isnan(run.rrmse_history))
    assert np.all(run.horizon == 1)


def test_a_solution_is_thinned_to_at_most_101_points_each_way():
    x, t = np.arange(404.0), np.arange(102.0)
    thin = Solution(x, t, x[:, None] + 1000 * t).thinned()
    assert (len(thin.x), len(thin.t)) == (101, 51)
    np.testing.assert_array_equal(thin.u, thin.x[:, None] + 1000 * thin.t)


def test_seeds_decide(straight, settings):
    same(train(settings(), seed=0), straight)
    assert float(train(settings(), seed=1).objective[0]) != float(straight.objective[0])


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_numbers_do_not_depend_on_how_stretches_are_cut(straight, settings, monkeypatch, seconds):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", seconds)
    same(train(settings(), seed=0), straight)


def test_the_last_iteration_is_logged(settings):
    run = train(settings(logging__every=15, stopping__max_iterations=37), seed=0)
    assert list(run.iteration) == [0, 15, 30, 37]


def test_fp64_must_be_enabled(plain_settings):
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        make_trainer(settings_from_dict(plain_settings()))


def test_training_stops_at_the_first_check_below_the_tolerance(settings):
    fine = train(settings(stopping__max_iterations=200, logging__every=10), seed=0)
    losses = fine.objective.values
    changes = np.abs(np.diff(losses)) / losses[:-1]
    # A tolerance that the run first meets well after its start, and not at its end.
    k = 1 + int(np.argmin(changes[1:12]))
    tolerance = changes[k] * 1.001
    first = int(np.argmax(changes < tolerance))
    run = train(
        settings(stopping__max_iterations=200, stopping__tolerance=tolerance, logging__every=70),
        seed=0,
    )
    assert run.stop_reason == "tolerance"
    assert run.iterations_run == 10 * (first + 1) < 200
    assert run.iteration[-1] == run.iterations_run
    assert run.objective[-1] == losses[first + 1]


def stops(settings, at, loss):
    """Whether the stopping rule ends a run there; of the trainer it sees the precision alone."""
    training._judge(SimpleNamespace(dtype=DTYPES[settings.precision]), settings, at, loss)
    return at.stop_reason == "tolerance"


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 3.453e-4), ("fp64", 1.490e-8)])
def test_the_papers_tolerance_is_the_root_of_the_machine_epsilon(
    plain_settings, precision, tolerance
):
    settings = settings_from_dict(
        plain_settings(precision=precision, stopping__tolerance=None, stopping__check_every=100)
    )

    def stops_after(change):
        at = Progression(iteration=100, checked_loss=1e-3)
        return stops(settings, at, 1e-3 * (1 - change))

    assert stops_after(0.99 * tolerance)
    assert not stops_after(1.01 * tolerance)


def test_the_rule_looks_only_where_it_is_due(plain_settings):
    settings = settings_from_dict(plain_settings(stopping__tolerance=0.5))
    at = Progression(iteration=15, checked_loss=1.0)
    assert not stops(settings, at, 1.0)
    at = Progression(iteration=20)
    assert not stops(settings, at, 1.0)  # nothing to compare with
    assert at.checked_loss == 1.0
    assert not stops(settings, at, 0.5)  # a change of exactly the tolerance
    assert stops(settings, at, 0.5)


def test_a_loss_that_is_not_finite_stops_training_at_its_last_finite_state(
    settings, monkeypatch, tmp_path
):
    build, limit = LBFGS.stepper, 10**6

    def breaking(optimizer, objective):
        stepper = build(optimizer, objective)

        def step(state):
            new = stepper.step(state)
            # Whatever step first needs more evaluations than the whole run's first 20.
            broken = state.evaluations >= limit
            return new._replace(
                value=jnp.where(broken, jnp.nan, new.value),
                parameters=jnp.where(broken, jnp.nan, new.parameters),
            )

        return stepper._replace(step=step)

    monkeypatch.setattr(LBFGS, "stepper", breaking)
    # Bits are those of one program: it runs through first, with a limit that it does not reach.
    whole = train(settings(cell="whole"), seed=0)
    limit = int(whole.evaluations[2])
    changed = settings(cell="broken")
    watch = At(math.inf, None)
    run = train(changed, seed=0, checkpoints=tmp_path / "c", progress=watch)
    assert run.stop_reason == "non_finite_loss"
    assert run.iterations_run == 20
    assert list(run.iteration) == [0, 10, 20]
    np.testing.assert_array_equal(run.objective, whole.objective[:3])
    assert np.all(np.isfinite(run.parameters))
    assert any("not finite at iteration 21" in line for line in watch.said)
    # Started again, it says the same and does not train on.
    same(train(changed, seed=0, checkpoints=tmp_path / "c"), run)


def test_a_loss_that_is_not_finite_from_the_start_is_an_error(settings, monkeypatch):
    init = FlatMLP.init
    monkeypatch.setattr(FlatMLP, "init", lambda self, seed: 1e200 * (1 + init(self, seed)))
    with pytest.raises(DataError, match=r"before the first step: equation\w* at x = .*, t = "):
        train(settings(), seed=0)


def test_runs_join_along_their_seed(straight, settings, tmp_path):
    shorter = settings(stopping__max_iterations=20)
    runs = [straight, train(shorter, seed=1)]
    joined = xr.concat(runs, dim="seed", join="outer", combine_attrs="drop_conflicts")
    assert list(joined.seed) == [0, 1]
    assert joined.test_loss.sel(seed=0).notnull().all()
    assert int(joined.test_loss.sel(seed=1).count()) == len(runs[1].iteration)
    pytest.importorskip("dask", reason="dask is an optional dependency")
    paths = [tmp_path / f"seed{k}.nc" for k in range(2)]
    for run, path in zip(runs, paths, strict=True):
        run.to_netcdf(path)
    with xr.open_mfdataset(paths, combine="nested", concat_dim="seed", join="outer") as opened:
        xr.testing.assert_equal(opened.test_loss.compute(), joined.test_loss)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at", [0, 1, 10, 25, 39])
def test_an_interrupted_run_continues_to_the_same_numbers(
    straight, settings, tmp_path, monkeypatch, at, number
):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    old = signal.getsignal(number)
    with pytest.raises(TrainingInterruptedError, match=f"{number.name} at iteration .* saved"):
        train(settings(), 0, checkpoints=tmp_path, progress=At(at, interrupt(number)))
    assert signal.getsignal(number) is old
    again = At(math.inf, None)
    run = train(settings(), 0, checkpoints=tmp_path, progress=again)
    assert any("continues from iteration" in line for line in again.said)
    same(run, straight)
    assert np.all(np.diff(run.wall_time) >= 0)


def test_a_signal_after_the_last_iteration_does_not_keep_a_run_from_its_end(
    straight, settings, tmp_path
):
    same(train(settings(), 0, checkpoints=tmp_path, progress=At(40, interrupt())), straight)


def test_interrupted_again_and_again(straight, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    for at in (3, 4, 11, 12, 30):
        with pytest.raises(TrainingInterruptedError):
            train(settings(), 0, checkpoints=tmp_path, progress=At(at, interrupt()))
    same(train(settings(), 0, checkpoints=tmp_path), straight)


def test_wall_clock_checkpoints_change_nothing(straight, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    again = At(math.inf, None)
    run = train(settings(), 0, checkpoints=tmp_path, checkpoint_seconds=0.0, progress=again)
    same(run, straight)
    assert len(list(tmp_path.glob("[0-9]*"))) == 1  # which a larger budget continues
    assert any(f" MB in {tmp_path}: a larger budget" in line for line in again.said)


def test_an_interrupted_run_without_a_folder_says_that_it_is_lost(settings):
    with pytest.raises(TrainingInterruptedError, match="lost: no folder for checkpoints"):
        train(settings(), 0, progress=At(10, interrupt()))


def test_a_finished_run_is_not_trained_again(settings, tmp_path):
    first = train(settings(), 0, checkpoints=tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    again = train(settings(), 0, checkpoints=tmp_path)
    # The time it took is the same, too; what the process holds may have grown.
    xr.testing.assert_identical(*(run.assign_attrs(peak_memory=0) for run in (again, first)))
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("every", [10, 15, 100])
def test_a_larger_budget_continues(straight, settings, tmp_path, every):
    short = settings(stopping__max_iterations=20, logging__every=every)
    long = settings(logging__every=every)
    assert train(short, 0, checkpoints=tmp_path).iterations_run == 20
    watch = At(math.inf, None)
    run = train(long, 0, checkpoints=tmp_path, progress=watch)
    assert any("continues from iteration 20" in line for line in watch.said)
    same(run, train(long, 0))
    np.testing.assert_array_equal(run.parameters, straight.parameters)


def test_a_run_that_met_its_tolerance_is_not_extended(settings, tmp_path):
    changes = {"stopping__tolerance": 0.99}
    first = train(settings(**changes), 0, checkpoints=tmp_path)
    assert first.stop_reason == "tolerance"
    again = train(settings(stopping__max_iterations=80, **changes), 0, checkpoints=tmp_path)
    same(again.assign_attrs(first.attrs), first)


def test_a_smaller_budget_is_refused(settings, tmp_path):
    train(settings(), 0, checkpoints=tmp_path)
    with pytest.raises(DataError, match=r"iteration 40, beyond stopping\.max_iterations = 20"):
        train(settings(stopping__max_iterations=20), 0, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stopping__check_every": 20}, "another stopping .*check_every: 10 there, 20 here"),
        ({"logging__every": 20}, "another logging .*every: 10 there, 20 here"),
        ({"seed": 1}, "another seed"),
        ({"code": "other"}, "another code"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(settings, tmp_path, monkeypatch, change, words):
    train(settings(stopping__max_iterations=10), 0, checkpoints=tmp_path)
    seed = change.pop("seed", 0)
    if code := change.pop("code", None):
        monkeypatch.setattr(training, "run_digest", lambda settings: code)
    with pytest.raises(DataError, match=words) as caught:
        train(settings(stopping__max_iterations=10, **change), seed, checkpoints=tmp_path)
    assert f"remove {tmp_path} to start over" in str(caught.value)


def test_what_an_evaluation_knows_of_a_run_does_not_refuse_its_checkpoint(
    settings, evaluation_settings, tmp_path
):
    first = train(settings(), 0, checkpoints=tmp_path)
    judged = evaluation_from_dict(evaluation_settings(network__hidden_layers=1))
    same(train(judged.run, 0, checkpoints=tmp_path), first)


def test_torn_checkpoints_are_passed_over_and_said(straight, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    with pytest.raises(TrainingInterruptedError):
        train(
            settings(),
            0,
            checkpoints=tmp_path,
            checkpoint_seconds=0.0,
            progress=At(20, interrupt()),
        )
    newest = max(tmp_path.glob("[0-9]*"))
    os.truncate(newest / "manifest.json", 100)
    watch = At(math.inf, None)
    same(train(settings(), 0, checkpoints=tmp_path, progress=watch), straight)
    assert any(f"passed over: {newest}" in line for line in watch.said)


def test_a_clock_that_goes_backwards_changes_nothing(straight, settings, tmp_path, monkeypatch):
    now = [2e9]

    def backwards():
        now[0] -= 3600.0
        return now[0]

    monkeypatch.setattr(time, "time", backwards)
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    with pytest.raises(TrainingInterruptedError):
        train(settings(), 0, checkpoints=tmp_path, progress=At(20, interrupt()))
    run = train(settings(), 0, checkpoints=tmp_path, checkpoint_seconds=0.0)
    same(run, straight)
    assert np.all(run.wall_time >= 0)
    assert np.all(np.diff(run.wall_time) >= 0)
    assert run.wall_time[-1] < 600


@pytest.mark.parametrize(("warmup", "phases"), [(8, {0, 1}), (0, {1})])
def test_gauss_newton_resumes_in_and_across_its_phases(
    settings, tmp_path, monkeypatch, warmup, phases
):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.0)
    optimizer = {"name": "gauss_newton", "memory": 5, "warmup_iterations": warmup}
    chosen = settings(
        optimizer=optimizer, stopping__max_iterations=14, logging__every_second_order=2
    )
    whole = train(chosen, 0)
    assert set(whole.phase.values) == phases
    for at in (4, 8, 11):
        with pytest.raises(TrainingInterruptedError):
            train(chosen, 0, checkpoints=tmp_path, progress=At(at, interrupt()))
    same(train(chosen, 0, checkpoints=tmp_path), whole)
