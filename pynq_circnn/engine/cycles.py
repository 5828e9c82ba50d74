"""The cycle model: trips of every pipelined loop of the engine, from the program alone.

A unit's *trips* are exact: the C simulation counts them, and a test holds the two equal.  *Cycles*
are trips at the initiation interval of one that the sources are written for, plus the pipeline
depths stated in :data:`DEPTHS`: a model, not a measurement and not a synthesis report.
"""

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Tuple

from ..contract import (
    LATENCY,
    OPERATIONS,
    UNITS,
    ceil_div,
    has_bit,
)
from ..layers.window import covered
from ..program.arrangement import BEAT_WORDS, Arrangement, EngineSizes, Fields, arrange, field
from ..program.packets import STREAM_WORDS, batch_samples, sample_beats
from ..program.program import Program
from .transform_cycles import forward_cycles, inverse_tail

DEPTHS = {
    "read": 10,
    "forward": 16,
    "split": 4,
    "product": 12,
    "inverse": 4,
    "vector": 4,
    "epilogue": 16,
    "write": 4,
    "layer": 6,
    "plan": 256,
    "packet": 12,
}
"""Cycles from the first trip of a unit to its first result; of starting a layer or a packet, and of
planning a layer. **Assumed**, at 100 MHz: 2 for a channel, 2 for block RAM with its register, 2 for
a rotation or a spread, and for what is computed the states that an independent HLS compiler gives
it at 7.3 ns (12 for the epilogue, 2 for a product). A plan reads 48 numbers, takes up to 146 steps
and gives the jobs theirs. What the points of
a transform and the rows of spectra take besides is in the contract's latencies."""

LOOPS = {
    "read": ("read", "blocks", "windows", "joined", "pairs"),
    "forward": ("forward",),
    "split": ("split",),
    "product": ("product", "outputs", "counted"),
    "inverse": ("inverse",),
    "vector": ("vector",),
    "epilogue": ("epilogue", "results"),
    "write": ("write",),
    "input": ("input",),
    "weights": ("beats",),
    "output": ("output",),
}
"""The pipelined loops of each unit and move, by their labels in ``hw/src``: first the one that
moves the data, then the sequences that tell it what to do, of which a layer's reader has one."""


@dataclass(frozen=True)
class LayerCycles:
    """One layer over a batch: trips of its units, and cycles."""

    kind: str
    trips: Dict[str, int]
    cycles: int
    products: int  # trips in which the lanes multiply
    spans: Dict[str, Tuple[int, int]]  # when each unit works, in cycles from the layer's start
    reader: str  # the sequence of the unit read

    @property
    def bottleneck(self) -> str:
        """The unit with the most trips."""
        return max(self.trips, key=lambda unit: self.trips[unit])


# -- the matrix path ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A line of windows: the image rows that it adds, those that it needs, and its trips."""

    fresh: int
    last: int  # the last row of the image it needs, or -1
    products: int
    trips: int
    extra: int  # trips until the next line


def _lines(fields: Fields, a: Arrangement, engine: EngineSizes) -> Tuple[List[_Line], int]:
    """Return the lines of one group, and the trips before the very first one."""
    lines: List[Tuple[int, int, int, int]] = []
    seen = 0
    line_beats = a.line_rows * engine.row_beats
    outputs = a.strip * a.row_groups * a.chunks
    for y in range(fields["out_height"]):
        top = y * fields["stride_height"] - field(fields, "pad_top")
        begin = max(top, 0)
        end = max(min(top + fields["kernel_height"], fields["in_height"]), begin)
        fresh = end - max(begin, min(seen, end))
        terms = (end - begin) * fields["kernel_width"] * fields["block_columns"]
        last = end - 1 if end > begin else -1
        lines.append((fresh, last, outputs * terms, outputs * max(terms, engine.row_beats)))
        seen = end
    result = []
    for index, (fresh, last, products, trips) in enumerate(lines):
        following = lines[(index + 1) % len(lines)][0] * line_beats
        result.append(_Line(fresh, last, products, trips, _waits(following, trips, a.pace)))
    return result, lines[0][0] * line_beats + LATENCY["spectra"]


