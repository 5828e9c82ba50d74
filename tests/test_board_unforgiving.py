"""The emulated board reports every mistake that a real one would not survive."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, MODEL, Echo, X, emulated, run  # noqa: E402

from pynq_circnn import BoardError  # noqa: E402
from pynq_circnn.emulated import device  # noqa: E402
from pynq_circnn.emulated.board import Board  # noqa: E402
from pynq_circnn.emulated.device import HWH, EmulatedDevice  # noqa: E402
from pynq_circnn.emulated.fabric import EngineFabric  # noqa: E402
from pynq_circnn.emulated.memory import BASE, HIGH_BASE, BusError, Memory  # noqa: E402
from pynq_circnn.emulated.parts import Faults  # noqa: E402
from pynq_circnn.emulated.uninterrupted import uninterrupted  # noqa: E402
from pynq_circnn.program.compiler import compile_program  # noqa: E402
from pynq_circnn.program.packets import program_packet, read_reply, run_packet  # noqa: E402

both = pytest.mark.parametrize("mapped", [False, True], ids=["calls", "mapped"])
SECONDS = 5.0  # limit for steps that take microseconds on an idle machine


def until(condition):
    """Wait until the board has reached a condition by itself."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition is not reached"
        time.sleep(1e-3)


SEND, RECEIVE = 0x00, 0x30  # the registers of the DMA's channels


def transfer(dma, channel, address, nbytes):
    """Start a transfer on a channel of the DMA by its registers."""
    dma.write(channel + 0x18, address & 0xFFFFFFFF)
    dma.write(channel + 0x1C, address >> 32)
    dma.write(channel + 0x28, nbytes)


class Bare:
    """A board used through its registers with pynq's MMIO, without the driver."""

    def __init__(self, fabric, **options):
        self.device = EmulatedDevice(fabric, **options)
        self.device.activate()
        self.overlay = pynq.Overlay(self.device.bitfile, device=self.device)
        names = ("engine", "dma", "engine_reset", "interrupts")
        self.engine, self.dma, self.gpio, self.intc = map(self.mmio, names)

    def mmio(self, name):
        entry = self.overlay.ip_dict[name]
        return pynq.MMIO(entry["phys_addr"], entry["addr_range"], device=self.device)

    def buffer(self, data=bytes(4096)):
        """A buffer with data, flushed to the memory."""
        buffer = self.device.allocate((len(data),), "u1")
        buffer[:] = np.frombuffer(data, "u1")
        buffer.flush()
        return buffer

    def start(self):
        """Start both channels of the DMA."""
        for channel in (SEND, RECEIVE):
            self.dma.write(channel, 1)

    def transfer(self, channel, address, nbytes):
        transfer(self.dma, channel, address, nbytes)

    def start_packet(self, send, receive):
        """Start the engine on a packet of a whole buffer, with another one for its answer."""
        self.transfer(RECEIVE, receive.physical_address, receive.nbytes)
        self.engine.write(0, 1)
        self.transfer(SEND, send.physical_address, send.nbytes)

    def status(self, channel):
        return self.dma.read(channel + 0x04) & 0x7FFFFFFF


@contextlib.contextmanager
def bare(fabric=None, **options):
    board = Bare(Echo() if fabric is None else fabric, **options)
    try:
        yield board
    finally:
        board.device.close()


# -- memory -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("freed", [SEND, RECEIVE])
@pytest.mark.parametrize("reused", [False, True])
def test_a_transfer_that_comes_after_its_buffer_was_freed_is_an_error(mapped, freed, reused):
    """Also if the memory has a new owner, whose contents it would overwrite."""
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
        board.engine.write(0, 1)
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
            "behind": buffer.physical_address + 4096 - 64,  # begins in the buffer, ends after it
        }[place]
        with pytest.raises(BusError, match="DMA"):
            board.transfer(RECEIVE, buffer.physical_address, 4096)
            board.engine.write(0, 1)
            board.transfer(SEND, address, 128)
            until(lambda: board.status(RECEIVE) & 2)
            board.device.allocate((1,), "u1")
        assert board.device.bus_errors.take()


