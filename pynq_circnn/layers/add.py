"""The sum of two tensors."""

from dataclasses import dataclass
from typing import ClassVar, Dict, List

import numpy as np

from ..arithmetic.fixed import Counter
from .activated import Activated, Epilogue
from .base import (
    SHIFT_MAX,
    Arrays,
    Observe,
    Parameterless,
    Peaks,
    Quantized,
    QuantizedLayer,
    Range,
    Schedule,
    Shape,
)
from .instruction import Instruction, meaning
from .lowering import Fields, Sections
from .operands import alignment


@dataclass(frozen=True)
class Add(Activated, Parameterless):
    """The sum of two tensors of one shape: a residual connection."""

    arity: ClassVar[int] = 2
    operation: ClassVar[str] = "add"

    def output_shape(self, *inputs: Shape) -> Shape:
        if inputs[0] != inputs[1]:
            raise ValueError(
                f"inputs of layer {self.name!r} must have one shape. "
                f"Received: {inputs[0]} and {inputs[1]}."
            )
        return inputs[0]

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.activate(inputs[0] + inputs[1], observe)

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        finer = min(inputs)
        return {"output_shift": self.target_exponent(peaks, finer) - finer}, {}

    def schedule_specs(self) -> Dict[str, Range]:
        return {"output_shift": Range(0, SHIFT_MAX)}

    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        alignment(self, *inputs)
        return min(inputs)

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        left, right = alignment(self, *quantized.input_exponents)
        return self.epilogue(quantized)((inputs[0] << left) + (inputs[1] << right), counter)

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        first, second = alignment(self, *quantized.input_exponents)
        return {
            "first_align": first,
            "second_align": second,
            **self.epilogue(quantized).fields(),
        }


@meaning("add")
def _add(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    first, second = instruction["first_align"], instruction["second_align"]
    return Epilogue.of(instruction)((inputs[0] << first) + (inputs[1] << second), counter)