def _waits(beats: int, trips: int, pace: int) -> int:
    """Return the trips between a line and the next, for which `beats` of eight words are accepted.

    One is accepted every `pace` trips of the line, the first not in its first trip, in which the
    engine learns how many there are; those that are missing then in as many trips. A row can be
    read some trips after it was accepted.
    """
    late = 1 if pace == 1 else 0
    accepted = min(beats, (trips - late) // pace)
    if accepted < beats:
        return beats - accepted + LATENCY["spectra"] - 1
    after = trips - late - beats * pace  # trips after the last one
    return max(0, LATENCY["spectra"] - 1 - after) if beats else 0


def _matrix(
    fields: Fields, engine: EngineSizes, samples: int, direct: bool, unscaled: bool
) -> LayerCycles:
    a = arrange(fields, engine)
    groups = ceil_div(samples, a.samples_at_once())
    forward = forward_cycles(fields, a, engine, groups, direct, direct and not unscaled)
    lines, first_rows = _lines(fields, a, engine)

    product = first_rows
    depth = DEPTHS["read"] + DEPTHS["forward"] + DEPTHS["split"]
    now, busy_from = depth, 0
    height = fields["in_height"]
    for group in range(groups):
        for index, line in enumerate(lines):
            final = group == groups - 1 and index == len(lines) - 1
            extra = 0 if final else line.extra
            product += line.trips + extra
            row = group * height + line.last if line.last >= 0 else -1
            ready = int(forward.ready[row]) if row >= 0 else 0
            start = max(now, ready + depth + LATENCY["spectra"])
            busy_from = busy_from or start
            now = start + line.trips + extra
    product += engine.row_beats

    outputs = groups * fields["out_height"] * a.strip * a.row_groups * a.chunks
    beats = outputs * engine.row_beats
    tail = inverse_tail(a)

    trips = {
        "read": forward.read_trips,
        "forward": forward.trips,
        "split": forward.split_trips,
        "product": product,
        "inverse": beats + tail,
        "vector": 0,
        "epilogue": beats,
        "write": beats,
    }
    # at the end the last sums leave, and pass the inverse transform
    sums_end = now + engine.row_beats + DEPTHS["product"]
    inverse_end = sums_end + tail + DEPTHS["inverse"]
    end = inverse_end + DEPTHS["epilogue"] + DEPTHS["write"]
    spans = {
        "read": (0, forward.read_trips),
        "forward": (DEPTHS["read"], DEPTHS["read"] + forward.trips),
        "split": (DEPTHS["read"] + DEPTHS["forward"], int(forward.ready[-1]) + depth),
        "product": (busy_from, now),
        "inverse": (busy_from + engine.row_beats, inverse_end),
        "epilogue": (busy_from + engine.row_beats + tail, end),
    }
    products = groups * sum(line.products for line in lines)
    return LayerCycles(
        OPERATIONS[fields["opcode"]].name,
        trips,
        end + DEPTHS["layer"],
        products,
        spans,
        "blocks",
    )


def _pixels(fields: Fields) -> Tuple[int, int, int]:
    """Return a sample's output pixels, their channels, and the groups of eight of a pixel.

    A flat layer is one pixel; each operand of a joined one begins with a new group.
    """
    operation = OPERATIONS[fields["opcode"]]
    pixels, channels = fields["out_height"] * fields["out_width"], fields["out_channels"]
    if operation.flat:
        pixels, channels = 1, pixels * channels
    first = fields["in_channels"] if operation.joined else channels
    return pixels, channels, ceil_div(first, BEAT_WORDS) + ceil_div(channels - first, BEAT_WORDS)


# -- the vector path ----------------------------------------------------------------------------


def _window_pixels(fields: Fields) -> int:
    """Return how many pixels all windows of one sample cover."""
    total = 1
    for before, axis in (("pad_top", "height"), ("pad_left", "width")):
        out, stride = fields[f"out_{axis}"], fields[f"stride_{axis}"]
        kernel, size = fields[f"kernel_{axis}"], fields[f"in_{axis}"]
        total *= int(covered(out, stride, field(fields, before), kernel, size).sum())
    return total


def _vector(fields: Fields, samples: int) -> LayerCycles:
    operation = OPERATIONS[fields["opcode"]]
    pixels, channels, groups = _pixels(fields)
    beats = samples * pixels * groups
    read = vector = beats
    if operation.flat:
        read = samples * 2 * ceil_div(pixels * channels, 2 * BEAT_WORDS) + 1
    elif not operation.joined:  # sixteen channels a trip
        touched = _window_pixels(fields) if operation.windowed else pixels
        read = vector = samples * touched * ceil_div(channels, 2 * BEAT_WORDS)
    trips = dict.fromkeys(UNITS, 0)
    trips.update(read=read, vector=vector, epilogue=beats, write=beats)
    depth = DEPTHS["read"] + DEPTHS["vector"] + DEPTHS["epilogue"] + DEPTHS["write"]
    cycles = max(read, beats) + depth
    spans = {
        "read": (0, read),
        "vector": (DEPTHS["read"], max(read, beats) + DEPTHS["read"]),
        "epilogue": (DEPTHS["read"] + DEPTHS["vector"], cycles),
    }
    reader = "pairs" if operation.flat else "joined" if operation.joined else "windows"
    return LayerCycles(operation.name, trips, cycles + DEPTHS["layer"], 0, spans, reader)


# -- a batch ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchCycles:
    """All layers over one batch of samples in the activation memory, and the loops around them."""

    layers: Tuple[LayerCycles, ...]
    moves: Dict[str, int]  # trips: input, output, weights
    cycles: int


def _whole(layers: List[LayerCycles], moves: Dict[str, int]) -> BatchCycles:
    # the first layer is planned by itself, every other one while the one before it runs
    planned = DEPTHS["plan"] if layers else 0
    running = sum(max(layer.cycles, DEPTHS["plan"]) for layer in layers)
    return BatchCycles(tuple(layers), moves, planned + running + sum(moves.values()))


def streams_input(program: Program) -> bool:
    """Return whether the first layer reads its input straight from the packet."""
    return bool(program.layers) and has_bit(program.layers[0], "stream", "input")


def weight_trips(fields: Fields, engine: EngineSizes) -> int:
    """Return the trips of loading a layer's weights: a beat each, of every row its share."""
    needs = arrange(fields, engine)
    return needs.weights_rows * needs.share // STREAM_WORDS


def batch_cycles(program: Program, samples: int, unscaled: bool) -> BatchCycles:
    """Return trips and cycles of one batch.

    Parameters
    ----------
    program : Program
        Compiled for a hardware configuration.
    samples : int
        At most :func:`pynq_circnn.program.packets.batch_samples`.
    unscaled : bool
        Whether the input comes as bytes.
    """
    engine = EngineSizes.of(program.configuration)
    direct = streams_input(program)
    layers = []
    moves = {"input": 0 if direct else samples * sample_beats(program, unscaled), "weights": 0}
    moves["output"] = samples * ceil_div(program.header["output_words"], STREAM_WORDS)
    for index, fields in enumerate(program.layers):
        if OPERATIONS[fields["opcode"]].spectral:
            layers.append(_matrix(fields, engine, samples, direct and index == 0, unscaled))
            if has_bit(fields, "stream", "weights"):
                moves["weights"] += weight_trips(fields, engine)
        else:
            layers.append(_vector(fields, samples))
    return _whole(layers, moves)


def packet_cycles(program: Program, samples: int, unscaled: bool) -> int:
    """Return the cycles of a run packet: batches, counters and reply."""
    at_once = batch_samples(program)
    whole, rest = divmod(samples, at_once)
    cycles = whole * batch_cycles(program, at_once, unscaled).cycles if whole else 0
    cycles += batch_cycles(program, rest, unscaled).cycles if rest else 0
    return cycles + DEPTHS["packet"] + 2 * ceil_div(len(program.layers) + 1, 2) + 10


def at_intervals(batch: BatchCycles, intervals: Mapping[str, int]) -> BatchCycles:
    """Return a batch with each loop at another initiation interval than one.

    A unit's trips become cycles: trips times the interval of its loop. A layer's cycles grow by as
    much as its slowest unit does; what it takes beside that unit's trips, such as pipeline depths,
    stays as modelled. That is the least: units that wait for each other in turn can lose more.

    Parameters
    ----------
    batch : BatchCycles
    intervals : mapping of str to int
        By a loop's label, see :data:`LOOPS`; one is what a loop has that is left out.
    """

    def slower(layer: LayerCycles) -> LayerCycles:
        trips = {}
        for unit, n in layer.trips.items():
            loops = ("read", layer.reader) if unit == "read" else LOOPS[unit]
            trips[unit] = n * max(intervals.get(loop, 1) for loop in loops)
        more = max(trips.values()) - max(layer.trips.values())
        return replace(layer, trips=trips, cycles=layer.cycles + more)

    layers = [slower(layer) for layer in batch.layers]
    moves = {
        name: trips * max(intervals.get(loop, 1) for loop in LOOPS[name])
        for name, trips in batch.moves.items()
    }
    return _whole(layers, moves)
