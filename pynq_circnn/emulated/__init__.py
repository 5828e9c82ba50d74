"""A PYNQ-Z2 without the silicon, under the real and unmodified ``pynq`` package.

Everything that the driver touches is here as a model: the AXI DMA (:mod:`.dma`), the engine's port
and streams (:mod:`.engine`) around its HLS source compiled with g++ (:mod:`.fabric`), the interrupt
controller, the GPIO that resets the engine and the clocks (:mod:`.parts`), DDR memory as the CPU
and as the fabric see it (:mod:`.memory`), and Linux's file of the interrupt (:mod:`.uio`).
:mod:`.board` joins them and says how fast things move; :mod:`.clock` lets time pass; :mod:`.mapped`
shows the registers as memory; :mod:`.device` makes a ``pynq.Device`` of it all.

Where model and board differ, the model is wrong. What would hang a real board or corrupt its memory
is a :class:`~.memory.BusError`, which the device raises when it is next used and when it is closed.
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
