"""The AXI DMA without scatter-gather and without realignment (PG021, chapter 2).

Data moves in steps of at most 64 beats, four bursts of 16. What the channel to the stream has read
waits in a FIFO of that size until the engine takes it. What the channel from the stream has taken
is on its way to the memory until the next step, and arrives there even if the channel stops: a stop
or a reset waits for it (PG021, DMACR; PG022, "Soft Shutdown").
"""

from collections import deque
from typing import Deque, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..program.packets import STREAM_BYTES
from .memory import Memory
from .parts import Faults, Part

STEP_BEATS = 64
FIFO_BYTES = STEP_BEATS * STREAM_BYTES
RESET_STEPS = 1  # of a reset, once all that was on its way has arrived


class DmaChannel:
    """One direction of the AXI DMA in direct register mode."""

    RUN, RESET, IOC_ENABLE, ERROR_ENABLE = 1 << 0, 1 << 2, 1 << 12, 1 << 14
    HALTED, IDLE, IOC, ERROR = 1 << 0, 1 << 1, 1 << 12, 1 << 14
    INTERNAL, SLAVE, DECODE = 1 << 4, 1 << 5, 1 << 6

    def __init__(self, length_bits: int, address_bits: int = 32) -> None:
        self._length_mask = (1 << length_bits) - 1
        self.address_mask = (1 << address_bits) - 1
        self.transfers = 0
        self.reset()

    def reset(self) -> None:
        """Take the values after reset: control 0x10002, halted, not idle."""
        self.control, self.status = 0x00010002, self.HALTED
        self.address = self.length = 0
        self.active = False
        self.owner: Optional[int] = None  # the block of memory that the transfer uses
        self.moved = 0  # bytes of the transfer so far

    def read(self, offset: int) -> int:
        values = {0x00: self.control, 0x04: self.status, 0x28: self.length}
        values.update({0x18: self.address & 0xFFFFFFFF, 0x1C: self.address >> 32})
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
            self.address = (self.address >> 32 << 32 | value) & self.address_mask
        elif offset == 0x1C:  # a core of 32 address bits does not have it
            self.address = (value << 32 | self.address & 0xFFFFFFFF) & self.address_mask
        elif offset == 0x28 and not self.status & self.HALTED:  # no effect while halted
            self.length = value & self._length_mask
            self.active = True
            self.transfers += 1
            self.moved = 0
            if self.length:
                self.status &= ~self.IDLE
            else:  # an internal error (PG021, DMASR)
                self.fail(self.INTERNAL)

    @property
    def place(self) -> int:
        """The address of the next byte: without realignment, the transfer begins on a beat."""
        return self.address // STREAM_BYTES * STREAM_BYTES + self.moved

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


class _Write(NamedTuple):
    """Data on its way to the memory."""

    address: int
    data: bytes
    owner: Optional[int]
    last: bool
    transfer: int


