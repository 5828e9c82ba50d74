"""The reference back end, in NumPy: the definition of what every other back end computes.

Plain rather than fast: each rule below is the sentence of ``hw/ENGINE.md`` in code.
"""

from functools import singledispatch
from typing import Dict, List, Optional, Union

import numpy as np

from ..arithmetic.circulant import spectral_product
from ..arithmetic.fixed import (
    Counter,
    activate,
    byte_rule,
    clip_word,
    dequantize,
    forward_transform,
    inverse_transform,
    quantize_bytes,
    quantize_input,
    reciprocal,
    round_shift,
    slope_word,
)
from ..layers import (
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Reshape,
    ScaleBias,
    Softmax,
    Window,
    ZeroPadding2D,
)
from ..network.floating import channel_blocks, max_over, pad_batch, reshape_batch, sum_over
from ..network.quantized import QuantizedNetwork, alignment, preactivation_exponent
from .base import BasePlan, NotFiniteError, not_finite

PREFERENCE = 0

_TILE_WORDS = 1 << 22  # how many words of the largest tensor are worked on at once


def unavailable() -> Optional[str]:
    """Return ``None``: NumPy is always there."""
    return None


@singledispatch
def apply(
    layer: Layer, network: QuantizedNetwork, counter: Counter, *inputs: np.ndarray
) -> np.ndarray:
    """Return a layer's output words for a batch of input words (int64 arrays)."""
    raise TypeError(f"reference.apply must know the layer kind {layer.kind}")


def _finish(
    layer: Union[Dense, Conv2D, Add, ScaleBias],
    network: QuantizedNetwork,
    counter: Counter,
    total: np.ndarray,
) -> np.ndarray:
    """One rounding shift of the 32-bit sum, then the activation, which saturates."""
    schedule = network.schedules[layer.name]
    inputs = [network.exponents[name] for name in layer.inputs]
    clip = clip_word(preactivation_exponent(layer, schedule, *inputs))
    t = round_shift(total, schedule["output_shift"])
    return activate(t, layer.activation, clip, slope_word(layer.negative_slope), counter)


@apply.register(ScaleBias)
def _scale_bias(
    layer: ScaleBias, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    arrays = network.arrays[layer.name]
    total = x * arrays["scale"].astype(np.int64) + arrays["bias"]
    return _finish(layer, network, counter, total)


@apply.register(Conv2D)
def _conv(layer: Conv2D, network: QuantizedNetwork, counter: Counter, x: np.ndarray) -> np.ndarray:
    return _matrix(layer, network, counter, x, layer.window(x.shape[1:]))


@apply.register(Dense)
def _dense(layer: Dense, network: QuantizedNetwork, counter: Counter, x: np.ndarray) -> np.ndarray:
    window = Window(1, 1, 1, 1, (1, 1), (1, 1), 0, 0)
    return _matrix(layer, network, counter, x[:, None, None, :], window)[:, 0, 0, :]


def _matrix(
    layer: Union[Dense, Conv2D],
    network: QuantizedNetwork,
    counter: Counter,
    x: np.ndarray,
    window: Window,
) -> np.ndarray:
    """Transform every block of every pixel once, multiply-accumulate exactly, transform back."""
    schedule, arrays = network.schedules[layer.name], network.arrays[layer.name]
    weights = arrays["weights"].reshape(window.kernel + arrays["weights"].shape[-3:])
    blocks = channel_blocks(x, layer.block)
    spectra = forward_transform(blocks, schedule["forward_shifts"], counter.saturate)
    total = np.zeros((), dtype=np.int64)
    for u, v, pixels in window.positions(spectra, 0):
        total = total + spectral_product(weights[u, v], pixels).astype(np.int64)
    sums = counter.saturate(round_shift(total, schedule["accumulate_shift"]))
    value = inverse_transform(sums, schedule["inverse_shifts"], counter.saturate)
    value = value.reshape(value.shape[:-2] + (-1,))[..., : len(arrays["scale"])]
    total = value * arrays["scale"].astype(np.int64) + arrays["bias"]
    return _finish(layer, network, counter, total)


@apply.register(MaxPool2D)
def _max_pool(
    layer: MaxPool2D, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    return max_over(layer.window(x.shape[1:]), x, np.iinfo(np.int16).min)


def _average(
    layer: Union[AveragePool2D, GlobalAveragePool2D],
    network: QuantizedNetwork,
    counter: Counter,
    x: np.ndarray,
) -> np.ndarray:
    """Sum, times the reciprocal of the number of pixels that exist, one rounding shift."""
    window = layer.window(x.shape[1:])
    total = sum_over(window, x)
    out = np.empty_like(total)
    counts = window.counts()
    for count in np.unique(counts):
        multiplier, shift = reciprocal(int(count))
        here = counts == count
        shift += network.schedules[layer.name]["output_shift"]
        out[:, here] = counter.saturate(round_shift(total[:, here] * multiplier, shift))
    return out


@apply.register(AveragePool2D)
def _average_pool(
    layer: AveragePool2D, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    return _average(layer, network, counter, x)


@apply.register(GlobalAveragePool2D)
def _global_average(
    layer: GlobalAveragePool2D, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    return _average(layer, network, counter, x)[:, 0, 0, :]


@apply.register(Reshape)
def _reshape(
    layer: Reshape, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    return reshape_batch(layer, x)


@apply.register(ZeroPadding2D)
def _pad(
    layer: ZeroPadding2D, network: QuantizedNetwork, counter: Counter, x: np.ndarray
) -> np.ndarray:
    return pad_batch(layer, x)


@apply.register(Add)
def _add(
    layer: Add, network: QuantizedNetwork, counter: Counter, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    left, right = alignment(layer, *(network.exponents[name] for name in layer.inputs))
    return _finish(layer, network, counter, (first << left) + (second << right))


def input_words(network: QuantizedNetwork, x: np.ndarray, counter: Counter) -> np.ndarray:
    """Return a batch as input words: float32 values, or unscaled uint8."""
    exponent = network.exponents[network.input.name]
    if x.dtype == np.uint8:
        scale, offset = network.input.uint8_scale, network.input.uint8_offset
        assert scale is not None
        return quantize_bytes(x, byte_rule(scale, offset, exponent), counter.saturate)
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        raise not_finite(int(np.argmin(finite)))
    return quantize_input(x, exponent, counter.saturate)


def run_words(
    network: QuantizedNetwork, x: np.ndarray, saturations: Optional[np.ndarray] = None
) -> Dict[str, np.ndarray]:
    """Return the output words of every layer but a final softmax, by the layers' names."""
    outputs: Dict[str, np.ndarray] = {}
    for index, layer in enumerate(network.layers):
        counter = Counter()
        if index == 0:
            words = input_words(network, x, counter)
            outputs[layer.name] = words.reshape((len(x), *network.shapes[layer.name]))
        elif not isinstance(layer, Softmax):
            inputs: List[np.ndarray] = [outputs[name] for name in layer.inputs]
            outputs[layer.name] = apply(layer, network, counter, *inputs)
        if saturations is not None:
            saturations[index] += counter.count
    return outputs


class Plan(BasePlan):
    """A network to be run by NumPy."""

    name = "reference"

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        largest = max(int(np.prod(shape)) for shape in self.network.shapes.values())
        tile = max(1, _TILE_WORDS // largest)
        for start in range(0, len(x), tile):
            try:
                words = run_words(self.network, x[start : start + tile], saturations)
            except NotFiniteError as error:
                raise not_finite(start + error.sample) from None
            *_, last = words.values()
            out[start : start + tile] = dequantize(last, self.output_exponent)
