"""The functions of an equation, as somebody wrote them: called on arrays, or refused by name."""

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any

import jax
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


@contextlib.contextmanager
def traced(problem: Any) -> Iterator[None]:
    """Let the lines of an equation be traced by JAX; say which of them cannot be.

    Args:
        problem: the equation.

    Raises:
        UserError: in place of JAX's own error, naming class and method.
    """
    try:
        yield
    except jax.errors.JAXTypeError as error:
        raise UserError(
            f"{_place(problem, error)} cannot be differentiated by JAX ({_first_line(error)}); "
            "write it with functions of jax.numpy: jnp.sin for np.sin, jnp.where for if"
        ) from error


def _place(problem, error: Exception) -> str:
    """Return the innermost function of an equation's class in which an error occurred."""
    names = [cls.__name__ for cls in type(problem).__mro__[:-1]]
    inside = [frame.f_code.co_qualname for frame, _ in traceback.walk_tb(error.__traceback__)]
    mine = [name for name in inside if {*name.split(".")} & {*names}]
    return mine[-1].replace(".<locals>", "") if mine else type(problem).__name__


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
