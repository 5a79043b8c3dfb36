"""A pointwise line of a problem, and its row at many points: L by channels, the rest by ``jvp``.

With F = L u + R(u, u_x, ..., x, t), where L collects the derivatives that enter with constant
coefficients, the derivative along an axis is

    ∂F = (∂L) u + dR[∂u, ∂u_x, ..., ∂x, ∂t]:

∂L u is one more channel of the network (see :mod:`double_pinn.numerics.derivatives`) and dR is a
``jvp``. The split is found by tracing the line, never by hand.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from double_pinn.numerics import derivatives as d
from double_pinn.numerics.fields import Field, plain
from double_pinn.numerics.problems.base import AXES
from double_pinn.numerics.problems.written import explained, one_number


class Line:
    """One pointwise line, split into its linear part L and the rest R.

    Attributes:
        term: name of the loss term.
        places: index into the set's places (one, or left and right) of each field.
        linear: for each field, the functional L.
        slots: all derivatives in it, each as the number of its field and its index.
    """

    def __init__(self, term: str, fields: int, function: Callable, what: str = "the residual"):
        """Look into a line.

        Args:
            term: name of the loss term.
            fields: how many fields it takes.
            function: ``function(fields, x, t)``, the residual at a point.
            what: who wrote it, for messages.

        Raises:
            SettingsError: if it cannot be evaluated and differentiated, or is no real number.
        """
        self.term = term
        self._function, self._fields = function, fields
        used: list[dict[d.Index, int]] = [{} for _ in range(fields)]

        def record(k):
            def lookup(index):
                # An arbitrary number: only the names matter, and that nothing divides by zero.
                used[k].setdefault(index, None)
                return 0.618 + 0.1 * sum(index) + 0.01 * k

            return Field(lookup)

        # The split is a fact about the line, whether or not somebody is tracing right now.
        with explained(what), jax.ensure_compile_time_eval():
            one_number(plain(function([record(k) for k in range(fields)], 0.3, 0.4)), what)
            slots = [(k, index) for k in range(fields) for index in used[k]]
            constant = self._constant_slopes(slots)
            is_zero_without = self._is_zero_without(slots)
        self.slots = slots
        self.linear = [
            d.combination({i: c for (k, i), c in constant.items() if k == field})
            for field in range(fields)
        ]
        self._rest = [slot for slot in slots if slot not in constant]
        self._rest_is_zero = not self._rest and is_zero_without

    def at(self, values: dict, x, t):
        """Return the line at one point.

        Args:
            values: of the derivatives, by slot; 0 where nothing is said.
            x: position.
            t: instant.
        """
        zero = jnp.zeros((), jnp.result_type(x))

        def field(k):
            return Field(lambda index: values.get((k, index), zero))

        fields = [field(k) for k in range(self._fields)]
        value = jnp.asarray(plain(self._function(fields, x, t)))
        is_whole = jnp.issubdtype(value.dtype, jnp.integer)
        return value.astype(zero.dtype) if is_whole else value

    def _constant_slopes(self, slots):
        """Return the derivatives (order one or more) whose coefficient is a constant.

        A coefficient counts as constant if its traced expression does not depend on any input.
        """

        def line(values, x, t):
            return self.at(dict(zip(slots, values, strict=True)), x, t)

        example = (jnp.full(len(slots), 0.5), jnp.asarray(0.3), jnp.asarray(0.4))
        slopes = lambda values, x, t: list(jax.grad(line)(list(values), x, t))  # noqa: E731
        dependent = dependent_outputs(slopes, *example)
        values = slopes(*example)
        return {
            slot: float(value)
            for slot, value, depends in zip(slots, values, dependent, strict=True)
            if not depends and slot[1] != d.VALUE and float(value) != 0
        }

    def _is_zero_without(self, slots):
        probe = [(0.3, 0.4), (-0.7, 0.1)]
        zeros = dict.fromkeys(slots, jnp.asarray(0.0))
        line = lambda x, t: self.at(zeros, x, t)  # noqa: E731
        depends = dependent_outputs(line, jnp.asarray(0.3), jnp.asarray(0.4))
        return not any(depends) and all(float(line(*map(jnp.asarray, p))) == 0 for p in probe)

    @property
    def order(self) -> int:
        """The highest order of a derivative in the line."""
        return max((sum(i) for f in self.functionals(()) for g in f for i, _ in g), default=0)

    def functionals(self, axes: Sequence[int]) -> list[list[d.Functional]]:
        """Return, for each field, what its plan must carry for the row and its ∂ along ``axes``."""
        wanted = []
        for field, linear in enumerate(self.linear):
            mine = [linear, *(d.partial(i) for k, i in self._rest if k == field)]
            wanted.append(mine + [d.differentiate(f, axis) for f in mine for axis in axes])
        return wanted

    def row(self, plans, values, x, t, axis: int | None):
        """Return the row, or its derivative along ``axis``, of the shape of ``x``."""

        def linear_part(derived):
            terms = [
                plan.select(v, derived(f))
                for plan, v, f in zip(plans, values, self.linear, strict=True)
                if f
            ]
            return sum(terms[1:], start=terms[0]) if terms else 0.0

        pick = lambda field, f: plans[field].select(values[field], f)  # noqa: E731
        at_points = [pick(k, d.partial(i)) for k, i in self._rest]

        def rest(values, x, t):
            at_point = lambda v, x, t: self.at(dict(zip(self._rest, v, strict=True)), x, t)  # noqa: E731
            for _ in range(x.ndim):
                at_point = jax.vmap(at_point)
            return at_point(values, x, t)

        if axis is None:
            linear = linear_part(lambda f: f)
            return linear if self._rest_is_zero else linear + rest(at_points, x, t)
        linear = linear_part(lambda f: d.differentiate(f, axis))
        if self._rest_is_zero:
            return linear
        slopes = [pick(k, d.differentiate(d.partial(i), axis)) for k, i in self._rest]
        along_x, along_t = jnp.full_like(x, axis == AXES["x"]), jnp.full_like(t, axis == AXES["t"])
        return linear + jax.jvp(rest, (at_points, x, t), (slopes, along_x, along_t))[1]


def dependent_outputs(function, *example) -> list[bool]:
    """Tell for each output whether its traced expression depends on any input."""
    closed = jax.make_jaxpr(function)(*example)
    known = set(closed.jaxpr.invars)

    def depends(v):
        return not isinstance(v, Literal) and v in known

    for equation in closed.jaxpr.eqns:
        if any(map(depends, equation.invars)):
            known.update(equation.outvars)
    return [depends(v) for v in closed.jaxpr.outvars]