@both
@pytest.mark.parametrize("channel", [SEND, RECEIVE], ids=["send", "receive"])
@pytest.mark.parametrize(
    "wrong, text", [("busy", "middle"), ("high", "width"), ("odd", "not aligned")]
)
def test_what_the_dma_must_not_be_asked_for_is_an_error(mapped, channel, wrong, text):
    """On a board each of these may work by chance, if the low bits of the address are right."""
    with bare(mapped=mapped) as board:
        board.start()
        buffer = board.buffer()
        address = buffer.physical_address + {"busy": 0, "high": 1 << 32, "odd": 4}[wrong]
        with pytest.raises(BusError, match=text):
            board.transfer(channel, address, 2048)
            if wrong == "busy":
                board.transfer(channel, address, 64)
        assert board.device.bus_errors.take()


@both
def test_a_transfer_of_no_bytes_is_an_error_of_the_dmas(mapped):
    with bare(mapped=mapped) as board:
        board.start()
        board.transfer(SEND, board.buffer().physical_address, 0)
        until(lambda: board.status(SEND) & 0x11 == 0x11)


def test_where_there_is_no_memory_the_dma_says_so():
    """According to PG021 it is a decode error, after which the emulated board goes on."""
    with bare() as board:
        board.start()
        board.engine.write(0, 1)
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


def write(board, mmio):
    mmio.write(0x10, 5)


def read_memory(board, mmio):
    """As compiled code does; the next use of the device reports it."""
    mmio.array.view(np.ndarray)[4]
    board.device.allocate((1,), "u1")


def write_memory(board, mmio):
    mmio.array.view(np.ndarray)[4] = 5
    board.device.allocate((1,), "u1")


accesses = pytest.mark.parametrize(
    "access, mapped",
    [
        (read, False),
        (write, False),
        (read, True),
        (write, True),
        (read_memory, True),
        (write_memory, True),
    ],
)


@accesses
def test_an_access_while_the_engine_is_in_reset_is_an_error(mapped, access):
    with bare(mapped=mapped) as board:
        board.gpio.write(0, 1)
        with pytest.raises(BusError, match="in reset"):
            access(board, board.engine)
        assert board.device.bus_errors.take()
        board.gpio.write(0, 0)
        assert board.engine.read(0) & 4  # idle
        access(board, board.engine)


@accesses
def test_an_access_where_nothing_is_is_an_error(mapped, access):
    with bare(mapped=mapped) as board:
        nowhere = pynq.MMIO(0x43C00000, 0x1000, device=board.device)  # creating it is no error
        with pytest.raises(BusError, match="nothing is there"):
            access(board, nowhere)
        assert board.device.bus_errors.take()


@accesses
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


@accesses
def test_an_access_during_a_download_is_an_error(mapped, access, monkeypatch):
    with bare(mapped=mapped) as board:

        def beside(seconds):
            with contextlib.suppress(BusError):
                access(board, board.engine)

        monkeypatch.setattr(device, "time", types.SimpleNamespace(sleep=beside))
        with contextlib.suppress(BusError):
            board.overlay.download()
        monkeypatch.undo()
        assert any("being configured" in text for text in board.device.bus_errors.take())
        board.overlay.download()
        assert board.engine.read(0) & 4


@both
def test_a_download_in_the_middle_of_a_transfer_is_an_error(mapped):
    with pytest.raises(BusError, match="middle of a transfer"), bare(mapped=mapped) as board:
        board.start()
        receive = board.buffer()
        board.transfer(RECEIVE, receive.physical_address, 4096)
        board.overlay.download()  # nothing has begun
        board.device.allocate((1,), "u1")
        board.start()
        send = board.buffer()
        board.transfer(SEND, send.physical_address, 4096)  # more than the FIFO takes
        board.overlay.download()


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
    """The handler for accesses to closed pages handles no other faults."""
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


# -- time ---------------------------------------------------------------------------------------


