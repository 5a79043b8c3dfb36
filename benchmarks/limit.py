"""The limit: work that one iteration cannot avoid, over rates measured on the same machine."""

from double_pinn.numerics.rows import RowSystem


def columns(system: RowSystem) -> int:
    """Return points times channels, over all sets: columns of the hidden layers' products."""
    return sum(s.places[0][0].size * s.columns for s, _ in system.sets)


def evaluation_flops(system: RowSystem, hidden_layers: int, width: int) -> int:
    """Count the matrix products' operations in one evaluation of value and gradient.

    Every layer is three products (forward, gradient of its input, gradient of its kernel); the
    first has no gradient of its input, and only the value enters it point by point. tanh and the
    pointwise lines are not counted.

    Args:
        system: the rows with their channels.
        hidden_layers: of the network.
        width: of a hidden layer.
    """
    points = sum(s.places[0][0].size * len(s.places) for s, _ in system.sets)
    per_column = 3 * 2 * ((hidden_layers - 1) * width * width + width)
    return columns(system) * per_column + points * 2 * 2 * (2 * width)


def history_bytes(memory: int, size: int, itemsize: int) -> int:
    """Return the least traffic of one L-BFGS direction.

    The 2m vectors are read twice: their products with the gradient must all be known before the
    first of them is added up.

    Args:
        memory: pairs m.
        size: parameters.
        itemsize: bytes a number.
    """
    return 2 * (2 * memory * size * itemsize)
