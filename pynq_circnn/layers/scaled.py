"""Layers with a scale and a bias for each channel, which absorb batch normalisation."""

import math
from dataclasses import dataclass
from typing import Dict

import numpy as np

from ..arithmetic.exponents import exponent_for, to_words
from ..arithmetic.fixed import VALUE_MAX, Counter
from ..contract import ARITHMETIC
from .activated import Activated, Epilogue
from .base import (
    EXPONENT_MAX,
    SHIFT_MAX,
    Arrays,
    Observe,
    Peaks,
    Quantized,
    QuantizedLayer,
    Range,
    Shape,
    Words,
)
from .instruction import Instruction
from .lowering import Fields, Sections

BIAS_MAX = ARITHMETIC["bias_max"]


def scale_channels(
    value: np.ndarray, scale: np.ndarray, bias: np.ndarray, epilogue: Epilogue, counter: Counter
) -> np.ndarray:
    """Return the epilogue of words times a scale plus a bias for each channel."""
    return epilogue(value * scale.astype(np.int64) + bias, counter)


def scale_instruction(instruction: Instruction, counter: Counter, value: np.ndarray) -> np.ndarray:
    """Return the same for an instruction of a program."""
    scale, bias = instruction.section("scales"), instruction.section("biases")
    return scale_channels(value, scale, bias, Epilogue.of(instruction), counter)


@dataclass(frozen=True)
class Scaled(Activated, abstract=True):
    """A layer that ends in ``activation(scale * value + bias)``, both given for each channel."""

    def scale_values(self, arrays: Arrays, observe: Observe, value: np.ndarray) -> np.ndarray:
        """Return the end of the layer in floating point."""
        return self.activate(value * arrays["scale"] + arrays["bias"], observe)

    def quantize_scale(self, arrays: Arrays, peaks: Peaks, value_exponent: int) -> Quantized:
        """Return schedule and arrays, with exponents that keep shift and bias within limits."""
        scale_exponent = exponent_for(np.abs(arrays["scale"]).max(initial=0))
        bias_peak = np.abs(arrays["bias"]).max(initial=0)
        if bias_peak > 0:
            bias_exponent = math.ceil(math.log2(bias_peak / BIAS_MAX))
            scale_exponent = max(scale_exponent, bias_exponent - value_exponent)
        target = self.target_exponent(peaks, value_exponent + scale_exponent)
        scale_exponent = max(scale_exponent, target - value_exponent - SHIFT_MAX)
        total_exponent = value_exponent + scale_exponent
        schedule = {"scale_exponent": scale_exponent, "output_shift": target - total_exponent}
        words = {
            "scale": to_words(arrays["scale"], scale_exponent, VALUE_MAX, "int16"),
            "bias": to_words(arrays["bias"], total_exponent, BIAS_MAX, "int32"),
        }
        return schedule, words

    def schedule_specs(self) -> Dict[str, Range]:
        return {
            "scale_exponent": Range(-EXPONENT_MAX, EXPONENT_MAX),
            "output_shift": Range(0, SHIFT_MAX),
        }

    def array_specs(self, *inputs: Shape) -> Dict[str, Words]:
        shapes = self.parameter_shapes(*inputs)
        return {
            "scale": Words("int16", shapes["scale"], VALUE_MAX),
            "bias": Words("int32", shapes["bias"], BIAS_MAX),
        }

    def scale_words(
        self, quantized: QuantizedLayer, counter: Counter, value: np.ndarray
    ) -> np.ndarray:
        """Return the end of the layer in integers."""
        arrays = quantized.arrays
        return scale_channels(
            value, arrays["scale"], arrays["bias"], self.epilogue(quantized), counter
        )

    def scale_fields(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        """Add scale and bias to the sections, and return the fields of the layer's end."""
        return {
            "scales_offset": sections.add("scales", quantized.arrays["scale"]),
            "biases_offset": sections.add("biases", quantized.arrays["bias"]),
            **self.epilogue(quantized).fields(),
        }
