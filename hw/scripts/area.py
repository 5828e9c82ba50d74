"""Resources counted from the code: DSP slices, LUT, FF and block RAM of every unit.

::

    python3 hw/scripts/area.py [--configuration z2] [--write] [--build FOLDER]
    python3 hw/scripts/area.py --lines FUNCTION       # the lines that take most LUT
    python3 hw/scripts/area.py --yosys [FUNCTION ...] # one trip of each loop, mapped by Yosys

clang-16 -O2 compiles ``hw/src`` to LLVM IR, with every call inlined but those of functions that hold
a pipelined loop, and every loop of constant length unrolled, as the HLS pragmas ask. At an interval
of one, each operation of a pipelined loop is hardware of its own, so its operations are counted, each
by the bits that it needs and a stated cost (:data:`COSTS`). Products in different branches are all
counted, although a tool may share them. What stands outside of pipelined loops runs once a layer or a
packet: its products are as many as the function's ALLOCATION pragma allows, each with the selections
that share it. To this come the memories in the shapes of the silicon, and the channels.

``--write`` stores the count in ``pynq_circnn/engine/counted.json``, from which the package reads it
(``circnn estimate`` needs no clang), with a digest of the sources. It says nothing of placement,
of control that a tool adds, or of what a tool shares: the margin is said with it.
"""  # noqa: E501

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import ir
import lint
import netlist
import rtl
import sources
from sources import Function, Loop, Sources

sys.path.insert(0, rtl.ROOT)

from pynq_circnn.contract import BUDGET, hardware_configurations
from pynq_circnn.contract.page import PAGE, renew_marks
from pynq_circnn.engine.resources import COUNTED, Row, ramb18

CONFIGURATIONS = tuple(hardware_configurations())
MARGIN = 0.5  # of LUT and FF; DSP and block RAM are exact but for what a tool shares or adds

SLICES = (  # widest factor, narrowest factor, DSP48E1 of 25 x 18 bits, signed (UG479)
    (25, 18, 1), (42, 18, 2), (35, 25, 2), (32, 32, 3), (35, 35, 4), (64, 64, 10),
)  # fmt: skip
WIDEST = 48  # of a sum: an int64_t of our simulation is an ap_int<48> for the vendor's tool

COSTS = {
    "addition": "a LUT a bit, with a selection of one operand and a gate of the other before it; "
    "none where a DSP slice has the adder before or after its multiplier",
    "comparison": "half a LUT a bit, of equality a third; against a constant half as much; of a sign "  # noqa: E501
    "none",
    "selection": "half a LUT a bit: two words of a bit in one LUT6; with a constant a quarter, of two "  # noqa: E501
    "constants none; if a state takes a new value: none, a register has an enable",
    "logic": "a quarter of a LUT a bit",
    "shift": "by a variable amount: half a LUT a bit and stage",
    "table": "a LUT for 64 entries of a bit, in a copy for each read of a trip",
    "choice": "among N registers: N / 4 LUT a bit; into N registers: N / 2 LUT",
    "fabric": "a product without DSP slice: half a LUT for each pair of bits",
    "constant": "a product by a constant: an addition for every bit set but one",
    "division": "by a variable: five LUT a bit, in many cycles",
    "registers": "a bit for each bit of a state, and of what an addition, a shift, a table, a "
    "product in fabric and a memory give",
    "lutram": "RAM32M: four LUT for 32 x 6 bits; RAM64M: four for 64 x 3 bits; each further read "
    "port a copy",
    "shift register": "SRL: a LUT a bit up to 32 deep, two bits up to 16 deep (UG474)",
    "channel": "a shift register, and twelve LUT and as many FF of control",
}
"""What an operation takes; Yosys's counts of leaves stand beside it in ``hw/ENGINE.md``."""

FLAGS = (
    "-O2 -std=c++14 -fno-exceptions -fno-vectorize -fno-slp-vectorize -S -emit-llvm -o - "
    "-fno-discard-value-names -gline-tables-only -femit-all-decls -w "
    "-mllvm -inline-threshold=10000000 -mllvm -unroll-threshold=100000 "
    "-mllvm -unroll-runtime=false -mllvm -unroll-peel-max-count=0 "
    "-mllvm -disable-loop-idiom-all -mllvm -jump-threading-threshold=0 "
    "-mllvm -enable-load-pre=false -mllvm -enable-pre=false"
)
STREAM = """#ifndef CIRCNN_STREAM_HPP
#define CIRCNN_STREAM_HPP
#include <stdint.h>
#include "fault.hpp"
template <typename T, int Depth> struct Stream {
    explicit Stream(const char *);
    void write(const T &); T read(); bool empty() const; void clear(); uint32_t size() const;
};
#endif
"""
UNIT_OF_FILE = {
    "forward.hpp": "forward", "split.hpp": "forward", "product.hpp": "product",
    "outputs.hpp": "product", "inverse.hpp": "inverse", "vector.hpp": "vector",
    "epilogue.hpp": "epilogue",
    "results.hpp": "write", "write.hpp": "write", "read.hpp": "read", "blocks.hpp": "read",
    "windows.hpp": "read", "plan.hpp": "plan",
}  # fmt: skip
"""The unit that a file's loops belong to; the others are `load`: packets, programs, moves."""


class Operations(NamedTuple):
    """What a loop does in a trip, or a function outside of its loops."""

    products: Dict[Tuple[int, int], int]  # by widths of the factors, the wider one first
    lut: Dict[str, float]  # by the names of COSTS
    ff: int
    divisions: int

    @property
    def dsp(self) -> int:
        """DSP slices, if no product is shared."""
        return sum(n * slices(w, v) for (w, v), n in self.products.items())


def slices(wide: int, narrow: int) -> int:
    """Return the DSP48E1 of a multiplication.

    >>> slices(16, 16), slices(32, 16), slices(32, 32), slices(64, 64)
    (1, 2, 3, 10)
    """
    return next(cost for most, least, cost in SLICES if wide <= most and narrow <= least)


# -- operations of LLVM IR --------------------------------------------------------------------------  # noqa: E501

_LIMIT = r"(?:tail )?call i\d+ @llvm\.[su](?:min|max)\.i\d+\(i\d+ (\S+), i\d+ (\S+)\)"
_TWO = re.compile(r"(\w+)(?: nuw| nsw| exact| disjoint)* i(\d+) (\S+), (\S+)$")


def width(value: str, kind: int, made: Dict[str, str], depth: int = 8) -> int:
    """Return the bits of a signed value of `kind` bits that are known to suffice."""
    if re.fullmatch(r"-?\d+", value):
        return min(kind, int(value).bit_length() + 1)

    def of(operand: str, bits: int = kind) -> int:
        return width(operand, bits, made, depth - 1)

    text = made.get(value, "") if depth else ""
    if match := re.match(r"([sz])ext i(\d+) (\S+)", text):
        return min(kind, of(match[3], int(match[2])) + (match[1] == "z"))
    if match := re.match(r"trunc i(\d+) (\S+) to", text):
        return min(kind, of(match[2], int(match[1])))
    if match := re.match(r"(?:add|sub) .*?i\d+ (\S+), (\S+)", text):
        return min(kind, 1 + max(of(match[1]), of(match[2])))
    if match := re.match(r"mul .*?i\d+ (\S+), (\S+)", text):
        return min(kind, of(match[1]) + of(match[2]))
    if match := re.match(r"select i1 \S+, i\d+ (\S+), i\d+ (\S+)", text):
        return max(of(match[1]), of(match[2]))
    if text.startswith("phi"):
        values = re.findall(r"\[ (\S+),", text)
        return max(of(operand) for operand in values)
    if match := re.match(_LIMIT, text):
        inner = re.match(_LIMIT, made.get(match[1], ""))  # limited on both sides
        return max(of(match[2]), of(inner[2] if inner else match[1]))
    if match := re.match(r"([al])shr .*?i\d+ (\S+), (\S+)", text):
        fixed = int(match[3]) if match[3].isdigit() else 0
        unsigned = match[1] == "l" and fixed > 0
        negative = match[1] == "l" and not match[2].isdigit()  # its sign may become a value
        return max(1, (kind if negative else of(match[2])) - fixed + unsigned)
    if match := re.match(r"shl .*?i\d+ (\S+), (\d+)$", text):
        return min(kind, of(match[1]) + int(match[2]))
    if match := re.match(r"(?:or|xor) .*?i\d+ (\S+), (\S+)", text):
        return min(kind, max(of(match[1]), of(match[2])))
    if match := re.match(r"and i\d+ \S+, (\d+)", text):
        return min(kind, int(match[1]).bit_length() + 1)
    return kind


