"""The input of a network."""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Optional, Tuple, Union

import numpy as np

from ..arithmetic.exponents import HEADROOM, exponent_for
from ..arithmetic.fixed import Counter
from .base import (
    EXPONENT_MAX,
    Arrays,
    Observe,
    Parameterless,
    Peaks,
    Quantized,
    QuantizedLayer,
    Range,
    Schedule,
    Shape,
    check_positive,
    is_number,
)


@dataclass(frozen=True)
class Input(Parameterless):
    """The only input of a network.

    Parameters
    ----------
    shape : tuple of int
        ``(features,)``, ``(steps, features)`` or ``(height, width, channels)``.  The layers read
        steps as an image of height 1: ``(1, steps, features)``.
    uint8_scale : float, optional
        With it the engine itself reads ``uint8`` data ``u``, as ``u * uint8_scale + uint8_offset``;
        without it bytes are converted to floats like every other number.
    uint8_offset : float
    scale, offset : float or tuple of float
        The host reads every other number ``x`` as ``x * scale + offset``; a tuple has one value
        for each feature or channel.  If they are 1 and 0 and there is a ``uint8_scale``, floats
        are taken as already scaled, and integers of any dtype as unscaled bytes.
    """

    shape: Shape = ()
    uint8_scale: Optional[float] = None
    uint8_offset: float = 0.0
    scale: Union[float, Tuple[float, ...]] = 1.0
    offset: Union[float, Tuple[float, ...]] = 0.0

    arity: ClassVar[int] = 0
    on_host: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shape, tuple) or len(self.shape) not in (1, 2, 3):
            raise ValueError(
                "shape of the input must be (features,), (steps, features) or (height, width, "
                f"channels). Received: {self.shape!r}. Reshape the data; the batch axis is not "
                "counted."
            )
        check_positive(self, shape=self.shape)
        scale = 1.0 if self.uint8_scale is None else self.uint8_scale
        numbers = is_number(scale) and is_number(self.uint8_offset)
        if not numbers or not 1e-6 <= scale <= 1e6 or not abs(self.uint8_offset) <= 1e6:
            raise ValueError(
                "uint8_scale must lie in 1e-6 ... 1e6 and uint8_offset within +-1e6. "
                f"Received: {self.uint8_scale!r}, {self.uint8_offset!r}."
            )
        for value in (self.scale, self.offset):
            each = value if isinstance(value, tuple) else (value,)
            size = self.shape[-1] if isinstance(value, tuple) else 1
            if len(each) != size or not all(is_number(v) and abs(v) <= 1e30 for v in each):
                raise ValueError(
                    "scale and offset of the input must be a number, or one for each of the "
                    f"{self.shape[-1]} features or channels, within +-1e30. "
                    f"Received: {self.scale!r:.80}, {self.offset!r:.80}."
                )
        several = isinstance(self.scale, tuple) or isinstance(self.offset, tuple)
        if several and self.uint8_scale is not None:
            raise ValueError(
                "uint8_scale must be None if scale or offset is a tuple: the engine scales "
                f"bytes by one number. Received: {self.uint8_scale!r}."
            )
        if self.scale == 0:
            raise ValueError("scale of the input must not be 0. Received: 0.")

    @property
    def rescales(self) -> bool:
        """Whether numbers are scaled before the network reads them."""
        return (self.scale, self.offset) != (1, 0)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Return numbers as the layers read them: scaled, in a new array of the same dtype."""
        scale, offset = np.asarray(self.scale, x.dtype), np.asarray(self.offset, x.dtype)
        y: np.ndarray = x * scale + offset
        return y

    def output_shape(self, *inputs: Shape) -> Shape:
        return (1, *self.shape) if len(self.shape) == 2 else self.shape

    def config(self) -> Dict[str, Any]:
        config = super().config()
        if not self.rescales:  # a file of version 1 has neither
            del config["scale"], config["offset"]
        return config

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        """Return a batch of samples as the layers read it."""
        (x,) = inputs
        return x.reshape((len(x), *self.output_shape()))

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        if self.uint8_scale is None:
            return {"exponent": exponent_for(peaks["output"], HEADROOM)}, {}
        # the range of bytes is known: no headroom is needed
        ends = [self.uint8_offset, 255 * self.uint8_scale + self.uint8_offset]
        low, high = min(ends), max(ends)
        exponent = exponent_for(max(abs(low), abs(high)) * (1 - 2.0**-15))
        margin = HEADROOM if self.rescales else 1 - 2.0**-15  # floats may be scaled bytes
        if peaks["output"] > max(abs(low), abs(high)):
            exponent = max(exponent, exponent_for(peaks["output"], margin))
        return {"exponent": exponent}, {}

    def schedule_specs(self) -> Dict[str, Range]:
        return {"exponent": Range(-EXPONENT_MAX, EXPONENT_MAX)}

    def output_exponent(self, schedule: Schedule, *inputs: int) -> int:
        return int(schedule["exponent"])

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        """Return a batch of input words as the layers read it."""
        (x,) = inputs
        return x.reshape((len(x), *self.output_shape()))
