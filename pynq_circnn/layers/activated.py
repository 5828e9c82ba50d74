"""Layers that end in an activation."""

from dataclasses import dataclass

import numpy as np

from ..arithmetic import fixed, floating
from ..arithmetic.exponents import HEADROOM, exponent_for
from ..arithmetic.fixed import Counter, clip_word, round_shift, slope_word
from ..contract import ACTIVATION_CODES, ARITHMETIC, TABLE_ACTIVATIONS
from .base import Layer, Observe, Peaks, QuantizedLayer, Schedule, is_number, rule
from .instruction import Instruction
from .lowering import Fields

ACTIVATIONS = tuple(ACTIVATION_CODES)
TABLE_INPUT = ARITHMETIC["table_input_exponent"]
TABLE_OUTPUT = ARITHMETIC["table_output_exponent"]


@dataclass(frozen=True)
class Epilogue:
    """The end of a layer in integers: one rounding shift of a 32-bit sum, then the activation.

    Parameters
    ----------
    shift : int
    activation : str
    clip, slope : int
        For relu6 and leaky_relu, see :func:`pynq_circnn.arithmetic.fixed.activate`.
    """

    shift: int
    activation: str
    clip: int
    slope: int

    def __call__(self, total: np.ndarray, counter: Counter) -> np.ndarray:
        """Return the output words for 32-bit sums."""
        t = round_shift(total, self.shift)
        return fixed.activate(t, self.activation, self.clip, self.slope, counter)

    def fields(self) -> Fields:
        """Return the descriptor fields that describe this epilogue."""
        return {
            "activation": ACTIVATION_CODES[self.activation],
            "output_shift": self.shift,
            "clip": self.clip if self.activation == "relu6" else 0,
            "slope": self.slope if self.activation == "leaky_relu" else 0,
        }

    @classmethod
    def of(cls, instruction: Instruction) -> "Epilogue":
        """Return the epilogue that a descriptor describes."""
        activation = ACTIVATIONS[instruction["activation"]]
        return cls(
            instruction["output_shift"], activation, instruction["clip"], instruction["slope"]
        )


@dataclass(frozen=True)
class Activated(Layer, abstract=True):
    """A layer whose epilogue ends in an activation.

    Parameters
    ----------
    activation : str
        One of linear, relu, relu6, leaky_relu, sigmoid, tanh.
    negative_slope : float
        Slope of leaky_relu below zero, from 0 to below 1; other activations ignore it.
    """

    activation: str = "linear"
    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation of layer {self.name!r} must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: {self.activation!r}."
            )
        if not is_number(self.negative_slope) or not 0 <= self.negative_slope < 1:
            raise ValueError(
                f"negative_slope of layer {self.name!r} must lie in [0, 1). "
                f"Received: {self.negative_slope!r}."
            )

    @rule
    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        """Return the exponent of the 32-bit sum that the epilogue shifts."""
        raise NotImplementedError

    def preactivation_exponent(self, schedule: Schedule, *inputs: int) -> int:
        """Return the exponent of the activation's input."""
        return self.total_exponent(schedule, *inputs) + int(schedule["output_shift"])

    def output_exponent(self, schedule: Schedule, *inputs: int) -> int:
        before = self.preactivation_exponent(schedule, *inputs)
        if self.activation not in TABLE_ACTIVATIONS:
            return before
        if before != TABLE_INPUT:
            raise ValueError(
                f"the shifts of layer {self.name!r} must bring exponent {TABLE_INPUT} to its "
                f"{self.activation}. Received: {before}."
            )
        return TABLE_OUTPUT

    def activate(self, t: np.ndarray, observe: Observe) -> np.ndarray:
        """Pass floats to `observe`, and return their activation."""
        observe(self, "preactivation", t)
        return floating.activate(t, self.activation, self.negative_slope)

    def epilogue(self, quantized: QuantizedLayer) -> Epilogue:
        """Return the end of the layer in integers."""
        exponent = self.preactivation_exponent(quantized.schedule, *quantized.input_exponents)
        return Epilogue(
            int(quantized.schedule["output_shift"]),
            self.activation,
            clip_word(exponent),
            slope_word(self.negative_slope),
        )

    def target_exponent(self, peaks: Peaks, lowest: int) -> int:
        """Return the exponent for the activation's input; the sum itself has exponent `lowest`.

        Raises
        ------
        ValueError
            If the sum is too coarse for what the activation reads: a table has a fixed input
            exponent, and relu6 an upper bound that must be a word.
        """
        target = exponent_for(peaks["preactivation"], HEADROOM)
        table = self.activation in TABLE_ACTIVATIONS
        if not table and self.activation != "relu6":
            return max(target, lowest)
        finest = TABLE_INPUT if table else exponent_for(6.0)
        if lowest > finest:
            raise ValueError(
                f"the input of the {self.activation} of layer {self.name!r} must stay within what "
                f"words of exponent {finest} can tell apart. Received: values up to "
                f"{peaks['preactivation']:.3g}, exponent {lowest}. Scale down what the layer sums."
            )
        return finest if table else max(min(target, finest), lowest)
