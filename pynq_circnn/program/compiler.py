"""The compiler: a quantised network becomes a program for one engine configuration."""

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Dict, List, Tuple

import numpy as np

from ..arithmetic.fixed import byte_rule, clip_word, reciprocal, slope_word, stage_count
from ..contract import ACTIVATION_CODES, CONFIGURATIONS, LIMITS, OPCODES
from ..errors import CompileError
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
    Shape,
    Softmax,
    Window,
    ZeroPadding2D,
    size_of,
)
from ..network.quantized import QuantizedNetwork, alignment, preactivation_exponent
from .arrangement import MAX_STRIDE, EngineSizes, arrange
from .program import Program, join

ALIGN_WORDS = 8  # tensors, and on hardware weights, scales and biases, begin at whole beats

Fields = Dict[str, int]


@dataclass
class _Sections:
    """The program's sections while they grow; `align` words apart, as a configuration wants."""

    align: int = 1
    weights: List[np.ndarray] = field(default_factory=list)
    scales: List[np.ndarray] = field(default_factory=list)
    biases: List[np.ndarray] = field(default_factory=list)

    def add(self, section: str, array: np.ndarray) -> int:
        """Append an array and return its offset in words."""
        parts = getattr(self, section)
        offset = sum(part.size for part in parts)
        parts.append(array.ravel())
        parts.append(np.zeros(-array.size % self.align, array.dtype))
        return offset


def _image(shape: Shape) -> Tuple[int, int, int]:
    return (1, 1, shape[0]) if len(shape) == 1 else (shape[0], shape[1], shape[2])


def _extents(inputs: Tuple[Shape, ...], output: Shape) -> Fields:
    names = ("height", "width", "channels")
    fields = {f"in_{name}": extent for name, extent in zip(names, _image(inputs[0]))}
    fields.update({f"out_{name}": extent for name, extent in zip(names, _image(output))})
    return fields


def _window(window: Window) -> Fields:
    return {
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_height": window.strides[0],
        "stride_width": window.strides[1],
        "pad_top": window.top,
        "pad_left": window.left,
    }


@singledispatch
def lower(layer: Layer, network: QuantizedNetwork, sections: _Sections) -> Fields:
    """Return the fields of a layer's descriptor that are its kind's own."""
    raise TypeError(f"compiler.lower must know the layer kind {layer.kind}")


def _activation(layer, network: QuantizedNetwork) -> Fields:
    schedule = network.schedules[layer.name]
    inputs = [network.exponents[name] for name in layer.inputs]
    exponent = preactivation_exponent(layer, schedule, *inputs)
    return {
        "activation": ACTIVATION_CODES[layer.activation],
        "output_shift": schedule["output_shift"],
        "clip": clip_word(exponent) if layer.activation == "relu6" else 0,
        "slope": slope_word(layer.negative_slope) if layer.activation == "leaky_relu" else 0,
    }


@lower.register(ScaleBias)
def _scale_bias(layer: ScaleBias, network: QuantizedNetwork, sections: _Sections) -> Fields:
    arrays = network.arrays[layer.name]
    return {
        "opcode": OPCODES["scale_bias"],
        "scales_offset": sections.add("scales", arrays["scale"]),
        "biases_offset": sections.add("biases", arrays["bias"]),
        **_activation(layer, network),
    }


@lower.register(Dense)
def _dense(layer: Dense, network: QuantizedNetwork, sections: _Sections) -> Fields:
    return _matrix(layer, network, sections, Window(1, 1, 1, 1, (1, 1), (1, 1), 0, 0))


@lower.register(Conv2D)
def _conv(layer: Conv2D, network: QuantizedNetwork, sections: _Sections) -> Fields:
    return _matrix(layer, network, sections, layer.window(network.shapes[layer.inputs[0]]))


def _matrix(layer, network: QuantizedNetwork, sections: _Sections, window: Window) -> Fields:
    schedule = network.schedules[layer.name]
    weights = network.arrays[layer.name]["weights"]
    p, q, k = weights.shape[-3:]
    by_row = np.moveaxis(weights.reshape(window.kernel + (p, q, k)), 2, 0)
    return {
        **_scale_bias(layer, network, sections),
        **_window(window),
        "opcode": OPCODES["matrix"],
        "block_log2": stage_count(layer.block),
        "block_rows": p,
        "block_columns": q,
        "forward_shifts": _bits(schedule["forward_shifts"]),
        "accumulate_shift": schedule["accumulate_shift"],
        "inverse_shifts": _bits(schedule["inverse_shifts"]),
        "weights_offset": sections.add("weights", by_row),
    }


def _bits(shifts: Tuple[int, ...]) -> int:
    return sum(shift << stage for stage, shift in enumerate(shifts))


@lower.register(MaxPool2D)
def _max_pool(layer: MaxPool2D, network: QuantizedNetwork, sections: _Sections) -> Fields:
    window = layer.window(network.shapes[layer.inputs[0]])
    return {"opcode": OPCODES["max_pool"], **_window(window)}


