"""The handoff that the stand-in writes, read by pynq's own parser and compared with Vivado's."""

import json
import os
import re
import warnings
import xml.etree.ElementTree as ElementTree

import pytest
import vivado_tools as tools

with open(
    os.path.join(tools.ROOT, "pynq_circnn", "contract", "contract.json"), encoding="utf-8"
) as file:
    ENGINE = json.load(file)["engine"]


def _boards():
    return tools.settings.boards()


@pytest.fixture(scope="module")
def handoffs(tmp_path_factory):
    """The handoff of every board, as the step bd makes it."""
    found = {}
    for board in _boards():
        build = tmp_path_factory.mktemp(board)
        tools.prepare(build, board)
        result = tools.step(build, "bd")
        assert result.returncode == 0, result.stdout
        found[board] = tools.handoff(build)
    return found


def test_the_same_sources_give_the_same_bytes(handoffs, tmp_path):
    tools.handoffs.handoff("pynq-z2", str(tmp_path / "again.hwh"))
    assert (tmp_path / "again.hwh").read_bytes() == handoffs["pynq-z2"].read_bytes()


def test_a_board_that_is_not_there(tmp_path):
    with pytest.raises(SystemExit, match="BOARD must be one of pynq-z1"):
        tools.handoffs.main(["pynq-z9", str(tmp_path / "circnn.hwh")])


def _parse(path):
    """Return pynq's runtime metadata of a design."""
    from pynqmetadata.frontends import Metadata
    from pynqmetadata.views.runtime import RuntimeMetadataParser

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return RuntimeMetadataParser(Metadata(input=str(path)))


@pytest.mark.parametrize("board", _boards())
def test_addresses_and_types(handoffs, board):
    seen = _parse(handoffs[board]).ip_dict
    facts = tools.settings.load(board)
    addresses = {row["segment"].split("/")[0]: row for row in facts["address_map"]}
    assert set(seen) == {*addresses, "processor"}
    for name, row in addresses.items():
        assert (seen[name]["phys_addr"], seen[name]["addr_range"]) == (row["address"], row["range"])
    assert seen["engine"]["type"] == ENGINE["vlnv"] == tools.VLNV
    assert seen["dma"]["type"] == "xilinx.com:ip:axi_dma:7.1"
    assert seen["interrupts"]["type"] == "xilinx.com:ip:axi_intc:4.1"
    assert seen["engine_reset"]["type"] == "xilinx.com:ip:axi_gpio:2.0"


@pytest.mark.parametrize("board", _boards())
def test_the_dma_is_what_the_driver_counts_on(handoffs, board):
    parameters = _parse(handoffs[board]).ip_dict["dma"]["parameters"]
    expected = {
        "c_include_sg": "0",
        "c_sg_length_width": "26",
        "c_micro_dma": "0",
        "c_sg_include_stscntrl_strm": "0",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_include_mm2s_dre": "0",
        "c_include_s2mm_dre": "0",
        "c_m_axi_mm2s_data_width": "64",
        "c_m_axi_s2mm_data_width": "64",
        "c_m_axis_mm2s_tdata_width": "64",
        "c_s_axis_s2mm_tdata_width": "64",
    }
    assert {name: parameters[name] for name in expected} == expected


@pytest.mark.parametrize(("board", "bits"), [("pynq-z1", 32), ("pynq-z2", 32), ("zcu104", 40)])
def test_the_dma_has_every_address_line_of_the_processor(handoffs, board, bits):
    """A Zynq-7000 has 32 (UG585), a Zynq UltraScale+ 40 (UG1085): fewer cut addresses."""
    parameters = _parse(handoffs[board]).ip_dict["dma"]["parameters"]
    names = ("c_addr_width", "C_M_AXI_MM2S_ADDR_WIDTH", "C_M_AXI_S2MM_ADDR_WIDTH")
    assert [parameters[name] for name in names] == [str(bits)] * 3
    memory = int(tools.settings.load(board)["processor"]["memory_bytes"], 16)
    assert memory <= 1 << bits
    dma = _modules(handoffs[board])["dma"]
    widths = {port.get("NAME"): port.get("LEFT") for port in dma.find("PORTS")}
    for name in ("m_axi_mm2s_araddr", "m_axi_s2mm_awaddr"):
        assert widths[name] == str(bits - 1)


