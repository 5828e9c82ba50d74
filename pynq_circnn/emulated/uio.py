"""The file by which Linux delivers an interrupt to a process (drivers/uio/uio_pdrv_genirq.c).

An interrupt disables itself and adds one to a count, which makes the file readable for every
process that has it open; writing four bytes enables it again. The line is a level: if it is still
up at that moment, the next interrupt comes at once.
"""

import contextlib
import socket
import struct
import threading
from typing import List


class Uio:
    """An interrupt line and the files that are open for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._level, self._enabled, self._count = False, True, 0
        self._files: List[socket.socket] = []

    def open(self) -> int:
        """Return a file descriptor, as if the device's file had been opened."""
        ours, theirs = socket.socketpair()
        with self._lock:
            self._files.append(ours)
        threading.Thread(target=self._serve, args=(ours,), name="emulated-uio", daemon=True).start()
        return theirs.detach()

    def drive(self, level: bool) -> None:
        """Set the line."""
        with self._lock:
            self._level = level
            self._fire()

    def _serve(self, file: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError), file:
            while len(file.recv(4)) == 4:
                with self._lock:
                    self._enabled = True
                    self._fire()
        with self._lock:
            self._files.remove(file)

    def _fire(self) -> None:
        if self._level and self._enabled:
            self._enabled = False
            self._count += 1
            for file in self._files:
                with contextlib.suppress(OSError):  # it was closed at the other end
                    file.send(struct.pack("=i", self._count), socket.MSG_DONTWAIT)
