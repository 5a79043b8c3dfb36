"""The solution at a point, as a residual's line sees it."""

from collections.abc import Callable

import jax.numpy as jnp

from double_pinn.numerics import derivatives as d


class Field:
    """The solution at a point, as a residual's line sees it: ``u``, ``u.t``, ``u.xx``.

    Arithmetic and NumPy's elementwise functions, such as ``np.sin(u)``, act on the value; functions
    of ``jax.numpy`` take ``u.value``.
    """

    def __init__(self, lookup: Callable[[d.Index], object]):
        self._lookup = lookup

    @property
    def value(self):
        """The value of u."""
        return self._lookup(d.VALUE)

    def __getattr__(self, name):
        return self._lookup(d.index_of(name))

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options:
            return NotImplemented
        return getattr(jnp, ufunc.__name__)(*map(plain, inputs))


def _forward(name):
    return lambda self, *others: getattr(jnp.asarray(self.value), name)(*map(plain, others))


for _name in (
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "pow",
    "rpow",
    "neg",
    "pos",
    "abs",
):
    setattr(Field, f"__{_name}__", _forward(f"__{_name}__"))


def plain(value):
    """Return a field's value, and anything else as it is."""
    return value.value if isinstance(value, Field) else value
