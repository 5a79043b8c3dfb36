"""The functions of an equation, as somebody wrote them: called on arrays, or refused by name."""

from typing import Any

import numpy as np

from double_pinn.errors import UserError

_SIGNATURES = {
    "exact": "exact(self, x, t)",
    "initial": "initial(self, x)",
    "linear_symbol": "linear_symbol(self, k)",
    "nonlinear": "nonlinear(self, u)",
}


def values_of(problem: Any, name: str, *arguments: np.ndarray) -> np.ndarray:
    """Return what a function of an equation says at points.

    A number stands for an array of it, and what depends on one axis alone is repeated along others.

    Args:
        problem: the equation.
        name: of its method: ``exact``, ``initial``, ``linear_symbol`` or ``nonlinear``.
        *arguments: arrays that broadcast.

    Returns:
        The broadcast shape of the arguments; float64 for integers, and otherwise in the precision
        of the answer. Only a ``linear_symbol`` may be complex.

    Raises:
        UserError: if it is no function, fails, or answers in something else than numbers of that
            shape.
    """
    function, written = getattr(problem, name), f"{type(problem).__name__}.{name}"
    needed = f"def {_SIGNATURES[name]} is needed"
    if not callable(function):
        raise UserError(f"{written} is {function!r}, not a method: {needed}")
    try:
        found = np.asarray(function(*arguments))
    except NotImplementedError:
        raise UserError(f"{written} is missing: {needed}") from None
    except Exception as error:  # whatever its author's lines raise
        raise UserError(
            f"{written} fails on arrays ({type(error).__name__}: {_first_line(error)}); {needed} "
            "that works on whole arrays: jnp.sin for math.sin, jnp.where for if"
        ) from error
    if found.dtype.kind in "biu":
        found = found.astype(np.float64)
    allowed = "fc" if name == "linear_symbol" else "f"
    if found.dtype.kind not in allowed:
        kind = "real or complex" if "c" in allowed else "real"
        raise UserError(f"{written} gives {found.dtype}; {needed} that returns {kind} numbers")
    shape = np.broadcast_shapes(*(np.shape(argument) for argument in arguments))
    if found.shape == shape:
        return found
    try:
        return np.broadcast_to(found, shape)
    except ValueError:
        raise UserError(
            f"{written} gives shape {found.shape} where {shape} is asked; {needed} that works "
            "point by point"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
