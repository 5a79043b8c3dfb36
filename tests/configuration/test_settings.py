"""Settings: what is out of range is refused by name, and nothing else is."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from double_pinn.configuration import catalogue
from double_pinn.configuration.settings import (
    evaluation_from_dict,
    load_settings,
    reference_from_dict,
    settings_from_dict,
)
from double_pinn.errors import SettingsError

SECTIONS = [
    "network",
    "points",
    "test_points",
    "optimizer",
    "stopping",
    "logging",
    "equation",
    "regularizer",
]
COUNTS = [
    "network.hidden_layers",
    "network.width",
    "points.nx",
    "points.nt",
    "points.edge",
    "test_points.domain",
    "test_points.edge",
    "optimizer.memory",
    "optimizer.max_line_search_steps",
    "stopping.max_iterations",
    "stopping.check_every",
    "logging.every",
]


@pytest.fixture(scope="module")
def plain(request):
    """Complete settings as plain values, from a complete round trip."""
    values = {
        "cell": "c",
        "equation": {"name": "convection"},
        "points": {"nx": 20, "nt": 20, "edge": 200},
        "stopping": {"max_iterations": 100},
        "regularizer": {"name": "double", "weight": 5e-4},
    }
    return settings_from_dict(values).as_dict()


def changed(plain, key, value):
    section, _, name = key.rpartition(".")
    if not section:
        return {**plain, name: value}
    return {**plain, section: {**plain[section], name: value}}


def refused(values, *words):
    with pytest.raises(SettingsError) as caught:
        settings_from_dict(values)
    for word in words:
        assert word in str(caught.value)


def test_defaults_are_the_papers(plain):
    assert plain["network"] == {"name": "mlp", "hidden_layers": 4, "width": 128}
    assert plain["test_points"]["domain"] == plain["test_points"]["edge"] == 10_000
    assert plain["optimizer"] == {"name": "lbfgs", "memory": 100, "max_line_search_steps": 20}
    assert plain["stopping"]["check_every"] == 100
    assert plain["stopping"]["tolerance"] is None


def test_round_trip(plain):
    settings = settings_from_dict(plain)
    assert settings.as_dict() == plain
    assert settings_from_dict(json.loads(settings.to_json())) == settings


@given(key=st.text(min_size=1, max_size=12), section=st.sampled_from(["", *SECTIONS]))
def test_unknown_keys_are_refused_by_name(plain, key, section):
    known = plain[section] if section else plain
    if key in known:
        return
    full = f"{section}.{key}" if section else key
    refused(changed(plain, full, 1) if "." not in key else _inside(plain, section, key), full)


def _inside(plain, section, key):
    return {**plain, section: {**plain[section], key: 1}} if section else {**plain, key: 1}


NO_COUNT = st.one_of(
    st.integers(max_value=0),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.none(),
    st.lists(st.integers(), max_size=2),
)


@given(key=st.sampled_from(COUNTS), value=NO_COUNT)
def test_what_is_no_positive_integer_is_no_count(plain, key, value):
    refused(changed(plain, key, value), key, "is empty" if value is None else repr(value))


@given(key=st.sampled_from(COUNTS), value=st.integers(2, 10**6))
def test_positive_integers_are_counts(plain, key, value):
    section, _, name = key.partition(".")
    assert settings_from_dict(changed(plain, key, value)).as_dict()[section][name] == value


NO_NUMBER = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, True, "1", None]),
    st.floats(max_value=0, exclude_max=True),
)


@given(key=st.sampled_from(["regularizer.weight", "stopping.tolerance"]), value=NO_NUMBER)
def test_numbers_are_finite_and_not_negative(plain, key, value):
    if value is None and key == "stopping.tolerance":
        return  # √ε of the precision
    refused(changed(plain, key, value), key)


@pytest.mark.parametrize("key", ["x_range", "t_range"])
@given(low=st.floats(-1e6, 1e6), width=st.floats(-1e6, 0))
def test_a_domain_of_no_width_is_refused(plain, key, low, width):
    refused(
        changed(plain, "equation.parameters", {key: [low, low + width]}),
        f"equation.parameters.{key}",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("equation.name", "poisson"),
        ("equation.name", ["wave"]),
        ("equation.parameters", 3),
        ("regularizer.name", "dropout"),
        ("precision", "fp16"),
        ("precision", ["fp32"]),
        ("optimizer.name", "adam"),
        ("optimizer.name", ["lbfgs"]),
        ("cell", ""),
        ("cell", 3),
    ],
)
def test_a_choice_that_does_not_exist(plain, key, value):
    refused(changed(plain, key, value), key, repr(value))


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("value", [3, None, "x", []])
def test_a_section_that_is_no_table(plain, section, value):
    refused({**plain, section: value}, section)


@pytest.mark.parametrize("key", ["cell", "equation", "points", "stopping"])
def test_a_missing_section(plain, key):
    refused({k: v for k, v in plain.items() if k != key}, key, "missing")


@pytest.mark.parametrize("key", ["points.nx", "stopping.max_iterations", "equation.name"])
def test_a_missing_key(plain, key):
    section, name = key.split(".")
    rest = {k: v for k, v in plain[section].items() if k != name}
    refused({**plain, section: rest}, key, "missing")


@pytest.mark.parametrize("name", ["l2", "l1", "double", "gpinn"])
def test_a_regulariser_has_a_weight_by_default(plain, name):
    settings = settings_from_dict({**plain, "regularizer": {"name": name}})
    assert settings.regularizer.weight > 0
    refused({**plain, "regularizer": {"name": name, "weight": 0.0}}, "regularizer.weight is 0.0")


@pytest.mark.parametrize("name", ["l2", "l1"])
def test_a_penalty_cannot_go_with_an_optimiser_that_works_on_rows(plain, name):
    values = {**plain, "regularizer": {"name": name}, "optimizer": {"name": "gauss_newton"}}
    refused(values, f"regularizer.name is {name!r}", "double, gpinn, none", "lbfgs, optax_lbfgs")


def test_what_a_file_does_not_say_has_its_default(plain):
    """So that a key that is new leaves the files of before as they were."""
    old = {**plain, "network": {"hidden_layers": 4, "width": 128}}
    del old["logging"]
    assert settings_from_dict(old).resolved() == settings_from_dict(plain).resolved()
    asked = {"name": "convection", "parameters": {"beta": 50.0}}
    assert settings_from_dict({**plain, "equation": asked}).resolved() == (
        settings_from_dict(plain).resolved()
    )


def test_an_option_of_another_optimiser(plain):
    refused(changed(plain, "optimizer.warmup_iterations", 10), "optimizer.warmup_iterations")


@pytest.mark.parametrize("name", catalogue.names("optimizer"))
def test_every_optimiser_has_its_defaults(plain, name):
    optimizer = settings_from_dict({**plain, "optimizer": {"name": name}}).optimizer
    assert optimizer.memory == 100
    assert optimizer.max_line_search_steps == 20


@pytest.mark.parametrize(
    ("equation", "nx", "edge", "count"),
    [
        ("convection", 20, 200, 800),
        ("reaction", 16, 100, 456),
        ("wave", 12, 100, 444),
        ("allen_cahn", 64, 100, 4396),
        ("convection", 101, 101, 10_403),
        ("reaction", 101, 101, 10_403),
        ("wave", 101, 101, 10_504),
        ("allen_cahn", 101, 101, 10_504),
    ],
)
def test_collocation_points_as_table_1_counts_them(plain, equation, nx, edge, count):
    values = changed(plain, "equation", {"name": equation})
    values["points"] = {"nx": nx, "nt": nx, "edge": edge}
    assert settings_from_dict(values).collocation_count == count


def test_a_file_is_named_in_every_message(tmp_path, plain):
    path = tmp_path / "settings.json"
    with pytest.raises(SettingsError, match=f"{path} does not exist"):
        load_settings(path)
    for text, words in [
        ("{", "not valid JSON"),
        ("[]", "table of keys"),
        (json.dumps(changed(plain, "points.nx", -1)), "points.nx"),
    ]:
        path.write_text(text)
        with pytest.raises(SettingsError, match=words) as caught:
            load_settings(path)
        assert str(path) in str(caught.value)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not valid JSON"):
        load_settings(path)
    path.write_text(json.dumps(plain))
    assert load_settings(path).as_dict() == plain


def test_json_has_no_nan_for_a_number(tmp_path, plain):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(changed(plain, "regularizer.weight", np.nan)))
    with pytest.raises(SettingsError, match=r"regularizer\.weight is nan"):
        load_settings(path)


def test_reference_settings(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"equation": {"name": "wave"}, "evaluation": {"nx": 5, "nt": 7}}')
    settings = load_settings(path, reference_from_dict)
    assert settings.problem.name == "wave"
    assert (settings.evaluation.nx, settings.evaluation.nt) == (5, 7)
    for text, words in [
        ("[]", "table of keys"),
        ("{}", r"equation is missing"),
        ('{"equation": {}, "evaluation": {"nx": 5, "nt": 7}}', r"equation\.name is missing"),
        ('{"equation": {"name": "wave"}, "points": 3}', "points is unknown"),
        ('{"equation": {"name": "wave"}, "evaluation": {"nx": 0}}', r"evaluation\.nx is 0"),
    ]:
        path.write_text(text)
        with pytest.raises(SettingsError, match=words):
            load_settings(path, reference_from_dict)


def test_evaluation_settings(plain):
    evaluation = {"nx": 5, "nt": 7, "residual_points": 9}
    settings = evaluation_from_dict({"run": plain, "evaluation": evaluation})
    assert settings.run.as_dict() == plain
    assert settings.evaluation.model_dump() == evaluation
    for values, words in [
        (3, "table of keys"),
        ({"evaluation": evaluation}, "run is missing"),
        ({"run": plain}, "evaluation is missing"),
        ({"run": plain, "evaluation": {**evaluation, "nt": 1.0}}, r"evaluation\.nt is 1\.0"),
        ({"run": {**plain, "cell": ""}, "evaluation": evaluation}, "cell is ''"),
    ]:
        with pytest.raises(SettingsError, match=words):
            evaluation_from_dict(values)


MAMBA = {"network": {"name": "pinnmamba", "step": 0.25}, "points": {"nx": 3, "nt": 5, "edge": 4}}


def with_mamba(plain, **more):
    return {**plain, **MAMBA, "regularizer": {"name": "none"}, **more}


def test_the_step_of_aligned_sequences_is_the_spacing_of_the_grid(plain):
    assert settings_from_dict(with_mamba(plain)).network.step == 0.25
    with pytest.raises(SettingsError, match=r"network.step is 0.25, .* a point every 0.125 in t"):
        settings_from_dict(with_mamba(plain, points={"nx": 3, "nt": 9, "edge": 4}))
    # PINNsFormer compares no neighbours.
    settings_from_dict(with_mamba(plain, network={"name": "pinnsformer", "step": 0.3}))


def test_weights_are_those_of_terms_that_there_are(plain):
    weights = {"equation": 0.0, "periodic_u": 10.0, "alignment": 1000.0}
    settings = settings_from_dict(with_mamba(plain, term_weights=weights))
    assert settings_from_dict(settings.as_dict()).term_weights == weights
    with pytest.raises(
        SettingsError, match=r"term_weights.left_u is unknown: .* periodic_u, align"
    ):
        settings_from_dict(with_mamba(plain, term_weights={"left_u": 1.0}))
    with pytest.raises(SettingsError, match=r"term_weights.alignment is unknown"):
        settings_from_dict({**plain, "term_weights": {"alignment": 1.0}})
    with pytest.raises(SettingsError, match=r"term_weights.equation is -1"):
        settings_from_dict({**plain, "term_weights": {"equation": -1.0}})


@pytest.mark.parametrize("network", ["pinnsformer", "pinnmamba"])
@pytest.mark.parametrize("optimizer", ["gauss_newton", "lbfgs_gauss_newton", "marching"])
def test_gauss_newton_needs_more_of_a_network_than_sequence_models_give(plain, network, optimizer):
    values = with_mamba(plain, network={"name": network, "step": 0.25})
    with pytest.raises(SettingsError, match=rf"network.name is '{network}': .* choose one of mlp"):
        settings_from_dict({**values, "optimizer": {"name": optimizer}})
    assert settings_from_dict({**values, "regularizer": {"name": "double"}}).regularizer.weight > 0
