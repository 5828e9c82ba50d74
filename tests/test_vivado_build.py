"""The whole build with the stand-in for the vendor's tools, and its reports of missing tools."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import vivado_tools as tools

from pynq_circnn.engine.synthesised import compare
from pynq_circnn.simulation import build as csim_build

with open(
    os.path.join(tools.ROOT, "pynq_circnn", "contract", "contract.json"), encoding="utf-8"
) as file:
    CONTRACT = json.load(file)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the hardware build with a source that only the stand-in accepts."""
    ignored = shutil.ignore_patterns("__pycache__", "src", "test")
    shutil.copytree(tools.HW, tmp_path / "hw", ignore=ignored)
    contract = os.path.join("pynq_circnn", "contract")
    shutil.copytree(os.path.join(tools.ROOT, contract), tmp_path / contract, ignore=ignored)
    (tmp_path / "pynq_circnn" / "engine").mkdir()
    reports = os.path.join("pynq_circnn", "engine", "reports.py")
    shutil.copy(os.path.join(tools.ROOT, reports), tmp_path / reports)
    (tmp_path / "hw" / "src").mkdir()
    (tmp_path / "hw" / "src" / "circnn_engine.cpp").write_text(tools.SOURCE)
    return tmp_path


def _make(checkout, *words, path=None, **more):
    environment = {**os.environ, **more}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        environment.pop(name, None)
    if path is not None:
        environment["PATH"] = str(path)
    return subprocess.run(
        ["make", "-C", str(checkout / "hw"), f"PYTHON={sys.executable}", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("board", tools.settings.boards())
def test_the_whole_build(checkout, board):
    overlays = checkout / "made"
    result = _make(checkout, "standin", f"BOARD={board}", f"OVERLAYS={overlays}")
    assert result.returncode == 0, result.stdout
    assert "ip: every goal met" in result.stdout
    assert "timing: every goal met" in result.stdout
    facts = tools.settings.load(board)
    stem = overlays / "circnn.bit.d" / f"circnn.{facts['pynq_name']}"
    made = json.loads((stem.parent / (stem.name + ".json")).read_text())
    assert made["part"] == facts["part"]
    assert "stand-in" in made["tools"]["vivado"]
    assert abs(made["fclk_mhz"] - facts["fclk_mhz"]) < 0.01 * facts["fclk_mhz"]
    assert set(made["files"]) == {f"{stem.name}.bit", f"{stem.name}.hwh"}
    assert made["files"][f"{stem.name}.bit"]["bytes"] < 200  # a header and no data
    if facts["configuration"] == "z2":  # what the stand-in says of the device is of the XC7Z020
        found = compare(str(overlays / "build"), "z2", None)
        assert not found["missing"]
        assert all("stand-in" in version for version in found["versions"].values())


@pytest.mark.parametrize("step", ["csim", "ip", "bd", "bit", "timing"])
def test_single_steps(checkout, step):
    """Each step makes the files that it needs; csim needs only the sources and the test bench."""
    shutil.copytree(os.path.join(tools.HW, "test"), checkout / "hw" / "test")
    path = os.path.join(tools.STANDIN, "bin") + os.pathsep + os.environ["PATH"]
    build = checkout / "build"
    result = _make(checkout, step, f"BUILD={build}", path=path)
    assert result.returncode == 0, result.stdout
    done = {name for name in os.listdir(build) if name.endswith(".done")}
    order = ["ip", "bd", "bit", "timing"]
    wanted = ["csim"] if step == "csim" else order[: order.index(step) + 1]
    assert done == {f"{name}.done" for name in wanted}
    assert {f"{name}.log" for name in wanted} <= set(os.listdir(build))
    assert _make(checkout, "clean", f"BUILD={build}").returncode == 0
    assert not build.exists()


def test_steps_are_not_repeated(checkout):
    words = ("standin", f"OVERLAYS={checkout / 'made'}")
    first, second = (_make(checkout, *words) for _ in range(2))
    assert "bd.tcl" in first.stdout
    assert "bd.tcl" not in second.stdout
    contract = checkout / "pynq_circnn" / "contract" / "contract.json"
    contract.write_text(contract.read_text().replace('"clock_mhz": 100', '"clock_mhz": 125'))
    third = _make(checkout, *words)
    assert third.returncode == 0 and "bd.tcl" in third.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"CIRCNN_STANDIN_WNS_NS": "-0.2"}, "setup_slack_ns must not be negative. Received: -0.2."),
        ({"CIRCNN_STANDIN_II": "2"}, "II must be 1. Received: 2."),
    ],
)
def test_a_missed_goal_stops_make(checkout, more, words):
    result = _make(checkout, "standin", f"OVERLAYS={checkout / 'made'}", **more)
    assert result.returncode != 0
    assert words in result.stdout
    assert not (checkout / "made" / "circnn.bit.d").exists()


