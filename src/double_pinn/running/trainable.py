"""What cannot be trained: a term that does not depend on u; a loss that is not finite."""

import jax
import jax.numpy as jnp
import numpy as np

from double_pinn.errors import SettingsError
from double_pinn.numerics.objective import Objective
from double_pinn.numerics.rows import RowSystem


def check_terms(system: RowSystem) -> None:
    """Refuse a term in which there is no u: its loss is what it is, whatever is trained.

    Raises:
        SettingsError: naming the term.
    """
    for rows, _ in system.sets:
        for line in rows.lines:
            if not line.slots:
                raise SettingsError(
                    f"the term {line.term!r} does not depend on u: nothing can be trained on it"
                )


def first_not_finite(objective: Objective, parameters) -> str | None:
    """Say which row is not finite, or has a gradient that is not, and at which point.

    Args:
        objective: gives the rows.
        parameters: flat, shape (n,); where to look.

    Returns:
        The first term in their order with its first such point, in words; ``None`` if the whole
        loss is finite there with its gradient.
    """
    system = objective.system

    def rows_of(parameters, rows):
        return rows.rows(objective.network.weights(parameters), system.box)

    def total(parameters):
        return sum(jnp.sum(row**2) for rows, _ in system.sets for row in rows_of(parameters, rows))

    # At once where all is well: to look for the place takes a compilation a term.
    whole = jax.jit(jax.value_and_grad(total))(parameters)
    if all(np.isfinite(np.asarray(part)).all() for part in whole):
        return None
    for rows, groups in system.sets:
        values = jax.jit(lambda p, rows=rows: rows_of(p, rows))(parameters)
        for group, value in zip(groups, values, strict=True):
            # The loss has its square, which overflows sooner.
            bad = ~np.isfinite(np.asarray(value**2)).reshape(len(value), -1).all(1)
            if bad.any():
                return f"{group.name} {_at(rows, int(bad.argmax()))}"
        for k, group in enumerate(groups):

            def square(parameters, counts, rows=rows, k=k):
                row = rows_of(parameters, rows)[k]
                # Left out, not multiplied by zero, which would keep what is not finite.
                return jnp.sum(jnp.where(counts.reshape(-1, *[1] * (row.ndim - 1)), row, 0.0) ** 2)

            gradient = jax.jit(jax.grad(square))
            if (place := _first_bad(gradient, parameters, len(values[k]))) is not None:
                return f"the gradient of {group.name} {_at(rows, place)}"
    return None


def _first_bad(gradient, parameters, count: int) -> int | None:
    """Return the first of ``count`` points whose gradient is not finite, by halving."""

    def is_bad(first, last):
        counts = np.zeros(count, bool)
        counts[first:last] = True
        return not np.isfinite(np.asarray(gradient(parameters, counts))).all()

    first, last = 0, count
    if not is_bad(first, last):
        return None
    while last - first > 1:
        middle = (first + last) // 2
        first, last = (first, middle) if is_bad(first, middle) else (middle, last)
    return first


def _at(rows, place: int) -> str:
    x, t = (float(np.asarray(axis)[place]) for axis in rows.places[0])
    return f"at x = {x:g}, t = {t:g}"
