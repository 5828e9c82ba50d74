"""Probabilities, computed on the host."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arithmetic import floating
from ..arithmetic.fixed import Counter
from .base import Arrays, Exact, Observe, QuantizedLayer, Shape


@dataclass(frozen=True)
class Softmax(Exact):
    """Probabilities in floating point, computed on the host; allowed only as the last layer."""

    on_host: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise ValueError(
                f"input of layer {self.name!r} must have shape (classes,). "
                f"Received: {inputs[0]}. Flatten it."
            )
        return inputs[0]

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return floating.softmax(inputs[0])

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        """Return the words from which the host computes probabilities."""
        return inputs[0]
