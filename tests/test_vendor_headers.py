"""The HLS sources with the types of the vendor's headers, and that synthesis sees the same ones.

``public``: ``ap_int.h`` and ``hls_stream.h`` as the PyPI package ``hls4ml`` carries them.
``standin``: our own, because the public ``ap_int.h`` cannot be compiled under ``__SYNTHESIS__``.
The package carries no ``ap_axi_sdata.h``: both take that of ``tests/vendor``.
"""

import difflib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fuzz_engine import good_packets

from pynq_circnn.contract.headers import engine_headers, write_headers
from pynq_circnn.simulation import build as csim_build
from pynq_circnn.simulation.engine import SimulatedEngine

ROOT = Path(__file__).resolve().parent.parent
HW = ROOT / "hw"
VENDOR = ROOT / "tests" / "vendor"
COMPILER = csim_build.compiler()

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler: install g++")


def public_headers():
    """Return the folder of the public headers, or None."""
    found = importlib.util.find_spec("hls4ml")
    places = found.submodule_search_locations if found else None
    folders = [Path(place, "templates", "vivado", "ap_types") for place in places or []]
    return next((str(folder) for folder in folders if (folder / "ap_int.h").is_file()), None)


def vendor_flags():
    """Return the flags that each step of the vendor's tool is given, without its folders."""
    text = (HW / "tcl" / "hls.tcl").read_text()
    flags = re.search(r'set flags "(.*)"', text).group(1)
    assert text.count("add_files") == text.count("-cflags $flags") == 2  # sources, test bench
    return re.sub(r"-I\[.*?\]", "", flags).split()


def includes(headers, contract, source=HW / "src"):
    """Return the options for the include folders; the vendor's are a system's: no warnings."""
    folders = [str(VENDOR / headers), str(VENDOR)]
    if headers == "public":
        folders.append(public_headers())
    return [f"-I{source}", f"-I{contract}", *(f"-isystem{folder}" for folder in folders)]


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    write_headers(str(folder), engine_headers("tiny"))
    return folder


