"""The driver under the real pynq on an emulated PYNQ-Z2: results, accesses, resources."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, MODEL, Echo, X, emulated, run  # noqa: E402
from networks import (  # noqa: E402
    KINDS,
    random_arrays,
    random_input,
    random_network,
    random_schedule,
)

from pynq_circnn import BoardError, backends, load_model, shipped_models  # noqa: E402
from pynq_circnn import layers as L  # noqa: E402
from pynq_circnn.board import current  # noqa: E402
from pynq_circnn.board.ip import EngineIP  # noqa: E402
from pynq_circnn.commands.verify import verify  # noqa: E402
from pynq_circnn.emulated.device import EmulatedDevice  # noqa: E402
from pynq_circnn.errors import BackendError, CompileError, SaturationWarning  # noqa: E402
from pynq_circnn.network.graph import infer_shapes  # noqa: E402
from pynq_circnn.network.quantized import QuantizedNetwork  # noqa: E402
from pynq_circnn.program.compiler import compile_program  # noqa: E402

both = pytest.mark.parametrize("mapped", [False, True], ids=["calls", "mapped"])


# -- the same bits ------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", shipped_models())
def test_the_zoo_is_equal_to_the_bit(name, mapped):
    model = load_model(name)
    try:
        compile_program(model.network, "z2")
    except CompileError as error:
        pytest.skip(f"does not fit: {error}")
    with emulated(mapped=mapped):
        report = verify(model, ["reference", "native", "emulated"], samples=8)
    assert report["equal"]
    assert {row["backend"] for row in report["results"]} >= {"emulated"}


def stack(rng, widths, extreme):
    """Dense layers whose weights do not fit the tiny engine together: some are streamed."""
    layers, arrays, schedules = [L.Input("x", (), widths[:1])], {}, {}
    for index, units in enumerate(widths):
        layers.append(L.Dense(f"d{index}", (layers[-1].name,), units=units, block=2))
    shapes = infer_shapes(layers)
    for layer in layers:
        schedules[layer.name] = random_schedule(rng, layer, [])
        specs = layer.array_specs(*(shapes[name] for name in layer.inputs))
        arrays[layer.name] = random_arrays(rng, specs, extreme)
    return QuantizedNetwork(layers, schedules, arrays)


@pytest.mark.parametrize("configuration", ["z2", "tiny"])
@pytest.mark.parametrize("whole_buffers", [False, True])
def test_random_networks_are_equal_to_the_bit(configuration, whole_buffers):
    tried = streamed = 0
    with emulated(configuration=configuration, whole_buffers=whole_buffers) as overlay:
        for seed in range(60):
            rng = np.random.default_rng([seed, 6])
            kinds = [str(kind) for kind in rng.choice(KINDS, 3)]
            network = (
                stack(rng, (64, 64, 60, 64, 64, 64), extreme=seed % 2)
                if seed % 3 == 0
                else random_network(rng, kinds, extreme=seed % 2)
            )
            if network is None:
                continue
            try:
                plan = backends.get("emulated").Plan(network)
            except CompileError:
                continue
            tried += 1
            loadable = plan.loadable(configuration)
            streamed += bool(loadable.packets[0].batch)
            overlay.driver.chunk_bytes = int(rng.choice([1 << 10, 1 << 18]))
            x = random_input(rng, network, int(rng.integers(1, 40)), extreme=seed % 2)
            counts, expected_counts = np.zeros((2, len(network.layers)), dtype=np.int64)
            expected = backends.get("reference").Plan(network).run(x, saturations=expected_counts)
            np.testing.assert_array_equal(plan.run(x, saturations=counts), expected)
            np.testing.assert_array_equal(counts, expected_counts)
    assert tried >= 10
    assert streamed or configuration == "z2"


@both
def test_a_large_batch_goes_in_chunks(mapped):
    x = np.random.default_rng(1).integers(0, 256, (3000, 64)).astype(np.uint8)
    with emulated(mapped=mapped) as overlay:
        overlay.driver.chunk_bytes = 1 << 15
        packets = MODEL.plan("emulated").loadable("z2").packets[1]
        assert len(list(overlay.driver.chunks(packets, len(x)))) >= 6
        parts = []
        overlay.driver.on_part = parts.append
        np.testing.assert_array_equal(run(x), MODEL.plan("native").run(x))
    # the next chunk is filled before the one before is drained: copying and computing overlap
    assert parts.index("drain") > [i for i, part in enumerate(parts) if part == "fill"][1]


def test_a_model_is_loaded_once_until_another_comes():
    other = load_model("digits")
    other.network = random_network(np.random.default_rng(3), ["Dense"], shape=(10,), block=4)
    x = random_input(np.random.default_rng(0), other.network, 3)
    with emulated() as overlay:
        for _ in range(5):
            run()
        assert overlay.driver.loads == 1
        other.plan("emulated").run(x)
        other.plan("emulated").run(x)
        np.testing.assert_array_equal(run(), EXPECTED)
        assert overlay.driver.loads == 3


def test_float_and_byte_input_and_single_samples():
    with emulated():
        a = MODEL.predict(X, backend="emulated")
        np.testing.assert_array_equal(a, MODEL.predict(X, backend="native"))
        np.testing.assert_array_equal(MODEL.predict(X[0], backend="emulated"), a[0])
        floats = (X * 3.0).astype(np.float32)  # also beyond the calibrated range
        model = load_model("digits")
        with pytest.warns(SaturationWarning, match="words limited"):
            found = model.predict(floats, backend="emulated")
        np.testing.assert_array_equal(found, model.predict(floats, backend="native"))
        with pytest.raises(ValueError, match="finite"):
            MODEL.predict(np.full((2, 64), np.nan, np.float32), backend="emulated")
        assert MODEL.predict(np.zeros((0, 64), np.uint8), backend="emulated").shape == (0, 10)


@pytest.mark.parametrize("backend", ["emulated", "native"])
def test_the_engines_counters_tell_what_was_limited(backend):
    floats = (X * 3.0).astype(np.float32)
    expected = load_model("digits").evaluate(floats, np.zeros(40, int), backend="reference")
    with emulated():
        model = load_model("digits")
        found = model.evaluate(floats, np.zeros(40, int), backend=backend)
        assert found["limited_words"] == expected["limited_words"]
        assert min(found["limited_words"].values()) > 0
        with pytest.warns(SaturationWarning, match="x must stay within the calibrated range"):
            asyncio.run(model.predict_async(floats, backend=backend))


# -- what a call costs --------------------------------------------------------------------------


def test_a_call_makes_no_register_access_from_python(monkeypatch):
    """At most two register accesses; start and wait are one call into C."""
    accesses, calls = [], []
    for name in ("read", "write_mm"):
        original = getattr(pynq.mmio.MMIO, name)
        monkeypatch.setattr(
            pynq.mmio.MMIO,
            name,
            lambda *a, original=original, name=name: accesses.append(name) or original(*a),
        )
    with emulated(mapped=True) as overlay:
        link = overlay.driver.link
        assert link.compiled
        run(X[:1])
        assert accesses  # opening and resetting, which show that the counter works
        accesses.clear()
        original = link.run
        monkeypatch.setattr(link, "run", lambda *a: calls.append(1) or original(*a))
        np.testing.assert_array_equal(run(X[:1]), EXPECTED[:1])
    assert len(calls) == 1
    assert len(accesses) == 0


def test_without_compiler_a_call_makes_few_accesses():
    with emulated() as overlay:
        device = overlay.device
        run(X[:1])
        before = device.reads, device.writes
        run(X[:1])
        assert (device.reads - before[0], device.writes - before[1]) == (5, 9)


def test_the_transcript_of_an_exchange():
    """The receive channel is armed before the send channel: PG021, chapter 3."""
    with emulated() as overlay:
        run(X[:1])
        written, original = [], overlay.device.board.write
        overlay.device.board.write = lambda *a: written.append(a[0]) or original(*a)
        run(X[:1])
        base = overlay.ip_dict["dma"]["phys_addr"]
        engine = overlay.ip_dict["engine"]["phys_addr"]
    offsets = [a - base if a >= base else f"engine+{a - engine}" for a in written]
    assert offsets == [0x04, 0x34, 0x48, 0x4C, 0x58, "engine+0", 0x18, 0x1C, 0x28]


# -- what is kept, what is released -------------------------------------------------------------


@both
def test_a_thousand_predicts_leak_nothing(mapped):
    with emulated(mapped=mapped) as overlay:
        run(X[:1])
        gc.collect()
        files, usage = len(os.listdir("/proc/self/fd")), overlay.device.usage
        objects = len(gc.get_objects())
        for _ in range(1000):
            run(X[:1])
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == files
        assert overlay.device.usage == usage == {"buffers": 2, "bytes": usage["bytes"]}
        assert len(gc.get_objects()) < objects + 200
        device = overlay.device
    gc.collect()
    assert device.usage == {"buffers": 0, "bytes": 0}


def test_results_are_copies_never_views_of_dma_memory():
    with emulated() as overlay:
        first = run()
        words = overlay.device.memory.cpu
        assert not np.shares_memory(first, words)
        assert type(first) is np.ndarray and first.flags.owndata
        run(X[::-1].copy())
        np.testing.assert_array_equal(first, EXPECTED)
    np.testing.assert_array_equal(first, EXPECTED)  # nor after the buffers are gone


def test_the_emulated_board_catches_a_view_that_escapes():
    kept = []
    with emulated() as overlay:
        loadable = MODEL.plan("emulated").loadable(overlay.driver.configuration)

        def fill(places, first, count):
            places[0][:] = X[first : first + count]

        overlay.driver.run(loadable, 1, 1, fill, lambda words, first, count: kept.append(words))
        assert np.shares_memory(kept[0], overlay.device.memory.cpu)
        before = kept[0].copy()
    assert (kept[0] != before).any()


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_the_emulated_board_catches_a_missing_flush(monkeypatch, forgotten):
    from pynq.buffer import PynqBuffer

    with emulated():
        monkeypatch.setattr(PynqBuffer, forgotten, lambda self: None)
        with pytest.raises(BoardError):
            run()
        monkeypatch.undo()
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_board_has_one_user(tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCNN_LOCK_DIR", str(tmp_path))
    code = (
        "from board_tools import *\n"
        "from pynq_circnn import BoardError\n"
        "try:\n"
        "    with emulated(tag='the-board'): print('opened')\n"
        "except BoardError as error: print(error.cause, error)\n"
    )
    command = [sys.executable, "-c", code]
    options = {"cwd": os.path.dirname(__file__), "stdout": subprocess.PIPE, "text": True}
    with emulated(tag="the-board"):
        result = subprocess.run(command, check=True, **options).stdout
        assert result.startswith("busy") and str(os.getpid()) in result
    assert subprocess.run(command, check=True, **options).stdout == "opened\n"


def test_opening_again_closes_the_one_before():
    with emulated() as before:
        run()
        overlay = type(before)(before.device.bitfile, device=before.device)
        assert before.closed and not overlay.closed
        with pytest.raises(BoardError, match="closed"):
            before.reset_engine()
        np.testing.assert_array_equal(run(), EXPECTED)
        overlay.close()
        assert before.device.usage["buffers"] == 0


def test_the_lock_goes_with_its_process(tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCNN_LOCK_DIR", str(tmp_path))
    code = (
        "import os, signal\nfrom board_tools import *\n"
        "with emulated(tag='the-board'): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(__file__))
    with emulated(tag="the-board"):
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_child_does_not_keep_the_lock_of_its_parent():
    with emulated() as overlay:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        try:
            overlay.close()
            with type(overlay)(overlay.device.bitfile, device=overlay.device):
                np.testing.assert_array_equal(run(), EXPECTED)
        finally:
            os.close(write)
            os.waitpid(child, 0)


def test_a_close_that_is_refused_leaves_the_overlay_in_use():
    with emulated() as overlay:
        run()
        overlay.driver.on_part = lambda part: part == "fill" and overlay.close()
        with pytest.raises(BoardError, match="inside"):
            run()
        overlay.driver.on_part = None
        assert not overlay.closed and current.get("emulated") is overlay
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_forked_process_is_reported(tmp_path):
    with emulated():
        run()
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                run()
            except BoardError as error:
                os.write(write, error.cause.encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 100) == b"forked"
        os.close(read)
        os.close(write)
        np.testing.assert_array_equal(run(), EXPECTED)


@both
def test_threads_take_turns(mapped):
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(10):
            rows = rng.integers(0, len(X), 7)
            if not np.array_equal(run(X[rows]), EXPECTED[rows]):
                wrong.append(seed)

    with emulated(mapped=mapped):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


# -- await --------------------------------------------------------------------------------------


@both
def test_predict_async(mapped):
    async def several():
        tasks = [MODEL.predict_async(X[i : i + 8], backend="emulated") for i in range(0, 40, 8)]
        return np.concatenate(await asyncio.gather(*tasks))

    expected = MODEL.predict(X, backend="native")
    with emulated(mapped=mapped):
        for _ in range(3):  # a new event loop each time
            np.testing.assert_array_equal(asyncio.run(several()), expected)
        np.testing.assert_array_equal(
            asyncio.run(MODEL.predict_async(X[0], backend="emulated")), expected[0]
        )
    np.testing.assert_array_equal(asyncio.run(MODEL.predict_async(X, "native")), expected)


class _Slow(Echo):
    """A fabric that works for a while."""

    def __init__(self, fabric, seconds):
        self.fabric, self.seconds, self.reset = fabric, seconds, fabric.reset

    def run(self, packet):
        time.sleep(self.seconds)
        return self.fabric.run(packet)


def test_the_interrupt_wakes_and_the_loop_is_free_meanwhile(monkeypatch):
    from pynq_circnn.board import driver
    from pynq_circnn.emulated.fabric import EngineFabric

    monkeypatch.setattr(driver, "_NAP_SECONDS", 5.0)  # only the interrupt can wake it in time
    ticks = []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def main():
        ticking = asyncio.ensure_future(tick())
        begin = time.monotonic()
        y = await MODEL.predict_async(X, backend="emulated")
        ticking.cancel()
        return y, time.monotonic() - begin

    with emulated(_Slow(EngineFabric(), 0.15), mapped=True):
        run()  # loads the program
        y, seconds = asyncio.run(main())
    np.testing.assert_array_equal(y, MODEL.predict(X, backend="native"))
    assert 0.15 <= seconds < 2
    assert len(ticks) > 10


class _Watched:
    """The time of a fabric, and what ended the driver's waits for it."""

    def __init__(self, overlay):
        self.driver, self.before = overlay.driver, (overlay.driver.wakes, overlay.driver.naps)

    def since(self):
        before, self.before = self.before, (self.driver.wakes, self.driver.naps)
        return tuple(now - then for now, then in zip(self.before, before))


