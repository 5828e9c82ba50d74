"""The engine behind its link: identity, programs that stay loaded, buffers, batches in chunks.

Nothing here imports ``pynq``: :mod:`.ip` brings registers, memory and interrupt from there.
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
from ..program.packets import Reply, packet, program_packet
from ..program.program import Program
from ..turns import Turn, Turns
from .interrupt import InterruptLine
from .layout import BYTES, WORDS, RunLayout, parse_reply
from .link import Link

CHUNK_BYTES = 1 << 18  # of a packet to the engine; some hundred microseconds of transfer
TIMEOUT_SECONDS = 10.0
LOCK_SECONDS = 60.0
_REPLY_ROOM = 4096  # for replies without results
_NAP_SECONDS = 0.005  # between looks while an interrupt is awaited, in case one is lost

_kept: Dict[int, Any] = {}  # buffers that a DMA may still write to, till the process ends

Fill = Callable[[List[np.ndarray], int, int], None]
Drain = Callable[[np.ndarray, int, int], None]


class Loadable:
    """A program with what follows from it, to be kept in the engine between calls.

    Parameters
    ----------
    program : Program
        Compiled for the engine's configuration.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.packet = program_packet(program).view("u1")
        self.layouts = {format: RunLayout(program, format) for format in (WORDS, BYTES)}


class _Slot:
    """A buffer to send from and one to receive in, which grow and are kept."""

    def __init__(self) -> None:
        self.send: Any = None
        self.receive: Any = None
        self.frame: Any = None  # what `send` holds but samples: a layout and a number of samples
        self.places: List[np.ndarray] = []  # where these go

    def reserve(self, allocate: Callable[[int], Any], send: int, receive: int) -> None:
        """Make sure of buffers of so many bytes; the DMA is not at work on those before."""
        if self.send is None or len(self.send) < send:
            self.places, self.send, self.frame = (
                [],
                None,
                None,
            )  # its memory is free before more is asked for
            self.send = allocate(_rounded(send))
        if self.receive is None or len(self.receive) < receive:
            self.receive = None
            buffer = allocate(_rounded(receive))
            buffer.flush()  # nothing of it may be written back over what the DMA writes
            self.receive = buffer

    def forget_frame(self) -> None:
        """Let everything be written anew that is sent."""
        self.frame, self.places = None, []

    def free(self) -> None:
        """Let the buffers go."""
        self.forget_frame()
        self.send = self.receive = None


class _Buffers:
    """The slots of an engine, and whether its DMA may be at work on them.

    An object of its own, since it is needed when the engine itself is collected already.
    """

    def __init__(self, link: Link, check: Callable[[], None]) -> None:
        self.slots = [_Slot(), _Slot()]
        self.idle = False  # set by the last step of a call that ends well, and by nothing else
        self.over = False  # the engine is collected, or the process exits
        self._link, self._check = link, check
        self._process = os.getpid()

    def end(self) -> None:
        """Free the buffers for good: a daemon thread may go on while the process exits."""
        self.over = True
        self.free()

    def free(self) -> None:
        """Free the buffers, after a reset of the DMA unless it is known to be idle.

        If it cannot be reset, or must not be since pynq's record says that another design may be in
        the fabric, they are kept: their next owner would find a late packet in them.
        """
        both = [buffer for slot in self.slots for buffer in (slot.send, slot.receive)]
        held = [buffer for buffer in both if buffer is not None]
        if not held:
            return
        _kept[id(held)] = held  # and stay there if anything interrupts what follows
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


