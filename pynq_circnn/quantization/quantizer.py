"""The quantiser: a float network and calibration data become the engine's 16-bit integers.

Two passes over the calibration data: the first observes each sample's largest magnitude at every
point where the engine holds 16 bits, from which the static shifts follow; the second runs the
quantised network beside the float one and reports every layer's signal to noise.  Where there are
enough samples, it also does so with shifts that the samples measured had no part in.
"""

import dataclasses
import math
from collections import defaultdict
from functools import singledispatch
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from ..arithmetic.circulant import from_half_spectrum, half_spectrum
from ..arithmetic.fixed import RECIPROCAL_SHIFT, VALUE_MAX, dequantize, stage_count
from ..backends import reference
from ..contract import ARITHMETIC, DESCRIPTOR
from ..errors import CalibrationWarning, warn_user
from ..layers import (
    Add,
    AveragePool2D,
    GlobalAveragePool2D,
    Input,
    Layer,
    ScaleBias,
    _BlockCirculant,
)
from ..network import floating
from ..network.graph import Network
from ..network.quantized import TABLE_INPUT, QuantizedNetwork, output_exponent

HEADROOM = 1.4  # held-out data go beyond calibration data: 1.4 times at every stage
RUN_SUM = 65535  # sum(|wr| + |wi|) up to which int32 holds a run of products exactly
RUN_BITS = 1  # weight bits given up, at the most, to make whole sums such runs
_CHUNK_WORDS = 1 << 22

FEW_SAMPLES = 32  # fewer say little about what the network will see
HELD_OUT_EVERY = 4  # one sample of so many measures, of at least twice FEW_SAMPLES
OUTLIER_BITS = {0.01: 3, 0.05: 4}  # bits of precision that so rare samples must cost to be told
LEAST_SNR_DB = 30.0  # of a layer, below which accuracy usually suffers

_BIAS_MAX = ARITHMETIC["bias_max"]
_ACCUMULATE_MAX = DESCRIPTOR["accumulate_shift"].max
_SHIFT_MAX = DESCRIPTOR["output_shift"].max

Peaks = Dict[str, Any]  # a number for each stage, an array for the steps of a transform
Quantized = Tuple[Dict[str, Any], Dict[str, np.ndarray]]  # schedule, arrays


def exponent_for(peak: float, headroom: float = 1.0) -> int:
    """Return the smallest exponent at which `peak` times `headroom` stays within 32767.

    >>> exponent_for(1.0), exponent_for(0.9999)
    (-14, -15)
    """
    if peak <= 0:
        return -15
    return math.ceil(math.log2(peak * headroom / VALUE_MAX) - 1e-12)


# -- first pass: what is the largest value anywhere? --------------------------------------------


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
        peaks.append(_peak(values))
        length *= 2
    return peaks


def _peak(values: np.ndarray) -> np.ndarray:
    """Return each sample's largest magnitude of a component, shape (n,)."""
    flat = values.reshape(len(values), -1)
    peak = np.abs(flat.real).max(axis=1, initial=0)
    if flat.dtype.kind == "c":
        peak = np.maximum(peak, np.abs(flat.imag).max(axis=1, initial=0))
    return peak


def _packed(values: np.ndarray) -> np.ndarray:
    return values[..., 0::2] + 1j * values[..., 1::2]


class _Observer:
    """Collects every layer's peaks, sample by sample, over the chunks of the calibration data."""

    def __init__(self) -> None:
        self._peaks: Dict[str, Dict[str, List[np.ndarray]]] = defaultdict(lambda: defaultdict(list))

    def note(self, layer: Layer, stage: str, *peaks: np.ndarray) -> None:
        self._peaks[layer.name][stage].append(np.stack(peaks, axis=1))

    def __call__(self, layer: Layer, stage: str, values: np.ndarray) -> None:
        if stage == "spectrum" and values.shape[-1] > 1:
            stages = _stage_peaks(_packed(from_half_spectrum(values)), inverse=False)
            self.note(layer, "forward", *stages, _peak(values))
        if stage == "value" and values.shape[-1] > 1:
            merged = np.fft.fft(_packed(values))
            self.note(layer, "inverse", _peak(merged), *_stage_peaks(merged, inverse=True))
        if stage == "preactivation" and getattr(layer, "activation", "") in ("relu", "relu6"):
            values = np.maximum(values, 0)  # what the activation cuts needs no room
        self.note(layer, stage, _peak(values))

    def peaks(self, layer: Layer, chosen: np.ndarray, percentile: float = 100.0) -> Peaks:
        """Return the peaks at every stage that this percentage of the samples stay within."""
        result: Peaks = {}
        for stage, chunks in self._peaks[layer.name].items():
            ordered = np.sort(np.concatenate(chunks)[chosen], axis=0)
            peaks = ordered[math.ceil(percentile / 100 * len(ordered)) - 1]
            result[stage] = peaks if stage in ("forward", "inverse") else float(peaks[0])
        return result


