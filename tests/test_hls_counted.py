"""The count of resources: of these sources, within the budget, and the same if it is made again."""

import json
import os
import shutil
import sys

import pytest

from pynq_circnn.commands import cli
from pynq_circnn.contract import BUDGET, CONFIGURATIONS
from pynq_circnn.engine import resources

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "hw", "scripts"))

import area  # noqa: E402, isort: skip  (hw/scripts)
import ir  # noqa: E402, isort: skip
import netlist  # noqa: E402, isort: skip
import sources  # noqa: E402, isort: skip

needs_clang = pytest.mark.skipif(shutil.which("clang-16") is None, reason="clang-16 is not on PATH")

IR = """
%struct.Pair = type { i16, [3 x i16] }
@table = internal constant [128 x i16] zeroinitializer, align 2
@pairs = internal constant [2 x %struct.Pair] [%struct.Pair { i16 1, [3 x i16] [i16 -1, i16 3, i16 4] }, %struct.Pair zeroinitializer]
define i32 @_Z4unitsssib(i16 %0, i16 %1, i16 %2, i32 %3, i1 %4) {
  %6 = sext i16 %0 to i32
  %7 = sext i16 %1 to i32
  %8 = sext i16 %2 to i32
  %9 = mul nsw i32 %7, %6
  %10 = select i1 %4, i32 0, i32 %3
  %11 = add i32 %10, %9
  br i1 %4, label %12, label %15

12:
  %13 = add i32 %11, %8
  %14 = shl i32 %13, %8
  br label %15

15:
  %16 = phi i32 [ %11, %5 ], [ %14, %12 ]
  ret i32 %16
}
"""  # noqa: E501


def body(text=IR):
    (function,) = ir.functions(text).values()
    return function, area.Body(function, {}, set())


def test_operations_are_counted_by_what_they_need():
    _, counted = body()
    found = counted.count(list(counted.code))
    assert found.products == {(16, 16): 1} and found.dsp == 1 and found.divisions == 0
    # the accumulator's addition and the selection that clears it are in the DSP slice
    assert found.lut == {"addition": 32, "shift": 32 * 5 / 2, "selection": 16}
    assert found.ff == 64


def additions(*lines):
    text = "define i32 @_Z4unitiibb(i32 %0, i32 %1, i1 %2, i1 %3) {\n"
    text += "".join(f"  {line}\n" for line in (*lines, "ret i32 %last"))
    _, counted = body(text + "}\n")
    return counted.count(list(counted.code)).lut


def test_a_bit_is_the_carry_of_the_addition_beside_it():
    bit, other = "%bit = zext i1 %2 to i32", "%other = zext i1 %3 to i32"
    for first, second in (("%0, %1", "%sum, %bit"), ("%0, %bit", "%sum, %1")):
        assert additions(bit, f"%sum = add i32 {first}", f"%last = add i32 {second}") == {
            "addition": 32
        }
    # an addition has one carry
    both = additions(bit, other, "%sum = add i32 %0, %bit", "%last = add i32 %sum, %other")
    assert both == {"addition": 32}


def test_an_addition_takes_what_fits_before_it():
    chosen = "%chosen = select i1 %2, i32 %0, i32 %1"
    assert additions(chosen, "%last = add i32 %1, %chosen") == {"addition": 32}
    twice = additions(chosen, "%more = add i32 %1, %chosen", "%last = xor i32 %more, %chosen")
    assert twice["selection"] == 16  # used twice: a LUT of its own
    gates = ["%one = and i32 %0, %1", "%all = sext i1 %2 to i32", "%other = xor i32 %0, %all"]
    assert additions(*gates, "%last = add i32 %one, %other") == {"addition": 32}
    # a LUT has five inputs beside the carry: two selections are one too many
    second = "%second = select i1 %3, i32 %0, i32 7"
    assert additions(chosen, second, "%last = add i32 %chosen, %second")["selection"] > 0


@pytest.mark.parametrize("begins", ["undef", "0"])
def test_states_that_only_move_on_are_a_shift_register(begins):
    last, states = 17, []
    for i in range(last):
        states.append(f"%s{i} = phi i16 [ {begins}, %1 ], [ {f'%s{i - 1}' if i else '%0'}, %loop ]")
    text = "define i16 @_Z4unitsb(i16 %0, i1 %stop) {\n  br label %loop\n\nloop:\n"
    text += "".join(f"  {line}\n" for line in states)
    text += "  br i1 %stop, label %end, label %loop\n\nend:\n  ret i16 %s16\n}\n"
    _, counted = body(text)
    found = counted.count(["loop"], ["loop"])
    if begins == "undef":
        assert found.lut == {"shift register": 16 / 2} and found.ff == 16
    else:  # a value to begin with takes a reset, which a shift register has not
        assert found.lut == {} and found.ff == 17 * 16


