"""The emulated board forgives nothing that a real one does not: its memory, its bus, its time."""

import contextlib
import time

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, Echo, X, emulated, run  # noqa: E402

from pynq_circnn.emulated.device import EmulatedDevice  # noqa: E402
from pynq_circnn.emulated.memory import BusError  # noqa: E402

both = pytest.mark.parametrize("mapped", [False, True], ids=["calls", "mapped"])
SECONDS = 5.0  # for what takes microseconds on a machine that is not busy


def until(condition):
    """Wait for what the board does by itself."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(1e-3)


class Bare:
    """A board with its registers, and no driver but pynq's MMIO."""

    def __init__(self, fabric, **options):
        self.device = EmulatedDevice(fabric, **options)
        self.device.activate()
        self.overlay = pynq.Overlay(self.device.bitfile, device=self.device)
        names = ("engine", "dma", "engine_reset", "interrupts")
        self.engine, self.dma, self.gpio, self.intc = map(self.mmio, names)

    def mmio(self, name):
        entry = self.overlay.ip_dict[name]
        return pynq.MMIO(entry["phys_addr"], entry["addr_range"], device=self.device)

    def buffer(self, nbytes=4096):
        """A buffer of zeros that the memory has as well."""
        buffer = self.device.allocate((nbytes,), "u1")
        buffer[:] = 0
        buffer.flush()
        return buffer

    def poke(self, mmio, offset, value):
        """Write a register and see that the board has taken notice."""
        mmio.write(offset, value)
        until(lambda: not self.device.capabilities["MEMORY_MAPPED"] or mmio.read(offset) >> 31)

    def start(self):
        """Start both channels of the DMA."""
        for channel in (0x00, 0x30):
            self.poke(self.dma, channel, 1)

    def transfer(self, channel, address, nbytes):
        self.dma.write(channel + 0x18, address & 0xFFFFFFFF)
        self.dma.write(channel + 0x1C, address >> 32)
        self.poke(self.dma, channel + 0x28, nbytes)

    def status(self, channel):
        return self.dma.read(channel + 0x04) & 0x7FFFFFFF


@contextlib.contextmanager
def bare(fabric=None, **options):
    board = Bare(Echo() if fabric is None else fabric, **options)
    try:
        yield board
    finally:
        board.device.close()


SEND, RECEIVE = 0x00, 0x30

# -- memory -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("freed", [SEND, RECEIVE])
@pytest.mark.parametrize("reused", [False, True])
def test_a_transfer_that_comes_after_its_buffer_was_freed_is_an_error(mapped, freed, reused):
    """Also where the memory has a new owner, whose contents it spoils."""
    with pytest.raises(BusError, match="freed"), bare(mapped=mapped) as board:
        board.start()
        buffers = {SEND: board.buffer(), RECEIVE: board.buffer()}
        addresses = {key: buffer.physical_address for key, buffer in buffers.items()}
        board.transfer(RECEIVE, addresses[RECEIVE], 4096)
        if freed == SEND:
            board.transfer(SEND, addresses[SEND], 4096)
        del buffers[freed]
        owner = board.buffer() if reused else None
        assert owner is None or owner.physical_address == addresses[freed]
        if freed == RECEIVE:
            board.transfer(SEND, addresses[SEND], 4096)
        board.poke(board.engine, 0, 1)
        until(lambda: board.status(RECEIVE) & 2)


@both
@pytest.mark.parametrize("place", ["system", "free", "behind"])
def test_a_transfer_to_memory_that_was_never_allocated_is_an_error(mapped, place):
    with bare(mapped=mapped) as board:
        board.start()
        buffer = board.buffer()
        address = {
            "system": 0x100000,
            "free": buffer.physical_address + (1 << 20),
            "behind": buffer.physical_address + 4096 - 64,  # begins in the buffer, ends behind it
        }[place]
        with pytest.raises(BusError, match="DMA"):
            board.transfer(RECEIVE, buffer.physical_address, 4096)
            board.poke(board.engine, 0, 1)
            board.transfer(SEND, address, 128)
            until(lambda: board.status(RECEIVE) & 2)
            board.device.allocate((1,), "u1")
        assert board.device.bus_errors.take()


def test_where_there_is_no_memory_the_dma_says_so():
    """By PG021: a decode error, which is no reason to stop."""
    with bare() as board:
        board.start()
        board.poke(board.engine, 0, 1)
        board.transfer(SEND, 0x20000000, 64)
        assert board.status(SEND) & 0x41 == 0x41


def test_an_error_that_was_caught_is_raised_again_in_the_end():
    with pytest.raises(BusError, match="never allocated"), emulated() as overlay:
        np.testing.assert_array_equal(run(), EXPECTED)
        with contextlib.suppress(BusError):
            overlay.driver.link.run((0x100000, 16), (0x200000, 4096), 1.0)
        np.testing.assert_array_equal(run(X[:1]), EXPECTED[:1])
