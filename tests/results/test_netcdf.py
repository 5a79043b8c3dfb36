"""The netCDF files: what goes in comes out, they explain themselves, and damage is noticed."""

import datetime
import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from double_pinn.errors import DataError
from double_pinn.results import netcdf
from double_pinn.results.netcdf import read_dataset, write_dataset


@pytest.fixture
def run() -> xr.Dataset:
    """A dataset with every kind of variable: fields, histories with gaps, text, a scalar."""
    x, t = np.linspace(0, 1, 40), np.linspace(0, 2, 30)
    history = np.array([[3.0, 2.0, 1.0], [4.0, 2.5, np.nan]])
    return xr.Dataset(
        {
            "u": (("x", "t"), np.sin(x[:, None] * t)),
            "residual": (("x", "t"), np.cos(x[:, None] * t).astype(np.float32)),
            "train_loss": (("seed", "iteration"), history),
            "wall_time": (("seed", "iteration"), history),
            "stop_reason": ("seed", ["tolerance", "max_iterations"]),
            "iterations_run": ("seed", [200, 100]),
            "reference_error": 1e-9,
        },
        {"x": x, "t": t, "seed": [0, 1], "iteration": [0, 100, 200]},
    )


def write(ds: xr.Dataset, path, **attributes) -> None:
    write_dataset(ds.assign_attrs(attributes), path, title="A test", source="made up")


def test_what_goes_in_comes_out(run, tmp_path):
    before = run.copy(deep=True)
    write(run, tmp_path / "new" / "folder" / "run.nc")
    xr.testing.assert_identical(run, before)  # nothing is written into the caller's data
    read = read_dataset(tmp_path / "new" / "folder" / "run.nc", require=["u", "x"])
    xr.testing.assert_equal(read, run)
    assert read.u.dtype == np.float64
    assert read.residual.dtype == np.float32
    assert read.iterations_run.dtype.kind == "i"
    assert read.wall_time.dtype == np.float64  # seconds, not time differences


def test_plain_xarray_opens_it_and_its_attributes_say_what_it_is(run, tmp_path):
    settings = '{"cell": "convection_none_fp32"}'
    write(run, tmp_path / "run.nc", seed=3, settings=settings)
    with xr.open_dataset(tmp_path / "run.nc") as ds:
        assert ds.attrs["title"] == "A test"
        assert ds.attrs["source"] == "made up"
        assert ds.attrs["Conventions"] == "CF-1.11"
        assert ds.attrs["references"] == "arXiv:2605.30910"
        assert ds.attrs["seed"] == 3
        assert ds.attrs["settings"] == settings
        when = re.match(r"(\S+Z): ", ds.attrs["history"]).group(1)
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(when)
        assert abs(age) < datetime.timedelta(minutes=5)
        for package in ("python", "double_pinn", "jax", "flax", "optax", "numpy", "xarray"):
            assert re.match(r"\d+\.\d+", ds.attrs[f"{package}_version"]), package
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", ds.attrs["commit"])
        for name in ds.variables:
            assert ds[name].attrs["long_name"]
        assert ds.wall_time.attrs["units"] == "s"
        assert ds.u.attrs["units"] == "1"
        assert "units" not in ds.stop_reason.attrs
        assert ds.u.encoding["zlib"]
        assert not ds.x.encoding.get("zlib")
        assert "_FillValue" not in ds.x.encoding  # CF: an axis has no missing values


def test_history_grows_when_a_file_is_written_again(run, tmp_path):
    write(run, tmp_path / "run.nc")
    again = read_dataset(tmp_path / "run.nc")
    write_dataset(again, tmp_path / "run.nc", title="Other", source="read again")
    read = read_dataset(tmp_path / "run.nc")
    assert len(read.attrs["history"].splitlines()) == 2
    assert read.attrs["title"] == "Other"


def test_title_and_source_may_come_with_the_data(run, tmp_path):
    write_dataset(run.assign_attrs(title="Mine", source="me"), tmp_path / "run.nc")
    read = read_dataset(tmp_path / "run.nc")
    assert (read.attrs["title"], read.attrs["source"]) == ("Mine", "me")
    with pytest.raises(ValueError, match="a title and a source"):
        write_dataset(run, tmp_path / "other.nc", title="Only a title")


