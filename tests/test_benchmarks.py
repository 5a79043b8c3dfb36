"""The benchmark's counts, its gate, and that its peers minimise this project's loss.

Nothing here asserts a time.
"""

import itertools
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import training_points

ROOT = Path(__file__).parent.parent
# The benchmarks are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks import report  # noqa: E402
from benchmarks.cases import EQUATIONS, LOSSES, load_case, save_case  # noqa: E402
from benchmarks.export import POINTS, export, paper_settings  # noqa: E402
from benchmarks.limit import columns, evaluation_flops, history_bytes  # noqa: E402
from benchmarks.peers import load_peer  # noqa: E402
from benchmarks.processes import BenchmarkError  # noqa: E402
from benchmarks.race import check_same_loss  # noqa: E402
from benchmarks.seeds import arrangements  # noqa: E402
from benchmarks.worker import serve  # noqa: E402

CASES = list(itertools.product(EQUATIONS, LOSSES))


def small_settings(equation, loss, hidden_layers=2, width=8):
    values = paper_settings(equation, loss).as_dict()
    values["network"] = {"hidden_layers": hidden_layers, "width": width}
    values["points"] = {"nx": 5, "nt": 4, "edge": 6}
    values["optimizer"]["memory"] = 5
    return settings_from_dict(values)


def system_of(settings):
    points = training_points(settings.points, settings.problem)
    network = settings.network.bound(np.float64)
    return row_system(settings.problem, points, network, settings.regularizer)


def product_flops(jaxpr) -> int:
    """Count 2·m·k·n of every matrix product, loops included."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            ((contracted, _), _), left = equation.params["dimension_numbers"], equation.invars[0]
            k = np.prod([left.aval.shape[axis] for axis in contracted])
            total += 2 * int(k * np.prod(equation.outvars[0].aval.shape))
        inner = [v for v in equation.params.values() if hasattr(v, "eqns") or hasattr(v, "jaxpr")]
        repeats = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        total += repeats * sum(product_flops(getattr(v, "jaxpr", v)) for v in inner)
    return total


def test_columns_by_hand():
    # Reaction, double: u, u_x, u_t, u_xt, u_tt in the domain; u, u_x at the start; u, u_t at two
    # ends. Plain: u, u_t in the domain, u elsewhere.
    assert columns(system_of(small_settings("reaction", "double"))) == 20 * 5 + 6 * 2 + 2 * 6 * 2
    assert columns(system_of(small_settings("reaction", "none"))) == 20 * 2 + 6 + 2 * 6


@pytest.mark.parametrize(("equation", "loss"), CASES)
def test_flops_are_those_of_the_program(equation, loss):
    settings = small_settings(equation, loss, hidden_layers=3, width=64)
    system, network = system_of(settings), settings.network.bound(np.float64)

    def objective(parameters):
        return system.weighted_square(network.weights(parameters))

    jaxpr = jax.make_jaxpr(jax.value_and_grad(objective))(network.init(0)).jaxpr
    traced = product_flops(jaxpr)
    # What is left: dot products over rows, a few an evaluation.
    assert evaluation_flops(system, 3, 64) == pytest.approx(traced, rel=2e-3)


def test_flops_of_the_paper():
    """The reaction equation's double loss: 3 products of 128 × 128 a column, three times."""
    settings = paper_settings("reaction", "double")
    system = system_of(settings)
    assert columns(system) == 256 * 5 + 100 * 2 + 2 * 100 * 2
    hidden = columns(system) * 3 * 3 * 2 * 128**2
    assert evaluation_flops(system, 4, 128) == pytest.approx(hidden, rel=0.01)


def test_history_is_read_twice():
    assert history_bytes(100, 50_049, 8) == 2 * 200 * 50_049 * 8


def test_points_are_those_of_the_experiments():
    lines = (ROOT / "config" / "experiments.csv").read_text().splitlines()
    header = lines[0].split(",")
    cells = {line.split(",")[0]: dict(zip(header, line.split(","), strict=True)) for line in lines}
    for equation, points in POINTS.items():
        cell = cells[f"{equation}_double_fp64"]
        assert points == {key: int(cell[key]) for key in ("nx", "nt", "edge")}


def test_case_file(tmp_path):
    case = export(small_settings("convection", "double"))
    save_case(case, tmp_path / "case.npz")
    loaded = load_case(tmp_path / "case.npz")
    assert loaded.settings == case.settings
    assert loaded.coefficients == {"beta": 50.0}
    assert np.array_equal(loaded.flat, case.flat)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.layers[1], case.layers[1], strict=True))
    np.testing.assert_allclose(loaded.initial_x, np.cos(loaded.x_edge), atol=1e-15)


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize(("equation", "loss"), CASES)
def test_flax_peer_minimises_the_same_loss(equation, loss):
    from benchmarks.peers.flax_optax import make_loss

    settings = small_settings(equation, loss)
    case = export(settings)
    function, parameters = make_loss(case)
    network = settings.network.bound(np.float64)
    ours = system_of(settings).weighted_square(network.weights(case.flat))
    check_same_loss({"project": float(ours), "optax": float(jax.jit(function)(parameters))})


