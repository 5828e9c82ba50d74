"""Random quantised networks: every layer kind, block size, stride and schedule."""

import numpy as np
from kinds import KINDS, SAMPLERS, Draw

from pynq_circnn import layers as L
from pynq_circnn.contract import BLOCK_SIZES, TABLE_ACTIVATIONS
from pynq_circnn.network.graph import infer_shapes
from pynq_circnn.network.quantized import QuantizedNetwork

__all__ = ["KINDS", "random_input", "random_layers", "random_network"]


def random_layer(rng, name, kind, shapes, block=None):
    """A random layer of a kind that can read the last of the shapes, or None."""
    block = int(rng.choice(BLOCK_SIZES)) if block is None else block
    activated = {
        "activation": str(rng.choice(L.ACTIVATIONS)),
        "negative_slope": float(rng.choice([0.01, 0.3, 0.999])),
    }
    strides = tuple(int(v) for v in rng.integers(1, 4, 2))
    window = {"strides": strides, "padding": str(rng.choice(["valid", "same"]))}
    return SAMPLERS[kind](Draw(rng, name, list(shapes)[-1], shapes, block, activated, window))


def random_layers(rng, kinds, shape=None, block=None):
    """Layers of the kinds, in order, each where it fits its input."""
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
    """A random schedule within its ranges that gives tables the exponent that they need."""
    schedule = {}
    for name, spec in layer.schedule_specs().items():
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
    if getattr(layer, "activation", None) in TABLE_ACTIVATIONS:
        off = layer.preactivation_exponent(schedule, *inputs) + 12
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


def random_integers(rng, layers, extreme=False):
    """The layers with random schedules and arrays; None if the exponents do not fit together."""
    try:
        shapes = infer_shapes(layers)
        schedules, arrays, exponents = {}, {}, {}
        for layer in layers:
            inputs = [exponents[name] for name in layer.inputs]
            schedules[layer.name] = random_schedule(rng, layer, inputs)
            exponents[layer.name] = layer.output_exponent(schedules[layer.name], *inputs)
            specs = layer.array_specs(*(shapes[name] for name in layer.inputs))
            arrays[layer.name] = random_arrays(rng, specs, extreme)
        return QuantizedNetwork(layers, schedules, arrays)
    except ValueError:
        return None  # exponents too far apart to add


def random_network(rng, kinds, shape=None, block=None, extreme=False):
    """A random quantised network; None if the kinds do not fit together."""
    return random_integers(rng, random_layers(rng, kinds, shape, block), extreme)


def random_input(rng, network, samples, extreme=False):
    """Random float32 inputs that reach every input word, and beyond."""
    shape = (samples, *network.input.shape)
    if extreme:
        words = rng.choice([-32767, 32767, -40000, 0, 1], shape)
    else:
        words = rng.normal(0, 2 ** rng.uniform(3, 15), shape)
    return (words * 2.0 ** network.exponents[network.input.name]).astype(np.float32)
