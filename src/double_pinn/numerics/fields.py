"""The solution at a point, as a residual's line sees it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from double_pinn.numerics import derivatives as d

_OPERATORS = (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow"),
    *("floordiv", "rfloordiv", "mod", "rmod", "neg", "pos", "abs"),
    *("eq", "ne", "lt", "le", "gt", "ge"),
)


class Field:
    """The solution at a point, as a residual's line sees it: ``u``, ``u.t``, ``u.xx``.

    Arithmetic, comparisons and the functions of ``numpy`` and ``jax.numpy``, such as
    ``jnp.sin(u)``, act on the value; functions of ``jax.lax`` and ``jax.nn`` take ``u.value``.
    """

    # An array, where functions of JAX look for one.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, lookup: Callable[[d.Index], object]):
        self._lookup = lookup

    @property
    def value(self):
        """The value of u."""
        return self._lookup(d.VALUE)

    def __getattr__(self, name):
        return self._lookup(d.index_of(name))

    def __jax_array__(self):
        return jnp.asarray(self.value)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options:
            return NotImplemented
        return getattr(jnp, ufunc.__name__)(*map(plain, inputs))

    def __bool__(self):
        raise TypeError("a solution is neither true nor false; jnp.where chooses by a condition")

    def __float__(self):
        raise TypeError("functions of the module math take numbers; write those of jax.numpy")


def _forward(name):
    def operator(self, *others):
        return getattr(jnp.asarray(self.value), name)(*map(plain, others))

    return operator


for _name in _OPERATORS:
    setattr(Field, f"__{_name}__", _forward(f"__{_name}__"))


def _value_alone(_, children):
    values = dict(zip((d.VALUE,), children, strict=True))
    return Field(values.__getitem__)


# What jax.numpy compiles on its own takes a field as the array of its value.
jax.tree_util.register_pytree_node(Field, lambda field: ((field.value,), None), _value_alone)


def plain(value):
    """Return a field's value, and anything else as it is."""
    return value.value if isinstance(value, Field) else value