def test_a_moved_register_stops_make(checkout):
    """Eight bytes are too few for an output: the tool moves it, and the driver would misread it."""
    source = checkout / "hw" / "src" / "circnn_engine.cpp"
    detail = tools.OUTPUTS["detail"]
    source.write_text(tools.SOURCE.replace(f"offset={detail:#x}", f"offset={detail - 8:#x}"))
    result = _make(checkout, "standin", f"OVERLAYS={checkout / 'made'}")
    assert result.returncode != 0
    assert f"the register detail must lie at {detail:#04x}. Received: 0xb0." in result.stdout
    assert not list((checkout / "made").glob("build/ip.done"))


def test_a_step_that_fails_stops_make(checkout):
    script = checkout / "hw" / "tcl" / "bd.tcl"
    script.write_text(script.read_text().replace("engine/ap_rst_n", "engine/ap_reset"))
    result = _make(checkout, "standin", f"OVERLAYS={checkout / 'made'}")
    assert result.returncode != 0
    assert "no pins match 'engine/ap_reset'" in result.stdout
    assert not list((checkout / "made").glob("build/bd.done"))


def _path_without(tmp_path, *programs):
    """A PATH with only these programs and those that make and the shell need."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        "make",
        "bash",
        "sh",
        "mkdir",
        "cmp",
        "mv",
        "rm",
        "touch",
        "tee",
        "env",
        "tclsh",
        "dirname",
        "git",
        "test",
        "python3",
    ):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    for program in programs:
        (folder / program).symlink_to(os.path.join(tools.STANDIN, "bin", program))
    return folder


@pytest.mark.parametrize(
    ("programs", "words"),
    [
        ((), "Received: no vivado and no vitis-run or vitis_hls."),
        (("vitis-run",), "Received: no vivado."),
    ],
)
def test_without_the_tools_make_says_what_to_do(checkout, tmp_path, programs, words):
    result = _make(checkout, path=_path_without(tmp_path, *programs))
    assert result.returncode != 0
    assert words in result.stdout
    assert "settings64.sh" in result.stdout
    assert "Traceback" not in result.stdout


def _tools(word, path, **more):
    return subprocess.run(
        [sys.executable, os.path.join(tools.HW, "scripts", "tools.py"), word],
        env={**os.environ, "PATH": str(path), **more},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _wrapper(folder, name):
    """A program on PATH that calls the stand-in's: a symlink would not find its files."""
    (folder / name).write_text(f'#!/bin/sh\nexec {tools.STANDIN}/bin/{name} "$@"\n')
    (folder / name).chmod(0o755)


def test_versions(tmp_path):
    folder = _path_without(tmp_path)
    for name in ("vivado", "vitis_hls"):
        _wrapper(folder, name)
    assert _tools("hls", folder).stdout.strip() == "vitis_hls -f"
    _wrapper(folder, "vitis-run")
    assert _tools("hls", folder).stdout.strip() == "vitis-run --mode hls --tcl"
    for version in ("2024.1", "2022.1"):
        result = _tools("check", folder, CIRCNN_STANDIN_VERSION=version)
        assert (result.returncode, result.stderr) == (0, "")
    result = _tools("check", folder, CIRCNN_STANDIN_VERSION="2023.2")
    assert result.returncode == 0
    assert "warning: the scripts are written for Vivado 2024.1 and 2022.1" in result.stderr


def test_the_stand_in_does_not_write_into_the_repository(checkout):
    result = _make(checkout, "standin")
    assert result.returncode != 0
    assert "OVERLAYS must be a folder of your own" in result.stdout


def test_an_unknown_board(checkout):
    result = _make(checkout, "standin", "BOARD=pynq-z3", f"OVERLAYS={checkout / 'made'}")
    assert result.returncode != 0
    assert "BOARD must be one of pynq-z1, pynq-z2, zcu104. Received: 'pynq-z3'." in result.stdout