def test_own_attributes_of_a_variable_win(run, tmp_path):
    run["u"].attrs["long_name"] = "network prediction"
    run["energy"] = ("x", np.ones(40), {"long_name": "energy", "units": "J"})
    write(run, tmp_path / "run.nc")
    read = read_dataset(tmp_path / "run.nc")
    assert read.u.attrs == {"long_name": "network prediction", "units": "1"}
    assert read.energy.attrs["units"] == "J"


@pytest.mark.parametrize("attributes", [{}, {"long_name": "energy"}, {"units": "J"}])
def test_unknown_variable_without_description_is_refused(run, tmp_path, attributes):
    run["energy"] = ("x", np.ones(40), attributes)
    with pytest.raises(ValueError, match="'energy'"):
        write(run, tmp_path / "run.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [{"a": 1}, None, True, [1, "a"], [], object()])
def test_only_plain_attributes(run, tmp_path, value):
    with pytest.raises(TypeError, match="'settings'"):
        write(run, tmp_path / "run.nc", settings=value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(
    run, tmp_path, monkeypatch, error
):
    path = tmp_path / "run.nc"
    write(run, path)
    before = path.read_bytes()

    def break_off(self, target, **kwargs):
        target.write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(xr.Dataset, "to_netcdf", break_off)
    expected = DataError if isinstance(error, RuntimeError) else KeyboardInterrupt
    with pytest.raises(expected):
        write(run, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(run, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DataError, match="taken"):
        write(run, tmp_path / "taken" / "run.nc")


def test_the_file_has_the_permissions_of_any_other_new_file(run, tmp_path):
    write(run, tmp_path / "run.nc")
    (tmp_path / "plain").touch()
    assert (tmp_path / "run.nc").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.nc: no such file; run the rule"):
        read_dataset(tmp_path / "gone.nc")
    with pytest.raises(DataError, match="not a file"):
        read_dataset(tmp_path)


def test_missing_variable(run, tmp_path):
    write(run.drop_vars("u"), tmp_path / "run.nc")
    with pytest.raises(DataError, match=r"run\.nc: lacks u, rmae; remove it and run the rule"):
        read_dataset(tmp_path / "run.nc", require=["x", "u", "rmae"])


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, "all but one byte"])
def test_truncated_file(run, tmp_path, kept):
    path = tmp_path / "run.nc"
    write(run, path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] if isinstance(kept, str) else content[: int(kept * len(content))])
    with pytest.raises(DataError, match=r"run\.nc: truncated or not netCDF .* remove it and run"):
        read_dataset(path)


def test_a_flipped_bit_in_a_field_is_noticed(run, tmp_path):
    path = tmp_path / "run.nc"
    noise = np.random.default_rng(0).normal(size=(200, 200))  # fills most of the file
    write(run.assign(rmae=(("a", "b"), noise)), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    with pytest.raises(DataError, match="truncated or not netCDF"):
        read_dataset(path)


@pytest.mark.parametrize("seed", range(3))
def test_garbage(tmp_path, seed):
    path = tmp_path / "run.nc"
    path.write_bytes(np.random.default_rng(seed).bytes(5000))
    with pytest.raises(DataError, match=r"run\.nc"):
        read_dataset(path)


def test_commit_is_unknown_outside_a_checkout_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(netcdf, "__file__", str(tmp_path / "netcdf.py"))
    assert netcdf.commit.__wrapped__() == "unknown"
    monkeypatch.setenv("PATH", "")  # no git
    assert netcdf.commit.__wrapped__() == "unknown"


def test_a_file_that_another_program_writes_is_in_use(tmp_path):
    """Not damaged, and not to be removed."""
    path = tmp_path / "a.nc"
    write_dataset(xr.Dataset({"u": ("x", [1.0])}, {"x": [0.0]}), path, title="t", source="s")
    program = (
        f"import netCDF4; d = netCDF4.Dataset({str(path)!r}, 'a'); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(DataError, match=r"a\.nc: is in use: .* close it there") as refused:
            read_dataset(path)
        other.communicate(b"\n")
    assert "remove" not in str(refused.value)
    assert read_dataset(path).u == 1.0