@pytest.mark.parametrize("board", _boards())
def test_interrupts(handoffs, board):
    design = _parse(handoffs[board])
    first = {"processing_system7": 61, "zynq_ultra_ps_e": 121}[design.family_ps]
    assert design.interrupt_controllers == {
        "interrupts": {"parent": "", "index": 0, "raw_irq": first}
    }
    wanted = tools.settings.load(board)["design"]["interrupts"]
    for index, pin in enumerate(wanted):
        assert design.interrupt_pins[pin]["controller"] == "interrupts"
        assert design.interrupt_pins[pin]["index"] == index
        cell, name = pin.split("/")
        assert design.ip_dict[cell]["interrupts"][name]["index"] == index


def test_the_clock_is_100_mhz_from_the_crystal_of_the_board(handoffs):
    """FCLK0 = 50 MHz * 20 / 5 / 2; with the default crystal it would be 66.7 MHz on the board."""
    design = _parse(handoffs["pynq-z2"])
    clock = design.clock_dict[0]
    assert (clock["enable"], clock["divisor0"], clock["divisor1"]) == (1, 5, 2)
    assert [design.clock_dict[i]["enable"] for i in (1, 2, 3)] == [0, 0, 0]
    parameters = design.ip_dict["processor"]["parameters"]
    assert float(parameters["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"]) == 100
    assert float(parameters["PCW_CRYSTAL_PERIPHERAL_FREQMHZ"]) == 50
    assert parameters["PCW_S_AXI_HP0_DATA_WIDTH"] == "64"


@pytest.mark.parametrize("board", _boards())
def test_the_registers_of_the_engine_are_the_contract(handoffs, board):
    registers = _parse(handoffs[board]).ip_dict["engine"]["registers"]
    access = {"r": "read-only", "w": "write-only", "rw": "read-write"}
    assert {(r["address_offset"], r["access"]) for r in registers.values()} == {
        (row["offset"], access[row["access"]]) for row in ENGINE["registers"]
    }
    fields = registers["CTRL"]["fields"]
    assert {name: fields[name]["bit_offset"] for name in fields if name.startswith("AP_")} == {
        "AP_START": 0,
        "AP_DONE": 1,
        "AP_IDLE": 2,
        "AP_READY": 3,
    }
    for row in ENGINE["registers"]:
        if row["offset"] >= 16 and not row["name"].endswith("_control"):
            assert registers[row["name"]]["address_offset"] == row["offset"]
    assert max(row["offset"] for row in ENGINE["registers"]) + 4 <= 1 << ENGINE["address_bits"]


def test_the_dma_reaches_the_memory_and_nothing_else(handoffs):
    for board in _boards():
        for module in ElementTree.parse(handoffs[board]).getroot().iter("MODULE"):
            if module.get("INSTANCE") == "dma":
                rows = module.findall("MEMORYMAP/MEMRANGE")
                assert [row.get("MEMTYPE") for row in rows] == ["MEMORY", "MEMORY"]
                assert {row.get("INSTANCE") for row in rows} == {"processor"}
                assert {int(row.get("BASEVALUE"), 16) for row in rows} == {0}


# ---- what is common to the handoffs of Vivado 2020.2 to 2025.2 that public repositories hold -----


def _pins(module, kind):
    return {p.get("NAME"): p for p in module.find("PORTS") if p.get("SIGIS") == kind}


@pytest.mark.parametrize("board", _boards())
def test_every_reset_says_its_polarity(handoffs, board):
    """Except those of an AXI Interconnect, which is a hierarchy of cores."""
    seen = set()
    for name, module in _modules(handoffs[board]).items():
        for pin, port in _pins(module, "rst").items():
            bus = module.get("MODTYPE") == "axi_interconnect"
            low = pin.lower().endswith(("resetn", "resetn0", "rst_n", "reset0_n", "reset_out_n"))
            if not bus and module.get("MODTYPE") != "proc_sys_reset":
                assert low, pin  # otherwise this test would have to know it
            if name == "engine_resetter" and pin == "aux_reset_in":
                low = False  # so configured: the GPIO holds it at 1
            elif module.get("MODTYPE") == "proc_sys_reset" and pin.endswith("_in"):
                low = True
            wanted = None if bus else "ACTIVE_LOW" if low else "ACTIVE_HIGH"
            assert port.get("POLARITY") == wanted, (name, pin)
            seen.add(wanted)
    assert seen == {None, "ACTIVE_LOW", "ACTIVE_HIGH"}


