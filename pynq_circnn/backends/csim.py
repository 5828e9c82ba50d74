"""The C simulation: the HLS sources themselves, fed the packets that the DMA will carry."""

import weakref
from typing import Dict, NamedTuple, Optional, Sequence

import numpy as np

from ..arithmetic.fixed import Counter, dequantize
from ..contract import CONFIGURATIONS
from ..network.integers import input_words
from ..network.quantized import QuantizedNetwork
from ..program.compiler import compile_program, counted_layers
from ..program.packets import (
    check_status,
    program_packet,
    read_reply,
    read_results,
    reply_beats,
    run_packet,
)
from ..program.program import Program
from ..simulation import build as csim_build
from ..turns import Turns
from . import BasePlan, NotFiniteError, not_finite

PREFERENCE = -1

UNITS = ("read", "forward", "product", "inverse", "vector", "epilogue", "write")
MOVES = ("input", "output", "weights")
REGISTERS = 7

_TILE = 256  # samples a packet


def unavailable() -> Optional[str]:
    """Return ``None`` if the HLS sources can be compiled here, else why not."""
    return csim_build.unavailable()


class Trips(NamedTuple):
    """What a simulation counted: trips of every unit for each layer, and of the loops around."""

    layers: np.ndarray
    moves: Dict[str, int]


class Engine:
    """One simulated engine, as it is after reset.

    Parameters
    ----------
    configuration : str
    flags : sequence of str, optional
        Of the compiler.
    """

    def __init__(self, configuration: str = "z2", flags: Sequence[str] = ("-O3",)) -> None:
        self.configuration = configuration
        self._lib = csim_build.load(csim_build.build(configuration, flags))
        self._handle = self._lib.circnn_csim_create()
        if not self._handle:
            raise MemoryError("the C simulation needs more memory")
        self._close = weakref.finalize(self, self._lib.circnn_csim_destroy, self._handle)
        self._close.atexit = False  # a thread may be inside; the memory goes with the process
        self._turns = Turns()

    def step(self, beats: np.ndarray, room: int) -> np.ndarray:
        """Return the packet that answers a packet, both as 64-bit beats."""
        reply = np.empty(room, dtype="<u8")
        registers = np.empty(REGISTERS, dtype=np.uint32)
        beats = np.ascontiguousarray(beats, dtype="<u8")
        with self._turns.next():
            sent = self._lib.circnn_csim_step(
                self._handle, beats.ctypes.data, len(beats), reply.ctypes.data, room,
                registers.ctypes.data,
            )  # fmt: skip
        return reply[: min(sent, room)]

    def clear_trips(self) -> None:
        """Begin to count trips anew."""
        self._lib.circnn_csim_clear_trips(self._handle)

    def trips(self) -> Trips:
        """Return the trips since they were cleared."""
        layers = np.zeros((CONFIGURATIONS[self.configuration]["layers"], len(UNITS)), np.uint64)
        moves = np.zeros(len(MOVES), np.uint64)
        self._lib.circnn_csim_trips(self._handle, layers.ctypes.data, moves.ctypes.data)
        return Trips(layers.astype(np.int64), dict(zip(MOVES, map(int, moves))))


class Plan(BasePlan):
    """A network to be run by the simulated engine."""

    name = "csim"

    def __init__(
        self,
        network: QuantizedNetwork,
        program: Optional[Program] = None,
        configuration: str = "z2",
        flags: Sequence[str] = ("-O3",),
    ) -> None:
        super().__init__(network)
        self.program = compile_program(network, configuration) if program is None else program
        self._counted = counted_layers(network)
        self._names = [network.layers[i].name for i in self._counted[1:]]
        self.engine = Engine(self.program.configuration, flags)
        answer = self.engine.step(program_packet(self.program), 4)
        check_status(read_reply(answer), self._names)

    def _run(
        self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray], threads: int = 1
    ) -> None:
        flat = out.reshape(len(x), -1)
        for first in range(0, len(x), _TILE):
            part = x[first : first + _TILE]
            limited = Counter()
            if part.dtype != np.uint8:
                try:
                    part = input_words(self.network, part, limited).astype(np.int16)
                except NotFiniteError as error:
                    raise not_finite(first + error.sample) from None
            beats = run_packet(self.program, part.reshape(len(part), -1))
            answer = self.engine.step(beats, reply_beats(self.program, len(part)))
            check_status(read_reply(answer), self._names)
            words, counts = read_results(self.program, answer, len(part))
            flat[first : first + len(part)] = dequantize(words, self.output_exponent)
            if saturations is not None:
                saturations[self._counted] += counts
                saturations[0] += limited.count
