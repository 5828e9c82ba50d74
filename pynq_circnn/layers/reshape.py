"""The same numbers in another shape."""

from dataclasses import dataclass
from typing import ClassVar, Tuple

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import LIMITS
from .base import Arrays, Exact, Observe, QuantizedLayer, Shape, size_of


@dataclass(frozen=True)
class Reshape(Exact):
    """The same numbers in another shape; ``(-1,)`` flattens."""

    shape: Tuple[int, ...] = (-1,)

    is_view: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        size = size_of(inputs[0])
        ok = (
            isinstance(self.shape, tuple)
            and len(self.shape) in (1, 2, 3)
            and all(isinstance(e, int) and not isinstance(e, bool) for e in self.shape)
            and all(e == -1 or 1 <= e <= LIMITS["extent"] for e in self.shape)
            and self.shape.count(-1) <= 1
        )
        if ok:
            known = size_of(tuple(e for e in self.shape if e != -1))
            free = -1 in self.shape
            if size % known == 0 and (free or size == known):
                return tuple(size // known if e == -1 else e for e in self.shape)
        raise ValueError(
            f"shape of layer {self.name!r} must have 1 to 3 extents that hold {size} elements. "
            f"Received: shape={self.shape!r} for an input of {inputs[0]}."
        )

    def _reshaped(self, x: np.ndarray) -> np.ndarray:
        return x.reshape((len(x), *self.output_shape(x.shape[1:])))

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self._reshaped(inputs[0])

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self._reshaped(inputs[0])
