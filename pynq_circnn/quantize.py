"""The quantiser: a float network and calibration data become the engine's 16-bit integers.

Two passes over the calibration data: the first observes the largest magnitude at every point
where the engine holds 16 bits, from which the static shifts follow; the second runs the quantised
network beside the float one and reports every layer's signal to noise.
"""

import math
from collections import defaultdict
from functools import singledispatch
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from . import floating
from .backends import reference
from .circulant import from_half_spectrum, half_spectrum
from .contract import ARITHMETIC, DESCRIPTOR
from .fixed import RECIPROCAL_SHIFT, VALUE_MAX, dequantize, stage_count
from .layers import (
    Add,
    AveragePool2D,
    GlobalAveragePool2D,
    Input,
    Layer,
    ScaleBias,
    _BlockCirculant,
)
from .network import Network
from .quantized import TABLE_INPUT, QuantizedNetwork, output_exponent

HEADROOM = 1.4  # held-out data go beyond calibration data: 1.4 times at every stage
RUN_SUM = 65535  # sum(|wr| + |wi|) up to which int32 holds a run of products exactly
RUN_BITS = 1  # weight bits given up, at the most, to make whole sums such runs
_CHUNK_WORDS = 1 << 22

_BIAS_MAX = ARITHMETIC["bias_max"]
_ACCUMULATE_MAX = DESCRIPTOR["accumulate_shift"].max
_SHIFT_MAX = DESCRIPTOR["output_shift"].max

Peaks = Dict[str, np.ndarray]
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


