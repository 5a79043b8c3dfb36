"""No regulariser: the physics-informed network as it was."""

from typing import Annotated

from pydantic import Field

from double_pinn.numerics.regularizers.base import Regularizer


class NoRegularizer(Regularizer):
    """Nothing is added."""

    name = "none"
    label = "no regulariser"

    weight: Annotated[float, Field(ge=0, le=0)] = 0.0
    """There is nothing to weigh: always 0."""
