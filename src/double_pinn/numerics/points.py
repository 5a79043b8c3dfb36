"""Where the residuals are sampled: training grids and test sets (Section 3.1 and Appendix A)."""

from dataclasses import dataclass

import numpy as np

from double_pinn.configuration.settings import Points, TestPoints
from double_pinn.numerics.problems import Problem


@dataclass(frozen=True)
class PointSets:
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


def collocation_axes(points: Points, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes of the training grid, shapes (nx,) and (nt,), both ends included."""
    return np.linspace(*problem.x_range, points.nx), np.linspace(*problem.t_range, points.nt)


def training_points(points: Points, problem: Problem) -> PointSets:
    """Return the training points: a grid, and equally spaced points on every edge."""
    x, t = (a.ravel() for a in np.meshgrid(*collocation_axes(points, problem), indexing="ij"))
    return PointSets(x, t, *_edges(points.edge, problem))


def test_points(points: TestPoints, problem: Problem) -> PointSets:
    """Return the test points: uniformly random in the domain, equally spaced on every edge."""
    random = np.random.default_rng(points.seed)
    x = random.uniform(*problem.x_range, points.domain)
    t = random.uniform(*problem.t_range, points.domain)
    return PointSets(x, t, *_edges(points.edge, problem))


test_points.__test__ = False  # not a test, whatever its name looks like to pytest


def _edges(n: int, problem: Problem):
    return np.linspace(*problem.x_range, n), np.linspace(*problem.t_range, n)
