"""The resource model: DSP slices and block RAM counted by rules, LUT and FF estimated.

Nothing here comes from synthesis.

Rules, with their source:

- A DSP48E1 multiplies 25 x 18 bits after a 25-bit pre-adder and accumulates 48 bits (UG479); a
  complex product of 16-bit words takes three, in three-multiplication form.
- A RAMB36E1 is 32K x 1 ... 2K x 18, 1K x 36, or 512 x 72 in simple dual-port mode; each is two
  RAMB18E1 of half the size (UG473, "Block RAM Summary").
- Each bank of a partitioned memory takes whole RAMB18; so does the width of a memory whose words
  are as wide as a row.
"""

from dataclasses import dataclass
from typing import Dict, List

from ..contract import CONFIGURATIONS
from ..program.arrangement import BEAT_WORDS

BANKS = 16
BUTTERFLIES = 8
COMPLEX_PRODUCT = 3

PARTS = {
    "xc7z020clg400-1": {"dsp": 220, "bram36": 140, "lut": 53200, "ff": 106400},
    "xczu7ev-ffvc1156-2-e": {"dsp": 1728, "bram36": 312, "lut": 230400, "ff": 460800},
}
"""Resources of the parts: DS190 (Zynq-7000), DS891 (Zynq UltraScale+)."""

_RAMB18 = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))  # UG473


@dataclass(frozen=True)
class Item:
    """One line of the count."""

    name: str
    amount: float
    rule: str


def ramb18(depth: int, width: int) -> int:
    """Return how many RAMB18 a memory takes, in the shape that takes fewest.

    >>> ramb18(512, 72), ramb18(2048, 16), ramb18(5120, 16)
    (2, 2, 5)
    """
    return min(-(-depth // d) * -(-width // w) for d, w in _RAMB18)


def dsp(configuration: str) -> List[Item]:
    """Return the DSP slices of a configuration, unit by unit."""
    lanes = CONFIGURATIONS[configuration]["lanes"]
    return [
        Item("lanes", lanes * COMPLEX_PRODUCT, "complex product, accumulated in the DSP"),
        Item("forward", BUTTERFLIES * COMPLEX_PRODUCT, "8 butterflies"),
        Item("inverse", BUTTERFLIES * COMPLEX_PRODUCT, "8 butterflies"),
        Item("scale", BEAT_WORDS, "16 x 16 bits, 8 wide"),
        Item("slope", BEAT_WORDS, "leaky ReLU, 16 x 16 bits, 8 wide"),
        Item("table", 1, "interpolation, one a trip"),
        Item("mean", 2, "28 x 16 bits, one a trip"),
        Item("addresses", 20, "row, column and channel to a word: read, product, epilogue, write"),
    ]


def bram36(configuration: str) -> List[Item]:
    """Return the block RAM of a configuration in RAMB36, memory by memory."""
    sizes = CONFIGURATIONS[configuration]
    row = 2 * sizes["lanes"]
    weights = row * ramb18(sizes["weights_words"] // row, 16)
    activations = BANKS * ramb18(sizes["activation_words"] // BANKS, 16)
    spectra = ramb18(sizes["spectra_words"] // row, 16 * row)
    channel_rows = sizes["channel_words"] // BEAT_WORDS
    scales = ramb18(channel_rows, 16 * BEAT_WORDS) + ramb18(channel_rows, 32 * BEAT_WORDS)
    return [
        Item("weights", weights / 2, f"{row} banks one word wide"),
        Item("activations", activations / 2, f"{BANKS} banks one word wide"),
        Item("spectra", spectra / 2, f"one row of {row} words wide"),
        Item("scales and biases", scales / 2, "one row of 8 channels wide"),
        Item("tables", 1, "sigmoid and tanh, both points of an interval at once"),
    ]


def fabric(configuration: str) -> Dict[str, List[Item]]:
    """Return LUT and FF: an estimate, widths times what such logic commonly takes."""
    sizes = CONFIGURATIONS[configuration]
    row = 2 * sizes["lanes"]
    layer_bits = 1200 * -(-sizes["layers"] // 64)
    lut = [
        Item(
            "transform points", 2 * 3 * 16 * 68, "two of: 3 memories, 16 banks of 33 bits, RAM32M"
        ),
        Item("transform ways", 2 * 4800, "two of: one 16-way crossbar of 16 points, rotations"),
        Item("butterflies", 2 * 4500, "two of: 24 add, round, saturate of complex words"),
        Item("spread", 3 * 16 * row, "six stages of two-way switches, two a LUT"),
        Item("lanes", 40 * sizes["lanes"], "adders before and after the multipliers"),
        Item("sums", 1500, "8:1 multiplexer and 8 shifters of 48 bits"),
        Item("epilogue", 2800, "8 times add, shift 32 bits, saturate, activation"),
        Item("bytes", 1500, "16 products of 8 x 16 bits"),
        Item("rotations", 1200, "16 banks in and out"),
        Item("layers", layer_bits, "the layer table in distributed RAM"),
        Item("control", 3500, "cursors, packets, CRC, registers"),
    ]
    ff = [
        Item("sums", 48 * row, "sums that wait to leave"),
        Item("pipelines", 28000, "registers of the pipelines, 16 points wide in the transforms"),
    ]
    return {"lut": lut, "ff": ff}


def resources(configuration: str) -> Dict[str, Dict[str, object]]:
    """Return how much of its part a configuration uses, by kind.

    Each kind has ``items`` (name to amount), ``used``, ``available`` and ``basis``: counted by
    rule, or estimated.
    """
    available = PARTS[CONFIGURATIONS[configuration]["part"]]
    items = {"dsp": dsp(configuration), "bram36": bram36(configuration), **fabric(configuration)}
    return {
        kind: {
            "items": {item.name: item.amount for item in rows},
            "used": sum(item.amount for item in rows),
            "available": available[kind],
            "basis": "counted by rule" if kind in ("dsp", "bram36") else "estimated",
        }
        for kind, rows in items.items()
    }
