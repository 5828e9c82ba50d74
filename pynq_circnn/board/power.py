"""Energy, where the board has a monitor (PMBus on ZynqMP boards, read by ``pynq.pmbus``)."""

import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from ..errors import BoardError

_WHOLE_BOARD = ("12V",)  # the supply that feeds all others, by its name on ZCU104


def find_rails() -> Dict[str, Any]:
    """Return the board's monitored supplies as ``pynq.pmbus`` finds them; none on a PYNQ-Z2."""
    from pynq.pmbus import get_rails

    try:
        return dict(get_rails())
    except (OSError, RuntimeError, AttributeError):  # neither libsensors nor a monitor
        return {}


class EnergyMeter:
    """Measures a supply's energy in a ``with`` block, by a thread that reads its power.

    Parameters
    ----------
    rail : str, optional
        The supply; by default that of the whole board, or the only one.
    rails : dict, optional
        Supplies by name, as :func:`find_rails` returns them.
    interval : float
        Seconds between two readings.

    Attributes
    ----------
    joules, seconds, watts : float
        Energy, time, and the average power.
    readings : int

    Raises
    ------
    BoardError
        If the board has no monitor.
    ValueError
        If `rail` is not a supply, or is needed to choose one.
    """

    def __init__(
        self,
        rail: Optional[str] = None,
        rails: Optional[Dict[str, Any]] = None,
        interval: float = 0.01,
    ) -> None:
        found = find_rails() if rails is None else rails
        power = {name: r.power for name, r in found.items() if r.power is not None}
        if not power:
            raise BoardError(
                "no_power_monitor",
                "a board must have a power monitor for its energy to be measured. "
                "Received: no power monitor (PYNQ-Z1 and PYNQ-Z2 have none). Put a meter in the "
                "supply; circnn estimate gives a modelled figure.",
            )
        names = [rail] if rail else [n for n in _WHOLE_BOARD if n in power] or list(power)
        if len(names) != 1 or names[0] not in power:
            known = ", ".join(map(repr, power))
            raise ValueError(f"rail must be one of {known}. Received: {rail!r}. Name one.")
        self.rail = names[0]
        self._sensor, self._interval = power[self.rail], interval
        self._stop = threading.Event()
        self._taken: List[Tuple[float, float]] = []

    def _read(self) -> None:
        self._taken.append((time.monotonic(), float(self._sensor.value)))

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._read()

    def __enter__(self) -> "EnergyMeter":
        self._taken.clear()
        self._stop.clear()
        self._read()
        self._thread = threading.Thread(target=self._watch, name="energy", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._read()

    @property
    def readings(self) -> int:
        """How often the power was read."""
        return len(self._taken)

    @property
    def seconds(self) -> float:
        """The time from the first reading to the last."""
        return self._taken[-1][0] - self._taken[0][0]

    @property
    def joules(self) -> float:
        """The energy: the integral of the power between the readings, by the trapezoidal rule."""
        pairs = zip(self._taken, self._taken[1:])
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs)

    @property
    def watts(self) -> float:
        """The average power."""
        return self.joules / self.seconds if self.seconds else self._taken[0][1]
