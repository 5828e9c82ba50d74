"""The channels of two tensors, one after the other."""

from dataclasses import dataclass
from typing import ClassVar, List

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import TABLE_ACTIVATIONS
from .base import Arrays, Peaks, Quantized, Shape
from .instruction import Instruction, meaning
from .operands import TwoOperands, combine_instruction


@dataclass(frozen=True)
class Concatenate(TwoOperands):
    """Two tensors, brought to a common exponent and joined along their last axis."""

    operation: ClassVar[str] = "concatenate"

    @staticmethod
    def combine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([first, second], axis=-1)

    def output_shape(self, *inputs: Shape) -> Shape:
        first, second = inputs
        if first[:-1] != second[:-1]:
            raise ValueError(
                f"inputs of layer {self.name!r} must have the same shape except for the last axis. "
                f"Received: {first} and {second}."
            )
        return (*first[:-1], first[-1] + second[-1])

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        finer = min(inputs)
        target = self.target_exponent(peaks, finer)
        if self.activation not in TABLE_ACTIVATIONS:  # the coarser exponent holds both inputs
            target = min(target, max(inputs))
        return {"output_shift": target - finer}, {}


@meaning("concatenate")
def _concatenate(
    instruction: Instruction, counter: Counter, inputs: List[np.ndarray]
) -> np.ndarray:
    return combine_instruction(Concatenate.combine, instruction, counter, inputs)
