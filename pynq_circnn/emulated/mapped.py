"""The registers as memory, for drivers that bypass ``MMIO.read`` and ``write``.

A thread (:mod:`.clock`) serves the mapped words. Bit 31 marks, in registers where a write does
something, what the thread has seen, so that writing the same value again is noticed as well; none
of these registers uses that bit. A processor that waits for an answer before it writes a register
again, as every driver of the DMA has to, loses no write. All this is for compiled code: when Python
reads or writes a single word, as ``MMIO`` does, that is a call, one after the other.

Where an access would hang a real board, the page is closed (:mod:`.guard`): compiled code that
touches it leaves a :class:`~.memory.BusError`, and reads ones.
"""

from typing import Any, Callable, Dict, NamedTuple

import numpy as np

from .board import Board
from .guard import Page
from .uninterrupted import uninterrupted

_SEEN = 1 << 31
_PAGE_BYTES = 1 << 16
_NO_ANSWER = 0xFFFFFFFF


class _Access(NamedTuple):
    """How Python accesses the registers of a page."""

    read: Callable[[int], int]
    write: Callable[[int, int], None]
    base: int
    memory: int  # the address of the page in this process


class Words(np.ndarray):
    """Mapped registers: memory by its address, calls when Python reads or writes a word."""

    access: Any = None

    def __array_finalize__(self, other: Any) -> None:
        self.access = getattr(other, "access", None)

    def _address(self, key: Any) -> int:
        begin: int = self.__array_interface__["data"][0]
        return int(self.access.base + begin - self.access.memory + 4 * int(key))

    def _is_call(self, key: Any) -> bool:
        return self.access is not None and isinstance(key, (int, np.integer)) and self.itemsize == 4

    def __getitem__(self, key: Any) -> Any:
        if self._is_call(key):
            return np.uint32(self.access.read(self._address(key)))
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._is_call(key):
            self.access.write(self._address(key), int(value))
        else:
            super().__setitem__(key, value)


class _Mapped(NamedTuple):
    """A page of registers, and the values last shown in it."""

    page: Page
    published: Dict[int, int]


class Mapping:
    """Maps a board's registers into memory and serves them.

    Parameters
    ----------
    board : Board
    read, write : callable
        What Python's accesses to single registers call, with an address.
    """

    def __init__(
        self, board: Board, read: Callable[[int], int], write: Callable[[int, int], None]
    ) -> None:
        self._board, self._read, self._write = board, read, write
        self._mapped: Dict[int, _Mapped] = {}

    @property
    def used(self) -> bool:
        """Whether any registers are memory."""
        return bool(self._mapped)

    def page(self, address: int, length: int) -> Words:
        """Return the words at an address."""
        base = address & ~0xFFFF
        with self._board.lock:
            if base not in self._mapped:
                page = Page(_PAGE_BYTES, lambda: self._touched(base))
                self._mapped[base] = _Mapped(page, {})
                self.publish()
            page = self._mapped[base].page
        words = page.words.view(Words)
        words.access = _Access(self._read, self._write, base, page.address)
        first = (address - base) // 4
        mapped: Words = words[first : first + length // 4]
        return mapped

    def renew(self) -> None:
        """Show the parts of a new design in the place of the former ones."""
        with self._board.lock:
            for mapped in self._mapped.values():
                mapped.page.open()
                mapped.page.words[:] = 0
                mapped.published.clear()
            self.publish()

    def close(self) -> None:
        """Turn the registers into ordinary memory."""
        for mapped in self._mapped.values():
            mapped.page.release()

    def collect(self) -> bool:
        """Hand the processor's writes to the parts and return whether there were any."""
        with self._board.lock:
            busy = any([self._collect(base) for base in list(self._mapped)])
            if busy:
                self._board.react()
        return busy

    def publish(self) -> None:
        """Show what the registers hold now; close the pages that would hang a real board."""
        for base, (page, published) in self._mapped.items():
            if self._board.hang(base) is None:
                page.open()
                self._publish(base)
            elif not page.closed:
                page.words[:] = _NO_ANSWER
                published.clear()
                page.close()

    def _touched(self, base: int) -> None:
        """Handle an access to a closed page, after the writes that came before it."""
        with uninterrupted(), self._board.lock:
            self.collect()
            why = self._board.hang(base)
            if why is not None:
                self._board.errors.record(why)
                self._mapped[base].page.open()  # until something changes

    def _collect(self, base: int) -> bool:
        """Hand the processor's writes to the part; addresses before what starts a transfer.

        What the processor writes last is read first: if the length is seen, so is all before it.
        """
        part, (page, published) = self._board.places.get(base), self._mapped[base]
        if part is None or not published:
            return False
        words = page.words
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
        part, (page, published) = self._board.places.get(base), self._mapped[base]
        if part is None:
            return
        events = part.EVENTS
        for offset in sorted(part.offsets(), key=lambda o: (o in events, o % 0x30 == 0x04, o)):
            value = part.peek(offset) | (_SEEN if offset in events else 0)
            if published.get(offset) != value:
                page.words[offset // 4] = value
                published[offset] = value
