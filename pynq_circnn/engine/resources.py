"""The engine's resources, counted from its sources: ``counted.json``, and the budget of the part.

``make -C hw area`` counts the operations of every loop, the memories and the channels, with
clang-16 (``hw/scripts/area.py`` states each cost), and writes ``counted.json``. Here the rows are
read and summed, which needs no tool. Nothing here comes from synthesis: the margin of error of LUT
and FF is :func:`margin`.

- A DSP48E1 multiplies 25 x 18 bits after a 25-bit pre-adder and accumulates 48 bits (UG479).
- A RAMB36E1 is 32K x 1 ... 2K x 18, 1K x 36, or 512 x 72 in simple dual-port mode; each is two
  RAMB18E1 of half the size (UG473, "Block RAM Summary").
"""

import json
import os
from functools import lru_cache
from typing import Any, Dict, List, Mapping, NamedTuple

from ..contract import BUDGET, CONFIGURATIONS

PARTS = {
    "xc7z020clg400-1": {"dsp": 220, "bram36": 140, "lut": 53200, "ff": 106400},
    "xczu7ev-ffvc1156-2-e": {"dsp": 1728, "bram36": 312, "lut": 230400, "ff": 460800},
}
"""Resources of the parts: DS190 (Zynq-7000), DS891 (Zynq UltraScale+)."""

KINDS = ("dsp", "bram36", "lut", "ff")
COUNTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counted.json")

_RAMB18 = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))  # UG473


class Row(NamedTuple):
    """One line of the count: a loop, a memory, a channel."""

    unit: str
    what: str
    dsp: int
    lut: int
    ff: int
    bram36: float
    method: str


def ramb18(depth: int, width: int) -> int:
    """Return how many RAMB18 a memory takes, in the shape that takes fewest.

    >>> ramb18(512, 72), ramb18(2048, 16), ramb18(5120, 16)
    (2, 2, 5)
    """
    return min(-(-depth // d) * -(-width // w) for d, w in _RAMB18)


@lru_cache(maxsize=None)
def _counted() -> Any:
    with open(COUNTED, encoding="utf-8") as file:
        return json.load(file)


def digest() -> str:
    """Return the digest of the sources that were counted."""
    return str(_counted()["digest"])


def margin() -> float:
    """Return the margin of error of LUT and FF, as a fraction."""
    return float(_counted()["margin"])


def rows(configuration: str) -> List[Row]:
    """Return all rows of a configuration.

    Raises
    ------
    ValueError
        If the configuration was not counted.
    """
    counted = _counted()["configurations"]
    if configuration not in counted:
        raise ValueError(
            f"configuration must be one of {', '.join(sorted(counted))}. "
            f"Received: {configuration}. Count it with make -C hw area."
        )
    return [Row(**row) for row in counted[configuration]]


def by_unit(configuration: str) -> Dict[str, Dict[str, float]]:
    """Return DSP, block RAM, LUT and FF of every unit."""
    found: Dict[str, Dict[str, float]] = {}
    for row in rows(configuration):
        unit = found.setdefault(row.unit, dict.fromkeys(KINDS, 0.0))
        for kind in KINDS:
            unit[kind] += getattr(row, kind)
    return found


def beyond_part(counted: Mapping[str, Mapping[str, Any]]) -> List[str]:
    """Return the kinds of :func:`resources` of which the count is more than the part has."""
    return [kind for kind, row in counted.items() if row["used"] > row["available"]]


def over_budget(configuration: str = BUDGET["configuration"]) -> List[str]:
    """Return, in words, where the count exceeds what the contract's budget grants."""
    found = []
    granted = {row["name"]: row for row in BUDGET["units"]}
    for unit, used in by_unit(configuration).items():
        if unit not in granted:
            found.append(f"{unit} is not in the budget")
            continue
        found += [
            f"{unit}: {used[kind]:g} of {granted[unit][kind]} {kind}"
            for kind in ("dsp", "bram36", "lut")
            if used[kind] > granted[unit][kind]
        ]
    return found


def resources(configuration: str) -> Dict[str, Dict[str, Any]]:
    """Return how much of its part a configuration uses, by kind.

    Each kind has ``items`` (unit to amount), ``used``, ``available``, ``basis`` and ``margin``, the
    fraction by which the count may be wrong.
    """
    available = PARTS[CONFIGURATIONS[configuration]["part"]]
    units = by_unit(configuration)
    basis = str(_counted()["method"])
    return {
        kind: {
            "items": {unit: used[kind] for unit, used in units.items() if used[kind]},
            "used": sum(used[kind] for used in units.values()),
            "available": available[kind],
            "basis": basis,
            "margin": margin() if kind in ("lut", "ff") else 0.0,
        }
        for kind in KINDS
    }
