"""An interrupt of the design, awaited in whatever event loop runs.

``pynq.interrupt`` is not used for this, since what it makes outlives the event loop: the
``UioController`` of a line is made once a process and has its file read by the loop of that
moment, so that after the loop's end nobody wakes; and events whose wait was given up stay in the
controllers' lists, which are emptied by interrupts alone. Here the file is read by the present
loop, for one call. Linux hands an interrupt to every open file, so that pynq's own waits for other
lines go on beside it.
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
        The AXI INTC between.
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
        """Let the present event loop hear of the line inside a ``with`` block."""
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
        finally:  # the line stays enabled: its next interrupt is the last till it is armed again
            loop.remove_reader(self._file)

    def arm(self) -> None:
        """Let the next interrupt wake; one that is due already, because the line is up, does."""
        assert self._event is not None
        if self._controller is not None:
            self._controller.write(INTC_IAR, self._mask)
        while self._file.read(4):  # an interrupt of before
            pass
        self._event.clear()
        self._file.write(_ENABLE)

    async def wait(self, seconds: float) -> bool:
        """Return whether there is an interrupt within that time."""
        assert self._event is not None
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True
