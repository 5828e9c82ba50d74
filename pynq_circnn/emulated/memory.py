"""DDR memory as the processor's caches show it, and as the fabric reads and writes it.

The HP ports of a Zynq-7000 are not coherent (UG585, chapter 5): what the processor wrote reaches
the fabric by a flush, what the fabric wrote reaches the processor by an invalidate. Two copies of
the memory make a forgotten one visible, and new and freed memory is filled with a pattern, so that
no read of it is right by chance.

A transfer of the fabric belongs to the block that contained its address when it was started. If it
reads or writes elsewhere, or after that block was freed, that memory belongs to somebody else: a
real board goes on without an error, this one records a :class:`BusError`.
"""

import sys
import threading
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from .uninterrupted import uninterrupted

BASE = 0x18000000  # where the 128 MB for contiguous memory (CMA) lie on a PYNQ-Z2
HIGH_BASE = 0x800000000  # where a ZynqMP has its DDR beyond 2 GiB (UG1085, chapter 10)
SIZE = 128 << 20
_LOW_DDR = 2 << 30  # of a board with memory there
PAGE_BYTES = 4096
_POISON_NEW, _POISON_FREED, _POISON_SYSTEM = 0xA5, 0xDD, 0xEE


class BusError(Exception):
    """An access that would hang a real board, or corrupt memory of another owner there."""


class BusErrors:
    """The errors of a board so far, from all threads; catching one does not lose it."""

    def __init__(self) -> None:
        self._found: List[str] = []
        self._raised = 0

    def record(self, message: str) -> BusError:
        """Keep an error, once, and return it."""
        if message not in self._found:
            self._found.append(message)
        return BusError(message)

    def check(self) -> None:
        """Raise what was recorded since the last time."""
        raised, self._raised = self._raised, len(self._found)
        if raised < self._raised:
            raise BusError(" ".join(self._found[raised:]))

    def take(self) -> List[str]:
        """Return all errors and forget them: for tests that expect them."""
        found, self._found, self._raised = self._found, [], 0
        return found


class Block:
    """A piece of contiguous memory, which is freed when nothing refers to it any more.

    As ``pynq`` frees it: arrays that view the memory without referring to the block do not keep it.
    """

    def __init__(self, memory: "Memory", offset: int, nbytes: int) -> None:
        self.memory, self.offset, self.nbytes = memory, offset, nbytes

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not ending():  # at exit nobody needs the memory any more
            with uninterrupted():
                self.memory.free(self)


class Memory:
    """Contiguous memory in two views, ``cpu`` and ``ddr``; the rest of the DDR is the system's.

    Attributes
    ----------
    errors : BusErrors
    """

    def __init__(self, base: int = BASE, size: int = SIZE) -> None:
        self.base, self.size = base, size
        self.errors = BusErrors()
        self.cpu = np.zeros(size, dtype=np.uint8)
        self.ddr = np.zeros(size, dtype=np.uint8)
        self._used: Dict[int, Tuple[int, int]] = {}  # offset -> bytes, number of the block
        self._number = 0
        self._lock = threading.RLock()

    @property
    def used_bytes(self) -> int:
        """Bytes of memory that are not free."""
        with self._lock:
            return sum(size for size, _ in self._used.values())

    @property
    def blocks(self) -> int:
        """Number of blocks that are not free."""
        with self._lock:
            return len(self._used)

    def allocate(self, nbytes: int) -> Block:
        """Return a block on a page of its own.

        Raises
        ------
        MemoryError
            If there is no gap wide enough.
        """
        size = -(-max(nbytes, 1) // PAGE_BYTES) * PAGE_BYTES
        with self._lock:
            begin = 0
            for other in sorted(self._used):
                if begin + size <= other:
                    break
                begin = other + self._used[other][0]
            if begin + size > self.size:
                raise MemoryError(f"no {size} bytes of contiguous memory are free")
            self._number += 1
            self._used[begin] = size, self._number
        self.cpu[begin : begin + size] = _POISON_NEW
        self.ddr[begin : begin + size] = _POISON_NEW
        return Block(self, begin, size)

    def free(self, block: Block) -> None:
        """Free a block."""
        extent = slice(block.offset, block.offset + block.nbytes)
        with self._lock:
            del self._used[block.offset]
            self.cpu[extent] = self.ddr[extent] = _POISON_FREED

    def flush(self, begin: int, nbytes: int) -> None:
        """Make what the processor wrote visible to the fabric."""
        self.ddr[begin : begin + nbytes] = self.cpu[begin : begin + nbytes]

    def invalidate(self, begin: int, nbytes: int) -> None:
        """Make what the fabric wrote visible to the processor."""
        self.cpu[begin : begin + nbytes] = self.ddr[begin : begin + nbytes]

    def owner(self, address: int) -> Optional[int]:
        """Return the number of the block at an address, or ``None`` if there is none."""
        offset = address - self.base
        with self._lock:
            for begin, (size, number) in self._used.items():
                if begin <= offset < begin + size:
                    return number
        return None

    def read(self, address: int, nbytes: int, owner: Optional[int]) -> bytes:
        """Return what a master of the fabric reads in a transfer to the block `owner`.

        Raises
        ------
        IndexError
            If there is no memory at the address (AXI answers DECERR).
        """
        begin = self._begin(address, nbytes, owner, "read")
        system = bytes([_POISON_SYSTEM]) * nbytes
        return system if begin is None else bytes(self.ddr[begin : begin + nbytes])

    def write(self, address: int, data: bytes, owner: Optional[int]) -> None:
        """Write as a master of the fabric does in a transfer to `owner`; raises as :meth:`read`."""
        begin = self._begin(address, len(data), owner, "written")
        if begin is not None:
            self.ddr[begin : begin + len(data)] = np.frombuffer(data, dtype=np.uint8)

    def _begin(self, address: int, nbytes: int, owner: Optional[int], done: str) -> Optional[int]:
        """Return a piece's offset in the contiguous memory, ``None`` in the system's memory."""
        begin = address - self.base
        low = self.base if self.base < HIGH_BASE else _LOW_DDR
        if address + nbytes > low and not 0 <= begin <= self.size - nbytes:
            raise IndexError(f"no memory at {address:#010x}")
        if owner is None or not {owner} == {self.owner(address), self.owner(address + nbytes - 1)}:
            was = "never allocated for it" if owner is None else "freed, or belongs to another"
            self.errors.record(
                f"the DMA has {done} {nbytes} bytes at {address:#010x}, memory that was {was}."
            )
        return begin if begin >= 0 else None
