"""Block-circulant matrices: dense layers and convolutions."""

import math
from dataclasses import dataclass
from typing import ClassVar, Dict, List, Sequence, Tuple

import numpy as np

from ..arithmetic.circulant import (
    block_grid,
    channel_blocks,
    check_block,
    from_half_spectrum,
    half_spectrum,
    spectral_product,
)
from ..arithmetic.exponents import HEADROOM, exponent_for, shift_sums, stage_shifts, to_words
from ..arithmetic.fixed import (
    VALUE_MAX,
    Counter,
    forward_transform,
    inverse_transform,
    round_shift,
    stage_count,
)
from ..contract import ARITHMETIC, DESCRIPTOR, LIMITS
from ..errors import ProgramError
from .base import (
    EXPONENT_MAX,
    Arrays,
    Observe,
    Peaks,
    Quantized,
    QuantizedLayer,
    Range,
    Schedule,
    Shape,
    Words,
    check_pair,
    check_positive,
    image_extents,
    rule,
    size_of,
)
from .instruction import Instruction, meaning
from .lowering import Fields, Sections, bits
from .scaled import Scaled, scale_instruction
from .window import ONE_PIXEL, Window, keras_window

ACCUMULATE_MAX = DESCRIPTOR["accumulate_shift"].max
RUN_BITS = 1  # the most weight bits to give up so that 32 bits hold a whole sum


def multiply_blocks(
    x: np.ndarray,
    weights: np.ndarray,
    window: Window,
    forward_shifts: Sequence[int],
    accumulate_shift: int,
    inverse_shifts: Sequence[int],
    counter: Counter,
) -> np.ndarray:
    """Transform every block of every pixel once, multiply-accumulate exactly, transform back.

    Parameters
    ----------
    x : int64 array of shape (n, height, width, channels)
    weights : integer array of shape (kh, kw, p, q, block)
        Packed half spectra.
    window : Window
    forward_shifts, inverse_shifts : sequence of int
        The shift of each stage of both transforms.
    accumulate_shift : int
        The rounding shift from the accumulator to 16 bits.
    counter : Counter

    Returns
    -------
    int64 array of shape (n, out_height, out_width, p * block)
    """
    blocks = channel_blocks(x, weights.shape[-1])
    spectra = forward_transform(blocks, forward_shifts, counter.saturate)
    total = np.zeros((), dtype=np.int64)
    for u, v, pixels in window.positions(spectra, 0):
        total = total + spectral_product(weights[u, v], pixels).astype(np.int64)
    sums = counter.saturate(round_shift(total, accumulate_shift))
    value = inverse_transform(sums, inverse_shifts, counter.saturate)
    return value.reshape(value.shape[:-2] + (-1,))


@meaning("matrix")
def _matrix(instruction: Instruction, counter: Counter, inputs: List[np.ndarray]) -> np.ndarray:
    kernel = instruction.window.kernel
    p, q, k = (
        instruction["block_rows"],
        instruction["block_columns"],
        1 << instruction["block_log2"],
    )
    if instruction["share_log2"] != 0:
        raise ProgramError(
            "weights of an instruction must be in natural order to be executed. Received: "
            f"share_log2={instruction['share_log2']}. Use program.arrangement.in_natural_order."
        )
    by_row = instruction.section("weights").reshape((p, *kernel, q, k))
    value = multiply_blocks(
        inputs[0],
        np.moveaxis(by_row, 0, 2),
        instruction.window,
        instruction.shifts("forward_shifts"),
        instruction["accumulate_shift"],
        instruction.shifts("inverse_shifts"),
        counter,
    )
    return scale_instruction(instruction, counter, value[..., : instruction["out_channels"]])


