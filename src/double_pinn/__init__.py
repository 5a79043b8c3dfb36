"""PINNs whose failure modes are gone: double PINN in JAX (arXiv:2605.30910).

The library, for notebooks and other programs: :func:`train`, :func:`rows`, :func:`loss`,
:func:`check`, :func:`get_problem`, and what an equation of one's own is made of. The command line
is ``double-pinn``.
"""

import importlib

__version__ = "0.1.0"

__all__ = [
    "Condition",
    "Final",
    "Initial",
    "Left",
    "Periodic",
    "Problem",
    "Right",
    "TestSample",
    "TrainingGrid",
    "check",
    "get_problem",
    "loss",
    "rows",
    "train",
]

_PROBLEMS = {"Condition", "Final", "Initial", "Left", "Periodic", "Problem", "Right"}


def __getattr__(name):
    # Importing JAX takes seconds, which figures and the workflow need not spend.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "numerics.problems" if name in _PROBLEMS else "library"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__():
    return sorted([*globals(), *__all__])