def _shift_sums(peaks: np.ndarray, exponent: int) -> List[int]:
    """Return the smallest cumulative shifts, at most one more a stage, that leave headroom.

    `peaks` are the unshifted magnitudes after each stage of words with this exponent.
    """
    wanted = [max(0, exponent_for(peak, HEADROOM) - exponent) for peak in peaks]
    for stage in range(len(wanted) - 2, -1, -1):  # early enough for what comes
        wanted[stage] = max(wanted[stage], wanted[stage + 1] - 1)
    sums: List[int] = []
    for value in wanted:
        before = sums[-1] if sums else 0
        sums.append(min(max(value, before), before + 1))
    return sums


def _shifts(sums: List[int]) -> Tuple[int, ...]:
    return tuple(after - before for before, after in zip([0] + sums[:-1], sums))


# -- the layers ---------------------------------------------------------------------------------


@singledispatch
def quantize_layer(
    layer: Layer, arrays: Mapping[str, np.ndarray], peaks: Peaks, *inputs: int
) -> Quantized:
    """Return a layer's schedule and its integer arrays; `inputs` are the inputs' exponents."""
    return {}, {}


@quantize_layer.register(Input)
def _input(layer: Input, arrays: Mapping[str, np.ndarray], peaks: Peaks, *inputs: int) -> Quantized:
    if layer.uint8_scale is not None:  # the range is known: no headroom is needed
        ends = [layer.uint8_offset, 255 * layer.uint8_scale + layer.uint8_offset]
        low, high = min(ends), max(ends)
        exponent = exponent_for(max(abs(low), abs(high)) * (1 - 2.0**-15))
        margin = HEADROOM if layer.rescales else 1 - 2.0**-15  # floats that are scaled bytes too
        if peaks["output"] > max(abs(low), abs(high)):
            exponent = max(exponent, exponent_for(peaks["output"], margin))
    else:
        exponent = exponent_for(peaks["output"], HEADROOM)
    return {"exponent": exponent}, {}


def _words(values: np.ndarray, exponent: int, limit: int, dtype: str) -> np.ndarray:
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit).astype(dtype)


def _target(layer: Any, peaks: Peaks, lowest: int) -> int:
    """Return the exponent to bring a layer's sum to, which itself has the exponent `lowest`."""
    if layer.activation not in ("sigmoid", "tanh"):
        target = exponent_for(peaks["preactivation"], HEADROOM)
        if layer.activation != "relu6":
            return max(target, lowest)
        finest = exponent_for(6.0)
        target = max(min(target, finest), min(lowest, finest))
    else:
        target = finest = TABLE_INPUT
    if lowest > finest:
        raise ValueError(
            f"the input of the {layer.activation} of layer {layer.name!r} must stay within 32,768 "
            f"times its useful range of +-8. Received: peak {peaks['preactivation']:.3g}. "
            "Scale the layer's weights down."
        )
    return target


def _epilogue(
    layer: Any, arrays: Mapping[str, np.ndarray], peaks: Peaks, value_exponent: int
) -> Quantized:
    """Choose the exponents of scale and output, so that shift and bias are within their limits."""
    scale_exponent = exponent_for(np.abs(arrays["scale"]).max(initial=0))
    bias_peak = np.abs(arrays["bias"]).max(initial=0)
    if bias_peak > 0:
        bias_exponent = math.ceil(math.log2(bias_peak / _BIAS_MAX))
        scale_exponent = max(scale_exponent, bias_exponent - value_exponent)
    target = _target(layer, peaks, value_exponent + scale_exponent)
    scale_exponent = max(scale_exponent, target - value_exponent - _SHIFT_MAX)
    total_exponent = value_exponent + scale_exponent
    schedule = {"scale_exponent": scale_exponent, "output_shift": target - total_exponent}
    words = {
        "scale": _words(arrays["scale"], scale_exponent, VALUE_MAX, "int16"),
        "bias": _words(arrays["bias"], total_exponent, _BIAS_MAX, "int32"),
    }
    return schedule, words


