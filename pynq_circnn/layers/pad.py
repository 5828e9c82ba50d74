"""Zeros around an image."""

from dataclasses import dataclass
from typing import ClassVar, List, Tuple

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import LIMITS
from .base import Arrays, Exact, Observe, QuantizedLayer, Shape, image_extents
from .instruction import Instruction, meaning
from .lowering import Fields, Sections


def _pad_images(x: np.ndarray, padding: Tuple[Tuple[int, int], Tuple[int, int]]) -> np.ndarray:
    return np.pad(x, ((0, 0), *padding, (0, 0)), mode="constant")


@dataclass(frozen=True)
class ZeroPadding2D(Exact):
    """Zeros around an image: ``padding = ((top, bottom), (left, right))``."""

    padding: Tuple[Tuple[int, int], Tuple[int, int]] = ((0, 0), (0, 0))

    operation: ClassVar[str] = "pad"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            (top, bottom), (left, right) = self.padding
            ok = all(
                isinstance(e, int) and 0 <= e <= LIMITS["extent"]
                for e in (top, bottom, left, right)
            )
        except (TypeError, ValueError):
            ok = False
        if not ok:
            raise ValueError(
                f"padding of layer {self.name!r} must be ((top, bottom), (left, right)), "
                f"each 0 to {LIMITS['extent']}. Received: {self.padding!r}."
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = image_extents(self, inputs[0])
        (top, bottom), (left, right) = self.padding
        return (top + height + bottom, left + width + right, channels)

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return _pad_images(inputs[0], self.padding)

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return _pad_images(inputs[0], self.padding)

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        return {"pad_top": self.padding[0][0], "pad_left": self.padding[1][0]}


@meaning("pad")
def _pad(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    top, left = instruction["pad_top"], instruction["pad_left"]
    bottom = instruction["out_height"] - instruction["in_height"] - top
    right = instruction["out_width"] - instruction["in_width"] - left
    return _pad_images(inputs[0], ((top, bottom), (left, right)))
