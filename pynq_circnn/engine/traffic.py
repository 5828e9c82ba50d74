"""The bytes that the DMA moves for a program, and the time that the board's DDR memory needs.

The bytes are those of the packets (:mod:`pynq_circnn.program.packets`), exactly. They are the DMA's
alone: what the processor copies and computes in the same memory is not counted.
"""

from dataclasses import dataclass
from typing import Any, Dict

from ..contract import BOARDS, CONFIGURATIONS, has_bit
from ..program.packets import (
    HEADER_BYTES,
    STREAM_BYTES,
    batch_samples,
    layer_weights,
    reply_beats,
    result_beats,
    sample_beats,
)
from ..program.program import Program
from .cycles import BatchCycles, streams_input


def batch_bytes(program: Program, samples: int, unscaled: bool) -> Dict[str, int]:
    """Return the bytes of a mini-batch, by the names of :attr:`.BatchCycles.moves`."""
    streamed = [
        layer_weights(program, index).nbytes
        for index, fields in enumerate(program.layers)
        if has_bit(fields, "stream", "weights")
    ]
    return {
        "input": samples * STREAM_BYTES * sample_beats(program, unscaled),
        "weights": sum(streamed),
        "output": samples * STREAM_BYTES * result_beats(program),
    }


def packet_bytes(program: Program) -> Dict[str, int]:
    """Return the bytes that a run has once, however many its samples are."""
    return {"header": HEADER_BYTES, "counters_and_reply": STREAM_BYTES * reply_beats(program, 0)}


@dataclass(frozen=True)
class Memory:
    """The DDR memory beside the engine's clock.

    Parameters
    ----------
    hz : float
        The engine's clock.
    bytes_per_s : float
        What the DMA may move in a second, both directions together.
    """

    hz: float
    bytes_per_s: float

    @classmethod
    def of(cls, board: str, mb_per_s: float) -> "Memory":
        """Return the memory of a board whose DDR moves so many millions of bytes a second."""
        clock_mhz = CONFIGURATIONS[BOARDS[board]["configuration"]]["clock_mhz"]
        return cls(clock_mhz * 1e6, mb_per_s * 1e6)

    @property
    def stream_bytes_per_s(self) -> float:
        """The limit of each of the engine's two streams: a beat a cycle."""
        return STREAM_BYTES * self.hz

    def waits(
        self, program: Program, batch: BatchCycles, moved: Dict[str, int]
    ) -> Dict[str, float]:
        """Return the cycles that the engine waits for the DDR memory in a mini-batch.

        Nothing is fetched in advance: each move, and the layer that reads its input straight from
        the packet, takes at least as long as the memory needs for its bytes.

        Parameters
        ----------
        program : Program
        batch : BatchCycles
        moved : dict
            The mini-batch's :func:`batch_bytes`.
        """
        cycles = dict(batch.moves)
        if streams_input(program):
            cycles["input"] = batch.layers[0].cycles
        needed = {name: size * self.hz / self.bytes_per_s for name, size in moved.items()}
        return {name: max(0.0, needed[name] - cycles[name]) for name in moved}


def _shares(memory: Memory, into: float, out: float, runs_per_s: float) -> Dict[str, float]:
    """Return what these bytes are in a second, and their shares of the limits."""
    stream = memory.stream_bytes_per_s
    return {
        "in_mb_s": into * runs_per_s / 1e6,
        "out_mb_s": out * runs_per_s / 1e6,
        "in_share_of_stream": into * runs_per_s / stream,
        "out_share_of_stream": out * runs_per_s / stream,
        "share_of_ddr": (into + out) * runs_per_s / memory.bytes_per_s,
    }


def traffic(
    program: Program,
    memory: Memory,
    unscaled: bool,
    latency_us: float,
    images_per_s: float,
    basis: str,
) -> Dict[str, Any]:
    """Return the bytes in and out of the DMA, and their shares of the limits.

    Parameters
    ----------
    program : Program
    memory : Memory
    unscaled : bool
        The input comes as bytes.
    latency_us : float
        The time that one sample alone takes.
    images_per_s : float
        The rate in full mini-batches.
    basis : str
        Where the DDR memory's bandwidth comes from.
    """
    samples = batch_samples(program)
    packet, alone = packet_bytes(program), batch_bytes(program, 1, unscaled)
    moved = batch_bytes(program, samples, unscaled)
    alone_in = packet["header"] + alone["input"] + alone["weights"]
    alone_out = alone["output"] + packet["counters_and_reply"]
    into, out = (moved["input"] + moved["weights"]) / samples, moved["output"] / samples
    return {
        "basis": "bytes of the DMA's packets",
        "packet_bytes": packet,
        "alone": {
            **{f"{name}_bytes": size for name, size in alone.items()},
            "in_bytes": alone_in,
            "out_bytes": alone_out,
            **_shares(memory, alone_in, alone_out, 1e6 / latency_us),
        },
        "steady": {
            "batch_samples": samples,
            **{f"{name}_bytes_a_batch": size for name, size in moved.items()},
            "in_bytes_a_sample": into,
            "out_bytes_a_sample": out,
            **_shares(memory, into, out, images_per_s),
        },
        "stream_mb_s": memory.stream_bytes_per_s / 1e6,
        "ddr_mb_s": memory.bytes_per_s / 1e6,
        "ddr_basis": basis,
    }