quantize_layer.register(ScaleBias)(_epilogue)


@quantize_layer.register(_BlockCirculant)
def _matrix(
    layer: _BlockCirculant, arrays: Mapping[str, np.ndarray], peaks: Peaks, *inputs: int
) -> Quantized:
    stages = stage_count(layer.block)
    forward = _shift_sums(peaks["forward"], inputs[0]) if stages else []
    spectrum_exponent = inputs[0] + (forward[-1] if stages else 0)

    gain = _gain(peaks["sum"])
    spectral = half_spectrum(arrays["weights"]) * gain
    weights_exponent = _weights_exponent(spectral)
    product_exponent = spectrum_exponent + weights_exponent
    sum_exponent = exponent_for(peaks["sum"] * gain, HEADROOM)
    sum_exponent = min(max(sum_exponent, product_exponent), product_exponent + _ACCUMULATE_MAX)
    inverse = _shift_sums(peaks["inverse"] * gain, sum_exponent) if stages else []
    value_exponent = sum_exponent + (inverse[-1] - (stages - 1) if stages else 0)

    scaled = {"scale": arrays["scale"] / gain, "bias": arrays["bias"]}
    schedule, words = _epilogue(layer, scaled, peaks, value_exponent)
    schedule.update(
        weights_exponent=weights_exponent,
        forward_shifts=_shifts(forward),
        accumulate_shift=sum_exponent - product_exponent,
        inverse_shifts=_shifts(inverse),
    )
    words["weights"] = _words(spectral, weights_exponent, VALUE_MAX, "int16")
    return schedule, words


def _gain(peak: float) -> float:
    """Return what to multiply a layer's weights by, from 1 to 2, so that its sums fill 16 bits.

    The channels' scales take it back; without it, exponents being whole, up to one bit would be
    lost.
    """
    return 2.0 ** exponent_for(peak, HEADROOM) * VALUE_MAX / (HEADROOM * peak) if peak > 0 else 1.0


def _weights_exponent(spectral: np.ndarray) -> int:
    """Return the finest exponent, or one up to RUN_BITS coarser at which int32 runs suffice.

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
    needed = math.ceil(math.log2(max(sums.max(initial=0), 1e-300) / RUN_SUM) + 1e-3)
    return needed if finest < needed <= finest + RUN_BITS else finest


@quantize_layer.register(Add)
def _add(layer: Add, arrays: Mapping[str, np.ndarray], peaks: Peaks, *inputs: int) -> Quantized:
    finer = min(inputs)
    target = _target(layer, peaks, finer)
    return {"output_shift": target - finer}, {}


def _average(
    layer: Layer, arrays: Mapping[str, np.ndarray], peaks: Peaks, *inputs: int
) -> Quantized:
    target = exponent_for(peaks["output"], HEADROOM)
    target = min(max(target, inputs[0] - RECIPROCAL_SHIFT), inputs[0])
    return {"output_shift": target - inputs[0] + RECIPROCAL_SHIFT}, {}


for _kind in (AveragePool2D, GlobalAveragePool2D):
    quantize_layer.register(_kind)(_average)


# -- the whole ----------------------------------------------------------------------------------


def calibration_array(network: Network, data: Any) -> np.ndarray:
    """Return calibration data as float64 of shape (n,) + input shape, or say what is wrong.

    They are scaled as the network's input says: what the layers read.
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
        return data.astype(np.float64) * entry.uint8_scale + entry.uint8_offset
    with np.errstate(over="ignore"):  # what becomes infinite is refused next
        data = data.astype(np.float32).astype(np.float64)  # what predict reads, as Keras does
    if not np.isfinite(data).all():
        raise ValueError(
            "calibration data must be finite. "
            f"Received: {int(np.sum(~np.isfinite(data)))} NaN or infinite values. Remove them."
        )
    return entry.scaled(data)


