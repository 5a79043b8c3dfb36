"""Table 1: exact numbers, and an origin for each."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from double_pinn.errors import DataError, UserError
from double_pinn.results.netcdf import write_dataset
from double_pinn.showing import tables
from double_pinn.showing.published import published_rows

PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


def evaluation(path, equation="wave", rmae=(1e-3, 3e-3), reasons=None, optimizer="lbfgs"):
    seeds = len(rmae)
    rmae = np.array(rmae)
    ds = xr.Dataset(
        {
            "final_objective": ("seed", 2 * rmae),
            "final_train_loss": ("seed", rmae / 2),
            "final_test_loss": ("seed", rmae),
            "rmae": ("seed", rmae),
            "rrmse": ("seed", 1.5 * rmae),
            "iterations_run": ("seed", 1000 + 500 * np.arange(seeds)),
            "stop_reason": ("seed", np.array(reasons or ["tolerance"] * seeds, dtype=object)),
            "reference_error": 0.0,
        },
        coords={"seed": np.arange(seeds)},
        attrs={
            "equation": equation,
            "network": "mlp",
            "regularizer": "double",
            "optimizer": optimizer,
            "precision": "fp64",
            "n_collocation": 444,
            "max_iterations": 20000,
            "run_devices": "cpu",
            "run_commits": "0123abcd",
        },
    )
    write_dataset(ds, path, title="test", source="formula")
    return path


@pytest.fixture
def rendered(tmp_path):
    cells = {
        "wave/double_pinn": evaluation(tmp_path / "wave.nc"),
        "convection/double_pinn": evaluation(tmp_path / "convection.nc", "convection", (4.9e-6,)),
    }
    outputs = [tmp_path / "out" / f"table1.{suffix}" for suffix in ("csv", "md", "tex", "html")]
    tables.write(cells, PUBLISHED, outputs)
    return outputs


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def pick(rows, equation, model, origin):
    (row,) = [
        r for r in rows if (r["equation"], r["model"], r["origin"]) == (equation, model, origin)
    ]
    return row


def test_published_numbers_are_those_of_the_paper():
    assert len(published_rows(PUBLISHED)) == 16
    rows = tables.table1({}, PUBLISHED)
    row = pick(rows, "convection", "double PINN", "published")
    assert (row["loss_mean"], row["loss_std"]) == (4.0e-11, 4.1e-11)
    assert (row["rmae_mean"], row["rmae_std"]) == (4.9e-6, 4.4e-6)
    assert (row["rrmse_mean"], row["rrmse_std"], row["n"]) == (5.4e-6, 4.6e-6, 800)
    row = pick(rows, "allen_cahn", "PINNMamba", "published")
    assert (row["loss_mean"], row["rmae_mean"], row["rrmse_std"]) == (2.7e-3, 1.4e-1, 2.0e-2)
    for row in published_rows(PUBLISHED):
        assert "arXiv:2605.30910" in row["source"]
        assert ("2505.10949" in row["source"]) == (row["model"] in ("PINNsFormer", "PINNMamba"))


def test_csv_holds_both_origins_and_never_mixes_them(rendered):
    rows = read_csv(rendered[0])
    assert list(rows[0]) == tables.COLUMNS
    assert len(rows) == 16 + 16
    ours = pick(rows, "wave", "double PINN", "reproduced")
    assert float(ours["rmae_mean"]) == pytest.approx(2e-3)
    assert float(ours["rmae_std"]) == pytest.approx(np.sqrt(2) * 1e-3)  # sample, not population
    assert float(ours["loss_mean"]) == pytest.approx(4e-3)
    assert float(ours["train_loss_mean"]) == pytest.approx(1e-3)
    assert [ours[k] for k in ("seeds", "iterations_min", "iterations_max", "max_iterations")] == [
        "2",
        "1000",
        "1500",
        "20000",
    ]
    assert (ours["n"], ours["optimizer"], ours["precision"]) == ("444", "lbfgs", "fp64")
    assert ours["source"].endswith("wave.nc")
    assert (ours["devices"], ours["commit"]) == ("cpu", "0123abcd")
    theirs = pick(rows, "wave", "double PINN", "published")
    assert (float(theirs["rmae_mean"]), theirs["seeds"], theirs["commit"]) == (3.8e-4, "", "")
    assert pick(rows, "convection", "double PINN", "reproduced")["rmae_std"] == ""


def test_rows_not_run_are_listed(rendered):
    rows = read_csv(rendered[0])
    missing = pick(rows, "reaction", "PINN FP64", "reproduced")
    assert (missing["status"], missing["rmae_mean"]) == ("not run at this scale", "")
    assert sum(row["status"] == "not run at this scale" for row in rows) == 14
    assert not [row for row in rows if "Gauss-Newton" in row["model"]]


def test_reproduced_stands_below_published(rendered):
    rows = read_csv(rendered[0])
    wave = [(row["model"], row["origin"]) for row in rows if row["equation"] == "wave"]
    assert wave == [
        (model, origin)
        for model in ("PINNsFormer", "PINNMamba", "PINN FP64", "double PINN")
        for origin in ("published", "reproduced")
    ]


def test_rows_beyond_the_paper_appear_where_they_are_run(tmp_path):
    path = evaluation(tmp_path / "gn.nc", optimizer="gauss_newton")
    rows = tables.table1({"wave/double_pinn_gn": path}, PUBLISHED)
    ours = [row for row in rows if row["model"] == tables.MODELS["double_pinn_gn"]]
    assert [(row["equation"], row["status"]) for row in ours] == [
        ("convection", tables.NOT_RUN),
        ("reaction", tables.NOT_RUN),
        ("wave", "run"),
        ("allen_cahn", tables.NOT_RUN),
    ]
    text = tables.to_markdown(rows)
    assert "Gauss-Newton FP64" in text
    # The paper's own optimiser was not run there: the row says what was.
    papers = {row["equation"]: row["status"] for row in rows if row["model"] == "double PINN"}
    assert papers.pop("wave") == tables.INSTEAD_RUN
    assert set(papers.values()) == {tables.NOT_RUN}
    assert "| Wave | double PINN | reproduced | *not run at this scale: Gauss-Newton inst" in text


def test_nothing_stands_instead_of_what_was_run(tmp_path):
    ours = evaluation(tmp_path / "gn.nc", optimizer="gauss_newton")
    papers = evaluation(tmp_path / "lbfgs.nc")
    rows = tables.table1({"wave/double_pinn_gn": ours, "wave/double_pinn": papers}, PUBLISHED)
    assert pick(rows, "wave", "double PINN", "reproduced")["status"] == "run"


def test_an_equation_that_the_paper_does_not_have(tmp_path):
    path = evaluation(tmp_path / "burgers.nc", "burgers")
    rows = tables.table1({"burgers/double_pinn": path}, PUBLISHED)
    assert [row["status"] for row in rows if row["equation"] == "burgers"] == [
        *[tables.NOT_RUN] * 3,
        "run",
    ]


def test_markdown(rendered):
    text = rendered[1].read_text(encoding="utf-8")
    assert (
        "| Wave | double PINN | reproduced | 4.0e-3 ± 2.8e-3 | 2.0e-3 ± 1.4e-3 | 3.0e-3 ± 2.1e-3 "
        "| 444 | 2 | 1,000–1,500 of 20,000 | tolerance | L-BFGS FP64 |" in text
    )
    assert "| Convection | double PINN | published | 4.0e-11 ± 4.1e-11 | 4.9e-6 ± 4.4e-6 |" in text
    assert "| Convection | double PINN | reproduced | 9.8e-6 | 4.9e-6 | 7.3e-6 | 444 | 1 |" in text
    assert "| Reaction | PINN FP64 | reproduced | *not run at this scale* |" in text
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in body}) == 1
    assert re.search(r"reproduced Wave, double PINN: .*wave\.nc \(commit 0123abcd\)", text)
    assert "published PINNsFormer, PINNMamba: arXiv:2605.30910 Table 1, from arXiv" in text


def test_latex(rendered):
    text = rendered[2].read_text(encoding="utf-8")
    assert r"4.0e-3 $\pm$ 2.8e-3" in text
    assert r"1,000--1,500 of 20,000" in text
    assert text.count(r"\textbf{") == 4
    for part in (r"\toprule", r"\bottomrule", r"\begin{tabular}{lllllrrrll}"):
        assert text.count(part) == 1
    printed = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    assert {line.count("&") for line in printed if "not run" not in line} == {9}
    assert not re.search(r"(?<!\\)_", "\n".join(printed))


class Cells(HTMLParser):
    """The rows of an HTML page's table, and whether every element is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] in (["td"], ["th"]):
            self.rows[-1].append(data)


