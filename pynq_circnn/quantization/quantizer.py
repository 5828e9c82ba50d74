"""The quantiser: a float network and calibration data become the engine's 16-bit integers.

Two passes over the calibration data: the first observes each sample's largest magnitude at every
point where the engine holds 16 bits, from which the static shifts follow; the second runs the
quantised network and the float one and reports every layer's signal-to-noise ratio.  If there are
enough samples, it also measures with shifts that do not depend on the samples measured.
"""

import dataclasses
import math
from collections import defaultdict
from typing import Any, Callable, Dict, List

import numpy as np

from ..arithmetic.exponents import HEADROOM
from ..arithmetic.fixed import dequantize
from ..errors import CalibrationWarning, warn_user
from ..network import floating, integers
from ..network.graph import Network
from ..network.quantized import QuantizedNetwork
from .calibration import FEW_SAMPLES, calibration_array, doubts
from .observer import Observer, sample_peaks

HELD_OUT_EVERY = 4  # every fourth sample is held out, of at least twice FEW_SAMPLES
LEAST_SNR_DB = 30.0  # a layer below this usually costs accuracy
_CHUNK_WORDS = 1 << 22


def _held_out(samples: int) -> np.ndarray:
    """Return which samples are held out for the measurement: none if there are too few."""
    numbers = np.arange(samples)
    enough = samples >= 2 * FEW_SAMPLES
    held_out: np.ndarray = (numbers % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) & enough
    return held_out


