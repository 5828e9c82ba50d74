"""The engine's AXI-Lite port (ap_ctrl_hs, Vitis HLS UG1399) and its two streams.

A start is for one packet in and one packet out. ``ap_start`` stays up until ``ap_ready``, which
comes with the end of the packet out: a start that is written before that has no effect of its own.

The engine takes and sends a beat a cycle and computes in no time; it answers when it has the whole
packet, where the real one begins to send after the first mini-batch.

What a reset does: the sources have one static variable, ``Engine engine`` in circnn_top.cpp, and
no initialiser. With ``config_rtl -reset control``, the default, only registers of state machines
and of interfaces are reset (UG1399, "Controlling Initialization and Reset Behavior"). So programs,
weights and ``loaded`` survive; a packet that was being taken has changed the memories up to where
it was interrupted; and the next start begins with a new packet.
"""

from typing import Callable, Dict, Iterable, List, Optional

from ..contract import IDENTITY, REGISTERS, REPLY_FIELDS
from ..program.packets import STREAM_BYTES
from .dma import STEP_BEATS, AxiDma
from .fabric import Fabric
from .parts import Faults, Part

Compute = Callable[[Callable[[], bytes], Callable[[bytes], None]], None]


def at_once(work: Callable[[], bytes], done: Callable[[bytes], None]) -> None:
    """Compute a packet at once, and hand on the result."""
    done(work())


class EngineModel(Part):
    """The engine, as the design sees it from outside.

    Parameters
    ----------
    fabric : Fabric
    faults : Faults
    compute : callable
        Runs its first argument and hands the result to the second, now or later.
    """

    EVENTS = {
        REGISTERS["control"],
        REGISTERS["global_interrupt_enable"],
        REGISTERS["interrupt_enable"],
        REGISTERS["interrupt_status"],
    }
    START, DONE, IDLE, READY = 1, 2, 4, 8

    def __init__(self, fabric: Fabric, faults: Faults, compute: Compute = at_once) -> None:
        self._fabric, self._faults, self._compute = fabric, faults, compute
        self.in_reset = False
        self._packet: List[bytes] = []  # the part of a packet taken so far
        self._clear()

    def _clear(self) -> None:
        self._start = self._done = self._ready = self._restart = False
        self._words = {offset: 0 for offset in REGISTERS.values()}
        self._packet.clear()
        self._computing: Optional[object] = None
        self._reply = self._outgoing = b""
        self._sent: Optional[int] = None  # bytes of the packet out; ``None`` without one

    def reset(self) -> None:
        """Do what an asserted reset does."""
        if self._packet:  # the memories are changed as by a packet that ends here
            part = b"".join(self._packet)
            self._compute(lambda: self._fabric.run(part), lambda reply: None)
        self._faults.end("stuck_input", "stuck_output")
        self._clear()

    # -- registers --------------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        if offset != REGISTERS["control"]:
            return self._words.get(offset, 0)
        value = self.peek(offset)
        self._done = self._ready = False  # cleared by reading
        return value

    def peek(self, offset: int) -> int:
        if offset != REGISTERS["control"]:
            return self._words.get(offset, 0)
        value = self._start * self.START | (not self._start) * self.IDLE
        return value | self._done * self.DONE | self._ready * self.READY | self._restart << 7

    def write(self, offset: int, value: int) -> None:
        if offset == REGISTERS["control"]:
            self._restart = bool(value & 0x80)
            self._start = self._start or bool(value & self.START)
        elif offset == REGISTERS["interrupt_status"]:
            self._words[offset] ^= value & 3  # writing 1 toggles
        elif offset in self.EVENTS:
            self._words[offset] = value

    def offsets(self) -> Iterable[int]:
        return REGISTERS.values()

    def interrupts(self) -> Dict[str, bool]:
        pending = self._words[REGISTERS["interrupt_status"]]
        return {"interrupt": bool(self._words[REGISTERS["global_interrupt_enable"]] & pending)}

    # -- streams ----------------------------------------------------------------------------------

    def take(self, dma: AxiDma) -> bool:
        """Take a step's beats of a packet; return whether there were any."""
        stuck = self._faults.take("stuck_input") or self._faults.take("dead_engine")
        waits = self._start and self._computing is None and self._sent is None
        if stuck or not waits or self.in_reset:
            return False
        piece = dma.stream()
        if piece is None:
            return False
        data, last = piece
        self._packet.append(data)
        if last:
            self._run(b"".join(self._packet))
        return True

    def _run(self, packet: bytes) -> None:
        self._packet.clear()
        if self._faults.take("corrupt_packet"):
            packet = packet[:-9] + bytes([packet[-9] ^ 4]) + packet[-8:]
        this = self._computing = object()

        def done(reply: bytes) -> None:
            if self._computing is this:  # no reset meanwhile
                self._computing = None
                self._answer(reply)

        self._compute(lambda: self._fabric.run(packet), done)

    def _answer(self, reply: bytes) -> None:
        if self._faults.take("wrong_digest"):
            reply = reply[:-4] + (0x0BADC0DE).to_bytes(4, "little")
        self._reply = reply
        if self._faults.take("short_packet"):
            reply = reply[: len(reply) // 2 // STREAM_BYTES * STREAM_BYTES]
        if self._faults.take("long_packet"):
            reply = reply + bytes(1 << 16)
        self._outgoing, self._sent = reply, 0

    def send(self, dma: AxiDma) -> bool:
        """Send a step's beats of a packet, as far as there is room; return whether any went."""
        room = min(dma.room, STEP_BEATS * STREAM_BYTES)
        if self._sent is None or not room or self._faults.take("stuck_output"):
            return False
        piece = self._outgoing[self._sent : self._sent + room]
        self._sent += len(piece)
        last = self._sent == len(self._outgoing)
        dma.accept(piece, last and not self._faults.take("lost_tlast"))
        if last:
            self._end()
        return True

    def _end(self) -> None:
        self._sent, self._start = None, self._restart
        self._done = self._ready = True
        enabled = self._words[REGISTERS["interrupt_enable"]]
        self._words[REGISTERS["interrupt_status"]] |= enabled & 3
        size = 4 * len(REPLY_FIELDS)
        if len(self._reply) < size:
            return  # of a fabric that is not an engine
        values = dict(zip(REPLY_FIELDS, memoryview(self._reply[-size:]).cast("I")))
        values["identity"] = values.pop("magic")
        values["version"] = IDENTITY["interface_version"]
        values["beats_out"] = len(self._reply) // STREAM_BYTES
        for name, value in values.items():
            self._words[REGISTERS[name]] = value
            self._words[REGISTERS[name + "_control"]] = 1
