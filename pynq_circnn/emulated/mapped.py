"""The registers as memory: for drivers that go past ``MMIO.read`` and ``write``.

A thread serves the mapped words. Bit 31 marks, in registers where a write does something, what
the thread has seen, so that writing the same value again is noticed as well; none of these
registers uses that bit. A processor that waits for an answer before it writes a register again,
as every driver of the DMA has to, loses no write.
"""

import threading
import time
from typing import Dict, List, Tuple

import numpy as np

from .parts import Board

_SEEN = 1 << 31
_WORDS = 0x4000  # 64 KB
_PERIOD_SECONDS = 50e-6


class Mapping:
    """Maps a board's registers into memory and serves them."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._pages: Dict[int, Tuple[np.ndarray, Dict[int, int]]] = {}  # words and what they say
        self._stop = threading.Event()
        self._thread: List[threading.Thread] = []

    def page(self, address: int, length: int) -> np.ndarray:
        """Return the words at an address."""
        base = address & ~0xFFFF
        with self._board.lock:
            self._board.find(address)
            if base not in self._pages:
                self._pages[base] = (np.zeros(_WORDS, dtype=np.uint32), {})
                self._publish(base)
            words = self._pages[base][0]
            if not self._thread:
                self._thread.append(
                    threading.Thread(target=self._serve, name="emulated-board", daemon=True)
                )
                self._thread[0].start()
        first = (address - base) // 4
        return words[first : first + length // 4]

    def renew(self) -> None:
        """Show the parts of another design at the places of those before."""
        with self._board.lock:
            for base, (words, published) in self._pages.items():
                words[:] = 0
                published.clear()
                self._publish(base)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        for thread in self._thread:
            thread.join()

    def _serve(self) -> None:
        while not self._stop.is_set():
            with self._board.lock:
                busy = any([self._collect(base) for base in list(self._pages)])
                if busy:
                    self._board.settle()
                    for base in self._pages:
                        self._publish(base)
            if not busy:
                time.sleep(_PERIOD_SECONDS)

    def _collect(self, base: int) -> bool:
        """Hand the processor's writes to the part; addresses before what starts a transfer.

        What the processor writes last is read first: who sees a length sees all before it.
        """
        part, (words, published) = self._board.places.get(base), self._pages[base]
        if part is None:
            return False
        events = [offset for offset in sorted(published) if offset in part.EVENTS]
        seen = {offset: int(words[offset // 4]) for offset in reversed(events)}
        for offset in published:
            value = int(words[offset // 4])
            if offset not in seen and value != published[offset]:
                part.write(offset, value)
                published[offset] = value
        written = [offset for offset in events if not seen[offset] & _SEEN]
        for offset in written:
            part.write(offset, seen[offset])
            published[offset] = -1
        return bool(written)

    def _publish(self, base: int) -> None:
        """Show what the part's registers hold; those with events last."""
        part, (words, published) = self._board.places.get(base), self._pages[base]
        if part is None:
            return
        events = part.EVENTS
        for offset in sorted(part.offsets(), key=lambda o: (o in events, o % 0x30 == 0x04, o)):
            value = part.peek(offset) | (_SEEN if offset in events else 0)
            if published.get(offset) != value:
                words[offset // 4] = value
                published[offset] = value
