"""What layers are lowered to: fields of descriptors, and the program's sections as they grow."""

from dataclasses import dataclass, field
from typing import Dict, List, Tuple

import numpy as np

Fields = Dict[str, int]


@dataclass
class Sections:
    """The program's sections while they grow.

    Parameters
    ----------
    align : int
        At multiples of so many words each array begins.
    """

    align: int = 1
    weights: List[np.ndarray] = field(default_factory=list)
    scales: List[np.ndarray] = field(default_factory=list)
    biases: List[np.ndarray] = field(default_factory=list)

    def add(self, section: str, array: np.ndarray) -> int:
        """Append an array and return its offset in words."""
        parts: List[np.ndarray] = getattr(self, section)
        offset = sum(part.size for part in parts)
        parts.append(array.ravel())
        parts.append(np.zeros(-array.size % self.align, array.dtype))
        return offset


def bits(shifts: Tuple[int, ...]) -> int:
    """Return the shifts of a transform's stages as the bits of one field.

    >>> bits((1, 0, 1))
    5
    """
    return sum(shift << stage for stage, shift in enumerate(shifts))
