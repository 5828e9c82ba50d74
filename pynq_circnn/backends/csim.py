"""The C simulation: the HLS sources themselves, fed the packets that the DMA will carry."""

from typing import Optional, Sequence

import numpy as np

from ..arithmetic.fixed import Counter, dequantize
from ..errors import NotFiniteError
from ..network.integers import input_words
from ..network.quantized import QuantizedNetwork
from ..program.compiler import check_program_of, compile_program, counted_layers
from ..program.packets import (
    BYTES,
    WORDS,
    RunPackets,
    check_status,
    program_packet,
    read_reply,
    reply_beats,
)
from ..program.program import Program
from ..simulation import build
from ..simulation.engine import SimulatedEngine
from .base import BasePlan

PREFERENCE = -1

_TILE = 256  # samples a packet


def unavailable() -> Optional[str]:
    """Return ``None`` if the HLS sources can be compiled here, else why not."""
    return build.unavailable()


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
        check_program_of(network, self.program)
        self._packets = {format: RunPackets(self.program, format) for format in (WORDS, BYTES)}
        self._counted = counted_layers(network)
        self._names = [network.layers[i].name for i in self._counted[1:]]
        self.engine = SimulatedEngine(self.program.configuration, flags)
        answer = self.engine.step(program_packet(self.program), 4)
        check_status(read_reply(answer), self._names)

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        packets = self._packets[BYTES if x.dtype == np.uint8 else WORDS]
        flat = out.reshape(len(x), -1)
        for first in range(0, len(x), _TILE):
            part = x[first : first + _TILE]
            limited = Counter()
            if part.dtype != np.uint8:
                try:
                    part = input_words(self.network, part, limited).astype(np.int16)
                except NotFiniteError as error:
                    raise NotFiniteError(first + error.sample) from None
            beats = packets.build(part.reshape(len(part), -1))
            answer = self.engine.step(beats, reply_beats(self.program, len(part)))
            check_status(read_reply(answer), self._names)
            words, counts = packets.read(answer.view("u1"), len(part))
            flat[first : first + len(part)] = dequantize(words, self.output_exponent)
            if saturations is not None:
                saturations[self._counted] += counts
                saturations[0] += limited.count