class Parts:
    """DMA, engine and memory without processor and clock: the test advances the time."""

    def __init__(self, fabric=None, base=BASE, size=1 << 20, **parameters):
        self.memory = Memory(base, size)
        self.board = Board(Echo() if fabric is None else fabric, self.memory, Faults())
        ips = {
            "dma": {"type": "xilinx.com:ip:axi_dma:7.1", "phys_addr": 0x40010000},
            "engine": {"type": "circnn:hls:circnn_engine:1.0", "phys_addr": 0x40000000},
            "reset": {"type": "xilinx.com:ip:axi_gpio:2.0", "phys_addr": 0x40030000},
        }
        parameters = {"c_sg_length_width": 26, "c_addr_width": 32, **parameters}
        ips["dma"]["parameters"] = parameters
        self.board.configure(ips, {})
        self.dma, self.engine, self.gpio = self.board.dma, self.board.engine, self.board.gpio
        self.blocks = []
        self.run_channels()

    def run_channels(self):
        self.dma.write(SEND, 1)
        self.dma.write(RECEIVE, 1)

    def block(self, data):
        block = self.memory.allocate(len(data))
        self.blocks.append(block)
        self.memory.ddr[block.offset : block.offset + len(data)] = np.frombuffer(data, "u1")
        return block

    def transfer(self, channel, block, nbytes):
        transfer(self.dma, channel, self.memory.base + block.offset, nbytes)

    def start_packet(self, send, receive, nbytes):
        """Start the engine on a packet of so many bytes, with as many for its answer."""
        self.transfer(RECEIVE, receive, nbytes)
        self.engine.write(0, 1)
        self.transfer(SEND, send, nbytes)

    def bytes(self, block, nbytes):
        return self.memory.ddr[block.offset : block.offset + nbytes].tobytes()

    def settle(self):
        while self.board.advance(1 << 20):
            self.board.errors.check()

    def reset_engine(self):
        for level in (1, 0):
            self.gpio.write(0, level)
            self.board.react()


NOISE = np.random.default_rng(0).integers(0, 256, 1 << 16).astype("u1").tobytes()


