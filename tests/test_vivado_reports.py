"""The figures read from the reports of Vitis HLS and Vivado, and those that stop a build."""

import hashlib
import json
import os
import re
import struct

import pytest
import vivado_tools as tools

import check  # isort: skip  (hw/scripts, put on the path by vivado_tools)
import manifest  # isort: skip

reports = tools.settings.reports

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vivado_samples")


def _sample(name):
    with open(os.path.join(SAMPLES, name), encoding="utf-8") as file:
        return file.read()


def test_loops():
    assert reports.loops(_sample("circnn_engine_csynth.rpt")) == [
        reports.Loop("PRODUCTS", 1, 1),
        reports.Loop("LANES", 2, 1),
        reports.Loop("DRAIN", 1, 1),
    ]
    assert reports.loops("no table at all\n") == []


def test_pipelining_results_of_the_log():
    assert reports.pipelined(_sample("ip.log")) == [
        reports.Loop("PRODUCTS", 1, 1),
        reports.Loop("butterfly", 3, 1),
        reports.Loop("DRAIN", 4, None),
        reports.Loop("?", 2, 2),
    ]


def test_synthesis():
    summary = reports.synthesis(_sample("csynth.xml"))
    assert (summary.version, summary.part) == ("2024.1", "xc7z020-clg400-1")
    assert (summary.target_ns, summary.estimated_ns) == (10.0, 7.212)
    assert summary.resources == {"BRAM_18K": 250, "DSP": 168, "FF": 30000, "LUT": 25000, "URAM": 0}


@pytest.mark.parametrize(
    "text",
    ["", "<profile/>", "<profile>", _sample("csynth.xml").replace("168", "many")],
)
def test_a_broken_synthesis_summary_is_an_error(text):
    with pytest.raises(reports.ReportError, match=r"csynth\.xml must hold"):
        reports.synthesis(text)


def test_timing():
    assert reports.timing(_sample("timing.rpt")) == reports.Timing(0.221, 0.018, 3.75, 0, True)
    missed = reports.timing(_sample("timing_missed.rpt"))
    assert missed == reports.Timing(-0.333, 0.018, 3.75, 57, False)
    unconstrained = _sample("timing.rpt").replace("  0.221", "     NA")
    assert reports.timing(unconstrained).setup_slack_ns is None


@pytest.mark.parametrize("text", ["", "WNS(ns)\n", "WNS(ns)  TNS(ns)\n-  -\n0.1  0.0\n"])
def test_a_broken_timing_report_is_an_error(text):
    with pytest.raises(reports.ReportError, match="a timing report must hold"):
        reports.timing(text)


def test_utilization():
    use = reports.utilization(_sample("utilization.rpt"))
    assert use == {
        "lut": (25358, 53200),
        "register": (42269, 106400),
        "bram36": (125.5, 140),
        "dsp": (168, 220),
    }
    use = reports.utilization(_sample("utilization_ultrascale.rpt"))
    assert use == {
        "lut": (61000, 230400),
        "register": (80000, 460800),
        "bram36": (222.5, 312),
        "uram": (48, 96),
        "dsp": (640, 1728),
    }


def test_a_utilization_report_without_a_table_is_an_error():
    with pytest.raises(reports.ReportError, match="must list dsp"):
        reports.utilization(_sample("utilization.rpt").replace("| DSPs ", "| Other"))


def test_registers():
    found = reports.registers(_sample("xcircnn_engine_hw.h"), "circnn_engine", "control")
    assert [found[name] for name in ("AP_CTRL", "GIE", "IER", "ISR")] == [0, 4, 8, 12]
    assert (found["STATUS_DATA"], found["STATUS_CTRL"], found["DETAIL_DATA"]) == (16, 20, 32)
    assert len(found) == 4 + 2 * 10


@pytest.mark.parametrize("text", ["", _sample("xcircnn_engine_hw.h").replace("CONTROL", "CTRL")])
def test_a_header_without_registers_is_an_error(text):
    with pytest.raises(reports.ReportError, match="must define XCIRCNN_ENGINE_CONTROL_ADDR_"):
        reports.registers(text, "circnn_engine", "control")


# ---- a whole build folder ------------------------------------------------------------------------


