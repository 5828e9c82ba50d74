"""Random quantised networks: every layer kind, block size, stride and schedule."""

import numpy as np

from pynq_circnn import layers as L
from pynq_circnn.contract import BLOCK_SIZES
from pynq_circnn.network.graph import infer_shapes
from pynq_circnn.network.quantized import (
    QuantizedNetwork,
    array_specs,
    output_exponent,
    preactivation_exponent,
    schedule_specs,
)

KINDS = ("Dense", "Conv2D", "MaxPool2D", "AveragePool2D", "GlobalAveragePool2D", "Reshape",
         "ZeroPadding2D", "Add", "ScaleBias")  # fmt: skip


def _pair(rng, high):
    return tuple(int(v) for v in rng.integers(1, high + 1, 2))


def random_layer(rng, name, kind, shapes, block=None):
    """A random layer of a kind that can read the last of the shapes, or None."""
    source = list(shapes)[-1]
    shape = shapes[source]
    inputs = (source,)
    block = int(rng.choice(BLOCK_SIZES)) if block is None else block
    activated = {
        "activation": str(rng.choice(L.ACTIVATIONS)),
        "negative_slope": float(rng.choice([0.01, 0.3, 0.999])),
    }
    window = {"strides": _pair(rng, 3), "padding": str(rng.choice(["valid", "same"]))}
    if kind == "Dense" and len(shape) == 1:
        units = int(rng.integers(1, 2 * block + 10))
        return L.Dense(name, inputs, units=units, block=block, **activated)
    if kind == "ScaleBias":
        return L.ScaleBias(name, inputs, **activated)
    if kind == "Reshape":
        return L.Reshape(name, inputs, (-1,) if len(shape) == 3 else (1, 1, -1))
    if kind == "Add":
        equal = [other for other, s in shapes.items() if s == shape]
        return L.Add(name, (source, str(rng.choice(equal))), **activated)
    if len(shape) != 3:
        return None
    if kind == "Conv2D":
        filters = int(rng.integers(1, 2 * block + 6))
        return L.Conv2D(name, inputs, filters=filters, kernel_size=_pair(rng, 3), block=block,
                        **window, **activated)  # fmt: skip
    if kind in ("MaxPool2D", "AveragePool2D"):
        return L.Layer.kinds[kind](name, inputs, pool_size=_pair(rng, 3), **window)
    if kind == "GlobalAveragePool2D":
        return L.GlobalAveragePool2D(name, inputs)
    if kind == "ZeroPadding2D":
        sides = rng.integers(0, 3, 4).tolist()
        return L.ZeroPadding2D(name, inputs, ((sides[0], sides[1]), (sides[2], sides[3])))
    return None


def random_layers(rng, kinds, shape=None, block=None):
    """Layers of the kinds, in order, each where it fits what comes before."""
    if shape is None:
        image = (*(int(v) for v in rng.integers(1, 8, 2)), int(rng.integers(1, 40)))
        shape = image if rng.random() < 0.7 else (int(rng.integers(1, 300)),)
        if rng.random() < 0.15:
            shape = image[1:]  # steps
    layers = [L.Input("x", (), shape)]
    for index, kind in enumerate(kinds):
        try:
            shapes = infer_shapes_open(layers)
            layer = random_layer(rng, f"{kind}_{index}", kind, shapes, block)
            if layer is not None:
                infer_shapes_open([*layers, layer])
                layers.append(layer)
        except ValueError:
            continue  # a window larger than its image: try the next kind
    return layers


def infer_shapes_open(layers):
    """The shapes of layers that may still have unused outputs."""
    shapes = {}
    for layer in layers:
        shapes[layer.name] = layer.output_shape(*(shapes[name] for name in layer.inputs))
    return shapes


def random_schedule(rng, layer, inputs):
    """A random schedule within its ranges that brings tables the exponent they need."""
    schedule = {}
    for name, spec in schedule_specs(layer).items():
        draw = rng.integers(spec.min, spec.max + 1, abs(spec.count)).tolist()
        schedule[name] = draw if spec.count >= 0 else draw[0]
        if name == "accumulate_shift":
            schedule[name] = int(rng.integers(0, 24))
        if name == "output_shift":
            schedule[name] = int(rng.integers(0, 18))
        if name == "exponent":
            schedule[name] = int(rng.integers(-20, 3))
        if name.endswith("_exponent"):
            schedule[name] = int(rng.integers(-16, 1))
    if getattr(layer, "activation", None) in ("sigmoid", "tanh"):
        off = preactivation_exponent(layer, schedule, *inputs) + 12
        if "scale_exponent" in schedule:
            schedule["scale_exponent"] -= off
        else:
            schedule["output_shift"] -= off
    return schedule


def random_arrays(rng, specs, extreme):
    """Random integer arrays; extreme ones hold only the largest magnitudes and zero."""
    arrays = {}
    for name, spec in specs.items():
        if extreme:
            values = rng.choice([-spec.max, spec.max, 0], spec.shape, p=[0.45, 0.45, 0.1])
        else:
            size = int(2 ** rng.uniform(2, np.log2(spec.max)))
            values = rng.integers(-size, size + 1, spec.shape)
        arrays[name] = np.asarray(values).astype(spec.dtype)
    return arrays


def random_network(rng, kinds, shape=None, block=None, extreme=False):
    """A random quantised network; None if the kinds do not fit together."""
    layers = random_layers(rng, kinds, shape, block)
    try:
        shapes = infer_shapes(layers)
        schedules, arrays, exponents = {}, {}, {}
        for layer in layers:
            inputs = [exponents[name] for name in layer.inputs]
            schedules[layer.name] = random_schedule(rng, layer, inputs)
            exponents[layer.name] = output_exponent(layer, schedules[layer.name], *inputs)
            specs = array_specs(layer, *(shapes[name] for name in layer.inputs))
            arrays[layer.name] = random_arrays(rng, specs, extreme)
        return QuantizedNetwork(layers, schedules, arrays)
    except ValueError:
        return None  # exponents too far apart to add


def random_input(rng, network, samples, extreme=False):
    """Random float32 inputs that reach every input word, and beyond."""
    shape = (samples, *network.input.shape)
    if extreme:
        words = rng.choice([-32767, 32767, -40000, 0, 1], shape)
    else:
        words = rng.normal(0, 2 ** rng.uniform(3, 15), shape)
    return (words * 2.0 ** network.exponents[network.input.name]).astype(np.float32)