class _Held(Echo):
    """A fabric that answers when the test allows it."""

    def __init__(self, fabric):
        self.fabric, self.reset, self.held, self.waits = fabric, fabric.reset, False, False
        self.gate = threading.Semaphore(0)

    def run(self, packet):
        if self.held:
            self.waits = True
            assert self.gate.acquire(timeout=30)
            self.waits = False
        return self.fabric.run(packet)


@pytest.fixture
def held_board(monkeypatch):
    """A board that answers when the test allows it, and a driver that polls only every 5 s."""
    from pynq_circnn.board import driver
    from pynq_circnn.emulated.fabric import EngineFabric

    monkeypatch.setattr(driver, "_NAP_SECONDS", 5.0)
    fabric = _Held(EngineFabric())
    with emulated(fabric, mapped=True) as overlay:
        run()
        fabric.held = True
        yield overlay
        fabric.held = False


async def predictions(board, count):
    """Predictions, each answered after it has begun to wait."""
    gate, expected = board.device.board.fabric.gate, MODEL.predict(X[:1], backend="native")
    for _ in range(count):
        asyncio.get_running_loop().call_soon(gate.release)
        y = await MODEL.predict_async(X[:1], backend="emulated")
        np.testing.assert_array_equal(y, expected)


def test_each_wait_of_many_in_several_loops_is_ended_by_the_interrupt(held_board):
    watched = _Watched(held_board)
    files = []
    for _ in range(5):
        asyncio.run(predictions(held_board, 50))
        assert watched.since() == (50, 0)
        gc.collect()
        files.append(len(os.listdir("/proc/self/fd")))
    assert len(set(files)) == 1
    assert not leaked_events()


