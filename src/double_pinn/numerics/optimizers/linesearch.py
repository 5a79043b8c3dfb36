"""Zoom line search with one evaluation site: the decisions of Optax's, a third of its program.

Algorithms 3.5 and 3.6 of Nocedal and Wright, "Numerical Optimization" (1999), with the approximate
decrease condition of Hager and Zhang (2006). ``optax.scale_by_zoom_linesearch`` evaluates the
objective in two branches that each carry whole states; here the next trial step is chosen by
scalars and evaluated in one place, which compiles faster and copies less. One decision differs: a
search that finds no decrease at all takes NO step, where Optax takes an unsafe one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

# Optax's defaults (Appendix A: "leave the rest of Optax's defaults alone").
_SUFFICIENT_DECREASE = 1e-4
_CURVATURE = 0.9
_APPROXIMATE_DECREASE = 1e-6
_LEAST_INTERVAL = 1e-5
_GROWTH = 2.0


class ZoomState(NamedTuple):
    """State of :func:`scale_by_zoom`; field names as Optax's, so its helpers work on it.

    Attributes:
        learning_rate: step size of the last search; 0 if it found no decrease.
        value: objective there.
        grad: gradient there, shape (n,).
        info: evaluations and whether the last search failed.
    """

    learning_rate: jax.Array
    value: jax.Array
    grad: jax.Array
    info: "ZoomInfo"


class ZoomInfo(NamedTuple):
    """What the last search did: its evaluations, and whether it ended without a Wolfe point."""

    num_linesearch_steps: jax.Array
    failed: jax.Array


class _Point(NamedTuple):
    """A trial on the line: step size, value and slope, all scalars."""

    step: jax.Array
    value: jax.Array
    slope: jax.Array


class _Search(NamedTuple):
    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    bracketed: jax.Array
    done: jax.Array
    failed: jax.Array
    trial: _Point
    grad: jax.Array
    low: _Point
    high: _Point
    third: _Point  # the point that was discarded last, for the cubic
    safe: _Point
    safe_grad: jax.Array


def _where(condition, a, b):
    return jax.tree.map(lambda u, v: jnp.where(condition, u, v), a, b)


def _quadratic_minimum(a: _Point, b: _Point):
    d = b.step - a.step
    return a.step - a.slope * d**2 / (2.0 * (b.value - a.value - a.slope * d))


def _cubic_minimum(a: _Point, b: _Point, c: _Point):
    """Minimise the cubic through three points with the slope at the first; NaN if there is none."""
    db, dc = b.step - a.step, c.step - a.step
    rb, rc = b.value - a.value - a.slope * db, c.value - a.value - a.slope * dc
    scale = (db * dc) ** 2 * (db - dc)
    A = (dc**2 * rb - db**2 * rc) / scale
    B = (db**3 * rc - dc**3 * rb) / scale
    return a.step + (-B + jnp.sqrt(B * B - 3.0 * A * a.slope)) / (3.0 * A)


def _middle(search: _Search):
    """Choose a step inside the bracket: cubic, else quadratic, else bisection."""
    low, high = search.low, search.high
    left, width = jnp.minimum(low.step, high.step), jnp.abs(high.step - low.step)

    def inside(step, margin):
        return (step > left + margin * width) & (step < left + (1 - margin) * width)

    cubic = _cubic_minimum(low, high, search.third)
    quadratic = _quadratic_minimum(low, high)
    other = jnp.where(inside(quadratic, 0.1), quadratic, 0.5 * (low.step + high.step))
    return jnp.where(inside(cubic, 0.2), cubic, other)


def _excess(trial: _Point, start: _Point):
    """Return by how much a trial misses the conditions of decrease and of curvature."""
    decrease = trial.value - start.value - _SUFFICIENT_DECREASE * trial.step * start.slope
    approximate = jnp.maximum(
        trial.slope - (2 * _SUFFICIENT_DECREASE - 1.0) * start.slope,
        trial.value - start.value - _APPROXIMATE_DECREASE * jnp.abs(start.value),
    )
    curvature = jnp.abs(trial.slope) - _CURVATURE * jnp.abs(start.slope)
    both = jnp.stack([jnp.minimum(decrease, approximate), curvature])
    return jnp.where(jnp.isnan(both), jnp.inf, jnp.maximum(both, 0.0))


def _bracketing(s: _Search, new: _Point, decrease, good):
    """Update low, high and third while no bracket is known (Algorithm 3.5)."""
    too_high = (decrease > 0) | ((new.value >= s.trial.value) & (s.count > 0))
    past = (new.slope >= 0) & ~too_high
    low, high = _where(past, new, s.trial), _where(past, s.trial, new)
    return s._replace(low=low, high=high, third=low, bracketed=too_high | past | good)


def _zooming(s: _Search, new: _Point, decrease):
    """Shrink the bracket (Algorithm 3.6)."""
    too_high = (decrease > 0) | (new.value >= s.low.value)
    turned = ~too_high & (new.slope * (s.high.step - s.low.step) >= 0)
    third = _where(too_high | turned, s.high, s.low)
    high = _where(too_high, new, _where(turned, s.low, s.high))
    return s._replace(low=_where(too_high, s.low, new), high=high, third=third)


def zoom(value_and_grad, params, direction, value, grad, max_steps: int):
    """Search along a line for a point that meets the strong Wolfe conditions.

    Args:
        value_and_grad: objective, ``params (n,) -> (scalar, (n,))``.
        params: start of the line, shape (n,).
        direction: a direction of descent, shape (n,); the first trial is a whole step.
        value: objective at the start.
        grad: gradient at the start.
        max_steps: evaluations at most.

    Returns:
        ``(step, value, grad, count, failed)``. A failed search returns the best point of
        sufficient decrease that it met, or step 0 if there was none.
    """
    dtype = params.dtype
    scalar = lambda x: jnp.asarray(x, dtype)  # noqa: E731
    start = _Point(scalar(0.0), scalar(value), scalar(direction @ grad))
    no = jnp.zeros((), bool)
    first = _Search(
        jnp.zeros((), jnp.int32), no, no, no, start, grad, start, start, start, start, grad
    )

    def body(s: _Search):
        outwards = jnp.where(s.count == 0, 1.0, _GROWTH * s.trial.step)
        step = jnp.where(s.bracketed, _middle(s), outwards).astype(dtype)
        new_value, new_grad = value_and_grad(params + step * direction)
        new = _Point(step, new_value.astype(dtype), new_grad @ direction)
        decrease, curvature = _excess(new, start)
        good = (decrease <= 0) & (curvature <= 0)
        narrow = s.bracketed & (jnp.abs(s.high.step - s.low.step) <= _LEAST_INTERVAL)

        safer = (decrease <= 0) & (~s.bracketed | (new.value < s.safe.value))
        moved = _where(s.bracketed, _zooming(s, new, decrease), _bracketing(s, new, decrease, good))
        safe = _where(safer, new, s.safe)
        out_of_steps = s.count + 1 >= max_steps
        return moved._replace(
            count=s.count + 1,
            done=good,
            failed=~good & (out_of_steps | (narrow & (safe.step > 0))),
            trial=new,
            grad=new_grad,
            safe=safe,
            safe_grad=jnp.where(safer, new_grad, s.safe_grad),
        )

    s = jax.lax.while_loop(lambda s: ~(s.done | s.failed), body, first)
    point = _where(s.done, s.trial, s.safe)
    return point.step, point.value, jnp.where(s.done, s.grad, s.safe_grad), s.count, s.failed


def scale_by_zoom(max_linesearch_steps: int = 20) -> optax.GradientTransformationExtraArgs:
    """Scale a direction by the step that :func:`zoom` finds; parameters are one flat vector.

    ``update`` needs the keywords ``value``, ``grad`` and ``value_fn``, as Optax's search does.
    """

    def init_fn(params):
        return ZoomState(
            learning_rate=jnp.ones((), params.dtype),
            value=jnp.full((), jnp.inf, params.dtype),
            grad=jnp.zeros_like(params),
            info=ZoomInfo(jnp.zeros((), jnp.int32), jnp.zeros((), bool)),
        )

    def update_fn(updates, state, params, *, value, grad, value_fn, **extra_args):
        del state, extra_args
        value_and_grad = jax.value_and_grad(value_fn)
        step, value, grad, count, failed = zoom(
            value_and_grad, params, updates, value, grad, max_linesearch_steps
        )
        return step * updates, ZoomState(step, value, grad, ZoomInfo(count, failed))

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
