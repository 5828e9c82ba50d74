"""One packet to the engine, one packet back: DMA, start bit, time-outs, reset.

The order is the receive channel first, then the engine, then the send channel (PG021, chapter 3,
"Direct Register Mode"): without a receive transfer, a reply would stop the engine. Every wait here
has a limit.
"""

import time
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..contract import REGISTERS
from ..errors import BoardError
from .registers import (
    DMA_ADDRESS,
    DMA_ADDRESS_HIGH,
    DMA_CLEAR,
    DMA_CONTROL,
    DMA_DONE,
    DMA_ERROR_MASK,
    DMA_ERRORS,
    DMA_HALTED,
    DMA_IDLE,
    DMA_INTERRUPTS,
    DMA_LENGTH,
    DMA_LENGTH_MASK,
    DMA_RESET,
    DMA_RUN,
    DMA_STATUS,
    GPIO_DATA,
    IDLE,
    NAMES,
    RECEIVE,
    RESERVED,
    SEND,
    SHOWN_OF_ENGINE,
    START,
)

try:
    from pynq_circnn._native import ffi, lib
except ImportError:
    lib = None

Transfer = Tuple[int, int]  # physical address, bytes

RESET_SECONDS = 1.0
SLICE_SECONDS = 0.05  # the longest call into C: Python handles signals in between
_LOOK_SECONDS = 1e-4  # between polls during a reset
_HOLD_SECONDS = 1e-3  # how long the engine is held in reset; a few cycles would suffice


