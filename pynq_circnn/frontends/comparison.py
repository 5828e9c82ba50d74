"""A conversion compared with its source: what that model itself gives for the same samples."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..arithmetic.fixed import dequantize
from ..arithmetic.floating import softmax
from ..layers.softmax import Softmax
from ..network import floating, integers
from ..network.graph import Network
from ..network.quantized import QuantizedNetwork
from ..quantization.calibration import calibration_array
from ..quantization.quantizer import signal_to_noise_db

ROUNDING = 1e-3  # relative; float32 sums in another order, on accelerators with shortened factors
COMPARED_SAMPLES = 128  # of the calibration data, with the source model's own outputs
OWN_MARGIN_DB = 6.0  # the source's rounding is measured by one sample of chance


class Precision(NamedTuple):
    """The relative error of a model's arithmetic: of all of it, and of one number."""

    rounding: float = ROUNDING
    unit: float = 2.0**-23


def precision_of(dtypes: Iterable[Optional[str]]) -> Precision:
    """Return the precision of a model that computes in these dtypes."""
    dtypes = set(dtypes)
    if "bfloat16" in dtypes:
        return Precision(0.1, 2.0**-8)
    return Precision(0.01, 2.0**-11) if "float16" in dtypes else Precision()


class Source(ABC):
    """A trained model of a framework, as far as a comparison needs it.

    All outputs are arrays, those of images channels last, as the network's layers have them.

    Attributes
    ----------
    framework : str
        As messages name it.
    precision : Precision
        Of the model's own arithmetic.
    """

    framework: str
    precision: Precision

    @abstractmethod
    def predict(self, data: np.ndarray) -> np.ndarray:
        """Return the outputs for samples as the model takes them."""

    @abstractmethod
    def predict_layers(self, data: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return what the model gives in the place of the network's layers, where it has that."""

    @abstractmethod
    def parameters(self) -> List[np.ndarray]:
        """Return the values of all weights and statistics."""

    @abstractmethod
    def predict_with(self, parameters: List[np.ndarray], data: np.ndarray) -> np.ndarray:
        """Return the outputs, in float64, with other values in place of :meth:`parameters`."""


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
        The two parts of it: the float network against the source, and the 16-bit network against
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
    """Yield a comparison for each layer whose outputs the source model gives, in order.

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


def own_rounding_db(source: Source, data: np.ndarray) -> float:
    """Return the signal to noise that the source's own rounding may leave in its outputs.

    Its weights and inputs are moved by a unit of the last place, up or down by chance.  That
    changes much where large numbers cancel, as in a batch normalisation of dates.
    """
    rng, unit = np.random.default_rng(0), source.precision.unit

    def moved(values: np.ndarray) -> np.ndarray:
        if values.dtype.kind != "f":
            return values
        return np.asarray(values * (1 + unit * rng.choice([-1, 1], values.shape)), values.dtype)

    x = np.asarray(data, dtype=np.float32) if data.dtype.kind == "f" else data
    parameters = source.parameters()
    outputs = source.predict_with(parameters, x)
    others = source.predict_with([moved(values) for values in parameters], moved(x))
    return signal_to_noise_db(float(np.sum(outputs**2)), float(np.sum((outputs - others) ** 2)))


def check(
    network: Network, quantized: QuantizedNetwork, source: Source, data: np.ndarray
) -> Tuple[Dict[str, Any], Optional[str]]:
    """Return how a conversion stands beside its source, and what is wrong, if anything.

    Parameters
    ----------
    network, quantized
        The converted network, in floating point and in 16 bits.
    source : Source
    data : array of shape (n,) + network.input.shape
        The calibration data, as the source takes them.
    """
    data = _compared(network, quantized, data)
    x, rounding = calibration_array(network, data), source.precision.rounding
    last = network.layers[-1].name
    (whole,) = compare(network, quantized, x, {last: source.predict(data)}, rounding)
    report = {"samples": len(data), "snr_db": round(whole.snr_db, 2)}
    if whole.explained or whole.lowering_db >= own_rounding_db(source, data) - OWN_MARGIN_DB:
        return report, None
    rows = compare(network, quantized, x, source.predict_layers(data), rounding)
    first = next((row for row in rows if not row.explained), whole)
    return report, (
        f"a converted model must give what the {source.framework} model gives. Received: from "
        f"layer {first.name!r} on, outputs that reach {first.lowering_db:.1f} dB of signal to "
        f"noise against {source.framework}'s in floating point, where the rounding to 16 bits "
        f"explains {first.rounding_db:.1f} dB. That layer is converted wrongly: please report it. "
        "on_difference='warn' converts all the same."
    )


def _compared(network: Network, quantized: QuantizedNetwork, data: np.ndarray) -> np.ndarray:
    """Return the samples to compare: some of those within the calibrated range of the input."""
    peaks = np.abs(calibration_array(network, data)).reshape(len(data), -1).max(axis=1)
    within = peaks <= 2.0 ** (15 + quantized.exponents[network.input.name]) * (1 + 2.0**-15)
    if within.any():  # what is clipped on purpose differs, which is no error
        data = data[within]
    chosen = np.unique(np.linspace(0, len(data) - 1, COMPARED_SAMPLES).astype(int))
    return np.asarray(data[chosen])
