"""What layers are lowered to: an instruction's fields, and the sections of a growing program."""

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Tuple

import numpy as np

Fields = Dict[str, int]


def natural_order(blocks: np.ndarray, fields: Fields) -> Tuple[int, np.ndarray]:
    """Return 0 and the weights as they are: the order of a program for a computer."""
    return 0, blocks


@dataclass
class Sections:
    """The sections of a program that is being compiled.

    Parameters
    ----------
    align : int
        Each array begins at a multiple of this many words.
    order : function
        Arranges the weights of a layer, an int16 array of shape (block rows, terms, k), by the
        fields of its instruction that are known, extents included, and returns the field
        ``share_log2`` besides: see :mod:`pynq_circnn.program.arrangement`.
    extents : mapping of str to int
        Of the layer that is being lowered: the fields ``in_height`` ... ``out_channels``.
    """

    align: int = 1
    order: Callable[[np.ndarray, Fields], Tuple[int, np.ndarray]] = natural_order
    extents: Fields = field(default_factory=dict)
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

    def add_weights(self, blocks: np.ndarray, fields: Fields) -> Fields:
        """Append weights of shape (block rows, terms, k), and return the fields that say where.

        `fields` are those of the instruction that are known.
        """
        share_log2, words = self.order(blocks, {**self.extents, **fields})
        return {"weights_offset": self.add("weights", words), "share_log2": share_log2}


def bits(shifts: Tuple[int, ...]) -> int:
    """Return the shifts of a transform's stages as the bits of one field.

    >>> bits((1, 0, 1))
    5
    """
    return sum(shift << stage for stage, shift in enumerate(shifts))
