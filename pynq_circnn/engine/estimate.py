"""What a model needs on a board: memory, cycles, energy.  All are modelled, not synthesised."""

from typing import Any, Dict, List, Optional

from ..contract import BOARDS, CONFIGURATIONS, OPERATIONS, STREAM_WEIGHTS
from ..errors import CompileError
from ..layers.base import size_of
from ..layers.matrix import BlockCirculant
from ..network.quantized import QuantizedNetwork
from ..program.arrangement import EngineSizes, arrange
from ..program.compiler import compile_program
from ..program.packets import batch_samples, reply_beats, sample_beats
from ..program.program import Program
from .cycles import BatchCycles, batch_cycles, packet_cycles
from .resources import resources

# The contract's power of a board is assumed as well: for the Zynq-7020 the average of the whole
# board in the MLPerf Tiny logs of this chip (1.6 to 1.8 W, mlcommons/tiny_results_v0.7), for the
# ZCU104 a round figure.

HOST = {"call_us": 70.0, "byte_ns": 2.5, "value_ns": 8.0}
"""Assumed host overhead: two register accesses from Python a call (27 to 42 us each, as users
measured), copying a byte into and out of the DMA buffer, quantising a float."""

NOTE = "modelled: II as designed, not synthesised"


def dense_operations(network: QuantizedNetwork) -> int:
    """Return the operations of one inference of the same network without compression.

    A multiplication and an addition for every weight of the dense matrix and output pixel.
    """
    total = 0
    for layer in network.layers:
        if isinstance(layer, BlockCirculant):
            pixels = size_of(network.shapes[layer.name][:-1])
            total += 2 * pixels * layer.dense_weights(network.shapes[layer.inputs[0]])
    return total


def _memories(program: Program) -> Dict[str, Dict[str, int]]:
    sizes = CONFIGURATIONS[program.configuration]
    engine = EngineSizes.of(program.configuration)
    matrices = [(f, arrange(f, engine)) for f in program.layers if OPERATIONS[f["opcode"]].spectral]
    resident = sum(a.weights_rows for f, a in matrices if not f.get("stream", 0) & STREAM_WEIGHTS)
    window = max(
        (a.weights_rows for f, a in matrices if f.get("stream", 0) & STREAM_WEIGHTS), default=0
    )
    spectra = max((a.spectra_rows for _, a in matrices), default=0)
    row = engine.row_words
    used = {
        "weights": (resident + window) * row,
        "spectra": spectra * row,
        "activations": program.header["activation_words"],
        "channels": max(program.scales.size, program.biases.size),
    }
    keys = {
        "weights": "weights_words",
        "spectra": "spectra_words",
        "activations": "activation_words",
        "channels": "channel_words",
    }
    return {
        name: {"used_words": words, "available_words": sizes[keys[name]]}
        for name, words in used.items()
    }


def _layer_rows(
    program: Program, names: List[str], alone: BatchCycles, many: BatchCycles, samples: int
) -> List[Dict[str, Any]]:
    rows = []
    for fields, name, one, batch in zip(program.layers, names, alone.layers, many.layers):
        rows.append(
            {
                "name": name,
                "kind": one.kind,
                "block": 1 << fields["block_log2"] if one.kind == "matrix" else None,
                "cycles_alone": one.cycles,
                "cycles_steady": batch.cycles / samples,
                "trips_alone": one.trips,
                "bottleneck": batch.bottleneck,
                "weights_streamed": bool(fields.get("stream", 0) & STREAM_WEIGHTS),
            }
        )
    return rows


def _bottleneck(many: BatchCycles) -> str:
    shares = dict(many.moves)
    for layer in many.layers:
        shares[layer.bottleneck] = shares.get(layer.bottleneck, 0) + layer.cycles
    return max(shares, key=lambda name: shares[name])


def _names(network: QuantizedNetwork) -> List[str]:
    return [layer.name for layer in network.engine_layers()]


