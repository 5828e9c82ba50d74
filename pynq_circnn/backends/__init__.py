"""Back ends: one module of this package each, found by name.

A back end module defines

``PREFERENCE`` : int
    ``auto`` takes the available back end of the highest number; below zero never.
``unavailable() -> str or None``
    Why it cannot run here, with the remedy, or ``None`` if it can.
``Plan``
    A :class:`.base.BasePlan`: one network made ready to run.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Dict, List, Optional

from ..errors import BackendError

_SHARED = ("base", "driver_plan")  # modules that back ends have in common


def names() -> List[str]:
    """Return the names of all back ends, available or not."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(found.difference(_SHARED))


def get(name: str) -> ModuleType:
    """Return the module of a back end, whether or not it can run here.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in names():
        raise ValueError(
            f"backend must be 'auto' or one of {', '.join(map(repr, names()))}. Received: {name!r}."
        )
    return importlib.import_module(f"{__name__}.{name}")


def availability() -> Dict[str, Optional[str]]:
    """Return for each back end ``None`` if it can run here, else the reason why not."""
    return {name: get(name).unavailable() for name in names()}


def preferred() -> List[str]:
    """Return the back ends that ``auto`` may take, the best one first."""
    ready = [name for name, reason in availability().items() if reason is None]
    taken = [name for name in ready if get(name).PREFERENCE >= 0]
    return sorted(taken, key=lambda name: -get(name).PREFERENCE)


def select(name: str = "auto") -> str:
    """Return the back end to use: the one asked for, or the best available for ``auto``.

    Raises
    ------
    ValueError
        If there is none of that name.
    BackendError
        If the one asked for cannot run here; another is never taken in its place.
    """
    if name == "auto":
        return preferred()[0]
    reason = get(name).unavailable()
    if reason is not None:
        raise BackendError(f"back end {name!r} cannot run here: {reason}")
    return name
