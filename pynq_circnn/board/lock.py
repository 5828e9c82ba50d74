"""One user per board: a lock between processes, and between the threads of each."""

import os
import sys
import tempfile
import weakref
from typing import IO, Optional

from ..errors import BoardError

try:
    import fcntl
except ImportError:  # not on this system, which has no board either
    fcntl = None  # type: ignore[assignment]

FOLDERS = ("/run/lock", tempfile.gettempdir())


def _path(name: str) -> str:
    folder = os.environ.get("CIRCNN_LOCK_DIR")
    if folder is None:
        folder = next((f for f in FOLDERS if os.access(f, os.W_OK)), FOLDERS[-1])
    return os.path.join(folder, f"pynq_circnn-{name.replace(os.sep, '_')}.lock")


_locks: "weakref.WeakSet[BoardLock]" = weakref.WeakSet()


class BoardLock:
    """A board's lock, held from :meth:`acquire` until :meth:`release`.

    The operating system drops it when the process ends, however it ends.
    """

    def __init__(self, name: str) -> None:
        self.path = _path(name)
        self._file: Optional[IO[str]] = None  # closed when it is collected, and with it the lock
        self._process = os.getpid()
        _locks.add(self)

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        BoardError
            If it is held, naming the holder, or if this user may not open the file.
        """
        try:
            self._file = open(self.path, "r+", encoding="utf-8", opener=_opener)
        except OSError as error:
            raise BoardError(
                "busy",
                f"the board's lock must be open to this user. Received: {error}"
                f"{_held_by(self.path)}. Be root, as the board needs anyway, or remove the file "
                "when no process uses the board.",
            ) from error
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = self._file.read(200).strip()
            self.release()
            if text.startswith(f"{os.getpid()} "):
                raise _busy(
                    "another overlay of this process", "Close that one first, or use it."
                ) from None
            raise _busy(
                f"process {text or 'unknown'}",
                "Wait for it, end it, or close its overlay (a notebook's kernel counts).",
            ) from None
        self._file.truncate(0)
        command = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
        self._file.write(f"{os.getpid()} ({command})\n")
        self._file.flush()

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._file is not None:
            if fcntl is not None and self._process == os.getpid():
                fcntl.flock(self._file, fcntl.LOCK_UN)  # even if a child has a copy of the file
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.release()


def _forked() -> None:
    """Close a child's copies: the lock is held as long as any copy is open."""
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _opener(path: str, flags: int) -> int:
    """Open the lock's file, or make it, but never through a link that another user put there.

    In a folder that every user can write to, ``O_CREAT`` is refused for another user's file, even
    to root (fs.protected_regular).
    """
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:  # another process was quicker
        return os.open(path, flags)


def _held_by(path: str) -> str:
    try:
        text = _holder(path)
    except OSError:
        return ""
    return "" if text is None else f"; process {text} uses the board"


def _busy(holder: str, remedy: str) -> BoardError:
    return BoardError(
        "busy", f"a board must have one user at a time. Received: it is used by {holder}. {remedy}"
    )


def holder(name: str) -> Optional[str]:
    """Return the process that holds a board's lock, as it called itself, or ``None``.

    Raises
    ------
    OSError
        If the lock's file cannot be read.
    """
    return _holder(_path(name))


def _holder(path: str) -> Optional[str]:
    if fcntl is None or not os.path.exists(path):
        return None
    with open(
        path, encoding="utf-8", errors="replace"
    ) as file:  # only to read, since it may belong to root
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except OSError:
            return file.read(200).strip() or "unknown"
