"""Calibration data: checks, scaling for the network's layers, and warnings about poor data."""

import math
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from ..arithmetic.exponents import exponent_for
from ..network.graph import Network
from .observer import sample_peaks

FEW_SAMPLES = 32  # fewer hardly represent the network's later inputs
OUTLIER_BITS = {0.01: 3, 0.05: 4}  # warn if this share of samples costs so many bits


def calibration_array(network: Network, data: Any) -> np.ndarray:
    """Return calibration data as float64 of shape (n,) + input shape.

    They are scaled as the network's layers read them.

    Raises
    ------
    ValueError
        If the dtype, the shape or a value is wrong.
    """
    data = np.asarray(data)
    if data.dtype.kind not in "fiu":
        raise ValueError(
            f"calibration data must be real numbers. Received: dtype={data.dtype}. "
            "Pass some hundred typical inputs as one array."
        )
    entry = network.input
    if data.shape[1:] != entry.shape or not len(data):
        raise ValueError(
            f"calibration data must have shape (n, {', '.join(map(str, entry.shape))}) with "
            f"n >= 1. Received: {data.shape}. Pass some hundred typical inputs as one array."
        )
    if data.dtype.kind in "iu" and entry.uint8_scale is not None and not entry.rescales:
        if not (0 <= data.min() and data.max() <= 255):
            raise ValueError(
                "integers must be unscaled bytes, 0 ... 255, for this network. "
                f"Received: {data.min()} ... {data.max()}. Pass scaled numbers as floats."
            )
        scaled: np.ndarray = data.astype(np.float64) * entry.uint8_scale + entry.uint8_offset
        return scaled
    with np.errstate(over="ignore"):  # infinite values are refused next
        data = data.astype(np.float32).astype(np.float64)  # as predict and Keras do
    if not np.isfinite(data).all():
        raise ValueError(
            "calibration data must be finite. "
            f"Received: {int(np.sum(~np.isfinite(data)))} NaN or infinite values. Remove them."
        )
    return entry.scaled(data)


def doubts(data: np.ndarray, percentile: float) -> Iterator[str]:
    """Yield a warning, with its remedy, for each weakness of the calibration data."""
    if len(data) < FEW_SAMPLES:
        yield (
            f"calibration data should be at least {FEW_SAMPLES} samples. Received: {len(data)}. "
            "Pass some hundred typical inputs, or later inputs may exceed the chosen range."
        )
    if len(data) > 1 and not np.ptp(data, axis=0).any():
        yield (
            f"calibration data should differ. Received: {len(data)} equal samples, "
            f"{data.min():.4g} ... {data.max():.4g}. Pass typical inputs: the ranges of all "
            "layers follow from them."
        )
    outliers = _outliers(sample_peaks(data)) if percentile == 100 else None
    if outliers is not None:
        count, usual, largest, bits = outliers
        share = math.floor(1000 * (1 - count / len(data))) / 10
        yield (
            f"calibration data should contain no outliers. Received: {count} of {len(data)} "
            f"samples, up to {largest:.4g} where the others stay within {usual:.4g}: they cost "
            f"{bits} bits of precision. Remove them, or pass clip_percentile={share:g}, which "
            "limits them."
        )


def _outliers(peaks: np.ndarray) -> Optional[Tuple[int, float, float, int]]:
    """Return how many samples are far beyond the others, both peaks, and the bits between them."""
    if len(peaks) < FEW_SAMPLES:
        return None
    peaks = np.sort(peaks)
    for share, least in OUTLIER_BITS.items():
        usual, largest = float(peaks[-1 - max(1, int(share * len(peaks)))]), float(peaks[-1])
        bits = exponent_for(largest) - exponent_for(usual) if usual > 0 else 0
        if bits >= least:
            return int(np.sum(peaks > 2 * usual)), usual, largest, bits
    return None