def test_html_says_what_markdown_says(rendered):
    page = Cells(rendered[3].read_text())
    assert page.open == []
    headings, *rows = page.rows
    assert headings[:3] == ["Model", "Origin", "Loss"]
    found, equation = [], None
    for row in rows:
        if len(row) == 1:
            (equation,) = row
        else:
            found.append([equation, *row])
    lines = rendered[1].read_text().splitlines()
    expected = [[c.strip(" *") for c in x.strip("|").split("|")] for x in lines if x[:2] == "| "]
    # What is missing is one wide cell there.
    assert found == [row[:4] if "not run" in row[3] else row for row in expected[2:]]


@pytest.fixture
def oddly_named():
    """One published row whose names hold what each format must escape."""
    row = next(row for row in tables.table1({}, PUBLISHED) if row["equation"] == "wave")
    return [{**row, "model": r"<b>a|b</b> & 5% {x_1} $\s^2 #~", "source": "two\nlines"}]


def test_html_is_safe_from_what_a_row_is_called(oddly_named):
    page = Cells(tables.to_html(oddly_named))
    assert "".join(page.rows[2]).startswith(oddly_named[0]["model"])
    assert page.open == []


def test_markdown_is_safe_from_what_a_row_is_called(oddly_named):
    lines = tables.to_markdown(oddly_named).splitlines()
    (line,) = [line for line in lines if line.startswith("| Wave")]
    assert r"| <b>a\|b</b> & 5%" in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 12
    assert lines[-1].endswith(": two lines")


