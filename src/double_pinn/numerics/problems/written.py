"""What somebody wrote in an equation's file: called, and its errors explained."""

import contextlib
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from double_pinn.errors import SettingsError, UserError

_OWN = Path(__file__).resolve().parent
_PACKAGE = _OWN.parents[1]
_SHARED = ("__init__.py", "base.py", "checks.py", "written.py")
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))

_ADVICE = (
    (
        jax.errors.TracerArrayConversionError,
        "NumPy cannot compute with what JAX differentiates: write jnp (jax.numpy) for np",
    ),
    (
        jax.errors.TracerBoolConversionError,
        "a line is written for all points at once, so if, and, max() cannot choose: write "
        "jnp.where(condition, a, b), jnp.maximum",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "JAX differentiates it, so it has no value yet: write functions of jnp (jax.numpy), not of "
        "the module math, and no float()",
    ),
)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error that what somebody wrote has raised into one that says where and why.

    Args:
        what: the class and its method, in words.

    Raises:
        SettingsError: with ``what``, the file and the line.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise SettingsError(f"{what}{_line_of(error)}: {_reason(error)}") from error


def one_number(value, what: str):
    """Return a value that is one real number.

    Args:
        value: what a line returned.
        what: the class and its method, in words.

    Raises:
        SettingsError: if it is anything else.
    """
    if value is None:
        raise SettingsError(f"{what} returns nothing: write return in front of the residual")
    if isinstance(value, tuple | list):
        raise SettingsError(
            f"{what} returns a {type(value).__name__} of {len(value)}: return one number; a comma "
            "at the end makes a tuple, and a system of equations is out of scope"
        )
    try:
        shape, dtype = np.shape(value), jax.dtypes.result_type(value)
    except TypeError:
        raise SettingsError(f"{what} returns a {type(value).__name__}: return one number") from None
    if shape:
        raise SettingsError(f"{what} returns an array of shape {shape}: return one number")
    for kind, word in ((np.complexfloating, "complex number"), (np.bool_, "truth value")):
        if np.issubdtype(dtype, kind):
            raise SettingsError(f"{what} returns a {word}: return a real number")
    return value


def _line_of(error: BaseException) -> str:
    """Return the deepest place in somebody's own code at which an error arose."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def _is_own(file: str) -> bool:
    if file.startswith(_LIBRARIES) or file == "<string>":
        return False
    path = Path(file)
    return is_of_an_equation(path) or _PACKAGE not in path.parents


def is_of_an_equation(path: Path) -> bool:
    """Return whether a file of this folder defines an equation, and is not what all share."""
    return path.parent == _OWN and path.name not in _SHARED


def _reason(error: Exception) -> str:
    for kind, advice in _ADVICE:
        if isinstance(error, kind):
            return advice
    lines = str(error).splitlines() or [""]
    if "xor" in lines[0] or " ^" in lines[0]:
        return "a power is written with **, not with ^"
    # What JAX says of a Field.
    if "__jax_array__" in lines[0] or "Field" in lines[0]:
        return "this function takes arrays: write u.value for u"
    return f"{type(error).__name__}: {lines[0]}"
