"""A picture of any cell, and what it says of overfitting."""

import numpy as np
import pytest

from double_pinn.errors import DataError
from double_pinn.showing import picture


def with_losses(cell, train, test):
    """A cell whose first seed has these losses at its first and last iteration."""
    found = cell.copy(deep=True)
    for name, (first, last) in (("train_loss", train), ("test_loss", test)):
        found[name][0, 0], found[name][0, -1] = first, last
    return found


@pytest.mark.parametrize(
    ("train", "test", "rmae", "said"),
    [
        ((1.0, 1e-6), (1.0, 2e-6), 0.01, "not overfitted: the test loss is 2.00 times the train"),
        ((1.0, 1e-6), (1.0, 1e-4), 0.01, "overfitted: the test loss is 1.0e2 times the train loss"),
        ((1.0, 1e-6), (1.0, 3.0), 0.9, "overfitted: the test loss is 3.0e6 times the train loss"),
        ((1.0, 1e-9), (2.0, 2e-5), 0.01, "and yet 1.0e-5 of what it was at first"),
        ((1.0, 0.1), (1.0, 0.1), 0.99, "times the train loss; not solved either, rMAE 0.99"),
    ],
)
def test_the_verdict_is_the_ratio_of_test_to_train_loss(cell_factory, train, test, rmae, said):
    cell = with_losses(cell_factory(), train, test)
    cell["rmae"][0] = rmae
    assert said in picture.verdict(cell)


def test_the_last_entry_of_a_seed_counts(cell_factory):
    """A seed has NaN where only others logged."""
    cell = with_losses(cell_factory(seeds=(0, 1)), (1.0, 1e-3), (1.0, 1e-3))
    cell["train_loss"][0, -1] = cell["test_loss"][0, -1] = np.nan
    cell["train_loss"][0, -2], cell["test_loss"][0, -2] = 1e-6, 5.0
    cell["train_loss"][1, -1], cell["test_loss"][1, -1] = 1e-6, 1e-6
    assert picture.verdict(cell).startswith("overfitted: the test loss is 5.0e6 times")
    assert picture.verdict(cell).endswith("(1 of 2 seeds are overfitted)")


def test_without_finite_losses_there_is_no_verdict(cell_factory):
    cell = cell_factory()
    cell["train_loss"][:] = np.nan
    assert picture.verdict(cell) == "no verdict: a loss is not finite"


@pytest.mark.parametrize(
    "options",
    [
        {"equation": "wave", "regularizer": "double", "seeds": (0, 1)},
        {"equation": "allen_cahn", "small": True},
        {"small": True, "iterations": 0, "stop_reason": "non_finite_loss"},
        {"small": True, "iterations": 0, "stop_reason": "imported"},
    ],
)
def test_every_cell_has_a_picture(cell_factory, tmp_path, options):
    path = tmp_path / "cell.nc"
    cell_factory(**options).to_netcdf(path)
    picture.picture(path, tmp_path / "cell.png")
    assert (tmp_path / "cell.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("network", "heading"),
    [("mlp", "Wave\n"), ("pinnmamba", "Wave, PINNMamba\n"), ("mine", "Wave, mine\n")],
)
def test_a_network_other_than_the_papers_is_named(cell_factory, network, heading):
    page = picture.figure(cell_factory("wave", network=network, small=True))
    texts = [text.get_text() for axes in page.axes for text in axes.texts]
    assert any(text.startswith(heading) for text in texts)


def test_a_solution_that_is_zero_and_errors_that_are_not_numbers(cell_factory, tmp_path):
    cell = cell_factory(small=True)
    for name, value in {"u": 0, "u_reference": 0, "residual": np.nan, "rmae": np.nan}.items():
        cell[name] = cell[name] * 0 + value
    page = picture.figure(cell)
    texts = [text.get_text() for ax in page.axes for text in ax.texts]
    assert any("rMAE nan" in text for text in texts)
    assert "no finite values" in texts


def test_a_file_that_is_no_evaluation(cell_factory, tmp_path):
    path = tmp_path / "cell.nc"
    cell_factory().drop_vars("residual").to_netcdf(path)
    with pytest.raises(DataError, match=r"cell\.nc.*residual"):
        picture.picture(path, tmp_path / "cell.png")
