"""Batch normalisation as a layer of its own."""

from dataclasses import dataclass
from typing import ClassVar, Dict, List

import numpy as np

from ..arithmetic.fixed import Counter
from .base import Arrays, Observe, Peaks, Quantized, QuantizedLayer, Schedule, Shape
from .instruction import Instruction, meaning
from .lowering import Fields, Sections
from .scaled import Scaled, scale_instruction


@dataclass(frozen=True)
class ScaleBias(Scaled):
    """``activation(scale * x + bias)`` per channel: batch normalisation as a layer of its own."""

    operation: ClassVar[str] = "scale_bias"

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        return {"scale": (inputs[0][-1],), "bias": (inputs[0][-1],)}

    def dense_parameters(self, *inputs: Shape) -> int:
        return 2 * inputs[0][-1]

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.scale_values(arrays, observe, inputs[0])

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        return self.quantize_scale(arrays, peaks, inputs[0])

    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        return int(inputs[0] + schedule["scale_exponent"])

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self.scale_words(quantized, counter, inputs[0])

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        return self.scale_fields(quantized, sections)


@meaning("scale_bias")
def _scale_bias(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    return scale_instruction(instruction, counter, inputs[0])