def test_latex_is_safe_from_what_a_row_is_called(oddly_named):
    text = tables.to_latex(oddly_named)
    escaped = (
        r"<b>a|b</b> \& 5\% \{x\_1\} \$\textbackslash{}s\textasciicircum{}2 \#\textasciitilde{}"
    )
    assert f"    {escaped} & published & 2.3e-2 " in text
    assert text.splitlines()[0].endswith(": two lines")  # the comment does not end on the way


def test_all_outputs_are_written_or_none(tmp_path):
    (tmp_path / "t.html").mkdir()
    with pytest.raises(UserError, match=r"t\.html: cannot be written"):
        tables.write({}, PUBLISHED, [tmp_path / "t.csv", tmp_path / "t.html"])
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]


def test_stop_reasons_are_counted_where_seeds_differ(tmp_path):
    path = evaluation(
        tmp_path / "a.nc", rmae=(1, 2, 3), reasons=["tolerance", "non_finite_loss", "tolerance"]
    )
    row = tables.reproduced_row("wave/double_pinn", path)
    assert row["stop_reasons"] == "tolerance (2), non_finite_loss (1)"


@pytest.mark.parametrize(
    ("rmae", "reason", "too_small"),
    [
        (4.9e-4, "max_iterations", True),  # published: 3.8e-4 ± 1.0e-4
        (4.7e-4, "max_iterations", False),
        (4.9e-4, "tolerance", False),
        (np.nan, "non_finite_loss", False),
    ],
)
def test_a_row_whose_budget_was_too_small_says_so(tmp_path, rmae, reason, too_small):
    path = evaluation(tmp_path / "a.nc", rmae=(rmae,), reasons=[reason])
    rows = tables.table1({"wave/double_pinn": path}, PUBLISHED)
    row = pick(rows, "wave", "double PINN", "reproduced")
    assert row["budget_too_small"] is too_small
    words = reason.replace("_", " ") + (": budget too small" if too_small else "")
    assert f"| {words} |" in tables.to_markdown(rows)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_left_out(tmp_path, bad):
    path = evaluation(tmp_path / "a.nc", rmae=(1e-3, bad))
    row = tables.reproduced_row("wave/double_pinn", path)
    assert not np.isfinite(row["rmae_mean"])
    assert tables.plus_minus(row["rmae_mean"], row["rmae_std"]) == f"{bad} ± nan"


