"""The claims of the paper that this workflow can decide, and the rule for each.

A rule sees the evaluations of the cells that its figure or table shows, by their role, and the
published numbers. It returns whether the claim holds, and the numbers that decide it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from double_pinn.showing import wording
from double_pinn.showing.claims import measures as m
from double_pinn.showing.models import MODELS
from double_pinn.showing.slices import slice_time

Cells = Mapping[str, xr.Dataset]
Verdict = tuple[bool, str]


class Claim(NamedTuple):
    """A claim of the paper.

    Attributes:
        where: the figure or table, such as ``Figure 1``.
        text: what is claimed, in a line.
        needs: the cells, as ``used_in`` says: ``figure1:none``. Of those with a ``|`` between them
            the rule takes the list of those that there are, one at least.
        rule: decides it from these cells, in this order; ``None`` where the published numbers lack
            what it compares with.
        published: the equation whose published numbers the rule takes as well; empty: none.
    """

    where: str
    text: str
    needs: tuple[str, ...]
    rule: Callable[..., Verdict | None]
    published: str = ""


def _fails(cell: xr.Dataset) -> Verdict:
    failed = m.failed(cell)
    return bool(failed.all()), m.losses(cell) + _count(failed, "fail")


def _cured(cell: xr.Dataset) -> Verdict:
    cured = m.cured(cell)
    return bool(cured.all()), m.losses(cell) + _count(cured, "are cured")


def _count(seeds, verb: str) -> str:
    return f" ({seeds.sum()} of {seeds.size} seeds {verb})" if seeds.size > 1 else ""


def _minima(cell: xr.Dataset) -> Verdict:
    return m.at_points(cell) <= m.MINIMA, _residual(cell)


def _minima_of_slice(cell: xr.Dataset) -> Verdict:
    time = slice_time(cell)
    return m.at_points_of_slice(cell, time) <= m.MINIMA, _slice(cell, time)


def _no_minima_of_slice(cell: xr.Dataset, none: xr.Dataset) -> Verdict:
    time = slice_time(none)
    return m.at_points_of_slice(cell, time) >= m.NO_MINIMA, _slice(cell, time)


def _residual(cell: xr.Dataset) -> str:
    ratio = wording.short(m.at_points(cell))
    return f"{m.by(cell)}: root mean square of F(u) at the points {ratio} of that everywhere"


def _slice(cell: xr.Dataset, time: float) -> str:
    ratio, everywhere = m.at_points_of_slice(cell, time), m.at_points(cell)
    return (
        f"{m.by(cell)}: root mean square of F(u) at the points {wording.short(ratio)} of that "
        f"along the slice at t = {time:.3f}; of the whole domain {wording.short(everywhere)}"
    )


def _badly_optimised(cell: xr.Dataset) -> Verdict:
    wrong = m.median(cell, "rmae") >= m.WRONG
    return wrong and m.final_ratio(cell) <= m.TOGETHER, m.losses(cell)


def _solved(cell: xr.Dataset) -> Verdict:
    return m.median(cell, "rmae") <= m.SOLVED, m.losses(cell)


def _solved_then_turns(cell: xr.Dataset) -> Verdict:
    turns, rise = m.turns(cell)
    words = f"{m.losses(cell)}; the test loss ends at {wording.short(rise)} times its least"
    return m.median(cell, "rmae") <= m.SOLVED and turns, words


def _smallest_error(best: xr.Dataset, *others: xr.Dataset) -> Verdict:
    errors = [m.median(cell, "rmae") for cell in (best, *others)]
    return min(errors) == errors[0], _by_name((best, *others), errors)


def _largest_error(worst: xr.Dataset, *others: xr.Dataset) -> Verdict:
    errors = [m.median(cell, "rmae") for cell in (worst, *others)]
    return max(errors) == errors[0], _by_name((worst, *others), errors)


def _all_cured(*cells: xr.Dataset) -> Verdict:
    verdicts = [_cured(cell) for cell in cells]
    words = "; ".join(
        f"{wording.regularizer_label(cell)}, {words}"
        for cell, (_, words) in zip(cells, verdicts, strict=True)
    )
    return all(holds for holds, _ in verdicts), words


def _fastest(best: xr.Dataset, *others: xr.Dataset) -> Verdict:
    cells = (best, *others)
    level = m.common_level(*cells)
    firsts = [float(np.median(m.reached(cell, level))) for cell in cells]
    words = "; ".join(
        f"{wording.regularizer_label(cell)} {first:,.0f}"
        for cell, first in zip(cells, firsts, strict=True)
    )
    text = f"iterations to a test loss of {wording.scientific(level)}: {words}"
    return firsts[0] < min(firsts[1:]), text


def _by_name(cells, errors) -> str:
    return "; ".join(
        f"{wording.regularizer_label(cell)} {cell.attrs['precision'].upper()} ({m.by(cell)}) rMAE "
        f"{wording.scientific(error)}"
        for cell, error in zip(cells, errors, strict=True)
    )


def _at_the_papers_error(cell: xr.Dataset, published: Mapping[str, dict]) -> Verdict | None:
    if (paper := published.get("double PINN")) is None:
        return None
    holds, words = True, []
    for name, label in (("rmae", "rMAE"), ("rrmse", "rRMSE")):
        ours, theirs = m.median(cell, name), paper[f"{name}_mean"]
        most = theirs + paper[f"{name}_std"]
        holds = holds and ours <= most
        words.append(
            f"{label} {wording.scientific(ours)} (paper {wording.scientific(theirs)} ± "
            f"{wording.scientific(paper[f'{name}_std'])})"
        )
    return holds, f"{m.by(cell)}: {', '.join(words)}"


def _below_the_other_models(
    cells: Sequence[xr.Dataset], published: Mapping[str, dict]
) -> Verdict | None:
    others = {name: row["rmae_mean"] for name, row in published.items() if name != "double PINN"}
    if not others:
        return None
    words = ", ".join(f"{name} {wording.scientific(error)}" for name, error in others.items())
    return _least(cells) < min(others.values()), f"rMAE by {_errors(cells)}; published: {words}"


def _below_those_trained_here(cells: Sequence[xr.Dataset], *others: xr.Dataset) -> Verdict:
    words = ", ".join(
        f"{name} by {_errors([cell])}" for name, cell in zip(_OTHERS.values(), others, strict=True)
    )
    return _least(cells) < _least(others), f"rMAE by {_errors(cells)}; here: {words}"


def _least(cells: Sequence[xr.Dataset]) -> float:
    """Return the smallest error; one that is not finite is no error to be best with."""
    errors = [m.median(cell, "rmae") for cell in cells]
    return min((error for error in errors if math.isfinite(error)), default=math.inf)


def _errors(cells: Sequence[xr.Dataset]) -> str:
    return ", ".join(
        f"{m.by(cell)}, {wording.scientific(m.median(cell, 'rmae'))}" for cell in cells
    )


_EQUATIONS = ("convection", "reaction", "wave", "allen_cahn")
_OTHERS = {key: MODELS[key] for key in ("pinnsformer", "pinnmamba", "pinn_fp64")}


def _of_equations(where: str, text: str, needs: Sequence[str], rule, printed=True) -> list[Claim]:
    """Return the same claim for every equation; the rule of one takes its printed numbers, too."""
    return [
        Claim(
            where,
            f"{wording.equation_label(name)}: {text}",
            tuple(need.replace("EQUATION", name) for need in needs),
            rule,
            name if printed else "",
        )
        for name in _EQUATIONS
    ]


def claims() -> list[Claim]:
    """Return all claims, in the paper's order."""
    first = [
        Claim(
            "Figure 1",
            "without a regulariser the train loss vanishes, the test loss does not, and the field "
            "is wrong (convection, FP32)",
            ("figure1:none",),
            _fails,
        ),
        Claim(
            "Figure 1",
            "its residual is small exactly at the collocation points",
            ("figure1:none",),
            _minima,
        ),
        Claim(
            "Figure 1",
            "double PINN cures it: train and test loss fall together, the field is right",
            ("figure1:double",),
            _cured,
        ),
        Claim(
            "Figure 3",
            "in FP64, too, few points are overfitted: small train loss, large test loss, wrong "
            "field (wave, 144 points)",
            ("figure3:none",),
            _fails,
        ),
        Claim(
            "Figure 3",
            "its residual along the slice has minima exactly at the collocation points",
            ("figure3:none",),
            _minima_of_slice,
        ),
        Claim("Figure 3", "double PINN solves it", ("figure3:double",), _solved),
        Claim(
            "Figure 3",
            "its residual along the same slice has no such minima",
            ("figure3:double", "figure3:none"),
            _no_minima_of_slice,
        ),
        Claim(
            "Figure 4",
            "FP32 optimises badly, yet train and test loss go together: no failure mode "
            "(Allen-Cahn)",
            ("figure4:none_fp32",),
            _badly_optimised,
        ),
        Claim(
            "Figure 4",
            "FP64 without a regulariser solves it, and begins to overfit: the test loss turns up "
            "late",
            ("figure4:none_fp64",),
            _solved_then_turns,
        ),
        Claim(
            "Figure 4",
            "double PINN in FP64 is the best of the three",
            ("figure4:double", "figure4:none_fp64", "figure4:none_fp32"),
            _smallest_error,
        ),
    ]
    regularised = ("figure6:double", "figure6:l2", "figure6:l1")
    last = [
        Claim(
            "Figure 6",
            "double PINN, L² and L¹ all cure the failure mode (convection, FP32)",
            regularised,
            _all_cured,
        ),
        Claim("Figure 6", "double PINN has the smallest error", regularised, _smallest_error),
        Claim("Figure 6", "double PINN is the fastest", regularised, _fastest),
        Claim(
            "Figure 6",
            "L¹ is the worst of the three",
            ("figure6:l1", "figure6:l2", "figure6:double"),
            _largest_error,
        ),
    ]
    double = "table1:EQUATION/double_pinn|table1:EQUATION/double_pinn_gn"
    return [
        *first,
        *_of_equations(
            "Figure 5",
            "double PINN has the paper's errors",
            ["figure5:EQUATION"],
            _at_the_papers_error,
        ),
        *last,
        *_of_equations(
            "Table 1",
            "double PINN, by the better of the optimisers run, is better than every other model",
            [double],
            _below_the_other_models,
        ),
        *_of_equations(
            "Table 1",
            "double PINN has the smallest error of all models trained at this scale",
            [double, *(f"table1:EQUATION/{model}" for model in _OTHERS)],
            _below_those_trained_here,
            printed=False,
        ),
    ]