def test_the_polarities_are_those_of_a_real_design(handoffs):
    real = ElementTree.parse(_real("rfsoc_sam.hwh")).getroot()
    wanted = next(m for m in real.iter("MODULE") if m.get("MODTYPE") == "proc_sys_reset")
    found = _modules(handoffs["zcu104"])["resetter"]
    mine, theirs = (
        {name: port.get("POLARITY") for name, port in _pins(module, "rst").items()}
        for module in (found, wanted)
    )
    assert mine == theirs and set(mine.values()) == {"ACTIVE_LOW", "ACTIVE_HIGH"}


def test_the_streams_of_engine_and_dma_are_initiators_and_targets(handoffs):
    """Both ends of an AXI DMA's stream have this name, whatever the peer is."""
    modules = _modules(handoffs["pynq-z2"])
    found = {
        (name, bus.get("NAME")): bus.get("TYPE")
        for name in ("engine", "dma")
        for bus in modules[name].find("BUSINTERFACES")
        if "axis" in bus.get("VLNV")
    }
    assert found == {
        ("engine", "in_stream"): "TARGET",
        ("dma", "M_AXIS_MM2S"): "INITIATOR",
        ("engine", "out_stream"): "INITIATOR",
        ("dma", "S_AXIS_S2MM"): "TARGET",
    }


@pytest.mark.parametrize("board", _boards())
def test_the_block_of_an_hls_core_has_64_kb(handoffs, board):
    blocks = {
        name: [block.get("RANGE") for block in module.iter("ADDRESSBLOCK")]
        for name, module in _modules(handoffs[board]).items()
    }
    assert blocks["engine"] == ["65536"]
    assert blocks["dma"] == blocks["interrupts"] == blocks["engine_reset"] == ["4096"]
    assert (
        blocks["processor"]
        == {
            "processing_system7": ["536870912"],
            "zynq_ultra_ps_e": ["0x80000000", "0x1000000"],
        }[_modules(handoffs[board])["processor"].get("MODTYPE")]
    )


def test_the_interrupts_are_written_as_in_real_designs(handoffs):
    modules = _modules(handoffs["pynq-z2"])
    assert modules["interrupts"].get("MODCLASS") == "INTERRUPT_CNTLR"
    assert modules["interrupt_lines"].get("MODCLASS") == "PERIPHERAL"
    lines = _pins(modules["interrupts"], "INTERRUPT")
    assert lines["intr"].get("SENSITIVITY") == "LEVEL_HIGH:LEVEL_HIGH:LEVEL_HIGH"
    assert lines["irq"].get("SENSITIVITY") == "LEVEL_HIGH"
    assert _pins(modules["interrupt_lines"], "INTERRUPT") == {}
    for name in ("In0", "In1", "In2"):
        port = _pins(modules["interrupt_lines"], "undef")[name]
        assert (port.get("LEFT"), port.get("RIGHT"), port.get("SENSITIVITY")) == ("0", "0", None)


def test_the_port_widths_of_a_zynq_ultrascale_are_there(handoffs):
    """Those that pynq writes into the AFIFM registers when it loads the overlay."""
    real = ElementTree.parse(_real("rfsoc_sam.hwh")).getroot()
    processor = next(m for m in real.iter("MODULE") if m.get("MODTYPE") == "zynq_ultra_ps_e")
    found, wanted = (
        {
            p.get("NAME"): p.get("VALUE")
            for p in module.find("PARAMETERS")
            if re.fullmatch(r"(C_|PSU__)[MS]AXIGP\d_?_DATA_WIDTH", p.get("NAME"))
        }
        for module in (_modules(handoffs["zcu104"])["processor"], processor)
    )
    assert set(found) == set(wanted) and len(found) == 20
    own = {"MAXIGP0": "32", "SAXIGP2": "64"}  # which this design sets
    for name, value in wanted.items():
        assert found[name] == own.get(re.search(r"[MS]AXIGP\d", name).group(), value), name


# ---- compared with the .hwh that Vivado 2019.2 wrote for PYNQ-HelloWorld's resizer --------------

