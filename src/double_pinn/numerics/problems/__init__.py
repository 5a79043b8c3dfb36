"""The equations, one file each, and what they are made of."""

from double_pinn.numerics.problems.base import (
    Condition,
    Final,
    Initial,
    Left,
    Periodic,
    Problem,
    Right,
    kind_of,
)

__all__ = ["Condition", "Final", "Initial", "Left", "Periodic", "Problem", "Right", "kind_of"]
