"""Partial derivatives, and linear combinations of them, as plain values.

A derivative is named by its orders in x and t, an :data:`Index`: ``u.xxt`` is ``(2, 1)``. A linear
combination of derivatives with constant coefficients is a :data:`Functional`.
"""

Index = tuple[int, int]
Functional = tuple[tuple[Index, float], ...]

VALUE: Index = (0, 0)


def index_of(name: str) -> Index:
    """Return the index of a derivative's name, such as ``(2, 1)`` for ``xxt``.

    Args:
        name: the letters ``x`` and ``t``, one for each time that u is differentiated.

    Raises:
        AttributeError: if the name holds anything but ``x`` and ``t``.
    """
    if not name or set(name) - {"x", "t"}:
        raise AttributeError(f"{name!r} is no partial derivative: use x and t, such as u.xxt")
    return (name.count("x"), name.count("t"))


def partial(index: Index) -> Functional:
    """Return the functional that is one partial derivative."""
    return ((index, 1.0),)


def combination(terms: dict[Index, float]) -> Functional:
    """Return the functional Σ coefficient · derivative; zero coefficients are dropped."""
    return tuple(sorted((index, float(c)) for index, c in terms.items() if c != 0))


def differentiate(functional: Functional, axis: int) -> Functional:
    """Return the derivative of a functional along x (axis 0) or t (axis 1)."""
    return combination({_raised(index, axis): c for index, c in functional})


def _raised(index: Index, axis: int) -> Index:
    return (index[0] + (axis == 0), index[1] + (axis == 1))
