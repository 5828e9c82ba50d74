"""The evidence from an independent HLS compiler: units in RTL."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from rtl_packets import good_and_bad, header

from pynq_circnn.simulation import build as csim_build

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "hw", "scripts"))

import rtl  # noqa: E402, isort: skip  (hw/scripts)

BAMBU = shutil.which(os.environ.get("BAMBU") or "bambu")
needs_bambu = pytest.mark.skipif(
    BAMBU is None, reason="PandA-Bambu is not on PATH: python hw/scripts/rtl.py says how to get it"
)

LOG = """
  State Transition Graph Information of function _Z15leaf_crcjjy:
    Number of states: 2
    Minimum number of cycles: 2
  State Transition Graph Information of function _Z4unitjjy:
    Number of states: 3
    Estimated number of DSPs: 4
  Total number of flip-flops in function _Z4unitjjy: 126
  Total cycles             : 5000 cycles
  Number of executions     : 500
  Average execution        : 10 cycles
"""
BENCH = "packet 0: status 0, reply equal\nbench: all equal\n"
MISMATCH = "ERROR: MDPI driver: Memory parameter 4 (1/1) mismatch with respect to gold reference.\n"
REFUSED = """
  Analyzing function _Z4unitP5LayerP5Batch
warning: variable 'x' is not used
error -> Front-end compiler returns an error during compilation 2
"""
CELLS = """
=== _Z4unit ===

   Number of cells:                890
     CARRY4                         90
     DSP48E1                         4
     FDRE                          400
     FDSE                            4
     LUT2                           50
     LUT6                          300
     RAM32M                          8
     RAMB18E1                        2
"""


def run(*words, path=None, **more):
    environment = {**os.environ, **more}
    if path is not None:
        environment["PATH"] = str(path)
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, "hw", "scripts", "rtl.py"), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_an_unknown_unit_is_an_error():
    result = run("vektor")
    assert result.returncode == 2
    assert "UNIT must be leaves, crc" in result.stderr and "Received: vektor." in result.stderr


def test_without_bambu_the_error_says_how_to_get_it(tmp_path):
    result = run("crc", path=tmp_path, BAMBU="")
    assert result.returncode == 1
    assert "bambu, clang-16, verilator must be on PATH. Get PandA-Bambu 2024.10" in result.stderr
    assert "github.com/ferrandi/PandA-bambu" in result.stderr and not result.stdout


def test_logs_are_read():
    area = "DSP 4, FF 126 (Bambu's estimate)"
    assert rtl.read_log(LOG, BENCH) == rtl.Result("", 500, 5000, 5, area)
    assert rtl.read_log(REFUSED, "").error.endswith("returns an error during compilation 2")
    assert rtl.read_log("Segmentation fault\n", "").error == "Segmentation fault"
    assert rtl.read_log("", "").error == "no output"
    assert rtl.read_log(LOG, BENCH.replace("all equal", "")).error  # it ended in between
    assert rtl.read_log(LOG + "Warning: Returned error code!\n", BENCH).error
    assert rtl.read_log(LOG, MISMATCH + BENCH).error == MISMATCH.strip()
    assert rtl.read_yosys(CELLS) == "DSP 4, FF 404, LUT 350, LUTRAM 8, BRAM18 2 (Yosys)"


def test_only_interface_pragmas_stay(tmp_path):
    rtl.prepare("vector", "tiny", str(tmp_path / "unit"))
    kept = []
    for path in (tmp_path / "unit").rglob("*.[hc]pp"):
        kept += re.findall(r"#pragma HLS (\w+)", path.read_text())
    assert set(kept) == {"INTERFACE"}
    assert rtl.drop_pragmas("int a; // #pragma HLS UNROLL\n") == "int a; // #pragma HLS UNROLL\n"


@pytest.mark.parametrize("unit", rtl.UNITS)
def test_wrapper_and_bench_name_the_unit(unit):
    texts = rtl.sources(unit)
    function, parameters = rtl.UNITS[unit]
    assert f"{function}(" in texts["unit.cpp"]
    assert texts["bench.cpp"].count("m_param_alloc(") == len(parameters.split(", "))


@pytest.mark.skipif(csim_build.unavailable() is not None, reason=str(csim_build.unavailable()))
def test_packets_are_the_same_at_every_call():
    packets = good_and_bad("tiny")
    assert header(packets, packets) == header(good_and_bad("tiny"), packets)
    assert all(len(packet) < 1024 for packet in packets)  # what a channel of the bench holds


@needs_bambu
def test_leaves_in_rtl_equal_the_sources(tmp_path):
    result = run("crc", "lane", "--build", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("equal in 500 calls") == 2


@needs_bambu
def test_rtl_that_differs_is_a_failure(tmp_path, monkeypatch):
    """Bambu defines __BAMBU_SIM__ for the C++ beside the RTL, not for what becomes RTL."""
    texts = rtl.sources("crc")
    other = "#ifdef __BAMBU_SIM__\n#define C c\n#else\n#define C c ^ (c % 256 == 3)\n#endif\n"
    other += texts["unit.cpp"].replace("b, c);", "b, C);")
    monkeypatch.setattr(rtl, "sources", lambda unit: {**texts, "unit.cpp": other})
    result = rtl.run("crc", "tiny", str(tmp_path / "crc"), BAMBU, None)
    assert "Return value mismatch with respect to gold reference" in result.error
