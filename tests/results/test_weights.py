"""Parameters by name, to a file and back."""

import hashlib
import json

import numpy as np
import pytest

from double_pinn import cli
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.errors import DataError, UserError
from double_pinn.results import netcdf
from double_pinn.results.weights import export_weights, import_weights
from double_pinn.running.training import train

SETTINGS = {
    "cell": "small",
    "equation": {"name": "reaction"},
    "network": {"hidden_layers": 1, "width": 4},
    "precision": "fp32",
    "points": {"nx": 4, "nt": 4, "edge": 4},
    "test_points": {"domain": 10, "edge": 5, "seed": 1},
    "stopping": {"max_iterations": 3},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "seed0.nc"
    dataset = train(settings_from_dict(SETTINGS), 0)
    netcdf.write_dataset(dataset, path, title="a run", source="a test")
    return path, dataset


def test_what_is_exported_comes_back_with_the_same_losses(run, tmp_path):
    path, trained = run
    names = export_weights(path, tmp_path / "weights.npz")
    assert "layers.0.kernel" in names
    imported = import_weights(settings_from_dict(SETTINGS), 0, tmp_path / "weights.npz")
    np.testing.assert_array_equal(imported.parameters, trained.parameters)
    for name in ("objective", "train_loss", "test_loss", "rmae_history"):
        assert float(imported[name][-1]) == pytest.approx(float(trained[name][-1]), rel=1e-5)
    assert imported.attrs["stop_reason"] == "imported"
    assert imported.attrs["iterations_run"] == 0
    content = (tmp_path / "weights.npz").read_bytes()
    assert imported.attrs["imported_from"] == "weights.npz"
    assert imported.attrs["imported_blake2b"] == hashlib.blake2b(content).hexdigest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("layers.0.bias"), "layers.0.bias is missing, of shape (4,)"),
        (lambda a: a.update(more=np.zeros(3)), "more is unknown"),
        (lambda a: a.update({"layers.0.kernel": np.zeros((4, 2))}), "not (2, 4)"),
        (lambda a: a.update({"layers.0.bias": np.full(4, np.nan)}), "is not finite"),
        (lambda a: a.update({"layers.0.bias": np.full(4, 1e39)}), "is too large for fp32"),
        (lambda a: a.update({"layers.0.bias": np.array(["a"] * 4)}), "holds no real numbers"),
    ],
)
def test_a_file_of_other_parameters_is_refused_by_name(run, tmp_path, change, words):
    file = tmp_path / "weights.npz"
    export_weights(run[0], file)
    arrays = dict(np.load(file))
    change(arrays)
    np.savez(file, **arrays)
    with pytest.raises(DataError) as error:
        import_weights(settings_from_dict(SETTINGS), 0, file)
    assert words in str(error.value)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("content", [b"no archive", b"", None])
def test_what_is_no_file_of_arrays_is_refused(content, tmp_path):
    file = tmp_path / "weights.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.npz"):
        import_weights(settings_from_dict(SETTINGS), 0, file)


def test_an_array_alone_is_refused(tmp_path):
    file = tmp_path / "weights.npz"
    with open(file, "wb") as opened:
        np.save(opened, np.zeros(3))
    with pytest.raises(DataError, match=r"weights\.npz: no \.npz file of arrays"):
        import_weights(settings_from_dict(SETTINGS), 0, file)


def test_an_export_of_another_suffix_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="change the suffix"):
        export_weights(run[0], tmp_path / "weights.txt")


def test_the_command_replaces_nothing_unless_told(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "configure_jax", lambda *args, **kwargs: None)
    weights, other, settings = (tmp_path / name for name in ("w.npz", "other.nc", "s.json"))
    settings.write_text(json.dumps(SETTINGS))
    imported = ["weights", "--import", str(weights), "--settings", str(settings), "--output"]
    for output, arguments in (
        (weights, ["weights", "--run", str(run[0]), "--export", str(weights)]),
        (other, [*imported, str(other)]),
    ):
        output.write_text("mine")
        assert cli.main(arguments) == 2
        assert (
            f"{output}: is there already; give another name, or --force" in capsys.readouterr().err
        )
        assert output.read_text() == "mine"
        assert cli.main([*arguments, "--force"]) == 0
        assert output.read_bytes() != b"mine"
    assert cli.main([*imported, str(tmp_path / "a.txt")]) == 2
    assert "a.txt: a run is written as .nc" in capsys.readouterr().err
