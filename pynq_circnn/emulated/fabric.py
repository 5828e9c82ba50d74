"""What computes in the programmable logic: packets in, packets out."""

from abc import ABC, abstractmethod

import numpy as np

from ..simulation.engine import SimulatedEngine

_ROOM_BEATS = 1 << 21  # of the longest packet that the engine sends: 16 MB


class Fabric(ABC):
    """The engine behind its streams: one packet in gives one packet out (hw/ENGINE.md)."""

    @abstractmethod
    def run(self, packet: bytes) -> bytes:
        """Return the packet that the engine sends for one that it takes."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything, as a download does; the engine's own reset keeps the memories."""


class EngineFabric(Fabric):
    """The engine's HLS source, compiled with g++ when first used.

    Parameters
    ----------
    configuration : str
        A hardware configuration of the contract.
    """

    def __init__(self, configuration: str = "z2") -> None:
        self._configuration = configuration
        self._engine = SimulatedEngine(configuration)
        self._used = False

    def run(self, packet: bytes) -> bytes:
        self._used = True
        return self._engine.step(np.frombuffer(packet, dtype="<u8"), _ROOM_BEATS).tobytes()

    def reset(self) -> None:
        if self._used:
            self._engine, self._used = SimulatedEngine(self._configuration), False