def test_settings_hold_the_address_map_to_its_rules(monkeypatch):
    settings = tools.settings
    sound = settings.load("pynq-z2")
    base = int(sound["processor"]["registers_base"], 16)
    assert [row["address"] - base for row in sound["address_map"]] == [0, 0x10000, 0x20000, 0x30000]
    for offset, extent in (("0x08000", "0x10000"), ("0x00000", "0x10000"), ("0x10000", "0x0C000")):
        design = json.loads(json.dumps(sound["design"]))
        design["address_map"][1].update(offset=offset, range=extent)
        with pytest.raises(ValueError, match="a range of the address map must be a power of two"):
            settings._address_map(sound["processor"], design)


def test_settings_agree_with_the_contract():
    design = tools.settings.load("pynq-z2")["design"]
    engine = design["engine"]
    vlnv = ":".join(engine[key] for key in ("vendor", "library", "top", "version"))
    assert vlnv == CONTRACT["engine"]["vlnv"]
    assert engine["top"] == CONTRACT["engine"]["top"]
    assert 8 * design["stream_bytes"] == CONTRACT["engine"]["stream_bits"]
    range_bytes = int(design["address_map"][0]["range"], 16)
    assert 1 << CONTRACT["engine"]["address_bits"] <= range_bytes


def test_the_readme_of_the_overlays_has_the_addresses():
    with open(os.path.join(tools.ROOT, "overlays", "README.md"), encoding="utf-8") as file:
        text = file.read()
    for row in tools.settings.load("pynq-z2")["address_map"]:
        name = row["segment"].split("/")[0]
        assert f"| `{row['address']:#010x}` | `{name}`: " in text
    lines = tools.settings.load("pynq-z2")["design"]["interrupts"]
    assert lines == ["engine/interrupt", "dma/mm2s_introut", "dma/s2mm_introut"]
    assert "0 engine, 1 DMA sent, 2 DMA received" in text
    command = ["git", "-C", tools.ROOT, "ls-files", "pynq_circnn/overlays/circnn.bit.d"]
    committed = subprocess.run(command, capture_output=True, text=True).stdout
    assert bool(committed) != ("There is no bitstream here" in text)


@pytest.mark.parametrize("step", ["csim", "ip"])
def test_the_engine_itself_passes_the_hls_steps(tmp_path, step):
    """The sources of this repository: the top function, its streams, the include folders."""
    tools.settings.write("pynq-z2", str(tmp_path))
    script = os.path.join(tools.HW, "tcl", f"{step}.tcl")
    result = tools.run(["vitis-run", "--mode", "hls", "--tcl", script], tmp_path)
    assert result.returncode == 0, result.stdout


def test_the_pragmas_put_the_registers_where_the_contract_says():
    with open(os.path.join(tools.HW, "src", "circnn_top.cpp"), encoding="utf-8") as file:
        text = file.read()
    placed = re.findall(
        r"#pragma HLS INTERFACE s_axilite port = (\w+) bundle = control offset = (0x\w+)", text
    )
    wanted = {
        row["name"]: row["offset"]
        for row in CONTRACT["engine"]["registers"]
        if row["offset"] >= 0x10 and not row["name"].endswith("_control")
    }
    assert {name: int(offset, 16) for name, offset in placed} == wanted
    assert "#pragma HLS INTERFACE s_axilite port = return bundle = control\n" in text


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_the_test_bench_of_csim_passes_under_gcc(tmp_path, board):
    compiler = csim_build.compiler()
    assert compiler, "a C++ compiler must be installed: install g++"
    tools.settings.write(board, str(tmp_path))
    folders = (os.path.join(tools.HW, "src"), os.path.join(tools.HW, "test"))
    sources = [name for folder in folders for name in glob.glob(os.path.join(folder, "*.cpp"))]
    bench = tmp_path / "bench"
    command = [compiler, "-std=c++14", *csim_build.WARNINGS, "-pthread", f"-I{folders[0]}"]
    done = subprocess.run(
        [*command, f"-I{tmp_path}", *sources, "-o", str(bench)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = subprocess.run([str(bench)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
    assert result.stdout.endswith("0 of 6 answers wrong\n")


def test_tclint():
    program = os.path.join(os.path.dirname(sys.executable), "tclint")
    if not os.path.exists(program):
        program = shutil.which("tclint")
    assert program, "tclint must be installed: pip install tclint"
    result = subprocess.run(
        [program, "-c", os.path.join(tools.HW, "tclint.toml"), tools.HW],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
