"""The sum of two tensors."""

from dataclasses import dataclass
from typing import ClassVar, List

import numpy as np

from ..arithmetic.fixed import Counter
from .base import Arrays, Peaks, Quantized, Shape
from .instruction import Instruction, meaning
from .operands import TwoOperands, combine_instruction


@dataclass(frozen=True)
class Add(TwoOperands):
    """The sum of two tensors of the same shape: a residual connection."""

    operation: ClassVar[str] = "add"

    @staticmethod
    def combine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        total: np.ndarray = first + second
        return total

    def output_shape(self, *inputs: Shape) -> Shape:
        if inputs[0] != inputs[1]:
            raise ValueError(
                f"inputs of layer {self.name!r} must have the same shape. "
                f"Received: {inputs[0]} and {inputs[1]}."
            )
        return inputs[0]

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        finer = min(inputs)
        return {"output_shift": self.target_exponent(peaks, finer) - finer}, {}


@meaning("add")
def _add(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    return combine_instruction(Add.combine, instruction, counter, inputs)
