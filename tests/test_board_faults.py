"""Every fault is reported in time, with the right cause, and the next predict is right."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, MODEL, SLACK, TIMEOUT, Echo, X, emulated, run  # noqa: E402

from pynq_circnn import BoardError, board, turns  # noqa: E402
from pynq_circnn.board.driver import Loadable  # noqa: E402
from pynq_circnn.board.link import RESET_SECONDS  # noqa: E402
from pynq_circnn.emulated.device import EmulatedDevice  # noqa: E402
from pynq_circnn.emulated.dma import DmaChannel  # noqa: E402
from pynq_circnn.emulated.fabric import EngineFabric  # noqa: E402
from pynq_circnn.emulated.parts import FAULTS, LASTING  # noqa: E402
from pynq_circnn.program.compiler import compile_program  # noqa: E402
from pynq_circnn.program.packets import BYTES  # noqa: E402

both = pytest.mark.parametrize("mapped", [False, True], ids=["calls", "mapped"])

CAUSES = {
    "lost_tlast": ("lost_tlast", "TLAST"),
    "short_packet": ("bad_reply", "reply"),
    "long_packet": ("dma_internal_error", "DMAIntErr"),
    "read_slave_error": ("dma_slave_error", "MM2S"),
    "read_decode_error": ("dma_decode_error", "MM2S"),
    "write_slave_error": ("dma_slave_error", "S2MM"),
    "corrupt_packet": ("engine_bad_checksum", "checksum"),
    "stuck_input": ("stuck_input", "does not take"),
    "stuck_output": ("stuck_output", "no answer"),
}
LASTING_CAUSES = {
    "dead_engine": ("stuck_output", "no answer"),  # FIFOs on the way take so short a packet
    "dead_dma": ("reset_failed", "reset"),
    "wrong_digest": ("wrong_configuration", "0badc0de"),
}


def test_every_fault_is_tested():
    elsewhere = {"allocation", "download", "wrong_clock"}
    assert set(CAUSES) | set(LASTING_CAUSES) | elsewhere == set(FAULTS)
    assert set(LASTING_CAUSES) <= LASTING


def failure(overlay, call, timeout=TIMEOUT):
    """Return the exception of a call that must fail, and the seconds until then."""
    patient, overlay.driver.timeout = overlay.driver.timeout, timeout
    begin = time.monotonic()
    with pytest.raises(BoardError) as raised:
        call()
    seconds = time.monotonic() - begin
    overlay.driver.timeout = patient
    return raised.value, seconds


@both
@pytest.mark.parametrize("fault", CAUSES)
def test_a_fault_is_reported_and_over(fault, mapped):
    cause, text = CAUSES[fault]
    with emulated(mapped=mapped) as overlay:
        if fault != "corrupt_packet":  # that one hits the program, which has a checksum
            np.testing.assert_array_equal(run(), EXPECTED)
        overlay.device.faults.inject(fault)
        error, seconds = failure(overlay, run)
        assert error.cause == cause and text in str(error), str(error)
        assert seconds < TIMEOUT + SLACK
        if cause.startswith(("dma", "stuck", "lost")):
            assert {"MM2S_DMASR", "S2MM_DMASR", "S2MM_LENGTH", "control"} <= set(error.registers)
            assert f"S2MM_DMASR={error.registers['S2MM_DMASR']:#x}" in str(error)
        np.testing.assert_array_equal(run(), EXPECTED)
        assert overlay.driver.resets == 2
        assert overlay.device.usage["buffers"] == 2


@both
@pytest.mark.parametrize("fault", CAUSES)
def test_in_the_middle_of_a_large_batch(fault, mapped):
    if fault == "corrupt_packet":
        pytest.skip("samples have no checksum")
    x = np.tile(X, (50, 1))
    with emulated(mapped=mapped) as overlay:
        overlay.driver.chunk_bytes = 1 << 15
        run()
        parts = []

        def inject_at_the_third(part):
            parts.append(part)
            if parts.count("fill") == 3 and part == "fill":
                overlay.device.faults.inject(fault)

        overlay.driver.on_part = inject_at_the_third
        error, seconds = failure(overlay, lambda: run(x), 4 * TIMEOUT)
        overlay.driver.on_part = None
        # the fault may strike the chunk on its way at that time or the next one
        assert error.cause == CAUSES[fault][0]
        assert seconds < 4 * TIMEOUT + SLACK
        np.testing.assert_array_equal(run(x), np.tile(EXPECTED, (50, 1)))


@both
@pytest.mark.parametrize("fault", ["lost_tlast", "stuck_output", "write_slave_error"])
def test_async_calls_report_it_as_well(fault, mapped):
    def call():
        return asyncio.run(MODEL.predict_async(X, backend="emulated"))

    with emulated(mapped=mapped) as overlay:
        call()
        overlay.device.faults.inject(fault)
        error, seconds = failure(overlay, call)
        assert error.cause == CAUSES[fault][0]
        assert seconds < TIMEOUT + SLACK
        np.testing.assert_array_equal(call(), MODEL.predict(X, backend="native"))


@both
@pytest.mark.parametrize("fault", LASTING_CAUSES)
def test_a_lasting_fault_is_reported_until_it_is_over(fault, mapped):
    cause, text = LASTING_CAUSES[fault]
    with emulated(mapped=mapped) as overlay:
        run()
        overlay.device.faults.inject(fault)
        overlay.driver._buffers.idle = False  # as after any other error: the next call resets
        for _ in range(2):
            error, seconds = failure(overlay, run)
            assert error.cause == cause and text in str(error)
            assert seconds < TIMEOUT + RESET_SECONDS + SLACK
        overlay.device.faults.end(fault)
        np.testing.assert_array_equal(run(), EXPECTED)


@both
def test_a_download_brings_a_dead_engine_back(mapped):
    with emulated(mapped=mapped) as overlay:
        overlay.device.faults.inject("dead_engine")
        assert failure(overlay, run)[0].cause == "stuck_input"
        overlay.download()
        np.testing.assert_array_equal(run(), EXPECTED)


def test_an_allocation_that_fails():
    with emulated() as overlay:
        overlay.driver.free()
        overlay.device.faults.inject("allocation")
        error, _ = failure(overlay, run)
        assert error.cause == "allocation" and "contiguous memory" in str(error)
        np.testing.assert_array_equal(run(), EXPECTED)
    with emulated(memory_bytes=1 << 16) as overlay:
        overlay.driver.chunk_bytes = 1 << 18
        error, _ = failure(overlay, lambda: run(np.tile(X, (100, 1))))
        assert error.cause == "allocation" and "chunk_bytes" in str(error)
        overlay.driver.chunk_bytes = 1 << 12
        np.testing.assert_array_equal(run(np.tile(X, (100, 1))), np.tile(EXPECTED, (100, 1)))


def test_an_interrupted_call_leaves_a_usable_engine(monkeypatch):
    with emulated() as overlay:
        run()
        monkeypatch.setattr(
            overlay.driver.link, "run", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            run()
        monkeypatch.undo()
        np.testing.assert_array_equal(run(), EXPECTED)
        assert overlay.driver.resets == 2


# -- Ctrl-C -------------------------------------------------------------------------------------


class Interrupter:
    """Raises KeyboardInterrupt in the driver before a given step of the interpreter."""

    FOLDERS = (os.path.dirname(board.__file__), turns.__file__)

    def __init__(self, step):
        self.left = step

    def __enter__(self):
        sys.settrace(self._call)

    def __exit__(self, kind, error, trace):
        sys.settrace(None)

    def _call(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.FOLDERS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame, event, argument):
        if event == "opcode":
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._step


def interrupted_at_every_step(call, stride):
    """Interrupt a call at its steps, and return how many steps it has."""
    step = 0
    while True:
        interrupter = Interrupter(step)
        try:
            with interrupter:
                result = call()
        except KeyboardInterrupt:
            result = None
        if result is not None:
            np.testing.assert_array_equal(result, EXPECTED[:3])
        np.testing.assert_array_equal(run(X[1:4]), EXPECTED[1:4], str(step))
        if interrupter.left >= 0:
            return step
        step += stride


def test_an_interrupt_at_any_step_leaves_a_usable_engine(monkeypatch):
    """In whatever state the call is left, the next one does not wait and is right."""
    with emulated() as overlay:
        overlay.driver.turns.seconds = 1.0
        run(X[:3])
        assert interrupted_at_every_step(lambda: run(X[:3]), 1) > 300
        assert not overlay.driver.turns.held


def test_an_interrupt_at_any_step_of_chunks_of_other_sizes():
    """The other contents of a buffer are written again if they may be half written."""
    with emulated() as overlay:
        overlay.driver.turns.seconds = 1.0
        packets = MODEL.plan("emulated").loadable(overlay.driver.configuration).packets[1]
        overlay.driver.chunk_bytes = packets.send_bytes(2)
        assert interrupted_at_every_step(lambda: run(X[:3]), 7) > 600
        assert not overlay.driver.turns.held


def test_an_interrupt_at_any_step_of_a_reset():
    with emulated() as overlay:
        overlay.driver.turns.seconds = 1.0

        def call():
            overlay.reset_engine()
            return run(X[:3])

        assert interrupted_at_every_step(call, 11) > 1000
        overlay.registers()
        assert not overlay.driver.turns.held


@both
def test_an_interrupt_ends_the_wait_for_a_stuck_engine_at_once(mapped):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    with emulated(mapped=mapped) as overlay:
        run()
        overlay.device.faults.inject("stuck_output")
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            begin = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                run()
            assert time.monotonic() - begin < 1.0 + SLACK  # of the 30 s that it may wait
        finally:
            signal.signal(signal.SIGALRM, before)
        np.testing.assert_array_equal(run(), EXPECTED)


# -- calls that would wait for each other -------------------------------------------------------


class Slow(Echo):
    """An engine that works for a while."""

    def __init__(self, seconds):
        self.fabric, self.seconds = EngineFabric(), seconds
        self.reset = self.fabric.reset

    def run(self, packet):
        time.sleep(self.seconds)
        return self.fabric.run(packet)


def test_a_call_during_an_asynchronous_one_of_its_thread_is_refused_at_once():
    async def main():
        task = asyncio.ensure_future(MODEL.predict_async(X, backend="emulated"))
        while not overlay.driver.turns.held:
            assert not task.done()
            await asyncio.sleep(0)
        begin = time.monotonic()
        with pytest.raises(BoardError, match="predict_async") as raised:
            run()
        assert raised.value.cause == "busy"
        assert time.monotonic() - begin < SLACK
        return await task

    with emulated(Slow(0.2), mapped=True) as overlay:
        run()
        np.testing.assert_array_equal(asyncio.run(main()), MODEL.predict(X, backend="native"))


def test_a_call_from_inside_another_is_refused_at_once():
    with emulated() as overlay:
        overlay.driver.on_part = lambda part: part == "fill" and run()
        error, seconds = failure(overlay, run)
        assert error.cause == "busy" and "inside" in str(error) and seconds < SLACK
        overlay.driver.on_part = None
        np.testing.assert_array_equal(run(), EXPECTED)


# -- buffers are freed when nothing can write to them any more ----------------------------------


def stuck(overlay):
    """Leave the DMA armed, as after an engine that sends no answer."""
    run()
    overlay.device.faults.inject("stuck_output")
    assert failure(overlay, run)[0].cause == "stuck_output"
    assert overlay.device.board.dma.s2mm.active


def armed_at_frees(device):
    """Return a list to which every release of memory appends whether the DMA is armed."""
    armed, free = [], device.memory.free

    def spy(block):
        channels = device.board.dma.mm2s, device.board.dma.s2mm
        armed.append(any(channel.active for channel in channels))
        free(block)

    device.memory.free = spy
    return armed


@both
@pytest.mark.parametrize("way", ["close", "free"])
def test_buffers_are_not_freed_under_an_armed_dma(mapped, way):
    with emulated(mapped=mapped) as overlay:
        device = overlay.device
        stuck(overlay)
        armed = armed_at_frees(device)
        overlay.close() if way == "close" else overlay.driver.free()
        gc.collect()
        assert armed == [False, False]
        assert device.usage["buffers"] == 0


def test_buffers_of_an_idle_dma_are_freed_without_a_reset():
    with emulated() as overlay:
        run()
        before = overlay.device.writes
        overlay.close()
        assert overlay.device.usage["buffers"] == 0
        assert overlay.device.writes == before


@both
def test_buffers_are_kept_when_the_dma_cannot_be_reset(mapped):
    with emulated(mapped=mapped) as overlay:
        device = overlay.device
        stuck(overlay)
        device.faults.inject("dead_dma")
        with pytest.warns(RuntimeWarning, match="kept"):
            overlay.close()
        gc.collect()
        assert overlay.closed and device.usage["buffers"] == 2
        with emulated():  # the lock is free, and another board is not concerned
            np.testing.assert_array_equal(run(), EXPECTED)


def test_buffers_of_an_engine_that_is_dropped_are_not_freed_under_an_armed_dma():
    device = EmulatedDevice(EngineFabric())
    device.activate()
    overlay = pynq.Overlay(device.bitfile, device=device)
    driver = overlay.engine.driver
    driver.timeout = 0.2
    loadable = Loadable(compile_program(MODEL.network, driver.configuration))
    device.faults.inject("stuck_output")
    try:
        driver.run(loadable, 1, BYTES, lambda *a: None, lambda *a: None)
    except BoardError as error:
        assert error.cause == "stuck_output"
    assert device.board.dma.s2mm.active
    armed = armed_at_frees(device)
    del overlay, driver
    gc.collect()
    assert armed == [False, False]
    device.close()


def printed(code):
    """Run a program in this folder, and return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(__file__),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_dma_is_reset_at_exit():
    code = (
        "import atexit\n"
        "from board_tools import *\n"
        "from pynq_circnn import BoardError\n"
        "from pynq_circnn.emulated import open_board\n"
        "device = []\n"
        "atexit.register(lambda: print('armed', device[0].board.dma.s2mm.active))\n"
        "overlay = open_board(mapped=True)\n"
        "device.append(overlay.device)\n"
        "overlay.driver.timeout = 0.2\n"
        "run()\n"
        "overlay.device.faults.inject('stuck_output')\n"
        "try: run()\n"
        "except BoardError: print(device[0].board.dma.s2mm.active)\n"
    )
    assert printed(code) == ["True", "armed False"]


