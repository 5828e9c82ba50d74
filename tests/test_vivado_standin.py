"""The block design in the stand-in for Vivado: the sound one passes, every class of fault fails."""

import os
import re
import xml.etree.ElementTree as ElementTree

import pytest
import vivado_tools as tools

reports = tools.settings.reports
BD = os.path.join(tools.HW, "tcl", "bd.tcl")


def _swap(old, new):
    def edit(text):
        assert old in text, f"the fault must change the script: {old!r} is not in it"
        return text.replace(old, new)

    return edit


def _replace(old, new):
    return lambda text: text.replace(old, new)


def _same(text):
    return text


def _design(build, script=_same, options=_same):
    tools.prepare(build, edit=options)
    with open(BD, encoding="utf-8") as file:
        (build / "bd.tcl").write_text(script(file.read()))
    return tools.vivado(build, build / "bd.tcl")


def test_the_design_is_sound(tmp_path):
    result = _design(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "CRITICAL" not in result.stdout
    assert tools.handoff(tmp_path).stat().st_size > 100_000


FAULTS = {
    "unknown command": (
        _swap("save_bd_design\n", "save_bd_desing\n"),
        _same,
        "invalid command name",
    ),
    "unknown option": (
        _swap("create_project -force", "create_project -froce"),
        _same,
        "an option of create_project must be one of",
    ),
    "unknown IP": (_swap("ip:axi_dma ", "ip:axi_dna "), _same, "must hold one current version"),
    "unknown parameter": (
        _swap("C_IRQ_CONNECTION", "C_IRQ_CONECTION"),
        _same,
        "must be in the catalogue",
    ),
    "value that is not allowed": (
        _same,
        _swap("{c_sg_length_width} {26}", "{c_sg_length_width} {27}"),
        "c_sg_length_width of dma must be one of: 8..26",
    ),
    "unknown part": (_same, _swap("xc7z020clg400-1", "xc7z020clg484-1"), "the part must be one of"),
    "unknown pin": (
        _swap("engine/ap_clk", "engine/ap_clock"),
        _same,
        "no pins match 'engine/ap_clock'",
    ),
    "unknown interface": (
        _swap("dma/M_AXIS_MM2S engine/in_stream", "dma/M_AXIS_MM2S engine/stream_in"),
        _same,
        "no buses match 'engine/stream_in'",
    ),
    "no clock": (_swap("engine/ap_clk dma", "dma"), _same, "engine/ap_clk has no clock"),
    "no reset": (
        _swap("connect engine_resetter/peripheral_aresetn engine/ap_rst_n", ""),
        _same,
        "engine/ap_rst_n has no reset",
    ),
    "reset of the wrong polarity": (
        _swap("engine_resetter/peripheral_aresetn", "engine_resetter/peripheral_reset"),
        _same,
        "differ in polarity",
    ),
    "reset of another clock": (
        _swap(
            "resetter/slowest_sync_clk engine_resetter/slowest_sync_clk",
            "engine_resetter/slowest_sync_clk",
        ),
        _same,
        "but its reset resetter/peripheral_aresetn at ''",
    ),
    "interface left open": (
        _swap("connect engine/out_stream dma/S_AXIS_S2MM", ""),
        _same,
        "interface engine/out_stream is not connected",
    ),
    "ends that do not fit": (
        _swap("engine/out_stream dma/S_AXIS_S2MM", "engine/out_stream dma/S_AXI_LITE"),
        _same,
        "must join a master and a slave of one kind",
    ),
    "interface connected twice": (
        _swap(
            "connect engine/out_stream dma/S_AXIS_S2MM",
            "connect engine/out_stream dma/S_AXIS_S2MM dma/S_AXIS_S2MM",
        ),
        _same,
        "must be connected once",
    ),
    "streams of different width": (
        _same,
        _swap("{c_s_axis_s2mm_tdata_width} {64}", "{c_s_axis_s2mm_tdata_width} {32}"),
        "stream engine/out_stream is 64 bits wide but dma/S_AXIS_S2MM 32",
    ),
    "two drivers": (
        _swap(
            "connect engine_reset/gpio_io_o",
            "connect resetter/peripheral_aresetn engine/ap_rst_n\nconnect engine_reset/gpio_io_o",
        ),
        _same,
        "a net must have one driver",
    ),
    "clock domains": (
        _swap(
            "engine/ap_clk dma/s_axi_lite_aclk",
            "engine/ap_clk\nconnect processor/FCLK_CLK1 dma/s_axi_lite_aclk",
        ),
        _swap(
            "{PCW_EN_CLK0_PORT} {1}",
            "{PCW_EN_CLK0_PORT} {1} {PCW_EN_CLK1_PORT} {1} {PCW_FPGA_FCLK1_ENABLE} {1}",
        ),
        "are in different clock domains",
    ),
    "scatter-gather left on": (
        _same,
        _swap("{c_include_sg} {0}", "{c_include_sg} {1}"),
        "interface dma/M_AXI_SG is not connected",
    ),
    "overlapping addresses": (
        _same,
        _swap("dma/S_AXI_LITE/Reg 0x40010000", "dma/S_AXI_LITE/Reg 0x40000000"),
        "overlaps",
    ),
    "address off its multiple": (
        _same,
        _swap("Reg 0x40010000", "Reg 0x40018000"),
        "lie on a multiple of it",
    ),
    "address that the port does not reach": (
        _same,
        _swap("Reg 0x40010000", "Reg 0x80000000"),
        "lies outside M_AXI_GP0",
    ),
    "no address": (
        _swap("    locate $segment $space 0x00000000 [setting memory_bytes]\n", ""),
        _same,
        "has no address in dma/Data_MM2S",
    ),
    "address of what cannot be reached": (
        _swap(
            "validate_bd_design",
            "locate engine/s_axi_control/Reg dma/Data_MM2S 0x40000000 0x10000\nvalidate_bd_design",
        ),
        _same,
        "engine/s_axi_control/Reg cannot be reached from dma/Data_MM2S",
    ),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_refused(tmp_path, fault):
    script, options, words = FAULTS[fault]
    result = _design(tmp_path, script, options)
    assert result.returncode == 1
    assert "ERROR: [Vivado stand-in]" in result.stdout
    assert words in result.stdout


@pytest.mark.parametrize(
    ("script", "options", "words"),
    [
        (
            _same,
            _swap("{engine/interrupt ", "{"),
            "WARNING: [stand-in] interrupt engine/interrupt is not connected",
        ),
        (
            _swap("connect interrupts/irq processor/[setting processor_interrupt]", ""),
            _same,
            "CRITICAL WARNING: [stand-in] processor/IRQ_F2P has no interrupt and is tied to 0",
        ),
        (
            _swap("connect $interrupt interrupt_lines/In$line", ""),
            _same,
            "CRITICAL WARNING: [stand-in] interrupt_lines/In2 has no interrupt and is tied to 0",
        ),
    ],
)
def test_an_open_interrupt_is_reported_and_allowed(tmp_path, script, options, words):
    """Like Vivado, which ties an open input to 0 with a critical warning (BD 41-759)."""
    result = _design(tmp_path, script, options)
    assert result.returncode == 0, result.stdout
    assert words in result.stdout.splitlines()
    assert tools.handoff(tmp_path).stat().st_size > 100_000


# The form of the scripts that write_bd_tcl (and before 2020 the older one) and write_project_tcl
# write: an error is sent as a message, and the script returns.
OTHER_VERSION = """
set wanted 2020.2
if {{[string first $wanted [version -short]] == -1}} {{
    catch {{{message} "This script is for <$wanted>, not <[version -short]>."}}
    return 1
}}
create_project -force -part xc7z020clg400-1 circnn [file join $env(CIRCNN_BUILD) vivado]
create_bd_design circnn
save_bd_design
"""
MESSAGES = {
    "write_bd_tcl": 'common::send_gid_msg -ssname BD::TCL -id 2041 -severity "ERROR"',
    "older": 'common::send_msg_id "BD_TCL-109" "ERROR"',
}


@pytest.mark.parametrize("form", sorted(MESSAGES))
def test_a_script_of_another_version_does_not_pass(tmp_path, form):
    """In Vivado it ends with status 0 without doing anything; the stand-in reports that."""
    script = tmp_path / "other.tcl"
    script.write_text(OTHER_VERSION.format(message=MESSAGES[form]))
    result = tools.vivado(tmp_path, script)
    assert result.returncode == 1
    assert "This script is for <2020.2>, not <2024.1>." in result.stdout
    assert "nothing was built" in result.stdout
    command = ["vivado", "-mode", "batch", "-source", script]
    result = tools.run(command, tmp_path, CIRCNN_STANDIN_VERSION="2020.2")
    assert result.returncode == 0, result.stdout
    assert "nothing was built" not in result.stdout


@pytest.mark.parametrize(
    "text",
    [
        "",
        "exit 0\n",
        "exit\n",
        "return 1\n",
        "if {[llength $argv]} {create_project -force -part xc7z020clg400-1 circnn vivado}\n",
    ],
)
def test_a_script_that_builds_nothing_does_not_pass(tmp_path, text):
    """Vivado keeps its own options out of argv."""
    script = tmp_path / "nothing.tcl"
    script.write_text(text)
    result = tools.vivado(tmp_path, script)
    assert result.returncode == 1
    assert "nothing was built" in result.stdout


def test_an_error_message_in_the_middle_does_not_pass(tmp_path):
    """Like the check for missing IP cores in scripts of write_bd_tcl, which then returns 3."""
    script = tmp_path / "missing.tcl"
    script.write_text(
        "create_project -force -part xc7z020clg400-1 circnn [file join $env(CIRCNN_BUILD) vivado]\n"
        'catch {common::send_gid_msg -ssname BD::TCL -id 2012 -severity "ERROR" "no such core"}\n'
        "return 3\n"
    )
    result = tools.vivado(tmp_path, script)
    assert result.returncode == 1
    assert "ERROR: [BD::TCL-2012] no such core" in result.stdout
    assert "1 ERROR" in result.stdout


def test_other_messages_are_only_shown(tmp_path):
    script = tmp_path / "told.tcl"
    script.write_text(
        "create_project -force -part xc7z020clg400-1 circnn [file join $env(CIRCNN_BUILD) vivado]\n"
        'common::send_gid_msg -ssname BD::TCL -id 2003 -severity "INFO" "creating one"\n'
    )
    result = tools.vivado(tmp_path, script)
    assert (result.returncode, result.stdout) == (0, "INFO: [BD::TCL-2003] creating one\n")


def test_a_step_out_of_order_is_refused(tmp_path):
    tools.prepare(tmp_path)
    result = tools.step(tmp_path, "bit")
    assert result.returncode == 1


def _hls(build, script="ip", source=tools.SOURCE, change=lambda text: text):
    """Run an HLS step on a source of the test's own, in a copy of the steps."""
    (build / "src").mkdir()
    if source is not None:
        (build / "src" / "circnn_engine.cpp").write_text(source)
    (build / "tcl").mkdir()
    for name in os.listdir(os.path.join(tools.HW, "tcl")):
        with open(os.path.join(tools.HW, "tcl", name), encoding="utf-8") as file:
            (build / "tcl" / name).write_text(change(file.read()))
    tools.settings.write("pynq-z2", str(build))
    command = ["vitis-run", "--mode", "hls", "--tcl", build / "tcl" / f"{script}.tcl"]
    return tools.run(command, build, CIRCNN_HW=str(build))


def test_the_hls_step_packages_the_engine(tmp_path):
    result = _hls(tmp_path)
    assert result.returncode == 0, result.stdout
    core = (tmp_path / "hls" / "solution1" / "impl" / "ip" / "standin_ip.tcl").read_text()
    assert core.startswith("# Generated by hw/standin/engine_ip.py circnn:hls:circnn_engine:1.0.")


def _registers(build):
    path = build / "hls/solution1/impl/ip/drivers/circnn_engine_v1_0/src/xcircnn_engine_hw.h"
    return reports.registers(path.read_text(), "circnn_engine", "control")


def test_the_hls_step_writes_the_register_map(tmp_path):
    assert _hls(tmp_path).returncode == 0
    found = _registers(tmp_path)
    for name, offset in tools.OUTPUTS.items():
        assert found[f"{name.upper()}_DATA"] == offset
        assert found[f"{name.upper()}_CTRL"] == offset + 4
    assert found["AP_CTRL"] == 0


def test_a_register_without_room_is_moved_behind_the_others(tmp_path):
    """According to UG1399 the tool warns about a wrong offset and moves the register to the end."""
    second, last = list(tools.OUTPUTS.values())[1], max(tools.OUTPUTS.values())
    source = tools.SOURCE.replace(f"offset={second:#x}", f"offset={second - 8:#x}")
    result = _hls(tmp_path, source=source)
    assert result.returncode == 0
    assert "WARNING" in result.stdout and "detail" in result.stdout
    assert _registers(tmp_path)["DETAIL_DATA"] == last + 16


def test_registers_without_an_offset_follow_each_other(tmp_path):
    source = re.sub(r" offset=0x\w+", "", tools.SOURCE)
    assert _hls(tmp_path, source=source).returncode == 0
    assert _registers(tmp_path)["STATUS_DATA"] == 16
    assert _registers(tmp_path)["DETAIL_DATA"] == 32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": None}, "no files matched glob"),
        ({"source": tools.SOURCE.replace("circnn_engine", "engine")}, "no circnn_engine in them"),
        ({"source": tools.SOURCE.replace("axis port=out", "ap_fifo port=out")}, "for out_stream"),
        ({"source": tools.SOURCE.replace("port=detail", "port=details")}, "no argument details"),
        ({"change": _replace("csynth_design", "csynth_desing")}, "invalid command name"),
        (
            {"change": _replace("-format ip_catalog", "-fromat ip_catalog")},
            "an option of export_design",
        ),
        ({"script": "csim"}, "there must be a test bench in hw/test"),
    ],
)
def test_a_fault_in_the_hls_step_is_refused(tmp_path, options, words):
    result = _hls(tmp_path, **options)
    assert result.returncode == 1
    assert words in result.stdout