@both
def test_an_answer_that_comes_late_wakes(mapped, monkeypatch):
    """Even if the answer depends on nothing but the board's own time."""
    from pynq_circnn.board import driver

    async def main():
        faults = overlay.device.faults
        faults.inject("stuck_output")
        asyncio.get_running_loop().call_later(0.02, faults.end, "stuck_output")
        return await MODEL.predict_async(X, backend="emulated")

    monkeypatch.setattr(driver, "_NAP_SECONDS", 5.0)
    with emulated(mapped=mapped) as overlay:
        run()
        watched = _Watched(overlay)
        np.testing.assert_array_equal(asyncio.run(main()), MODEL.predict(X, backend="native"))
        assert watched.since() == (1, 0)


def leaked_events():
    """The events that pynq's objects still refer to."""
    from pynq.interrupt import _InterruptController as Controllers

    waits = [uio.wait_events for uio in Controllers._uio_devices.values()]
    waits += [events for parent in Controllers._controllers for events in parent.wait_handles]
    return [event for events in waits for event in events]


def test_loops_of_several_threads_one_after_another(held_board):
    watched, ends = _Watched(held_board), []

    def work():
        asyncio.run(predictions(held_board, 5))
        ends.append(watched.since())

    for _ in range(4):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ends == [(5, 0)] * 4


