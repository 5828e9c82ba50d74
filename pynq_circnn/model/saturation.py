"""What a model had to limit: counted as it predicts, and warned of once."""

from typing import Dict, Optional

import numpy as np

from ..backends.base import BasePlan
from ..errors import SaturationWarning, warn_user
from ..layers.base import size_of
from ..network.quantized import QuantizedNetwork

WARNING_SHARE = 1e-3  # of a layer's output words; held-out data of the shipped models stay below
WARNING_WORDS = 32  # and not fewer, so that a single odd sample is no reason
FIRST_SAMPLES = 1024  # counted in any case
EVERY_CALL = 256  # one call of so many is counted afterwards


def beyond_range(network: QuantizedNetwork, batch: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a call's saturation counts without inputs that were only rounded to the largest word.

    An input of exactly the largest value calibrated for, such as a white pixel, is limited by one
    unit of the last place, which is no reason to warn.

    Parameters
    ----------
    network : QuantizedNetwork
    batch : array of shape (n,) + network.input.shape
        As the plan took it.
    counts : int64 array with one element a layer
    """
    if counts[0]:
        entry = network.input
        x = batch
        if batch.dtype == np.uint8:
            assert entry.uint8_scale is not None
            x = batch * np.float32(entry.uint8_scale) + np.float32(entry.uint8_offset)
        largest = 2.0 ** (15 + network.exponents[entry.name]) * (1 + 2.0**-15)
        counts = counts.copy()
        counts[0] = np.count_nonzero(x > largest) + np.count_nonzero(x < -largest)
    return counts


def limited_words(network: QuantizedNetwork, counts: np.ndarray) -> Dict[str, int]:
    """Return how many words each layer limited, of those that limited any."""
    return {layer.name: int(n) for layer, n in zip(network.layers, counts) if n}


class SaturationWatch:
    """Watches the predictions of one model and warns once if many words were limited.

    Where counting takes time (the native back end), it looks at the first 1,024 samples and then
    at one call in 256; elsewhere at all of them.  After its warning it stops looking.

    Parameters
    ----------
    network : QuantizedNetwork
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self._network = network
        self._words = np.array([size_of(network.shapes[layer.name]) for layer in network.layers])
        self._counts = np.zeros(len(network.layers), dtype=np.int64)
        self._samples = self._calls = 0
        self._warned = False

    def counters(self, plan: BasePlan) -> Optional[np.ndarray]:
        """Return zeros in which this call's limited words are counted, or ``None`` for no count."""
        if self._warned:
            return None
        if not plan.counts_at_no_cost and self._samples >= FIRST_SAMPLES:
            self._calls += 1
            if self._calls % EVERY_CALL:
                return None
        return np.zeros(len(self._words), dtype=np.int64)

    def look(self, batch: np.ndarray, counts: Optional[np.ndarray]) -> None:
        """Add what a call counted for its batch, and warn if it has become too much.

        Parameters
        ----------
        batch : array
            As the plan took it.
        counts : array or None
            As :meth:`counters` returned it, and the plan counted in it.
        """
        if counts is None:
            return
        if self._samples < FIRST_SAMPLES:
            self._check_scale(batch)
        self._samples += len(batch)
        counts = beyond_range(self._network, batch, counts)
        self._counts += counts
        if not counts.any() or self._warned:
            return
        least = np.maximum(WARNING_SHARE * self._samples * self._words, WARNING_WORDS)
        (over,) = np.nonzero(self._counts >= least)
        if len(over):
            self._warned = True
            warn_user(self._message(int(over[0])), SaturationWarning)

    def _check_scale(self, batch: np.ndarray) -> None:
        """Warn of floats of 0 ... 1 where the model takes those of 0 ... 255 and scales itself."""
        entry = self._network.input
        if batch.dtype == np.uint8 or entry.uint8_scale is None or not entry.rescales:
            return
        offset = np.asarray(entry.offset, np.float32)
        largest = np.abs(batch - offset).max(initial=0) / np.abs(entry.scale)
        if 0 < largest <= 1.001 and not self._warned:
            self._warned = True
            warn_user(
                "x must be as the source model takes it, before its own scaling: unscaled bytes, "
                f"or floats of the same range. Received: floats up to {largest:.4g}. They seem to "
                "be scaled already, which the model would do once more.",
            )

    def _message(self, index: int) -> str:
        entry, layer = self._network.input, self._network.layers[index]
        count, words = int(self._counts[index]), self._samples * int(self._words[index])
        limit = 32767 * 2.0 ** self._network.exponents[layer.name]
        if index == 0:
            what = f"x must stay within the calibrated range of +-{limit:.4g}"
            if entry.rescales:
                what += " after the model's own scaling"
            remedy = "Scale x as in training"
            if entry.uint8_scale is not None and not entry.rescales:
                remedy += ", pass unscaled bytes as uint8"
        else:
            what = f"layer {layer.name!r} must stay within its calibrated range"
            remedy = "Check that x is scaled as in training"
        return (
            f"{what}. Received: {count:,} words limited, {100 * count / words:.2g} % of "
            f"{words:,} in {self._samples:,} samples. {remedy}, or convert the model again with "
            "calibration data like these; evaluate() reports what every layer limited."
        )
