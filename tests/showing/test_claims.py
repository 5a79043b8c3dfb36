"""The claims: made-up evaluations that hold and that do not, and what is written of them."""

import re
from pathlib import Path

import numpy as np
import pytest

from double_pinn.errors import DataError, UserError
from double_pinn.results.netcdf import write_dataset
from double_pinn.showing import claims
from double_pinn.showing.claims import DOES_NOT, HOLDS, NOT_RUN, measures
from double_pinn.showing.published import published_rows
from double_pinn.showing.slices import slice_time

PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


def turned(cell):
    """The same, with a test loss that turns up while the train loss falls on."""
    test = np.array(cell["test_loss"])
    test[:, -1] = 5 * test.min()
    return cell.assign(
        test_loss=(("seed", "iteration"), test), final_test_loss=("seed", test[:, -1])
    )


@pytest.fixture
def uses(cell_factory, cells_factory):
    """Evaluations of every use, looking as the paper says that they do."""

    def of(number):
        return {f"figure{number}:{role}": c for role, c in cells_factory(number).items()}

    found = {**of(1), **of(3), **of(4), **of(5), **of(6)}
    found["figure4:none_fp64"] = turned(
        cell_factory("allen_cahn", "none", "fp64", fails=False, error=1e-3)
    )
    for role, error in (("double", 1e-4), ("l2", 1e-3), ("l1", 1e-2)):
        regularizer = {"regularizer": role, "error": error}
        # The others reach the level of double PINN later.
        late = {"double": 4000, "l2": 8000, "l1": 16000}[role]
        cell = cell_factory("convection", precision="fp32", iterations=late, **regularizer)
        found[f"figure6:{role}"] = cell.assign(
            test_loss=cell["test_loss"].where(cell["iteration"] >= late - 50, 1.0)
        )
    for equation in ("convection", "reaction", "wave"):
        role = f"table1:{equation}/double_pinn"
        found[role] = cell_factory(equation, "double", "fp64", error=1e-6)
    gauss_newton = cell_factory("allen_cahn", "double", "fp64", error=1e-5, optimizer="marching")
    found["table1:allen_cahn/double_pinn_gn"] = gauss_newton
    for equation in ("convection", "reaction", "wave", "allen_cahn"):
        found[f"figure5:{equation}"] = cell_factory(equation, "double", "fp64", error=1e-7)
        for model, error in (("pinnsformer", 0.3), ("pinnmamba", 0.02), ("pinn_fp64", 1e-3)):
            role = f"table1:{equation}/{model}"
            found[role] = cell_factory(equation, "none", "fp64", fails=False, error=error)
    return found


def decided(uses):
    return claims.decide(uses, published_rows(PUBLISHED))


def verdicts(uses, where):
    return [line.verdict for line in decided(uses) if line.where == where]


def test_all_claims_hold_of_what_the_paper_shows(uses):
    lines = decided(uses)
    assert [line for line in lines if line.verdict != HOLDS] == []
    assert len(lines) == 26
    assert all(line.numbers for line in lines)


def test_without_cells_nothing_is_run():
    assert {line.verdict for line in decided({})} == {NOT_RUN}


@pytest.mark.parametrize(
    ("use", "like", "where", "expected"),
    [
        ("figure1:none", "figure1:double", "Figure 1", [DOES_NOT, DOES_NOT, HOLDS]),
        ("figure1:double", "figure1:none", "Figure 1", [HOLDS, HOLDS, DOES_NOT]),
        ("figure3:none", "figure3:double", "Figure 3", [DOES_NOT, DOES_NOT, HOLDS, HOLDS]),
        ("figure3:double", "figure3:none", "Figure 3", [HOLDS, HOLDS, DOES_NOT, DOES_NOT]),
        ("figure4:none_fp32", "figure4:double", "Figure 4", [DOES_NOT, HOLDS, HOLDS]),
        ("figure4:none_fp64", "figure4:none_fp32", "Figure 4", [HOLDS, DOES_NOT, HOLDS]),
        ("figure4:double", "figure4:none_fp32", "Figure 4", [HOLDS, HOLDS, DOES_NOT]),
        ("figure6:l2", "figure1:none", "Figure 6", [DOES_NOT, HOLDS, HOLDS, DOES_NOT]),
        ("figure6:double", "figure6:l1", "Figure 6", [HOLDS, DOES_NOT, DOES_NOT, HOLDS]),
        ("figure6:l1", "figure6:double", "Figure 6", [HOLDS, HOLDS, DOES_NOT, DOES_NOT]),
    ],
)
def test_a_claim_does_not_hold_of_what_shows_something_else(uses, use, like, where, expected):
    assert verdicts({**uses, use: uses[like]}, where) == expected