def estimate(
    network: QuantizedNetwork,
    board: str = "pynq-z2",
    power_w: Optional[float] = None,
    unscaled: Optional[bool] = None,
) -> Dict[str, Any]:
    """Return what a network needs on a board, as plain values.

    Parameters
    ----------
    network : QuantizedNetwork
    board : str
        One of those in :data:`pynq_circnn.contract.BOARDS`.
    power_w : float, optional
        Power of the whole board; by default the assumed power of the contract.
    unscaled : bool, optional
        Whether the input comes as bytes; by default if the network takes them.

    Returns
    -------
    dict
        If ``fits`` is false, only the board's facts, ``why`` and ``overflows``.

    Raises
    ------
    ValueError
        If the board is unknown, the power is not positive, or `unscaled` is true for a network that
        takes no bytes.
    """
    if board not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}. Received: {board!r}.")
    if power_w is not None and not 0 < power_w < 1000:
        raise ValueError(f"power_w must be a positive number of watts. Received: {power_w!r}.")
    takes_bytes = network.input.uint8_scale is not None
    if unscaled and not takes_bytes:
        raise ValueError(
            "unscaled bytes must be what the network takes. Received: unscaled=True for an input "
            "without uint8_scale. Leave it out."
        )
    unscaled = takes_bytes if unscaled is None else unscaled
    configuration = BOARDS[board]["configuration"]
    hz = CONFIGURATIONS[configuration]["clock_mhz"] * 1e6
    report: Dict[str, Any] = {
        "board": board,
        "configuration": configuration,
        "basis": NOTE,
        "clock_mhz": hz / 1e6,
        "resources": resources(configuration),
    }
    try:
        program = compile_program(network, configuration)
    except CompileError as error:
        return {**report, "fits": False, "why": str(error), "overflows": error.overflows}

    samples = batch_samples(program)
    alone, many = batch_cycles(program, 1, unscaled), batch_cycles(program, samples, unscaled)
    latency = packet_cycles(program, 1, unscaled)
    steady = many.cycles / samples
    rate = hz / steady
    operations = dense_operations(network)
    watts = BOARDS[board]["assumed_power_w"] if power_w is None else power_w
    moved = 8 * (sample_beats(program, unscaled) + reply_beats(program, 1))
    value_ns = 0 if unscaled else HOST["value_ns"] * program.header["input_words"]
    return {
        **report,
        "fits": True,
        "input": "bytes" if unscaled else "16-bit words",
        "memories": _memories(program),
        "batch_samples": samples,
        "layers": _layer_rows(program, _names(network), alone, many, samples),
        "latency_cycles": latency,
        "latency_us": latency / hz * 1e6,
        "steady_cycles": steady,
        "images_per_s": rate,
        "dense_operations": operations,
        "gops_dense_equivalent": operations * rate / 1e9,
        "lanes_busy": sum(layer.products for layer in many.layers) / many.cycles,
        "dma_share": sum(many.moves.values()) / many.cycles,
        "bottleneck": _bottleneck(many),
        "power_w": watts,
        "power_basis": "assumed" if power_w is None else "given",
        "energy_uj": watts / rate * 1e6,
        "gops_per_w": operations * rate / 1e9 / watts,
        "host": {
            "basis": "assumed",
            "call_us": HOST["call_us"],
            "sample_us": (moved * HOST["byte_ns"] + value_ns) / 1e3,
        },
        "timeline": _timeline(_names(network), alone),
    }


def _timeline(names: List[str], batch: BatchCycles) -> List[Dict[str, Any]]:
    """Return the cycles in which each unit works for each layer, for one sample alone."""
    rows, now = [], 0
    if batch.moves["input"]:
        rows.append({"layer": "data in", "unit": "input", "begin": 0, "end": batch.moves["input"]})
        now = batch.moves["input"]
    for name, layer in zip(names, batch.layers):
        for unit, (begin, end) in layer.spans.items():
            rows.append({"layer": name, "unit": unit, "begin": now + begin, "end": now + end})
        now += layer.cycles
    end = now + batch.moves["output"]
    rows.append({"layer": "data out", "unit": "output", "begin": now, "end": end})
    return rows
