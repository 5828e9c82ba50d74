"""The mean of each window, and of a whole image."""

from dataclasses import dataclass
from typing import ClassVar, Dict, List, Sequence

import numpy as np

from ..arithmetic.exponents import HEADROOM, exponent_for
from ..arithmetic.fixed import RECIPROCAL_SHIFT, Counter, reciprocal, round_shift
from ..contract import LIMITS
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
    image_extents,
    rule,
    size_of,
)
from .instruction import Instruction, meaning
from .lowering import Fields, Sections
from .window import Pool2D, Window


def mean_words(
    x: np.ndarray, window: Window, multipliers: Sequence[int], shift: int, counter: Counter
) -> np.ndarray:
    """Return the sum of each window times the reciprocal of its count, with one rounding shift.

    Parameters
    ----------
    x : int64 array of shape (n, height, width, channels)
    window : Window
    multipliers : sequence of int
        For counts of 1, 2, ...: ``reciprocal(count)[0]``.
    shift : int
        The layer's output shift, to which ``ceil(log2(count))`` is added.
    counter : Counter
    """
    total = window.total(x)
    out = np.empty_like(total)
    counts = window.counts()
    for count in np.unique(counts):
        windows = counts == count
        count_shift = shift + (int(count) - 1).bit_length()
        product = total[:, windows] * int(multipliers[int(count) - 1])
        out[:, windows] = counter.saturate(round_shift(product, count_shift))
    return out


def _multipliers(window: Window) -> np.ndarray:
    return np.array([reciprocal(count)[0] for count in range(1, size_of(window.kernel) + 1)])


@meaning("average_pool")
def _average_pool(
    instruction: Instruction, counter: Counter, inputs: List[np.ndarray]
) -> np.ndarray:
    multipliers = instruction.section("scales").tolist()
    return mean_words(
        inputs[0], instruction.window, multipliers, instruction["output_shift"], counter
    )


class _Mean(Parameterless, abstract=True):
    """What both kinds have in common: a window and one shift."""

    operation: ClassVar[str] = "average_pool"

    @rule
    def window(self, shape: Shape) -> Window:
        """Return the window of the mean in an input of this shape."""
        raise NotImplementedError

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        target = exponent_for(peaks["output"], HEADROOM)
        target = min(max(target, inputs[0] - RECIPROCAL_SHIFT), inputs[0])
        return {"output_shift": target - inputs[0] + RECIPROCAL_SHIFT}, {}

    def schedule_specs(self) -> Dict[str, Range]:
        return {"output_shift": Range(0, SHIFT_MAX)}

    def output_exponent(self, schedule: Schedule, *inputs: int) -> int:
        return int(inputs[0] + schedule["output_shift"] - RECIPROCAL_SHIFT)

    def mean(self, quantized: QuantizedLayer, counter: Counter, x: np.ndarray) -> np.ndarray:
        """Return the output words as an image."""
        window = self.window(x.shape[1:])
        shift = int(quantized.schedule["output_shift"])
        return mean_words(x, window, _multipliers(window).tolist(), shift, counter)

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        window = self.window(quantized.input_shapes[0])
        return {
            **window.fields(),
            "output_shift": quantized.schedule["output_shift"],
            "scales_offset": sections.add("scales", _multipliers(window)),
        }


@dataclass(frozen=True)
class AveragePool2D(Pool2D, _Mean):
    """The mean of the values in each window."""

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        window = self.window(inputs[0].shape[1:])
        means: np.ndarray = window.total(inputs[0]) / window.counts()[:, :, None]
        return means

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self.mean(quantized, counter, inputs[0])


@dataclass(frozen=True)
class GlobalAveragePool2D(_Mean):
    """The mean of each channel over all pixels: ``(h, w, c) -> (c,)``."""

    def window(self, shape: Shape) -> Window:
        """Return the one window, which covers the whole input."""
        height, width, _ = image_extents(self, shape)
        return Window(height, width, 1, 1, (height, width), (1, 1), 0, 0)

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = image_extents(self, inputs[0])
        if height * width > LIMITS["pool_area"]:
            raise ValueError(
                f"input of layer {self.name!r} must have at most {LIMITS['pool_area']} pixels. "
                f"Received: {height} x {width}. Put an AveragePool2D before it."
            )
        return (channels,)

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        means: np.ndarray = inputs[0].mean(axis=(1, 2))
        return means

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self.mean(quantized, counter, inputs[0])[:, 0, 0, :]
