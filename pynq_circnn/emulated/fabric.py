"""What computes in the programmable logic: packets in, packets out."""

from abc import ABC, abstractmethod


class Fabric(ABC):
    """The engine behind its streams: one packet in gives one packet out (hw/ENGINE.md)."""

    @abstractmethod
    def run(self, packet: bytes) -> bytes:
        """Return the packet that the engine sends for one that it takes."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything, as the engine does while its reset is asserted."""
