"""A PYNQ-Z2 without the silicon, under the real and unmodified ``pynq`` package.

Everything that the driver touches is here as a model: registers of the AXI DMA, the interrupt
controller, the GPIO that resets the engine and the clocks (:mod:`.parts`), DDR memory as the CPU
and as the fabric see it (:mod:`.memory`), and the engine itself, which is the HLS source compiled
with g++ (:mod:`.fabric`). :mod:`.device` makes a ``pynq.Device`` of them.

Where model and board differ, the model is wrong.
"""

from typing import Any


def open_board(fabric: Any = None, configuration: str = "z2", **options: Any) -> Any:
    """Return a :class:`~pynq_circnn.board.overlay.CirCNNOverlay` on a new emulated board.

    Parameters
    ----------
    fabric : Fabric, optional
        What computes; the engine's HLS source, compiled, if left out.
    configuration : str
        The engine's, where `fabric` is left out.
    options
        As :class:`~.device.EmulatedDevice` takes them.
    """
    from ..board.overlay import CirCNNOverlay
    from .device import EmulatedDevice
    from .fabric import EngineFabric

    device = EmulatedDevice(EngineFabric(configuration) if fabric is None else fabric, **options)
    device.activate()
    return CirCNNOverlay(device.bitfile, device=device)
