"""The compiler: a quantised network becomes a program for one engine configuration."""

from functools import partial
from typing import List, Mapping, Tuple

import numpy as np

from ..arithmetic.fixed import byte_rule
from ..contract import BITS, CONFIGURATIONS, LIMITS, OPCODES, OPERATIONS, ceil_div
from ..errors import CompileError, ProgramError
from ..layers.base import Layer, as_image, size_of
from ..layers.lowering import Fields, Sections
from ..network.quantized import QuantizedNetwork
from .allocator import ALIGN_WORDS, allocate
from .arrangement import MAX_STRIDE, EngineSizes, arrange, in_lane_order, share_log2
from .program import Program, join


def counted_layers(network: QuantizedNetwork) -> np.ndarray:
    """Return the indices of the layers whose saturations a program counts, in its order."""
    own = [i for i, x in enumerate(network.layers) if x.operation or not x.inputs]
    return np.array(own)


def check_program_of(network: QuantizedNetwork, program: Program) -> None:
    """Check that what goes into a program and comes out of it is as the network has it.

    Raises
    ------
    ProgramError
        If it is a program of another network.
    """
    entry, output = network.input, network.engine_output.name
    wanted = {
        "input_words": size_of(entry.shape),
        "output_words": size_of(network.shapes[output]),
        "input_exponent": network.exponents[entry.name],
        "output_exponent": network.exponents[output],
        "layers": len(network.engine_layers()),
        "takes_bytes": int(entry.uint8_scale is not None),
    }
    found = {
        **program.header,
        "layers": len(program.layers),
        "takes_bytes": int(program.header.get("byte_scale", 0) != 0),
    }
    for name, value in wanted.items():
        if found[name] != value:
            raise ProgramError(
                f"program must be one of the network, with {name}={value}. "
                f"Received: {name}={found[name]}. Compile the network again."
            )


def compile_program(network: QuantizedNetwork, configuration: str = "host") -> Program:
    """Return the program of a network for an engine configuration.

    Raises
    ------
    ValueError
        If the configuration is unknown.
    CompileError
        If the network does not fit; the message lists each limit and the excess.
    """
    if configuration not in CONFIGURATIONS:
        raise ValueError(
            f"configuration must be one of {', '.join(CONFIGURATIONS)}. "
            f"Received: {configuration!r}."
        )
    shapes = dict(network.shapes)
    addresses, activation_words = allocate(network.layers, shapes)
    hardware = "lanes" in CONFIGURATIONS[configuration]
    sections = Sections()
    if hardware:
        row_words = EngineSizes.of(configuration).row_words
        sections = Sections(ALIGN_WORDS, partial(_in_lane_order, row_words))
    layers = network.engine_layers()
    descriptors = [_descriptor(layer, network, addresses, sections) for layer in layers]
    output = network.engine_output
    names = [layer.name for layer in layers]
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


def _descriptor(
    layer: Layer, network: QuantizedNetwork, addresses: Mapping[str, int], sections: Sections
) -> Fields:
    """Return all fields of a layer's instruction, and add its arrays to the sections."""
    images = [as_image(network.shapes[name]) for name in (layer.inputs[0], layer.name)]
    extents = [
        (f"{side}_{extent}", value)
        for side, image in zip(("in", "out"), images)
        for extent, value in zip(("height", "width", "channels"), image)
    ]
    sections.extents = dict(extents)
    fields = {
        **sections.extents,
        **layer.lower(network.quantized_layer(layer), sections),
        "opcode": OPCODES[layer.operation],
        "input_address": addresses[layer.inputs[0]],
        "output_address": addresses[layer.name],
    }
    if len(layer.inputs) > 1:
        fields["second_address"] = addresses[layer.inputs[1]]
    return fields


# -- what only a hardware engine needs -----------------------------------------------------------


def _in_lane_order(row_words: int, blocks: np.ndarray, fields: Fields) -> Tuple[int, np.ndarray]:
    """Arrange weights for an engine whose lanes take `row_words` words: :class:`Sections.order`."""
    rows, _, k = blocks.shape
    log2 = share_log2(k, rows, fields["block_columns"], fields["out_width"], row_words)
    return log2, in_lane_order(blocks, log2)


def _stream(network: QuantizedNetwork, descriptors: List[Fields], configuration: str) -> None:
    """Decide which layers read straight from the packet: their weights, or the first its input.

    Weights stay in the engine if all of them fit.  Otherwise the largest layers' weights are sent
    with every mini-batch; these layers share the remaining rows, one at a time.
    """
    engine = EngineSizes.of(configuration)
    rows = {}
    for index, fields in enumerate(descriptors):
        if OPERATIONS[fields["opcode"]].spectral:
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
        descriptors[streamed[-1]]["stream"] = BITS["stream"]["weights"]
    if descriptors and 0 in rows and 0 not in streamed:
        first, size = descriptors[0], size_of(network.input.shape)
        sides = ("in", "out", "kernel")
        pixel = all(first[f"{side}_{e}"] == 1 for side in sides for e in ("height", "width"))
        whole = first["in_channels"] == size and arrange(first, engine).places == 1
        if pixel and whole and _readers(network) == 1:
            first["stream"] = BITS["stream"]["input"]


def _readers(network: QuantizedNetwork) -> int:
    """Return how many layers read the network's input, reshaped or not."""
    same = {network.input.name}
    readers = 0
    for layer in network.layers[1:]:
        if layer.operation:
            readers += sum(name in same for name in layer.inputs)
        elif layer.inputs[0] in same:
            same.add(layer.name)
    return readers


def _misfits(descriptors: List[Fields], names: List[str], configuration: str) -> List[str]:
    """Return a line for each memory that a single layer exceeds."""
    engine = EngineSizes.of(configuration)
    words, lines = engine.row_words, []
    for fields, name in zip(descriptors, names):
        strides = [fields.get("stride_height", 0), fields.get("stride_width", 0)]
        if max(strides) > MAX_STRIDE:
            lines.append(
                f"layer {name!r}, strides: {strides[0]}, {strides[1]}; at most {MAX_STRIDE} each."
            )
        if not OPERATIONS[fields["opcode"]].spectral:
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
    return lines


def _remedy(fields: Fields, engine: EngineSizes) -> str:
    """Return which block size would make a layer fit, if any does."""
    for log2 in range(fields["block_log2"] + 1, LIMITS["block_log2"] + 1):
        k = 1 << log2
        grid = {
            "block_log2": log2,
            "share_log2": 0,
            "block_rows": ceil_div(fields["out_channels"], k),
            "block_columns": ceil_div(fields["in_channels"], k),
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
    """Return a line for each memory that all layers together exceed."""
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
