"""Memory that notices accesses, in the place of mapped registers that would not answer.

An access to them hangs a real board. Here their page is protected: the processor's fault (SIGSEGV)
calls the owner of the page, which opens it, and then the access is repeated. Faults at other
addresses go to the handler that was there before. This works only under Linux, as the boards do.
"""

import ctypes
import mmap
import sys
import threading
from typing import Any, Callable, List, Optional

import numpy as np

_NONE, _READ_WRITE = 0, mmap.PROT_READ | mmap.PROT_WRITE
_SIGSEGV, _SIGINFO, _NODEFER = 11, 0x4, 0x40000000
_ADDRESS_AT = 16 if ctypes.sizeof(ctypes.c_void_p) == 8 else 12  # si_addr in siginfo_t
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _Action(ctypes.Structure):
    """``struct sigaction`` as glibc and musl have it."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


_libc: Any = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.sigaction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_pages: List["Page"] = []
_lock = threading.Lock()
_before = _Action()
_ours: Optional[_Action] = None


def _fault(number: int, info: int, context: int) -> None:
    address = ctypes.c_size_t.from_address(info + _ADDRESS_AT).value
    for page in list(_pages):
        if page.address <= address < page.address + page.nbytes:
            page.touched()
            return
    _libc.sigaction(
        _SIGSEGV, ctypes.byref(_before), None
    )  # not ours: the access faults again, with that handler


_fault_handler = _HANDLER(_fault)


def _install() -> None:
    """Handle faults, before the present handler does."""
    global _ours
    present = _Action()
    _libc.sigaction(_SIGSEGV, None, ctypes.byref(present))
    if _ours is None or present.handler != _ours.handler:
        _ours = _Action(
            handler=ctypes.cast(_fault_handler, ctypes.c_void_p), flags=_SIGINFO | _NODEFER
        )
        _libc.sigaction(_SIGSEGV, ctypes.byref(_ours), ctypes.byref(_before))


class Page:
    """Words of memory, open at first.

    Parameters
    ----------
    nbytes : int
        A multiple of the system's pages.
    touched : callable
        Called when a closed page is read or written, in the thread that does it; it has to open the
        page.

    Attributes
    ----------
    words : uint32 array
    closed : bool
    """

    def __init__(self, nbytes: int, touched: Callable[[], None]) -> None:
        if not sys.platform.startswith("linux"):
            raise RuntimeError(
                "mapped registers must be emulated under Linux. "
                f"Received: {sys.platform}. Use mapped=False."
            )
        private = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.words: np.ndarray = np.frombuffer(private, dtype=np.uint32)
        self.address, self.nbytes = self.words.ctypes.data, nbytes
        self.touched, self.closed = touched, False
        with _lock:
            _install()
            _pages.append(self)

    def close(self) -> None:
        """Have every access noticed."""
        self._protect(True)

    def open(self) -> None:
        """Be ordinary memory."""
        self._protect(False)

    def _protect(self, closed: bool) -> None:
        if closed != self.closed:
            if _libc.mprotect(self.address, self.nbytes, _NONE if closed else _READ_WRITE):
                raise OSError(ctypes.get_errno(), "mprotect")
            self.closed = closed

    def release(self) -> None:
        """Be ordinary memory for good."""
        self.open()
        with _lock:
            if self in _pages:
                _pages.remove(self)
