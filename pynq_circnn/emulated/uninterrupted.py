"""Signals do not stop hardware, so they must not stop its model in Python's main thread."""

import contextlib
import signal
import threading
from typing import Any, Iterator, List


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the end of a ``with`` block.

    Without it an interrupt could come between two statements of the model and leave it in a state
    that no board can be in.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python calls signal handlers only in the main thread
        return
    came: List[Any] = []
    before = signal.getsignal(signal.SIGINT)
    try:  # before the handler is set: another signal's handler may raise at any step
        signal.signal(signal.SIGINT, lambda *arguments: came.append(arguments))
        yield
    finally:
        before = before if before is not None else signal.SIG_DFL
        try:
            signal.signal(signal.SIGINT, before)
        except BaseException:  # of another signal's handler, which Python calls here first
            signal.signal(signal.SIGINT, before)
            raise
        if came and callable(before):
            before(*came[0])
