"""Partial derivatives of a network: named, planned, and evaluated in one of two ways.

A tanh network propagates them layer by layer (Taylor mode); any other function has them by nested
``jax.jvp``.
"""

from double_pinn.numerics.derivatives.functionals import (
    VALUE,
    Functional,
    Index,
    combination,
    differentiate,
    index_of,
    partial,
)
from double_pinn.numerics.derivatives.nested import nested_channels, nested_derivative
from double_pinn.numerics.derivatives.plans import (
    Plan,
    Terms,
    leibniz_terms,
    make_plan,
    set_partitions,
)
from double_pinn.numerics.derivatives.sequences import sequence_channels
from double_pinn.numerics.derivatives.taylor import (
    gradient_channels,
    network_channels,
    tanh_channels,
)

__all__ = [
    "VALUE",
    "Functional",
    "Index",
    "Plan",
    "Terms",
    "combination",
    "differentiate",
    "gradient_channels",
    "index_of",
    "leibniz_terms",
    "make_plan",
    "nested_channels",
    "nested_derivative",
    "network_channels",
    "partial",
    "sequence_channels",
    "set_partitions",
    "tanh_channels",
]
