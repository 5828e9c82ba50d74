"""The simulated engine: the HLS sources, compiled and fed with packets."""

import weakref
from typing import Dict, NamedTuple, Sequence

import numpy as np

from ..contract import CONFIGURATIONS, UNITS
from ..turns import Turns
from . import build

MOVES = ("input", "output", "weights")  # the loops around the units, in the simulation's order


class Trips(NamedTuple):
    """The trips that a simulation counted: of every unit for each layer, of the loops around."""

    layers: np.ndarray
    moves: Dict[str, int]


class SimulatedEngine:
    """One simulated engine, as it is after reset.

    Parameters
    ----------
    configuration : str
        A hardware configuration of the contract.
    flags : sequence of str, optional
        Flags of the compiler.
    """

    def __init__(self, configuration: str = "z2", flags: Sequence[str] = ("-O3",)) -> None:
        self.configuration = configuration
        self._lib = build.load(build.build(configuration, flags))
        self._handle = self._lib.circnn_csim_create()
        if not self._handle:
            raise MemoryError("the C simulation needs more memory")
        self._close = weakref.finalize(self, self._lib.circnn_csim_destroy, self._handle)
        self._close.atexit = False  # a thread may be inside; the memory goes with the process
        self._turns = Turns()

    def step(self, beats: np.ndarray, room: int) -> np.ndarray:
        """Return the packet that answers a packet, both as 64-bit beats, of at most `room`."""
        reply = np.empty(room, dtype="<u8")
        beats = np.ascontiguousarray(beats, dtype="<u8")
        with self._turns.next():
            sent: int = self._lib.circnn_csim_step(
                self._handle, beats.ctypes.data, len(beats), reply.ctypes.data, room
            )
        return reply[: min(sent, room)]

    def clear_trips(self) -> None:
        """Set the counts of trips to zero."""
        self._lib.circnn_csim_clear_trips(self._handle)

    def trips(self) -> Trips:
        """Return the trips since they were cleared."""
        layers = np.zeros((CONFIGURATIONS[self.configuration]["layers"], len(UNITS)), np.uint64)
        moves = np.zeros(len(MOVES), np.uint64)
        self._lib.circnn_csim_trips(self._handle, layers.ctypes.data, moves.ctypes.data)
        return Trips(layers.astype(np.int64), dict(zip(MOVES, map(int, moves))))
