"""Derivatives of a sequence model: what a vector-Jacobian product with ones over a sequence gives.

Where a network turns a sequence of L places into L values, u_j depends on all of them, and the
models of this kind (arXiv:2307.11833 and their followers) train on

    D_x u_i = ∂/∂x_i Σ_j u_j,

not on the derivative of u_i alone; higher derivatives are the same operation on the result. The sum
over the sequence makes all but the last of them derivatives along the whole sequence at once: with
S(x, t) = Σ_j u_j,

    D_x^p D_t^q u_i = ∂/∂x_i [∂_x^(p-1) ∂_t^q S],   or, for p = 0,   ∂/∂t_i [∂_t^(q-1) S],

in the bracket along ones. So there is one reverse pass for S, whatever L, which serves u, u_x and
u_t; the brackets of the next order are its derivatives along ones, which share all but what is
linear in the direction (``linearize``), and so on. Of a mixed derivative the derivative along x is
the last.
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
    if wanted == {VALUE}:
        return [combined(channel, {VALUE: u(x, t)}) for channel in plan.channels]
    derivatives: dict[Index, Sequences] = {}
    for (x_order, t_order), (values, (by_x, by_t)) in _brackets(u, plan.order - 1)(x, t).items():
        derivatives[x_order + 1, t_order] = by_x
        if x_order == 0:
            derivatives[0, t_order + 1] = by_t
        if (x_order, t_order) == VALUE:
            derivatives[VALUE] = values
    return [combined(channel, derivatives) for channel in plan.channels]


def _brackets(u, order: int):
    """Return a function of x and t: by index, u and both gradients of the bracket.

    The brackets are ∂_x^p ∂_t^q S for all p + q up to an order; what nobody asks for is dropped
    when the whole is compiled.
    """

    def total(x, t):
        values = u(x, t)
        return jnp.sum(values), values

    def first(x, t):
        gradients, values = jax.grad(total, argnums=(0, 1), has_aux=True)(x, t)
        return {VALUE: (values, gradients)}

    if order == 0:
        return first
    lower = _brackets(u, order - 1)

    def brackets(x, t):
        known, along = jax.linearize(lower, x, t)
        ones, zeros = jnp.ones_like(x), jnp.zeros_like(x)
        by_x, by_t = along(ones, zeros), along(zeros, ones)
        raised = {(p + 1, q): slopes for (p, q), slopes in by_x.items()}
        return known | raised | {(p, q + 1): s for (p, q), s in by_t.items()}

    return brackets
