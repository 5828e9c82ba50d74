"""Operators of the engine's loops, counted in LLVM IR, and the DSP slices that they take.

::

    python3 hw/scripts/area.py [--configuration z2] [--build FOLDER]

clang-16 -O2 compiles ``hw/src`` to LLVM IR, with every call inlined and every loop of constant
length unrolled, as the HLS pragmas ask. The loops that remain are the pipelined ones: at an
initiation interval of one, each of their multiplications is a multiplier of its own. Widths are
followed back through extensions, sums, shifts, limits and selections. Products in different
branches are all counted, although a tool may share them (the same product in two layer kinds is
two); what stands before a loop is not. A factor that is a constant below 256 makes an addition.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

import rtl

LOOPS = {  # function with the loop: names in pynq_circnn/engine/resources.py
    "load_weights": (), "read_blocks": (), "read_windows": (), "read_pairs": (),
    "forward_transform": ("forward",), "product": ("lanes",), "inverse_transform": ("inverse",),
    "vector_layer": (), "epilogue": ("scale", "slope", "table", "mean"), "write_layer": (),
}  # fmt: skip
COSTS = (  # widest factor, narrowest factor, DSP48E1 of 25 x 18 bits, signed (UG479)
    (25, 18, 1), (42, 18, 2), (35, 25, 2), (32, 32, 3), (35, 35, 4), (64, 64, 10),
)  # fmt: skip
FLAGS = (
    "-O2 -std=c++14 -fno-exceptions -fno-vectorize -fno-slp-vectorize -S -emit-llvm -o - "
    "-mllvm -inline-threshold=10000000 -mllvm -unroll-threshold=100000 "
    "-mllvm -unroll-runtime=false -mllvm -unroll-peel-max-count=0"
)
STREAM = """#ifndef CIRCNN_STREAM_HPP
#define CIRCNN_STREAM_HPP
template <typename T, int Depth> struct Stream { void write(const T &); T read(); };
#endif
"""


_LIMIT = r"(?:tail )?call i\d+ @llvm\.s(?:min|max)\.i\d+\(i\d+ (\S+), i\d+ (\S+)\)"


class Count(NamedTuple):
    """What one loop does in a trip."""

    multiplications: Dict[Tuple[int, int], int]  # by widths of the factors, the wider one first
    additions: int
    shifts: int  # by a variable amount
    selections: int
    divisions: int  # by a variable


def slices(wide: int, narrow: int) -> int:
    """Return the DSP48E1 of a multiplication.

    >>> slices(16, 16), slices(32, 16), slices(32, 32), slices(64, 64)
    (1, 2, 3, 10)
    """
    return next(cost for most, least, cost in COSTS if wide <= most and narrow <= least)


def functions(text: str) -> Dict[str, List[str]]:
    """Return the lines of every function of LLVM IR by its name without C++ mangling."""
    found = {}
    for match in re.finditer(r"^define .*?@(?:_Z\d+)?(\w+?)\(.*?\{\n(.*?)^\}", text, re.M | re.S):
        name = next((n for n in LOOPS if match[1].startswith(n)), match[1])
        found[name] = match[2].splitlines()
    return found


def blocks(lines: Iterable[str]) -> Dict[str, List[str]]:
    """Return the instructions of each basic block; the first one is called ``entry``."""
    found: Dict[str, List[str]] = {"entry": []}
    here = found["entry"]
    for line in lines:
        label = re.match(r'("?[-\w.$]+"?):', line)
        if label:
            here = found.setdefault(label[1], [])
        elif line.strip():
            here.append(line.strip())
    return found


def loops(code: Dict[str, List[str]]) -> List[Set[str]]:
    """Return the blocks of each loop, with those of the loop around it."""
    label = r'label %("?[-\w.$]+"?)'
    after = {name: set(re.findall(label, " ".join(lines))) for name, lines in code.items()}
    reached: Dict[str, Set[str]] = {}
    for name in code:
        todo, reached[name] = list(after[name]), set()
        while todo:
            block = todo.pop()
            if block not in reached[name]:
                reached[name].add(block)
                todo += after[block]
    cycles = {frozenset(b for b in reached[name] if name in reached[b]) for name in code}
    return [set(cycle) for cycle in sorted(cycles, key=len) if cycle]


def width(value: str, kind: int, made: Dict[str, str], depth: int = 8) -> int:
    """Return the bits of a signed value of `kind` bits that are known to suffice."""
    if re.fullmatch(r"-?\d+", value):
        return min(kind, int(value).bit_length() + 1)

    def of(operand: str, bits: int = kind) -> int:
        return width(operand, bits, made, depth - 1)

    text = made.get(value, "") if depth else ""
    if match := re.match(r"([sz])ext i(\d+) (\S+)", text):
        return min(kind, of(match[3], int(match[2])) + (match[1] == "z"))
    if match := re.match(r"(?:add|sub) .*?i\d+ (\S+), (\S+)", text):
        return min(kind, 1 + max(of(match[1]), of(match[2])))
    if match := re.match(r"select i1 \S+, i\d+ (\S+), i\d+ (\S+)", text):
        return max(of(match[1]), of(match[2]))
    if text.startswith("phi"):
        return max(of(operand) for operand in re.findall(r"\[ (\S+),", text))
    if match := re.match(_LIMIT, text):
        inner = re.match(_LIMIT, made.get(match[1], ""))  # limited on both sides
        return max(of(match[2]), of(inner[2] if inner else match[1]))
    if match := re.match(r"([al])shr .*?i\d+ (\S+), (\S+)", text):
        fixed = int(match[3]) if match[3].isdigit() else 0
        unsigned = match[1] == "l" and fixed > 0
        negative = match[1] == "l" and not match[2].isdigit()  # its sign may become a value
        return max(1, (kind if negative else of(match[2])) - fixed + unsigned)
    if match := re.match(r"and i\d+ \S+, (\d+)", text):
        return min(kind, int(match[1]).bit_length() + 1)
    return kind


def count(lines: Iterable[str], made: Dict[str, str]) -> Count:
    """Return the operators among instructions; `made` has all values' definitions by name."""
    products: Dict[Tuple[int, int], int] = {}
    others = {"additions": 0, "shifts": 0, "selections": 0, "divisions": 0}
    for line in lines:
        text = line.partition(" = ")[2].replace(",", " ,")
        match = re.match(r"(\w+)(?: nuw| nsw| exact)* i(\d+) (\S+) , (\S+)", text)
        constant = match is not None and re.fullmatch(r"-?\d+", match[4]) is not None
        if match and match[1] == "mul" and constant and abs(int(match[4])) < 256:
            others["additions"] += 1
        elif match and match[1] == "mul" and constant and bin(int(match[4])).count("1") == 1:
            continue  # wires
        elif match and match[1] == "mul":
            bits = [width(match[i], int(match[2]), made) for i in (3, 4)]
            key = (max(bits), min(bits))
            products[key] = products.get(key, 0) + 1
        elif match and match[1] in ("add", "sub"):
            others["additions"] += 1
        elif match and match[1] in ("shl", "lshr", "ashr") and match[4].startswith("%"):
            others["shifts"] += 1
        elif match and match[1] in ("sdiv", "udiv", "srem", "urem") and match[4].startswith("%"):
            others["divisions"] += 1
        elif re.match(r"select |(tail )?call \S+ @llvm\.[su](min|max)", text):
            others["selections"] += 1
    return Count(products, **others)