@pytest.mark.parametrize("where", ["Figure 5", "Table 1"])
def test_errors_are_compared_with_those_of_each_equation(uses, cell_factory, where):
    bad = cell_factory("reaction", "double", "fp64", error=0.1)
    changed = {use: bad if "reaction" in use else cell for use, cell in uses.items()}
    assert verdicts(changed, where)[:4] == [HOLDS, DOES_NOT, HOLDS, HOLDS]
    without = {use: cell for use, cell in uses.items() if "wave" not in use}
    assert verdicts(without, where)[:4] == [HOLDS, HOLDS, NOT_RUN, HOLDS]


def test_figure_3_is_decided_along_its_slice_and_says_what_the_whole_domain_does(uses):
    none, double = uses["figure3:none"], uses["figure3:double"]
    time, residual = slice_time(none), double["residual"]
    others = [t for t in double["t_collocation"].values if t != time]
    small = residual.sel(t_residual=others, method="nearest")["t_residual"]
    fitted = residual.where(~residual["t_residual"].isin(small), 1e-6 * residual)
    changed = {**uses, "figure3:double": double.assign(residual=fitted)}
    assert measures.at_points(changed["figure3:double"]) < measures.NO_MINIMA
    line = [line for line in decided(changed) if line.where == "Figure 3"][-1]
    assert line.verdict == HOLDS
    assert re.search(rf"slice at t = {time:.3f}; of the whole domain .+", line.numbers)


def test_models_are_compared_with_those_that_were_trained_here(uses, cell_factory):
    good = cell_factory("reaction", "none", "fp64", fails=False, error=1e-8)
    changed = {**uses, "table1:reaction/pinnmamba": good}
    assert verdicts(changed, "Table 1")[4:] == [HOLDS, DOES_NOT, HOLDS, HOLDS]
    line = next(line for line in decided(changed) if line.verdict == DOES_NOT)
    assert "; here: PINNsFormer by L-BFGS, 4,100 iterations, " in line.numbers
    good["rmae"][:] = np.nan
    assert verdicts(changed, "Table 1")[4:] == [HOLDS] * 4
    del changed["table1:wave/pinn_fp64"]
    assert verdicts(changed, "Table 1")[4:] == [HOLDS, HOLDS, NOT_RUN, HOLDS]
    changed["table1:reaction/double_pinn"] = good
    assert verdicts(changed, "Table 1")[4:] == [HOLDS, DOES_NOT, NOT_RUN, HOLDS]


def test_the_optimiser_is_named(uses):
    lines = [line for line in decided(uses) if line.where == "Table 1"][:4]
    lines = {line.claim.partition(":")[0]: line for line in lines}
    begin = "rMAE by Gauss-Newton, marching, 4,100 iterations, "
    assert lines["Allen-Cahn"].numbers.startswith(begin)
    assert lines["Wave"].numbers.startswith("rMAE by L-BFGS, 4,100 iterations, ")


def test_of_two_optimisers_the_better_decides_and_both_are_named(uses, cell_factory):
    better = cell_factory("reaction", "double", "fp64", error=1e-6, optimizer="gauss_newton")
    both = {
        **uses,
        "table1:reaction/double_pinn": cell_factory("reaction", "double", "fp64", error=0.1),
        "table1:reaction/double_pinn_gn": better,
    }
    line = next(x for x in decided(both) if x.where == "Table 1" and "Reaction" in x.claim)
    assert line.verdict == HOLDS
    assert "L-BFGS, 4,100 iterations, " in line.numbers
    assert "Gauss-Newton, 4,100 iterations, " in line.numbers


