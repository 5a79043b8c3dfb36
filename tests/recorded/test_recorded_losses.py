"""The numbers of training stay what they were, but for rounding (to the bit: losses.py)."""

import copy
import json

import numpy as np
import pytest
from losses import RECORD, WARMUP, cases, trained

CASES = dict(cases())
RECORDED = json.loads(RECORD.read_text())
#: Rounding differs between machines, and every iteration amplifies it; a second-order one more.
TOLERANCE = {"fp64": (1e-6, 1e-4), "fp32": (2e-2, 1e-1)}
FIRST, SECOND = 20, 5

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_every_case_is_recorded():
    assert RECORDED.keys() == CASES.keys()


def is_quick(name):
    """Every regulariser by L-BFGS, double PINN by every optimiser; others take long to compile."""
    optimizer, regularizer, *rest = name.split("-")
    is_plain = rest == ["fp64"] and (optimizer == "lbfgs" or regularizer == "double")
    return is_plain or name == "lbfgs-double-fp32"


@pytest.mark.parametrize(
    "name",
    [name if is_quick(name) else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_the_first_iterations_are_those_recorded(name):
    settings = copy.deepcopy(CASES[name])
    second_order = settings["optimizer"]["name"] == "gauss_newton"
    settings["stopping"]["max_iterations"] = WARMUP + SECOND if second_order else FIRST
    found, recorded = trained(settings), RECORDED[name]
    tolerance = TOLERANCE[settings["precision"]][second_order]
    for column, values in found.items():
        np.testing.assert_allclose(
            values, recorded[column][: len(values)], rtol=tolerance, err_msg=column
        )
