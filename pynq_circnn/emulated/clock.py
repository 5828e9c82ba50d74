"""What happens on the board between accesses: the fabric's time passes with this computer's.

One thread lets time pass while a transfer is running, and serves the registers that are memory
(:mod:`.mapped`). Another computes packets in the case of mapped registers, where the processor
could notice how long that takes: a read finds them as they are, while a call may return later.
"""

import queue
import threading
import time
from typing import Any, Callable, List, Tuple

from .board import CYCLES_PER_SECOND, Board
from .mapped import Mapping

_PERIOD_SECONDS = 50e-6  # of serving mapped registers
_TICK_SECONDS = 500e-6  # if there are none: calls that poll let time pass as well
_STALLED_SECONDS = 5e-3
_MOST_SECONDS = 2e-3  # that pass in one step, however long this thread did not run


class Clock:
    """Two threads, which begin when first needed."""

    def __init__(self) -> None:
        self._wake, self._stop = threading.Event(), threading.Event()
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads: List[threading.Thread] = []

    def attach(self, board: Board, mapping: Mapping) -> None:
        """Set the board and the mapped registers that this clock drives."""
        self._board, self._mapping = board, mapping

    def compute(self, work: Callable[[], bytes], done: Callable[[bytes], None]) -> None:
        """Compute a packet, in a thread of its own if registers are memory, else at once."""
        if self._mapping.used:
            self._work.put((work, done))
        else:
            done(work())

    def wake(self) -> None:
        """Let time pass, if that can change anything."""
        dma = self._board.dma
        if self._mapping.used or (dma is not None and dma.moving):
            if not self._threads and not self._stop.is_set():
                for run in (self._run, self._compute):
                    thread = threading.Thread(target=run, name="emulated-board", daemon=True)
                    self._threads.append(thread)
                    thread.start()
            self._wake.set()

    def close(self) -> None:
        """End the threads."""
        self._stop.set()
        self._wake.set()
        self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        before, nap = time.monotonic(), _TICK_SECONDS
        while not self._stop.is_set():
            self._wake.wait()
            time.sleep(_PERIOD_SECONDS if self._mapping.used else nap)
            passed, before = time.monotonic() - before, time.monotonic()
            try:
                moved = self._tick(int(CYCLES_PER_SECOND * min(passed, _MOST_SECONDS)))
                nap = _TICK_SECONDS if moved else min(2 * nap, _STALLED_SECONDS)
            except Exception as error:  # a thread that ended would look like a board that hangs
                self._board.errors.record(f"the emulated board has failed: {error!r}.")

    def _tick(self, cycles: int) -> bool:
        board = self._board
        with board.lock:
            written = self._mapping.collect()
            moved = board.advance(cycles)
            if written or moved:
                self._mapping.publish()
            if not self._mapping.used and (board.dma is None or not board.dma.moving):
                self._wake.clear()
        return moved

    def _compute(self) -> None:
        while not self._stop.is_set():
            task: Tuple[Callable[[], bytes], Callable[[bytes], None]] = self._work.get()
            if task is None:
                return
            try:
                reply = task[0]()
                with self._board.lock:
                    task[1](reply)
            except Exception as error:
                self._board.errors.record(f"the emulated engine has failed: {error!r}.")
