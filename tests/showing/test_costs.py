"""What each model costs: the numbers of a row, and what is written of them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from double_pinn.errors import DataError, UserError
from double_pinn.results.netcdf import write_dataset
from double_pinn.showing import costs
from double_pinn.showing.published import published_rows

PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


@pytest.fixture
def cells(cells_factory):
    return cells_factory(10, small=True)


def row_of(cells, equation, model):
    rows = costs.costs(cells, published_rows(PUBLISHED))
    (row,) = (r for r in rows if (r["equation"], r["model"]) == (equation, model))
    return row


def test_a_row_says_what_a_model_costs(cells):
    row = row_of(cells, "wave", "PINNsFormer")
    assert row["parameters"] == 453_561
    assert row["sequence_length"] == 5
    # The clock of the made-up runs: 10 ms an iteration.
    assert row["ms_per_iteration"] == pytest.approx(10)
    assert row["peak_memory_mb"] == 500
    assert row["published_rmae"] == 0.35
    assert row["rmae"] == pytest.approx(float(np.median(cells["wave/pinnsformer"].rmae)))


def test_rows_are_in_the_order_of_the_models(cells):
    rows = costs.costs(dict(reversed(cells.items())), published_rows(PUBLISHED))
    equations = list(dict.fromkeys(row["equation"] for row in rows))
    assert equations == ["convection", "reaction", "wave", "allen_cahn"]
    of_wave = [row["model"] for row in rows if row["equation"] == "wave"]
    assert of_wave == ["PINNsFormer", "PINNMamba", "PINN FP64", "double PINN"]


def test_the_time_to_the_published_error(cells):
    cell = cells["wave/double_pinn"]
    histories = np.array(cell["rmae_history"])
    histories[:] = [1.0, *np.full(histories.shape[1] - 2, 3.7e-4), 1.0]
    cells["wave/double_pinn"] = cell.assign(rmae_history=(("seed", "iteration"), histories))
    row = row_of(cells, "wave", "double PINN")
    assert row["seconds_to_published"] == float(cell["wall_time"][0, 1])
    histories[:] = 1.0
    cells["wave/double_pinn"] = cell.assign(rmae_history=(("seed", "iteration"), histories))
    assert row_of(cells, "wave", "double PINN")["seconds_to_published"] is None


def test_what_a_run_does_not_say_is_a_dash(cells, tmp_path):
    cell = cells["wave/pinnmamba"].assign(peak_memory=("seed", [np.nan]))
    write_dataset(cell, tmp_path / "cell.nc", title="a cell", source="a test")
    costs.write({"wave/pinnmamba": tmp_path / "cell.nc"}, PUBLISHED, [tmp_path / "costs.md"])
    assert "| 10 | – |" in (tmp_path / "costs.md").read_text()


def test_files_are_written_in_every_format(cells, tmp_path):
    files = {}
    for role, cell in cells.items():
        files[role] = tmp_path / f"{role.replace('/', '_')}.nc"
        write_dataset(cell, files[role], title="a cell", source="a test")
    outputs = [tmp_path / f"costs.{suffix}" for suffix in ("csv", "md", "html")]
    costs.write(files, PUBLISHED, outputs)
    with open(outputs[0], newline="") as file:
        assert len(list(csv.DictReader(file))) == 16
    for text in (path.read_text() for path in outputs[1:]):
        assert "PINNMamba, FP32" in text
        assert "453,561" in text
        assert "× 5" in text
    with pytest.raises(UserError, match=r"costs\.txt"):
        costs.write(files, PUBLISHED, [tmp_path / "costs.txt"])
    with pytest.raises(UserError, match="EQUATION/MODEL"):
        costs.write({"wave/other": files["wave/double_pinn"]}, PUBLISHED, outputs)
    files["wave/double_pinn"] = tmp_path / "none.nc"
    with pytest.raises(DataError, match=r"none\.nc"):
        costs.write(files, PUBLISHED, outputs)