RESIZER = """
source [file join $env(CIRCNN_HW) tcl verbs.tcl]
create_project -force -part xc7z020clg400-1 resizer [file join $env(CIRCNN_BUILD) vivado]
create_bd_design circnn
instance processing_system7_0 xilinx.com:ip:processing_system7 {
    PCW_USE_S_AXI_HP0 1 PCW_FPGA0_PERIPHERAL_FREQMHZ 100
}
instance axi_dma_0 xilinx.com:ip:axi_dma {
    c_include_sg 0 c_mm2s_burst_size 256 c_s2mm_burst_size 256
    c_sg_include_stscntrl_strm 0 c_sg_length_width 26
}
instance axi_interconnect_0 xilinx.com:ip:axi_interconnect {NUM_MI 1}
instance axi_interconnect_1 xilinx.com:ip:axi_interconnect {NUM_SI 2 NUM_MI 1}
instance rst_ps7_0_100M xilinx.com:ip:proc_sys_reset
connect axi_dma_0/M_AXIS_MM2S axi_dma_0/S_AXIS_S2MM
connect axi_dma_0/M_AXI_MM2S axi_interconnect_1/S00_AXI
connect axi_dma_0/M_AXI_S2MM axi_interconnect_1/S01_AXI
connect axi_interconnect_1/M00_AXI processing_system7_0/S_AXI_HP0
connect processing_system7_0/M_AXI_GP0 axi_interconnect_0/S00_AXI
connect axi_interconnect_0/M00_AXI axi_dma_0/S_AXI_LITE
locate processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM axi_dma_0/Data_MM2S 0 0x20000000
locate processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM axi_dma_0/Data_S2MM 0 0x20000000
locate axi_dma_0/S_AXI_LITE/Reg processing_system7_0/Data 0x40400000 0x10000
foreach pin {
    axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk
    axi_interconnect_0/ACLK axi_interconnect_0/S00_ACLK axi_interconnect_0/M00_ACLK
    axi_interconnect_1/ACLK axi_interconnect_1/S00_ACLK axi_interconnect_1/S01_ACLK
    axi_interconnect_1/M00_ACLK rst_ps7_0_100M/slowest_sync_clk
    processing_system7_0/M_AXI_GP0_ACLK processing_system7_0/S_AXI_HP0_ACLK
} {
    connect processing_system7_0/FCLK_CLK0 $pin
}
connect processing_system7_0/FCLK_RESET0_N rst_ps7_0_100M/ext_reset_in
connect rst_ps7_0_100M/interconnect_aresetn axi_interconnect_0/ARESETN axi_interconnect_1/ARESETN
connect rst_ps7_0_100M/peripheral_aresetn axi_dma_0/axi_resetn axi_interconnect_0/S00_ARESETN \\
    axi_interconnect_0/M00_ARESETN axi_interconnect_1/S00_ARESETN axi_interconnect_1/S01_ARESETN \\
    axi_interconnect_1/M00_ARESETN
save_bd_design
"""


def _real(name="resizer.hwh"):
    import pynqmetadata

    folder = os.path.join(os.path.dirname(pynqmetadata.__file__), "tests", "hwhs")
    return os.path.join(folder, name)


@pytest.fixture(scope="module")
def resizer(tmp_path_factory):
    """The stand-in's handoff of the parts of the resizer that the catalogue has."""
    build = tmp_path_factory.mktemp("resizer")
    (build / "resizer.tcl").write_text(RESIZER)
    result = tools.vivado(build, build / "resizer.tcl")
    assert result.returncode == 0, result.stdout
    return tools.handoff(build)


def _modules(path):
    root = ElementTree.parse(path).getroot()
    return {module.get("INSTANCE"): module for module in root.iter("MODULE")}


def test_the_dictionaries_of_the_dma_equal_those_of_the_real_design(resizer):
    ours, real = _parse(resizer).ip_dict["axi_dma_0"], _parse(_real()).ip_dict["axi_dma_0"]
    for key in ("type", "mem_id", "memtype", "phys_addr", "addr_range", "fullpath"):
        assert ours[key] == real[key]
    assert set(ours["registers"]) == set(real["registers"])
    for name, register in ours["registers"].items():
        for key in ("address_offset", "size", "access"):
            assert register[key] == real["registers"][name][key]
        places = [
            {f: (v["bit_offset"], v["bit_width"], v["access"]) for f, v in r["fields"].items()}
            for r in (register, real["registers"][name])
        ]
        assert places[0] == places[1], name
    for name, value in ours["parameters"].items():
        assert name in real["parameters"], name
        if name != "Component_Name":
            assert value == real["parameters"][name], name


