"""Rows: the residuals of a problem at its points, and their derivatives for double PINN.

A row block holds one residual, or one derivative of it, at all points of its set. The derivatives
are taken *along the set on which the residual lives* (paper, Eq. 4): ∂x and ∂t in the domain, ∂x on
the initial edge, ∂t on the boundaries. They follow from the problem's pointwise line by the chain
rule, never by hand: with F = L u + R(u, u_x, ..., x, t), where L collects the derivatives that
enter with constant coefficients,

    ∂F = (∂L) u + dR[∂u, ∂u_x, ..., ∂x, ∂t],

∂L u is one more channel of the network (see :mod:`double_pinn.numerics.derivatives`) and dR is a ``jvp``.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from double_pinn.numerics import derivatives as d
from double_pinn.numerics.cores import own_share, total
from double_pinn.numerics.points import PointSets
from double_pinn.numerics.problems import Initial, Left, Periodic, Problem, kind_of

X, T = 0, 1
_AXIS_NAMES = {None: "", X: "_x", T: "_t"}
EQUATION = "equation"

# Points times channels, for each core, of a block that stays in cache through all layers; and of
# one where every core has blocks of its own.
_BLOCK_COLUMNS = 450
_OWN_BLOCK_COLUMNS = 350


class Field:
    """The solution at a point, as a residual's line sees it: ``u``, ``u.t``, ``u.xx``.

    Arithmetic and NumPy's elementwise functions, such as ``np.sin(u)``, act on the value; functions
    of ``jax.numpy`` take ``u.value``.
    """

    def __init__(self, lookup: Callable[[d.Index], object]):
        self._lookup = lookup

    @property
    def value(self):
        """The value of u."""
        return self._lookup(d.VALUE)

    def __getattr__(self, name):
        return self._lookup(d.index_of(name))

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options:
            return NotImplemented
        return getattr(jnp, ufunc.__name__)(*map(_plain, inputs))


def _forward(name):
    return lambda self, *others: getattr(jnp.asarray(self.value), name)(*map(_plain, others))


for _name in (
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "pow",
    "rpow",
    "neg",
    "pos",
    "abs",
):
    setattr(Field, f"__{_name}__", _forward(f"__{_name}__"))


def _plain(value):
    return value.value if isinstance(value, Field) else value


@dataclass(frozen=True)
class RowBlock:
    """What one block of rows is.

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
    def name(self) -> str:
        """The term, with ``_x`` or ``_t`` for a derived block."""
        return self.term + _AXIS_NAMES[self.axis]