class Link:
    """Drives DMA and engine register by register, through ``pynq.MMIO``.

    Parameters
    ----------
    engine, dma : pynq.MMIO
    gpio : pynq.MMIO, optional
        The engine's reset.
    """

    compiled = False

    def __init__(self, engine: Any, dma: Any, gpio: Any = None) -> None:
        self._engine, self._dma, self._gpio = engine, dma, gpio

    # -- one exchange ---------------------------------------------------------------------------

    def start(self, send: Transfer, receive: Transfer) -> None:
        """Begin an exchange: the packet to send is in memory, and so is the room for the answer.

        Raises
        ------
        BoardError
            If a channel is halted, since its transfer would never begin.
        """
        for channel in (SEND, RECEIVE):
            if self._dma.read(channel + DMA_STATUS) & DMA_HALTED:
                raise self._halted()
            self._dma.write(channel + DMA_STATUS, DMA_CLEAR)
        self._transfer(RECEIVE, receive)
        self._engine.write(REGISTERS["control"], START)
        self._transfer(SEND, send)

    def _transfer(self, channel: int, transfer: Transfer) -> None:
        address, nbytes = transfer
        self._dma.write(channel + DMA_ADDRESS, address & 0xFFFFFFFF)
        self._dma.write(channel + DMA_ADDRESS_HIGH, address >> 32)
        self._dma.write(channel + DMA_LENGTH, nbytes)

    def wait(self, timeout: float) -> int:
        """Return the bytes received, once both transfers are complete.

        Raises
        ------
        BoardError
            If the DMA reports an error, or `timeout` seconds have passed.
        """
        end = time.monotonic() + timeout
        while True:
            late = (
                time.monotonic() > end
            )  # before the registers are read, so that the last poll is valid
            received = self.poll()
            if received is not None:
                return received
            if late:
                raise self._late(timeout)

    def poll(self) -> Optional[int]:
        """Return the bytes received if both transfers are complete, else ``None``."""
        received = self._dma.read(RECEIVE + DMA_STATUS)
        sent = self._dma.read(SEND + DMA_STATUS)
        if (sent | received) & DMA_ERROR_MASK:
            raise self._dma_error(sent, received)
        if not (_complete(sent) and _complete(received)):
            return None
        return int(self._dma.read(RECEIVE + DMA_LENGTH)) & DMA_LENGTH_MASK

    def run(self, send: Transfer, receive: Transfer, timeout: float) -> int:
        """Return the bytes received in a whole exchange."""
        self.start(send, receive)
        return self.wait(timeout)

    # -- errors ---------------------------------------------------------------------------------

    def registers(self) -> Dict[str, int]:
        """Return the registers of DMA and engine by name.

        While the engine is held in reset its own are left out, since it would not answer.
        """
        values = {name: self._dma.read(offset) for name, offset in NAMES.items()}
        if self._gpio is None or not self._gpio.read(GPIO_DATA) & 1:
            for name in SHOWN_OF_ENGINE:
                values[name] = self._engine.read(REGISTERS[name])
        return {
            name: int(value) & (-1 if name in SHOWN_OF_ENGINE[1:] else ~RESERVED)
            for name, value in values.items()
        }

    def _halted(self) -> BoardError:
        return BoardError(
            "dma_halted",
            "the DMA's channels must run before a transfer. Received: a halted one. "
            "Another program uses this DMA, or it was not reset after an error; call reset().",
            self.registers(),
        )

    def _dma_error(self, sent: int, received: int) -> BoardError:
        for side, status in (("sending (MM2S)", sent), ("receiving (S2MM)", received)):
            for bit, (cause, name) in DMA_ERRORS.items():
                if status & bit:
                    why = {
                        "dma_internal_error": "the engine's packet was longer than announced, "
                        "or a transfer of no bytes was requested",
                        "dma_slave_error": "the memory answered a transfer with an error",
                        "dma_decode_error": "there is no memory at the transfer's address",
                    }[cause]
                    return BoardError(
                        cause,
                        f"the DMA must transfer without error. Received: {name} while {side}: "
                        f"{why}. The next call resets engine and DMA; if it comes back, download "
                        "the overlay again.",
                        self.registers(),
                    )
        return self._halted()

    def _late(self, timeout: float) -> BoardError:
        registers = self.registers()
        sent, received = registers["MM2S_DMASR"], registers["S2MM_DMASR"]
        if (sent | received) & DMA_ERROR_MASK:
            return self._dma_error(sent, received)
        if not _complete(sent):
            cause, what = "stuck_input", "the engine does not take its packet"
        elif registers["control"] & IDLE:  # the done bit may belong to an earlier packet
            cause = "lost_tlast"
            what = (
                "the engine is done, but the DMA saw no end of its packet: the last beat came "
                "without TLAST, or beats were lost"
            )
        else:
            cause, what = "stuck_output", "the engine took its packet and sends no answer"
        return BoardError(
            cause,
            f"the engine must answer within {timeout:g} s. Received: nothing, {what}. The next "
            "call resets engine and DMA; give a longer timeout if the model is that slow.",
            registers,
        )

    # -- reset ----------------------------------------------------------------------------------

    def reset(self, timeout: float = RESET_SECONDS) -> None:
        """Reset engine and DMA, whatever state they are in, and start the DMA's channels.

        Raises
        ------
        BoardError
            If the DMA does not come out of its reset.
        """
        if self._gpio is not None:
            self._gpio.write(GPIO_DATA, 1)
        self.reset_dma(timeout)
        if self._gpio is not None:
            time.sleep(_HOLD_SECONDS)
            self._gpio.write(GPIO_DATA, 0)
            time.sleep(_HOLD_SECONDS)  # the reset ends some cycles later
        for channel in (SEND, RECEIVE):
            self._dma.write(channel + DMA_CONTROL, DMA_RUN | DMA_INTERRUPTS)
        self._until(lambda: not self._any(DMA_STATUS, DMA_HALTED), timeout, "run")

    def reset_dma(self, timeout: float = RESET_SECONDS) -> None:
        """Reset the DMA alone: it finishes its bursts, and its channels stop.

        Raises
        ------
        BoardError
            If it does not come out of its reset.
        """
        self._dma.write(SEND + DMA_CONTROL, DMA_RESET)  # of one channel: resets both
        self._until(lambda: not self._any(DMA_CONTROL, DMA_RESET), timeout, "come out of its reset")

    def _any(self, register: int, bit: int) -> bool:
        """Return whether a bit is set in this register of any channel."""
        return any(self._dma.read(channel + register) & bit for channel in (SEND, RECEIVE))

    def _until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                values = {n: int(self._dma.read(o)) & ~RESERVED for n, o in NAMES.items()}
                raise BoardError(
                    "reset_failed",
                    f"the DMA must {what} within {timeout:g} s. Received: it does not. "
                    "Download the overlay again; power the board off and on if that fails.",
                    values,
                )
            time.sleep(_LOOK_SECONDS)

    def acknowledge(self) -> None:
        """Clear the completion interrupt."""
        self._dma.write(RECEIVE + DMA_STATUS, DMA_CLEAR)


