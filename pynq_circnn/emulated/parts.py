"""The parts of the design as their product guides describe them, registers and all.

A part's ``read`` and ``write`` are what its AXI-Lite port does; whatever moves between parts moves
in :meth:`Board.settle`, once after every write.
"""

import threading
from typing import Callable, Dict, Iterable, List, Optional, Set

from ..contract import CONTRACT
from .fabric import Fabric
from .memory import Memory

_ENGINE = CONTRACT["engine"]
_REGISTERS = {row["name"]: row["offset"] for row in _ENGINE["registers"]}
_REPLY = [row["name"] for row in _ENGINE["packets"]["reply"]]
_IDENTITY = {row["name"]: row["value"] for row in _ENGINE["identity"]}
_BEAT_BYTES = _ENGINE["stream_bits"] // 8
_FIFO_BYTES = 512  # what DMA and interconnect take although the engine does not

FAULTS = {
    "lost_tlast": "the last beat of the engine's next packet comes without TLAST",
    "short_packet": "the engine's next packet ends early",
    "long_packet": "the engine's next packet is longer than it should be",
    "read_slave_error": "the next read of memory is answered with SLVERR",
    "read_decode_error": "the next read of memory is answered with DECERR",
    "write_slave_error": "the next write of memory is answered with SLVERR",
    "corrupt_packet": "a bit of the next packet is flipped on its way to the engine",
    "stuck_input": "the engine takes no packet until it is reset",
    "stuck_output": "the engine takes a packet and sends nothing until it is reset",
    "dead_engine": "the engine takes no packet, reset or not, until the next download",
    "dead_dma": "the DMA's reset does not end, until the next download",
    "wrong_digest": "the engine is of another configuration, until the fault is ended",
    "wrong_clock": "the clock's divisors cannot be written, until the fault is ended",
    "allocation": "the next allocation fails",
    "download": "the next download fails",
}
LASTING = {"stuck_input", "stuck_output", "dead_engine", "dead_dma", "wrong_digest", "wrong_clock"}


