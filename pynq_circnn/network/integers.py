"""A quantised network in integers, layer by layer: the definition of what back ends compute.

It is plain rather than fast: the layer kinds' rules are the text of ``hw/ENGINE.md`` in code.
"""

from typing import Dict, Optional

import numpy as np

from ..arithmetic.fixed import Counter, byte_rule, check_finite, quantize_bytes, quantize_input
from ..layers.softmax import Softmax
from .quantized import QuantizedNetwork


def input_words(network: QuantizedNetwork, x: np.ndarray, counter: Counter) -> np.ndarray:
    """Return a batch as input words: float32 values, or unscaled uint8."""
    exponent = network.exponents[network.input.name]
    if x.dtype == np.uint8:
        scale, offset = network.input.uint8_scale, network.input.uint8_offset
        assert scale is not None
        return quantize_bytes(x, byte_rule(scale, offset, exponent), counter.saturate)
    check_finite(x)
    return quantize_input(x, exponent, counter.saturate)


def run_words(
    network: QuantizedNetwork, x: np.ndarray, saturations: Optional[np.ndarray] = None
) -> Dict[str, np.ndarray]:
    """Return the output words of every layer except a final softmax, by the layers' names.

    Parameters
    ----------
    network : QuantizedNetwork
    x : array of shape (n,) + network.input.shape
        ``float32``, scaled as the layers read them, or unscaled ``uint8``.
    saturations : int64 array with one element a layer, optional
        The number of words that each layer had to limit is added to it.

    Raises
    ------
    NotFiniteError
        If `x` holds NaN or infinity.
    """
    outputs: Dict[str, np.ndarray] = {}
    for index, layer in enumerate(network.layers):
        counter = Counter()
        if isinstance(layer, Softmax):
            continue
        if layer.inputs:
            inputs = [outputs[name] for name in layer.inputs]
        else:
            inputs = [input_words(network, x, counter)]
        outputs[layer.name] = layer.apply(network.quantized_layer(layer), counter, *inputs)
        if saturations is not None:
            saturations[index] += counter.count
    return outputs