class CompiledLink(Link):
    """The same in C over the mapped registers: a register access costs some 0.2 us, not 30.

    A call into C releases the interpreter's lock while it waits.
    """

    compiled = True

    def __init__(self, engine: Any, dma: Any, gpio: Any = None) -> None:
        super().__init__(engine, dma, gpio)
        self._arrays = engine.array, dma.array  # keep alive what the pointers point to
        self._exchange = ffi.new("circnn_exchange *")
        self._exchange.engine = ffi.from_buffer("volatile uint32_t[]", engine.array)
        self._exchange.dma = ffi.from_buffer("volatile uint32_t[]", dma.array)

    def start(self, send: Transfer, receive: Transfer) -> None:
        exchange = self._exchange
        exchange.send_address, exchange.send_bytes = send
        exchange.receive_address, exchange.receive_bytes = receive
        self._check(lib.circnn_exchange_start(exchange), 0.0)

    def wait(self, timeout: float) -> int:
        """Return the bytes received, by calls into C that each take a short slice of the time.

        Between them the interpreter handles signals, such as that of Ctrl-C.
        """
        return self._rest(time.monotonic() + timeout, timeout)

    def _rest(self, end: float, timeout: float) -> int:
        while True:
            left = max(0.0, end - time.monotonic())
            slice_ns = int(min(left, SLICE_SECONDS) * 1e9)
            result = lib.circnn_exchange_wait(self._exchange, slice_ns)
            if result != lib.CIRCNN_EXCHANGE_LATE or left == 0.0:
                self._check(result, timeout)
                return int(self._exchange.received)

    def run(self, send: Transfer, receive: Transfer, timeout: float) -> int:
        exchange = self._exchange
        exchange.send_address, exchange.send_bytes = send
        exchange.receive_address, exchange.receive_bytes = receive
        end = time.monotonic() + timeout
        nanoseconds = int(min(timeout, SLICE_SECONDS) * 1e9)
        result = lib.circnn_exchange_run(exchange, nanoseconds)
        if result == lib.CIRCNN_EXCHANGE_LATE:
            return self._rest(end, timeout)
        self._check(result, timeout)
        return int(exchange.received)

    def _check(self, result: int, timeout: float) -> None:
        if result == lib.CIRCNN_EXCHANGE_HALTED:
            raise self._halted()
        if result == lib.CIRCNN_EXCHANGE_ERROR:
            raise self._dma_error(self._exchange.send_status, self._exchange.receive_status)
        if result == lib.CIRCNN_EXCHANGE_LATE:
            raise self._late(timeout)


def _complete(status: int) -> bool:
    return status & (DMA_IDLE | DMA_DONE) == DMA_IDLE | DMA_DONE


def connect(engine: Any, dma: Any, gpio: Optional[Any] = None) -> Link:
    """Return the fastest link for these registers: compiled, if they are mapped memory."""
    mapped = isinstance(engine.array, np.ndarray) and isinstance(dma.array, np.ndarray)
    return (CompiledLink if lib is not None and mapped else Link)(engine, dma, gpio)