@dataclass(frozen=True)
class BlockCirculant(Scaled, abstract=True):
    """A layer with block-circulant weights, a per-channel scale and bias, and an activation.

    ``y = activation(scale * (W x) + bias)``.  The scale absorbs batch normalisation, which the
    weights cannot: a diagonal matrix times a circulant block is not circulant for ``k > 1``.
    """

    block: int = 1

    operation: ClassVar[str] = "matrix"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "block", check_block(self.block))

    def grid(self, *inputs: Shape) -> Tuple[int, int]:
        """Return ``(p, q)``: block rows (outputs) and block columns (inputs)."""
        outputs, channels, _ = self.matrix_shape(*inputs)
        return block_grid(outputs, channels, self.block)

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        outputs, _, positions = self.matrix_shape(*inputs)
        p, q = self.grid(*inputs)
        return {
            "weights": positions + (p, q, self.block),
            "scale": (outputs,),
            "bias": (outputs,),
        }

    def dense_weights(self, *inputs: Shape) -> int:
        """Return how many weights the same layer has without compression."""
        outputs, channels, positions = self.matrix_shape(*inputs)
        return size_of(positions) * outputs * channels

    def dense_parameters(self, *inputs: Shape) -> int:
        return self.dense_weights(*inputs) + self.matrix_shape(*inputs)[0]

    @rule
    def matrix_shape(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        """Return a matrix's outputs and inputs, and the kernel: one matrix for each position."""
        raise NotImplementedError

    def _check_terms(self, *inputs: Shape) -> None:
        _, _, positions = self.matrix_shape(*inputs)
        terms = size_of(positions) * self.grid(*inputs)[1]
        if terms > LIMITS["terms"]:
            raise ValueError(
                f"layer {self.name!r} must sum at most {LIMITS['terms']} terms an output. "
                f"Received: {terms}. Use a larger block than {self.block}."
            )

    def evaluate_blocks(
        self, arrays: Arrays, observe: Observe, x: np.ndarray, window: Window
    ) -> np.ndarray:
        """Return the output for a batch of images, ``weights`` of shape (kh, kw, p, q, block)."""
        spectra = half_spectrum(channel_blocks(x, self.block))
        observe(self, "spectrum", spectra)
        weights = half_spectrum(arrays["weights"])
        total = np.zeros(())
        for u, v, pixels in window.positions(spectra, 0):
            total = total + spectral_product(weights[u, v], pixels)
        observe(self, "sum", total)
        value = from_half_spectrum(total)
        observe(self, "value", value)
        value = value.reshape(value.shape[:-2] + (-1,))[..., : arrays["bias"].shape[0]]
        return self.scale_values(arrays, observe, value)

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        stages = stage_count(self.block)
        forward = shift_sums(peaks["forward"], inputs[0]) if stages else []
        spectrum_exponent = inputs[0] + (forward[-1] if stages else 0)

        gain = _gain(peaks["sum"])
        spectral = half_spectrum(arrays["weights"]) * gain
        weights_exponent = _weights_exponent(spectral)
        product_exponent = spectrum_exponent + weights_exponent
        sum_exponent = exponent_for(peaks["sum"] * gain, HEADROOM)
        sum_exponent = min(max(sum_exponent, product_exponent), product_exponent + ACCUMULATE_MAX)
        inverse = shift_sums(peaks["inverse"] * gain, sum_exponent) if stages else []
        value_exponent = sum_exponent + (inverse[-1] - (stages - 1) if stages else 0)

        scaled = {"scale": arrays["scale"] / gain, "bias": arrays["bias"]}
        schedule, words = self.quantize_scale(scaled, peaks, value_exponent)
        schedule.update(
            weights_exponent=weights_exponent,
            forward_shifts=stage_shifts(forward),
            accumulate_shift=sum_exponent - product_exponent,
            inverse_shifts=stage_shifts(inverse),
        )
        words["weights"] = to_words(spectral, weights_exponent, VALUE_MAX, "int16")
        return schedule, words

    def schedule_specs(self) -> Dict[str, Range]:
        stages = stage_count(self.block)
        ends = super().schedule_specs()
        return {
            "weights_exponent": Range(-EXPONENT_MAX, EXPONENT_MAX),
            "scale_exponent": ends["scale_exponent"],
            "forward_shifts": Range(0, 1, stages),
            "accumulate_shift": Range(0, ACCUMULATE_MAX),
            "inverse_shifts": Range(0, 1, stages),
            "output_shift": ends["output_shift"],
        }

    def array_specs(self, *inputs: Shape) -> Dict[str, Words]:
        shape = self.parameter_shapes(*inputs)["weights"]
        return {"weights": Words("int16", shape, VALUE_MAX), **super().array_specs(*inputs)}

    def total_exponent(self, schedule: Schedule, *inputs: int) -> int:
        gain = max(stage_count(self.block) - 1, 0)  # the inverse transform has no factor 2/k
        return int(
            inputs[0]
            + sum(schedule["forward_shifts"])
            + schedule["weights_exponent"]
            + schedule["accumulate_shift"]
            + sum(schedule["inverse_shifts"])
            - gain
            + schedule["scale_exponent"]
        )

    def apply_blocks(
        self, quantized: QuantizedLayer, counter: Counter, x: np.ndarray, window: Window
    ) -> np.ndarray:
        """Return the output words for a batch of images."""
        schedule, weights = quantized.schedule, quantized.arrays["weights"]
        value = multiply_blocks(
            x,
            weights.reshape(window.kernel + weights.shape[-3:]),
            window,
            schedule["forward_shifts"],
            schedule["accumulate_shift"],
            schedule["inverse_shifts"],
            counter,
        )
        return self.scale_words(quantized, counter, value[..., : len(quantized.arrays["scale"])])

    def lower_blocks(self, quantized: QuantizedLayer, sections: Sections, window: Window) -> Fields:
        """Return the instruction's fields, having added its arrays to the sections."""
        schedule, weights = quantized.schedule, quantized.arrays["weights"]
        p, q, k = weights.shape[-3:]
        by_row = np.moveaxis(weights.reshape(window.kernel + (p, q, k)), 2, 0)
        fields = {
            **self.scale_fields(quantized, sections),
            **window.fields(),
            "block_log2": stage_count(self.block),
            "block_rows": p,
            "block_columns": q,
            "forward_shifts": bits(schedule["forward_shifts"]),
            "accumulate_shift": schedule["accumulate_shift"],
            "inverse_shifts": bits(schedule["inverse_shifts"]),
        }
        return {**fields, **sections.add_weights(by_row.reshape(p, -1, k), fields)}


@dataclass(frozen=True)
class Dense(BlockCirculant):
    """A fully connected layer of `units` outputs with weights of shape ``(p, q, block)``."""

    units: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, units=self.units)

    def matrix_shape(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        return self.units, inputs[0][0], ()

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise ValueError(
                f"input of layer {self.name!r} must have shape (features,). "
                f"Received: {inputs[0]}. Flatten it, or use a Conv2D of kernel size (1, 1)."
            )
        self._check_terms(*inputs)
        return (self.units,)

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        images = inputs[0][:, None, None, :]
        weights = {**arrays, "weights": arrays["weights"][None, None]}
        return self.evaluate_blocks(weights, observe, images, ONE_PIXEL)[:, 0, 0, :]

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        images = inputs[0][:, None, None, :]
        return self.apply_blocks(quantized, counter, images, ONE_PIXEL)[:, 0, 0, :]

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        return self.lower_blocks(quantized, sections, ONE_PIXEL)


@dataclass(frozen=True)
class Conv2D(BlockCirculant):
    """A convolution, channels last, with weights of shape ``(kh, kw, p, q, block)``.

    Blocks run over channels: every kernel position has its own ``p x q`` grid over output and
    input channels (CirCNN, section 3.2), and the sum over positions is taken in the spectrum.
    """

    filters: int = 1
    kernel_size: Tuple[int, int] = (1, 1)
    strides: Tuple[int, int] = (1, 1)
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, filters=self.filters)
        check_pair(self, kernel_size=self.kernel_size, strides=self.strides)

    def matrix_shape(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        return self.filters, image_extents(self, inputs[0])[2], self.kernel_size

    def window(self, shape: Shape) -> Window:
        """Return where the kernel reads in an input of this shape."""
        return keras_window(self, shape, self.kernel_size)

    def output_shape(self, *inputs: Shape) -> Shape:
        window = self.window(inputs[0])
        self._check_terms(*inputs)
        return (window.out_height, window.out_width, self.filters)

    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        return self.evaluate_blocks(arrays, observe, inputs[0], self.window(inputs[0].shape[1:]))

    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        return self.apply_blocks(quantized, counter, inputs[0], self.window(inputs[0].shape[1:]))

    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        return self.lower_blocks(quantized, sections, self.window(quantized.input_shapes[0]))


def _gain(peak: float) -> float:
    """Return a factor for a layer's weights, from 1 to 2, with which its sums fill 16 bits.

    The channels' scales are divided by it.  Without it up to one bit would be lost, because
    exponents are integers.
    """
    return 2.0 ** exponent_for(peak, HEADROOM) * VALUE_MAX / (HEADROOM * peak) if peak > 0 else 1.0


def _weights_exponent(spectral: np.ndarray) -> int:
    """Return the finest exponent, or one up to RUN_BITS coarser with which 32 bits hold the sums.

    Parameters
    ----------
    spectral : array of shape (..., p, q, k)
        Packed half spectra; the leading axes are kernel positions.
    """
    finest = exponent_for(np.abs(spectral).max(initial=0))
    terms = np.moveaxis(np.abs(spectral), -3, 0).reshape(spectral.shape[-3], -1, spectral.shape[-1])
    sums = terms.sum(axis=1)  # over positions and block columns: (p, k)
    if sums.shape[-1] > 2:
        pairs = sums[:, 2::2] + sums[:, 3::2]
        sums = np.concatenate([sums[:, :2], pairs], axis=1)
    largest = max(sums.max(initial=0), 1e-300)
    needed = math.ceil(math.log2(largest / ARITHMETIC["run_sum"]) + 1e-3)
    return needed if finest < needed <= finest + RUN_BITS else finest
