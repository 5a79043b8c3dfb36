"""Where the residuals are sampled: training grids and test sets (Section 3.1 and Appendix A)."""

from typing import ClassVar, NamedTuple

import numpy as np

from double_pinn.numerics.problems.base import Problem
from double_pinn.values import AxisCount, Count, Natural, Section


class TrainingGrid(Section):
    """A grid in the domain, and equally spaced points on every edge."""

    nx: AxisCount
    """Points along x, both ends included."""
    nt: AxisCount
    """Points along t, both ends included."""
    edge: AxisCount
    """Points on each initial and boundary set."""


class TestSample(Section):
    """Random points in the domain, equally spaced ones on every edge (Appendix A)."""

    __test__: ClassVar[bool] = False  # no test class, whatever its name looks like to pytest

    domain: Count = 10_000
    """Random points in the domain."""
    edge: AxisCount = 10_000
    """Points on each edge, equally spaced."""
    seed: Natural = 12345
    """Of the random points."""


class Points(NamedTuple):
    """Points of the domain and of its edges, FP64.

    Attributes:
        x: positions in the domain, shape (n,).
        t: instants in the domain, shape (n,).
        x_edge: positions on the initial edge, shape (m,).
        t_edge: instants on the left and right edges, shape (m,).
    """

    x: np.ndarray
    t: np.ndarray
    x_edge: np.ndarray
    t_edge: np.ndarray


def collocation_axes(grid: TrainingGrid, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes of the training grid, shapes (nx,) and (nt,), both ends included."""
    return np.linspace(*problem.x_range, grid.nx), np.linspace(*problem.t_range, grid.nt)


def training_points(grid: TrainingGrid, problem: Problem) -> Points:
    """Return the training points: a grid, and equally spaced points on every edge."""
    x, t = (a.ravel() for a in np.meshgrid(*collocation_axes(grid, problem), indexing="ij"))
    return Points(x, t, *_edges(grid.edge, problem))


def test_points(sample: TestSample, problem: Problem) -> Points:
    """Return the test points: uniformly random in the domain, equally spaced on every edge."""
    random = np.random.default_rng(sample.seed)
    x = random.uniform(*problem.x_range, sample.domain)
    t = random.uniform(*problem.t_range, sample.domain)
    return Points(x, t, *_edges(sample.edge, problem))


test_points.__test__ = False  # type: ignore[attr-defined]  # no test either


def _edges(n: int, problem: Problem):
    return np.linspace(*problem.x_range, n), np.linspace(*problem.t_range, n)
