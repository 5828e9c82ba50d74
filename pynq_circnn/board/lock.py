"""One user a board: a lock that processes and threads see."""

import os
import sys
import tempfile
import threading
from typing import Dict, Optional

from ..errors import BoardError

try:
    import fcntl
except ImportError:  # not on this system; there is no board on it either
    fcntl = None  # type: ignore[assignment]

FOLDERS = ("/run/lock", tempfile.gettempdir())
_held: Dict[str, int] = {}  # path -> file descriptor, in this process
_guard = threading.Lock()


def _path(name: str) -> str:
    folder = os.environ.get("CIRCNN_LOCK_DIR")
    if folder is None:
        folder = next((f for f in FOLDERS if os.access(f, os.W_OK)), FOLDERS[-1])
    return os.path.join(folder, f"pynq_circnn-{name.replace(os.sep, '_')}.lock")


class BoardLock:
    """A board's lock, held from its making until :meth:`release`.

    The operating system drops it when the process ends, however it ends.

    Raises
    ------
    BoardError
        If somebody holds it, with who that is.
    """

    def __init__(self, name: str) -> None:
        self.path = _path(name)
        self._file: Optional[int] = None
        with _guard:
            if self.path in _held:
                raise _busy("another overlay of this process", "Close that one first, or use it.")
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            file = os.open(self.path, flags, 0o666)
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(file, 200).decode("utf-8", "replace").strip()
                os.close(file)
                raise _busy(
                    f"process {holder or 'unknown'}",
                    "Wait for it, end it, or close its overlay (a notebook's kernel counts).",
                ) from None
            os.ftruncate(file, 0)
            command = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
            os.write(file, f"{os.getpid()} ({command})\n".encode())
            self._file = file
            _held[self.path] = file

    def release(self) -> None:
        """Let the next one have the board; does nothing the second time."""
        with _guard:
            if self._file is not None:
                os.close(self._file)
                del _held[self.path]
                self._file = None


def _busy(holder: str, remedy: str) -> BoardError:
    return BoardError(
        "busy", f"a board must have one user at a time. Received: it is used by {holder}. {remedy}"
    )


def holder(name: str) -> Optional[str]:
    """Return the process that holds a board's lock, as it called itself, or ``None``."""
    path = _path(name)
    if fcntl is None or not os.path.exists(path):
        return None
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except OSError:
        return os.read(file, 200).decode("utf-8", "replace").strip() or "unknown"
    finally:
        os.close(file)
