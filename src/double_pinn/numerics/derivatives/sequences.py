"""Derivatives of a sequence model: what a vector-Jacobian product with ones over a sequence gives.

Where a network turns a sequence of L places into L values, u_j depends on all of them, and the
models of this kind (arXiv:2307.11833 and their followers) train on

    D_x u_i = ∂/∂x_i Σ_j u_j,

not on the derivative of u_i alone; higher derivatives are the same operation on the result. The sum
over the sequence makes all but the last of them derivatives along the whole sequence at once: with
S(x, t) = Σ_j u_j,

    D_x^p D_t^q u_i = ∂/∂x_i [∂_x^(p-1) ∂_t^q S],   or, for p = 0,   ∂/∂t_i [∂_t^(q-1) S],

in the bracket along ones, which is ``jvp``. So there is one reverse pass for each bracket, whatever
L, and the first serves u, u_x and u_t. Of a mixed derivative the derivative along x is the last.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from double_pinn.numerics.derivatives.functionals import VALUE, Index
from double_pinn.numerics.derivatives.nested import combined
from double_pinn.numerics.derivatives.plans import Plan

Sequences = Float[Array, "n L"]


def sequence_channels(
    u: Callable[[Sequences, Sequences], Sequences], x: Sequences, t: Sequences, plan: Plan
) -> list[Sequences]:
    """Evaluate a sequence model and the functionals of a plan on sequences.

    Args:
        u: maps sequences of places to sequences of values; those of one point do not depend on
            another's.
        x: positions, shape (n, L).
        t: instants, shape (n, L).
        plan: the channels to evaluate.

    Returns:
        One array of shape (n, L) a channel.
    """
    wanted = {index for channel in plan.channels for index, _ in channel}
    derivatives: dict[Index, Sequences] = {}
    for along in sorted({_along(index) for index in wanted if index != VALUE}):
        values, (by_x, by_t) = _slopes(u, *along)(x, t)
        derivatives[along[0] + 1, along[1]] = by_x
        if along[0] == 0:
            derivatives[0, along[1] + 1] = by_t
        if along == VALUE:
            derivatives[VALUE] = values
    if VALUE not in derivatives:
        derivatives[VALUE] = u(x, t)
    return [combined(channel, derivatives) for channel in plan.channels]


def _along(index: Index) -> Index:
    """Return how often S is differentiated along the whole sequence, in x and in t."""
    return (index[0] - 1, index[1]) if index[0] else (0, index[1] - 1)


def _slopes(u, x_order: int, t_order: int):
    """Return a function whose result is u and both gradients of a derivative of S."""

    def total(x, t):
        values = u(x, t)
        return jnp.sum(values), values

    def slopes(x, t):
        gradients, values = jax.grad(total, argnums=(0, 1), has_aux=True)(x, t)
        return values, gradients

    for axis, order in enumerate((x_order, t_order)):
        for _ in range(order):
            slopes = _derived(slopes, axis)
    return slopes


def _derived(slopes, axis: int):
    def derived(x, t):
        direction = [jnp.zeros_like(x), jnp.zeros_like(t)]
        direction[axis] = jnp.ones_like(x)
        return jax.jvp(slopes, (x, t), tuple(direction))[1]

    return derived