def test_a_thread_that_goes_on_at_exit_does_not_start_the_dma_again():
    code = (
        "import atexit, threading, time\n"
        "device, causes, begun = [], [], threading.Event()\n"
        "@atexit.register\n"  # before the package, hence called after its own
        "def last():\n"
        "    end = time.monotonic() + 10\n"
        "    while 'closed' not in causes and time.monotonic() < end: time.sleep(0.01)\n"
        "    print(causes[-1:], 'armed', device[0].board.dma.s2mm.active, flush=True)\n"
        "    import os; os._exit(0)\n"
        "from board_tools import *\n"
        "overlay = open_board()\n"
        "device.append(overlay.device)\n"
        "overlay.driver.timeout = 2\n"  # an interrupted call ends before the limit above
        "run()\n"
        "def work():\n"
        "    while True:\n"
        "        try: run()\n"
        "        except Exception as error: causes.append(getattr(error, 'cause', repr(error)))\n"
        "        begun.set()\n"
        "        if causes[-1:] == ['closed']: return\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "begun.wait()\n"
    )
    assert printed(code) == ["['closed'] armed False"]


def test_a_download_over_a_killed_process_resets_the_dma_first():
    """A transfer that is under way when the fabric is configured hangs the port to the memory."""
    with emulated() as overlay:
        device = overlay.device
        stuck(overlay)
        board.current.forget("emulated", overlay)  # like a process that was killed
        overlay._lock.release()
        moving, clear = [], device.board.clear

        def spy(configuring=False):
            if configuring:
                moving.append(device.board.dma.moving)
            clear(configuring)

        device.board.clear = spy
        with type(overlay)(device.bitfile, device=device):
            np.testing.assert_array_equal(run(), EXPECTED)
        assert moving == [False]


