"""What a model needs on a board: memory, cycles, energy.  All are modelled, not synthesised."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from ..contract import BOARDS, CONFIGURATIONS, OPERATIONS, has_bit
from ..errors import CompileError
from ..layers.base import size_of
from ..layers.matrix import BlockCirculant
from ..network.quantized import QuantizedNetwork
from ..program.arrangement import EngineSizes, arrange
from ..program.compiler import compile_program
from ..program.packets import batch_samples, reply_beats, sample_beats
from ..program.program import Program
from .cycles import LOOPS, BatchCycles, at_intervals, batch_cycles, packet_cycles, streams_input
from .resources import resources
from .synthesised import compare
from .traffic import Memory, batch_bytes, packet_bytes, traffic

# The contract's power of a board is assumed as well: for the Zynq-7020 the average of the whole
# board in the MLPerf Tiny logs of this chip (1.6 to 1.8 W, mlcommons/tiny_results_v0.7), for the
# ZCU104 a round figure.
# So is the bandwidth of the DDR memory: three quarters of the peak of the memories that
# hw/processors describes. PYNQ-Z1 and Z2: 16 bits at 2 x 525 MHz, 2.1 GB/s, of which 1.6 GB/s are
# taken as usable; ZCU104: 64 bits at 2 x 1067 MHz, 17.1 GB/s, of which 12.8 GB/s are.

HOST = {"call_us": 70.0, "byte_ns": 2.5, "value_ns": 8.0}
"""Assumed host overhead: two register accesses from Python a call (27 to 42 us each, as users
measured), copying a byte into and out of the DMA buffer, quantising a float."""

DDR_SOURCE = "assumed: three quarters of the memory's peak"

NOTE = "modelled, not synthesised"


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
    resident = sum(a.weights_rows for f, a in matrices if not has_bit(f, "stream", "weights"))
    window = max(
        (a.weights_rows for f, a in matrices if has_bit(f, "stream", "weights")), default=0
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
                "weights_streamed": has_bit(fields, "stream", "weights"),
            }
        )
    return rows


@dataclass(frozen=True)
class _Run:
    """How a program runs: its cycles, and what the DDR memory leaves of the rate they give.

    Parameters
    ----------
    alone, many : BatchCycles
        One sample, and a full mini-batch.
    latency_cycles : int
        Of a packet of one sample.
    latency_us, steady_cycles, engine_rate : float
        Latency with the waits for the memory; of the engine by itself.
    rate : float
        Samples a second with the waits.
    needed_mb_s : float
        What the DMA would move at the rate of the engine by itself.
    bottleneck : str
        A unit, a move, or "DDR".
    wait_cycles : dict
        The waits for the memory: of one sample ``alone``, of a ``batch``.
    """

    alone: BatchCycles
    many: BatchCycles
    latency_cycles: int
    latency_us: float
    steady_cycles: float
    engine_rate: float
    rate: float
    needed_mb_s: float
    bottleneck: str
    wait_cycles: Dict[str, float]


def _run(
    program: Program, memory: Memory, unscaled: bool, intervals: Optional[Mapping[str, int]] = None
) -> _Run:
    """Return how a program runs, if asked with other initiation intervals than the model's."""
    samples, hz = batch_samples(program), memory.hz
    modelled = batch_cycles(program, 1, unscaled)
    alone = at_intervals(modelled, intervals or {})
    many = at_intervals(batch_cycles(program, samples, unscaled), intervals or {})
    latency = packet_cycles(program, 1, unscaled) - modelled.cycles + alone.cycles
    moved = batch_bytes(program, samples, unscaled)
    waits = memory.waits(program, many, moved)
    wait_alone = sum(memory.waits(program, alone, batch_bytes(program, 1, unscaled)).values())
    once = sum(packet_bytes(program).values()) * hz / memory.bytes_per_s
    wait_alone += max(0.0, once - (latency - alone.cycles))
    engine_rate = hz * samples / many.cycles
    needed = sum(moved.values()) / samples * engine_rate
    short = needed > memory.bytes_per_s
    return _Run(
        alone=alone,
        many=many,
        latency_cycles=latency,
        latency_us=(latency + wait_alone) / hz * 1e6,
        steady_cycles=many.cycles / samples,
        engine_rate=engine_rate,
        rate=hz * samples / (many.cycles + sum(waits.values())),
        needed_mb_s=needed / 1e6,
        bottleneck="DDR" if short else _bottleneck(many, waits, streams_input(program)),
        wait_cycles={"alone": wait_alone, "batch": sum(waits.values())},
    )


def _bottleneck(many: BatchCycles, waits: Mapping[str, float], direct: bool) -> str:
    """Return what takes most of a mini-batch; what waits for the DDR memory is that memory's."""
    shares: Dict[str, float] = {}

    def add(name: str, cycles: float, wait: float) -> None:
        name = "DDR" if wait else name
        shares[name] = shares.get(name, 0) + cycles + wait

    for name, cycles in many.moves.items():
        add(name, cycles, 0 if direct and name == "input" else waits[name])
    for index, layer in enumerate(many.layers):
        add(layer.bottleneck, layer.cycles, waits["input"] if direct and index == 0 else 0)
    return max(shares, key=lambda name: shares[name])