class _Line:
    """One pointwise line, split into its linear part L and the rest R.

    Attributes:
        term: name of the loss term.
        places: index into the set's places (one, or left and right) of each field.
        linear: for each field, the functional L.
        named: for each field, the derivatives in R.
    """

    def __init__(self, term: str, fields: int, function: Callable):
        self.term = term
        self._function, self._fields = function, fields
        used: list[dict[d.Index, int]] = [{} for _ in range(fields)]

        def record(k):
            def lookup(index):
                # An arbitrary number: only the names matter, and that nothing divides by zero.
                used[k].setdefault(index, None)
                return 0.618 + 0.1 * sum(index) + 0.01 * k

            return Field(lookup)

        _plain(function([record(k) for k in range(fields)], 0.3, 0.4))
        slots = [(k, index) for k in range(fields) for index in used[k]]
        # The split is a fact about the line, whether or not somebody is tracing right now.
        with jax.ensure_compile_time_eval():
            constant = self._constant_slopes(slots)
            is_zero_without = self._is_zero_without(slots)
        self.linear = [
            d.combination({i: c for (k, i), c in constant.items() if k == field})
            for field in range(fields)
        ]
        self._rest = [slot for slot in slots if slot not in constant]
        self._rest_is_zero = not self._rest and is_zero_without

    def _call(self, values: dict, x, t):
        zero = jnp.zeros((), jnp.result_type(x))
        fields = [
            Field(lambda index, k=k: values.get((k, index), zero)) for k in range(self._fields)
        ]
        return jnp.asarray(_plain(self._function(fields, x, t)))

    def _constant_slopes(self, slots):
        """Return the derivatives (order one or more) whose coefficient is a constant.

        A coefficient counts as constant if its traced expression does not depend on any input.
        """

        def line(values, x, t):
            return self._call(dict(zip(slots, values, strict=True)), x, t)

        example = (jnp.full(len(slots), 0.5), jnp.asarray(0.3), jnp.asarray(0.4))
        slopes = lambda values, x, t: list(jax.grad(line)(list(values), x, t))  # noqa: E731
        dependent = _dependent_outputs(slopes, *example)
        values = slopes(*example)
        return {
            slot: float(value)
            for slot, value, depends in zip(slots, values, dependent, strict=True)
            if not depends and slot[1] != d.VALUE and float(value) != 0
        }

    def _is_zero_without(self, slots):
        probe = [(0.3, 0.4), (-0.7, 0.1)]
        zeros = dict.fromkeys(slots, jnp.asarray(0.0))
        line = lambda x, t: self._call(zeros, x, t)  # noqa: E731
        depends = _dependent_outputs(line, jnp.asarray(0.3), jnp.asarray(0.4))
        return not any(depends) and all(float(line(*map(jnp.asarray, p))) == 0 for p in probe)

    def functionals(self, axes: Sequence[int]) -> list[list[d.Functional]]:
        """Return, for each field, what its plan must carry for the row and its ∂ along ``axes``."""
        wanted = []
        for field, linear in enumerate(self.linear):
            mine = [linear, *(d.partial(i) for k, i in self._rest if k == field)]
            wanted.append(mine + [d.differentiate(f, axis) for f in mine for axis in axes])
        return wanted

    def row(self, plans, values, x, t, axis: int | None):
        """Return the row, or its derivative along ``axis``, shape (n,)."""

        def linear_part(derived):
            parts = [
                plan.select(v, derived(f))
                for plan, v, f in zip(plans, values, self.linear, strict=True)
                if f
            ]
            return sum(parts[1:], start=parts[0]) if parts else 0.0

        pick = lambda field, f: plans[field].select(values[field], f)  # noqa: E731
        at_points = [pick(k, d.partial(i)) for k, i in self._rest]

        def rest(values, x, t):
            return jax.vmap(
                lambda v, x, t: self._call(dict(zip(self._rest, v, strict=True)), x, t)
            )(values, x, t)

        if axis is None:
            total = linear_part(lambda f: f)
            return total if self._rest_is_zero else total + rest(at_points, x, t)
        total = linear_part(lambda f: d.differentiate(f, axis))
        if self._rest_is_zero:
            return total
        slopes = [pick(k, d.differentiate(d.partial(i), axis)) for k, i in self._rest]
        along_x, along_t = jnp.full_like(x, axis == X), jnp.full_like(t, axis == T)
        return total + jax.jvp(rest, (at_points, x, t), (slopes, along_x, along_t))[1]


def _dependent_outputs(function, *example) -> list[bool]:
    """Tell for each output whether its traced expression depends on any input."""
    closed = jax.make_jaxpr(function)(*example)
    known = set(closed.jaxpr.invars)

    def depends(v):
        return not isinstance(v, Literal) and v in known

    for equation in closed.jaxpr.eqns:
        if any(map(depends, equation.invars)):
            known.update(equation.outvars)
    return [depends(v) for v in closed.jaxpr.outvars]


