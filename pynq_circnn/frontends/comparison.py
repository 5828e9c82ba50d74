"""A conversion held against its source: what the source model itself gives for the same samples."""

from dataclasses import dataclass
from typing import Iterator, Mapping

import numpy as np

from ..arithmetic.fixed import dequantize
from ..arithmetic.floating import softmax
from ..layers import Softmax
from ..network import floating, integers
from ..network.graph import Network
from ..network.quantized import QuantizedNetwork
from ..quantization.quantizer import signal_to_noise_db

ROUNDING = 1e-3  # relative; float32 sums in another order, on accelerators with shortened factors


@dataclass(frozen=True)
class Comparison:
    """One layer of a converted network beside the source's.

    Parameters
    ----------
    name : str
        Of the layer.
    snr_db : float
        Signal to noise of the 16-bit output against the source's own.
    lowering_db, rounding_db : float
        What it is made of: the float network against the source, and the 16-bit network against
        the float one, together with the rounding of the source's own arithmetic.
    """

    name: str
    snr_db: float
    lowering_db: float
    rounding_db: float

    @property
    def explained(self) -> bool:
        """Whether the float network differs from the source by no more than rounding does."""
        return self.lowering_db >= self.rounding_db


def compare(
    network: Network,
    quantized: QuantizedNetwork,
    x: np.ndarray,
    source: Mapping[str, np.ndarray],
    rounding: float = ROUNDING,
) -> Iterator[Comparison]:
    """Return a comparison for each layer whose outputs the source model tells, in order.

    Parameters
    ----------
    network, quantized
        The converted network, in floating point and in 16 bits.
    x : float64 array of shape (n,) + network.input.shape
        As :func:`pynq_circnn.quantization.quantizer.calibration_array` returns them.
    source : mapping of str to array
        For some of the layers, what the source model gives in their place, any shape of that size.
    rounding : float
        Relative error of the source's own arithmetic.
    """
    exact = floating.run(network, x)
    words = integers.run_words(quantized, x.astype(np.float32))
    for layer in network.layers:
        if layer.name not in source:
            continue
        ours = exact[layer.name]
        theirs = np.asarray(source[layer.name], dtype=np.float64).reshape(ours.shape)
        before = layer.inputs[0] if isinstance(layer, Softmax) else layer.name
        rounded = dequantize(words[before], quantized.exponents[before]).astype(np.float64)
        if isinstance(layer, Softmax):
            rounded = softmax(rounded)
        signal = float(np.sum(theirs**2))
        own = rounding**2 * signal
        yield Comparison(
            layer.name,
            signal_to_noise_db(signal, float(np.sum((rounded - theirs) ** 2))),
            signal_to_noise_db(signal, float(np.sum((ours - theirs) ** 2))),
            signal_to_noise_db(signal, float(np.sum((rounded - ours) ** 2)) + own),
        )