def _doubts(data: np.ndarray, percentile: float) -> Iterator[str]:
    """Return what makes calibration data a poor guide, each with what to do."""
    if len(data) < FEW_SAMPLES:
        yield (
            f"calibration data should be at least {FEW_SAMPLES} samples. Received: {len(data)}. "
            "Pass some hundred typical inputs, or held-out ones may go beyond the chosen range."
        )
    if len(data) > 1 and not np.ptp(data, axis=0).any():
        yield (
            f"calibration data should differ. Received: {len(data)} equal samples, "
            f"{data.min():.4g} ... {data.max():.4g}. Pass typical inputs: the ranges of all "
            "layers follow from them."
        )
    outliers = _outliers(_peak(data)) if percentile == 100 else None
    if outliers is not None:
        count, usual, largest, bits = outliers
        share = math.floor(1000 * (1 - count / len(data))) / 10
        yield (
            f"calibration data should hold no outliers. Received: {count} of {len(data)} samples, "
            f"up to {largest:.4g} where the others stay within {usual:.4g}: they cost {bits} bits "
            f"of precision. Remove them, or pass clip_percentile={share:g}, which limits them."
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


def _held_out(samples: int) -> np.ndarray:
    """Return which samples are kept for the estimate: none where there are too few."""
    numbers = np.arange(samples)
    enough = samples >= 2 * FEW_SAMPLES
    return (numbers % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) & enough


def _chunks(network: Network, data: np.ndarray) -> List[np.ndarray]:
    largest = max(int(np.prod(shape)) for shape in network.shapes.values())
    size = max(1, _CHUNK_WORDS // largest)
    return [data[start : start + size] for start in range(0, len(data), size)]


def _scheduled(
    network: Network, observer: _Observer, chosen: np.ndarray, percentile: float
) -> QuantizedNetwork:
    """Return the network with the exponents that follow from the peaks of the samples chosen."""
    schedules: Dict[str, Dict[str, Any]] = {}
    arrays: Dict[str, Dict[str, np.ndarray]] = {}
    exponents: Dict[str, int] = {}
    for layer in network.layers:
        inputs = [exponents[name] for name in layer.inputs]
        parameters = network.parameters.get(layer.name, {})
        peaks = observer.peaks(layer, chosen, percentile)
        schedule, arrays[layer.name] = quantize_layer(layer, parameters, peaks, *inputs)
        schedules[layer.name] = schedule
        exponents[layer.name] = output_exponent(layer, schedule, *inputs)
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
        All of them choose the exponents.  Of 64 or more, every fourth is where the signal to
        noise is measured, the lower of two: with these exponents, and with those that the other
        samples alone would have chosen.
    verbose : bool
        Show a progress bar.
    clip_percentile : float
        Percentage of the samples that must stay within the range of every layer, with the usual
        headroom; the rest may be limited.  Below 100 it keeps outliers from costing all other
        samples their precision.

    Returns
    -------
    QuantizedNetwork
        With each layer's signal to noise in ``snr_db``, and in ``calibration`` what it was
        measured on and what clipping gained.

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
    for doubt in _doubts(data, clip_percentile):
        warn_user(doubt, CalibrationWarning)
    held_out, everything = _held_out(len(data)), np.full(len(data), True)
    measured = data[held_out] if held_out.any() else data
    chunks = _chunks(network, data)
    from tqdm.auto import tqdm  # slow to import, and most programs never quantise

    bar = tqdm(
        total=len(data) + len(measured), desc="calibrating", disable=not verbose, leave=False
    )
    observer = _Observer()
    for x in chunks:
        outputs = floating.run(network, x, observer)
        for layer in network.layers:
            observer.note(layer, "output", _peak(outputs[layer.name]))
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
        within = _peak(measured) <= HEADROOM * inside
        report["clipped"] = int(np.sum(~within))  # of those measured, and left out there
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
    """Return each layer's signal to noise against floating point, the lowest of the candidates."""
    signal: Dict[str, float] = defaultdict(float)
    noise: Dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(candidates)))
    for x in _chunks(network, data):
        outputs = floating.run(network, x)
        for number, candidate in enumerate(candidates):
            for name, words in reference.run_words(candidate, x.astype(np.float32)).items():
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