class AxiDma(Part):
    """Both channels, and the data between them and the streams."""

    EVENTS = {0x00, 0x04, 0x28, 0x30, 0x34, 0x58}

    def __init__(
        self, memory: Memory, faults: Faults, length_bits: int, address_bits: int = 32
    ) -> None:
        self._memory, self._faults = memory, faults
        self.mm2s = DmaChannel(length_bits, address_bits)
        self.s2mm = DmaChannel(length_bits, address_bits)
        self._fifo: Deque[Tuple[bytes, bool]] = deque()  # pieces, and whether a packet ends there
        self._writes: List[_Write] = []
        self._resetting = 0  # steps left

    def read(self, offset: int) -> int:
        channel = self.mm2s if offset < 0x30 else self.s2mm
        value = channel.read(offset % 0x30)
        return value | DmaChannel.RESET if self._resetting and offset % 0x30 == 0 else value

    def write(self, offset: int, value: int) -> None:
        if self._resetting:
            return
        if offset % 0x30 == 0 and value & DmaChannel.RESET:  # of either channel: resets both
            self._resetting = RESET_STEPS
            return
        channel = self.mm2s if offset < 0x30 else self.s2mm
        self._forbid(channel, offset % 0x30, value)
        channel.write(offset % 0x30, value)
        if offset % 0x30 == 0x28 and channel.active:
            channel.owner = self._memory.owner(channel.address)

    def _forbid(self, channel: DmaChannel, offset: int, value: int) -> None:
        """Record what PG021 forbids: a real core would not do what was requested."""
        if offset == 0x1C and value << 32 & ~channel.address_mask:
            self._memory.errors.record(
                f"the DMA was given an address at {value << 32:#x}, beyond what its width reaches."
            )
        if offset == 0x28 and channel.active:
            self._memory.errors.record("the DMA was given a length in the middle of a transfer.")
        if offset == 0x28 and channel.address % STREAM_BYTES:
            self._memory.errors.record(
                f"the DMA was given the address {channel.address:#x}, which is not aligned."
            )

    def offsets(self) -> Iterable[int]:
        return (0x00, 0x04, 0x18, 0x1C, 0x28, 0x30, 0x34, 0x48, 0x4C, 0x58)

    @property
    def moving(self) -> bool:
        """Whether anything may happen without another access."""
        return bool(self._resetting or self._writes or self.mm2s.active or self.s2mm.active)

    @property
    def on_the_bus(self) -> bool:
        """Whether bursts have begun that are not over; before the first beat there is none."""
        writing = self.s2mm.active and self.s2mm.moved > 0
        return bool(self._writes or self.mm2s.active or writing)

    def reset_step(self) -> bool:
        """Continue a reset once all that was on its way has arrived; return whether it moved."""
        if not self._resetting or self._faults.take("dead_dma"):
            return False
        self._resetting -= 1
        if not self._resetting:
            self.mm2s.reset()
            self.s2mm.reset()
            self._fifo.clear()
        return True

    # -- from the memory to the stream ------------------------------------------------------------

    def fetch(self) -> bool:
        """Read a step's data into the FIFO; return whether there was anything to read."""
        channel = self.mm2s
        room = FIFO_BYTES - sum(len(piece) for piece, _ in self._fifo)
        nbytes = min(room, channel.length - channel.moved)
        if self._resetting or not channel.active or nbytes <= 0:
            return False
        try:
            if self._faults.take("read_decode_error"):
                raise IndexError
            if self._faults.take("read_slave_error"):
                channel.fail(DmaChannel.SLAVE)
                return True
            piece = self._memory.read(channel.place, nbytes, channel.owner)
        except IndexError:
            channel.fail(DmaChannel.DECODE)
            return True
        channel.moved += nbytes
        last = channel.moved == channel.length
        self._fifo.append((piece, last))
        if last:
            channel.complete()
        return True

    def stream(self) -> Optional[Tuple[bytes, bool]]:
        """Return the next piece of a packet on the stream, and whether the packet ends there."""
        return self._fifo.popleft() if self._fifo else None

    # -- from the stream to the memory ------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many bytes can be taken from the stream now."""
        taken = sum(len(write.data) for write in self._writes)
        return FIFO_BYTES - taken if self.s2mm.active and not self._resetting else 0

    def accept(self, data: bytes, last: bool) -> None:
        """Take a piece of a packet from the stream."""
        channel = self.s2mm
        fits = data[: channel.length - channel.moved]
        write = _Write(channel.place, fits, channel.owner, last, channel.transfers)
        channel.moved += len(data)
        if fits:
            self._writes.append(write)
        if channel.moved > channel.length:
            channel.fail(DmaChannel.INTERNAL)

    def land(self) -> bool:
        """Write what was on its way to the memory; return whether anything was."""
        channel = self.s2mm
        writes, self._writes = self._writes, []
        for address, data, owner, last, transfer in writes:
            present = channel.active and channel.transfers == transfer
            try:
                if self._faults.take("write_slave_error"):
                    if present:
                        channel.fail(DmaChannel.SLAVE)
                    continue
                self._memory.write(address, data, owner)
            except IndexError:
                if present:
                    channel.fail(DmaChannel.DECODE)
                continue
            if last and present:
                channel.length = channel.moved
                channel.complete()
        return bool(writes)

    def interrupts(self) -> Dict[str, bool]:
        return {"mm2s_introut": self.mm2s.interrupt, "s2mm_introut": self.s2mm.interrupt}
