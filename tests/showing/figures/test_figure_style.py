"""Scales and words of the figures."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import LogNorm

from double_pinn.errors import DataError
from double_pinn.showing import wording
from double_pinn.showing.figures import style


def test_field_scale_is_symmetric_about_white_for_signed_fields():
    scale = style.field_scale(np.array([-0.5, 0.2]), np.array([-0.4, 0.3]))
    assert (scale.norm.vmin, scale.norm.vmax, scale.extend) == (-0.5, 0.5, "neither")
    assert scale.cmap(scale.norm(0.0)) == pytest.approx((0.966, 0.967, 0.967, 1), abs=0.01)


def test_field_scale_starts_at_white_for_fields_without_sign():
    scale = style.field_scale(np.array([0.0, 2.0]))
    assert (scale.norm.vmin, scale.norm.vmax) == (0, 2)
    assert scale.cmap(scale.norm(0.0)) == pytest.approx((0.966, 0.967, 0.967, 1), abs=0.01)


@pytest.mark.parametrize(
    ("field", "extend"),
    [([-1.005, 1.005], "neither"), ([0, 1.5], "max"), ([-9, 0], "min"), ([-9, 9], "both")],
)
def test_field_scale_shows_what_lies_beyond_the_reference(field, extend):
    assert style.field_scale(np.array([-1, 1]), np.array(field)).extend == extend


def test_field_scale_needs_a_finite_reference():
    with pytest.raises(DataError, match="u_reference"):
        style.field_scale(np.array([np.nan]))


def test_residual_scale_covers_whole_decades_of_all_residuals():
    scale = style.residual_scale(np.full(50, 30.0), np.full(50, -2e-3), np.array([np.nan]))
    assert isinstance(scale.norm, LogNorm)
    assert (scale.norm.vmin, scale.norm.vmax) == pytest.approx((1e-3, 1e2))


def test_residual_scale_is_limited_and_survives_zeros():
    scale = style.residual_scale(np.array([1.0, *[1e-12] * 99]), decades=6)
    assert (scale.norm.vmin, scale.extend) == (pytest.approx(1e-6), "min")
    assert style.residual_scale(np.zeros(3)).norm.vmin > 0


def test_error_scale_of_a_perfect_or_failed_field():
    assert style.error_scale(np.zeros(3)).norm.vmax > 0
    assert style.error_scale(np.array([np.nan])).norm.vmax > 0


def test_the_theme_leaves_no_trace():
    before = dict(mpl.rcParams)
    style.themed(lambda: style.canvas(2))()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("value", "text"), [(4.9e-6, "4.9e-6"), (12, "1.2e1"), (0.0, "0.0e0"), (np.nan, "nan")]
)
def test_scientific(value, text):
    assert wording.scientific(value) == text


@pytest.mark.parametrize(("value", "text"), [(5e-4, "5e-4"), (1.25e-6, "1.25e-6"), (0, "0")])
def test_compact(value, text):
    assert wording.compact(value) == text


def test_words():
    values = {0.984: "0.98", 1.02: "1.02", 9.996: "10", 13.57: "14", 100: "1.0e2", 4.9e-6: "4.9e-6"}
    assert [wording.short(value) for value in values] == list(values.values())
    assert wording.equation_label("allen_cahn") == "Allen-Cahn"
    assert wording.optimizer_label("some_other") == "some other"
    assert wording.stop_phrase("line_search_failed") == "stopped: line search failed"
