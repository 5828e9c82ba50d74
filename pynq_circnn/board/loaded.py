"""What the fabric holds, according to ``pynq``'s own records.

An access to a register of a design that is no longer loaded is never answered: the bus hangs, and
the processor with it. ``pynq`` 3 records a download in two places:

- ``device.timestamp``, of this process, after every download of a whole bitstream
  (``Device.post_download``); under ``pynq`` 2.7 it is kept by the PL server, for all processes;
- a file beside the package, for all processes, with the name and the SHA-1 of the ``.bit``:
  ``global_pl_state.json`` under 3.0, ``global_pl_state_.json`` under 3.1. It is not written again
  when the same bitstream is loaded again and its metadata come from the cache.

``Overlay.is_loaded`` knows only this process's downloads, and for an overlay that was made with
``download=False`` it compares with a name that the constructor itself has set.
"""

import hashlib
import json
import os
from typing import Any, Dict, Optional, Tuple

from ..errors import BoardError

FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/state"


class Loaded:
    """Whether a device still holds what it held when this was made.

    Parameters
    ----------
    device : pynq.Device
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._file = state_file(device)
        self.remember()

    def remember(self) -> None:
        """Take what is loaded now as what has to be loaded."""
        self._seen = self._look()

    def _look(self) -> Tuple[Any, ...]:
        try:
            status = os.stat(self._file) if self._file else None
        except FileNotFoundError:
            status = None
        times = () if status is None else (status.st_mtime_ns, status.st_ino, status.st_size)
        return (getattr(self._device, "timestamp", None), *times)

    def check(self) -> None:
        """Raise the error if anything was loaded meanwhile, even the same bitstream.

        Raises
        ------
        BoardError
            It names what is loaded now, as far as ``pynq`` knows: not what was loaded without it,
            such as by ``fpgautil``.
        """
        if self._look() != self._seen:
            name = (_state(self._file) or {}).get(
                "bitfile_name", "a design that pynq has no name for"
            )
            raise BoardError(
                "not_loaded",
                "an overlay must be the one that was loaded last. Received: a call after another "
                f"download, of {name}. Its registers were not touched. Call overlay.download() to "
                "load this one again, or make a new CirCNNOverlay().",
            )


def identified(device: Any, bit: str) -> Optional[bool]:
    """Return whether the fabric holds the bitstream in this file; ``None`` if ``pynq`` cannot tell.

    This compares the SHA-1 that ``pynq`` recorded, not the name. ``pynq`` records it before the
    download, so the FPGA manager must report success as well. The record is wrong if an overlay
    whose metadata came from ``pynq``'s cache is downloaded a second time with another one in
    between: ``pynq`` does not update it then.
    """
    path = state_file(device)
    if path is None:
        return None
    if _fpga_state(device) != "operating":
        return False
    state = _state(path)
    if state is None or not state.get("bitfile_hash"):
        return False
    with open(bit, "rb") as file:
        return bool(state["bitfile_hash"] == hashlib.sha1(file.read()).hexdigest())


def _fpga_state(device: Any) -> str:
    """Return the state of Linux's FPGA manager, such as ``operating`` or ``write error``."""
    if getattr(device, "emulated", False):
        return str(device.fpga_state)
    if not os.path.exists(FPGA_MANAGER):
        return "no FPGA manager"
    from pynq.pl_server.global_state import initial_global_state_file_boot_check

    initial_global_state_file_boot_check()  # removes pynq's file if it is older than the last boot
    with open(FPGA_MANAGER, encoding="ascii") as file:
        return file.read().strip()


def state_file(device: Any) -> Optional[str]:
    """Return the file where ``pynq`` records downloads; ``None`` under 2.7, which has none."""
    if getattr(device, "emulated", False):
        return str(device.state_file)
    try:
        from pynq.pl_server import global_state
    except ImportError:
        return None
    if hasattr(global_state, "_get_state_path"):
        return str(global_state._get_state_path())
    return os.path.join(global_state.STATE_DIR, "global_pl_state.json")


def _state(path: Optional[str]) -> Optional[Dict[str, Any]]:
    """Return the file's content, without ``GlobalState``, which under 3.0 hashes the .bit again."""
    try:
        with open(path or "", encoding="utf-8") as file:
            values = json.load(file)
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None