def _bit(
    design="circnn_wrapper;UserID=0XFFFFFFFF;Version=2024.1", part="7z020clg400", data=b"1234"
):
    out = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for letter, text in zip(b"abcd", (design, part, "2026/01/02", "03:04:05")):
        word = text.encode("ascii") + b"\0"
        out += bytes([letter]) + struct.pack(">H", len(word)) + word
    return out + b"e" + struct.pack(">I", len(data)) + data


HEADER = "hls/solution1/impl/ip/drivers/circnn_engine_v1_0/src/xcircnn_engine_hw.h"
HWH = '<M><PARAMETER NAME="PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ" VALUE="{}"/></M>'


@pytest.fixture
def build(tmp_path):
    """A finished build: the samples, without the loop and the function that missed."""
    report = tmp_path / "hls" / "solution1" / "syn" / "report"
    report.mkdir(parents=True)
    text = _sample("circnn_engine_csynth.rpt").replace(
        "         2|          1|", "         1|          1|"
    )
    (report / "circnn_engine_csynth.rpt").write_text(text)
    (report / "csynth.xml").write_text(_sample("csynth.xml"))
    (tmp_path / "ip.log").write_text(_sample("ip.log").replace("Final II = 3", "Final II = 1"))
    (tmp_path / HEADER).parent.mkdir(parents=True)
    (tmp_path / HEADER).write_text(_sample("xcircnn_engine_hw.h"))
    for name in ("timing.rpt", "utilization.rpt"):
        (tmp_path / name).write_text(_sample(name))
    run = tmp_path / "vivado" / "circnn.runs" / "impl_1"
    run.mkdir(parents=True)
    (run / "circnn_wrapper.bit").write_bytes(_bit())
    handoff = tmp_path / "vivado" / "circnn.gen" / "sources_1" / "bd" / "circnn" / "hw_handoff"
    handoff.mkdir(parents=True)
    (handoff / "circnn.hwh").write_text(HWH.format("100.000000"))
    return tmp_path


def test_a_sound_build_passes(build, capsys):
    check.main(["ip", str(build)])
    check.main(["timing", str(build)])
    assert capsys.readouterr().out == "ip: every goal met\ntiming: every goal met\n"


def _missed(build, step):
    with pytest.raises(SystemExit) as stopped:
        check.main([step, str(build)])
    return str(stopped.value)


def test_a_missed_ii_stops_the_build(build):
    name = "circnn_engine_csynth.rpt"
    (build / "hls" / "solution1" / "syn" / "report" / name).write_text(_sample(name))
    assert "circnn_engine: LANES: II must be 1. Received: 2." in _missed(build, "ip")


def test_a_function_whose_ii_only_the_log_tells_stops_the_build(build):
    (build / "ip.log").write_text(_sample("ip.log"))
    assert "butterfly: II must be 1. Received: 3." in _missed(build, "ip")


def test_a_slow_engine_stops_the_build(build):
    path = build / "hls" / "solution1" / "syn" / "report" / "csynth.xml"
    path.write_text(_sample("csynth.xml").replace("7.212", "10.5"))
    assert "the engine's clock must reach 10.0 ns. Received: 10.5 ns" in _missed(build, "ip")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "SATURATIONS_DATA +0x40",
            "SATURATIONS_DATA 0xb0",
            "the register saturations must lie at 0x40. Received: 0xb0.",
        ),
        (
            "VERSION_CTRL +0x94",
            "VERSION_CTRL 0x98",
            "the register version_control must lie at 0x94. Received: 0x98.",
        ),
        ("ISR ", "IRS ", "the register interrupt_status must lie at 0x0c. Received: none."),
        ("ISR ", "IRS ", "the register IRS at 0x0c must be in the contract."),
    ],
)
@pytest.mark.parametrize("folder", ["ip", "misc"])
def test_a_moved_register_stops_the_build(build, folder, old, new, words):
    text, count = re.subn(f"_ADDR_{old}", f"_ADDR_{new}", _sample("xcircnn_engine_hw.h"))
    assert count == 1
    (build / HEADER).unlink()
    path = build / HEADER.replace("/ip/", f"/{folder}/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    said = _missed(build, "ip")
    assert words in said
    assert "xcircnn_engine_hw.h" in said and "hw/src/circnn_top.cpp" in said


def test_a_build_without_the_generated_header_does_not_pass(build):
    (build / HEADER).unlink()
    assert "the step ip must leave xcircnn_engine_hw.h" in _missed(build, "ip")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (" 0.221", "-0.001", "setup_slack_ns must not be negative. Received: -0.001."),
        (" 0.018 ", "-0.200 ", "hold_slack_ns must not be negative. Received: -0.2."),
        ("  0.221", "     NA", "setup_slack_ns must be known. Received: none"),
        (" 3.750", "-1.000", "pulse_width_slack_ns must not be negative. Received: -1.0."),
        ("All user specified timing constraints are met.", "", "must say that all timing"),
    ],
)
def test_missed_timing_stops_the_build(build, old, new, words):
    (build / "timing.rpt").write_text(_sample("timing.rpt").replace(old, new, 1))
    assert words in _missed(build, "timing")