def _average(layer, network: QuantizedNetwork, sections: _Sections) -> Fields:
    window = layer.window(network.shapes[layer.inputs[0]])
    table = np.array([reciprocal(count)[0] for count in range(1, size_of(window.kernel) + 1)])
    return {
        "opcode": OPCODES["average_pool"],
        **_window(window),
        "output_shift": network.schedules[layer.name]["output_shift"],
        "scales_offset": sections.add("scales", table),
    }


lower.register(AveragePool2D)(_average)
lower.register(GlobalAveragePool2D)(_average)


@lower.register(ZeroPadding2D)
def _pad(layer: ZeroPadding2D, network: QuantizedNetwork, sections: _Sections) -> Fields:
    return {
        "opcode": OPCODES["pad"],
        "pad_top": layer.padding[0][0],
        "pad_left": layer.padding[1][0],
    }


@lower.register(Add)
def _add(layer: Add, network: QuantizedNetwork, sections: _Sections) -> Fields:
    first, second = alignment(layer, *(network.exponents[name] for name in layer.inputs))
    return {
        "opcode": OPCODES["add"],
        "first_align": first,
        "second_align": second,
        **_activation(layer, network),
    }


# -- places in the activation memory ------------------------------------------------------------


def allocate(layers: Tuple[Layer, ...], shapes: Dict[str, Shape]) -> Tuple[Dict[str, int], int]:
    """Return the address of every layer's output, and the words that the memory needs.

    A tensor lives from the layer that writes it to the last that reads it, itself included, so
    that no layer writes over what it reads; each takes the first gap that is wide enough.
    A :class:`Reshape` and the final :class:`Softmax` share their input's place.
    """
    owner: Dict[str, str] = {}
    for layer in layers:
        shared = isinstance(layer, (Reshape, Softmax))
        owner[layer.name] = owner[layer.inputs[0]] if shared else layer.name
    last_use = {}
    for position, layer in enumerate(layers):
        for name in (layer.name, *layer.inputs):
            last_use[owner[name]] = position
    last_use[owner[layers[-1].name]] = len(layers)

    addresses: Dict[str, int] = {}
    live: List[Tuple[int, int, str]] = []  # begin, end, owner
    needed = 0
    for position, layer in enumerate(layers):
        if owner[layer.name] == layer.name:
            live = [place for place in live if last_use[place[2]] >= position]
            size = -(-size_of(shapes[layer.name]) // ALIGN_WORDS) * ALIGN_WORDS
            begin = 0
            for other, end, _ in sorted(live):
                if begin + size <= other:
                    break
                begin = max(begin, end)
            live.append((begin, begin + size, layer.name))
            needed = max(needed, begin + size)
            addresses[layer.name] = begin
        else:
            addresses[layer.name] = addresses[owner[layer.name]]
    return addresses, needed


def counted_layers(network: QuantizedNetwork) -> np.ndarray:
    """Return the numbers of the layers that a program counts saturations of, in its order."""
    own = [i for i, x in enumerate(network.layers) if not isinstance(x, (Reshape, Softmax))]
    return np.array(own)


def compile_program(network: QuantizedNetwork, configuration: str = "host") -> Program:
    """Return the program of a network for an engine configuration.

    Raises
    ------
    ValueError
        If the configuration is unknown.
    CompileError
        If the network does not fit, saying what exceeds what by how much.
    """
    if configuration not in CONFIGURATIONS:
        raise ValueError(
            f"configuration must be one of {', '.join(CONFIGURATIONS)}. "
            f"Received: {configuration!r}."
        )
    shapes = dict(network.shapes)
    addresses, activation_words = allocate(network.layers, shapes)
    hardware = "lanes" in CONFIGURATIONS[configuration]
    sections, descriptors = _Sections(align=ALIGN_WORDS if hardware else 1), []
    output: Layer = network.input
    names = []
    for layer in network.layers[1:]:
        if isinstance(layer, Softmax):
            break
        output = layer
        if not isinstance(layer, Reshape):
            inputs = tuple(shapes[name] for name in layer.inputs)
            fields = {
                **_extents(inputs, shapes[layer.name]),
                **lower(layer, network, sections),
                "input_address": addresses[layer.inputs[0]],
                "output_address": addresses[layer.name],
            }
            if len(layer.inputs) > 1:
                fields["second_address"] = addresses[layer.inputs[1]]
            descriptors.append(fields)
            names.append(layer.name)
    overflows = _misfits(descriptors, names, configuration) if hardware else []
    if hardware and not overflows:
        _stream(network, descriptors, configuration)

    entry = network.input
    header = {
        "activation_words": activation_words,
        "input_address": addresses[entry.name],
        "input_words": size_of(entry.shape),
        "output_address": addresses[output.name],
        "output_words": size_of(shapes[output.name]),
        "input_exponent": network.exponents[entry.name],
        "output_exponent": network.exponents[output.name],
    }
    if entry.uint8_scale is not None:
        rule = byte_rule(entry.uint8_scale, entry.uint8_offset, header["input_exponent"])
        header.update(zip(("byte_scale", "byte_bias", "byte_shift"), rule))
    program = Program(
        configuration,
        header,
        tuple(descriptors),
        join(sections.weights, "<i2"),
        join(sections.scales, "<i2"),
        join(sections.biases, "<i4"),
    )
    ends = {x.name: addresses[x.name] + size_of(shapes[x.name]) for x in network.layers}
    overflows += _overflows(program, max(ends, key=lambda name: ends[name]))
    if overflows:
        between = "\n  " if len(overflows) > 1 else " "
        raise CompileError(
            f"the network must fit configuration {configuration!r}. "
            f"Received:{between}{between.join(overflows)}",
            overflows,
        )
    return program


# -- what a hardware engine needs besides --------------------------------------------------------


def _stream(network: QuantizedNetwork, descriptors: List[Fields], configuration: str) -> None:
    """Decide which layers read straight from the packet: their weights, or the first its input.

    Weights stay in the engine if all of them fit.  Else the largest layers come with every
    mini-batch, one after the other through the rows that the others leave free.
    """
    engine = EngineSizes.of(configuration)
    rows = {}
    for index, fields in enumerate(descriptors):
        if fields["opcode"] == OPCODES["matrix"]:
            rows[index] = arrange(fields, engine).weights_rows
    streamed: List[int] = []
    by_size = sorted(rows, key=lambda index: rows[index])
    while (
        sum(rows.values())
        - sum(rows[i] for i in streamed)
        + max((rows[i] for i in streamed), default=0)
        > engine.weights_rows
    ):
        streamed.append(by_size.pop())
        descriptors[streamed[-1]]["stream"] = 2
    if descriptors and 0 in rows and 0 not in streamed:
        first, size = descriptors[0], size_of(network.input.shape)
        sides = ("in", "out", "kernel")
        pixel = all(first[f"{side}_{e}"] == 1 for side in sides for e in ("height", "width"))
        whole = first["in_channels"] == size and arrange(first, engine).places == 1
        if pixel and whole and _readers(network) == 1:
            first["stream"] = 1


def _readers(network: QuantizedNetwork) -> int:
    """Return how many layers read the network's input, reshaped or not."""
    same = {network.input.name}
    readers = 0
    for layer in network.layers[1:]:
        if isinstance(layer, (Reshape, Softmax)):
            if layer.inputs[0] in same:
                same.add(layer.name)
        else:
            readers += sum(name in same for name in layer.inputs)
    return readers


def _misfits(descriptors: List[Fields], names: List[str], configuration: str) -> List[str]:
    """Return a line for each layer and memory that it does not fit, all by itself."""
    engine = EngineSizes.of(configuration)
    words, lines = engine.row_words, []
    for fields, name in zip(descriptors, names):
        if fields["opcode"] != OPCODES["matrix"]:
            continue
        needs = arrange(fields, engine)
        for memory, needed, available in (
            ("weights", needs.weights_rows, engine.weights_rows),
            ("spectra", needs.spectra_rows, engine.spectra_rows),
        ):
            if needed > available:
                lines.append(
                    f"layer {name!r}, {memory}: {needed * words} of {available * words} words, "
                    f"{(needed - available) * words} too many. {_remedy(fields, engine)}"
                )
        if max(fields["stride_height"], fields["stride_width"]) > MAX_STRIDE:
            lines.append(
                f"layer {name!r}, strides: {fields['stride_height']}, {fields['stride_width']}; "
                f"at most {MAX_STRIDE} each."
            )
    return lines


def _remedy(fields: Fields, engine: EngineSizes) -> str:
    """Return which block size would make a layer fit, if any does."""
    for log2 in range(fields["block_log2"] + 1, LIMITS["block_log2"] + 1):
        k = 1 << log2
        grid = {
            "block_log2": log2,
            "block_rows": -(-fields["out_channels"] // k),
            "block_columns": -(-fields["in_channels"] // k),
        }
        other = arrange({**fields, **grid}, engine)
        if other.weights_rows <= engine.weights_rows and other.spectra_rows <= engine.spectra_rows:
            return f"Use block={k}."
    return "No block size makes it fit: use fewer channels, or split the layer."


_REMEDIES = {
    "activation_words": "Use smaller images or fewer channels there.",
    "layers": "Use fewer layers.",
    "channel_words": "Use fewer output channels.",
    "weights_words": "Use larger blocks or smaller layers.",
}


def _overflows(program: Program, largest: str) -> List[str]:
    """Return a line for each memory that all layers together do not fit."""
    limits = CONFIGURATIONS[program.configuration]
    used = {
        "activation_words": program.header["activation_words"],
        "layers": len(program.layers),
    }
    if "lanes" in limits:  # weights are checked by rows, layer by layer
        channels = max(program.scales.size, program.biases.size)
        used["channel_words"] = channels
    else:
        used["weights_words"] = program.weights.size
    places = {"activation_words": f" (most at layer {largest!r})"}
    return [
        f"{name}{places.get(name, '')}: {used[name]} of {limits[name]} "
        f"({used[name] - limits[name]} too many). {_REMEDIES[name]}"
        for name in used
        if used[name] > limits[name]
    ]
