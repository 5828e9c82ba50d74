"""Two operands with exponents of their own."""

from typing import Tuple

from ..contract import DESCRIPTOR
from .base import Layer


def alignment(layer: Layer, *exponents: int) -> Tuple[int, int]:
    """Return the left shifts that bring two inputs to the finer exponent of the two.

    Raises
    ------
    ValueError
        If the exponents are too far apart.
    """
    first, second = exponents
    finer = min(first, second)
    limit = DESCRIPTOR["first_align"].max
    if max(first, second) - finer > limit:
        raise ValueError(
            f"exponents of the inputs of layer {layer.name!r} must differ by at most {limit}. "
            f"Received: {first} and {second}. Scale the smaller branch up in training."
        )
    return first - finer, second - finer
