"""The layers in floating point: what calibration observes and accuracy is compared with."""

from functools import singledispatch
from typing import Callable, Dict, Mapping

import numpy as np

from ..arithmetic.circulant import from_half_spectrum, half_spectrum, spectral_product
from ..layers import (
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Reshape,
    ScaleBias,
    Softmax,
    Window,
    ZeroPadding2D,
)
from .graph import Network

Arrays = Mapping[str, np.ndarray]
Observe = Callable[[Layer, str, np.ndarray], None]


def activate(x: np.ndarray, activation: str, negative_slope: float) -> np.ndarray:
    """Return the activation of an array, element by element."""
    if activation == "relu":
        return np.maximum(x, 0)
    if activation == "relu6":
        return np.clip(x, 0, 6)
    if activation == "leaky_relu":
        return np.where(x < 0, negative_slope * x, x)
    if activation == "sigmoid":
        return 0.5 * (1 + np.tanh(0.5 * x))
    if activation == "tanh":
        return np.tanh(x)
    return x


def softmax(x: np.ndarray) -> np.ndarray:
    """Return probabilities over the last axis, in the dtype of `x`."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def channel_blocks(x: np.ndarray, block: int) -> np.ndarray:
    """Return the last axis cut into blocks, the last one padded with zeros: (..., q, block)."""
    padding = -x.shape[-1] % block
    if padding:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, padding)], mode="constant")
    return x.reshape(x.shape[:-1] + (-1, block))


def _no_observer(layer: Layer, stage: str, values: np.ndarray) -> None:
    """Ignore what is computed."""


@singledispatch
def evaluate(layer: Layer, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
    """Return a layer's output for a batch, telling `observe` the values of each inner stage.

    Stages are named as the engine's: ``spectrum`` (inputs' half spectra), ``sum`` (outputs' half
    spectra), ``value`` (after the inverse transform), ``preactivation``.
    """
    raise TypeError(f"floating.evaluate must know the layer kind {layer.kind}")


def _epilogue(layer: ScaleBias, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    t = x * arrays["scale"] + arrays["bias"]
    observe(layer, "preactivation", t)
    return activate(t, layer.activation, layer.negative_slope)


evaluate.register(ScaleBias)(_epilogue)


@evaluate.register(Dense)
def _dense(layer: Dense, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    window = Window(1, 1, 1, 1, (1, 1), (1, 1), 0, 0)
    weights = {**arrays, "weights": arrays["weights"][None, None]}
    return _matrix(layer, weights, observe, x[:, None, None, :], window)[:, 0, 0, :]


@evaluate.register(Conv2D)
def _conv(layer: Conv2D, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    return _matrix(layer, arrays, observe, x, layer.window(x.shape[1:]))


def _matrix(layer, arrays: Arrays, observe: Observe, x: np.ndarray, window: Window) -> np.ndarray:
    spectra = half_spectrum(channel_blocks(x, layer.block))
    observe(layer, "spectrum", spectra)
    weights = half_spectrum(arrays["weights"])
    total = np.zeros(())
    for u, v, pixels in window.positions(spectra, 0):
        total = total + spectral_product(weights[u, v], pixels)
    observe(layer, "sum", total)
    value = from_half_spectrum(total)
    observe(layer, "value", value)
    value = value.reshape(value.shape[:-2] + (-1,))[..., : arrays["bias"].shape[0]]
    return _epilogue(layer, arrays, observe, value)


@evaluate.register(MaxPool2D)
def _max_pool(layer: MaxPool2D, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    return max_over(layer.window(x.shape[1:]), x, -np.inf)


def max_over(window: Window, x: np.ndarray, lowest: float) -> np.ndarray:
    """Return the largest value under each window; `lowest` stands outside the image."""
    return np.maximum.reduce([pixels for _, _, pixels in window.positions(x, lowest)])


def sum_over(window: Window, x: np.ndarray) -> np.ndarray:
    """Return the sum under each window."""
    return np.add.reduce([pixels for _, _, pixels in window.positions(x, 0)])


@evaluate.register(AveragePool2D)
def _average(layer: AveragePool2D, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    window = layer.window(x.shape[1:])
    return sum_over(window, x) / window.counts()[:, :, None]


@evaluate.register(GlobalAveragePool2D)
def _global_average(
    layer: GlobalAveragePool2D, arrays: Arrays, observe: Observe, x: np.ndarray
) -> np.ndarray:
    return x.mean(axis=(1, 2))


@evaluate.register(Reshape)
def _reshape(layer: Reshape, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    return reshape_batch(layer, x)


def reshape_batch(layer: Reshape, x: np.ndarray) -> np.ndarray:
    """Return a batch under the layer's shape, the samples left apart."""
    return x.reshape((len(x),) + layer.output_shape(x.shape[1:]))


@evaluate.register(ZeroPadding2D)
def _pad(layer: ZeroPadding2D, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    return pad_batch(layer, x)


def pad_batch(layer: ZeroPadding2D, x: np.ndarray) -> np.ndarray:
    """Return a batch of images with the layer's zeros around them."""
    return np.pad(x, ((0, 0),) + layer.padding + ((0, 0),), mode="constant")


@evaluate.register(Add)
def _add(layer: Add, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
    t = inputs[0] + inputs[1]
    observe(layer, "preactivation", t)
    return activate(t, layer.activation, layer.negative_slope)


@evaluate.register(Softmax)
def _softmax(layer: Softmax, arrays: Arrays, observe: Observe, x: np.ndarray) -> np.ndarray:
    return softmax(x)


def run(network: Network, x: np.ndarray, observe: Observe = _no_observer) -> Dict[str, np.ndarray]:
    """Return the output of every layer for a batch, by the layers' names.

    Parameters
    ----------
    network : Network
    x : array of shape (n,) + network.input.shape, any real dtype
    observe : callable, optional
        Called as ``observe(layer, stage, values)`` with what is computed inside the layers.
    """
    x = np.asarray(x, dtype=np.float64)
    outputs = {network.input.name: x.reshape((len(x), *network.shapes[network.input.name]))}
    for layer in network.layers[1:]:
        arrays = network.parameters.get(layer.name, {})
        inputs = [outputs[name] for name in layer.inputs]
        outputs[layer.name] = evaluate(layer, arrays, observe, *inputs)
    return outputs
