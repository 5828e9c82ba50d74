"""The first pass over calibration data: the largest values at every stage of a layer."""

import math
from collections import defaultdict
from typing import Dict, List

import numpy as np

from ..arithmetic.circulant import from_half_spectrum
from ..layers.base import Layer, Peaks


def _stage_peaks(points: np.ndarray, inverse: bool) -> List[np.ndarray]:
    """Return each sample's largest component after every stage of decimation in time.

    After the stage that joins groups of ``length``, the memory holds the unscaled transforms of
    the decimated subsequences.
    """
    peaks = []
    size, length = points.shape[-1], 2
    while length <= size:
        groups = points.reshape(points.shape[:-1] + (length, size // length))
        values = np.fft.ifft(groups, axis=-2) * length if inverse else np.fft.fft(groups, axis=-2)
        peaks.append(sample_peaks(values))
        length *= 2
    return peaks


def sample_peaks(values: np.ndarray) -> np.ndarray:
    """Return each sample's largest magnitude of a component, shape (n,)."""
    flat = values.reshape(len(values), -1)
    peak: np.ndarray = np.abs(flat.real).max(axis=1, initial=0)
    if flat.dtype.kind == "c":
        peak = np.maximum(peak, np.abs(flat.imag).max(axis=1, initial=0))
    return peak


def _packed(values: np.ndarray) -> np.ndarray:
    return values[..., 0::2] + 1j * values[..., 1::2]


class Observer:
    """Collects every layer's peaks, sample by sample, over the chunks of the calibration data."""

    def __init__(self) -> None:
        self._peaks: Dict[str, Dict[str, List[np.ndarray]]] = defaultdict(lambda: defaultdict(list))

    def note(self, layer: Layer, stage: str, *peaks: np.ndarray) -> None:
        """Store the peaks of a chunk at a stage, or at each step of a transform."""
        self._peaks[layer.name][stage].append(np.stack(peaks, axis=1))

    def __call__(self, layer: Layer, stage: str, values: np.ndarray) -> None:
        if stage == "spectrum" and values.shape[-1] > 1:
            stages = _stage_peaks(_packed(from_half_spectrum(values)), inverse=False)
            self.note(layer, "forward", *stages, sample_peaks(values))
        if stage == "value" and values.shape[-1] > 1:
            merged = np.fft.fft(_packed(values))
            self.note(layer, "inverse", sample_peaks(merged), *_stage_peaks(merged, inverse=True))
        if stage == "preactivation" and getattr(layer, "activation", "") in ("relu", "relu6"):
            values = np.maximum(values, 0)  # negative values are cut and need no range
        self.note(layer, stage, sample_peaks(values))

    def peaks(self, layer: Layer, chosen: np.ndarray, percentile: float = 100.0) -> Peaks:
        """Return the peaks at every stage that this percentage of chosen samples stay within."""
        result: Peaks = {}
        for stage, chunks in self._peaks[layer.name].items():
            ordered = np.sort(np.concatenate(chunks)[chosen], axis=0)
            peaks = ordered[math.ceil(percentile / 100 * len(ordered)) - 1]
            result[stage] = peaks if stage in ("forward", "inverse") else float(peaks[0])
        return result
