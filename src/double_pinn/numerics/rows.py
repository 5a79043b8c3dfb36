"""Rows: the residuals of a problem at its points, and their derivatives for double PINN.

A group of rows holds one residual, or one derivative of it, at all points of its set. The
derivatives are taken *along the set on which the residual lives* (paper, Eq. 4): ∂x and ∂t in the
domain, ∂x on the initial edge, ∂t on the boundaries. They follow from the problem's pointwise line
(see :mod:`double_pinn.numerics.lines`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from double_pinn.numerics.cores import sum_over_cores
from double_pinn.numerics.lines import Line
from double_pinn.numerics.points import Points
from double_pinn.numerics.problems.base import (
    ALIGNMENT,
    AXES,
    EQUATION,
    Problem,
    kind_of,
)
from double_pinn.numerics.problems.checks import check_conditions, where
from double_pinn.numerics.row_sets import RowSet

_AXIS_NAMES = {number: name for name, number in AXES.items()}


@dataclass(frozen=True)
class RowGroup:
    """What one group of rows is.

    Attributes:
        term: the loss term it belongs to, such as ``equation`` or ``initial_u``.
        axis: ``None`` for the residual itself, 0 for its ∂x, 1 for its ∂t.
        weight: weight of its mean square in the loss: 1, or double PINN's w.
        count: number of rows.
    """

    term: str
    axis: int | None
    weight: float
    count: int

    @property
    def is_residual(self) -> bool:
        """Whether it is a residual itself: no derivative of one, and not the alignment."""
        return self.axis is None and self.term != ALIGNMENT

    @property
    def name(self) -> str:
        """The term, with ``_x`` or ``_t`` for a derived group."""
        return self.term + ("" if self.axis is None else f"_{_AXIS_NAMES[self.axis]}")


class RowSystem:
    """All rows of a problem at a set of points.

    Attributes:
        groups: what each group of rows is, in the order of :meth:`rows`.
    """

    def __init__(
        self,
        problem: Problem,
        points: Points,
        dtype,
        *,
        equation_axes: Sequence[str] = ("x", "t"),
        equation_weight: float = 0.0,
        condition_weight: float = 0.0,
        term_weights: Mapping[str, float] | None = None,
        grid_column: int = 1,
        network,
        cores: int = 1,
    ):
        """Plan the rows.

        Args:
            problem: the equation.
            points: its points; they are cast to ``dtype``.
            dtype: of the rows.
            equation_axes: axes along which the equation's residual is derived.
            equation_weight: weight of these derived rows; 0: there are none.
            condition_weight: weight of the derived rows of the conditions, each along its edge; 0:
                there are none.
            term_weights: of the loss terms, by name, with their derived rows; 1 where nothing is
                said.
            grid_column: points of the grid along t, for the rows of the alignment; 1: there are
                none.
            network: what evaluates the channels, see :class:`RowSet`.
            cores: over which the points are dealt out, see :mod:`double_pinn.numerics.cores`.
        """
        self.problem, self.dtype, self.cores = problem, jnp.dtype(dtype), cores
        x, t, x_edge, t_edge = (np.asarray(a, self.dtype) for a in points)
        self._sets: list[RowSet] = []
        self.groups: list[RowGroup] = []
        of_term = term_weights or {}

        def add(places, lines, axes, weight, **options):
            axes = [AXES[name] for name in axes] if weight else []
            self._sets.append(RowSet(places, lines, axes, network, **options))
            self.groups += [
                RowGroup(
                    line.term,
                    axis,
                    of_term.get(line.term, 1.0) * (1.0 if axis is None else weight),
                    places[0][0].size,
                )
                for line in lines
                for axis in (None, *axes)
            ]

        check_conditions(problem)
        line = [equation_line(problem)]
        add([(x, t)], line, equation_axes, equation_weight, column=grid_column)
        if grid_column > 1:
            pairs = x.size // grid_column * (grid_column - 1)
            self.groups.append(RowGroup(ALIGNMENT, None, of_term.get(ALIGNMENT, 1.0), pairs))
        for kind, places, lines in condition_lines(problem, x_edge, t_edge):
            # A sequence leaves an edge of constant t with its second element; what is said of
            # derivatives holds of all the same, as in the models that are made so.
            values = [line.term for line in lines if line.order == 0]
            is_left = kind.tangent == "x" and network.network.sees_sequences
            add(places, lines, [kind.tangent], condition_weight, starts=values if is_left else ())

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the loss terms, in order, without the derived rows and the alignment."""
        return tuple(dict.fromkeys(group.term for group in self.groups if group.is_residual))

    @property
    def sets(self) -> list:
        """The sets of rows, each with its groups."""
        groups = iter(self.groups)
        return [(rows, [next(groups) for _ in range(rows.group_count)]) for rows in self._sets]

    @property
    def box(self):
        """The domain ((x0, x1), (t0, t1)) that the network rescales."""
        return self.problem.x_range, self.problem.t_range

    def rows(self, weights) -> list:
        """Return one array of shape (group.count,) a group, of sequences (group.count, L).

        Args:
            weights: of the network, of the system's dtype.
        """
        return [row for row_set in self._sets for row in row_set.rows(weights, self.box)]

    def weighted_square(self, weights) -> Float[Array, ""]:
        """Return Σ weight · mean(row²) over all groups (Eqs. 2-4), a scalar; fast to differentiate.

        Reverse mode only, once: use :meth:`rows` for anything else. Of several cores, each returns
        the share of its points.
        """
        return sum(
            row_set.weighted_square(
                weights, self.box, [group.weight for group in groups], self.cores
            )
            for row_set, groups in self.sets
        )

    def mean_squares(self, weights) -> Float[Array, " groups"]:
        """Return the mean square of every group, shape (len(groups),), without weights."""
        shares = [
            share
            for row_set, _ in self.sets
            for share in row_set.mean_square_shares(weights, self.box, self.cores)
        ]
        return sum_over_cores(jnp.stack(shares), self.cores)


