"""Small networks that several tests share."""

import functools

import numpy as np

from pynq_circnn import Model, Network, quantize
from pynq_circnn import layers as L


def weights_for(layers, seed=0):
    """Random parameters of the layers, small enough that values do not grow from layer to layer."""
    from pynq_circnn.network.graph import infer_shapes

    rng = np.random.default_rng(seed)
    shapes, parameters = infer_shapes(layers), {}
    for layer in layers:
        wanted = layer.parameter_shapes(*(shapes[name] for name in layer.inputs))
        fan_in = np.prod(wanted.get("weights", (1,))) / max(wanted.get("bias", (1,))[0], 1)
        parameters[layer.name] = {
            name: rng.normal(0, fan_in**-0.5, shape)
            if name == "weights"
            else rng.normal(name == "scale", 0.1, shape)
            for name, shape in wanted.items()
        }
    return {name: arrays for name, arrays in parameters.items() if arrays}


def quantized(layers, seed=0, samples=64):
    """The layers with random weights, calibrated on Gaussian data."""
    x = np.random.default_rng(seed + 1).normal(size=(samples, *layers[0].shape))
    return quantize(Network(layers, weights_for(layers, seed)), x)


TINY = (L.Input("x", (), (4,)), L.Dense("y", ("x",), units=3, block=2))

SEVERAL = (
    L.Input("image", (), (6, 5, 1), uint8_scale=1 / 255),
    L.Conv2D("conv", ("image",), "relu", filters=4, kernel_size=(3, 3), padding="same", block=4),
    L.ScaleBias("norm", ("conv",), "leaky_relu", 0.1),
    L.Add("sum", ("norm", "conv"), "relu6"),
    L.MaxPool2D("max", ("sum",), padding="same"),
    L.ZeroPadding2D("pad", ("max",), ((0, 1), (1, 0))),
    L.AveragePool2D("mean", ("pad",), (2, 2), (1, 1)),
    L.Conv2D("gate", ("mean",), "sigmoid", filters=6, kernel_size=(2, 2), block=2),
    L.Reshape("flat", ("gate",)),
    L.Dense("hidden", ("flat",), "tanh", units=8, block=8),
    L.Dense("logits", ("hidden",), units=3),
    L.Softmax("classes", ("logits",)),
)

STEPS = (
    L.Input("steps", (), (5, 6), uint8_scale=1 / 64, uint8_offset=-2.0, scale=1 / 64, offset=-2.0),
    L.Conv2D("each", ("steps",), "relu", filters=8, block=2),
    L.Reshape("flat", ("each",)),
    L.Dense("y", ("flat",), units=4, block=4),
)

TABLE = (
    L.Input("columns", (), (4,), scale=(1.0, 0.1, 1e-3, 1e-6), offset=(0.0, -1.0, 2.0, 0.5)),
    L.Dense("y", ("columns",), units=3, block=2),
)

LABELS = ["cat", "dog", "Gürteltier"]


@functools.lru_cache(None)
def tiny_model():
    """4 numbers in, 3 out, one layer."""
    return Model(quantized(TINY), "tiny")


@functools.lru_cache(None)
def model():
    """Grey 6 x 5 images in, unscaled or not, 3 classes out, most layer kinds between."""
    rng = np.random.default_rng(3)
    data = rng.integers(0, 256, (64, 6, 5, 1)).astype(np.uint8)
    network = quantize(Network(SEVERAL, weights_for(SEVERAL)), data)
    return Model(network, "several kinds", LABELS, {"data": "random", "figures": {"n": 64}})


@functools.lru_cache(None)
def steps_model():
    """5 steps of 6 numbers in, bytes or floats of that range, 4 numbers out."""
    data = np.random.default_rng(4).integers(0, 256, (64, 5, 6)).astype(np.uint8)
    return Model(quantize(Network(STEPS, weights_for(STEPS)), data), "steps")


@functools.lru_cache(None)
def table_model():
    """4 columns of many sizes in, 3 numbers out."""
    data = np.random.default_rng(5).normal(size=(64, 4)) * [1, 10, 1e3, 1e6]
    return Model(quantize(Network(TABLE, weights_for(TABLE)), data), "table")


def images(count, seed=0):
    """Grey images as unscaled bytes."""
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 1)).astype(np.uint8)
