"""Hardware hears no signals: what is emulated in Python's main thread goes on whatever comes."""

import contextlib
import signal
import threading
from typing import Any, Iterator, List


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C until the end of a ``with`` block.

    Without it an interrupt could strike between two statements of the model, and leave the board
    in a state that no board has.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python calls signal handlers in the main thread alone
        return
    came: List[Any] = []
    before = signal.getsignal(signal.SIGINT)
    try:  # from before the handler stands: another signal's may raise at any step
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
