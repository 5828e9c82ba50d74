"""The reports of a synthesis beside the model: what is found, compared, and refused."""

import json
import os
import re
import shutil

import pytest
from test_estimate import quantised

from pynq_circnn import layers as L
from pynq_circnn import load_model
from pynq_circnn.commands import cli
from pynq_circnn.contract import CONFIGURATIONS, UNITS
from pynq_circnn.engine import reports, resources
from pynq_circnn.engine.cycles import LOOPS, at_intervals, batch_cycles
from pynq_circnn.engine.estimate import estimate
from pynq_circnn.engine.synthesised import SOUGHT, compare
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.packets import batch_samples

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "vivado_samples")


def _sample(name):
    with open(os.path.join(SAMPLES, name), encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def build(tmp_path):
    """A folder like that of make -C hw, with the samples at their places."""
    report = tmp_path / "hls" / "solution1" / "syn" / "report"
    report.mkdir(parents=True)
    names = ("csynth.xml", "circnn_engine_csynth.rpt", "forward_transform_csynth.rpt",
             "multiply_csynth.rpt")  # fmt: skip
    for name in names:
        shutil.copy(os.path.join(SAMPLES, name), report)
    for name in ("ip.log", "timing.rpt", "utilization.rpt"):
        shutil.copy(os.path.join(SAMPLES, name), tmp_path)
    hidden = tmp_path / "hls" / "solution1" / ".autopilot" / "db"
    hidden.mkdir(parents=True)
    (hidden / "csynth.xml").write_text("a working copy of the tool")
    return tmp_path


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _figures(found):
    return {row["figure"]: (row["model"], row["report"]) for row in found["figures"]}


def test_figure_by_figure(build):
    found = compare(str(build), "z2", 1000)
    model = resources.resources("z2")
    used = {kind: values["used"] for kind, values in model.items()}
    assert _figures(found) == {
        "DSP, C synthesis": (used["dsp"], 168), "BRAM36, C synthesis": (used["bram36"], 125),
        "LUT, C synthesis": (used["lut"], 25000), "FF, C synthesis": (used["ff"], 30000),
        "clock period, target (ns)": (10, 10), "clock period, estimated (ns)": (10, 7.212),
        "DSP, routed design": (used["dsp"], 168), "BRAM36, routed design": (used["bram36"], 125.5),
        "LUT, routed design": (used["lut"], 25358), "FF, routed design": (used["ff"], 42269),
        "setup slack, WNS (ns)": (None, 0.221),
        "clock period, routed (ns)": (10, pytest.approx(9.779)),
    }  # fmt: skip
    for row in found["figures"]:
        assert row["ratio"] == (row["report"] / row["model"] if row["model"] else None)
        assert not row["missed"] and os.path.exists(row["source"])
    assert found["missing"] == []
    assert found["versions"] == {"Vitis HLS": "2024.1", "Vivado": "2024.1"}
    assert found["notes"] == ["csynth.xml states no latency: it depends on the packet"]


def test_loops_and_their_units(build):
    found = compare(str(build), "z2", None)
    rows = {row["loop"]: row for row in found["loops"]}
    forward = rows["forward_transform: forward"]
    assert (forward["unit"], forward["model"], forward["report"]) == ("forward", 1, 2)
    assert forward["differs"] and forward["depth"] == 9
    product = rows["multiply: product"]
    assert product["unit"] == "product" and not product["differs"] and product["depth"] == 8
    assert rows["butterfly"]["differs"] and rows["butterfly"]["unit"] is None  # from the log
    assert "PRODUCTS" not in rows, "a loop that its module's report has is not taken from the log"
    assert found["intervals"] == {"forward": 2, "product": 1}


def test_loops_of_csynth_xml_where_there_are_no_modules(tmp_path):
    shutil.copy(os.path.join(SAMPLES, "csynth_loops.xml"), tmp_path / "csynth.xml")
    found = compare(str(tmp_path), "z2", 1000)
    assert found["intervals"] == {"product": 3}
    assert [row["loop"] for row in found["loops"]] == ["reply", "product"]
    figures = _figures(found)
    assert figures["latency, best case (cycles)"] == (1000, 30)
    assert figures["latency, worst case (cycles)"] == (1000, 9000)
    names = [row["names"][0] for row in found["missing"]]
    assert names == ["*_csynth.rpt", "ip.log", "timing.rpt", "utilization.rpt"]


def test_the_units_loops_are_those_of_the_sources():
    """Every label of the map is a loop that the sources pipeline at an interval of one."""
    folder = os.path.join(HERE, "..", "hw", "src")
    text = ""
    for name in sorted(os.listdir(folder)):
        if name.endswith(("pp", "h")):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text += file.read()
    loop = r"^ *(\w+):\n *(?:for|while) \([^\n]*\{\n#pragma HLS PIPELINE II = %d$"
    loops = re.findall(loop % 1, text, re.M)
    assert set(LOOPS) == {*UNITS, "input", "weights", "output"}
    assert {label for labels in LOOPS.values() for label in labels} <= set(loops)
    others = {"bytes", "copy", "plan", "drain", "reply"}
    assert set(loops) - others == {label for labels in LOOPS.values() for label in labels}
    # a line of windows takes longer than the steps to the next
    assert re.findall(loop % 6, text, re.M) == ["lines"]
    assert text.count("#pragma HLS PIPELINE") == len(loops) + 1


# -- cycles -------------------------------------------------------------------------------------


def _batch(name):
    program = compile_program(load_model(name).network, "z2")
    return batch_cycles(program, batch_samples(program), True)


@pytest.mark.parametrize("name", ["digits", "mnist_mlp", "mnist_cnn"])
def test_cycles_at_other_intervals(name):
    batch = _batch(name)
    assert at_intervals(batch, {}) == batch
    assert at_intervals(batch, dict.fromkeys(UNITS, 1)) == batch
    slower = at_intervals(batch, {"product": 3})
    for layer, was in zip(slower.layers, batch.layers):
        assert layer.trips["product"] == 3 * was.trips["product"]
        more = max(0, 3 * was.trips["product"] - max(was.trips.values()))
        assert layer.cycles == was.cycles + more
        assert not more or layer.bottleneck == "product"
    moved = at_intervals(batch, {"input": 2, "output": 5}).moves
    assert moved["input"] == 2 * batch.moves["input"]
    assert moved["output"] == 5 * batch.moves["output"]


def test_the_reader_of_a_layer_is_its_own_loop():
    batch = _batch("mnist_cnn")
    assert {layer.reader for layer in batch.layers} == {"blocks", "windows"}
    slower = at_intervals(batch, {"windows": 50})
    for layer, was in zip(slower.layers, batch.layers):
        assert (layer.cycles > was.cycles) == (layer.reader == "windows")


def test_the_cycles_take_the_reports_intervals_and_a_missed_clock(build):
    network = load_model("mnist_mlp").network
    modelled = estimate(network)
    report = estimate(network, reports=str(build))
    cycles = report["synthesis"]["cycles"]
    batch = at_intervals(_batch("mnist_mlp"), {"forward": 2})
    samples = modelled["batch_samples"]
    assert cycles["steady_cycles"] == batch.cycles / samples > modelled["steady_cycles"]
    assert cycles["latency_cycles"] > modelled["latency_cycles"]
    assert cycles["images_per_s"] == pytest.approx(100e6 / cycles["steady_cycles"])
    assert "inverse" in cycles["as_designed"] and "forward" not in cycles["as_designed"]
    without = {key: value for key, value in report.items() if key != "synthesis"}
    assert without == modelled, "the model's own figures stay"
    shutil.copy(os.path.join(SAMPLES, "timing_missed.rpt"), build / "timing.rpt")
    missed = estimate(network, reports=str(build))["synthesis"]
    assert missed["period_ns"] == pytest.approx(10.333)
    assert missed["cycles"]["clock_mhz"] == pytest.approx(1e3 / 10.333)
    assert missed["cycles"]["images_per_s"] < cycles["images_per_s"]
    assert {row["figure"] for row in missed["figures"] if row["missed"]} == {
        "setup slack, WNS (ns)", "clock period, routed (ns)",
    }  # fmt: skip


def test_a_bottleneck_that_the_report_moves(build):
    path = build / "hls" / "solution1" / "syn" / "report" / "forward_transform_csynth.rpt"
    _edit(path, "          2|          1|", "         40|          1|")
    cycles = estimate(load_model("mnist_mlp").network, reports=str(build))["synthesis"]["cycles"]
    assert cycles["bottleneck"] == "forward"


def test_without_a_known_loop_the_cycles_stay(tmp_path):
    shutil.copy(os.path.join(SAMPLES, "csynth.xml"), tmp_path)
    report = estimate(load_model("digits").network, reports=str(tmp_path))
    assert report["synthesis"]["cycles"] is None and report["synthesis"]["intervals"] == {}


def test_slack_of_an_unconstrained_design(build):
    _edit(build / "timing.rpt", "      0.221", "         NA")
    found = compare(str(build), "z2", None)
    assert found["period_ns"] is None
    assert any("states no setup slack" in note for note in found["notes"])


# -- the command --------------------------------------------------------------------------------


def test_the_command(build, capsys):
    assert cli.main(["estimate", "mnist_cnn", "--reports", str(build)]) == 0
    text = capsys.readouterr().out
    assert f"reports of {build} (Vitis HLS 2024.1, Vivado 2024.1)" in text
    rows = {line.split("  ")[1]: line.split() for line in text.splitlines() if line[:2] == "  "}
    used = resources.resources("z2")["dsp"]["used"]
    assert rows["DSP, C synthesis"][-2:] == ["168", f"{168 / used:.2f}"]
    assert "interval of forward_transform: forward" in text
    assert re.search(r"forward +1 +2 +2\.00  <- differs, in the cycles below\n", text)
    assert re.search(r"LANES +1 +2 +2\.00  <- differs, in no figure of cycles\n", text)
    assert "cycles with the report's intervals: at least " in text
    assert "counted at an interval of 1: read, " in text and "not found" not in text
    assert cli.main(["estimate", "mnist_cnn", "--reports", str(build), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthesis"]["intervals"] == {"forward": 2, "product": 1}


def test_the_names_of_what_is_missing(build, capsys):
    shutil.rmtree(build / "hls")
    (build / "ip.log").unlink()
    assert cli.main(["estimate", "digits", "--reports", str(build)]) == 0
    text = capsys.readouterr().out
    assert "not found: csynth.xml (resources, clock and latency of the C synthesis)\n" in text
    assert "not found: *_csynth.rpt (loops, with their initiation intervals)\n" in text
    assert "the cycles stay as modelled" in text


def test_the_files_of_a_vivado_run(tmp_path):
    shutil.copy(os.path.join(SAMPLES, "timing.rpt"),
                tmp_path / "circnn_wrapper_timing_summary_routed.rpt")  # fmt: skip
    shutil.copy(os.path.join(SAMPLES, "utilization.rpt"),
                tmp_path / "circnn_wrapper_utilization_placed.rpt")  # fmt: skip
    found = compare(str(tmp_path), "z2", None)
    assert len(found["figures"]) == 6 and found["versions"] == {"Vivado": "2024.1"}


def test_a_model_that_does_not_fit_is_compared_without_cycles(build):
    network = quantised([L.Input("x", (), (4096,)), L.Dense("d", ("x",), units=2048)])
    report = estimate(network, reports=str(build))
    assert not report["fits"] and report["synthesis"]["cycles"] is None
    assert _figures(report["synthesis"])["DSP, C synthesis"][1] == 168


def _refused(capsys, folder, *more):
    assert cli.main(["estimate", "digits", "--reports", str(folder), *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "Received: " in captured.err
    return captured.err


def test_no_reports(tmp_path, capsys):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "notes.txt").write_text("nothing of interest")
    (tmp_path / "ip.log").write_text("a log without a loop\n")
    said = _refused(capsys, tmp_path)
    assert f"{tmp_path} must hold a report of Vitis HLS or Vivado. Received: none" in said
    assert all(name in said for kind in SOUGHT.values() for name in kind.names)


def test_no_folder(tmp_path, capsys):
    assert "must be in a folder" in _refused(capsys, tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "must be in a folder" in _refused(capsys, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("csynth.xml", "</profile>", "", "must hold the summary of a synthesis"),
        ("csynth.xml", "168", "many", "must hold the summary of a synthesis"),
        ("csynth.xml", "circnn_engine", "another_design", "must be of circnn_engine. Received: an"),
        ("csynth.xml", "xc7z020-clg400-1", "xc7z010-clg400-1", "must be for xc7z020clg400-1"),
        ("csynth.xml", "DSP>", "DSP48E>", "DSP48E, FF, LUT, URAM from version 2024.1"),
        ("multiply_csynth.rpt", "HLS Report for", "Report on", "must begin with the title"),
        ("multiply_csynth.rpt", "== Utilization", "== ", 'section "Utilization Estimates"'),
        ("timing.rpt", "WHS(ns)", "other", "must hold the design timing summary"),
        ("timing.rpt", " 0.221", " 0,221", "a figure must be a number"),
        ("utilization.rpt", "| DSPs ", "| Other", "must list dsp"),
        ("utilization.rpt", "25358", "2535?", "a figure must be a number"),
        (
            "utilization.rpt",
            "     53200",
            "    230400",
            "with 53200 LUTs. Received: one for a part",
        ),
    ],
)
def test_damaged_and_foreign_reports(build, capsys, name, old, new, words):
    (path,) = (path for path in build.rglob(name) if ".autopilot" not in str(path))
    _edit(path, old, new)
    said = _refused(capsys, build)
    assert words in said and str(path) in said


def test_another_board(build, capsys):
    said = _refused(capsys, build, "--board", "zcu104")
    assert CONFIGURATIONS["zcu104"]["part"] in said and "--board" in said


def test_several_solutions(build, capsys):
    shutil.copytree(build / "hls" / "solution1", build / "hls" / "solution2")
    assert compare(str(build), "z2", None)["files"], "equal copies are one report"
    _edit(build / "hls" / "solution2" / "syn" / "report" / "csynth.xml", "168", "170")
    said = _refused(capsys, build)
    assert "must hold one csynth.xml" in said and "solution1" in said and "solution2" in said
    for path in build.rglob("csynth.xml"):
        path.unlink()
    assert "must hold the *_csynth.rpt of one synthesis" in _refused(capsys, build)


def test_another_version_is_named(build, capsys):
    path = build / "hls" / "solution1" / "syn" / "report" / "csynth.xml"
    _edit(path, "<Version>2024.1", "<Version>2031.2")
    assert cli.main(["estimate", "digits", "--reports", str(build)]) == 0
    text = capsys.readouterr().out
    assert "note: the reports are read as Vitis HLS 2022.1 and 2024.1 write them" in text
    assert "version 2031.2" in text


# -- the parsers beside the build's -------------------------------------------------------------


def test_periods_and_the_tools_version():
    assert reports.periods(_sample("timing.rpt")) == {"clk_fpga_0": 10.0}
    assert reports.periods("nothing") == {}
    assert reports.tool_version(_sample("timing.rpt")) == "2024.1"
    assert reports.tool_version("nothing") == "unknown"


def test_module_and_depths():
    text = _sample("forward_transform_csynth.rpt")
    assert reports.module(text) == "forward_transform" and reports.depths(text) == {"forward": 9}


def test_latency_and_loops_of_csynth_xml():
    assert reports.synthesis(_sample("csynth.xml")).latency is None
    assert reports.synthesis_loops(_sample("csynth.xml")) == []
    summary = reports.synthesis(_sample("csynth_loops.xml"))
    assert summary.latency == (30, 9000) and summary.top == "circnn_engine"
    assert reports.synthesis_loops(_sample("csynth_loops.xml")) == [
        reports.Loop("reply", 1, None), reports.Loop("product", 3, None),
    ]  # fmt: skip
