"""Units of the engine made into Verilog by Bambu, an HLS compiler, and co-simulated with the C++.

::

    python3 hw/scripts/rtl.py [UNIT ...] [--configuration tiny] [--build FOLDER]

For each unit (all of them by default) it prepares a folder with the sources, a wrapper and a bench,
lets Bambu make Verilog of the unit and simulate it with Verilator, and prints one line. Leaves are
functions without loops that get random and extreme numbers. Units run inside the C++ engine, whose
packets come from ``tests/rtl_packets.py``: in every call of the unit RTL and C++ must agree, and
every reply must be the C simulation's. The exit status is 1 if a unit fails.
"""

import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

HW = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HW)
CONFIGURATIONS = ("tiny", "z2")
DEVICE = "xc7z020-1clg484-VVD"
GET = (
    "Get PandA-Bambu 2024.10 from https://github.com/ferrandi/PandA-bambu (release 2024.10, or "
    "build that tag), put its bin folder on PATH or say BAMBU=/path/to/bambu; it needs "
    "apt-get install clang-16 g++-multilib verilator, and yosys for the counts of LUT"
)
LEAVES = ("crc", "shift", "finish", "butterfly", "lane")
UNITS: Dict[str, Tuple[str, str]] = {
    "plan": (
        "plan_layer",
        "const LayerRow [kMaxLayers], uint8_t &, const Batch &, int32_t [kNumbers], Plan &",
    ),
    "reads": ("sequence_read", "const ReadJob &, ReadCommandStream &"),
    "lines": ("sequence_lines", "const LinesJob &, bool &, LineStream &"),
    "outputs": (
        "sequence_outputs",
        "const OutputsJob &, bool &, LineStream &, LaneCommandStream &",
    ),
    "results": ("sequence_results", "const ResultJob &, ResultCommandStream &"),
    "vector": (
        "vector_layer",
        "const VectorJob &, OperandStream &, TotalStream &, UpperStream &, Count &",
    ),
    "write": (
        "write_layer",
        "const uint32_t &, ResultStream &, ActivationBank [kBanks], Count &",
    ),
    "epilogue": (
        "epilogue",
        "const EpilogueJob &, const Channels &, ValueStream &, TotalStream &, "
        "UpperStream &, ResultCommandStream &, ResultStream &, Count &",
    ),
    "read": (
        "read_layer",
        "bool &, const InputBytes &, const ActivationBank [kBanks], ReadCommandStream &, AxiStream &, "  # noqa: E501
        "PacketReader &, BlockStream &, OperandStream &, Count &",
    ),
    "inverse": ("inverse_transform", "const InverseJob &, SumStream &, ValueStream &, Count &"),
    "product": (
        "product",
        "const LanesJob &, const LaneRow [kWeightRows], LaneRow [kSpectraRows], "
        "LaneCommandStream &, RowStream &, CountedStream &, SumStream &, Count &",
    ),
    "forward": ("forward_transform", "const ForwardJob &, BlockStream &, PointStream &, Count &"),
    "split": ("split_spectra", "const SplitJob &, PointStream &, RowStream &, Count &"),
    "engine": ("engine_step", "Engine &, AxiStream &, AxiStream &, Report &"),
}
"""The function of each unit, and what it takes."""

OPTIMISE = {"forward": "-O1", "engine": "-O1"}  # Bambu takes too long with what -O2 inlines
ENDED = "bench: all equal"  # the last line of a bench
SECONDS, YOSYS_SECONDS = 3600, 900
NOT_COUNTED = ("engine",)  # too large for Yosys: it did not end in 18 minutes

FAULT = (
    "#define CIRCNN_CHECK(holds, what, where)\n"
    "#define CIRCNN_IF_USED(used, word) (word)\n"
    "#define CIRCNN_ADDRESS(value) ((value) & ((1u << kAddressBits) - 1))\n"
    "#define CIRCNN_ANY_CONTENT(banks) \\\n"
    "    for (auto &bank : banks) for (auto &element : bank) element = {}\n"
)
"""What takes the place of src/fault.hpp."""


class Result(NamedTuple):
    """What became of a unit: cycles summed over `calls`, states over all functions of the RTL."""

    error: str = ""
    calls: int = 0
    cycles: int = 0
    states: int = 0
    area: str = ""


def drop_pragmas(text: str) -> str:
    """Return a source without its HLS pragmas, except those of interfaces.

    >>> drop_pragmas("#pragma HLS UNROLL\\n#pragma HLS INTERFACE axis port = a\\nint b;\\n")
    '#pragma HLS INTERFACE axis port = a\\nint b;\\n'
    """
    return re.sub(r"^[ \t]*#pragma HLS (?!INTERFACE\b).*\n", "", text, flags=re.MULTILINE)