class Engine:
    """The hardware engine.

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
        Raises a :class:`BoardError` when the engine is not in the fabric any more; called before
        any of its registers is touched.

    Notes
    -----
    Threads take turns. After an error or an interrupt, the next call resets engine and DMA and
    loads everything anew. Buffers are freed when the DMA is idle or was reset, also when the
    engine is collected and when the process exits.
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
        self.on_part: Optional[Callable[[str], None]] = None  # told when a part of a call is over
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

    # -- who is there ---------------------------------------------------------------------------

    @property
    def configuration(self) -> str:
        """The name of the engine's configuration, which programs must be compiled for.

        Raises
        ------
        BoardError
            If the engine does not answer, or is of a configuration that this package has not.
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
        """Begin a call: what happens from here on may leave the DMA at work.

        Whoever calls this sets ``idle`` when everything is over; what interrupts it, does not.
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
        """Send a packet that is answered by nothing but a reply."""
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
        return parse_reply(_plain(slot.receive)[:received], doing)

    def _load(self, loadable: Loadable) -> None:
        if self._loaded is not loadable:
            self._loaded = None
            self._exchange(loadable.packet, "load a program")
            self._loaded = loadable
            self.loads += 1

    # -- a batch --------------------------------------------------------------------------------

    def chunks(self, layout: RunLayout, samples: int) -> Iterator[Tuple[int, int]]:
        """Return first sample and number of samples of each chunk."""
        room = layout.room(self.chunk_bytes)
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
            ``drain(results, first, count)`` takes results out of a view of DMA memory, of which
            nothing may be kept.

        Returns
        -------
        int64 array, one counter for the input and for each layer of the program

        Raises
        ------
        BoardError
            If anything fails; the next call starts anew.
        """
        layout = loadable.layouts[format]
        counters = np.zeros(1 + layout.layers, dtype=np.int64)
        with self.turns.next():
            self._ready()
            self._load(loadable)
            before: Optional[Tuple[_Slot, int, int]] = None
            parts = list(self.chunks(layout, samples))
            for number, (first, count) in enumerate(parts):
                slot = self._buffers.slots[number % 2]
                send, receive = self._prepare(slot, layout, first, count, fill)
                if len(parts) == 1:
                    received = self.link.run(send, receive, self.timeout)
                    self._part("exchange")
                    counters += self._finish(slot, layout, first, count, received, drain)
                    break
                if before is not None:
                    received = self.link.wait(self.timeout)
                self.link.start(send, receive)
                if before is not None:
                    counters += self._finish(before[0], layout, *before[1:], received, drain)
                before = slot, first, count
            else:
                assert before is not None
                received = self.link.wait(self.timeout)
                counters += self._finish(before[0], layout, *before[1:], received, drain)
            self._buffers.idle = True
        return counters

    async def run_async(
        self, loadable: Loadable, samples: int, format: int, fill: Fill, drain: Drain
    ) -> np.ndarray:
        """Do as :meth:`run`, leaving the event loop to others until the DMA interrupts."""
        layout = loadable.layouts[format]
        counters = np.zeros(1 + layout.layers, dtype=np.int64)
        turn = self.turns.next()
        await turn.take()
        with turn:
            self._ready()
            self._load(loadable)
            with contextlib.ExitStack() as listening:
                line = None if self._interrupt is None else self._interrupt()
                if line is not None:
                    listening.enter_context(line.listening())
                for first, count in self.chunks(layout, samples):
                    slot = self._buffers.slots[0]
                    self.link.start(*self._prepare(slot, layout, first, count, fill))
                    received = await self._received(line, turn)
                    counters += self._finish(slot, layout, first, count, received, drain)
            turn.check()
            self._buffers.idle = True
        return counters

    async def _received(self, line: Optional[InterruptLine], turn: Turn) -> int:
        end = time.monotonic() + self.timeout
        woken = True
        while True:
            if line is not None and woken:
                line.arm()  # before the look: what comes in between wakes as well
            received = self.link.poll()
            if received is not None:
                self.link.acknowledge()
                return received
            if time.monotonic() > end:
                return self.link.wait(0.0)  # which tells why
            if line is None:
                await asyncio.sleep(_NAP_SECONDS)
            woken = line is not None and await line.wait(_NAP_SECONDS)
            self.wakes += woken
            self.naps += not woken
            turn.check()
            self._check()  # others have run meanwhile, and may have loaded another overlay

    def _prepare(
        self, slot: _Slot, layout: RunLayout, first: int, count: int, fill: Fill
    ) -> Tuple[Tuple[int, int], Tuple[int, int]]:
        sent, expected = layout.send_bytes(count), layout.receive_bytes(count)
        slot.reserve(self._allocate, sent, max(expected, _REPLY_ROOM))
        self._part("prepare")
        if slot.frame != (layout, count):
            slot.forget_frame()
            data = _plain(slot.send)
            layout.write_frame(data, count)
            slot.places = layout.places(data, count)
            slot.frame = layout, count
        fill(slot.places, first, count)
        self._part("fill")
        slot.send.flush()
        self._part("flush")
        return (slot.send.physical_address, sent), (
            slot.receive.physical_address,
            max(expected, _REPLY_ROOM),
        )

    def _finish(
        self, slot: _Slot, layout: RunLayout, first: int, count: int, received: int, drain: Drain
    ) -> np.ndarray:
        slot.receive.invalidate()
        self._part("invalidate")
        data = _plain(slot.receive)[:received]
        reply = parse_reply(data, "run samples")
        if received != layout.receive_bytes(count) or reply.samples != count:
            raise BoardError(
                "bad_reply",
                f"the engine must send {layout.receive_bytes(count)} bytes for {count} samples. "
                f"Received: {received} bytes for {reply.samples} samples. Beats were lost; the "
                "next call resets engine and DMA.",
            )
        self._part("reply")
        results, counters = layout.read(data, count)
        drain(results, first, count)
        self._part("drain")
        return counters

    def _part(self, name: str) -> None:
        if self.on_part is not None:
            self.on_part(name)

    # -- the end --------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset engine and DMA now, and load everything anew at the next call."""
        with self.turns.next():
            self._buffers.idle = False
            self._ready()
            self._buffers.idle = True

    def reload(self, download: Callable[[], None]) -> None:
        """Let `download` configure the fabric while nobody uses the engine, then begin anew."""
        with self.turns.next():
            self._open()
            self._buffers.idle = False
            download()
            self._ready()
            self._buffers.idle = True

    def free(self) -> None:
        """Let the buffers go; the next call takes new ones."""
        with self.turns.next():
            self._buffers.free()

    def close(self) -> None:
        """Let the buffers go and refuse every further call."""
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
    return buffer.view(np.ndarray)