@pytest.mark.parametrize("role", ["wave", "wave/other", "/double_pinn", "double_pinn"])
def test_unknown_rows_are_refused(tmp_path, role):
    with pytest.raises(UserError, match=rf"{role!r}.*pinn_fp64, double_pinn"):
        tables.reproduced_row(role, tmp_path / "any.nc")


@pytest.mark.parametrize(
    ("role", "name", "value"),
    [
        ("reaction/double_pinn", "equation", "wave"),
        ("wave/pinn_fp64", "regularizer", "double"),
        ("wave/double_pinn_gn", "optimizer", "lbfgs"),
    ],
)
def test_a_file_of_another_cell_is_refused(tmp_path, role, name, value):
    path = evaluation(tmp_path / "a.nc")
    with pytest.raises(
        DataError, match=rf"a\.nc: its {name} is '{value}', but .* the row '{role}'"
    ):
        tables.table1({role: path}, PUBLISHED)


def test_missing_file_and_attribute(tmp_path):
    with pytest.raises(DataError, match=r"none\.nc"):
        tables.table1({"wave/double_pinn": tmp_path / "none.nc"}, PUBLISHED)
    path = evaluation(tmp_path / "a.nc")
    ds = xr.load_dataset(path)
    del ds.attrs["precision"]
    write_dataset(ds, path, title="test", source="formula")
    with pytest.raises(DataError, match=r"a\.nc: lacks the attributes precision"):
        tables.table1({"wave/double_pinn": path}, PUBLISHED)


def test_bad_published_numbers_are_named(tmp_path):
    path = tmp_path / "published.csv"
    with pytest.raises(DataError, match=r"published\.csv: cannot be read"):
        published_rows(path)
    text = PUBLISHED.read_text(encoding="utf-8")
    path.write_text(text.replace("6.8e-3", "small", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"published\.csv, line 2: rmae_std is 'small'"):
        published_rows(path)
    path.write_text(text.replace("rmae_std", "rmae_sd", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"lacks the columns rmae_std"):
        published_rows(path)


def test_the_command_writes_without_jax(tmp_path, command_without_jax):
    role = "wave/double_pinn_gn"
    path = evaluation(tmp_path / "gn.nc", optimizer="gauss_newton")
    output = tmp_path / "t.md"
    command_without_jax(
        *["table", "--cell", f"{role}={path}", "--published", PUBLISHED, "--output", output]
    )
    rows = tables.table1({role: path}, PUBLISHED)
    assert output.read_text(encoding="utf-8") == tables.to_markdown(rows)
    assert "Gauss-Newton FP64" in output.read_text(encoding="utf-8")


def test_unknown_output_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match=r"t\.xlsx"):
        tables.write({}, PUBLISHED, [tmp_path / "t.csv", tmp_path / "t.xlsx"])
    assert not list(tmp_path.iterdir())


def test_what_the_table_would_refuse_is_known_before_training():
    cell = {"cell": "c", "equation": "wave", "network": "mlp", "regularizer": "double"}
    good = {**cell, "precision": "fp64", "optimizer": "lbfgs"}
    tables.check({"wave/double_pinn": good})
    with pytest.raises(UserError, match="'wave/bogus': give EQUATION/ROW=FILE with a row of"):
        tables.check({"wave/bogus": good})
    words = (
        "table 1: cell c, as 'wave/pinn_fp64': its regularizer is 'double', but 'none' is needed"
    )
    with pytest.raises(UserError, match=words):
        tables.check({"wave/pinn_fp64": good})
