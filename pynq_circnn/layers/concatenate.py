"""The channels of two tensors, one behind the other."""

from dataclasses import dataclass
from typing import ClassVar, Dict, List

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import TABLE_ACTIVATIONS
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
class Concatenate(Activated, Parameterless):
    """Two tensors joined along their last axis, brought to one exponent."""

    arity: ClassVar[int] = 2
    operation: ClassVar[str] = "concatenate"

    def output_shape(self, *inputs: Shape) -> Shape:
        first, second = inputs
        if first[:-1] != second[:-1]:
            raise ValueError(
                f"inputs of layer {self.name!r} must have one shape but for the last axis. "
                f"Received: {first} and {second}."
            )
        return (*first[:-1], first[-1] + second[-1])

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.activate(np.concatenate(inputs, axis=-1), observe)

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        finer = min(inputs)
        target = self.target_exponent(peaks, finer)
        if self.activation not in TABLE_ACTIVATIONS:  # the coarser of the two holds both
            target = min(target, max(inputs))
        return {"output_shift": target - finer}, {}

    def schedule_specs(self) -> Dict[str, Range]:
        return {"output_shift": Range(0, SHIFT_MAX)}

    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        alignment(self, *inputs)
        return min(inputs)

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        shifts = alignment(self, *quantized.input_exponents)
        return self.epilogue(quantized)(
            _joined(inputs[0] << shifts[0], inputs[1] << shifts[1]), counter
        )

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        first, second = alignment(self, *quantized.input_exponents)
        return {"first_align": first, "second_align": second, **self.epilogue(quantized).fields()}


@meaning("concatenate")
def _concatenate(
    instruction: Instruction, counter: Counter, inputs: List[np.ndarray]
) -> np.ndarray:
    first, second = instruction["first_align"], instruction["second_align"]
    return Epilogue.of(instruction)(_joined(inputs[0] << first, inputs[1] << second), counter)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.concatenate([first, second], axis=-1)
