"""The back end ``emulated``: the board's driver, under ``pynq``, on an emulated PYNQ-Z2."""

import importlib.util
from typing import Optional

from ..board import current
from ..board.driver import EngineDriver
from ..network.quantized import QuantizedNetwork
from ..simulation import build
from ..turns import Turns
from .driver_plan import DriverPlan

PREFERENCE = -1  # never taken by "auto"

_turns = Turns()


def unavailable() -> Optional[str]:
    """Return ``None`` if pynq is installed and the HLS sources can be compiled, else why not."""
    if importlib.util.find_spec("pynq") is None:
        return (
            "the package pynq is not installed. In the source folder of this package: "
            "pip install '.[emulated]'."
        )
    return build.unavailable()


def driver() -> EngineDriver:
    """Return the driver of the open emulated overlay, which is opened if there is none."""
    with _turns.next():
        overlay = current.get("emulated")
        if overlay is None:
            from ..emulated import open_board

            overlay = open_board()
        opened: EngineDriver = overlay.driver
        return opened


class Plan(DriverPlan):
    """A network to be run by the emulated board."""

    name = "emulated"

    def __init__(self, network: QuantizedNetwork) -> None:
        super().__init__(network, driver)
