"""Mutual exclusion that an interrupted owner cannot leave locked."""

import _thread
import asyncio
import inspect
import math
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, List, Optional

SLICE_SECONDS = 0.05  # between checks of whether the previous owner still runs
NAP_SECONDS = 0.005  # the same for tasks
STALLED_SECONDS = 1.0  # that an event loop may stand still before another thread takes over
_SUSPENDED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Turns:
    """Lets callers use something one at a time: ``with turns.next(): ...``.

    ``KeyboardInterrupt`` may arrive between any two steps of the interpreter, even between the
    acquisition of a ``threading.Lock`` and the start of the block that would release it. The lock
    then stays locked for ever. Here the callers wait in a queue instead. Each entry has an owner:
    the function that contains the ``with`` statement, or the task that runs it. The first entry
    has the turn. When its owner has ended, in whatever way, the callers behind it remove it.

    Parameters
    ----------
    seconds : float
        How long a caller waits.
    busy : callable
        Takes the reason as a sentence and returns the exception for a caller that waited in vain.
    """

    def __init__(
        self, seconds: float = math.inf, busy: Callable[[str], Exception] = RuntimeError
    ) -> None:
        self.seconds = seconds
        self.busy = busy
        self.line: List[Turn] = []

    def next(self) -> "Turn":
        """Return a turn for a ``with`` statement in the calling function."""
        return Turn(self, sys._getframe(1))

    def late(self) -> Exception:
        """Return the exception for a caller whose waiting time has run out."""
        return self.busy(
            f"it must be free within {self.seconds:g} s. Received: another thread or coroutine of "
            "this process uses it. Await that one, or use fewer."
        )

    @property
    def held(self) -> bool:
        """Whether an owner that still runs has the turn."""
        return any(turn.runs() for turn in self.line)


class Turn:
    """One caller's turn. Each change of the queue is one atomic operation: append or remove."""

    def __init__(self, turns: Turns, frame: FrameType) -> None:
        self._turns = turns
        self._frame: Optional[FrameType] = frame
        self._thread = threading.get_ident()
        self._task: Any = None
        self._claim = _thread.allocate_lock()  # acquired by a task that begins, or by its overtaker
        self._stalled: Optional[float] = None
        self._gate = _thread.allocate_lock()  # wakes the callers behind, which also poll
        self._gate.acquire()

    def runs(self) -> bool:
        """Return whether the owner may still be inside its call; never false while it is."""
        if self._task is not None and self._task is not _current_task():
            return self._may_go_on()
        frame = last = sys._current_frames().get(self._thread)
        while frame is not None:
            if frame is self._frame:
                return True
            last, frame = frame, frame.f_back
        # A generator that was suspended during this walk is no longer linked to its caller.
        return last is not None and bool(last.f_code.co_flags & _SUSPENDED)

    def _may_go_on(self) -> bool:
        """Return whether a task that is not running now may run again; see :meth:`check`.

        After Ctrl-C in ``run_until_complete`` the task stays suspended for ever, in an open loop.
        """
        loop = self._task.get_loop()
        if self._task.done() or loop.is_closed():
            return False
        if loop.is_running():
            self._stalled = None
            return True
        if self._thread == threading.get_ident():
            return False
        if self._stalled is None:
            self._stalled = time.monotonic()
        return time.monotonic() - self._stalled < STALLED_SECONDS

    async def take(self) -> None:
        """Take the turn for the running task, to be followed by ``with``.

        A task waits in the queue as threads do, but a thread overtakes a task that has not begun.
        """
        self._task = _current_task()
        line, end = self._turns.line, time.monotonic() + self._turns.seconds
        try:
            line.append(self)
            while True:
                if self not in line:
                    self._claim = _thread.allocate_lock()
                    line.append(self)
                first = line[0]
                if first is self:
                    if self._claim.acquire(False):
                        return
                    _remove(line, self)
                elif not first.runs():
                    _remove(line, first)
                elif time.monotonic() > end:
                    raise self._turns.late()
                else:
                    await asyncio.sleep(NAP_SECONDS)
        except BaseException:
            self._leave()
            raise

    def check(self) -> None:
        """Raise the error if somebody else took over while the owner's event loop stood still."""
        if self not in self._turns.line:
            raise self._turns.busy(
                "nobody ran the event loop of this call, and another one took its turn. Received: "
                "the loop goes on. Call again, and let the loop run until predict_async is over."
            )

    def __enter__(self) -> "Turn":
        line = self._turns.line
        if self not in line:
            line.append(self)
        if line[0] is not self:
            self._wait()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._leave()

    def _wait(self) -> None:
        line, end = self._turns.line, time.monotonic() + self._turns.seconds
        while True:
            first = line[0]  # there is always one: this turn
            if first is self:
                return
            if not first.runs():
                _remove(line, first)
                continue
            error = None
            waits = first._task is not None and not first._claim.locked()
            if waits and first._thread == self._thread:
                first._overtake()
                continue
            if first._thread == self._thread:
                error = self._turns.busy(first._why_never())
            elif time.monotonic() > end:
                error = self._turns.late()
            if error is not None:
                self._leave()
                raise error
            if first._gate.acquire(timeout=SLICE_SECONDS):
                first._gate.release()
            elif waits and line[0] is first:
                first._overtake()

    def _overtake(self) -> None:
        """Remove a task that has not begun; it joins the queue again when it runs."""
        if self._claim.acquire(False):
            _remove(self._turns.line, self)

    def _why_never(self) -> str:
        """Return why a caller in the same thread must not wait for this turn."""
        if self._task is not None:
            return (
                "a synchronous call must not wait for an asynchronous one of its own thread, "
                "which cannot go on meanwhile. Received: predict during predict_async. "
                "Await predict_async instead, or call predict in another thread."
            )
        return (
            "a call must not be made from inside another one of the same thread. Received: one "
            "from a callback or a signal handler. Make it after the other has returned."
        )

    def _leave(self) -> None:
        _remove(self._turns.line, self)
        self._frame = None  # the frame refers to this turn: end the reference cycle
        self._gate.release()


def _remove(line: List[Turn], turn: Turn) -> None:
    try:
        line.remove(turn)  # atomic: no Python code runs inside it
    except ValueError:  # another caller has removed it already
        pass


def _current_task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
