"""The overlay: bitstream, clock, lock and engine, under ``pynq``."""

import os
from typing import Any, Dict, Optional

import numpy as np
from pynq import MMIO, Device, Overlay
from pynq.ps import Clocks

from ..contract import configuration_digest
from ..errors import BoardError
from . import bitstreams, current
from .driver import TIMEOUT_SECONDS, EngineDriver
from .ip import EngineIP
from .link import Link
from .loaded import identified
from .lock import BoardLock
from .power import EnergyMeter
from .registers import DMA_VLN, ENGINE_VLNV

FCLK_TOLERANCE = 0.01
_CLOCK_PARAMETERS = (  # of the processing system: the real frequency of the fabric's first clock
    "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ",
    "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ",
)


class CirCNNOverlay(Overlay):  # type: ignore[misc]
    """The CirCNN engine on a board, ready for ``model.predict(x, backend="board")``.

    Parameters
    ----------
    bitfile : str, optional
        A ``.bit`` file with its ``.hwh`` beside it, or a folder; left out, the one for this board
        in the package or in ``overlays/`` is taken.
    device : pynq.Device, optional
        The board; pynq's active device if left out.
    download : bool
        Whether to load the bitstream; false if it is loaded already, which is checked.
    fclk_mhz : float, optional
        The fabric's clock; the manifest's if left out, else the handoff's.
    timeout : float
        Seconds that the engine may take for a chunk of a batch.

    Raises
    ------
    BoardError
        If the board cannot be used; its ``cause`` is one of ``no_device``, ``no_bitstream``,
        ``no_handoff``, ``bad_manifest``, ``busy``, ``download``, ``not_loaded``,
        ``wrong_design``, ``wrong_clock``, ``wrong_configuration``, or what
        :class:`~.driver.EngineDriver` raises.

    Notes
    -----
    A board has one user: until :meth:`close`, or the end of a ``with`` block, no other process can
    open it. Opening it again in the same process closes the one before.
    """

    def __init__(
        self,
        bitfile: Optional[str] = None,
        device: Optional[Device] = None,
        download: bool = True,
        fclk_mhz: Optional[float] = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.timestamp = ""  # pynq's __getattr__ reads it before its own __init__ has set it
        self._ip_map = None
        self._lock: Optional[BoardLock] = None
        self.device = None
        device = _active_device() if device is None else device
        self.backend = "emulated" if getattr(device, "emulated", False) else "board"
        name = getattr(device, "name", None)
        board = bitstreams.board_name() if self.backend == "board" else name
        bit = bitstreams.find(bitfile, board or name)
        self.manifest = bitstreams.manifest(bit)
        self._fclk_mhz = fclk_mhz
        current.close_others(device)
        self.device = device
        current.known.add(self)
        self._lock = BoardLock(device.tag)
        try:
            self._lock.acquire()
            self._open(bit, device, download, timeout)
        except BaseException:
            self.close()
            raise
        current.set(self.backend, self)

    def _open(self, bit: str, device: Device, download: bool, timeout: float) -> None:
        if not download:
            self._check_loaded(bit, device)
        try:
            super().__init__(bit, download=download, device=device)
        except BoardError:
            raise
        except Exception as error:  # pynq, XRT and the FPGA manager raise many kinds
            raise BoardError(
                "download",
                f"{bit} must load onto the board. Received: {error!r}. Be root with XRT's "
                "environment (sudo -i; . /etc/profile.d/xrt_setup.sh; . /etc/profile.d/"
                "pynq_venv.sh), in a folder that can be written to; circnn doctor checks these.",
            ) from error
        names = [n for n, entry in self.ip_dict.items() if entry.get("type") == ENGINE_VLNV]
        if len(names) != 1:
            raise BoardError(
                "wrong_design",
                f"the design must have one engine ({ENGINE_VLNV}). Received: {len(names)}. "
                "Use the bitstream and .hwh that make -C hw builds.",
            )
        if not download:
            self._check_clock()
        self._ip = getattr(self, names[0])
        assert isinstance(self._ip, EngineIP)
        self.driver: EngineDriver = self._ip.driver
        self.driver.timeout = timeout
        self._check_configuration()

    @staticmethod
    def _check_loaded(bit: str, device: Device) -> None:
        found = identified(device, bit)
        if not found:
            what = "another design or none" if found is False else "pynq 2.7, which cannot tell"
            raise BoardError(
                "not_loaded",
                f"download=False must find {bit} loaded, by the SHA-1 that pynq records. "
                f"Received: {what}. Leave download=False out.",
            )

    def _check_configuration(self) -> None:
        digest = configuration_digest(self.driver.configuration)
        if self.manifest and int(self.manifest["configuration_digest"], 16) != digest:
            raise BoardError(
                "wrong_configuration",
                "the engine's configuration must be the manifest's, "
                f"{self.manifest['configuration_digest']}. Received: {digest:08x} from the engine. "
                "Bitstream and manifest are of different builds: copy both again.",
                {"configuration": digest},
            )

    def download(self, dtbo: Optional[str] = None) -> None:
        """Load the bitstream and set the fabric's clock, when no call uses the engine.

        pynq up to 3.1 writes the divisors of the handoff, which are right only for the crystal that
        was set in Vivado; here the frequency itself is set, and read back.
        """
        if "driver" in self.__dict__:
            self.driver.reload(lambda: self._download(dtbo))
        else:
            self._download(dtbo)

    def _download(self, dtbo: Optional[str]) -> None:
        if identified(self.device, self.bitfile_name):
            self._halt()
        super().download(dtbo)
        wanted = self.fclk_mhz
        Clocks.fclk0_mhz = wanted
        self._check_clock()
        if "_ip" in self.__dict__:
            self._ip.loaded.remember()

    def _halt(self) -> None:
        """Stop the transfers that a failed call or a killed process left behind.

        A transfer that is running while the fabric is configured hangs the port to the memory.
        """
        entries = self.ip_dict.values()
        dma = [entry for entry in entries if (entry.get("type") or "").startswith(DMA_VLN + ":")]
        for entry in dma:
            mmio = MMIO(entry["phys_addr"], entry["addr_range"], device=self.device)
            try:
                Link(None, mmio).reset_dma()
            except BoardError:  # the download is the remedy
                pass

    def _check_clock(self) -> None:
        wanted, actual = self.fclk_mhz, Clocks.fclk0_mhz
        if not abs(actual - wanted) <= FCLK_TOLERANCE * wanted:
            raise BoardError(
                "wrong_clock",
                f"the fabric's clock must be {wanted:g} MHz within {FCLK_TOLERANCE:.0%}. "
                f"Received: {actual:g} MHz. At another clock the engine is wrong or its figures "
                "are; power the board off and on, and check its crystal (50 MHz) in the design.",
                {"fclk0_khz": round(1000 * actual)},
            )

    @property
    def fclk_mhz(self) -> float:
        """The fabric's clock that the design is made for, in MHz."""
        if self._fclk_mhz is not None:
            return float(self._fclk_mhz)
        if self.manifest:
            return float(self.manifest["fclk_mhz"])
        for entry in self.ip_dict.values():
            for key in _CLOCK_PARAMETERS:
                if key in entry.get("parameters", {}):
                    return float(entry["parameters"][key])
        raise BoardError(
            "wrong_clock",
            "the handoff or a manifest must state the fabric's clock. Received: neither does. "
            "Pass it: CirCNNOverlay(fclk_mhz=100).",
        )

    # -- use ------------------------------------------------------------------------------------

    def predict(self, model: Any, x: Any, **options: Any) -> np.ndarray:
        """Return what ``model.predict`` does on this overlay."""
        current.set(self.backend, self)
        result: np.ndarray = model.predict(x, backend=self.backend, **options)
        return result

    def registers(self) -> Dict[str, int]:
        """Return the registers of DMA and engine by name."""
        return self.driver.registers()

    def energy(self, rail: Optional[str] = None) -> EnergyMeter:
        """Return a context manager that measures the board's energy, if it has a monitor.

        Raises
        ------
        BoardError
            If it has none, such as PYNQ-Z1 and PYNQ-Z2.
        """
        return EnergyMeter(rail)

    def reset_engine(self) -> None:
        """Reset engine and DMA; the next call loads its model again."""
        self.driver.reset()

    # -- closing --------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._lock is None

    def close(self) -> None:
        """Release buffers and board; does nothing the second time."""
        if self._lock is not None:
            if "driver" in self.__dict__:
                self.driver.close()  # refused while a call of this thread uses it
            current.forget(self.backend, self)
            self._lock.release()
            self._lock = None

    def free(self) -> None:
        """Do as :meth:`close`, then as ``pynq``'s own overlay."""
        self.close()
        super().free()

    def __enter__(self) -> "CirCNNOverlay":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()


def _active_device() -> Device:
    try:
        return Device.active_device
    except (RuntimeError, OSError) as error:
        root = "as root" if os.name == "posix" and os.geteuid() == 0 else "not as root"
        raise BoardError(
            "no_device",
            f"pynq must find a board. Received: {error} ({root}). On the board, be root with XRT's "
            "environment (sudo -i; . /etc/profile.d/xrt_setup.sh; . /etc/profile.d/pynq_venv.sh). "
            'Off the board, use backend="native", or backend="emulated" (in the source folder '
            "of this package: pip install '.[emulated]').",
        ) from error