def test_another_loss_is_refused():
    check_same_loss({"project": 1.0, "optax": 1.0 + 5e-11})
    for other in (1.0 + 5e-10, float("nan")):
        with pytest.raises(BenchmarkError, match="optax starts from another loss"):
            check_same_loss({"project": 1.0, "optax": other})


@pytest.mark.usefixtures("quick_compilation")
def test_peers_of_this_environment_train(tmp_path, monkeypatch):
    """Both take the same first iterations; the project's worker answers its protocol."""
    # JAX runs already: nothing is left to configure.
    for module in ("project", "flax_optax"):
        monkeypatch.setattr(f"benchmarks.peers.{module}.configure_jax", lambda *a, **k: None)
    case = export(small_settings("reaction", "double"))
    save_case(case, tmp_path / "case.npz")
    replies = []
    requests = [{"do": "turn", "seconds": 1e-9, "evaluations": 2}, {"do": "end"}]
    lines = [json.dumps(request) for request in requests]
    serve("project", tmp_path / "case.npz", {"threads": 1}, lines, replies.append)
    ready, first, turn, end = replies
    assert ready == {"ready": True}
    assert turn["iterations"] == 1
    assert turn["loss"] < first["loss"]
    # The mean of the two, in one compiled loop.
    assert len(turn["evaluation_seconds"]) == 1
    assert turn["evaluation_seconds"][0] > 0
    assert end["peak_memory"] > 0

    peer = load_peer("optax")(case, threads=1)
    check_same_loss({"project": first["loss"], "optax": peer.loss()})
    stretch = peer.advance(1)
    assert (stretch.iterations, stretch.evaluations) == (1, turn["evaluations"])
    assert peer.loss() == pytest.approx(turn["loss"], rel=1e-9)


def test_arrangements_use_no_more_cores_than_there_are():
    for cores in (1, 2, 8):
        assert all(a.processes * a.cores <= cores for a in arrangements(cores))
    assert len(arrangements(1)) == 3


def measured(pace, *, evaluation=0.01, loss=0.1):
    turn = {"seconds": 10 * pace, "iterations": 10, "evaluations": 12, "loss": loss}
    turn["evaluation_seconds"] = [evaluation, 1.1 * evaluation, 0.9 * evaluation]
    return {
        "startup_seconds": 3.0,
        "initial_loss": 1.0,
        "turns": [turn] * 5,
        "peak_memory": 2**30,
    }


def test_report(tmp_path):
    save_case(export(paper_settings("wave", "double")), tmp_path / "wave_double.npz")
    rates = {"fp64_favourable": 1e11, "fp64_used": 9e10, "fp32_favourable": 2e11}
    rates |= {"fp32_used": 2e11, "copy": 1e10, "read": 2e10, "library": "xla"}
    peers = {"project": measured(0.015), "optax": measured(0.06)}
    evaluation = measured(1.0, evaluation=0.005)
    result = {"peers": peers, "evaluation": evaluation, "rates": [rates] * 3, "versions": {}}
    core = report.core_rows({"wave_double": result})
    limits = report.limit_rows({"wave_double": result}, tmp_path)
    assert [row["over_project"] for row in core] == pytest.approx([1, 4])
    fp64, fp32 = limits
    assert fp64["iteration_over_evaluation"] == pytest.approx(1.5)
    assert fp64["fraction"] == pytest.approx(fp64["flops"] / 0.01 / 1e11)
    assert fp64["limit_seconds"] == pytest.approx(fp64["flops"] / 1e11 + 160_156_800 / 2e10)
    assert fp32["history_bytes"] == fp64["history_bytes"] / 2

    outcome = dict(report.goals(core, limits))
    assert outcome["iteration / evaluation, FP64, at most 1.6"].startswith("met")
    report.write_csv(core, tmp_path / "core.csv")
    assert (tmp_path / "core.csv").read_text().startswith("equation,regularizer,peer")
    words = "2 cores"
    text = report.core_markdown(core, limits, seconds=8, machine_words=words, versions={})
    assert "Wave, double PINN | Flax NNX + optax.lbfgs | 60.0 | 4 |" in text
    report.plot(core, limits, tmp_path / "core.png")
    assert (tmp_path / "core.png").stat().st_size > 10_000


def test_evaluations_of_the_sequence_models_are_compared():
    peers = {name: measured(0.5, evaluation=e) for name, e in (("project", 0.1), ("pytorch", 0.4))}
    result = {"peers": peers, "evaluation": None, "rates": [], "versions": {}}
    rows = report.core_rows({"wave_pinnmamba": result})
    text = report.models_markdown(rows, machine_words="2 cores", versions={"torch": "2.0"})
    assert text.startswith("Measured on 2 cores; torch 2.0. ")
    assert "| Wave, PINNMamba | PyTorch LBFGS | 400 | 4 | 500 |" in text