def equation_line(problem: Problem) -> Line:
    """Return the line of the equation itself.

    Raises:
        SettingsError: see :class:`Line`.
    """
    what = f"{where(type(problem))}: residual"
    return Line(EQUATION, 1, lambda u, x, t: problem.residual(u[0], x, t), what)


def condition_lines(problem: Problem, x_edge, t_edge) -> Iterator[tuple]:
    """Yield each kind of condition, its places, and the lines that hold there.

    Args:
        problem: the equation.
        x_edge: positions along an edge of constant t, shape (m,).
        t_edge: instants along an edge of constant x, shape (m,).

    Raises:
        SettingsError: see :class:`Line`.
    """
    for kind in dict.fromkeys(map(kind_of, problem.conditions)):
        places = kind.places(problem, x_edge, t_edge)
        what = f"{where(type(problem))}: the condition"
        yield (
            kind,
            places,
            [
                Line(c.name, len(places), c.line, f"{what} {c.name!r}")
                for c in problem.conditions
                if kind_of(c) is kind
            ],
        )


def pointwise_residual(problem: Problem, weights, x, t, network):
    """Return F(u) of a network's field at points, shape (n,) (residuals of Figs. 1, 3 and 6).

    Args:
        problem: the equation.
        weights: of the network.
        x: positions, shape (n,).
        t: instants, shape (n,).
        network: what evaluates the channels, see :class:`RowSet`.
    """
    rows, box = _equation_rows(problem, x, t, network)
    values = [network.network_channels(weights, x, t, box, plan) for plan in rows.plans]
    return rows.rows_from(rows.plans, values, x, t)[0]


def trained_residual(problem: Problem, weights, x, t, network):
    """Return F(u) as the network is trained on it: of a sequence model, shape (n, L).

    The arguments are those of :func:`pointwise_residual`.
    """
    rows, box = _equation_rows(problem, x, t, network)
    return rows.rows(weights, box)[0]


def _equation_rows(problem, x, t, network):
    rows = RowSet([(x, t)], [equation_line(problem)], (), network)
    return rows, (problem.x_range, problem.t_range)
