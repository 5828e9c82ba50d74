"""The engine's driver: identity, programs that stay loaded, buffers, batches in chunks.

Nothing here imports ``pynq``: :mod:`.ip` provides registers, memory and interrupt from there.
"""

import asyncio
import contextlib
import os
import time
import warnings
import weakref
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..contract import digest_words, engine_digests, known_engines
from ..errors import BoardError
from ..program.packets import BYTES, WORDS, Reply, RunPackets, packet, program_packet
from ..program.program import Program
from ..turns import Turn, Turns
from .interrupt import InterruptLine
from .link import Link
from .reply import check_reply

CHUNK_BYTES = 1 << 18  # of a packet to the engine: 330 us of transfer at 100 MHz
TIMEOUT_SECONDS = 10.0
LOCK_SECONDS = 60.0
_REPLY_ROOM = 4096  # for replies without results
_NAP_SECONDS = 0.005  # between polls while an interrupt is awaited, in case it is lost

_kept: Dict[int, Any] = {}  # buffers that a DMA may still write to: kept until the process ends

Fill = Callable[[List[np.ndarray], int, int], None]
Drain = Callable[[np.ndarray, int, int], None]


class Loadable:
    """A program and its packets, prepared once; it stays in the engine between calls.

    Parameters
    ----------
    program : Program
        Compiled for the engine's configuration.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.program_packet = program_packet(program).view("u1")
        self.packets = {format: RunPackets(program, format) for format in (WORDS, BYTES)}


class _Slot:
    """A buffer to send from and one to receive into, kept between calls and enlarged as needed."""

    def __init__(self) -> None:
        self.send: Any = None
        self.receive: Any = None
        self.frame: Any = None  # what the rest of `send` was written for: run packets, samples
        self.places: List[np.ndarray] = []  # of the samples in `send`

    def reserve(self, allocate: Callable[[int], Any], send: int, receive: int) -> None:
        """Make the buffers at least so many bytes large; the DMA must not be using them."""
        if self.send is None or len(self.send) < send:
            self.forget_frame()
            self.send = None  # frees its memory before more is allocated
            self.send = allocate(_rounded(send))
        if self.receive is None or len(self.receive) < receive:
            self.receive = None
            buffer = allocate(_rounded(receive))
            buffer.flush()  # so that no cached line is written back over what the DMA writes
            self.receive = buffer

    def forget_frame(self) -> None:
        """Have everything but the samples written again before the next packet is sent."""
        self.frame, self.places = None, []

    def free(self) -> None:
        """Release the buffers."""
        self.forget_frame()
        self.send = self.receive = None


class _Buffers:
    """The slots of a driver, and whether the DMA may be using them.

    An object of its own, since it is still needed once the driver itself has been collected.
    """

    def __init__(self, link: Link, check: Callable[[], None]) -> None:
        self.slots = [_Slot(), _Slot()]
        self.idle = False  # set only by the last step of a call that succeeds
        self.over = False  # the driver was collected, or the process exits
        self._link, self._check = link, check
        self._process = os.getpid()

    def end(self) -> None:
        """Free the buffers for good: a daemon thread may still run while the process exits."""
        self.over = True
        self.free()

    def free(self) -> None:
        """Free the buffers, after a reset of the DMA unless it is known to be idle.

        If it cannot be reset, or must not be since by pynq's record another design may be in the
        fabric, the buffers are kept: a late packet must not land in memory of somebody else.
        """
        both = [buffer for slot in self.slots for buffer in (slot.send, slot.receive)]
        held = [buffer for buffer in both if buffer is not None]
        if not held:
            return
        _kept[id(held)] = held  # where they stay if anything interrupts what follows
        for slot in self.slots:
            slot.free()
        if os.getpid() != self._process:  # a forked child: buffers and DMA are its parent's
            return
        if not self.idle:
            try:
                self._check()
                self._link.reset_dma()
            except BoardError as error:
                warnings.warn(
                    "the DMA's buffers are kept until this process ends, since the DMA may still "
                    f"write to them and was not reset: {error}",
                    RuntimeWarning,
                    stacklevel=3,
                )
                return
        del _kept[id(held)]


def _rounded(nbytes: int) -> int:
    """Return the size to allocate: a power of two of at least a page, so that it grows rarely."""
    return max(4096, 1 << (nbytes - 1).bit_length())


class EngineDriver:
    """Drives the hardware engine.

    Parameters
    ----------
    link : Link
        To the engine's registers and its DMA.
    allocate : callable
        Takes a number of bytes and returns a cached, page-aligned ``PynqBuffer`` of bytes.
    interrupt : callable, optional
        Returns the interrupt of the receiving DMA channel, or ``None`` if there is none after all.
    timeout : float
        Seconds that one chunk may take.
    check : callable, optional
        Raises a :class:`BoardError` if the engine is no longer in the fabric; called before any of
        its registers is accessed.

    Notes
    -----
    Threads take turns. After an error or an interrupt, the next call resets engine and DMA and
    loads the program again. Buffers are freed only while the DMA is idle or after its reset, also
    when the driver is collected and when the process exits.
    """

    def __init__(
        self,
        link: Link,
        allocate: Callable[[int], Any],
        interrupt: Optional[Callable[[], Optional[InterruptLine]]] = None,
        timeout: float = TIMEOUT_SECONDS,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.link = link
        self.timeout = timeout
        self.chunk_bytes = CHUNK_BYTES
        self.on_part: Optional[Callable[[str], None]] = None  # called at the end of each part
        self._interrupt = interrupt
        self._allocate, self._check = allocate, check
        self._buffers = _Buffers(link, check)
        weakref.finalize(self, self._buffers.end)  # at exit as well
        self.turns = Turns(LOCK_SECONDS, _busy)
        self._loaded: Optional[Loadable] = None
        self._configuration: Optional[str] = None
        self._process = os.getpid()
        self._closed = False
        self.loads = self.resets = 0
        self.wakes = self.naps = 0  # of waits in event loops: ended by an interrupt, by time

    # -- identity -------------------------------------------------------------------------------

    @property
    def configuration(self) -> str:
        """The name of the engine's configuration, which programs must be compiled for.

        Raises
        ------
        BoardError
            If the engine does not answer, or this package does not know its configuration.
        """
        if self._configuration is None:
            with self.turns.next():
                self._ready()
                self._buffers.idle = True
        assert self._configuration is not None
        return self._configuration

    def _open(self) -> None:
        """Raise the error if this process must not use the board."""
        if os.getpid() != self._process:
            raise BoardError(
                "forked",
                "a board must be used by the process that opened it. "
                f"Received: a call from process {os.getpid()}, forked from {self._process}. "
                "Open the overlay in the child, or start processes with 'spawn'.",
            )
        if self._closed or self._buffers.over:
            raise BoardError(
                "closed",
                "an overlay must be open to be used. Received: one that was closed, or whose "
                "board was opened again. Use the open one, or make a new CirCNNOverlay().",
            )

    def _ready(self) -> None:
        """Begin a call, which may leave the DMA running if it fails or is interrupted.

        The caller sets ``idle`` when everything has succeeded, and only then.
        """
        self._open()
        self._check()
        idle, self._buffers.idle = self._buffers.idle, False
        if idle:
            return
        self._loaded = None
        for slot in self._buffers.slots:
            slot.forget_frame()  # it may be half written
        self.resets += 1
        self.link.reset()
        reply = self._exchange(packet("identify", 0, 0).view("u1"), "identify")
        names = engine_digests()
        if reply.configuration not in names:
            raise BoardError(
                "wrong_configuration",
                f"the engine's configuration must be one of this package's, of {known_engines()}. "
                f"Received: {digest_words(reply.configuration)}. Use the bitstream that belongs "
                "to this version of the package, or rebuild it: make -C hw.",
                {"configuration": reply.configuration},
            )
        self._configuration = names[reply.configuration]

    def _exchange(self, data: np.ndarray, doing: str) -> Reply:
        """Send a packet that is answered by a reply alone, and return that."""
        slot = self._buffers.slots[0]
        slot.reserve(self._allocate, len(data), _REPLY_ROOM)
        slot.forget_frame()
        _plain(slot.send)[: len(data)] = data
        slot.send.flush()
        received = self.link.run(
            (slot.send.physical_address, len(data)),
            (slot.receive.physical_address, _REPLY_ROOM),
            self.timeout,
        )
        slot.receive.invalidate()
        return check_reply(_plain(slot.receive)[:received], doing)

    def _load(self, loadable: Loadable) -> None:
        if self._loaded is not loadable:
            self._loaded = None
            self._exchange(loadable.program_packet, "load a program")
            self._loaded = loadable
            self.loads += 1

    # -- a batch --------------------------------------------------------------------------------

    def chunks(self, packets: RunPackets, samples: int) -> Iterator[Tuple[int, int]]:
        """Return first sample and number of samples of each chunk."""
        room = packets.room(self.chunk_bytes)
        for first in range(0, samples, room):
            yield first, min(room, samples - first)

    def run(
        self, loadable: Loadable, samples: int, format: int, fill: Fill, drain: Drain
    ) -> np.ndarray:
        """Run samples through a program and return the saturation counters.

        While the engine works on a chunk, the next one is filled and the one before is drained.

        Parameters
        ----------
        loadable : Loadable
        samples : int
            At least one.
        format : int
            ``WORDS`` or ``BYTES``.
        fill : callable
            ``fill(places, first, count)`` writes `count` samples from number `first` on into the
            arrays in `places`.
        drain : callable
            ``drain(results, first, count)`` copies results out of a view of DMA memory, which
            must not be kept.

        Returns
        -------
        int64 array, one counter for the input and for each layer of the program

        Raises
        ------
        BoardError
            If anything fails; the next call resets engine and DMA.
        """
        packets = loadable.packets[format]
        counters = np.zeros(1 + packets.layers, dtype=np.int64)
        with self.turns.next():
            self._ready()
            self._load(loadable)
            before: Optional[Tuple[_Slot, int, int]] = None
            parts = list(self.chunks(packets, samples))
            for number, (first, count) in enumerate(parts):
                slot = self._buffers.slots[number % 2]
                send, receive = self._prepare(slot, packets, first, count, fill)
                if len(parts) == 1:
                    received = self.link.run(send, receive, self.timeout)
                    self._part("exchange")
                    counters += self._finish(slot, packets, first, count, received, drain)
                    break
                if before is not None:
                    received = self.link.wait(self.timeout)
                self.link.start(send, receive)
                if before is not None:
                    counters += self._finish(before[0], packets, *before[1:], received, drain)
                before = slot, first, count
            else:
                assert before is not None
                received = self.link.wait(self.timeout)
                counters += self._finish(before[0], packets, *before[1:], received, drain)
            self._buffers.idle = True
        return counters

    async def run_async(
        self, loadable: Loadable, samples: int, format: int, fill: Fill, drain: Drain
    ) -> np.ndarray:
        """Do as :meth:`run`, leaving the event loop to others until the DMA interrupts."""
        packets = loadable.packets[format]
        counters = np.zeros(1 + packets.layers, dtype=np.int64)
        turn = self.turns.next()
        await turn.take()
        with turn:
            self._ready()
            self._load(loadable)
            with contextlib.ExitStack() as listening:
                line = None if self._interrupt is None else self._interrupt()
                if line is not None:
                    listening.enter_context(line.listening())
                for first, count in self.chunks(packets, samples):
                    slot = self._buffers.slots[0]
                    self.link.start(*self._prepare(slot, packets, first, count, fill))
                    received = await self._received(line, turn)
                    counters += self._finish(slot, packets, first, count, received, drain)
            turn.check()
            self._buffers.idle = True
        return counters

    async def _received(self, line: Optional[InterruptLine], turn: Turn) -> int:
        end = time.monotonic() + self.timeout
        woken = True
        while True:
            if line is not None and woken:
                line.arm()  # before the poll, so that an interrupt in between wakes
            received = self.link.poll()
            if received is not None:
                self.link.acknowledge()
                return received
            if time.monotonic() > end:
                return self.link.wait(0.0)  # which raises the error
            if line is None:
                await asyncio.sleep(_NAP_SECONDS)
            woken = line is not None and await line.wait(_NAP_SECONDS)
            self.wakes += woken
            self.naps += not woken
            turn.check()
            self._check()  # other code has run meanwhile and may have loaded another overlay

    def _prepare(
        self, slot: _Slot, packets: RunPackets, first: int, count: int, fill: Fill
    ) -> Tuple[Tuple[int, int], Tuple[int, int]]:
        sent, expected = packets.send_bytes(count), packets.receive_bytes(count)
        slot.reserve(self._allocate, sent, max(expected, _REPLY_ROOM))
        self._part("prepare")
        if slot.frame != (packets, count):
            slot.forget_frame()
            data = _plain(slot.send)
            packets.write_frame(data, count)
            slot.places = packets.places(data, count)
            slot.frame = packets, count
        fill(slot.places, first, count)
        self._part("fill")
        slot.send.flush()
        self._part("flush")
        return (slot.send.physical_address, sent), (
            slot.receive.physical_address,
            max(expected, _REPLY_ROOM),
        )

    def _finish(
        self, slot: _Slot, packets: RunPackets, first: int, count: int, received: int, drain: Drain
    ) -> np.ndarray:
        slot.receive.invalidate()
        self._part("invalidate")
        data = _plain(slot.receive)[:received]
        reply = check_reply(data, "run samples")
        if received != packets.receive_bytes(count) or reply.samples != count:
            raise BoardError(
                "bad_reply",
                f"the engine must send {packets.receive_bytes(count)} bytes for {count} samples. "
                f"Received: {received} bytes for {reply.samples} samples. Beats were lost; the "
                "next call resets engine and DMA.",
            )
        self._part("reply")
        results, counters = packets.read(data, count)
        drain(results, first, count)
        self._part("drain")
        return counters

    def _part(self, name: str) -> None:
        if self.on_part is not None:
            self.on_part(name)

    # -- reset and release ----------------------------------------------------------------------

    def reset(self) -> None:
        """Reset engine and DMA now; the next call loads its program again."""
        with self.turns.next():
            self._buffers.idle = False
            self._ready()
            self._buffers.idle = True

    def reload(self, download: Callable[[], None]) -> None:
        """Have `download` configure the fabric while no call uses the engine, then reset it."""
        with self.turns.next():
            self._open()
            self._buffers.idle = False
            download()
            self._ready()
            self._buffers.idle = True

    def free(self) -> None:
        """Release the buffers; the next call allocates new ones."""
        with self.turns.next():
            self._buffers.free()

    def close(self) -> None:
        """Release the buffers and refuse every further call."""
        with self.turns.next():
            self._closed = True
            self._buffers.free()

    def registers(self) -> Dict[str, int]:
        """Return the registers of DMA and engine by name."""
        with self.turns.next():
            self._open()
            self._check()
            return self.link.registers()


def _busy(reason: str) -> BoardError:
    return BoardError("busy", f"the engine must be used by one call at a time: {reason}")


def _plain(buffer: Any) -> np.ndarray:
    """Return a DMA buffer as a plain array: slices of a PynqBuffer are PynqBuffers."""
    plain: np.ndarray = buffer.view(np.ndarray)
    return plain