def _chunks(network: Network, data: np.ndarray) -> List[np.ndarray]:
    largest = max(int(np.prod(shape)) for shape in network.shapes.values())
    size = max(1, _CHUNK_WORDS // largest)
    return [data[start : start + size] for start in range(0, len(data), size)]


def _scheduled(
    network: Network, observer: Observer, chosen: np.ndarray, percentile: float
) -> QuantizedNetwork:
    """Return the network with the exponents that follow from the peaks of the samples chosen."""
    schedules: Dict[str, Dict[str, Any]] = {}
    arrays: Dict[str, Dict[str, np.ndarray]] = {}
    exponents: Dict[str, int] = {}
    for layer in network.layers:
        inputs = [exponents[name] for name in layer.inputs]
        parameters = network.parameters.get(layer.name, {})
        peaks = observer.peaks(layer, chosen, percentile)
        schedule, arrays[layer.name] = layer.quantize(parameters, peaks, *inputs)
        schedules[layer.name] = schedule
        exponents[layer.name] = layer.output_exponent(schedule, *inputs)
    return QuantizedNetwork(network.layers, schedules, arrays)


def quantize(
    network: Network, data: Any, verbose: bool = False, clip_percentile: float = 100.0
) -> QuantizedNetwork:
    """Return the network in the engine's 16-bit arithmetic.

    Parameters
    ----------
    network : Network
    data : array of shape (n,) + network.input.shape
        Calibration data: some hundred typical inputs (unlabelled), as ``predict`` will get them.
        All of them determine the exponents.  Of 64 or more, every fourth measures the
        signal-to-noise ratio twice: with these exponents, and with those that the other samples
        alone would have given.  The lower ratio counts.
    verbose : bool
        Show a progress bar.
    clip_percentile : float
        Percentage of the samples that must stay within the range of every layer, with the usual
        headroom; the rest may be limited.  Below 100 it keeps outliers from costing all other
        samples their precision.

    Returns
    -------
    QuantizedNetwork
        With each layer's signal-to-noise ratio in ``snr_db``, and in ``calibration`` the number
        of samples that it was measured on and the bits that clipping gained.

    Raises
    ------
    ValueError
        If the data do not fit, or a layer cannot be brought into the engine's range.

    Warns
    -----
    CalibrationWarning
        If the data are few, constant or have outliers, or a layer is below 30 dB.
    """
    if not _is_percentage(clip_percentile):
        raise ValueError(
            "clip_percentile must be a percentage above 50, up to 100. "
            f"Received: {clip_percentile!r}. 100 clips nothing, 99 the rarest hundredth."
        )
    data = calibration_array(network, data)
    for doubt in doubts(data, clip_percentile):
        warn_user(doubt, CalibrationWarning)
    held_out, everything = _held_out(len(data)), np.full(len(data), True)
    measured = data[held_out] if held_out.any() else data
    chunks = _chunks(network, data)
    from tqdm.auto import tqdm  # slow to import, and most programs never quantise

    bar = tqdm(
        total=len(data) + len(measured), desc="calibrating", disable=not verbose, leave=False
    )
    observer = Observer()
    for x in chunks:
        outputs = floating.run(network, x, observer)
        for layer in network.layers:
            observer.note(layer, "output", sample_peaks(outputs[layer.name]))
        bar.update(len(x))
    quantized = _scheduled(network, observer, everything, clip_percentile)
    candidates = [quantized]
    report: Dict[str, Any] = {"samples": len(data), "measured_on": len(measured)}
    if held_out.any():
        candidates.append(_scheduled(network, observer, ~held_out, clip_percentile))
    if clip_percentile < 100:
        whole = _scheduled(network, observer, everything, 100.0).exponents
        report["clip_percentile"] = float(clip_percentile)
        report["bits_gained"] = {
            name: whole[name] - exponent
            for name, exponent in quantized.exponents.items()
            if whole[name] != exponent
        }
        inside = observer.peaks(network.input, everything, clip_percentile)["output"]
        within = sample_peaks(measured) <= HEADROOM * inside
        report["clipped"] = int(
            np.sum(~within)
        )  # of the measured samples, which then leave them out
        measured = measured[within] if within.any() else measured
    snr_db = _signal_to_noise(network, candidates, measured, bar.update)
    bar.close()
    poor = {name: snr for name, snr in snr_db.items() if snr < LEAST_SNR_DB}
    if poor:
        shown = ", ".join(f"{name!r} {snr:.1f} dB" for name, snr in list(poor.items())[:5])
        warn_user(
            f"every layer should reach {LEAST_SNR_DB:g} dB of signal to noise. Received: {shown}"
            f"{' ...' if len(poor) > 5 else ''}. Calibrate with more typical data, pass "
            "clip_percentile=99 if a few samples are far larger than the others, or train with "
            "weight decay so that the layer's values are of one size.",
            CalibrationWarning,
        )
    return dataclasses.replace(quantized, snr_db=snr_db, calibration=report)


def _signal_to_noise(
    network: Network,
    candidates: List[QuantizedNetwork],
    data: np.ndarray,
    progress: Callable[[int], Any],
) -> Dict[str, float]:
    """Return each layer's signal-to-noise ratio in dB, the lowest of the candidates."""
    signal: Dict[str, float] = defaultdict(float)
    noise: Dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(candidates)))
    for x in _chunks(network, data):
        outputs = floating.run(network, x)
        for number, candidate in enumerate(candidates):
            for name, words in integers.run_words(candidate, x.astype(np.float32)).items():
                difference = dequantize(words, candidate.exponents[name]) - outputs[name]
                noise[name][number] += np.sum(difference**2)
        for name in noise:
            signal[name] += float(np.sum(outputs[name] ** 2))
        progress(len(x))
    return {name: signal_to_noise_db(signal[name], float(noise[name].max())) for name in noise}


def _is_percentage(value: Any) -> bool:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return number and 50 < value <= 100


def signal_to_noise_db(signal: float, noise: float) -> float:
    """Return the ratio of two energies in decibels, at most 200 and at least -200.

    >>> signal_to_noise_db(100., 1.)
    20.0
    """
    if noise <= signal * 1e-20:
        return 200.0
    return max(10 * math.log10(signal / noise), -200.0) if signal > 0 else -200.0