def read_ir(text: str) -> Dict[str, List[Count]]:
    """Return the counts of every pipelined loop by the function that it is in."""
    found: Dict[str, List[Count]] = {}
    for name, lines in functions(text).items():
        if name not in LOOPS:
            continue
        pairs = (line.strip().partition(" = ") for line in lines if " = " in line)
        made = {left: right for left, _, right in pairs}
        code = blocks(lines)
        for body in loops(code):
            counted = count((line for block in body for line in code[block]), made)
            if counted.multiplications or counted.additions > 3:
                found.setdefault(name, []).append(counted)
    return found


def compiled(configuration: str, folder: str) -> str:
    """Return the LLVM IR of all units."""
    rtl.prepare("engine", configuration, folder)
    for path in glob.glob(os.path.join(folder, "**", "*.hpp"), recursive=True):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"^inline ", "", file.read(), flags=re.MULTILINE)  # all are put out
        with open(path, "w", encoding="utf-8") as file:
            file.write(STREAM if os.path.basename(path) == "stream.hpp" else text)
    done = subprocess.run(
        ["clang-16", *FLAGS.split(), "-I.", "-Wno-unknown-pragmas", "-x", "c++", "unit.hpp"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"error: clang-16 must compile the sources. Received:\n{done.stderr}")
    return done.stdout


def report(counts: Dict[str, List[Count]], model: Dict[str, float]) -> str:
    """Return the table of loops, DSP slices by the count and by the model."""
    lines = [
        "| loop in | multiplications | DSP | model | additions | shifts | selections | divisions |"
    ]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    total = 0
    for name, items in LOOPS.items():
        for loop in counts.get(name, []):
            products = ", ".join(
                f"{n} of {w} x {v}" for (w, v), n in sorted(loop.multiplications.items())
            )
            dsp = sum(n * slices(w, v) for (w, v), n in loop.multiplications.items())
            total += dsp
            modelled = f"{sum(model[item] for item in items):.0f}" if items else "addresses"
            lines.append(
                f"| {name} | {products or '-'} | {dsp} | {modelled} | {loop.additions} | "
                f"{loop.shifts} | {loop.selections} | {loop.divisions} |"
            )
    lines.append(f"| all | | {total} | {sum(model.values()):.0f} (addresses "
                 f"{model['addresses']:.0f}) | | | | |")  # fmt: skip
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the count for a configuration, and Yosys's figures where `make rtl` has left some."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--configuration", default="z2", choices=rtl.CONFIGURATIONS)
    parser.add_argument("--build", default=os.path.join(rtl.ROOT, "build", "rtl"))
    chosen = parser.parse_args(arguments)
    if shutil.which("clang-16") is None:
        raise SystemExit("error: clang-16 must be on PATH. apt-get install clang-16.")
    sys.path.insert(0, rtl.ROOT)
    from pynq_circnn.engine.resources import dsp

    base = os.path.join(os.path.abspath(chosen.build), chosen.configuration)
    text = compiled(chosen.configuration, os.path.join(base, "area"))
    print(f"{chosen.configuration}: operators of one trip of each loop after clang-16 -O2;")
    print("DSP by width of the factors:", "; ".join(f"{w} x {v}: {n}" for w, v, n in COSTS))
    print(report(read_ir(text), {item.name: item.amount for item in dsp(chosen.configuration)}))
    for path in sorted(glob.glob(os.path.join(base, "..", "*", "*", "run", "cells"))):
        with open(path, encoding="utf-8") as file:
            unit, configuration = path.split(os.sep)[-3], path.split(os.sep)[-4]
            print(
                f"{unit} in {configuration}, scheduled in sequence: {rtl.read_yosys(file.read())}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
