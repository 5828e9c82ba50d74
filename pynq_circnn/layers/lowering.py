"""What layers are lowered to: descriptor fields, and the sections of a growing program."""

from dataclasses import dataclass, field
from typing import Dict, List, Tuple

import numpy as np

Fields = Dict[str, int]


@dataclass
class Sections:
    """The sections of a program that is being compiled.

    Parameters
    ----------
    align : int
        Each array begins at a multiple of this many words.
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
