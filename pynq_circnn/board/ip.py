"""The driver as ``pynq`` knows it: bound to the engine of the design, under any overlay.

Importing this module binds it (entry point ``pynq.lib``).
"""

import os
from typing import Any, Dict, Optional, Tuple

from pynq import DefaultIP
from pynq import interrupt as pynq_interrupt
from pynq.buffer import allocate
from pynq.mmio import MMIO

from ..contract import ENGINE
from ..errors import BoardError
from .driver import EngineDriver
from .interrupt import InterruptLine
from .link import connect
from .loaded import Loaded, identified
from .registers import DMA_LENGTH_BITS, DMA_VLN, ENGINE_VLNV, GPIO_VLN


def _only(ip_dict: Dict[str, Any], vln: str, what: str, needed: bool) -> Optional[Tuple[str, Any]]:
    """Return name and entry of the one IP of this kind."""
    found = [(n, e) for n, e in ip_dict.items() if (e.get("type") or "").startswith(vln + ":")]
    if len(found) == 1 or (not found and not needed):
        return found[0] if found else None
    raise BoardError(
        "wrong_design",
        f"the design must have one {what} ({vln}). Received: {len(found)}. "
        "Use the bitstream and .hwh that make -C hw builds.",
    )


class EngineIP(DefaultIP):  # type: ignore[misc]
    """The CirCNN engine with the DMA that feeds it and the GPIO that resets it.

    Attributes
    ----------
    driver : EngineDriver
    """

    bindto = [ENGINE_VLNV]

    def __init__(self, description: Dict[str, Any]) -> None:
        self._check_loaded(description["device"])
        # without pynq's objects for interrupts, which need an event loop in this thread
        super().__init__({**description, "interrupts": {}})
        ip_dict = self.device.ip_dict
        found = _only(ip_dict, DMA_VLN, "AXI DMA", True)
        assert found is not None
        self.dma_name, dma = found
        self._line: Optional[InterruptLine] = None
        self._check_dma(dma["parameters"])
        self._address_bits = int(dma["parameters"].get("c_addr_width", 32))  # PG021: 32 by default
        self.loaded = Loaded(self.device)
        gpio = _only(ip_dict, GPIO_VLN, "AXI GPIO for the engine's reset", False)
        self.driver = EngineDriver(
            connect(self.mmio, self._mmio(dma), None if gpio is None else self._mmio(gpio[1])),
            self._allocate,
            self._interrupt,
            check=self.loaded.check,
        )

    @staticmethod
    def _check_loaded(device: Any) -> None:
        """Raise the error unless the bitstream that the device describes is loaded."""
        bit = str(device.bitfile_name)
        if identified(device, bit) is False:
            raise BoardError(
                "not_loaded",
                f"the fabric must hold {bit} before its registers are touched. Received: another "
                "design or none, by pynq's record of the last download. "
                "Download it: download=True.",
            )

    def _mmio(self, entry: Dict[str, Any]) -> MMIO:
        return MMIO(entry["phys_addr"], entry["addr_range"], device=self.device)

    @staticmethod
    def _check_dma(parameters: Dict[str, Any]) -> None:
        wanted = {
            "c_include_sg": 0,
            "c_sg_length_width": DMA_LENGTH_BITS,
            "c_m_axi_mm2s_data_width": ENGINE["stream_bits"],
            "c_m_axi_s2mm_data_width": ENGINE["stream_bits"],
        }
        for name, value in wanted.items():
            if int(parameters.get(name, value)) != value:
                raise BoardError(
                    "wrong_design",
                    f"{name} of the AXI DMA must be {value}. Received: {parameters[name]}. "
                    "Use the bitstream and .hwh that make -C hw builds.",
                )

    def _interrupt(self) -> Optional[InterruptLine]:
        """Return the receiving channel's interrupt, or ``None`` if Linux has no file for it."""
        if self._line is None:
            pins, controllers = self.device.interrupt_pins, self.device.interrupt_controllers
            pin = pins.get(f"{self.dma_name}/s2mm_introut")
            if pin is None:
                return None
            controller = controllers.get(pin["controller"], pin)
            try:
                path = pynq_interrupt.get_uio_irq(controller["raw_irq"])
                if path is None or controller.get("parent"):  # or a controller behind another
                    return None
                file = open(path, "r+b", buffering=0)
            except OSError:
                return None
            mmio = None if controller is pin else self._mmio(self.device.ip_dict[pin["controller"]])
            self._line = InterruptLine(file, mmio, pin["index"])
        return self._line

    def _allocate(self, nbytes: int) -> Any:
        emulated = getattr(self.device, "emulated", False)
        free = None if emulated else contiguous_free_bytes()
        text = "" if free is None else f" with {free:,} bytes of contiguous memory (CMA) free"
        if free is None or nbytes <= free:
            try:
                buffer = allocate((nbytes,), "u1", target=self.device, cacheable=True)
                return self._reached(buffer)
            except (RuntimeError, MemoryError, OSError) as error:
                text += f": {error}"
        raise BoardError(
            "allocation",
            f"a DMA buffer of {nbytes:,} bytes must fit the contiguous memory. "
            f"Received: no buffer{text}. End other notebooks' kernels (they keep their buffers), "
            "or lower overlay.driver.chunk_bytes.",
        )

    def _reached(self, buffer: Any) -> Any:
        """Return the buffer; raise the error if the DMA's address bits do not reach it."""
        last = buffer.physical_address + buffer.nbytes - 1
        if last >> self._address_bits:
            raise BoardError(
                "unreachable_memory",
                f"a buffer must lie below {1 << self._address_bits:#x}, where the AXI DMA reaches "
                f"with c_addr_width {self._address_bits}. Received: one at "
                f"{buffer.physical_address:#x} to {last:#x}. Rebuild the design with c_addr_width "
                "40 or 64, or boot Linux with its contiguous memory (cma=) below that address.",
            )
        return buffer


def contiguous_free_bytes(path: str = "/proc/meminfo") -> Optional[int]:
    """Return how much of the memory for DMA buffers (CMA) is free, ``None`` if unknown."""
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith("CmaFree:"):
                    return 1024 * int(line.split()[1])
    return None