def test_loops_outside_of_pipelines_stay_loops():
    code = sources.engine_sources()
    found = [file.text[at : at + 200] for file, at in area.rolled(code)]
    assert any("step < 32" in text for text in found), "the long division is a loop of its own"
    assert not any("#pragma HLS UNROLL" in text.split("{")[1] for text in found if "{" in text)


def test_branches_become_selections():
    function, _ = body()
    flat = ir.flat(function)
    assert "br " not in flat and "phi" not in flat and flat.count("select i1") == 2
    with pytest.raises(ir.IrError, match="no loop"):
        ir.flat(
            ir.functions(IR.replace("br label %15\n\n15", "br label %12\n\n15"))["_Z4unitsssib"]
        )


def test_a_trip_becomes_verilog():
    function, _ = body()
    code = ir.blocks(function.lines, function.entry)
    verilog = netlist.Netlist(code, function.entry, {}, {}).verilog()
    assert verilog.startswith("module trip(") and verilog.count("output ") == 1
    assert "$signed" in verilog and "<<" in verilog


def test_two_lut_with_common_inputs_are_a_pair():
    def cell(kind, inputs, out):
        pins = {f"I{i}": [bit] for i, bit in enumerate(inputs)}
        return {"type": kind, "connections": {**pins, "O": [out]}}

    cells = {
        "a": cell("LUT3", (1, 2, 3), 20), "b": cell("LUT3", (3, 4, 5), 21),  # five inputs
        "c": cell("LUT5", (6, 7, 8, 9, 10), 22), "d": cell("LUT2", (10, 11), 23),  # six
        "e": cell("LUT2", (1, 2), 24),  # in front of a carry
        "f": {"type": "CARRY4", "connections": {"S": [24, "0", "0", "0"]}},
    }  # fmt: skip
    assert netlist.paired({"cells": cells}) == 4


def test_tables_are_read():
    types = {"%struct.Pair": "{ i16, [3 x i16] }"}
    found = netlist.tables(IR, types)
    assert found == {
        "@table": bytes(256),
        "@pairs": bytes([1, 0, 255, 255, 3, 0, 4, 0]) + bytes(8),
    }


@pytest.mark.parametrize("rows, bits, reads, lut", [(32, 6, 1, 4), (16, 33, 2, 48), (64, 3, 1, 4)])
def test_distributed_ram_by_ug474(rows, bits, reads, lut):
    assert area.lutram(rows, bits, reads) == lut


def test_the_count_is_of_these_sources():
    now = area.digest(sources.engine_sources())
    assert resources.digest() == now, "the sources have changed: make -C hw area"


@needs_clang
def test_a_recount_is_the_same(tmp_path):
    rows = [row._asdict() for row in area.count("z2", str(tmp_path / "area"))]
    with open(resources.COUNTED, encoding="utf-8") as file:
        assert rows == json.load(file)["configurations"]["z2"], "make -C hw area"


def test_every_engine_is_counted():
    for name, values in CONFIGURATIONS.items():
        if "lanes" in values:
            assert resources.by_unit(name)
    with pytest.raises(ValueError, match="Received: mars"):
        resources.rows("mars")


def test_the_budget_fits_the_part():
    part = resources.PARTS[CONFIGURATIONS[BUDGET["configuration"]]["part"]]
    for kind, most in BUDGET["most"].items():
        assert sum(unit[kind] for unit in BUDGET["units"]) <= most <= part[kind]
    assert BUDGET["most"]["lut"] <= 0.75 * part["lut"]


def test_no_unit_takes_more_than_it_is_granted():
    assert resources.over_budget() == []


def test_what_the_part_has_not_is_told(capsys, monkeypatch):
    for name in ("z2", "zcu104"):
        assert resources.beyond_part(resources.resources(name)) == []
    assert cli.main(["estimate", "digits"]) == 0
    assert "does not fit" not in capsys.readouterr().out
    small = {**resources.PARTS["xc7z020clg400-1"], "lut": 17_600}  # as many as an XC7Z010 has
    monkeypatch.setitem(resources.PARTS, "xc7z020clg400-1", small)
    assert cli.main(["estimate", "digits"]) == 0
    text = capsys.readouterr().out
    assert "the engine does not fit the part: more LUT than it has" in text


def test_what_exceeds_the_budget_is_named(monkeypatch):
    tight = [{**unit, "dsp": 95} if unit["name"] == "product" else unit for unit in BUDGET["units"]]
    monkeypatch.setitem(BUDGET, "units", [unit for unit in tight if unit["name"] != "load"])
    found = resources.over_budget()
    assert any(line.startswith("product: 97 of 95 dsp") for line in found)
    assert "load is not in the budget" in found
