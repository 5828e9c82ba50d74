"""From the network that a front end built to a model: quantised, and compared with its source."""

import dataclasses
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from ..arithmetic.exponents import HEADROOM, exponent_for
from ..errors import ConversionError, warn_user
from ..model.model import Model
from ..network.graph import Network
from ..quantization.calibration import calibration_array
from ..quantization.quantizer import quantize
from .comparison import Source, check


def check_on_difference(on_difference: str) -> None:
    """Raise ``ValueError`` if it is not one of the two; to be called before anything slow."""
    if on_difference not in ("raise", "warn"):
        raise ValueError(f"on_difference must be 'raise' or 'warn'. Received: {on_difference!r}.")


def to_model(
    network: Network,
    source: Source,
    data: np.ndarray,
    name: str,
    labels: Optional[Sequence[str]] = None,
    provenance: Optional[Mapping[str, Any]] = None,
    verbose: bool = False,
    clip_percentile: float = 100.0,
    on_difference: str = "raise",
) -> Model:
    """Return a float network in 16 bits, once it was compared with the model that it came from.

    Parameters
    ----------
    network : Network
        As :meth:`pynq_circnn.frontends.builder.Builder.build` returns it.
    source : Source
        The trained model.
    data : array of shape (n,) + network.input.shape
        Calibration data, as the source takes them.
    name, labels, provenance
        As for :class:`pynq_circnn.Model`.
    verbose, clip_percentile
        As for :func:`pynq_circnn.quantize`.
    on_difference : "raise" or "warn"
        What to do if the converted model differs from the source.

    Returns
    -------
    Model
        With the signal to noise against the source as ``provenance["source_comparison"]``.

    Raises
    ------
    ValueError
        As :func:`pynq_circnn.quantize`, or if an argument does not fit.
    ConversionError
        If the converted model differs from the source; the first such layer is named.
    """
    check_on_difference(on_difference)
    network = _with_bytes_if_used(network, data)
    quantized = quantize(network, data, verbose, clip_percentile)
    converted = Model(quantized, name, labels, provenance)
    report, difference = check(network, quantized, source, data)
    if difference is not None:
        if on_difference == "raise":
            raise ConversionError(difference)
        warn_user(difference)
    converted.provenance["source_comparison"] = report
    return converted


def _with_bytes_if_used(network: Network, data: np.ndarray) -> Network:
    """Return the network, which reads bytes by itself only if it costs other data no precision.

    Bytes fill a range of their own: numbers that stay in a small part of it, such as images scaled
    to 0 ... 1 before a scaling by 2 and -1, or zeros and ones, would be left with few bits.
    """
    entry = network.input
    largest = float(np.abs(data.astype(np.float64)).max())
    if entry.uint8_scale is None or (data.dtype == np.uint8 and largest != 1):
        return network
    peak = float(np.abs(calibration_array(network, data)).max())
    bytes_peak = float(np.abs(entry.scaled(np.array([0.0, 255.0]))).max())
    finer = exponent_for(peak, HEADROOM) < exponent_for(bytes_peak * (1 - 2.0**-15))
    if not finer and not 0 < largest <= 1:
        return network
    entry = dataclasses.replace(entry, uint8_scale=None, uint8_offset=0.0)
    return Network((entry, *network.layers[1:]), network.parameters)
