"""The emulated board forgives nothing that a real one does not: its memory, its bus, its time."""

import contextlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, Echo, X, emulated, run  # noqa: E402

from pynq_circnn.emulated.device import HWH, EmulatedDevice  # noqa: E402
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


# -- the bus ------------------------------------------------------------------------------------


def read(board, mmio):
    mmio.read(0x10)
    board.device.allocate((1,), "u1")  # in mapped memory the next use of the device tells


def write(board, mmio):
    mmio.write(0x10, 5)
    board.device.allocate((1,), "u1")


@both
@pytest.mark.parametrize("access", [read, write])
def test_an_access_while_the_engine_is_in_reset_is_an_error(mapped, access):
    with bare(mapped=mapped) as board:
        board.gpio.write(0, 1)
        with pytest.raises(BusError, match="in reset"):
            access(board, board.engine)
        assert board.device.bus_errors.take()
        board.gpio.write(0, 0)
        assert board.engine.read(0) & 4  # idle
        access(board, board.engine)


@both
@pytest.mark.parametrize("access", [read, write])
def test_an_access_where_nothing_is_is_an_error(mapped, access):
    with bare(mapped=mapped) as board:
        nowhere = pynq.MMIO(0x43C00000, 0x1000, device=board.device)  # to have it is none
        with pytest.raises(BusError, match="nothing is there"):
            access(board, nowhere)
        assert board.device.bus_errors.take()


@both
@pytest.mark.parametrize("access", [read, write])
def test_an_access_under_another_design_is_an_error(mapped, access, tmp_path):
    with open(HWH) as file:
        lines = [line for line in file if "<MEMRANGE" not in line or 'INSTANCE="dma"' in line]
    (tmp_path / "other.hwh").write_text("".join(lines))
    (tmp_path / "other.bit").write_bytes(b"another design")
    with bare(mapped=mapped) as board:
        board.engine.read(0)
        pynq.Overlay(str(tmp_path / "other.bit"), device=board.device, ignore_version=True)
        board.dma.read(0)
        with pytest.raises(BusError, match="nothing is there"):
            access(board, board.engine)
        assert board.device.bus_errors.take()


@both
@pytest.mark.parametrize("access", [read, write])
def test_an_access_during_a_download_is_an_error(mapped, access):
    with bare(mapped=mapped) as board:
        caught, stop = [], threading.Event()

        def other():
            while not stop.is_set():
                try:
                    access(board, board.engine)
                except BusError as error:
                    caught.append(str(error))
                    break

        thread = threading.Thread(target=other)
        thread.start()
        with contextlib.suppress(BusError):
            board.overlay.download()
        stop.set()
        thread.join()
        told = caught + board.device.bus_errors.take()
        assert any("being configured" in text for text in told)
        board.overlay.download()
        assert board.engine.read(0) & 4


@both
def test_a_board_that_is_used_well_has_no_errors(mapped):
    with emulated(mapped=mapped) as overlay:
        for _ in range(3):
            np.testing.assert_array_equal(run(), EXPECTED)
            overlay.download()
            overlay.reset_engine()
        assert not overlay.device.bus_errors.take()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_a_fault_elsewhere_ends_the_process_as_ever():
    """What catches accesses to closed pages catches nothing else."""
    code = (
        "import ctypes, faulthandler\nfaulthandler.enable()\n"
        "from pynq_circnn.emulated.guard import Page\n"
        "page = Page(65536, lambda: print('touched', flush=True) or page.open())\n"
        "page.close(); page.words[3] = 7; print(page.words[3], flush=True)\n"
        "ctypes.string_at(8)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "touched\n7\n"
    assert done.returncode == -11 and "Segmentation fault" in done.stderr