def test_the_clocks_and_the_processor_equal_those_of_the_real_design(resizer):
    ours, real = _parse(resizer), _parse(_real())
    assert ours.clock_dict == real.clock_dict
    found, wanted = (
        design.ip_dict["processing_system7_0"]["parameters"] for design in (ours, real)
    )
    names = [name for name in found if name.startswith("PCW_")]
    assert len(names) > 80
    for name in names:
        assert found[name] == wanted[name], name


@pytest.mark.parametrize("name", ["axi_dma_0", "rst_ps7_0_100M"])
def test_ports_and_interfaces_are_those_of_the_real_design(resizer, name):
    ours, real = _modules(resizer)[name], _modules(_real())[name]
    ignored = {"COREREVISION"}
    assert {k: v for k, v in ours.items() if k not in ignored} == {
        k: v for k, v in real.items() if k not in ignored
    }
    known = {port.get("NAME"): port for port in real.find("PORTS")}
    for port in ours.find("PORTS"):
        if "introut" in port.get("NAME"):
            continue  # the real design leaves interrupts open, which have fewer attributes
        other = known.pop(port.get("NAME"))
        for key in ("DIR", "LEFT", "RIGHT", "SIGIS", "CLKFREQUENCY"):
            assert port.get(key) == other.get(key), (port.get("NAME"), key)
    interfaces = {bus.get("NAME"): bus for bus in real.find("BUSINTERFACES")}
    for bus in ours.find("BUSINTERFACES"):
        other = interfaces.pop(bus.get("NAME"))
        for key in ("TYPE", "VLNV", "DATAWIDTH"):
            assert bus.get(key) == other.get(key)
        maps = [
            {(m.get("LOGICAL"), m.get("PHYSICAL")) for m in b.iter("PORTMAP")} for b in (bus, other)
        ]
        assert maps[0] == maps[1], bus.get("NAME")
    assert not interfaces
    assert {port for port in known if not port.startswith(("mm2s_intr", "s2mm_intr"))} == set()


def test_the_processors_ports_are_those_of_the_real_design(resizer):
    ours, real = (_modules(p)["processing_system7_0"] for p in (resizer, _real()))
    interfaces = {bus.get("NAME"): bus for bus in real.find("BUSINTERFACES")}
    for name in ("M_AXI_GP0", "S_AXI_HP0"):
        mine = next(bus for bus in ours.find("BUSINTERFACES") if bus.get("NAME") == name)
        for key in ("TYPE", "VLNV", "DATAWIDTH"):
            assert mine.get(key) == interfaces[name].get(key)
        maps = [
            {(m.get("LOGICAL"), m.get("PHYSICAL")) for m in b.iter("PORTMAP")}
            for b in (mine, interfaces[name])
        ]
        assert maps[0] == maps[1]
    widths = {port.get("NAME"): port.get("LEFT") for port in real.find("PORTS")}
    for port in ours.find("PORTS"):
        assert widths[port.get("NAME")] == port.get("LEFT"), port.get("NAME")


def test_the_memory_maps_equal_those_of_the_real_design(resizer):
    for name in ("processing_system7_0", "axi_dma_0"):
        ours, real = (
            [row.attrib for row in _modules(path)[name].findall("MEMORYMAP/MEMRANGE")]
            for path in (resizer, _real())
        )
        assert [row for row in real if row["INSTANCE"] != "resize_accel_0"] == ours


def test_the_file_has_the_order_of_the_real_one(resizer):
    ours, real = (ElementTree.parse(path).getroot() for path in (resizer, _real()))
    assert [element.tag for element in ours] == [element.tag for element in real]
    found, wanted = (
        {k: v for k, v in root.find("SYSTEMINFO").items() if k != "NAME"} for root in (ours, real)
    )
    assert found == wanted
    for name, module in _modules(resizer).items():
        assert [c.tag for c in module] == [
            c.tag for c in _modules(_real())[name]
        ] or name == "processing_system7_0", name