class PointSet:
    """The lines that share a set of points, with the channels they need there."""

    def __init__(self, places, lines: Sequence[_Line], residual_axes, derived_axes):
        self.places = places  # [(x, t), ...], each of shape (n,)
        self.lines, self.derived_axes = lines, derived_axes
        per_line = [line.functionals(residual_axes) for line in lines]
        self.plans = [
            d.make_plan(f for line in per_line for f in line[k]) for k in range(len(places))
        ]

    def rows(self, layers, box, places=None):
        """Return the rows of all lines, at the set's own places or at others."""
        places = self.places if places is None else places
        values = [
            d.network_channels(layers, x, t, box, plan)
            for (x, t), plan in zip(places, self.plans, strict=True)
        ]
        return self._rows_of(values, places)

    def tapped_rows(self, layers, box, places, shifts):
        """Return the rows, and each layer's inputs at each place, for shifted layer outputs.

        Args:
            layers: of the network.
            box: the domain.
            places: where.
            shifts: for each place, what :func:`derivatives.tapped_channels` takes.
        """
        pairs = [
            d.tapped_channels(layers, x, t, box, plan, s)
            for (x, t), plan, s in zip(places, self.plans, shifts, strict=True)
        ]
        return self._rows_of([values for values, _ in pairs], places), [taps for _, taps in pairs]

    def _rows_of(self, values, places):
        x, t = places[0]
        return [
            line.row(self.plans, values, x, t, axis)
            for line in self.lines
            for axis in (None, *self.derived_axes)
        ]

    def active_channels(self) -> list[list[int]]:
        """Return, for each block of rows, the channels on which it depends.

        Channels are counted over all places, one after the other.
        """
        starts = np.cumsum([0, *(len(plan) for plan in self.plans)])
        return [
            sorted(
                int(start) + k
                for start, plan, functionals in zip(
                    starts,
                    self.plans,
                    line.functionals(() if axis is None else (axis,)),
                    strict=False,
                )
                for k in plan.needed_channels(functionals)
            )
            for line in self.lines
            for axis in (None, *self.derived_axes)
        ]

    @property
    def block_count(self) -> int:
        """The number of row blocks of the set."""
        return len(self.lines) * (1 + len(self.derived_axes))

    @property
    def columns(self) -> int:
        """Channels a point of the set, over all its places."""
        return sum(len(plan) for plan in self.plans)

    def cut(self, columns: float, parts: int = 1):
        """Cut the points into equal blocks of about ``columns`` points times channels.

        Args:
            columns: points times channels of a block.
            parts: deal the points out at random to so many parts first, each cut by itself; a
                part is a run of blocks. The random numbers are the same every time.

        Returns:
            ``(places, counts)``: the places with a leading axis of blocks, and a mask of 0 and 1
            of shape (blocks, size): a part's last block is filled up with points that do not count.
        """
        n = self.places[0][0].size
        order = np.arange(n) if parts == 1 else np.random.default_rng(0).permutation(n)
        largest = -(-n // parts)
        blocks = max(1, round(largest * self.columns / columns))
        size = -(-largest // blocks)
        take = np.full((parts, blocks * size), -1)
        for part in range(parts):
            mine = order[part::parts]
            take[part, : mine.size] = mine
        take = take.reshape(parts * blocks, size)
        counts = (take >= 0).astype(self.places[0][0].dtype)
        take = np.where(take >= 0, take, n - 1)
        return [(x[take], t[take]) for x, t in self.places], counts

    def _share(self, columns: float, cores: int):
        """Return what :meth:`cut` returns for this core's share of the points."""
        places, counts = self.cut(columns, cores)
        own = lambda a: own_share(a, cores)  # noqa: E731
        return [(own(x), own(t)) for x, t in places], own(counts)

    def weighted_square(self, layers, box, weights, cores: int = 1):
        """Return Σ weight · mean(row²), block by block of points, or this core's share of it.

        A block's channels stay in cache from the first layer to the gradient, which is taken
        together with the value: a backward pass over all points would find them in memory only.
        """
        n = self.places[0][0].size
        places, counts = self._share(_block_columns(cores), cores)

        def square(layers, places, counts):
            rows = self.rows(layers, box, places)
            return sum(w / n * jnp.vdot(r * counts, r) for w, r in zip(weights, rows, strict=True))

        if len(counts) == 1:
            return square(layers, [(x[0], t[0]) for x, t in places], counts[0])

        @jax.custom_vjp
        def all_blocks(layers):
            return with_gradient(layers)[0]

        def with_gradient(layers):
            def add(carry, block):
                return jax.tree.map(jnp.add, carry, jax.value_and_grad(square)(layers, *block)), ()

            start = (jnp.zeros((), counts.dtype), jax.tree.map(jnp.zeros_like, layers))
            return jax.lax.scan(add, start, (places, counts))[0]

        all_blocks.defvjp(
            with_gradient, lambda gradient, g: (jax.tree.map(lambda leaf: g * leaf, gradient),)
        )
        return all_blocks(layers)

    def mean_square_shares(self, layers, box, cores: int) -> list:
        """Return this core's share of each block's mean square."""
        places, counts = self._share(math.inf, cores)
        rows = self.rows(layers, box, [(x[0], t[0]) for x, t in places])
        return [jnp.vdot(row * counts[0], row) / self.places[0][0].size for row in rows]


def _block_columns(cores: int = 1) -> float:
    """Return points times channels of a block: what the cores' caches hold, on a GPU all."""
    if jax.default_backend() != "cpu":
        return math.inf
    if cores > 1:
        return _OWN_BLOCK_COLUMNS
    # XLA has a thread for each core that this variable (see cli.configure_jax) leaves it.
    cores = os.environ.get("NPROC") or os.cpu_count() or 1
    return _BLOCK_COLUMNS * int(cores)


class RowSystem:
    """All rows of a problem at a set of points.

    Attributes:
        blocks: what each block is, in the order of :meth:`rows`.
    """

    def __init__(
        self,
        problem: Problem,
        points: PointSets,
        dtype,
        *,
        equation_weight: float = 0.0,
        condition_weight: float = 0.0,
        cores: int = 1,
    ):
        """Plan the rows.

        Args:
            problem: the equation.
            points: its points; they are cast to ``dtype``.
            dtype: of the rows.
            equation_weight: weight of the derived rows of the equation; 0: there are none.
            condition_weight: the same for the derived rows of the conditions.
            cores: over which the points are dealt out, see :mod:`double_pinn.numerics.cores`.
        """
        self.problem, self.dtype, self.cores = problem, jnp.dtype(dtype), cores
        cast = lambda a: np.asarray(a, self.dtype)  # noqa: E731
        x, t, x_edge, t_edge = map(cast, (points.x, points.t, points.x_edge, points.t_edge))
        (x0, x1), (t0, _) = problem.x_range, problem.t_range
        at = lambda value, like: np.full_like(like, value)  # noqa: E731
        edges = {
            Initial: [(x_edge, at(t0, x_edge))],
            Periodic: [(at(x0, t_edge), t_edge), (at(x1, t_edge), t_edge)],
        }
        self._sets: list[PointSet] = []
        self.blocks: list[RowBlock] = []

        def add(places, lines, axes, weight):
            axes = axes if weight else ()
            self._sets.append(PointSet(places, lines, axes, axes))
            self.blocks += [
                RowBlock(line.term, axis, 1.0 if axis is None else weight, places[0][0].size)
                for line in lines
                for axis in (None, *axes)
            ]

        line = _Line(EQUATION, 1, lambda u, x, t: problem.residual(u[0], x, t))
        add([(x, t)], [line], (X, T), equation_weight)
        for kind in dict.fromkeys(map(kind_of, problem.conditions)):
            conditions = [c for c in problem.conditions if kind_of(c) is kind]
            lines = [_condition_line(c) for c in conditions]
            if kind in edges:
                places = edges[kind]
            else:
                places = [(at(x0 if kind is Left else x1, t_edge), t_edge)]
            add(places, lines, (X,) if kind is Initial else (T,), condition_weight)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the loss terms, in order, without the derived rows."""
        return tuple(dict.fromkeys(block.term for block in self.blocks))

    @property
    def sets(self) -> list:
        """The sets of points, each with the blocks of rows that live on it."""
        pairs, blocks = [], iter(self.blocks)
        for point_set in self._sets:
            pairs.append((point_set, [next(blocks) for _ in range(point_set.block_count)]))
        return pairs

    @property
    def box(self):
        """The domain ((x0, x1), (t0, t1)) that the network rescales."""
        return self.problem.x_range, self.problem.t_range

    def rows(self, layers) -> list:
        """Return one array of shape (block.count,) a block.

        Args:
            layers: ``(kernel, bias)`` a layer, of the system's dtype.
        """
        return [row for point_set in self._sets for row in point_set.rows(layers, self.box)]

    def weighted_square(self, layers) -> jax.Array:
        """Return Σ weight · mean(row²) over all blocks (Eqs. 2-4), a scalar; fast to differentiate.

        Reverse mode only, once: use :meth:`rows` for anything else. Of several cores, each returns
        the share of its points.
        """
        return sum(
            point_set.weighted_square(
                layers, self.box, [block.weight for block in blocks], self.cores
            )
            for point_set, blocks in self.sets
        )

    def mean_squares(self, layers) -> jax.Array:
        """Return the mean square of every block, shape (len(blocks),), without weights."""
        shares = [
            share
            for point_set, _ in self.sets
            for share in point_set.mean_square_shares(layers, self.box, self.cores)
        ]
        return total(jnp.stack(shares), self.cores)


def _condition_line(condition) -> _Line:
    if isinstance(condition, Periodic):
        return _Line(condition.name, 2, lambda u, x, t: condition.residual(u[0], u[1], t))
    if isinstance(condition, Initial):
        return _Line(condition.name, 1, lambda u, x, t: condition.residual(u[0], x))
    return _Line(condition.name, 1, lambda u, x, t: condition.residual(u[0], t))


def pointwise_residual(problem: Problem, layers, x, t):
    """Return F(u) of a network at points, shape (n,) (the residual fields of Figs. 1, 3 and 6)."""
    line = _Line(EQUATION, 1, lambda u, x, t: problem.residual(u[0], x, t))
    point_set = PointSet([(x, t)], [line], (), ())
    return point_set.rows(layers, (problem.x_range, problem.t_range))[0]