@pytest.fixture(
    scope="module",
    params=[("public", False), ("standin", False), ("standin", True)],
    ids=["public", "standin", "standin-synthesis"],
)
def build(request, contract, tmp_path_factory):
    """Return a function that compiles the sources with a test bench, without a warning."""
    headers, synthesis = request.param
    if headers == "public" and public_headers() is None:
        pytest.skip("the public headers are missing: pip install --no-deps hls4ml")
    folder = tmp_path_factory.mktemp("objects")
    flags = [*vendor_flags(), *csim_build.WARNINGS, *(["-D__SYNTHESIS__"] * synthesis)]
    command = [COMPILER, *flags, *includes(headers, contract)]

    def compiled(source):
        target = folder / (source.name + ".o")
        done = subprocess.run(
            [*command, "-c", str(source), "-o", str(target)], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return str(target)

    objects = [compiled(source) for source in sorted((HW / "src").glob("*.cpp"))]

    def program(bench):
        target = str(folder / bench.stem)
        subprocess.run([COMPILER, *objects, compiled(bench), "-o", target], check=True)
        return target

    return program


def test_the_tool_is_asked_for_its_own_types():
    assert vendor_flags() == ["-std=c++14", "-DCIRCNN_VENDOR"]


def test_the_test_bench_of_csim(build):
    program = build(HW / "test" / "identify_test.cpp")
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("0 of 6 answers wrong\n")
    assert "leftover" not in done.stdout


def test_programs_and_runs_have_the_same_replies(tmp_path, build):
    program = build(VENDOR / "packets.cpp")
    packets = good_packets("tiny", pairs=8)
    engine = SimulatedEngine("tiny")
    expected = [engine.step(packet, 1 << 20) for packet in packets]
    sent, received = tmp_path / "sent", tmp_path / "received"
    length = [np.array([len(packet)], "<u8") for packet in packets]
    sent.write_bytes(b"".join(n.tobytes() + p.tobytes() for n, p in zip(length, packets)))
    done = subprocess.run([program, sent, received], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    words = np.fromfile(received, "<u8")
    for reply in expected:
        np.testing.assert_array_equal(words[1 : 1 + int(words[0])], reply)
        words = words[1 + int(words[0]) :]
    assert len(words) == 0


# -- what synthesis sees -------------------------------------------------------------------------

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\w+|\S')


def declarations(source, contract, synthesis):
    """Return what a source and its headers declare: their tokens without functions' bodies."""
    flags = [*vendor_flags(), *(["-D__SYNTHESIS__"] * synthesis)]
    command = [COMPILER, "-E", *flags, *includes("standin", contract, source.parent), str(source)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tokens, ours = [], False
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            ours = marker.group(1).startswith(str(source.parent))
        elif ours and not line.lstrip().startswith("#"):
            tokens += TOKEN.findall(line)
    assert "AxiStream" in tokens and "Engine" in tokens
    kept, depth = [], 0  # depth: of braces inside a body
    for token in tokens:
        before = next((t for t in reversed(kept) if t not in ("const", "noexcept")), "")
        if depth or (token == "{" and before == ")"):
            depth += {"{": 1, "}": -1}.get(token, 0)
            continue
        kept.append(token)
    assert depth == 0
    return kept


def differences(source, contract):
    """Return what a source declares only with, or only without ``__SYNTHESIS__``."""
    tokens = [declarations(source, contract, synthesis) for synthesis in (False, True)]
    lines = difflib.unified_diff(*tokens, lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("name", ["circnn_top.cpp", "circnn_engine.cpp"])
def test_synthesis_has_the_types_and_signatures_of_the_simulation(contract, name):
    assert differences(HW / "src" / name, contract) == []


def only_without(text):
    return f"\n#ifndef __SYNTHESIS__\n{text}\n#endif\n"


@pytest.mark.parametrize(
    ("file", "place", "change", "found"),
    [
        ("types.hpp", "struct Count {", only_without("int more;"), "int more ;"),
        ("types.hpp", "struct Count {", "int also;", ""),
        ("axi.hpp", '#include "channels.hpp"', only_without("struct More;"), "struct More ;"),
        ("fault.hpp", "#include <cstdio>", only_without("#define Word long"), "Word long"),
        ("circnn_top.cpp", "uint32_t &status,", only_without("int more,"), "int more ,"),
        ("circnn_top.cpp", "Report report;", only_without("int more = 0;"), ""),
        ("channels.hpp", "typedef ", only_without("const"), "const"),
    ],
)
def test_types_that_differ_are_found(tmp_path, contract, file, place, change, found):
    """Types that only the simulation has are found wherever they stand; other changes are not."""
    source = tmp_path / "src"
    shutil.copytree(HW / "src", source)
    text = (source / file).read_text()
    assert place in text
    (source / file).write_text(text.replace(place, place + change, 1))
    differing = {line[1:] for line in differences(source / "circnn_top.cpp", contract)}
    assert differing == set(found.split())


@pytest.mark.parametrize(
    ("pattern", "homes"),
    [
        (r"#.*__SYNTHESIS__", ["channels.hpp", "fault.hpp"]),  # there an error, here the checks
        (r"#.*CIRCNN_VENDOR|[^/\n]*(\bhls::|\bap_\w+ *<)", ["channels.hpp"]),
    ],
)
def test_one_header_chooses_the_types_and_one_the_checks(pattern, homes):
    files = [path for folder in ("src", "sim", "test") for path in (HW / folder).rglob("*.[ch]*")]
    lines = re.compile(rf"^\s*({pattern})", re.MULTILINE)
    assert sorted(path.name for path in files if lines.search(path.read_text())) == homes


def test_synthesis_without_the_vendors_types_is_refused(contract):
    command = [COMPILER, "-std=c++14", "-D__SYNTHESIS__", "-E", *includes("standin", contract)]
    source = str(HW / "src" / "circnn_top.cpp")
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode != 0
    assert "CIRCNN_VENDOR must be defined in every step of an HLS tool" in done.stderr