@pytest.mark.parametrize("text", ["", "exit 0\n", "return 1\n"])
def test_an_hls_script_that_builds_nothing_does_not_pass(tmp_path, text):
    (tmp_path / "nothing.tcl").write_text(text)
    result = tools.run(["vitis_hls", "-f", tmp_path / "nothing.tcl"], tmp_path)
    assert result.returncode == 1
    assert "nothing was built" in result.stdout


def test_the_older_hls_command_runs_the_same_script(tmp_path):
    assert _hls(tmp_path).returncode == 0
    command = ["vitis_hls", "-f", tmp_path / "tcl" / "ip.tcl"]
    assert tools.run(command, tmp_path, CIRCNN_HW=str(tmp_path)).returncode == 0
    assert tools.run(["vitis_hls", tmp_path / "tcl" / "ip.tcl"], tmp_path).returncode == 1


# What the two real designs set themselves, so that their .hwh does not show the default:
# resizer.tcl in Xilinx/PYNQ-HelloWorld, block_design.tcl in strath-sdr/rfsoc_sam.
SET = {
    "processing_system7": {"PCW_USE_S_AXI_HP0", "PCW_FPGA0_PERIPHERAL_FREQMHZ"},
    "axi_dma": {
        "c_include_sg",
        "c_sg_include_stscntrl_strm",
        "c_sg_length_width",
        "c_mm2s_burst_size",
        "c_s2mm_burst_size",
    },
    "zynq_ultra_ps_e": {"PSU_BANK_0_IO_STANDARD"},
}