def _synthesis(
    folder: str,
    configuration: str,
    program: Optional[Program] = None,
    memory: Optional[Memory] = None,
    unscaled: bool = False,
    modelled: Optional[_Run] = None,
) -> Dict[str, Any]:
    """Return a synthesis beside the model, with the cycles that its intervals give a program."""
    latency = None if modelled is None else modelled.latency_cycles
    found = compare(folder, configuration, latency)
    if program is None or memory is None:
        return {**found, "cycles": None}
    # a slower clock counts, a faster one would have to be set first
    hz = min(memory.hz, 1e9 / found["period_ns"]) if found["period_ns"] else memory.hz
    if not found["intervals"] and hz == memory.hz:
        return {**found, "cycles": None}
    memory = Memory(hz, memory.bytes_per_s)
    run = _run(program, memory, unscaled, found["intervals"])
    labels = [label for loops in LOOPS.values() for label in loops]
    cycles = {
        "basis": "at least, with the report's intervals and clock; trips and depths as modelled",
        "as_designed": [label for label in labels if label not in found["intervals"]],
        "clock_mhz": memory.hz / 1e6,
        "latency_cycles": run.latency_cycles,
        "latency_us": run.latency_us,
        "steady_cycles": run.steady_cycles,
        "images_per_s": run.rate,
        "bottleneck": run.bottleneck,
    }
    return {**found, "cycles": cycles}


def _names(network: QuantizedNetwork) -> List[str]:
    return [layer.name for layer in network.engine_layers()]


def estimate(
    network: QuantizedNetwork,
    board: str = "pynq-z2",
    power_w: Optional[float] = None,
    unscaled: Optional[bool] = None,
    ddr_mb_s: Optional[float] = None,
    reports: Optional[str] = None,
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
    ddr_mb_s : float, optional
        Bandwidth of the DDR memory that the DMA may use, in MB/s; by default the assumed one of the
        contract.
    reports : str, optional
        A folder with reports of Vitis HLS or Vivado, which ``synthesis`` compares with the model.

    Returns
    -------
    dict
        If ``fits`` is false, only the board's facts, ``why`` and ``overflows``. Where the DDR
        memory is slower than the engine, ``images_per_s`` and ``latency_us`` are what it allows,
        and ``engine_images_per_s`` is the rate of the engine by itself.

    Raises
    ------
    ValueError
        If the board is unknown, the power or the bandwidth is not positive, `unscaled` is asked of
        a network that takes no bytes, or the reports cannot be read or are not the engine's.
    """
    if board not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}. Received: {board!r}.")
    if power_w is not None and not 0 < power_w < 1000:
        raise ValueError(f"power_w must be a positive number of watts. Received: {power_w!r}.")
    if ddr_mb_s is not None and not 0 < ddr_mb_s < 1e6:
        raise ValueError(f"ddr_mb_s must be a positive number of MB/s. Received: {ddr_mb_s!r}.")
    takes_bytes = network.input.uint8_scale is not None
    if unscaled and not takes_bytes:
        raise ValueError(
            "unscaled bytes must be what the network takes. Received: unscaled=True for an input "
            "without uint8_scale. Leave it out."
        )
    unscaled = takes_bytes if unscaled is None else unscaled
    configuration = BOARDS[board]["configuration"]
    ddr = BOARDS[board]["assumed_ddr_mb_s"] if ddr_mb_s is None else ddr_mb_s
    memory = Memory.of(board, ddr)
    report: Dict[str, Any] = {
        "board": board,
        "configuration": configuration,
        "basis": NOTE,
        "clock_mhz": memory.hz / 1e6,
        "resources": resources(configuration),
    }
    try:
        program = compile_program(network, configuration)
    except CompileError as error:
        if reports is not None:
            report["synthesis"] = _synthesis(reports, configuration)
        return {**report, "fits": False, "why": str(error), "overflows": error.overflows}

    samples = batch_samples(program)
    run = _run(program, memory, unscaled)
    alone, many, rate = run.alone, run.many, run.rate
    engine_share = rate / run.engine_rate  # of the time; for the rest it waits for the DDR memory
    if reports is not None:
        report["synthesis"] = _synthesis(reports, configuration, program, memory, unscaled, run)
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
        "latency_cycles": run.latency_cycles,
        "latency_us": run.latency_us,
        "steady_cycles": run.steady_cycles,
        "images_per_s": rate,
        "engine_images_per_s": run.engine_rate,
        "dense_operations": operations,
        "gops_dense_equivalent": operations * rate / 1e9,
        "lanes_busy": sum(layer.products for layer in many.layers) / many.cycles * engine_share,
        "dma_share": 1 - (1 - sum(many.moves.values()) / many.cycles) * engine_share,
        "bottleneck": run.bottleneck,
        "traffic": {
            **traffic(
                program,
                memory,
                unscaled,
                run.latency_us,
                rate,
                DDR_SOURCE if ddr_mb_s is None else "given",
            ),
            "needed_mb_s": run.needed_mb_s,
            "wait_cycles": run.wait_cycles,
        },
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
