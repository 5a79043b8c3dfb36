"""What the README shows works as it stands there, and what the documents link to exists."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

from double_pinn.configuration.catalogue import get_problem
from double_pinn.configuration.settings import Table
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import TrainingGrid, training_points
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.results import reference

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "config/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
#: Where each generated part stands.
PARTS = {
    "table1-short": "README.md",
    "table1": "docs/results.md",
    "race": "docs/results.md",
    "night": "docs/results.md",
    "night-claims": "docs/results.md",
    "night-sources": "docs/results.md",
    "benchmark": "docs/speed.md",
}


@pytest.fixture
def nagumo(tmp_path, monkeypatch):
    """The equation of one's own, as a file."""
    (source,) = (s for s in re.findall(r"```python\n(.*?)```", README, re.S) if "(Problem)" in s)
    path = tmp_path / "nagumo.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("nagumo", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "nagumo", module)
    spec.loader.exec_module(module)
    return module.Nagumo()


def test_a_table_of_a_solution_is_read_as_documented():
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    (given,) = (yaml.safe_load(s) for s in re.findall(r"```yaml\n(.*?)```", method, re.S))
    table = Table(**given["reference"]["burgers"])
    table = table.model_copy(update={"file": str(ROOT / table.file)})
    burgers = get_problem("burgers")
    solution = reference.solve(burgers, 51, 5, table=table)
    np.testing.assert_allclose(
        solution.u.isel(t=0), -np.sin(np.pi * solution.x.values), rtol=0, atol=2e-6
    )
    # The steepest slope at t = 1.6037 / pi: Basdevant et al., Computers and Fluids 14, 1986.
    fine = reference.solve(burgers, 8001, 2**9 + 1, table=table)
    slope = np.gradient(fine.u.sel(t=1.6037 / np.pi, method="nearest"), fine.x).min()
    assert slope == pytest.approx(-152.00516, rel=2e-3)
    assert 0 < float(solution.reference_error) < 1e-5


def test_an_equation_of_ones_own_has_a_reference(nagumo):
    solution = reference.solve(nagumo, 17, 5)
    assert solution["u"].shape == (17, 5)
    assert float(solution["reference_error"]) < 1e-6
    # The hill is above the threshold: it stays, and spreads.
    last = solution["u"].isel(t=-1)
    assert 0.9 < float(last.max()) < 1
    assert float(last.mean()) > float(solution["u"].isel(t=0).mean())


def test_an_equation_of_ones_own_has_rows(nagumo):
    network = TanhMLP(hidden_layers=1, width=8).bound(np.float64)
    points = training_points(TrainingGrid(nx=4, nt=3, edge=5), nagumo)
    system = row_system(nagumo, points, network, DoublePINN(weight=5e-4))
    names = [group.name for group in system.groups]
    assert names[:3] == ["equation", "equation_x", "equation_t"]
    assert {"initial_u_x", "periodic_u_t", "periodic_u_x_t"} <= set(names)
    rows = jax.jit(lambda p: system.rows(network.weights(p)))(network.init(0))
    assert all(np.all(np.isfinite(row)) for row in rows)


def anchors(text):
    """Return what GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(document):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text(encoding="utf-8"))
    dead = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        there = target.exists() and (not anchor or anchor in anchors(target.read_text("utf-8")))
        dead += [] if there else [link]
    assert dead == []


def test_the_readme_leads_to_every_document():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(links)
    assert "CONTRIBUTING.md" in links


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


# --- The generated parts ---


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(name):
    text = (ROOT / PARTS[name]).read_text(encoding="utf-8")
    (content,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.S)
    return content


def cells(table):
    lines = [line.strip("| ") for line in table.splitlines() if line.startswith("|")]
    return [re.split(r" \| ", line) for line in lines[2:]]


def test_the_short_table_says_what_the_full_one_says():
    full = {}
    for equation, run, _, rmae, rrmse, iterations, *_ in cells(part("night").partition("\n\n")[0]):
        ran = "" if run.startswith("published") else f" ({iterations}"
        full.setdefault(equation, {})[run.partition(",")[0]] = f"{rmae}, {rrmse}{ran}"
    rows = cells(part("table1-short"))
    assert [equation for equation, *_ in rows] == list(full)
    for equation, *shown in rows:
        for text, run in zip(shown, ("published", "L-BFGS", "Gauss-Newton"), strict=True):
            assert text.partition(" in ")[0] == full[equation].get(run, "–")


def test_update_fills_the_parts_where_they_stand(tmp_path, monkeypatch, capsys):
    update = load(ROOT / "docs" / "update.py", "update")
    for document in {*PARTS.values()}:
        (tmp_path / document).parent.mkdir(exist_ok=True)
        names = [name for name in PARTS if PARTS[name] == document]
        text = "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in names)
        (tmp_path / document).write_text(text)
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "published.csv", tmp_path / "config")
    (tmp_path / "results" / "night" / "evaluation").mkdir(parents=True)
    for scale, name, text in (
        ("laptop", "table1.md", "# Table 1\n\nnew\n"),
        ("night", "claims.md", "# Claims\n\nText.\n\n| a | holds |\n| b | not run |\n"),
        ("night", "table1.md", "# Table 1\n\n- published A\n- reproduced B\n"),
    ):
        folder = tmp_path / "results" / scale / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(update, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["update.py", "--results", str(tmp_path / "results")])
    update.main()
    readme = (tmp_path / "README.md").read_text()
    assert "| Wave | 3.8e-4 ± 1.0e-4, 3.8e-4 ± 1.0e-4 | – | – |" in readme
    results, night, claims = re.split(
        r"<!-- /?night -->\n", (tmp_path / "docs" / "results.md").read_text()
    )
    assert claims == (
        "<!-- night-claims -->\n| a | holds |\n<!-- /night-claims -->\n"
        "<!-- night-sources -->\n- reproduced B\n<!-- /night-sources -->\n"
    )
    assert "| Wave | published, L-BFGS | 3.5e-7 ± 8.9e-8 | 3.8e-4 ± 1.0e-4 |" in night
    table1, race = results.split("<!-- race -->\n")
    assert table1 == "<!-- table1 -->\nnew\n<!-- /table1 -->\n"
    assert len(race.splitlines()) == 3  # no cell
    assert "costs in docs/results.md stays as it is" in capsys.readouterr().err


def test_update_refuses_a_document_without_the_part(tmp_path):
    update = load(ROOT / "docs" / "update.py", "update")
    path = tmp_path / "README.md"
    path.write_text("<!-- table1 -->\nopen")
    with pytest.raises(SystemExit, match=r"README.md has no part <!-- table1 -->"):
        update.fill(path, "table1", "new")
