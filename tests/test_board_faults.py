"""Every fault is told in time, with the right cause, and the next predict is right."""

import asyncio
import time

import numpy as np
import pytest

pytest.importorskip("pynq")

from board_tools import EXPECTED, MODEL, SLACK, TIMEOUT, X, emulated, run

from pynq_circnn import BoardError
from pynq_circnn.board.link import RESET_SECONDS
from pynq_circnn.emulated.dma import DmaChannel
from pynq_circnn.emulated.parts import FAULTS, LASTING

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


def told(overlay, call, timeout=TIMEOUT):
    """What a call that must fail raises, and after how many seconds."""
    patient, overlay.driver.timeout = overlay.driver.timeout, timeout
    begin = time.monotonic()
    with pytest.raises(BoardError) as raised:
        call()
    seconds = time.monotonic() - begin
    overlay.driver.timeout = patient
    return raised.value, seconds


@both
@pytest.mark.parametrize("fault", CAUSES)
def test_a_fault_is_told_and_over(fault, mapped):
    cause, text = CAUSES[fault]
    with emulated(mapped=mapped) as overlay:
        if fault != "corrupt_packet":  # that one hits the program, which has a checksum
            np.testing.assert_array_equal(run(), EXPECTED)
        overlay.device.faults.inject(fault)
        error, seconds = told(overlay, run)
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
        error, seconds = told(overlay, lambda: run(x), 4 * TIMEOUT)
        overlay.driver.on_part = None
        # the fault may strike the chunk on its way at that time or the next one
        assert error.cause == CAUSES[fault][0]
        assert seconds < 4 * TIMEOUT + SLACK
        np.testing.assert_array_equal(run(x), np.tile(EXPECTED, (50, 1)))


@both
@pytest.mark.parametrize("fault", ["lost_tlast", "stuck_output", "write_slave_error"])
def test_async_calls_are_told_as_well(fault, mapped):
    def call():
        return asyncio.run(MODEL.predict_async(X, backend="emulated"))

    with emulated(mapped=mapped) as overlay:
        call()
        overlay.device.faults.inject(fault)
        error, seconds = told(overlay, call)
        assert error.cause == CAUSES[fault][0]
        assert seconds < TIMEOUT + SLACK
        np.testing.assert_array_equal(call(), MODEL.predict(X, backend="native"))


@both
@pytest.mark.parametrize("fault", LASTING_CAUSES)
def test_a_lasting_fault_is_told_until_it_is_over(fault, mapped):
    cause, text = LASTING_CAUSES[fault]
    with emulated(mapped=mapped) as overlay:
        run()
        overlay.device.faults.inject(fault)
        overlay.driver._healthy = False  # as after any other error: the next call resets
        for _ in range(2):
            error, seconds = told(overlay, run)
            assert error.cause == cause and text in str(error)
            assert seconds < TIMEOUT + RESET_SECONDS + SLACK
        overlay.device.faults.end(fault)
        np.testing.assert_array_equal(run(), EXPECTED)


@both
def test_a_download_brings_a_dead_engine_back(mapped):
    with emulated(mapped=mapped) as overlay:
        overlay.device.faults.inject("dead_engine")
        assert told(overlay, run)[0].cause == "stuck_input"
        overlay.download()
        np.testing.assert_array_equal(run(), EXPECTED)


def test_an_allocation_that_fails():
    with emulated() as overlay:
        overlay.driver.free()
        overlay.device.faults.inject("allocation")
        error, _ = told(overlay, run)
        assert error.cause == "allocation" and "contiguous memory" in str(error)
        np.testing.assert_array_equal(run(), EXPECTED)
    with emulated(memory_bytes=1 << 16) as overlay:
        overlay.driver.chunk_bytes = 1 << 18
        error, _ = told(overlay, lambda: run(np.tile(X, (100, 1))))
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


def test_a_call_waits_no_longer_than_it_is_told():
    with emulated(mapped=True) as overlay:
        for timeout in (0.2, 0.9):
            run()
            overlay.device.faults.inject("stuck_output")
            _, seconds = told(overlay, run, timeout)
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