def _constant(text: str) -> bool:
    return re.fullmatch(r"-?\d+|true|false|null|undef|poison|zeroinitializer", text) is not None


class Body:
    """The instructions of one function of LLVM IR, and what it takes to make them.

    Parameters
    ----------
    function : ir.IrFunction
    types : dict of str to str
        The structures that the module names.
    memories : set of str
        Names of pointers behind which a memory lies: reading it chooses among no registers.
    fabric : set of int
        Lines of the source whose products a BIND_OP pragma puts into fabric.
    lines : dict of str to int
        The source's line of each debug location.
    """

    def __init__(
        self, function: ir.IrFunction, types: Dict[str, str], memories: Set[str],
        fabric: Set[str] = frozenset(), locations: Optional[Dict[str, Tuple[str, int]]] = None,
    ) -> None:  # fmt: skip
        self.types, self.memories, self.fabric = types, memories, fabric
        self.locations = locations or {}
        self.code = ir.blocks(function.lines, function.entry)
        self.made: Dict[str, str] = {}
        self.uses: Dict[str, List[str]] = {}
        self.debug: Dict[str, str] = {}
        self.used: Dict[str, int] = {}
        for lines in self.code.values():
            for line in lines:
                debug = re.search(r", !dbg (!\d+)", line)
                plain = re.sub(r", !\w[\w.]* !\d+", "", line)
                name, _, text = plain.partition(" = ") if " = " in plain else ("", "", plain)
                if name:
                    self.made[name] = text
                    self.debug[name] = debug[1] if debug else ""
                for used in set(re.findall(r"%[\w.$-]+", text)):
                    self.uses.setdefault(used, []).append(name)

    def pointed(self, name: str) -> str:
        """Return the type that lies behind a pointer, as far as the function says."""
        if name in self.types:
            return self.types[name]
        text = self.made.get(name, "")
        allocated = re.match(r"alloca (.+?), align", text)
        if allocated:
            return allocated[1]
        match = re.match(r"getelementptr (?:inbounds )?(.+?), ptr (\S+?), (.*)$", text)
        return (
            self._inside(match[1], [p.split()[-1] for p in match[3].split(", ")]) if match else ""
        )

    def _fields(self, kind: str) -> List[str]:
        return sources.split(self.types.get(kind, kind).strip("<{} "))

    def _inside(self, kind: str, indices: Sequence[str]) -> str:
        for position in indices[1:]:
            inner = re.match(r"\[(\d+) x (.*)\]$", kind)
            fields = self._fields(kind)
            if inner:
                kind = inner[2]
            elif position.isdigit() and int(position) < len(fields):
                kind = fields[int(position)]
        return kind

    def _extent(self, base: str, element: str) -> int:
        """Return how many elements of a type lie behind a pointer to the first."""
        kind = self.pointed(base)
        for _ in range(6):
            inner = re.match(r"\[(\d+) x (.*)\]$", kind)
            if inner and inner[2] == element:
                return int(inner[1])
            kind = inner[2] if inner else (self._fields(kind) or [""])[0]
        return 64  # an array of unknown length

    def array(self, text: str) -> Tuple[str, int, str]:
        """Return the base of an address, how many places a variable index chooses among, and it.

        The number is 1 if all indices are constants.
        """
        match = re.match(r"getelementptr (?:inbounds )?(.+?), ptr (\S+?), (.*)$", text)
        if match is None:
            return "", 1, ""
        kind, base = match[1], match[2]
        indices = [part.split()[-1] for part in match[3].split(", ")]
        number, index = 1, ""
        if not _constant(indices[0]):
            extent = self._extent(base, kind)
            if kind == "i8" and "[" in self.pointed(base):  # an offset in bytes
                extent = self._size(self.pointed(base))
            number = min(max(1, extent // self.stride(indices[0])), self.values(indices[0]))
            index = indices[0]
        for position in indices[1:]:
            inner = re.match(r"\[(\d+) x (.*)\]$", kind)
            if inner and not _constant(position):
                number *= min(max(1, int(inner[1]) // self.stride(position)), self.values(position))
                index = position
            kind = self._inside(kind, ["", position])
        if base in self.made and self.made[base].startswith("getelementptr"):
            root, more, other = self.array(self.made[base])
            return root, number * more, index or other
        return base, number, index

    def _size(self, kind: str) -> int:
        """Return the bytes of a type, aligned as clang does."""
        if match := re.match(r"\[(\d+) x (.*)\]$", kind):
            return int(match[1]) * self._size(match[2])
        if match := re.match(r"i(\d+)$", kind):
            return max(1, int(match[1]) // 8)
        size, most = 0, 1
        for field in self._fields(kind) if kind in self.types else []:
            inner = re.sub(r"\[\d+ x (.*)\]", r"\1", field)
            align = min(8, self._size(inner)) or 1
            size, most = -(-size // align) * align + self._size(field), max(most, align)
        return -(-size // most) * most

    def stride(self, name: str) -> int:
        """Return what lies between an index's values: 4 for ``4 * i + 3``."""
        text = self.made.get(name, "")
        if match := re.match(r"[sz]ext i\d+ (\S+) to", text):
            return self.stride(match[1])
        match = _TWO.match(text)
        if match and match[4].isdigit():
            value = int(match[4])
            if match[1] in ("add", "or"):
                return self.stride(match[3])
            if match[1] == "shl":
                return self.stride(match[3]) << value
            if match[1] == "mul":
                return self.stride(match[3]) * value
        return 1

    def bits_used(self, name: str, kind: int, depth: int = 24) -> int:
        """Return how many of a result's low bits anything uses."""
        if name not in self.used:
            self.used[name] = kind  # while it is worked out: a loop uses all
            users = self.uses.get(name, ["?"])
            needed = max(self._used_by(name, user, kind, depth) for user in users)
            self.used[name] = min(needed, kind)
        return self.used[name]

    def ones(self, name: str, kind: int, depth: int = 12) -> int:
        """Return a mask of the bits of a value that can be set."""
        full = (1 << kind) - 1
        if re.fullmatch(r"-?\d+", name):
            return int(name) & full
        text = self.made.get(name, "") if depth else ""
        if match := re.match(r"zext i(\d+) (\S+) to", text):
            return self.ones(match[2], int(match[1]), depth - 1)
        if match := re.match(r"trunc i(\d+) (\S+) to", text):
            return self.ones(match[2], int(match[1]), depth - 1) & full
        match = _TWO.match(text)
        if match:
            left = self.ones(match[3], kind, depth - 1)
            if match[1] in ("and", "or", "xor"):
                right = self.ones(match[4], kind, depth - 1)
                return left & right if match[1] == "and" else left | right
            if match[1] in ("shl", "lshr") and match[4].isdigit():
                return (
                    left << int(match[4]) if match[1] == "shl" else left >> int(match[4])
                ) & full
        return full

    def _index_bits(self, text: str, name: str) -> int:
        """Return the bits that an address uses of an index."""
        match = re.match(r"getelementptr (?:inbounds )?(.+?), ptr (\S+?), (.*)$", text)
        if match is None:
            return 0
        kind, base = match[1], match[2]
        indices = [part.split()[-1] for part in match[3].split(", ")]
        if indices[0] == name:
            return max(1, (self._extent(base, kind) - 1).bit_length())
        for position in indices[1:]:
            inner = re.match(r"\[(\d+) x (.*)\]$", kind)
            if inner and position == name:
                return max(1, (int(inner[1]) - 1).bit_length())
            kind = self._inside(kind, ["", position])
        return 0

    def values(self, name: str, depth: int = 8) -> int:
        """Return how many values an index can have at most."""
        text = self.made.get(name, "") if depth else ""
        if _constant(name):
            return 1
        if match := re.match(r"[sz]ext i(\d+) (\S+) to", text):
            return min(1 << min(int(match[1]), 16), self.values(match[2], depth - 1))
        if match := re.match(r"trunc i\d+ (\S+) to", text):
            return self.values(match[1], depth - 1)
        if match := re.match(r"select i1 \S+, i\d+ (\S+), i\d+ (\S+)", text):
            return self.values(match[1], depth - 1) + self.values(match[2], depth - 1)
        match = _TWO.match(text)
        if match:
            left = self.values(match[3], depth - 1)
            if match[1] == "and" and match[4].isdigit():
                return min(left, 1 << bin(int(match[4])).count("1"))
            return min(1 << 16, left * self.values(match[4], depth - 1))
        return 1 << 16

    def _used_by(self, name: str, user: str, kind: int, depth: int) -> int:
        text = self.made.get(user, "")
        if depth == 0 or not text:
            return kind
        if match := re.match(r"(?:trunc|[sz]ext) i\d+ \S+ to i(\d+)", text):
            return min(kind, self.bits_used(user, int(match[1]), depth - 1))
        if text.startswith("getelementptr"):
            return min(kind, self._index_bits(text, name) or kind)
        two = _TWO.match(text)
        if two and two[1] == "and" and two[4].isdigit():
            return min(int(two[4]).bit_length(), self.bits_used(user, kind, depth - 1))
        if two and two[1] in ("add", "sub", "mul", "and", "or", "xor"):
            return self.bits_used(user, kind, depth - 1)
        if two and two[1] == "shl" and two[3] == name and two[4].isdigit():
            return max(1, self.bits_used(user, kind, depth - 1) - int(two[4]))
        if two and two[1] == "lshr" and two[3] == name and two[4].isdigit():
            return min(kind, self.bits_used(user, kind, depth - 1) + int(two[4]))
        if re.match(r"select i1 (\S+),", text) and f"i1 {name}," not in text:
            return self.bits_used(user, kind, depth - 1)
        return kind

    def _bits(self, name: str, kind: int) -> int:
        return min(WIDEST if kind > 32 else kind, self.bits_used(name, kind),
                   width(name, kind, self.made))  # fmt: skip

    def signed_bits(self, name: str, kind: int) -> int:
        """Return from how many bits on a value repeats its sign."""
        return width(name, kind, self.made)

    def needed(self, name: str, kind: int) -> int:
        """Return how many low bits of a value have to be made."""
        return min(self.bits_used(name, kind), self.signed_bits(name, kind))

    def _behind(self, name: str) -> str:
        """Return the name that an extension or truncation extends."""
        match = re.match(r"(?:sext|zext|trunc) i\d+ (\S+) to", self.made.get(name, ""))
        return self._behind(match[1]) if match else name

    def _product(self, name: str) -> bool:
        """Return whether a value is a product of a DSP slice that is used once."""
        inner = self._behind(name)
        text = self.made.get(inner, "")
        match = _TWO.match(text)
        own = len(self.uses.get(inner, [])) == 1 or inner == name
        return bool(match and match[1] == "mul" and own and not _constant(match[4])
                    and not self._in_fabric(inner))  # fmt: skip

    def _in_fabric(self, name: str) -> bool:
        place = self.locations.get(self.debug.get(name, ""))
        return place is not None and f"{place[0]}:{place[1]}" in self.fabric

    def absorbed(self) -> Set[str]:
        """Return the additions that a DSP slice has: one before and one after each multiplier,
        and the selections that clear an accumulator."""
        found: Set[str] = set()
        for name, text in self.made.items():
            match = _TWO.match(text)
            if match is None or match[1] not in ("add", "sub") or int(match[2]) < 16:
                continue
            factors = [self._product(operand) for operand in (match[3], match[4])]
            if any(factors):
                found.add(name)
                other = self.made.get(match[4 if factors[0] else 3], "")
                if re.match(r"select i1 \S+, i\d+ (?:0, |\S+, i\d+ 0$)", other):
                    found.add(match[4 if factors[0] else 3])
        for name, text in self.made.items():
            match = _TWO.match(text)
            if match is None or match[1] not in ("add", "sub") or name in found:
                continue
            room = 3  # inputs of an adder's LUT, of which two bits of five are the operands
            for operand in (match[4], match[3]):
                inputs = self._before_addition(operand)
                if 0 < inputs <= room:
                    found.add(operand)
                    room -= inputs
        for name, text in self.made.items():  # a constant joins the first of two products
            match = _TWO.match(text)
            if match and match[1] == "add" and match[3] in found and _constant(match[4]):
                found.add(name)
        for text in self.made.values():
            match = _TWO.match(text)
            if match is None or match[1] != "mul" or _constant(match[4]):
                continue
            for operand in (match[3], match[4]):
                inner = self._behind(operand)
                before = _TWO.match(self.made.get(inner, ""))
                once = len(self.uses.get(inner, [])) == 1
                if before and before[1] in ("add", "sub") and once and self._bits(
                    inner, int(before[2])
                ) <= 25:  # fmt: skip
                    found.add(inner)
                    break
        return found

    def _shift_registers(self, header: Sequence[str]) -> Dict[str, int]:
        """Return the states of a loop that a shift register holds: the last of each with their
        number, the others with 1.  Each takes the value of the one before, which nothing else
        reads; there are three or more, and none has a value that it must begin with."""
        before: Dict[str, str] = {}
        states = {
            line.split(" = ")[0]: re.findall(r"\[ ([^,]+), %([\w.$-]+) \]", line)
            for block in header for line in self.code[block] if " = phi " in line
        }  # fmt: skip
        for name, values in states.items():
            known = {value for value, _ in values if value not in ("undef", "poison")}
            only = known.pop() if len(known) == 1 else ""
            if only in states and self.uses.get(only) == [name] and only != name:
                before[name] = only
        found: Dict[str, int] = {}
        for last in set(before) - set(before.values()):
            chain = [last]
            while chain[-1] in before:
                chain.append(before[chain[-1]])
            if len(chain) >= 3:
                found.update(dict.fromkeys(chain, 1))
                found[last] = len(chain)
        return found

    def _enabled(self, name: str, states: Set[str]) -> bool:
        """Return whether a selection only decides if a state takes a new value: one of its values
        is the state's own, and nothing else takes the result, or others of the kind in between."""
        chain = [name]
        while chain[-1] not in states:
            users = self.uses.get(chain[-1], [])
            if len(users) != 1 or users[0] in chain or not users[0]:
                return False
            chain.append(users[0])
        own = rf"{re.escape(chain[-1])}(?![\w.$-])"
        return all(
            re.match(r"select i1 |phi ", self.made.get(link, ""))
            and re.search(own, self.made[link])
            for link in chain[:-1]
        )

    def _before_addition(self, operand: str) -> int:
        """Return how many inputs more an adder's LUT need to make an operand: a selection two, a
        gate one; 0 if it is neither, or used elsewhere too."""
        if not operand.startswith("%") or len(self.uses.get(operand, [])) != 1:
            return 0
        text = self.made.get(operand, "")
        match = _TWO.match(text)
        if match and match[1] in ("and", "or", "xor") and not _constant(match[4]):
            return 1
        return 2 if re.match(r"select i1 ", text) else 0

    def count(self, names: Iterable[str], header: Sequence[str] = ()) -> Operations:
        """Return what the blocks of some names take; a phi of `header` is a state."""
        products: Dict[Tuple[int, int], int] = {}
        lut: Dict[str, float] = {}
        ff, divisions = 0, 0
        absorbed, chained = self.absorbed(), self._shift_registers(header)
        states = {
            line.split(" = ")[0]
            for block in header
            for line in self.code[block]
            if " = phi " in line
        }

        def add(what: str, amount: float) -> None:
            lut[what] = lut.get(what, 0.0) + amount

        for block in names:
            for line in self.code[block]:
                plain = re.sub(r", !\w[\w.]* !\d+", "", line)
                name, _, text = plain.partition(" = ") if " = " in plain else ("", "", plain)
                two = _TWO.match(text)
                if two:
                    operation, kind, left, right = two[1], int(two[2]), two[3], two[4]
                    bits = self._bits(name, kind)
                    if self._joins(operation, left, right) or self._carries(
                        name, operation, left, right
                    ):
                        continue
                    if operation == "mul":
                        ff += self._multiply(name, kind, left, right, products, add)
                    elif operation in ("add", "sub"):
                        if name not in absorbed:
                            add("addition", bits)
                            ff += bits
                    elif operation in ("and", "or", "xor"):
                        gate = not (_constant(left) or _constant(right)) or kind == 1
                        if gate and name not in absorbed:
                            both = self.ones(left, kind) & self.ones(right, kind)
                            add("logic", bin(both & ((1 << bits) - 1)).count("1") / 4)
                    elif operation in ("shl", "lshr", "ashr"):
                        if not _constant(right):
                            amounts = min(kind, self.values(right))
                            stages = math.ceil(math.log2(max(amounts, 2)))
                            moved = min(kind, WIDEST)
                            chosen = bits * moved / 4  # one bit of a word: a choice among them
                            if _constant(left):  # one of few words: a decoder
                                chosen = moved / 4
                            add("shift", min(min(moved, bits) * stages / 2, chosen))
                            ff += min(bits, moved)
                    elif operation in ("sdiv", "udiv", "srem", "urem"):
                        if not _constant(right) or int(right) & (int(right) - 1):
                            divisions += 1
                            add("division", 5 * kind)
                elif match := re.match(r"icmp (\w+) i(\d+) (\S+), (\S+)", text):
                    add("comparison", self._compare(match[1], int(match[2]), match[3], match[4]))
                elif match := re.match(r"select i1 \S+, i(\d+) (\S+), i\d+ (\S+)", text):
                    if name not in absorbed and not self._enabled(name, states):
                        add("selection", self._select(name, int(match[1]), match[2], match[3]))
                elif match := re.match(_LIMIT, text):
                    kind = int(re.search(r"call i(\d+)", text)[1])  # type: ignore[index]
                    bits = max(width(match[1], kind, self.made), 1)
                    add("comparison", min(bits, WIDEST) / 4)
                    add("selection", self._bits(name, kind) / 2)
                elif match := re.match(r"phi i(\d+) ", text):
                    bits = self._bits(name, int(match[1]))
                    if block in header:
                        if chained.get(name, 0) == 0:
                            ff += bits
                        elif chained[name] > 1:  # the last of a shift register
                            add("shift register", shift_register(chained[name] - 1, bits))
                            ff += bits
                    elif not self._enabled(name, states):
                        add("selection", bits / 2 * (text.count("[") - 1))
                elif match := re.match(r"load i(\d+), ptr (\S+),", text):
                    bits = self._bits(name, int(match[1]))
                    ff += self._load(match[2], bits, add)
                elif match := re.match(r"store i(\d+) \S+, ptr (\S+),", text):
                    base, extent, index = self.array(self.made.get(match[2], ""))
                    if index and base not in self.memories:
                        add("choice", extent / 2)
        return Operations(products, lut, ff, divisions)

    def _compare(self, how: str, kind: int, left: str, right: str) -> float:
        """Return the LUT of a comparison: a sign is a wire, constants leave one word to look at."""
        if (how, right) in (("slt", "0"), ("sgt", "-1")):
            return 0
        mask = _TWO.match(self.made.get(left, ""))
        if mask and mask[1] == "and" and re.fullmatch(r"-?\d+", mask[4]):
            bits = bin(int(mask[4]) & ((1 << kind) - 1)).count("1")
        else:
            bits = max(self._looked_at(operand, kind) for operand in (left, right))
        bits = min(bits, kind, WIDEST)
        if _constant(left) or _constant(right):
            return bits / (6 if how in ("eq", "ne") else 4)
        return bits / (3 if how in ("eq", "ne") else 2)

    def _looked_at(self, operand: str, kind: int) -> int:
        """Return the bits of an operand that are no zeros of a shift to the left."""
        match = _TWO.match(self.made.get(operand, ""))
        shifted = int(match[4]) if match and match[1] == "shl" and match[4].isdigit() else 0
        return max(1, width(operand, kind, self.made) - shifted)

    def _select(self, name: str, kind: int, yes: str, no: str) -> float:
        """Return the LUT of a selection; of two constants, or of a number and its negative, none."""  # noqa: E501
        constants = _constant(yes) + _constant(no)
        negated = any(
            re.match(rf"sub (?:nsw )?i\d+ 0, {re.escape(other)}$", self.made.get(one, ""))
            for one, other in ((yes, no), (no, yes))
        )
        if constants == 2 or negated:
            return 0
        return self._bits(name, kind) / (4 if constants else 2)

    def _joins(self, operation: str, left: str, right: str) -> bool:
        """Return whether an ``or`` only puts bits side by side."""
        if operation != "or":
            return False
        for one, other in ((left, right), (right, left)):
            match = _TWO.match(self.made.get(one, ""))
            if match and match[1] == "shl" and match[4].isdigit():
                low = re.match(r"zext i(\d+)", self.made.get(other, ""))
                if low and int(low[1]) <= int(match[4]):
                    return True
        return False

    def _carries(self, name: str, operation: str, left: str, right: str) -> bool:
        """Return whether an addition of one bit is the carry into another addition, or one of a
        constant only moves a range that is compared with constants."""
        if operation != "add":
            return False
        users = [self.made.get(user, "") for user in self.uses.get(name, [""])]
        if _constant(right) and all(re.match(r"icmp \w+ i\d+ \S+, -?\d+$", u) for u in users):
            return True
        for one, other in ((left, right), (right, left)):
            bit = re.match(r"zext i1 ", self.made.get(one, "")) or self.ones(one, 64) == 1
            match = _TWO.match(self.made.get(other, ""))
            if bit and match and match[1] == "add" and len(self.uses.get(other, [])) == 1:
                return True  # the carry of a subtraction is in use
            after = _TWO.match(users[0]) if bit and len(users) == 1 else None
            if after and after[1] == "add":
                last = after[4] if after[3] == name else after[3]
                if self.ones(last, 64) != 1:  # else that one is the carry
                    return True
        return False

    def _multiply(self, name, kind, left, right, products, add):  # type: ignore[no-untyped-def]
        if _constant(right):
            value = abs(int(right))
            ones = _signed_digits(value)
            bits = self._bits(name, kind)
            if ones > 1:
                add("constant", (ones - 1) * bits)
            return bits if ones > 1 else 0
        bits = sorted(min(WIDEST, width(factor, kind, self.made)) for factor in (left, right))
        if self._in_fabric(name):
            add("fabric", bits[0] * bits[1] / 2)
            return bits[0] + bits[1]
        key = (bits[1], bits[0])
        products[key] = products.get(key, 0) + 1
        return 0

    def _load(self, address, bits, add):  # type: ignore[no-untyped-def]
        base, extent, index = self.array(self.made.get(address, ""))
        if not index:
            return 0
        if base.startswith("@"):
            add("table", math.ceil(extent / 64) * bits)
            return bits
        if base in self.memories:
            return bits
        add("choice", extent / 4 * bits)
        return 0


def _signed_digits(value: int) -> int:
    """Return the fewest powers of two whose sums and differences make a number.

    >>> _signed_digits(7), _signed_digits(10), _signed_digits(64)
    (2, 2, 1)
    """
    count = 0
    while value:
        if value & 1:
            count += 1
            value -= 2 - (value & 3) if value & 3 == 3 else 1
            value += 2 * (value & 3 == 0 and 0)
        value >>= 1
    return count


# -- from the sources to IR -------------------------------------------------------------------------  # noqa: E501


def roots(code: Sources) -> Dict[str, Function]:
    """Return the functions that are counted one by one: with loops, regions, limits; the top."""
    found = {loop.function.name: loop.function for loop in code.loops()}
    for file in code.files:
        for pragma in file.pragmas:
            if re.match(r"DATAFLOW|ALLOCATION", pragma.text, re.I):
                function = code.function_at(file, pragma.at)
                if function is not None:
                    found[function.name] = function
    if "engine_step" in code.functions:
        found["engine_step"] = code.functions["engine_step"][0]
    return found


def limited(code: Sources) -> Dict[str, int]:
    """Return the functions that an ALLOCATION pragma builds so many times: what calls them shares
    them."""
    found = {}
    for file in code.files:
        for pragma in file.pragmas:
            match = re.match(r"ALLOCATION\s+function\s+instances\s*=\s*(\w+)\s+limit\s*=\s*(\d+)",
                             pragma.text, re.I)  # fmt: skip
            if match:
                found[match[1]] = int(match[2])
    return found


def instances(code: Sources) -> Dict[str, int]:
    """Return how many times a tool builds a function: once for each process of a dataflow region that
    reaches it, and once more if anything outside of the region does."""  # noqa: E501
    found: Dict[str, int] = {}
    inside: Set[str] = set()
    for _, _, region in code.regions():
        if region is None:
            continue
        inside.add(region.name)
        for function, _ in lint.processes(code, region):
            for name in {function.name} | {f.name for f in code.reached(function.body)}:
                found[name] = found.get(name, 0) + 1
    todo, outside = ["engine_step"], set()  # type: List[str], Set[str]
    while todo:
        name = todo.pop()
        if name in outside or name in inside:
            continue
        outside.add(name)
        for function in code.functions.get(name, []):
            todo += [called for called, _, _ in code.calls(function.body)]
    for name in outside:
        found[name] = found.get(name, 0) + 1
    return found


def rolled(code: Sources) -> List[Tuple[sources.File, int]]:
    """Return where the loops stand that a tool leaves as loops: those in no pipeline, which the tool
    unrolls, and without an UNROLL pragma of their own."""  # noqa: E501
    loops = code.loops()
    inside = {function.name for loop in loops for function in code.reached(loop.text)}
    found = []
    for functions in code.functions.values():
        for function in functions:
            if function.name in inside or function.constant:
                continue
            for match in re.finditer(r"\bfor\s*\(", function.body):
                at = function.begin + match.start()
                ends = sources.closing(function.file.text, function.begin + match.end() - 1)
                block = re.match(r"\s*\{", function.file.text[ends:])
                starts = ends + block.end() if block else ends
                unrolled = any(
                    re.match(r"UNROLL\b", pragma.text, re.I)
                    and starts <= pragma.at
                    and not function.file.text[starts : pragma.at].strip()
                    for pragma in function.file.pragmas
                )
                pipelined = any(
                    loop.function.file is function.file and loop.begin <= at < loop.end
                    for loop in loops
                )
                if not unrolled and not pipelined:
                    found.append((function.file, at))
    return found


def prepared(code: Sources, configuration: str, folder: str) -> None:
    """Write the sources so that clang emits every function, those with loops on their own."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "kinds"))
    apart = roots(code)
    loops = code.loops()
    whole = rolled(code)
    for file in code.files:
        if not os.path.exists(os.path.join(sources.SOURCE_FOLDER, file.name)):
            continue  # generated: below
        edits: List[Tuple[int, str]] = [
            (loop.begin, '_Pragma("clang loop unroll(disable)") ')
            for loop in loops
            if loop.function.file is file and loop.begin != loop.function.begin
        ]
        edits += [
            (at, '_Pragma("clang loop unroll(disable)") ') for other, at in whole if other is file
        ]
        text = file.raw
        for at, words in sorted(edits, reverse=True):
            text = text[:at] + words + text[at:]
        names = "|".join([*apart, *limited(code)]) or "-"
        text = re.sub(rf"^(?:static |inline )+(?=[^\n(]*\b(?:{names})\()",
                      "__attribute__((noinline)) ", text, flags=re.M)  # fmt: skip
        text = re.sub(r"^((?:template <[^>\n]*>\n)?)(?:static |inline )+", r"\1", text, flags=re.M)
        with open(os.path.join(folder, file.name), "w", encoding="utf-8") as stream:
            stream.write(STREAM if file.name == "stream.hpp" else text)
    import settings

    texts = {**settings.headers.engine_headers(configuration)}
    texts["fault.hpp"] = re.sub(r"(banks\)) .*", r"\1\n", rtl.FAULT, flags=re.S)
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)


def compiled(code: Sources, configuration: str, folder: str) -> str:
    """Return the LLVM IR of the engine."""
    prepared(code, configuration, folder)
    done = subprocess.run(
        ["clang-16", *FLAGS.split(), "-I.", "-x", "c++", "circnn_engine.cpp"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(
            f"error: clang-16 must compile the sources. Received:\n{done.stderr[:3000]}"
        )
    return done.stdout


def locations(text: str) -> Dict[str, Tuple[str, int]]:
    """Return file and line of every debug location."""
    files = dict(re.findall(r'^(!\d+) = !DIFile\(filename: "([^"]*)"', text, re.M))
    scopes: Dict[str, str] = {}
    parents: Dict[str, str] = {}
    for match in re.finditer(
        r"^(!\d+) = distinct !DI(?:Subprogram|LexicalBlock\w*)\((.*)\)$", text, re.M
    ):
        file = re.search(r"file: (!\d+)", match[2])
        if file:
            scopes[match[1]] = files.get(file[1], "")
        parent = re.search(r"scope: (!\d+)", match[2])
        if parent:
            parents[match[1]] = parent[1]
    for match in re.finditer(r"^(!\d+) = !DILexicalBlock\w*\((.*)\)$", text, re.M):
        file = re.search(r"file: (!\d+)", match[2])
        if file:
            scopes[match[1]] = files.get(file[1], "")
    found = {}
    for name, line, scope in re.findall(
        r"^(!\d+) = (?:distinct )?!DILocation\(line: (\d+),.*?scope: (!\d+)", text, re.M
    ):
        file_name = scopes.get(scope, "")
        found[name] = (os.path.normpath(file_name), int(line))
    return found


def loop_lines(text: str) -> Dict[str, int]:
    """Return the first line of the source of every ``!llvm.loop``."""
    found = {}
    for name, rest in re.findall(r"^(!\d+) = distinct !\{(.*)\}$", text, re.M):
        for other in re.findall(r"!\d+", rest):
            place = re.search(rf"^{other} = !DILocation\(line: (\d+)", text, re.M)
            if place:
                found[name] = int(place[1])
                break
    return found


def loop_blocks(
    function: Function, loops: Sequence[Loop], code: Dict[str, List[str]], starts: Dict[str, int]
) -> Dict[str, Set[str]]:
    """Return the blocks of each of a function's pipelined loops, by its label."""
    found: Dict[str, Set[str]] = {}
    for blocks in ir.loops(code):
        ends = [line for block in blocks for line in code[block] if "!llvm.loop" in line]
        lines = {starts.get(m) for line in ends for m in re.findall(r"!llvm\.loop (!\d+)", line)}
        for loop in loops:
            first, last = function.file.line(loop.begin), function.file.line(loop.pragma.at)
            own = any(line is not None and first <= line <= last for line in lines)
            if own and loop.label not in found:
                found[loop.label] = blocks
    return found


def emitted(functions: Dict[str, ir.IrFunction], name: str) -> ir.IrFunction:
    """Return a function of the sources in the IR."""
    for key in functions:
        if re.match(rf"(?:_ZL?)?{len(name)}{name}(?![0-9]*[a-z]*_[a-z])|{name}$", key):
            return functions[key]
    raise SystemExit(f"error: {name} must be in the IR. clang removed or renamed it.")


class Counted(NamedTuple):
    """A root function's loops and the rest of it."""

    function: Function
    loops: Dict[str, Operations]
    rest: Operations
    nested: List[str]  # pipelined loops with a loop in them that clang does not unroll


def _memories(code: Sources, function: Function) -> Set[str]:
    """Return the names behind which a function has memories: parameters that are no channels or
    jobs, and local arrays with a BIND_STORAGE pragma."""
    found = set()
    for kind, name in function.parameters:
        plain = code.plain(kind)
        job = plain.endswith("Job") or "Stream" in plain
        if not job and ("*" in kind or "[" in kind or code.holds_array(kind)):
            found.add(f"%{name}")
    for pragma in function.file.pragmas:
        if function.begin <= pragma.at < function.end:
            bound = re.match(r"BIND_STORAGE\b.*?variable\s*=\s*(\w+)", pragma.text, re.I)
            if bound:
                found.add(f"%{bound[1]}")
    return found


def _fabric(code: Sources) -> Set[str]:
    """Return file and line of every product that a BIND_OP pragma puts into fabric."""
    found = set()
    for file in code.files:
        for pragma in file.pragmas:
            bound = re.match(
                r"BIND_OP\b.*?variable\s*=\s*(\w+).*impl\s*=\s*fabric", pragma.text, re.I
            )
            if bound:
                before = file.text[: pragma.at]
                at = max(m.start() for m in re.finditer(rf"\b{bound[1]}\b[^;]*?=", before))
                first, last = file.line(at), file.line(pragma.at)
                found |= {f"{file.name}:{line}" for line in range(first, last + 1)}
    return found


def module_types(text: str) -> Dict[str, str]:
    """Return the structures that a module names, and the types of its tables, by ``@`` and name."""
    found = dict(re.findall(r"^(%[\w.\":]+) = type (.*)$", text, re.M))
    tables = r"^(@[\w.$]+) = .*?\b(?:constant|global) (\[.*?\]|%[\w.\":]+)(?: [\[{<cz]|,)"
    return {**found, **dict(re.findall(tables, text, re.M))}


def counts(code: Sources, text: str) -> Dict[str, Counted]:
    """Return the counts of every root function."""
    types = module_types(text)
    places, starts = locations(text), loop_lines(text)
    functions = ir.functions(text)
    fabric = _fabric(code)
    by_function: Dict[str, List[Loop]] = {}
    for loop in code.loops():
        by_function.setdefault(loop.function.name, []).append(loop)
    found: Dict[str, Counted] = {}
    for name, function in roots(code).items():
        body = Body(emitted(functions, name), types, _memories(code, function), fabric, places)
        loops: Dict[str, Operations] = {}
        inside: Set[str] = set()
        with_inner: List[str] = []
        own = by_function.get(name, [])
        for label, blocks in loop_blocks(function, own, body.code, starts).items():
            entries = {b for other in body.code for b in ir.successors(body.code[other])
                       if other not in blocks and b in blocks}  # fmt: skip
            loops[label] = body.count(sorted(blocks), sorted(entries))
            inside |= blocks
            if ir.nested(body.code, blocks):
                with_inner.append(label)
        missing = [loop.label for loop in own if loop.label not in loops]
        if missing:
            raise SystemExit(f"error: the loops {', '.join(missing)} of {name} must be in the IR.")
        rest = body.count([block for block in body.code if block not in inside])
        found[name] = Counted(function, loops, rest, with_inner)
    return found


# -- memories and channels --------------------------------------------------------------------------  # noqa: E501


class Memory(NamedTuple):
    """A memory: its constants are names of the sources."""

    unit: str
    name: str
    rows: str
    bits: str
    banks: str
    kind: str  # "bram", "lutram"
    reads: int = 1
    number: int = 1


MEMORIES: Tuple[Memory, ...] = (
    Memory("memories", "weights", "kWeightRows", "16", "kRow", "bram"),
    Memory("memories", "activations", "kActivationRows", "16", "kBanks", "bram"),
    Memory("memories", "spectra", "kSpectraRows", "16 * kRow", "1", "bram"),
    Memory("memories", "scales", "kChannelRows", "64", "kBeat / 4", "bram"),
    Memory("memories", "biases", "kChannelRows", "64", "kBeat / 2", "bram"),
    Memory("memories", "layers", "kMaxLayers * kLayerNumbers", "18", "1", "bram"),
    Memory("memories", "numbers", "kNumbers", "32", "1", "lutram", 2),
    Memory("memories", "saturations", "kMaxLayers + 1", "32", "1", "lutram"),
    Memory("read", "input_bytes", "256", "16 + 1", "kBeat", "lutram"),
)
"""The engine's memories."""

PARTS_OF = {"channels": ("scales", "biases")}  # of a structure of memories
IN_SIMULATION = ("trips",)  # what CIRCNN_COUNT_TRIPS adds


def check_memories(code: Sources) -> None:
    """Raise if the engine holds an array that is not among its memories."""
    listed = {m.name for m in MEMORIES}
    for name, kind in code.structures.get("Engine", {}).items():
        parts = PARTS_OF.get(name, (name,))
        if code.holds_array(kind) and name not in IN_SIMULATION and not listed.issuperset(parts):
            raise SystemExit(f"error: the engine's array {name} must be among MEMORIES")


def local_memories(code: Sources) -> List[Memory]:
    """Return the memories in distributed RAM that units have for themselves: arrays of banks with a
    BIND_STORAGE pragma, with as many copies as the announced memory has read ports."""
    found = []
    for loop in code.loops():
        function = loop.function
        ports = {access.memory: access.ram for access in code.accesses(
            loop.text, function, loop.begin)}  # fmt: skip
        for pragma in function.file.pragmas:
            bound = re.match(r"BIND_STORAGE\b.*?variable\s*=\s*([\w.]+).*\bimpl\s*=\s*(\w+)",
                             pragma.text, re.I)  # fmt: skip
            inside = function.begin <= pragma.at < function.end
            if bound is None or not inside or bound[1] not in ports:
                continue
            declared = re.search(
                rf"\b(\w+)\s+{bound[1]}\[([^\]]+)\]\[([^\]]+)\]\s*;", function.body
            )
            if declared is None:
                declared = re.search(
                    rf"\b(\w+)\s+[^;]*?\b{bound[1]}\[([^\]]+)\]\[([^\]]+)\]", function.body
                )
            ram = code.rams.get(ports[bound[1]])
            if declared is None or ram is None:
                raise SystemExit(f"error: {bound[1]} of {function.name} must be an array of banks, and "  # noqa: E501
                                 "announced with a Ram")  # fmt: skip
            kind = "lutram" if bound[2] == "lutram" else "bram"
            found.append(Memory(unit_of(function), f"{function.name}: {bound[1]}", declared[3],
                                str(code.bits(declared[1])), declared[2], kind,
                                code.value(ram[1]) or 1))  # fmt: skip
    return found


def lutram(rows: int, bits: int, reads: int = 1) -> int:
    """Return the LUT of a memory in distributed RAM with one write port (UG474).

    >>> lutram(32, 33), lutram(64, 33), lutram(16, 6)
    (24, 44, 4)
    """
    if rows <= 32:
        return 4 * -(-bits // 6) * reads
    deep = -(-rows // 64)
    choice = bits * deep // 4 if deep > 1 else 0
    return (4 * -(-bits // 3) * deep + choice) * reads


def memory_rows(code: Sources) -> List[Row]:
    """Return what the engine's memories take."""
    rows = []
    check_memories(code)
    for m in (*MEMORIES, *local_memories(code)):
        values = [code.value(text) for text in (m.rows, m.bits, m.banks)]
        if any(value is None for value in values):
            raise SystemExit(
                f"error: {m.name} must have sizes that the sources define. Received: {m}"
            )
        depth, bits, banks = values  # type: ignore[misc]
        shape = f"{banks} banks of {depth} x {bits} bits" if banks > 1 else f"{depth} x {bits} bits"
        if m.kind == "bram":
            amount = m.number * banks * ramb18(depth, bits) / 2
            rows.append(Row(m.unit, m.name, 0, 0, 0, amount, f"block RAM, {shape}"))
        else:
            lut = m.number * banks * lutram(depth, bits, m.reads)
            rows.append(Row(m.unit, m.name, 0, lut, 0, 0, f"distributed RAM, {shape}"))
    return rows


def shift_register(depth: int, bits: int) -> int:
    """Return the LUT of shift registers side by side (UG474, SLICEM: one of 32 or two of 16).

    >>> shift_register(16, 33), shift_register(17, 33), shift_register(33, 1)
    (17, 33, 2)
    """
    return -(-bits // 2) if depth <= 16 else bits * -(-depth // 32)


def channel_rows(code: Sources) -> List[Row]:
    """Return what the channels of the dataflow regions take."""
    rows = []
    for _, _, region in code.regions():
        if region is None:
            continue
        for kind, name in re.findall(r"\b(\w*Stream)\s+(\w+)\s*[(;]", region.body):
            match = re.match(r"Stream<(.*),\s*(\w+)>$", code.aliases.get(kind, ""))
            if match is None:
                raise SystemExit(f"error: {kind} must be a typedef of Stream<T, depth>")
            bits, depth = code.bits(match[1]), code.value(match[2]) or 1
            lut = shift_register(depth, bits) + 12
            method = f"SRL, {depth} x {bits} bits"
            rows.append(Row("channels", name, 0, lut, bits + 12, 0, method))
    return rows


# -- beside it: Yosys, and the lines that take most -------------------------------------------------  # noqa: E501

YOSYS_SECONDS = 600


def mapped(code: Sources, text: str, folder: str, names: Sequence[str]) -> List[str]:
    """Return what Yosys makes of one trip of each loop, as lines of a table beside the count."""
    types = module_types(text)
    constants, starts = netlist.tables(text, types), loop_lines(text)
    functions, lines = ir.functions(text), []
    by_count = counts(code, text)
    for name, counted in by_count.items():
        if names and name not in names:
            continue
        function = emitted(functions, name)
        body = ir.blocks(function.lines, function.entry)
        own = [loop for loop in code.loops() if loop.function.name == name]
        for label, blocks in loop_blocks(counted.function, own, body, starts).items():
            where = os.path.join(folder, f"{name}.{label}")
            os.makedirs(where, exist_ok=True)
            operations = counted.loops[label]
            own_lut = math.ceil(sum(operations.lut.values()))
            start = f"| {name}.{label} | {operations.dsp} | {own_lut:,} | "
            try:
                memories = _memories(code, counted.function)
                known = Body(function, types, memories)
                verilog, tables = netlist.of_loop(
                    function, blocks, types, constants, memories, known.needed, known.signed_bits
                )
            except ir.IrError as error:
                lines.append(f"{start}{error} | | |")
                continue
            with open(os.path.join(where, "trip.v"), "w", encoding="utf-8") as stream:
                stream.write(verilog)
            script = "read_verilog trip.v; synth_xilinx -family xc7 -flatten -noiopad "
            script += "-nowidelut -top trip; "
            words = ["yosys", "-q", "-p", script + "tee -o cells stat; write_json cells.json"]
            if rtl.call(words, where, "log", YOSYS_SECONDS) != 0:
                lines.append(f"{start}not within {YOSYS_SECONDS} s | | |")
            else:
                with open(os.path.join(where, "cells"), encoding="utf-8") as stream:
                    cells = rtl.read_yosys(stream.read())
                lut = int((re.search(r"LUT (\d+)", cells) or [0, 0])[1]) + tables
                dsp = int((re.search(r"DSP (\d+)", cells) or [0, 0])[1])
                with open(os.path.join(where, "cells.json"), encoding="utf-8") as stream:
                    pairs = netlist.paired(json.load(stream)["modules"]["trip"]) + tables
                lines.append(f"{start}{dsp} | {lut:,} | {pairs:,} |")
            print(lines[-1], flush=True)
    return lines


def heaviest(code: Sources, text: str, name: str, number: int = 25) -> List[str]:
    """Return the lines of the sources that take most LUT in a function."""
    types = module_types(text)
    places, function = locations(text), roots(code)[name]
    body = Body(
        emitted(ir.functions(text), name), types, _memories(code, function), _fabric(code), places
    )
    sums: Dict[Tuple[str, int], float] = {}
    files = {file.name: file.raw.split("\n") for file in code.files}
    for block, lines in list(body.code.items()):
        for line in lines:
            body.code[block] = [line]
            lut = sum(body.count([block]).lut.values())
            debug = re.search(r", !dbg (!\d+)", line)
            place = places.get(debug[1], ("", 0)) if debug else ("", 0)
            sums[place] = sums.get(place, 0.0) + lut
        body.code[block] = lines
    found = []
    for (file, line), lut in sorted(sums.items(), key=lambda item: -item[1])[:number]:
        source = files[file][line - 1].strip() if file in files and line else "(no place)"
        found.append(f"{lut:7.0f} LUT  {file}:{line}  {source[:80]}")
    return found


# -- the whole count --------------------------------------------------------------------------------  # noqa: E501


def _limit(code: Sources, function: Function) -> Optional[int]:
    for pragma in function.file.pragmas:
        if function.begin <= pragma.at < function.end:
            match = re.match(r"ALLOCATION\b.*\bmul\b.*\blimit\s*=\s*(\d+)", pragma.text, re.I)
            if match:
                return int(match[1])
    return None


def unit_of(function: Function) -> str:
    """Return the unit that a function's loops belong to."""
    return UNIT_OF_FILE.get(os.path.basename(function.file.name), "load")


def _words(products: Dict[Tuple[int, int], int]) -> str:
    return ", ".join(f"{n} of {w} x {v}" for (w, v), n in sorted(products.items()))


def operation_rows(code: Sources, text: str) -> List[Row]:
    """Return what loops take, and what stands around them."""
    rows = []
    built = instances(code)
    functions = ir.functions(text)
    types = module_types(text)
    kept = [emitted(functions, name) for name in (*roots(code), *limited(code))]
    callers = "\n".join(line for function in kept for line in function.lines)
    for name, limit in limited(code).items():
        mangled = emitted(functions, name).name
        body = Body(functions[mangled], types, _memories(code, code.functions[name][0]))
        operations = body.count(list(body.code))
        calls = len(re.findall(rf"call [^\n]*@{re.escape(mangled)}\(", callers))
        lut = math.ceil(limit * sum(operations.lut.values()) + calls * 64 / 4)
        rows.append(Row("load", name, limit * operations.dsp, lut, 128, 0,
                        f"{calls} calls share {limit}: ALLOCATION"))  # fmt: skip
    for name, counted in counts(code, text).items():
        unit = unit_of(counted.function)
        times = max(1, built.get(name, 1))
        often = f"; built {times} times" if times > 1 else ""
        for label, loop in counted.loops.items():
            what = f"loop {name}" if label == name else f"loop {name}.{label}"
            products = _words(loop.products)
            method = f"products {products}" if products else "no product"
            if label in counted.nested:
                method += "; **a loop in it is not unrolled**"
            lut = math.ceil(sum(loop.lut.values()))
            rows.append(Row(unit, what, times * loop.dsp, times * lut, times * loop.ff, 0,
                            method + often))  # fmt: skip
        rest, limit = counted.rest, _limit(code, counted.function)
        lut, dsp, method = sum(rest.lut.values()), rest.dsp, "once a layer or packet"
        number = sum(rest.products.values())
        if limit is not None and number > limit:
            widest = max(rest.products)
            dsp = limit * slices(*widest)
            lut += 2 * max(widest) * number / 4
            method = f"{number} products in {limit} multiplier: ALLOCATION"
        elif number:
            method += f"; products {_words(rest.products)}"
        if rest.divisions:
            method += f"; {rest.divisions} divisions"
        if lut >= 1 or dsp:
            what = f"around loops of {name}" if counted.loops else name
            rows.append(Row(unit, what, times * dsp, times * math.ceil(lut), times * rest.ff, 0,
                            method + often))  # fmt: skip
    return rows


def count(configuration: str, folder: str) -> List[Row]:
    """Return all rows of a configuration."""
    code = sources.engine_sources(configuration)
    text = compiled(code, configuration, folder)
    return [*operation_rows(code, text), *memory_rows(code), *channel_rows(code)]


def digest(code: Sources) -> str:
    """Return a digest of the sources as the count sees them: without comments and layout."""
    pieces = []
    for file in code.files:
        hidden = sources.read_file(file.name, file.raw)
        pieces.append(f"{file.name} {' '.join(hidden.text.split())}")
        pieces += [pragma.text for pragma in file.pragmas]
    return hashlib.sha256("\n".join(pieces).encode()).hexdigest()[:16]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table, with a sum for each unit and of all."""
    lines = ["| unit | what | DSP48E1 | LUT | FF | BRAM36 | how |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        lines.append(f"| {row.unit} | {row.what} | {row.dsp} | {row.lut:,} | {row.ff:,} | "
                     f"{row.bram36:g} | {row.method} |")  # fmt: skip
    for unit in [*dict.fromkeys(row.unit for row in rows), "all"]:
        of = [row for row in rows if unit in (row.unit, "all")]
        lines.append(f"| {unit} | **together** | {sum(r.dsp for r in of)} | "
                     f"{sum(r.lut for r in of):,} | {sum(r.ff for r in of):,} | "
                     f"{sum(r.bram36 for r in of):g} | |")  # fmt: skip
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the count of a configuration; with --write, store that of all."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--configuration", default="z2", choices=CONFIGURATIONS)
    parser.add_argument("--build", default=os.path.join(rtl.ROOT, "build", "rtl"))
    parser.add_argument("--lines", metavar="FUNCTION", help="print the lines that take most LUT")
    parser.add_argument("--yosys", nargs="*", metavar="FUNCTION",
                        help="map one trip of each loop with Yosys, beside the count")  # fmt: skip
    parser.add_argument("--write", action="store_true", help=f"store the count in {COUNTED}")
    chosen = parser.parse_args(arguments)
    if shutil.which("clang-16") is None:
        raise SystemExit("error: clang-16 must be on PATH. apt-get install clang-16.")
    base = os.path.abspath(chosen.build)
    if chosen.lines or chosen.yosys is not None:
        code = sources.engine_sources(chosen.configuration)
        text = compiled(
            code, chosen.configuration, os.path.join(base, chosen.configuration, "area")
        )
        if chosen.lines:
            print("\n".join(heaviest(code, text, chosen.lines)))
        else:
            if shutil.which("yosys") is None:
                raise SystemExit("error: yosys must be on PATH. apt-get install yosys.")
            print("| loop | DSP counted | LUT counted | DSP, Yosys | LUT, Yosys | in pairs |")
            print("| --- | --- | --- | --- | --- | --- |")
            mapped(code, text, os.path.join(base, chosen.configuration, "netlists"), chosen.yosys)
        return
    names = CONFIGURATIONS if chosen.write else (chosen.configuration,)
    found = {name: count(name, os.path.join(base, name, "area")) for name in names}
    print(f"{chosen.configuration}: operations of every trip after clang-16 -O2, by these costs:")
    for what, cost in COSTS.items():
        print(f"  {what}: {cost}")
    print("  DSP by width of the factors:", "; ".join(f"{w} x {v}: {n}" for w, v, n in SLICES))
    print(table(found[chosen.configuration]))
    if chosen.write:
        write(found)


def write(found: Dict[str, List[Row]]) -> None:
    """Store the counts for the package."""
    content = {
        "method": "counted from the code by make -C hw area",
        "margin": MARGIN,
        "digest": digest(sources.engine_sources()),
        "configurations": {
            name: [row._asdict() for row in rows] for name, rows in sorted(found.items())
        },
    }
    with open(COUNTED, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=1) + "\n")
    renew_marks(PAGE, {"evidence: units": units_table(found["z2"])})


def units_table(rows: Sequence[Row]) -> str:
    """Return what each unit takes beside what the contract's budget grants it."""
    granted = {unit["name"]: unit for unit in BUDGET["units"]}
    lines = ["| unit | DSP48E1 | BRAM36 | LUT | FF |", "| --- | --- | --- | --- | --- |"]
    for unit in [*dict.fromkeys(row.unit for row in rows), "all"]:
        own = [row for row in rows if unit in (row.unit, "all")]
        most = granted.get(unit, BUDGET["most"])
        cells = [f"{sum(getattr(r, k) for r in own):,g} of {most[k]:,}" for k in ("dsp", "bram36")]
        lut, ff = sum(r.lut for r in own), sum(r.ff for r in own)
        lines.append(f"| {unit} | {' | '.join(cells)} | {lut:,} of {most['lut']:,} | {ff:,} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