def sources(unit: str) -> Dict[str, str]:
    """Return what is compiled for a unit: the function `unit`, which becomes RTL, and its bench.

    The wrapper takes pointers and passes what they point to; the bench's function ``rtl`` stands
    in the engine where the unit does and calls the wrapper.
    """
    if unit in LEAVES:
        top = "uint64_t unit(uint32_t a, uint32_t b, uint64_t c)"
        return {
            "unit.cpp": f'#include "leaves.hpp"\n\n{top} {{ return leaf_{unit}(a, b, c); }}\n',
            "bench.cpp": f'#define LEAF leaf_{unit}\n#include "leaf_bench.hpp"\n',
        }
    function, parameters = UNITS[unit]
    declared, hooked, passed, called, sizes = [], [], [], [], []
    for i, parameter in enumerate(parameters.split(", ")):
        kind, _, last = parameter.rpartition(" ")
        extent = last.strip("&[]")  # empty for a reference
        declared.append(f"{kind} *a{i}")
        hooked.append(f"{kind} *a{i}" if extent else f"{kind} &a{i}")
        passed.append(f"a{i}" if extent else f"*a{i}")
        called.append(f"a{i}" if extent else f"&a{i}")
        size = f"sizeof *a{i} * {extent}" if extent else f"sizeof a{i}"
        sizes.append(f"    m_param_alloc({i}, {size});\n")
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(HW, "src", "*.hpp")))
    head = "".join(f'#include "{name}"\n' for name in names if "top" not in name)
    head += "\ntypedef Word LaneRow[kRow];\ntypedef LayerNumber LayerRow[kLayerNumbers];\n\n"
    head += f"void unit({', '.join(declared)});\n"
    engine, call = '#include "circnn_engine.cpp"\n', f"{function}({', '.join(passed)});"
    if unit == "engine":
        top, use = engine, "#define STEP rtl\n"
    else:
        top, use = "", f"#define {function} rtl\n{engine}#define STEP engine_step\n"
    hook = f"static void rtl({', '.join(hooked)}) {{\n{''.join(sizes)}"
    hook += f"    unit({', '.join(called)});\n}}\n"
    return {
        "unit.hpp": head,
        "unit.cpp": f'#include "unit.hpp"\n{top}void unit({", ".join(declared)}) {{ {call} }}\n',
        "bench.cpp": f'#include <mdpi/mdpi_user.h>\n#include "unit.hpp"\n{hook}{use}'
        '#include "engine_bench.hpp"\n',
    }


def prepare(unit: str, configuration: str, folder: str, packets: Optional[str] = None) -> None:
    """Write all that Bambu needs for a unit into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "kinds"))
    for path in glob.glob(os.path.join(HW, "src", "**", "*.[hc]pp"), recursive=True):
        with open(path, encoding="utf-8") as file:
            text = drop_pragmas(file.read())
        place = os.path.join(folder, os.path.relpath(path, os.path.join(HW, "src")))
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
    for path in glob.glob(os.path.join(HW, "rtl", "*.hpp")):
        shutil.copy(path, folder)  # among them the channel in place of src/stream.hpp
    sys.path.insert(0, os.path.join(HW, "scripts"))
    import settings

    texts = {**settings.headers.engine_headers(configuration), **sources(unit)}
    texts["fault.hpp"] = FAULT
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    if packets is not None:
        shutil.copy(packets, os.path.join(folder, "packets.h"))


def command(bambu: str, unit: str, configuration: str) -> List[str]:
    """Return the call of Bambu, to be run in a folder below the unit's."""
    return [
        bambu, "../unit.cpp", "--top-fname=unit", "--generate-interface=MINIMAL",
        f"--device-name={DEVICE}", "--clock-period=10", "--compiler=I386_CLANG16",
        OPTIMISE.get(unit, "-O2"), "--std=c++14", "-U__SYNTHESIS__", "-I..", "--simulate",
        "--simulator=VERILATOR", "--generate-tb=../bench.cpp",
    ]  # fmt: skip


def read_log(log: str, bench: str) -> Result:
    """Return what the output of Bambu and of the bench say of a unit.

    Bambu may end with status 0 although RTL and C++ differ: so its output must hold no error, and
    the bench must have come to its end.
    """

    def last(pattern: str) -> int:
        found = re.findall(pattern, log)
        return int(found[-1]) if found else 0

    errors = re.findall(r"^.*(?:\berror\b|Returned error|differs).*", bench + log, re.M | re.I)
    calls, cycles = last(r"Number of executions +: (\d+)"), last(r"Total cycles +: (\d+)")
    if errors or ENDED not in bench or not calls:
        lines = [line.strip() for line in log.splitlines() if line.strip()] or ["no output"]
        return Result(error="; ".join(map(str.strip, errors[:3])) or lines[-1])

    def total(pattern: str) -> int:  # over all functions of the RTL
        return sum(map(int, re.findall(pattern, log)))

    states = total(r"Number of states: (\d+)")
    dsp = total(r"Estimated number of DSPs: (\d+)")
    registers = total(r"Total number of flip-flops in function \w+: (\d+)")
    area = f"DSP {dsp}, FF {registers} (Bambu's estimate)"
    return Result("", calls, cycles, states, area)