# -- a download takes its turn ------------------------------------------------------------------


@both
def test_a_download_waits_for_the_call_beside_it(mapped):
    events, results = [], []
    with emulated(mapped=mapped) as overlay:
        overlay.driver.chunk_bytes = 1 << 9  # many chunks
        run()
        begun = threading.Event()

        def part(name):
            events.append(name)
            if events.count("fill") == 3:
                begun.set()
            time.sleep(0.01)

        def work():
            results.append(run())
            events.append("done")

        configure = overlay.device.board.configure
        overlay.device.board.configure = lambda *a: (events.append("download"), configure(*a))
        overlay.driver.on_part = part
        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(10)
        overlay.download()
        thread.join()
        overlay.driver.on_part = None
        assert events.index("download") > len(events) - 1 - events[::-1].index("drain")
        np.testing.assert_array_equal(results[0], EXPECTED)
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_call_waits_no_longer_than_it_is_reported():
    with emulated(mapped=True) as overlay:
        for timeout in (0.2, 0.9):
            run()
            overlay.device.faults.inject("stuck_output")
            _, seconds = failure(overlay, run, timeout)
            assert timeout <= seconds < timeout + SLACK


def test_errors_travel_between_processes():
    import pickle

    error = BoardError("lost_tlast", "the text.", {"S2MM_DMASR": 1})
    again = pickle.loads(pickle.dumps(error))
    assert (again.cause, again.registers, str(again)) == (error.cause, error.registers, str(error))


# -- the emulated DMA, by PG021 -----------------------------------------------------------------


def test_a_halted_channel_ignores_the_length():
    channel = DmaChannel(26)
    assert (channel.read(0x00), channel.read(0x04)) == (0x10002, 1)
    channel.write(0x28, 64)
    assert not channel.active
    channel.write(0x00, 1)
    assert channel.read(0x04) == 0  # neither halted nor, before the first transfer, idle
    channel.write(0x28, 64)
    assert channel.active


def test_a_narrow_length_register_cuts_the_length():
    channel = DmaChannel(14)
    channel.write(0x00, 1)
    channel.write(0x28, (1 << 14) + 8)
    assert channel.length == 8


def test_an_error_halts_the_channel_and_writing_ones_clears_interrupts():
    channel = DmaChannel(26)
    channel.write(0x00, 0x5001)
    channel.write(0x28, 8)
    channel.complete()
    assert channel.read(0x04) == 0x1002 and channel.interrupt
    channel.write(0x04, 0x1000)
    assert channel.read(0x04) == 0x2 and not channel.interrupt
    channel.write(0x28, 8)
    channel.fail(DmaChannel.DECODE)
    assert channel.read(0x04) == 0x4041 and not channel.read(0x00) & 1