def _hwh(name):
    import pynqmetadata

    folder = os.path.join(os.path.dirname(pynqmetadata.__file__), "tests", "hwhs")
    return ElementTree.parse(os.path.join(folder, name)).getroot()


def _parameters(name):
    modules = {}
    for module in _hwh(name).iter("MODULE"):
        found = {p.get("NAME"): p.get("VALUE") for p in module.find("PARAMETERS")}
        modules.setdefault(module.get("MODTYPE"), found)
    return modules


def test_the_catalogue_agrees_with_what_vivado_wrote(tmp_path):
    """Names and defaults of the catalogue are those of the .hwh files that pynqmetadata ships."""
    script = tmp_path / "catalogue.tcl"
    script.write_text(
        "foreach file {common design catalogue} { source [file join $env(STANDIN) $file.tcl] }\n"
        "dict for {vlnv entry} $catalogue {\n"
        "    foreach {name default rule} [dict get $entry parameters] {\n"
        '        puts "[lindex [split $vlnv :] 2]\\t$name\\t$default"\n'
        "    }\n"
        "}\n"
    )
    result = tools.run(["tclsh", script], tmp_path, STANDIN=tools.STANDIN)
    assert result.returncode == 0, result.stdout
    real = {**_parameters("rfsoc_sam.hwh"), **_parameters("resizer.hwh")}
    compared = 0
    for line in result.stdout.splitlines():
        core, name, default = line.split("\t")
        if core not in real:
            assert core in ("axi_intc", "axi_gpio", "xlconcat")
            continue
        assert name in real[core], f"{core} has no parameter {name}"
        compared += 1
        if name not in SET.get(core, ()) and "DDRC" not in name:
            assert real[core][name] == default, f"{core} {name}"
    assert compared > 150