def _text(*path: str) -> str:
    if not os.path.exists(os.path.join(*path)):
        return ""
    with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
        return file.read()


def read_yosys(text: str) -> str:
    """Return LUT, FF, DSP and block RAM of Yosys's last ``stat``."""
    cells: Dict[str, int] = {}
    for name, count in re.findall(r"^ +([A-Z]\w+) +(\d+)$", text, re.MULTILINE):
        kinds = (
            ("LUT", r"LUT\d"),
            ("FF", r"FD[RSCP]E"),
            ("DSP", "DSP48E1"),
            ("BRAM18", "RAMB18E1"),
        )
        for kind, pattern in (*kinds, ("BRAM36", "RAMB36E1"), ("LUTRAM", r"RAM\d+[XM]\w*")):
            if re.fullmatch(pattern, name):
                cells[kind] = cells.get(kind, 0) + int(count)
    return ", ".join(f"{kind} {count}" for kind, count in cells.items()) + " (Yosys)"


def call(words: Sequence[str], folder: str, log: str, seconds: int) -> Optional[int]:
    """Run a command in a process group of its own; return its status, or None if time ran out."""
    with open(os.path.join(folder, log), "w") as file:
        process = subprocess.Popen(
            words, cwd=folder, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None


def run(unit: str, configuration: str, folder: str, bambu: str, packets: Optional[str]) -> Result:
    """Bring one unit to RTL, co-simulate it, and count its cells if Yosys is installed."""
    prepare(unit, configuration, folder, packets)
    build = os.path.join(folder, "run")
    os.makedirs(build)
    status = call(command(bambu, unit, configuration), build, "log", SECONDS)
    bench = _text(build, "HLS_output", "simulation", "testbench.log")
    result = read_log(_text(build, "log"), bench)
    if status != 0 and not result.error:
        return Result(error=f"Bambu ended with {status} (None: not within {SECONDS} s)")
    if result.error or unit in NOT_COUNTED or shutil.which("yosys") is None:
        return result
    top = re.findall(r"^module (_Z4unit\w+)", _text(build, "unit.v"), re.MULTILINE)[-1]
    script = f"read_verilog -sv -defer unit.v; hierarchy -top {top}; synth_xilinx -family xc7 "
    script += "-flatten -noiopad; tee -o cells stat"
    if call(["yosys", "-q", "-p", script], build, "yosys.log", YOSYS_SECONDS) != 0:
        return result._replace(
            area=result.area + f"; Yosys ended without cells ({YOSYS_SECONDS} s)"
        )
    return result._replace(area=read_yosys(_text(build, "cells")))


def tools(simulate: bool = True) -> str:
    """Return the path of Bambu, or end with what is missing and how to get it."""
    bambu = shutil.which(os.environ.get("BAMBU") or "bambu")
    needed = ("clang-16", "verilator") if simulate else ("clang-16",)
    missing = [name for name in needed if shutil.which(name) is None]
    if bambu is None or missing:
        absent = missing if bambu else ["bambu", *missing]
        raise SystemExit(f"error: {', '.join(absent)} must be on PATH. {GET}.")
    return os.path.abspath(bambu)


def main(arguments: Sequence[str]) -> int:
    """Run the units that the command line names; return the exit status."""
    names = (*LEAVES, *UNITS)
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("units", nargs="*", metavar="UNIT", help=", ".join(names))
    parser.add_argument("--configuration", default="tiny", choices=CONFIGURATIONS)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "rtl"))
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.units if name not in (*names, "leaves")]
    if unknown:
        parser.error(f"UNIT must be leaves, {', '.join(names)}. Received: {' '.join(unknown)}.")
    bambu = tools()
    units = [u for name in chosen.units or names for u in (LEAVES if name == "leaves" else [name])]
    base = os.path.join(os.path.abspath(chosen.build), chosen.configuration)
    os.makedirs(base, exist_ok=True)
    packets = None
    if any(unit in UNITS for unit in units):
        packets = os.path.join(base, f"packets-{os.getpid()}.h")
        maker = os.path.join(ROOT, "tests", "rtl_packets.py")
        path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
        made = subprocess.run(
            [sys.executable, maker, chosen.configuration, packets],
            env={**os.environ, "PYTHONPATH": path},
        )
        if made.returncode:
            raise SystemExit("error: the packets need the package, NumPy and g++. Say PYTHON=....")
    failed = 0
    for unit in units:
        begin = time.monotonic()
        result = run(unit, chosen.configuration, os.path.join(base, unit), bambu, packets)
        took = f"{time.monotonic() - begin:.0f} s"
        if result.error:
            failed += 1
            print(f"{unit}: FAILED ({took}): {result.error}", flush=True)
            continue
        print(
            f"{unit}: equal in {result.calls} calls, {result.cycles} cycles, {result.states} "
            f"states; {result.area} ({took})", flush=True,
        )  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
