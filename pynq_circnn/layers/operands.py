"""Layers that combine two operands, whose exponents may differ."""

from dataclasses import dataclass
from typing import Callable, ClassVar, Dict, List, Tuple

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import DESCRIPTOR
from .activated import Activated, Epilogue
from .base import (
    SHIFT_MAX,
    Arrays,
    Layer,
    Observe,
    Parameterless,
    QuantizedLayer,
    Range,
    Schedule,
    rule,
)
from .instruction import Instruction
from .lowering import Fields, Sections

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]


def alignment(layer: Layer, *exponents: int) -> Tuple[int, int]:
    """Return the left shifts that bring two inputs to the finer of their exponents.

    Raises
    ------
    ValueError
        If the exponents are too far apart.
    """
    first, second = exponents
    finer = min(first, second)
    limit = DESCRIPTOR["first_align"].max
    if max(first, second) - finer > limit:
        raise ValueError(
            f"exponents of the inputs of layer {layer.name!r} must differ by at most {limit}. "
            f"Received: {first} and {second}. Scale the smaller branch up in training."
        )
    return first - finer, second - finer


def combine_instruction(
    combine: Combine, instruction: Instruction, counter: Counter, inputs: List[np.ndarray]
) -> np.ndarray:
    """Return the words that an instruction of two operands writes."""
    first, second = inputs
    total = combine(first << instruction["first_align"], second << instruction["second_align"])
    return Epilogue.of(instruction)(total, counter)


@dataclass(frozen=True)
class TwoOperands(Activated, Parameterless, abstract=True):
    """A layer that combines two tensors, brought to the finer of their exponents."""

    arity: ClassVar[int] = 2

    @staticmethod
    @rule
    def combine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the combination of two batches of floats, or of words of one exponent."""
        raise NotImplementedError

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.activate(self.combine(*inputs), observe)

    def schedule_specs(self) -> Dict[str, Range]:
        return {"output_shift": Range(0, SHIFT_MAX)}

    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        alignment(self, *inputs)
        return min(inputs)

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        first, second = alignment(self, *quantized.input_exponents)
        return self.epilogue(quantized)(
            self.combine(inputs[0] << first, inputs[1] << second), counter
        )

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        first, second = alignment(self, *quantized.input_exponents)
        return {"first_align": first, "second_align": second, **self.epilogue(quantized).fields()}
