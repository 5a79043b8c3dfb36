"""What the README shows works as it stands there."""

import importlib.util
import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from double_pinn.configuration.settings import Points, Regularizer
from double_pinn.numerics.networks.mlp import FlatMLP
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import training_points
from double_pinn.results import reference

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def fisher(tmp_path, monkeypatch):
    """The equation of one's own, as a file."""
    (source,) = (s for s in re.findall(r"```python\n(.*?)```", README, re.S) if "(Problem)" in s)
    path = tmp_path / "fisher.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("fisher", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fisher", module)
    spec.loader.exec_module(module)
    return module.Fisher()


def test_an_equation_of_ones_own_has_a_reference(fisher):
    solution = reference.solve(fisher, 17, 5)
    assert solution["u"].shape == (17, 5)
    assert float(solution["reference_error"]) < 1e-6
    # Growth from 0.1 towards 1.
    assert 0.5 < float(solution["u"].isel(t=-1).max()) < 1


def test_an_equation_of_ones_own_has_rows(fisher):
    system = row_system(
        fisher, training_points(Points(4, 3, 5), fisher), np.float64, Regularizer("double", 5e-4)
    )
    network = FlatMLP(1, 8, np.float64)
    names = [block.name for block in system.blocks]
    assert names[:3] == ["equation", "equation_x", "equation_t"]
    assert {"initial_u_x", "periodic_u_t", "periodic_u_x_t"} <= set(names)
    rows = jax.jit(lambda p: system.rows(network.layers(p)))(network.init(0))
    assert all(np.all(np.isfinite(row)) for row in rows)


def test_no_link_of_the_readme_is_dead():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
