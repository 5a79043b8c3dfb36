"""Derivatives of any function by nested ``jax.jvp``: slower than Taylor mode, and more general."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from double_pinn.numerics.derivatives.functionals import Functional, Index
from double_pinn.numerics.derivatives.plans import Plan

Scalar = Float[Array, ""]


def nested_derivative(
    u: Callable[[Scalar, Scalar], Scalar], index: Index
) -> Callable[[Scalar, Scalar], Scalar]:
    """Return a partial derivative of ``u`` as a function of the same two scalars.

    Args:
        u: a scalar function ``u(x, t)`` of two scalars.
        index: orders in x and t.
    """
    for axis, order in enumerate(index):
        for _ in range(order):
            u = _along(u, axis)
    return u


def nested_channels(
    value: Callable[[Scalar, Scalar], Scalar],
    x: Float[Array, " n"],
    t: Float[Array, " n"],
    plan: Plan,
) -> list[Float[Array, " n"]]:
    """Evaluate any network and the functionals of a plan at points.

    One nest of ``jvp`` for each order in t gives all orders in x with it.

    Args:
        value: a scalar function ``value(x, t)`` of two scalars, with parameters and domain in it.
        x: positions.
        t: instants.
        plan: the channels to evaluate.

    Returns:
        One array a channel, derivatives in the units of x and t as given.
    """
    highest: dict[int, int] = {}  # for each order in t, the highest order in x
    for channel in plan.channels:
        for x_order, t_order in dict(channel):
            highest[t_order] = max(x_order, highest.get(t_order, 0))

    def at_point(x, t):
        derivatives: dict[Index, Scalar] = {}
        for t_order, x_order in highest.items():
            orders = nested_derivative(_orders_in_x(value, x_order), (0, t_order))(x, t)
            derivatives |= {(k, t_order): derivative for k, derivative in enumerate(orders)}
        return [combined(channel, derivatives) for channel in plan.channels]

    return jax.vmap(at_point)(x, t)


def combined(channel: Functional, derivatives: dict[Index, Any]) -> Any:
    """Return a functional from the derivatives that it combines."""
    terms = [c * derivatives[index] for index, c in channel]
    return sum(terms[1:], start=terms[0])


def _orders_in_x(u, order: int):
    """Return a function of x and t whose result is ``(u, u_x, ...)`` up to an order."""
    if order == 0:
        return lambda x, t: (u(x, t),)
    lower = _orders_in_x(u, order - 1)

    def orders(x, t):
        values, slopes = _values_and_slopes(lower, 0, x, t)
        return (*values, slopes[-1])

    return orders


def _along(u, axis: int):
    return lambda x, t: _values_and_slopes(u, axis, x, t)[1]


def _values_and_slopes(u, axis: int, x, t):
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    return jax.jvp(u, (x, t), (one, zero) if axis == 0 else (zero, one))
