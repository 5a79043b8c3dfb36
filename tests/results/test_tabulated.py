"""A reference from a table: every format, every refusal, and the right values in between."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
import xarray as xr

from double_pinn import files
from double_pinn.configuration.catalogue import get_problem
from double_pinn.configuration.settings import Table
from double_pinn.errors import DataError, SettingsError
from double_pinn.numerics.problems import Initial, Left, Periodic, Problem, Right
from double_pinn.results import reference
from double_pinn.results.tabulated import Tabulated, read_table


@dataclass(frozen=True)
class Burgers(Problem):
    """A wave that drifts and rises, without a method of its own."""

    name = "burgers"
    title = "Burgers"
    formula = "u_t + u_x / 2 - 0.3"

    x_range: tuple[float, float] = (-1.0, 1.0)
    t_range: tuple[float, float] = (0.0, 2.0)

    def residual(self, u, x, t):
        return u.t + 0.5 * u.x - 0.3

    @property
    def conditions(self):
        return (
            Initial("initial_u", lambda u, x: u - jnp.sin(jnp.pi * x)),
            Left("left_u", lambda u, t: u - jnp.sin(jnp.pi * (-1 - 0.5 * t)) - 0.3 * t),
            Right("right_u", lambda u, t: u - jnp.sin(jnp.pi * (1 - 0.5 * t)) - 0.3 * t),
        )


@dataclass(frozen=True)
class Ring(Burgers):
    """The same on a ring."""

    name = "ring"

    @property
    def conditions(self):
        return (Periodic("periodic_u", lambda left, right, t: left - right),)


def wave(x, t):
    return np.sin(np.pi * (x - 0.5 * t)) + 0.3 * t


X, T = np.linspace(-1, 1, 41), np.linspace(0, 2, 25)
U = wave(X[:, None], T)


@pytest.fixture
def table(tmp_path):
    """``table(x, t, u, **options)``: a .npz file with these arrays."""

    def write(x=X, t=T, u=U, suffix=".npz", **options):
        path = tmp_path / f"burgers{suffix}"
        np.savez(path, x=x, t=t, u=u)
        return Table(file=str(path), **options)

    return write


def refusal(table, problem=None) -> str:
    with pytest.raises(DataError) as caught:
        read_table(problem or Burgers(), table)
    assert str(caught.value).startswith(f"{table.file}: ")
    return str(caught.value)


# --- Formats ---


def as_npz(path):
    np.savez(path, a=X, b=T, c=U)


def as_mat(path):
    scipy.io.savemat(path, {"a": X[:, None], "b": T[:, None], "c": U.T})


def as_netcdf(path):
    xr.Dataset({"c": (("time", "space"), U.T), "a": ("space", X), "b": ("time", T)}).to_netcdf(path)


def as_netcdf_with_coordinates(path):
    xr.Dataset({"c": (("b", "run", "a"), U.T[:, None])}, {"a": X, "b": T}).to_netcdf(path)


def as_netcdf_with_loose_axes(path):
    xr.Dataset({"c": (("k", "l"), U), "a": ("m", X), "b": ("n", T)}).to_netcdf(path)


def as_csv(path):
    rows = [
        f"{float(x)!r},{k},{float(t)!r},{float(wave(x, t))!r}" for x in X for k, t in enumerate(T)
    ]
    rows = np.random.default_rng(0).permutation(rows)
    path.write_text("\ufeffa,number,b,c\n" + "\n\n".join(rows) + "\n", encoding="utf-8")


def as_csv_of_numpy(path):
    x, t = np.meshgrid(X, T)
    np.savetxt(
        path, np.stack([t, x, wave(x, t)], -1).reshape(-1, 3), "%.18e", ",", header="b, a, c"
    )


def as_csv_of_a_spreadsheet(path):
    points = [f"{float(x)!r};{float(t)!r};{float(wave(x, t))!r}" for x in X for t in T]
    path.write_text("\r\n".join(["a;b;c", *points]))


def as_meshgrids(path):
    x, t = np.meshgrid(X, T)
    np.savez(path, a=x, b=t, c=U.T)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".npz", as_npz),
        (".npz", as_meshgrids),
        (".mat", as_mat),
        (".nc", as_netcdf),
        (".nc", as_netcdf_with_coordinates),
        (".nc", as_netcdf_with_loose_axes),
        (".csv", as_csv),
        (".csv", as_csv_of_numpy),
        (".csv", as_csv_of_a_spreadsheet),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_format_holds_the_same(tmp_path, suffix, write):
    path = tmp_path / f"table{suffix}"
    write(path)
    found = read_table(Burgers(), Table(file=str(path), x="a", t="b", u="c"))
    for values, expected in zip(found, (X, T, U), strict=True):
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, expected)


def test_dimensions_say_which_is_which_where_shapes_do_not(tmp_path):
    square = wave(X[:, None], np.linspace(0, 2, 41))
    data = {"u": (("t", "x"), square.T)}
    xr.Dataset(data, {"x": X, "t": np.linspace(0, 2, 41)}).to_netcdf(tmp_path / "square.nc")
    found = read_table(Burgers(), Table(file=str(tmp_path / "square.nc")))
    np.testing.assert_array_equal(found.u, square)


def test_a_square_table_is_taken_as_it_is_told(table):
    instants = np.linspace(0, 2, 41)
    square = wave(X[:, None], instants)
    message = refusal(table(t=instants, u=square))
    assert "u is square, 41 x 41" in message
    assert "(rows: x) or instants (rows: t)" in message
    for rows, u in (("x", square), ("t", square.T)):
        found = read_table(Burgers(), table(t=instants, u=u, rows=rows))
        np.testing.assert_array_equal(found.u, square)


def test_descending_axes_are_turned(table):
    found = read_table(Burgers(), table(x=X[::-1], t=T[::-1], u=U[::-1, ::-1].T))
    for values, expected in zip(found, (X, T, U), strict=True):
        np.testing.assert_array_equal(values, expected)


def test_single_precision_and_integers_are_read(table):
    x, t = X.astype(np.float32), np.arange(5)
    found = read_table(Burgers(t_range=(0.0, 4.0)), table(x=x, t=t, u=np.ones((41, 5), int)))
    assert found.u.dtype == found.t.dtype == np.float64
    np.testing.assert_array_equal(found.x, x)


# --- What is refused ---


def test_a_file_that_is_not_there_or_no_table(tmp_path):
    assert "no such file; reference.burgers.file" in refusal(Table(file=f"{tmp_path}/gone.npz"))
    for suffix in (".npz", ".mat", ".nc", ".csv"):
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(b"x,t,u\n1,2,three\n")
        assert "cannot be read (" in refusal(Table(file=str(path))), suffix
    path.write_text("x,t,u\n")
    assert "no lines below that with the names" in refusal(Table(file=str(path)))
    with pytest.raises(SettingsError, match=r"file is 'u\.txt': .* ends in \.npz, \.mat, \.nc"):
        Table.from_words("u.txt")


def test_a_matlab_file_of_version_7_3(tmp_path):
    path = tmp_path / "new.mat"
    # The header of such a file; HDF5 follows it.
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    assert "version 7.3: write it with save(..., '-v7')" in refusal(Table(file=str(path)))


@pytest.mark.parametrize("write", [as_npz, as_mat, as_netcdf, as_csv])
def test_a_missing_name_is_answered_with_those_there_are(tmp_path, write):
    suffix = {as_npz: ".npz", as_mat: ".mat", as_netcdf: ".nc", as_csv: ".csv"}[write]
    write(tmp_path / f"table{suffix}")
    message = refusal(Table(file=str(tmp_path / f"table{suffix}"), x="a", t="b", u="usol"))
    assert "has no 'usol'; it has " in message
    assert {"a", "b", "c"} <= set(message.partition("it has ")[2].partition(":")[0].split(", "))
    assert message.endswith("name the one with reference.burgers.u")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"u": U[:-1]}, "u has shape (40, 25), where x has 41 and t 25 values: (41, 25) or (25"),
        ({"u": U, "rows": "t"}, "25 values: (25, 41) is needed"),
        ({"x": np.stack([X, X])}, "x has shape (2, 41): one axis is needed"),
        ({"u": np.where(U > 1.5, np.nan, U)}, "u is not finite at index ("),
        ({"t": np.where(T == 2, np.inf, T)}, "t is not finite at index (24)"),
        ({"u": U + 1j}, "u is of type complex128: real numbers are needed"),
        ({"x": X.astype(str)}, "x is of type <U"),
        ({"x": [*X[:7], *X[6:-1]]}, "x does not go one way: -0.7 is followed by -0.7"),
        (
            {"t": [*T[:3], 5.0, *T[4:]]},
            "t does not go one way: 5 is followed by 0.333333 (index 3)",
        ),
        ({"t": T[:3], "u": U[:, :3]}, "t has 3 values: at least 4 are needed"),
        ({"x": X[1:], "u": U[1:]}, "x goes from -0.95 to 1, but the equation from -1 to 1"),
        ({"t": T / 2}, "t goes from 0 to 1, but the equation from 0 to 2: a table of the whole"),
        ({"x": X[:-1], "u": U[:-1]}, "or another equations.burgers.x_range"),
        ({"x": X, "t": X, "u": X}, "its 41 points are no full grid: they have 41 positions and 41"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(table, changes, words):
    assert words in refusal(table(**changes))


def test_a_point_that_comes_twice_is_refused(table):
    x, t = (axis.ravel() for axis in np.meshgrid(X, T))
    x[5], t[5] = x[6], t[6]
    assert "no full grid" in refusal(table(x=x, t=t, u=wave(x, t)))


# --- The right end of a period ---


def test_the_right_end_of_a_period_may_be_left_out(table):
    left_out = table(x=X[:-1], u=U[:-1])
    found = read_table(Ring(), left_out)
    np.testing.assert_allclose(found.x, X, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found.u, np.concatenate([U[:-1], U[:1]]))
    assert "x goes from -1 to 0.95" in refusal(left_out)
    # More than an end is missing.
    assert "x goes from -1 to 0.9" in refusal(table(x=X[:-2], u=U[:-2]), Ring())


# --- Values in between ---


def test_cubics_are_met_exactly():
    def cubic(x, t):
        return x**3 - 2 * x * t**2 + t**3 - 1

    x, t = np.array([-1, -0.7, 0.1, 0.4, 1.0]), np.array([0, 0.3, 0.5, 1.1, 2.0])
    found = Tabulated(x, t, cubic(x[:, None], t))
    fine_x, fine_t = np.linspace(-1, 1, 33), np.linspace(0, 2, 17)
    np.testing.assert_allclose(found.at(fine_x, fine_t), cubic(fine_x[:, None], fine_t), atol=1e-13)


@pytest.mark.parametrize("points", [21, 41, 161])
def test_the_estimate_is_above_the_error_and_not_far(points):
    x, t = np.linspace(-1, 1, points), np.linspace(0, 2, points)
    found = Tabulated(x, t, wave(x[:, None], t))
    fine_x, fine_t = np.linspace(-1, 1, 101), np.linspace(0, 2, 77)
    exact = wave(fine_x[:, None], fine_t)
    error = np.linalg.norm(found.at(fine_x, fine_t) - exact) / np.linalg.norm(exact)
    assert error < found.error_at(fine_x, fine_t) < 50 * error


def test_an_axis_that_is_met_adds_no_error():
    found = Tabulated(X, T, U)
    np.testing.assert_allclose(found.at(X[::2], T[::3]), U[::2, ::3], rtol=0, atol=1e-14)
    assert found.error_at(X[::2], T[::3]) == 0
    between = np.linspace(0, 2, 40)
    assert found.error_at(X, between) > 0
    assert Tabulated(X, T, 0 * U).error_at(X, between) == 0


# --- In the file of the reference ---


def test_a_table_is_a_reference_of_an_equation_without_any(table):
    given = table()
    solved = reference.solve(Burgers(), 30, 20, table=given)
    assert (solved.x[0], solved.x[-1]) == (-1, 1)
    np.testing.assert_allclose(solved.u, wave(solved.x, solved.t), atol=2e-5)
    assert 0 < float(solved.reference_error) < 1e-3
    assert solved.reference_error.attrs["long_name"].startswith("interpolation error")
    assert solved.attrs["method"] == "table burgers.npz, interpolated by cubic splines"
    assert solved.attrs["table_file"] == given.file
    assert solved.attrs["table_digest"] == files.digest(given.file)
    assert solved.attrs["table_names"] == "x = x, t = t, u = u"
    assert solved.attrs["table_shape"] == "41 x 25"
    assert solved.attrs["instead_of"] == "nothing"


def test_a_table_goes_before_what_the_equation_defines(table):
    """And says so; the grid stays that of the equation."""
    for name, method, ends in (("wave", "closed form", 1), ("allen_cahn", "Fourier", -1)):
        problem = get_problem(name)
        solved = reference.solve(problem, 9, 5)
        given = table(solved.x.values, solved.t.values, 1.05 * solved.u.values, rows="x")
        read = reference.solve(problem, 9, 5, table=given)
        np.testing.assert_allclose(read.u, 1.05 * solved.u, rtol=0, atol=1e-12)
        assert read.attrs["instead_of"].startswith(method)
        assert (float(read.x[-1]) == problem.x_range[1]) == (ends == 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"u": 10 * (U - 0.3 * T)},
            "breaks the condition 'initial_u', by 0.6 of its largest value",
        ),
        ({"u": 0 * U}, "breaks the condition 'initial_u'"),
        ({"u": wave(X[:, None] + 0.5, T)}, "breaks the condition 'initial_u'"),
        ({"u": U + T**2}, "breaks the condition 'left_u'"),
        ({"t": 1000 * T}, "breaks the condition 'left_u'"),
        ({"x": 5 * X, "u": U}, "breaks the condition"),
    ],
)
def test_a_table_that_cannot_be_the_solution_is_refused(table, change, words):
    given = table(**change)
    with pytest.raises(DataError, match=rf"burgers\.npz: its u {words}"):
        reference.solve(Burgers(), 30, 20, table=given)


def test_a_table_in_other_units_is_refused(table):
    given = table(t=1000 * T)  # milliseconds; nothing on the ring says what u is
    with pytest.raises(DataError, match=r"does not solve the equation: the residual is 0\.7"):
        reference.solve(Ring(), 30, 20, table=given)


@pytest.mark.parametrize("u", [U.round(3), U + 1e-3 * np.sin(40 * X)[:, None]])
def test_a_table_with_errors_of_its_own_is_taken(table, u):
    solved = reference.solve(Burgers(), 30, 20, table=table(u=u))
    assert 1e-4 < solved.attrs["table_residual"] < 0.1


def test_a_table_in_dates_is_refused(tmp_path):
    dataset = xr.Dataset({"u": (("x", "t"), U)}, {"x": X, "t": T})
    for times in (
        T.astype("timedelta64[s]"),
        np.datetime64("2026-01-01") + T.astype("timedelta64[s]"),
    ):
        path = tmp_path / f"{times.dtype.kind}.nc"
        dataset.assign_coords(t=times.astype(f"{times.dtype.kind}8[ns]")).to_netcdf(path)
        assert "t holds dates or time differences" in refusal(Table(file=str(path)))


def test_words_of_the_command_line_are_those_of_the_configuration():
    table = Table(file="a b.mat", u="usol", rows="t")
    assert table.words() == ["a b.mat", "u=usol", "rows=t"]
    assert Table.from_words(*table.words()) == table
    with pytest.raises(SettingsError, match=r"table\.v is unknown; known here: file, x, t, u"):
        Table.from_words("a.mat", "v=usol")
