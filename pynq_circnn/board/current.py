"""The overlay that a back end uses: of those still open, the one that was opened last."""

import weakref
from typing import Any, Dict, List

known: "weakref.WeakSet[Any]" = weakref.WeakSet()  # including those whose opening was interrupted
_open: Dict[str, List[Any]] = {"board": [], "emulated": []}


def set(backend: str, overlay: Any) -> None:
    """Make an overlay the one that a back end uses."""
    _open[backend] = [other for other in _open[backend] if other is not overlay] + [overlay]


def get(backend: str) -> Any:
    """Return the overlay that a back end uses, or ``None``."""
    return _open[backend][-1] if _open[backend] else None


def forget(backend: str, overlay: Any) -> None:
    """No longer use an overlay."""
    _open[backend] = [other for other in _open[backend] if other is not overlay]


def close_others(device: Any) -> None:
    """Close the overlays that are open on a device, before it is opened again."""
    for overlay in list(known):
        if overlay.device is device:
            overlay.close()
