"""The back end ``board``: the engine in the fabric of this Zynq board, through ``pynq``."""

import importlib.util
from typing import Optional

from ..board import bitstreams, current
from ..board.driver import EngineDriver
from ..errors import BoardError
from ..network.quantized import QuantizedNetwork
from ..turns import Turns
from .driver_plan import DriverPlan

PREFERENCE = 20

_turns = Turns()


def unavailable() -> Optional[str]:
    """Return ``None`` on a board with pynq and a bitstream, else what is missing and the remedy."""
    if current.get("board") is not None:
        return None
    if importlib.util.find_spec("pynq") is None:
        return "the package pynq is not installed; it comes with the board's PYNQ image."
    board = bitstreams.board_name()
    if board is None:
        return (
            "this is no PYNQ board (no /proc/device-tree/chosen/pynq_board, no BOARD in the "
            "environment)."
        )
    try:
        bitstreams.find(None, board)
    except BoardError as error:
        return str(error)
    return None


def driver() -> EngineDriver:
    """Return the driver of the open overlay, which is opened if there is none."""
    with _turns.next():
        overlay = current.get("board")
        if overlay is None:
            from ..board.overlay import CirCNNOverlay

            overlay = CirCNNOverlay()
            if overlay.backend != "board":
                overlay.close()
                raise BoardError(
                    "no_device",
                    "backend 'board' must have a board. Received: pynq's active device is an "
                    'emulated one. Use backend="emulated" for that one.',
                )
        opened: EngineDriver = overlay.driver
        return opened


class Plan(DriverPlan):
    """A network to be run by the board."""

    name = "board"

    def __init__(self, network: QuantizedNetwork) -> None:
        super().__init__(network, driver)
