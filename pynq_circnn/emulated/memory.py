"""DDR memory as the processor's caches show it, and as the fabric reads and writes it.

The HP ports of a Zynq-7000 are not coherent (UG585, chapter 5): what the processor wrote reaches
the fabric by a flush, what the fabric wrote reaches the processor by an invalidate. Two copies of
the memory make a forgotten one visible, and new and freed memory is poisoned, so that whoever
reads it gets noise, not luck.
"""

import threading
from typing import List, Tuple

import numpy as np

BASE = 0x18000000  # where the 128 MB for contiguous memory (CMA) lie on a PYNQ-Z2
SIZE = 128 << 20
PAGE_BYTES = 4096
_POISON_NEW, _POISON_FREED = 0xA5, 0xDD


class BusError(Exception):
    """An access that hangs the bus or the processor of a real board."""


class Block:
    """A piece of contiguous memory; it is free again when nothing refers to it any more.

    As ``pynq`` frees it: arrays that view the memory without referring to the block do not keep it.
    """

    def __init__(self, memory: "Memory", offset: int, nbytes: int) -> None:
        self.memory, self.offset, self.nbytes = memory, offset, nbytes

    def __del__(self) -> None:
        self.memory.free(self)


class Memory:
    """Contiguous memory in two views, ``cpu`` and ``ddr``."""

    def __init__(self, base: int = BASE, size: int = SIZE) -> None:
        self.base, self.size = base, size
        self.cpu = np.zeros(size, dtype=np.uint8)
        self.ddr = np.zeros(size, dtype=np.uint8)
        self._used: List[Tuple[int, int]] = []
        self._lock = threading.RLock()

    @property
    def used_bytes(self) -> int:
        """Bytes of memory that are not free."""
        with self._lock:
            return sum(size for _, size in self._used)

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
            for other, extent in sorted(self._used):
                if begin + size <= other:
                    break
                begin = other + extent
            if begin + size > self.size:
                raise MemoryError(f"no {size} bytes of contiguous memory are free")
            self._used.append((begin, size))
        self.cpu[begin : begin + size] = _POISON_NEW
        self.ddr[begin : begin + size] = _POISON_NEW
        return Block(self, begin, size)

    def free(self, block: Block) -> None:
        """Give a block back."""
        with self._lock:
            self._used.remove((block.offset, block.nbytes))
        self.cpu[block.offset : block.offset + block.nbytes] = _POISON_FREED

    def flush(self, begin: int, nbytes: int) -> None:
        """Bring what the processor wrote to the memory."""
        self.ddr[begin : begin + nbytes] = self.cpu[begin : begin + nbytes]

    def invalidate(self, begin: int, nbytes: int) -> None:
        """Bring what the fabric wrote to the processor."""
        self.cpu[begin : begin + nbytes] = self.ddr[begin : begin + nbytes]

    def read(self, address: int, nbytes: int) -> bytes:
        """Return what a master of the fabric reads.

        Raises
        ------
        IndexError
            If the address is none of this memory's (AXI answers DECERR).
        """
        return bytes(self.ddr[self._range(address, nbytes)])

    def write(self, address: int, data: bytes) -> None:
        """Let a master of the fabric write."""
        self.ddr[self._range(address, len(data))] = np.frombuffer(data, dtype=np.uint8)

    def _range(self, address: int, nbytes: int) -> slice:
        begin = address - self.base
        if begin < 0 or begin + nbytes > self.size:
            raise IndexError(f"no memory at {address:#010x}")
        return slice(begin, begin + nbytes)