def test_missing_reports_are_an_error_not_a_pass(build):
    (build / "timing.rpt").unlink()
    assert "the build must have left" in _missed(build, "timing")
    for path in (build / "hls" / "solution1" / "syn" / "report").iterdir():
        path.unlink()
    assert "C synthesis must leave reports" in _missed(build, "ip")


def test_the_manifest(build, tmp_path):
    overlays = tmp_path / "overlays"
    manifest.main(["pynq-z2", str(build), str(overlays)])
    folder = overlays / "circnn.bit.d"
    assert sorted(os.listdir(folder)) == [
        "circnn.Pynq-Z2.bit",
        "circnn.Pynq-Z2.hwh",
        "circnn.Pynq-Z2.json",
    ]
    made = json.loads((folder / "circnn.Pynq-Z2.json").read_text())
    assert (made["format"], made["board"], made["part"]) == (1, "pynq-z2", "xc7z020clg400-1")
    assert made["configuration"] == "z2"
    assert made["configuration_digest"] == tools.settings.load("pynq-z2")["configuration_digest"]
    assert made["fclk_mhz"] == 100
    assert made["tools"] == {"vivado": "2024.1", "vitis_hls": "2024.1"}
    assert made["timing"]["setup_slack_ns"] == 0.221
    assert made["utilization"]["dsp"] == {"used": 168, "available": 220}
    assert made["hls"]["pipelined_loops"] == 7
    assert set(made["git"]) == {"revision", "changed"}
    for name, facts in made["files"].items():
        data = (folder / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _refused(build, overlays, board="pynq-z2"):
    with pytest.raises(SystemExit) as stopped:
        manifest.main([board, str(build), str(overlays)])
    assert not overlays.exists()
    return str(stopped.value)


def test_no_overlay_of_a_build_that_missed_a_goal(build, tmp_path):
    (build / "timing.rpt").write_text(_sample("timing_missed.rpt"))
    words = _refused(build, tmp_path / "overlays")
    assert "Received: -0.333." in words
    assert "Nothing was put into the overlays." in words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_bit(part="7z010clg400"), "must be for xc7z020clg400-1. Received: one for 7z010clg400."),
        (b"", "must be a .bit file"),
        (b"no bitstream", "must be a .bit file"),
        (_bit()[:-1], "4 bytes announced, 3 there"),
    ],
)
def test_no_overlay_of_a_wrong_bitstream(build, tmp_path, data, words):
    (build / "vivado" / "circnn.runs" / "impl_1" / "circnn_wrapper.bit").write_bytes(data)
    assert words in _refused(build, tmp_path / "overlays")


@pytest.mark.parametrize("mhz", ["66.666667", "nan"])
def test_no_overlay_with_another_clock(build, tmp_path, mhz):
    next(build.glob("vivado/*.gen/**/circnn.hwh")).write_text(HWH.format(mhz))
    assert "the clock must be within 1 % of 100 MHz" in _refused(build, tmp_path / "overlays")


def test_no_overlay_without_a_bitstream(build, tmp_path):
    (build / "vivado" / "circnn.runs" / "impl_1" / "circnn_wrapper.bit").unlink()
    assert "must have left the bitstream" in _refused(build, tmp_path / "overlays")


def test_what_the_stand_in_made_does_not_enter_the_repository(build):
    bit = build / "vivado" / "circnn.runs" / "impl_1" / "circnn_wrapper.bit"
    bit.write_bytes(_bit(design="circnn_wrapper;Version=2024.1 stand-in"))
    made = manifest.collect("pynq-z2", str(build))
    assert made["tools"]["vivado"] == "2024.1 stand-in"
    with pytest.raises(reports.ReportError, match="must come from Vivado"):
        manifest.write(made, os.path.join(tools.ROOT, "overlays"))