class Faults:
    """Faults to come, by name (see ``FAULTS``)."""

    def __init__(self) -> None:
        self._pending: List[str] = []

    def inject(self, name: str) -> None:
        """Let a fault happen at the next occasion.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in FAULTS:
            raise ValueError(f"name must be one of {', '.join(FAULTS)}. Received: {name!r}.")
        self._pending.append(name)

    def take(self, name: str) -> bool:
        """Return whether the fault is to happen now; those that do not last are over with that."""
        if name not in self._pending:
            return False
        if name not in LASTING:
            self._pending.remove(name)
        return True

    def end(self, *names: str) -> None:
        """Let faults be over, all of them if no name is given."""
        self._pending = [name for name in self._pending if names and name not in names]


class Part:
    """Something with registers.

    ``EVENTS`` are the offsets where a write does something; ``MAPPED`` tells whether the registers
    can be memory, because nothing depends on the order in which several are written.
    """

    EVENTS: Set[int] = set()
    MAPPED = False

    def read(self, offset: int) -> int:
        """Return what a read of a register gives."""
        raise NotImplementedError

    def write(self, offset: int, value: int) -> None:
        """Do what a write of a register does."""
        raise NotImplementedError

    def peek(self, offset: int) -> int:
        """Return what a register holds, without what reading it does."""
        return self.read(offset)

    def offsets(self) -> Iterable[int]:
        """Return the offsets of the registers that there are."""
        raise NotImplementedError

    def interrupts(self) -> Dict[str, bool]:
        """Return the levels of the interrupt outputs by their names."""
        return {}


class Slcr(Part):
    """The system-level control registers that make the clocks (UG585, appendix B.28).

    Values are those that a PYNQ-Z2 boots with: a 50 MHz crystal, feedback dividers 26, 21 and 20.
    """

    BASE, RANGE = 0xF8000000, 0x1000
    CLOCKS = {0x170: 0, 0x180: 1, 0x190: 2, 0x1A0: 3}

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._words = {0x100: 26 << 12, 0x104: 21 << 12, 0x108: 20 << 12, 0x120: 0x1F000200}
        self._words.update({offset: 0x00100A00 for offset in self.CLOCKS})

    def offsets(self) -> Iterable[int]:
        return sorted(self._words)

    def read(self, offset: int) -> int:
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if not (offset in self.CLOCKS and self._faults.take("wrong_clock")):
            self._words[offset] = value


class AxiGpio(Part):
    """The AXI GPIO (PG144) whose bit 0 holds the engine in reset while it is 1."""

    EVENTS = {0x0}

    def __init__(self) -> None:
        self._words: Dict[int, int] = {}

    def offsets(self) -> Iterable[int]:
        return (0x0, 0x4)

    @property
    def asserted(self) -> bool:
        """Whether the engine is held in reset."""
        return bool(self._words.get(0, 0) & 1)

    def read(self, offset: int) -> int:
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self._words[offset] = value


class AxiIntc(Part):
    """The AXI interrupt controller (PG099), level-sensitive inputs."""

    ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0x00, 0x20, 4)
    EVENTS = {IER, IAR, SIE, CIE, MER}

    def __init__(self) -> None:
        self.inputs: List[Callable[[], bool]] = []
        self._isr = self._ier = self._mer = 0

    def offsets(self) -> Iterable[int]:
        return range(0x00, 0x20, 4)

    def update(self) -> None:
        """Latch the inputs; a level that stays sets its bit again after an acknowledgement."""
        for line, level in enumerate(self.inputs):
            if level():
                self._isr |= 1 << line

    @property
    def output(self) -> bool:
        """The level of ``irq``."""
        return self._mer & 3 == 3 and bool(self._isr & self._ier)

    def read(self, offset: int) -> int:
        pending = self._isr & self._ier
        lowest = (pending & -pending).bit_length() - 1
        values = {
            self.ISR: self._isr,
            self.IPR: pending,
            self.IER: self._ier,
            self.IVR: lowest & 0xFFFFFFFF,
            self.MER: self._mer,
        }
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == self.IER:
            self._ier = value
        elif offset == self.IAR:
            self._isr &= ~value
        elif offset == self.SIE:
            self._ier |= value
        elif offset == self.CIE:
            self._ier &= ~value
        elif offset == self.MER:
            self._mer = value & 3


class DmaChannel:
    """One direction of the AXI DMA in direct register mode."""

    RUN, RESET, IOC_ENABLE, ERROR_ENABLE = 1 << 0, 1 << 2, 1 << 12, 1 << 14
    HALTED, IDLE, IOC, ERROR = 1 << 0, 1 << 1, 1 << 12, 1 << 14
    INTERNAL, SLAVE, DECODE = 1 << 4, 1 << 5, 1 << 6

    def __init__(self, length_bits: int) -> None:
        self._length_mask = (1 << length_bits) - 1
        self.reset()

    def reset(self) -> None:
        """Take the values after reset: control 0x10002, halted, not idle."""
        self.control, self.status = 0x00010002, self.HALTED
        self.address = self.length = 0
        self.active = False
        self.owner: Optional[int] = None  # the block of memory that the transfer is about
        self.received = b""

    def read(self, offset: int) -> int:
        values = {0x00: self.control, 0x04: self.status, 0x18: self.address, 0x28: self.length}
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == 0x00:
            self.control = value & ~self.RESET
            if value & self.RUN:
                self.status &= ~self.HALTED
            else:
                self.active = False
                self.status = (self.status | self.HALTED) & ~self.IDLE
        elif offset == 0x04:
            self.status &= ~(value & 0x7000)  # interrupt bits: writing 1 clears
        elif offset == 0x18:
            self.address = value
        elif offset == 0x28 and not self.status & self.HALTED:  # no effect while halted
            self.length = value & self._length_mask
            self.active = self.length > 0
            self.received = b""
            if self.active:
                self.status &= ~self.IDLE

    def complete(self) -> None:
        """End the transfer well."""
        self.active = False
        self.status |= self.IDLE | self.IOC

    def fail(self, error: int) -> None:
        """End the transfer with an error: the channel halts."""
        self.active = False
        self.control &= ~self.RUN
        self.status = (self.status | error | self.HALTED | self.ERROR) & ~self.IDLE

    @property
    def interrupt(self) -> bool:
        enabled = self.control & (self.IOC_ENABLE | self.ERROR_ENABLE)
        return bool(self.status & enabled)


class AxiDma(Part):
    """The AXI DMA without scatter-gather and without realignment (PG021, chapter 2)."""

    EVENTS = {0x00, 0x04, 0x28, 0x30, 0x34, 0x58}
    MAPPED = True

    def __init__(self, memory: Memory, faults: Faults, length_bits: int = 26) -> None:
        self._memory, self._faults = memory, faults
        self.mm2s, self.s2mm = DmaChannel(length_bits), DmaChannel(length_bits)
        self._resetting = False

    def read(self, offset: int) -> int:
        channel = self.mm2s if offset < 0x30 else self.s2mm
        value = channel.read(offset % 0x30)
        return value | DmaChannel.RESET if self._resetting and offset % 0x30 == 0 else value

    def write(self, offset: int, value: int) -> None:
        if offset % 0x30 == 0 and value & DmaChannel.RESET:  # of either channel: resets both
            self.mm2s.reset()
            self.s2mm.reset()
            self._resetting = self._faults.take("dead_dma")
        elif not self._resetting:
            channel = self.mm2s if offset < 0x30 else self.s2mm
            channel.write(offset % 0x30, value)
            if offset % 0x30 == 0x28 and channel.active:
                channel.owner = self._memory.owner(channel.address)

    def offsets(self) -> Iterable[int]:
        return (0x00, 0x04, 0x18, 0x1C, 0x28, 0x30, 0x34, 0x48, 0x4C, 0x58)

    def fetch(self) -> Optional[bytes]:
        """Return the packet that the channel to the stream has to send, if it can be read."""
        channel = self.mm2s
        try:
            if self._faults.take("read_decode_error"):
                raise IndexError
            if self._faults.take("read_slave_error"):
                channel.fail(DmaChannel.SLAVE)
                return None
            aligned = channel.address // _BEAT_BYTES * _BEAT_BYTES  # no realignment engine
            return self._memory.read(aligned, channel.length, channel.owner)
        except IndexError:
            channel.fail(DmaChannel.DECODE)
            return None

    def store(self, data: bytes, last: bool) -> None:
        """Take a piece of a packet from the stream."""
        channel = self.s2mm
        channel.received += data
        if len(channel.received) > channel.length:
            channel.fail(DmaChannel.INTERNAL)
        elif last:
            try:
                if self._faults.take("write_slave_error"):
                    channel.fail(DmaChannel.SLAVE)
                    return
                aligned = channel.address // _BEAT_BYTES * _BEAT_BYTES
                self._memory.write(aligned, channel.received, channel.owner)
            except IndexError:
                channel.fail(DmaChannel.DECODE)
                return
            channel.length = len(channel.received)
            channel.complete()

    def interrupts(self) -> Dict[str, bool]:
        return {"mm2s_introut": self.mm2s.interrupt, "s2mm_introut": self.s2mm.interrupt}


class Engine(Part):
    """The engine's AXI-Lite port (ap_ctrl_hs, Vitis HLS UG1399) and its two streams."""

    EVENTS = {_REGISTERS[name] for name in ("control", "global_interrupt_enable",
                                            "interrupt_enable", "interrupt_status")}  # fmt: skip
    MAPPED = True
    START, DONE, IDLE, READY = 1, 2, 4, 8

    def __init__(self, fabric: Fabric, faults: Faults) -> None:
        self._fabric, self._faults = fabric, faults
        self.reset()

    def reset(self) -> None:
        """Do what an asserted reset does."""
        self._fabric.reset()
        self._faults.end("stuck_input", "stuck_output")
        self.in_reset = False
        self._start = self._done = self._restart = False
        self._swallowed = False
        self._words = {offset: 0 for offset in _REGISTERS.values()}
        self.outgoing: Optional[bytes] = None
        self.outgoing_last = True

    def read(self, offset: int) -> int:
        if offset != _REGISTERS["control"]:
            return self._words.get(offset, 0)
        idle = not self._start and not self._swallowed
        value = self._start * self.START | self._done * self.DONE | idle * self.IDLE
        self._done = False  # cleared by reading
        return value | self._restart << 7

    def write(self, offset: int, value: int) -> None:
        if offset == _REGISTERS["control"]:
            self._restart = bool(value & 0x80)
            self._start = self._start or bool(value & self.START)
        elif offset == _REGISTERS["interrupt_status"]:
            self._words[offset] ^= value & 3  # writing 1 toggles
        elif offset in self.EVENTS:
            self._words[offset] = value

    def offsets(self) -> Iterable[int]:
        return _REGISTERS.values()

    def peek(self, offset: int) -> int:
        done = self._done
        value = self.read(offset)
        self._done = done
        return value

    @property
    def takes(self) -> bool:
        """Whether the engine takes a packet now."""
        stuck = self._faults.take("stuck_input") or self._faults.take("dead_engine")
        free = self.outgoing is None and not self._swallowed and not self.in_reset
        return self._start and free and not stuck

    def run(self, packet: bytes) -> None:
        """Take a packet and compute the one to send."""
        self._start = self._restart
        if self._faults.take("stuck_output"):
            self._swallowed = True
            return
        if self._faults.take("corrupt_packet"):
            packet = packet[:-9] + bytes([packet[-9] ^ 4]) + packet[-8:]
        reply = self._fabric.run(packet)
        if self._faults.take("wrong_digest"):
            reply = reply[:-4] + (0x0BADC0DE).to_bytes(4, "little")
        self._publish(reply)
        if self._faults.take("short_packet"):
            reply = reply[: len(reply) // 2 // _BEAT_BYTES * _BEAT_BYTES]
        if self._faults.take("long_packet"):
            reply = reply + bytes(1 << 16)
        self.outgoing, self.outgoing_last = reply, not self._faults.take("lost_tlast")
        self._done = True
        enabled = self._words[_REGISTERS["interrupt_enable"]]
        self._words[_REGISTERS["interrupt_status"]] |= enabled & 3

    def _publish(self, reply: bytes) -> None:
        size = 4 * len(_REPLY)
        words = memoryview(reply[-size:]).cast("I")
        values = dict(zip(_REPLY, words))
        values["identity"] = values.pop("magic")
        values["version"] = _IDENTITY["interface_version"]
        values["beats_out"] = len(reply) // _BEAT_BYTES
        for name, value in values.items():
            self._words[_REGISTERS[name]] = value
            self._words[_REGISTERS[name + "_control"]] = 1

    def interrupts(self) -> Dict[str, bool]:
        pending = self._words[_REGISTERS["interrupt_status"]]
        return {"interrupt": bool(self._words[_REGISTERS["global_interrupt_enable"]] & pending)}


class Board:
    """The parts joined: an address map, a memory, and what moves between them."""

    def __init__(self, fabric: Fabric, memory: Memory, faults: Faults) -> None:
        self.fabric, self.memory, self.faults = fabric, memory, faults
        self.errors = memory.errors
        self.lock = threading.RLock()
        self.places: Dict[int, Part] = {}  # base addresses of 64 KB
        self.irq: List[Callable[[], None]] = []  # called while the interrupt output is high
        self.slcr = Slcr(faults)
        self.clear()

    def clear(self, configuring: bool = False) -> None:
        """Have the processing system alone: before the first download, and during each."""
        self.configuring = configuring
        self.engine: Optional[Engine] = None
        self.dma: Optional[AxiDma] = None
        self.gpio: Optional[AxiGpio] = None
        self.intc: Optional[AxiIntc] = None
        self.places = {Slcr.BASE: self.slcr}

    def configure(self, ip_dict: Dict, interrupt_pins: Dict) -> None:
        """Build the parts of a downloaded design from its description."""
        self.clear()
        self.faults.end(*LASTING - {"wrong_digest", "wrong_clock"})
        names: Dict[str, Part] = {}
        for name, entry in ip_dict.items():
            kind = (entry.get("type") or "").split(":")[2:3]
            part = self._part(kind[0] if kind else "", entry)
            if part is not None:
                self.places[entry["phys_addr"]] = names[name] = part
        if self.intc is not None:
            lines: Dict[int, Callable[[], bool]] = {}
            for pin, entry in interrupt_pins.items():
                name, _, output = pin.rpartition("/")
                if name in names:
                    lines[entry["index"]] = _level(names[name], output)
            count = max(lines, default=-1) + 1
            self.intc.inputs = [lines.get(line, _low) for line in range(count)]

    def _part(self, kind: str, entry: Dict) -> Optional[Part]:
        if kind == "axi_dma":
            bits = int(entry.get("parameters", {}).get("c_sg_length_width", 14))
            self.dma = AxiDma(self.memory, self.faults, bits)
            return self.dma
        if kind == "axi_gpio":
            self.gpio = AxiGpio()
            return self.gpio
        if kind == "axi_intc":
            self.intc = AxiIntc()
            return self.intc
        if kind == _ENGINE["top"]:
            self.engine = Engine(self.fabric, self.faults)
            return self.engine
        return None

    def hang(self, address: int) -> Optional[str]:
        """Return why an access to a register hangs a real board, or ``None`` if it does not."""
        part, where = self.places.get(address & ~0xFFFF), f"{address & ~0xFFFF:#010x}"
        if part is None:
            why = "the fabric is being configured" if self.configuring else "nothing is there"
            return f"a register at {where} was accessed, but {why}: a real board's bus hangs."
        if part is self.engine and self.engine.in_reset:
            return f"the engine at {where} was accessed while in reset: a real board's bus hangs."
        return None

    def _find(self, address: int) -> Part:
        why = self.hang(address)
        if why is not None:
            raise self.errors.record(why)
        return self.places[address & ~0xFFFF]

    def read(self, address: int) -> int:
        """Return a register, as a read of the processor does."""
        with self.lock:
            value = self._find(address).read(address & 0xFFFF)
        self.errors.check()
        return value

    def write(self, address: int, value: int) -> None:
        """Write a register and propagate its effects."""
        with self.lock:
            self._find(address).write(address & 0xFFFF, value)
            self.settle()
        self.errors.check()

    def settle(self) -> None:
        """Move packets until nothing moves any more, then drive the interrupt."""
        if self.gpio is not None and self.engine is not None:
            if self.gpio.asserted:
                self.engine.reset()
            self.engine.in_reset = self.gpio.asserted
        while self._move():
            pass
        if self.intc is not None:
            self.intc.update()
            if self.intc.output:
                for call in self.irq:
                    call()

    def _move(self) -> bool:
        engine, dma = self.engine, self.dma
        if engine is None or dma is None:
            return False
        if engine.outgoing is not None and dma.s2mm.active:
            dma.store(engine.outgoing, engine.outgoing_last)
            engine.outgoing = None
            return True
        if dma.mm2s.active and engine.takes:
            packet = dma.fetch()
            if packet is not None:
                dma.mm2s.complete()
                engine.run(packet)
                return True
        return False


def _level(part: Part, output: str) -> Callable[[], bool]:
    return lambda: part.interrupts()[output]


def _low() -> bool:
    return False
