"""The back end ``emulated``: the board's driver, under ``pynq``, on an emulated PYNQ-Z2."""

import importlib.util
from typing import Any, Optional

from ..board import current
from ..board.plan import BoardPlan
from ..network.quantized import QuantizedNetwork
from ..turns import Turns

PREFERENCE = -1  # never taken by "auto"

_turns = Turns()


def unavailable() -> Optional[str]:
    """Return ``None`` if pynq is installed, and what the engine's source is compiled with."""
    if importlib.util.find_spec("pynq") is None:
        return (
            "the package pynq is not installed. In the source folder of this package: "
            "pip install '.[emulated]'."
        )
    from ..emulated.fabric import unavailable

    return unavailable()


def engine() -> Any:
    """Return the engine of the open emulated overlay, which is opened if there is none."""
    with _turns.next():
        overlay = current.get("emulated")
        if overlay is None:
            from ..emulated import open_board

            overlay = open_board()
        return overlay.driver


class Plan(BoardPlan):
    """A network to be run by the emulated board."""

    name = "emulated"

    def __init__(self, network: QuantizedNetwork) -> None:
        super().__init__(network, engine)
