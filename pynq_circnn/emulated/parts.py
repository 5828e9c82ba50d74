"""The smaller parts of the design as their product guides describe them, registers and all.

A part's ``read`` and ``write`` do what its AXI-Lite port does; :mod:`.board` moves data between the
parts.
"""

from typing import Callable, Dict, Iterable, List, Set

FAULTS = {
    "lost_tlast": "the last beat of the engine's next packet comes without TLAST",
    "short_packet": "the engine's next packet ends early",
    "long_packet": "the engine's next packet is longer than it should be",
    "read_slave_error": "the next read of memory is answered with SLVERR",
    "read_decode_error": "the next read of memory is answered with DECERR",
    "write_slave_error": "the next write of memory is answered with SLVERR",
    "corrupt_packet": "a bit of the next packet is flipped on its way to the engine",
    "stuck_input": "the engine takes no packet until it is reset",
    "stuck_output": "the engine takes a packet and sends nothing until it is reset, or the fault "
    "is ended",
    "dead_engine": "the engine takes no packet, reset or not, until the next download",
    "dead_dma": "the DMA's reset does not end, until the next download",
    "wrong_digest": "the engine is of another configuration, until the fault is ended",
    "wrong_clock": "the clock's divisors cannot be written, until the fault is ended",
    "allocation": "the next allocation fails",
    "download": "the next download fails",
}
LASTING = {"stuck_input", "stuck_output", "dead_engine", "dead_dma", "wrong_digest", "wrong_clock"}


class Faults:
    """Faults that were injected and are still to happen, by name (see ``FAULTS``)."""

    def __init__(self) -> None:
        self._pending: List[str] = []

    def inject(self, name: str) -> None:
        """Have a fault happen at the next opportunity.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in FAULTS:
            raise ValueError(f"name must be one of {', '.join(FAULTS)}. Received: {name!r}.")
        self._pending.append(name)

    def take(self, name: str) -> bool:
        """Return whether the fault is to happen now, and end it unless it lasts."""
        if name not in self._pending:
            return False
        if name not in LASTING:
            self._pending.remove(name)
        return True

    def end(self, *names: str) -> None:
        """End faults, all of them if no name is given."""
        self._pending = [name for name in self._pending if names and name not in names]


class Part:
    """A part with registers. ``EVENTS`` are the offsets where a write has a side effect."""

    EVENTS: Set[int] = set()

    def read(self, offset: int) -> int:
        """Return the value that a read of a register returns, with its side effects."""
        raise NotImplementedError

    def write(self, offset: int, value: int) -> None:
        """Do what a write of a register does."""
        raise NotImplementedError

    def peek(self, offset: int) -> int:
        """Return what a register holds, without the side effects of reading it."""
        return self.read(offset)

    def offsets(self) -> Iterable[int]:
        """Return the offsets of the registers."""
        raise NotImplementedError

    def interrupts(self) -> Dict[str, bool]:
        """Return the levels of the interrupt outputs by their names."""
        return {}


class Slcr(Part):
    """The system-level control registers that make the clocks (UG585, appendix B.28).

    Values are those that a PYNQ-Z2 boots with: a 50 MHz crystal, feedback dividers 26, 21 and 20.
    """

    BASE = 0xF8000000
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
            if self._mer & 2 and level():
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
            self._mer = value & 3 | self._mer & 2  # hardware interrupts stay enabled