def test_a_quantity_is_the_median_of_the_seeds(cell_factory):
    cell = cell_factory("wave", "double", seeds=(0, 1, 2))
    cell = cell.assign(rmae=("seed", [1.0, 3.0, 2.0]))
    assert measures.median(cell, "rmae") == 2.0
    assert measures.by(cell) == "L-BFGS, 4,100 iterations, 3 seeds"


def test_a_cure_is_one_of_every_seed(uses):
    both = uses["figure6:l1"].isel(seed=[0, 0, 0]).assign_coords(seed=[0, 1, 2])
    several = {**uses, "figure6:l1": both}
    cures, _, fastest, _ = (line for line in decided(several) if line.where == "Figure 6")
    assert (cures.verdict, fastest.verdict) == (HOLDS, HOLDS)
    assert cures.numbers.count("(3 of 3 seeds are cured)") == 1
    both["final_test_loss"][1] = 1e3 * both["final_train_loss"][1]
    both["rmae"][1] = 1.0
    cures, _, also_fastest, _ = (line for line in decided(several) if line.where == "Figure 6")
    assert cures.verdict == DOES_NOT
    assert "(2 of 3 seeds are cured)" in cures.numbers
    assert also_fastest.numbers == fastest.numbers


def test_a_level_is_reached_by_each_seed_or_never(cell_factory):
    cell = cell_factory("wave", "double", seeds=(0, 1))
    level = float(cell["test_loss"].isel(seed=0)[3])
    cell["test_loss"][1] = 2 * level
    first = cell["iteration"].values[(cell["test_loss"][0] <= level).values][0]
    assert measures.reached(cell, level).tolist() == [first, np.inf]


def test_a_missing_entry_of_a_seed_is_passed_over(cell_factory):
    cell = cell_factory("wave", "double", seeds=(0, 1))
    gone = cell["iteration"] < 4000
    cell = cell.assign(test_loss=cell["test_loss"].where(gone | (cell["seed"] == 0)))
    assert measures.turns(cell)[1] == pytest.approx(1, rel=0.2)


def test_without_published_numbers_nothing_is_decided_by_them(uses):
    ours = [row for row in published_rows(PUBLISHED) if row["model"] == "double PINN"]
    known = {"Figure 5": HOLDS, "Table 1": NOT_RUN}
    for line in claims.decide(uses, ours):
        if line.where in known and "trained at this scale" not in line.claim:
            assert line.verdict == known[line.where]
    lines = [line for line in claims.decide(uses, []) if line.where == "Figure 5"]
    assert {line.verdict for line in lines} == {NOT_RUN}
    assert {line.numbers for line in lines} == {"the published numbers lack this equation's"}


def test_they_are_written(uses, tmp_path, command_without_jax):
    files = {}
    for number, use in enumerate(("figure1:none", "figure1:double", "table1:wave/double_pinn")):
        files[use] = tmp_path / f"{number}.nc"
        write_dataset(uses[use], files[use], title="test", source="formula")
    arguments = [word for use, file in files.items() for word in ("--cell", f"{use}={file}")]
    outputs = tmp_path / "c.md", tmp_path / "c.html"
    command_without_jax("claims", *arguments, "--published", PUBLISHED, "--output", *outputs)
    text, page = (path.read_text(encoding="utf-8") for path in outputs)
    assert "4 hold, 0 do not hold, 22 not run." in text
    assert "| Figure 1 | without a regulariser the train loss vanishes" in text
    assert page.count('<tr class="holds">') == 4
    assert page.count('<tr class="not">') == 22


def test_what_cannot_be_written_or_read_is_refused(uses, tmp_path):
    with pytest.raises(UserError, match=r"c\.txt: the claims are written as \.md or \.html"):
        claims.write({}, PUBLISHED, [tmp_path / "c.txt"])
    path = tmp_path / "cell.nc"
    write_dataset(uses["figure1:none"].drop_vars("residual"), path, title="test", source="formula")
    with pytest.raises(DataError, match=r"cell\.nc: lacks residual"):
        claims.write({"figure1:none": path}, PUBLISHED, [tmp_path / "c.md"])