def _stage_peaks(points: np.ndarray, inverse: bool) -> List[float]:
    """Return the largest component after every stage of decimation in time.

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


def _peak(values: np.ndarray) -> float:
    """Return the largest magnitude of a component."""
    return float(max(np.abs(values.real).max(initial=0), np.abs(values.imag).max(initial=0)))


def _packed(values: np.ndarray) -> np.ndarray:
    return values[..., 0::2] + 1j * values[..., 1::2]


class _Observer:
    """Collects the peaks of every layer over the chunks of the calibration data."""

    def __init__(self) -> None:
        self.peaks: Dict[str, Peaks] = defaultdict(dict)

    def note(self, layer: Layer, stage: str, peak: Any) -> None:
        peaks = self.peaks[layer.name]
        peaks[stage] = np.maximum(peaks.get(stage, 0.0), peak)

    def __call__(self, layer: Layer, stage: str, values: np.ndarray) -> None:
        if stage == "spectrum" and values.shape[-1] > 1:
            stages = _stage_peaks(_packed(from_half_spectrum(values)), inverse=False)
            self.note(layer, "forward", np.array(stages + [_peak(values)]))
        if stage == "value" and values.shape[-1] > 1:
            merged = np.fft.fft(_packed(values))
            stages = [_peak(merged)] + _stage_peaks(merged, inverse=True)
            self.note(layer, "inverse", np.array(stages))
        if stage == "preactivation" and getattr(layer, "activation", "") in ("relu", "relu6"):
            values = np.maximum(values, 0)  # what the activation cuts needs no room
        self.note(layer, stage, _peak(values))


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
        exponent = max(exponent, exponent_for(float(peaks["output"]) * (1 - 2.0**-15)))
    else:
        exponent = exponent_for(float(peaks["output"]), HEADROOM)
    return {"exponent": exponent}, {}


def _words(values: np.ndarray, exponent: int, limit: int, dtype: str) -> np.ndarray:
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit).astype(dtype)


def _target(layer: Any, peaks: Peaks, lowest: int) -> int:
    """Return the exponent to bring a layer's sum to, which itself has the exponent `lowest`."""
    if layer.activation not in ("sigmoid", "tanh"):
        target = exponent_for(float(peaks["preactivation"]), HEADROOM)
        if layer.activation != "relu6":
            return max(target, lowest)
        finest = exponent_for(6.0)
        target = max(min(target, finest), min(lowest, finest))
    else:
        target = finest = TABLE_INPUT
    if lowest > finest:
        raise ValueError(
            f"the input of the {layer.activation} of layer {layer.name!r} must stay within 32,768 "
            f"times its useful range of +-8. Received: peak {float(peaks['preactivation']):.3g}. "
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

    gain = _gain(float(peaks["sum"]))
    spectral = half_spectrum(arrays["weights"]) * gain
    weights_exponent = _weights_exponent(spectral)
    product_exponent = spectrum_exponent + weights_exponent
    sum_exponent = exponent_for(float(peaks["sum"]) * gain, HEADROOM)
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
    target = exponent_for(float(peaks["output"]), HEADROOM)
    target = min(max(target, inputs[0] - RECIPROCAL_SHIFT), inputs[0])
    return {"output_shift": target - inputs[0] + RECIPROCAL_SHIFT}, {}


for _kind in (AveragePool2D, GlobalAveragePool2D):
    quantize_layer.register(_kind)(_average)


# -- the whole ----------------------------------------------------------------------------------


def calibration_array(network: Network, data: Any) -> np.ndarray:
    """Return calibration data as float64 of shape (n,) + input shape, or say what is wrong.

    Unscaled bytes, of any integer dtype, are scaled as the network's input says.
    """
    data = np.asarray(data)
    if data.dtype.kind not in "fiu":
        raise ValueError(
            f"calibration data must be real numbers. Received: dtype={data.dtype}. "
            "Pass some hundred typical inputs as one array."
        )
    shape = network.input.shape
    if data.shape[1:] != shape or not len(data):
        raise ValueError(
            f"calibration data must have shape (n, {', '.join(map(str, shape))}) with n >= 1. "
            f"Received: {data.shape}. Pass some hundred typical inputs as one array."
        )
    scale = network.input.uint8_scale
    if data.dtype.kind in "iu" and scale is not None:
        if not (0 <= data.min() and data.max() <= 255):
            raise ValueError(
                "integers must be unscaled bytes, 0 ... 255, for this network. "
                f"Received: {data.min()} ... {data.max()}. Pass scaled numbers as floats."
            )
        return data.astype(np.float64) * scale + network.input.uint8_offset
    data = data.astype(np.float64)
    if not np.isfinite(data).all():
        raise ValueError(
            "calibration data must be finite. "
            f"Received: {int(np.sum(~np.isfinite(data)))} NaN or infinite values. Remove them."
        )
    return data


def quantize(network: Network, data: Any, verbose: bool = False) -> QuantizedNetwork:
    """Return the network in the engine's 16-bit arithmetic.

    Parameters
    ----------
    network : Network
    data : array of shape (n,) + network.input.shape
        Calibration data: some hundred typical inputs (unlabelled), as the network will see them;
        unscaled ``uint8`` where the input has a ``uint8_scale``.
    verbose : bool
        Show a progress bar.

    Returns
    -------
    QuantizedNetwork
        With each layer's signal to noise on the calibration data in ``snr_db``.

    Raises
    ------
    ValueError
        If the data do not fit, or a layer cannot be brought into the engine's range.
    """
    data = calibration_array(network, data)
    largest = max(int(np.prod(shape)) for shape in network.shapes.values())
    chunk = max(1, _CHUNK_WORDS // largest)
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    from tqdm.auto import tqdm  # slow to import, and most programs never quantise

    bar = tqdm(total=2 * len(chunks), desc="calibrating", disable=not verbose, leave=False)

    observer = _Observer()
    for x in chunks:
        outputs = floating.run(network, x, observer)
        for layer in network.layers:
            observer.note(layer, "output", np.abs(outputs[layer.name]).max())
        bar.update()

    schedules: Dict[str, Dict[str, Any]] = {}
    arrays: Dict[str, Dict[str, np.ndarray]] = {}
    exponents: Dict[str, int] = {}
    for layer in network.layers:
        inputs = [exponents[name] for name in layer.inputs]
        parameters = network.parameters.get(layer.name, {})
        peaks = observer.peaks[layer.name]
        schedule, arrays[layer.name] = quantize_layer(layer, parameters, peaks, *inputs)
        schedules[layer.name] = schedule
        exponents[layer.name] = output_exponent(layer, schedule, *inputs)
    quantized = QuantizedNetwork(network.layers, schedules, arrays)

    signal: Dict[str, float] = defaultdict(float)
    noise: Dict[str, float] = defaultdict(float)
    for x in chunks:
        outputs = floating.run(network, x)
        for name, words in reference.run_words(quantized, x.astype(np.float32)).items():
            exact = outputs[name]
            signal[name] += float(np.sum(exact**2))
            noise[name] += float(
                np.sum((dequantize(words, quantized.exponents[name]) - exact) ** 2)
            )
        bar.update()
    bar.close()
    snr_db = {name: signal_to_noise_db(signal[name], noise[name]) for name in signal}
    return QuantizedNetwork(network.layers, schedules, arrays, snr_db)


def signal_to_noise_db(signal: float, noise: float) -> float:
    """Return the ratio of two energies in decibels, at most 200 and at least -200.

    >>> signal_to_noise_db(100., 1.)
    20.0
    """
    if noise <= signal * 1e-20:
        return 200.0
    return max(10 * math.log10(signal / noise), -200.0) if signal > 0 else -200.0
