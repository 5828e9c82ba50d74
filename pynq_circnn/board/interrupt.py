"""An interrupt of the design, awaited in whichever event loop is running.

``pynq.interrupt`` is not used for this, since its objects outlive the event loop. It makes the
``UioController`` of a line once a process, and the event loop of that moment reads its file: when
that loop has ended, no wait is ever woken. Events whose wait was abandoned stay in the
controllers' lists, which only interrupts empty. Here the running loop reads the file, for one
call. Linux delivers an interrupt to every open file, so pynq's own waits for other lines continue.
"""

import asyncio
import contextlib
import os
import struct
import weakref
from typing import Any, BinaryIO, Iterator, Optional

# AXI INTC (PG099): acknowledge, enable a line, enable the output
INTC_IAR, INTC_SIE, INTC_MER = 0x0C, 0x10, 0x1C
_ENABLE = struct.pack("=i", 1)


class InterruptLine:
    """A line of a design's interrupt controller, or of the processor itself.

    Parameters
    ----------
    file : binary file
        The UIO device, unbuffered; it is closed with this object.
    controller : pynq.MMIO, optional
        The AXI INTC between the line and the processor.
    number : int
        The line's number there.
    """

    def __init__(self, file: BinaryIO, controller: Any = None, number: int = 0) -> None:
        self._file, self._controller, self._mask = file, controller, 1 << number
        self._event: Optional[asyncio.Event] = None
        os.set_blocking(file.fileno(), False)
        weakref.finalize(self, file.close)

    @contextlib.contextmanager
    def listening(self) -> Iterator["InterruptLine"]:
        """Have the running event loop watch the line inside a ``with`` block."""
        loop = asyncio.get_running_loop()
        event = self._event = asyncio.Event()

        def read() -> None:
            self._file.read(4)
            event.set()

        loop.add_reader(self._file, read)
        try:
            if self._controller is not None:
                self._controller.write(INTC_SIE, self._mask)
                self._controller.write(INTC_MER, 3)
            yield self
        finally:  # the line stays enabled: one more interrupt may come before it is armed again
            loop.remove_reader(self._file)

    def arm(self) -> None:
        """Have the next interrupt wake the wait; if the line is up already, that is at once."""
        assert self._event is not None
        if self._controller is not None:
            self._controller.write(INTC_IAR, self._mask)
        while self._file.read(4):  # an earlier interrupt
            pass
        self._event.clear()
        self._file.write(_ENABLE)

    async def wait(self, seconds: float) -> bool:
        """Return whether an interrupt comes within that time."""
        assert self._event is not None
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True
