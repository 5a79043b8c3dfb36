"""Training grids and test sets (Section 3.1 and Appendix A)."""

import numpy as np
import pytest

from double_pinn.configuration.catalogue import get_problem
from double_pinn.numerics import points as p
from double_pinn.numerics.points import TestSample, TrainingGrid


@pytest.fixture(params=["convection", "allen_cahn"])
def problem(request):
    return get_problem(request.param)


def test_training_points_are_a_grid_with_both_ends(problem):
    sets = p.training_points(TrainingGrid(nx=5, nt=4, edge=7), problem)
    x, t = p.collocation_axes(TrainingGrid(nx=5, nt=4, edge=7), problem)
    assert (x[0], x[-1]) == problem.x_range
    assert (t[0], t[-1]) == problem.t_range
    assert sets.x.shape == sets.t.shape == (20,)
    assert set(zip(sets.x, sets.t, strict=True)) == {(a, b) for a in x for b in t}
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0])
    np.testing.assert_array_equal(sets.x_edge, np.linspace(*problem.x_range, 7))
    np.testing.assert_array_equal(sets.t_edge, np.linspace(*problem.t_range, 7))
    assert {a.dtype for a in sets} == {np.dtype(np.float64)}


def test_test_points_are_uniform_in_the_domain_and_equally_spaced_on_edges(problem):
    sets = p.test_points(TestSample(domain=20_000, edge=11, seed=3), problem)
    for values, (low, high) in [(sets.x, problem.x_range), (sets.t, problem.t_range)]:
        assert low <= values.min() < values.max() <= high
        counts, _ = np.histogram(values, bins=10, range=(low, high))
        assert np.abs(counts - 2000).max() < 6 * np.sqrt(2000)
    assert abs(np.corrcoef(sets.x, sets.t)[0, 1]) < 0.05
    np.testing.assert_array_equal(sets.x_edge, np.linspace(*problem.x_range, 11))


def test_test_points_depend_on_their_seed_alone(problem):
    first, again, other = (
        p.test_points(TestSample(domain=9, edge=3, seed=seed), problem) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.any(first.x == other.x)
