"""The overlay that a back end uses: the one opened last that is still open."""

import weakref
from typing import Any, Dict, List

known: "weakref.WeakSet[Any]" = weakref.WeakSet()  # also those whose opening was interrupted
_open: Dict[str, List[Any]] = {"board": [], "emulated": []}


def set(backend: str, overlay: Any) -> None:
    """Make an overlay the one that a back end uses."""
    _open[backend] = [other for other in _open[backend] if other is not overlay] + [overlay]


def get(backend: str) -> Any:
    """Return the overlay that a back end uses, or ``None``."""
    return _open[backend][-1] if _open[backend] else None


def forget(backend: str, overlay: Any) -> None:
    """Let an overlay be used no more."""
    _open[backend] = [other for other in _open[backend] if other is not overlay]


def close_others(device: Any) -> None:
    """Close what is open on a device, before it is opened anew."""
    for overlay in list(known):
        if overlay.device is device:
            overlay.close()