def test_a_packet_takes_a_cycle_a_beat_and_appears_piece_by_piece():
    parts = Parts()
    send, receive = parts.block(NOISE), parts.block(bytes(len(NOISE)))
    parts.start_packet(send, receive, len(NOISE))
    seen, cycles = [], 0
    while not parts.dma.s2mm.read(0x04) & 2:
        parts.board.advance(256)
        cycles += 256
        answer = parts.bytes(receive, len(NOISE))
        seen.append(len(answer.rstrip(b"\0")) // 8)
    assert answer == NOISE
    beats = len(NOISE) // 8
    assert (
        2 * beats <= cycles <= 2 * beats + 1024
    )  # in, then out: the engine answers after the whole packet
    assert sorted(seen) == seen and len(set(seen)) > beats // 256 - 2


def test_a_send_channel_is_busy_as_long_as_the_engine_takes_nothing():
    """The FIFOs on the way take 64 beats, and no more."""
    parts = Parts()
    for nbytes, busy in ((512, False), (520, True)):
        parts.dma.write(SEND, 4)
        parts.settle()
        parts.run_channels()
        parts.transfer(SEND, parts.block(NOISE[:nbytes]), nbytes)
        parts.settle()
        assert parts.dma.mm2s.active is busy
        assert bool(parts.dma.mm2s.read(0x04) & 2) is not busy
    parts.engine.write(0, 1)  # now it takes the packet
    parts.settle()
    assert not parts.dma.mm2s.active


def test_an_answer_waits_for_the_receiving_channel():
    parts = Parts()
    send, receive = parts.block(NOISE), parts.block(bytes(4096))
    parts.engine.write(0, 1)
    parts.transfer(SEND, send, 4096)
    parts.settle()
    assert not parts.engine.peek(0) & 4 and not parts.engine.peek(0) & 2  # neither idle nor done
    parts.transfer(RECEIVE, receive, 4096)
    parts.settle()
    assert parts.engine.peek(0) & 0xE == 0xE  # done, idle, ready
    assert parts.bytes(receive, 4096) == NOISE[:4096]


def test_a_start_before_the_engine_is_ready_is_lost():
    """By UG1399, "Block-Level Control Protocols": ap_start stays up until ap_ready."""
    parts = Parts()
    send, receive = parts.block(NOISE), parts.block(bytes(4096))
    parts.engine.write(0, 1)
    parts.transfer(SEND, send, 1024)
    parts.settle()
    parts.engine.write(0, 1)  # the packet is taken, its answer is not: this is the same start
    parts.transfer(RECEIVE, receive, 4096)
    parts.settle()
    assert parts.engine.read(0) & 4
    parts.transfer(SEND, send, 1024)
    parts.transfer(RECEIVE, receive, 4096)
    parts.settle()
    assert parts.dma.mm2s.active and parts.dma.s2mm.active
    parts.engine.write(0, 1)
    parts.settle()
    assert not parts.dma.mm2s.active and not parts.dma.s2mm.active


def test_a_reset_of_the_dma_waits_for_what_is_on_its_way_to_the_memory():
    parts = Parts()
    send, receive = parts.block(NOISE), parts.block(bytes(len(NOISE)))
    parts.start_packet(send, receive, len(NOISE))
    parts.board.advance(len(NOISE) // 8 + 1024)
    before = parts.bytes(receive, len(NOISE))
    parts.dma.write(SEND, 4)
    assert parts.dma.read(SEND) & 4 and parts.dma.read(RECEIVE) & 4
    assert parts.bytes(receive, len(NOISE)) == before
    parts.settle()
    assert not parts.dma.read(SEND) & 4 and not parts.dma.read(RECEIVE) & 4
    after = parts.bytes(receive, len(NOISE))
    assert after != before and after != NOISE  # some more bursts, but not all
    assert parts.dma.read(RECEIVE + 4) == 1


def test_memory_that_is_freed_before_a_reset_is_over_is_still_written_to():
    parts = Parts()
    send, receive = parts.block(NOISE), parts.block(bytes(len(NOISE)))
    parts.start_packet(send, receive, len(NOISE))
    parts.board.advance(len(NOISE) // 8 + 1024)
    parts.dma.write(SEND, 4)
    parts.blocks.remove(receive)
    del receive
    with pytest.raises(BusError, match="freed"):
        parts.settle()


def test_what_the_fifo_has_is_the_next_packets_if_only_the_engine_is_reset():
    parts = Parts()
    receive = parts.block(bytes(4096))
    parts.transfer(
        SEND, parts.block(NOISE), 64
    )  # the engine is not started: the FIFO holds all of it
    parts.settle()
    parts.reset_engine()
    parts.transfer(SEND, parts.block(NOISE[64:]), 64)
    parts.transfer(RECEIVE, receive, 4096)
    parts.engine.write(0, 1)
    parts.settle()
    assert parts.bytes(receive, 64) == NOISE[:64]


# -- the engine's reset -------------------------------------------------------------------------


def exchange(parts, beats):
    """Return the engine's answer to a packet."""
    send, receive = parts.block(beats.tobytes()), parts.block(bytes(1 << 16))
    parts.transfer(RECEIVE, receive, 1 << 16)
    parts.engine.write(0, 1)
    parts.transfer(SEND, send, beats.nbytes)
    parts.settle()
    return np.frombuffer(parts.bytes(receive, parts.dma.read(RECEIVE + 0x28)), "<u8")


def test_a_reset_of_the_engine_keeps_its_memories_and_a_download_does_not():
    """By UG1399 for ``config_rtl -reset control``, the default: static variables are not reset."""
    program = compile_program(MODEL.network, "z2")
    run_it = run_packet(program, X[:4].reshape(4, -1))
    parts = Parts(EngineFabric())
    assert read_reply(exchange(parts, run_it)).status == "no_program"
    assert read_reply(exchange(parts, program_packet(program))).status == "ok"
    expected = exchange(parts, run_it)
    parts.reset_engine()
    assert parts.engine.peek(0) == 4 and not parts.engine.read(0x10)  # registers are reset
    np.testing.assert_array_equal(exchange(parts, run_it), expected)
    parts = Parts(parts.board.fabric)
    assert read_reply(exchange(parts, run_it)).status == "no_program"


def test_a_reset_in_the_middle_of_a_program_leaves_none():
    """The first half is in the memories, but ``loaded`` was cleared before it."""
    program = compile_program(MODEL.network, "z2")
    parts = Parts(EngineFabric())
    assert read_reply(exchange(parts, program_packet(program))).status == "ok"
    beats = program_packet(program)
    parts.engine.write(0, 1)
    parts.transfer(SEND, parts.block(beats.tobytes()), beats.nbytes)
    parts.board.advance(256)
    assert parts.dma.mm2s.active
    parts.reset_engine()
    parts.dma.write(SEND, 4)
    parts.settle()
    parts.run_channels()
    run_it = run_packet(program, X[:4].reshape(4, -1))
    assert read_reply(exchange(parts, run_it)).status == "no_program"


# -- addresses ----------------------------------------------------------------------------------


def test_memory_above_4_gib_needs_an_address_width_that_reaches_it():
    """As on a ZynqMP: a core of 32 bits has no register for the rest of an address."""
    for bits, right in ((32, False), (40, True)):
        parts = Parts(base=HIGH_BASE, c_addr_width=bits)
        send, receive = parts.block(NOISE), parts.block(bytes(4096))
        parts.start_packet(send, receive, 4096)
        with (
            contextlib.nullcontext() if right else pytest.raises(BusError, match="never allocated")
        ):
            parts.settle()
        assert (parts.bytes(receive, 4096) == NOISE[:4096]) is right


@both
def test_a_board_with_memory_above_4_gib(mapped):
    """The driver must refuse, or the board must report it; a wrong answer is neither."""
    with contextlib.suppress(BoardError, BusError), emulated(mapped=mapped, memory_base=HIGH_BASE):
        run()
        pytest.fail("the design's DMA has 32 bits of address")


# -- the clock ----------------------------------------------------------------------------------


@both
def test_what_was_begun_goes_on_while_nobody_looks(mapped):
    with bare(mapped=mapped) as board:
        board.start()
        send, receive = board.buffer(NOISE[:4096]), board.buffer()
        board.device.faults.inject("stuck_output")
        board.start_packet(send, receive)
        until(lambda: board.status(SEND) & 2)
        assert not board.status(RECEIVE) & 2
        board.device.faults.end("stuck_output")

        def arrived():
            receive.invalidate()
            return receive.tobytes() == NOISE[:4096]

        until(arrived)


@both
def test_an_answer_that_comes_when_nobody_waits_any_more(mapped):
    """A buffer that is freed while the engine still works on its answer."""
    with pytest.raises(BusError, match="freed"), bare(mapped=mapped) as board:
        board.start()
        send, receive = board.buffer(), board.buffer()
        board.device.faults.inject("stuck_output")
        board.start_packet(send, receive)
        until(lambda: board.status(SEND) & 2)
        del receive
        board.device.faults.end("stuck_output")
        time.sleep(0.2)


class _Interrupting(Echo):
    """A fabric during whose run Ctrl-C is pressed."""

    def run(self, packet):
        os.kill(os.getpid(), signal.SIGINT)
        return packet


def test_another_signal_leaves_the_handler_of_interrupts_as_it_was():
    """Python calls handlers inside signal.signal too, which then changes nothing."""

    def late(number, frame):
        raise TimeoutError

    handler = signal.getsignal(signal.SIGINT)
    before = signal.signal(signal.SIGALRM, late)
    try:
        for step in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + step))
                for _ in range(100):
                    with uninterrupted():
                        pass
                signal.setitimer(signal.ITIMER_REAL, 0)
            except TimeoutError:
                pass
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, handler)


def test_an_interrupt_does_not_stop_the_board():
    """Only the processor receives it; transfers that it has started continue."""
    with bare(_Interrupting()) as board:
        board.device._clock.wake = lambda: None  # time passes by accesses alone, in this thread
        board.start()
        send, receive = board.buffer(NOISE[:4096]), board.buffer()
        with pytest.raises(KeyboardInterrupt):
            board.start_packet(send, receive)
            until(lambda: board.status(RECEIVE) & 2)
        until(lambda: board.status(RECEIVE) & 2)
        receive.invalidate()
        assert receive.tobytes() == NOISE[:4096]