def test_a_wait_that_is_given_up_leaves_nothing_behind(held_board):
    fabric = held_board.device.board.fabric

    async def hasty():
        task = asyncio.ensure_future(MODEL.predict_async(X[:1], backend="emulated"))
        while not fabric.waits:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        fabric.gate.release()
        fabric.held = False
        run()  # after a reset
        fabric.held = True

    watched = _Watched(held_board)
    for _ in range(5):
        asyncio.run(hasty())
        watched.since()
        asyncio.run(predictions(held_board, 2))
        assert watched.since() == (2, 0)
    assert not leaked_events()


def test_an_interrupt_of_a_call_before_does_not_end_a_wait(held_board):
    """A synchronous call leaves the line up: the DMA's bit is cleared by the next start."""
    watched = _Watched(held_board)
    for _ in range(5):
        held_board.device.board.fabric.gate.release()
        np.testing.assert_array_equal(run(X[:1]), EXPECTED[:1])
        asyncio.run(predictions(held_board, 1))
        assert watched.since() == (1, 0)


def test_a_board_can_be_opened_where_no_event_loop_is():
    """pynq's own objects for interrupts need one, in the thread that makes them."""
    asyncio.run(asyncio.sleep(0))  # which leaves the main thread without
    right = []

    def work():
        with emulated():
            y = asyncio.run(MODEL.predict_async(X, backend="emulated"))
            right.append(np.array_equal(y, MODEL.predict(X, backend="native")))

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert right == [True, True]


