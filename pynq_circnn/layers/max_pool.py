"""The largest value of each window."""

from dataclasses import dataclass
from typing import ClassVar, List

import numpy as np

from ..arithmetic.fixed import Counter
from .base import Arrays, Exact, Observe, QuantizedLayer
from .instruction import Instruction, meaning
from .lowering import Fields, Sections
from .window import Pool2D

LOWEST = np.iinfo(np.int16).min


@dataclass(frozen=True)
class MaxPool2D(Pool2D, Exact):
    """The largest value in each window."""

    operation: ClassVar[str] = "max_pool"

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.window(inputs[0].shape[1:]).largest(inputs[0], -np.inf)

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self.window(inputs[0].shape[1:]).largest(inputs[0], LOWEST)

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        return self.window(quantized.input_shapes[0]).fields()


@meaning("max_pool")
def _max_pool(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    return instruction.window.largest(inputs[0], LOWEST)