def test_pynqs_own_waits_go_on_beside_the_drivers(held_board, present_loop):
    """Both have the interrupt's file open; the other line is the DMA's sending channel."""
    from pynq.interrupt import Interrupt

    other = Interrupt("dma/mm2s_introut")

    async def main():
        waiting = asyncio.ensure_future(other.wait())
        await asyncio.sleep(0)
        await predictions(held_board, 3)
        await asyncio.wait_for(waiting, 5)

    present_loop.run_until_complete(main())
    assert not leaked_events()


# -- pynq's own interrupts, on the emulated board -----------------------------------------------


@pytest.fixture
def present_loop():
    """An event loop of this thread, as a notebook has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    from pynq.interrupt import _InterruptController as Controllers

    asyncio.set_event_loop(loop)  # which pynq's objects need to end well
    while Controllers._uio_devices:
        loop.remove_reader(Controllers._uio_devices.popitem()[1].uio)
    Controllers._controllers.clear()
    gc.collect()
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def plain_overlay(present_loop):
    device = EmulatedDevice(_Slow(Echo(), 0.005), mapped=True)
    device.activate()
    yield pynq.Overlay(device.bitfile, device=device)
    device.close()


async def echo(overlay, seconds=5):
    """One packet through pynq's own driver of the DMA, awaited by its own classes."""
    from pynq.interrupt import Interrupt

    send, receive = pynq.allocate((64,), "u4"), pynq.allocate((64,), "u4")
    overlay.dma.recvchannel.transfer(receive)
    overlay.engine.write(0, 1)
    overlay.dma.sendchannel.transfer(send)
    try:
        await asyncio.wait_for(Interrupt("dma/s2mm_introut").wait(), seconds)
    finally:
        overlay.dma.recvchannel.wait()
        overlay.dma.recvchannel._clear_interrupt()


def test_pynqs_own_interrupts_work_in_the_loop_they_were_made_in(plain_overlay, present_loop):
    """With pynq's classes as they are, many times: no line is forgotten."""
    for _ in range(20):
        present_loop.run_until_complete(echo(plain_overlay))
    assert not leaked_events()


def test_pynqs_own_interrupts_work_in_no_other_loop(plain_overlay, present_loop):
    """What the driver has to work around: the emulated board has pynq's faults as well."""
    present_loop.run_until_complete(echo(plain_overlay))
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(echo(plain_overlay, 0.3))


# -- pynq itself --------------------------------------------------------------------------------


def test_a_plain_overlay_binds_the_driver():
    with emulated() as overlay:
        plain = pynq.Overlay(overlay.device.bitfile, device=overlay.device)
        assert isinstance(plain.engine, EngineIP)
        assert plain.engine.driver.configuration == "z2"
        assert plain.engine.register_map.status is not None


def test_pynqs_own_dma_driver_runs_on_the_emulated_dma(present_loop):
    device = EmulatedDevice(Echo())
    device.activate()
    overlay = pynq.Overlay(device.bitfile, device=device)
    send, receive = device.allocate((64,), "u4"), device.allocate((64,), "u4")
    send[:] = range(64)
    overlay.engine.write(0, 1)
    overlay.dma.recvchannel.transfer(receive)
    overlay.dma.sendchannel.transfer(send)
    overlay.dma.sendchannel.wait()
    overlay.dma.recvchannel.wait()
    assert overlay.dma.recvchannel.transferred == 256
    np.testing.assert_array_equal(receive, send)
    device.close()


def test_a_board_asked_for_is_never_an_emulated_one(monkeypatch):
    monkeypatch.delenv("BOARD", raising=False)
    with emulated():
        with pytest.raises(BackendError, match="no PYNQ board"):
            load_model("digits").predict(X, backend="board")
        assert backends.select("auto") not in ("board", "emulated")
        assert current.get("board") is None
    assert backends.get("board").unavailable()


def test_importing_the_package_imports_no_pynq():
    code = "import sys, pynq_circnn; assert 'pynq' not in sys.modules; pynq_circnn.CirCNNOverlay"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- numbers and words --------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [True, False])
def test_words_are_the_references(monkeypatch, compiled):
    from pynq_circnn.arithmetic.fixed import Counter, dequantize, quantize_input
    from pynq_circnn.backends import driver_plan

    if not compiled:
        monkeypatch.setattr(driver_plan, "lib", None)
    rng = np.random.default_rng(0)
    special = [
        0.5,
        1.5,
        2.5,
        -0.5,
        32766.5,
        32767.49,
        32767.5,
        -32767.5,
        1e30,
        -1e30,
        3.4e38,
        1e-40,
    ]
    x = np.concatenate([special, rng.normal(0, 20000, 88)]).astype(np.float32).reshape(4, 25)
    for exponent in (-14, 0, 9):
        values = x * np.float32(2.0 ** min(exponent, 0))
        padded = np.zeros((4, 28), dtype="<i2")
        counter = Counter()
        expected = quantize_input(values, exponent, counter.saturate)
        limited = driver_plan.to_words(values, np.float32(2.0**-exponent), padded[:, :25])
        np.testing.assert_array_equal(padded[:, :25], expected)
        assert limited == counter.count and not padded[:, 25:].any()
        out = np.empty((4, 25), dtype=np.float32)
        driver_plan.to_values(padded[:, :25], np.float32(2.0**exponent), out)
        np.testing.assert_array_equal(out, dequantize(expected, exponent))
