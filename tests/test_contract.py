"""The contract, its tables, the C header and the page agree."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zlib

import mpmath
import numpy as np
import pytest

from pynq_circnn import contract, layers
from pynq_circnn.contract import CONTRACT, DESCRIPTOR, HEADER, TABLES, headers, ranges
from pynq_circnn.contract import page as tables

PAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "hw", "ENGINE.md")


def nearest(value):
    """The nearest integer, computed with 50 digits, which must not be a tie."""
    with mpmath.workdps(50):
        whole = int(mpmath.floor(value + mpmath.mpf(1) / 2))
        assert abs(abs(value - mpmath.floor(value)) - 0.5) > 1e-9
        return whole


def limited(word):
    return max(-32767, min(32767, word))


def test_twiddles_are_the_nearest_words():
    assert len(TABLES["twiddles_re"]) == len(TABLES["twiddles_im"])
    for m, (re_, im) in enumerate(zip(TABLES["twiddles_re"], TABLES["twiddles_im"])):
        with mpmath.workdps(50):
            w = 32768 * mpmath.expjpi(-2 * mpmath.mpf(m) / 256)
        assert re_ == limited(nearest(w.real))
        assert im == limited(nearest(w.imag))
    assert m + 1 >= 128  # butterflies reach W^127 of 256


@pytest.mark.parametrize(
    "name, function",
    [
        ("sigmoid", lambda x: 1 / (1 + mpmath.exp(-x))),
        ("tanh", mpmath.tanh),
    ],
)
def test_tables_are_the_nearest_words(name, function):
    points = TABLES[name]
    assert len(points) == 513  # 512 intervals have 513 ends
    for index, word in enumerate(points):
        with mpmath.workdps(50):
            exact = 32768 * function(mpmath.mpf(index - 256) / 32)
        assert word == limited(nearest(exact)), index


@pytest.mark.parametrize(("name", "whole"), [("sigmoid", 1 << 15), ("tanh", 0)])
def test_half_a_table_gives_the_other_half(name, whole, monkeypatch):
    half = headers.half_table(name)
    assert TABLES[name] == [whole - word for word in half[:0:-1]] + half
    monkeypatch.setitem(headers.TABLES, name, [*TABLES[name][:-1], TABLES[name][-1] - 1])
    with pytest.raises(ValueError, match="mirror image"):
        headers.half_table(name)


@pytest.mark.parametrize(
    "rows",
    [CONTRACT["arithmetic"], CONTRACT["limits"], CONTRACT["status"]]
    + [CONTRACT["program"][name] for name in ("opcodes", "activations", "header")]
    + [CONTRACT["program"]["record"] + CONTRACT["program"]["fields"]]
    + [row["bits"] for row in CONTRACT["program"]["fields"] if "bits" in row]
    + [CONTRACT["program"]["reserved"]],
)
def test_names_and_values_are_unique(rows):
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    assert all(
        re.fullmatch("[a-z][a-z0-9_]*", name) and row["doc"] for name, row in zip(names, rows)
    )


@pytest.mark.parametrize("table", ["STATUS", "OPCODES", "ACTIVATION_CODES"])
def test_codes_are_unique(table):
    codes = list(getattr(contract, table).values())
    assert len(set(codes)) == len(codes)


def test_activation_codes_are_those_of_the_layers():
    assert tuple(contract.ACTIVATION_CODES) == layers.ACTIVATIONS


@pytest.mark.parametrize("field", [*HEADER.values(), *DESCRIPTOR.values()], ids=lambda f: f.name)
def test_field_ranges_fit_a_word(field):
    assert field.min <= field.max
    low, high = (-(2**31), 2**31 - 1) if field.max < 2**31 else (0, 2**32 - 1)
    assert low <= field.min and field.max <= high


def test_ranges_agree_with_the_limits():
    limits, arithmetic = contract.LIMITS, contract.ARITHMETIC
    assert DESCRIPTOR["opcode"].max == max(contract.OPCODES.values())
    assert DESCRIPTOR["activation"].max == max(contract.ACTIVATION_CODES.values())
    assert DESCRIPTOR["block_log2"].max == limits["block_log2"]
    assert DESCRIPTOR["forward_shifts"].max == 2 ** limits["block_log2"] - 1
    assert DESCRIPTOR["clip"].max == DESCRIPTOR["slope"].max == arithmetic["value_max"]
    assert HEADER["layers"].max == limits["layers"]
    assert HEADER["byte_bias"].max == arithmetic["bias_max"]
    for name in ("input", "output"):
        assert HEADER[f"{name}_words"].max == limits["tensor_words"]
        assert (
            HEADER[f"{name}_exponent"].max == -HEADER[f"{name}_exponent"].min == limits["exponent"]
        )
    for name in ("in_height", "out_width", "kernel_height", "stride_width", "pad_top"):
        assert DESCRIPTOR[name].max == limits["extent"]


def test_sums_stay_in_their_registers():
    value, limits = contract.ARITHMETIC["value_max"], contract.LIMITS
    assert 2 * value**2 * limits["terms"] < 2 ** (contract.ARITHMETIC["accumulator_bits"] - 1)
    assert value**2 + contract.ARITHMETIC["bias_max"] < 2**31
    assert value * (2 ** DESCRIPTOR["first_align"].max + 1) < 2**31
    assert value * limits["pool_area"] < 2**31
    largest = 2.0 ** limits["exponent"] * 32768
    assert (
        np.finfo(np.float32).tiny <= 2.0 ** -limits["exponent"] < largest < np.finfo(np.float32).max
    )


@pytest.mark.parametrize("key", ["weights_words", "activation_words", "layers"])
def test_digest_changes_with_every_limit(key, monkeypatch):
    before = contract.configuration_digest("z2")
    assert before != contract.configuration_digest("tiny")
    changed = {**contract.CONFIGURATIONS["z2"], key: contract.CONFIGURATIONS["z2"][key] + 1}
    monkeypatch.setitem(contract.CONFIGURATIONS, "z2", changed)
    assert contract.configuration_digest("z2") != before
    monkeypatch.setitem(changed, key, changed[key] - 1)
    monkeypatch.setitem(changed, "doc", "other words")
    assert contract.configuration_digest("z2") == before


def test_digest_changes_with_the_interface_but_not_the_hosts(monkeypatch):
    engines = contract.hardware_configurations()
    before = {name: contract.configuration_digest(name) for name in contract.CONFIGURATIONS}
    version = contract.IDENTITY["interface_version"]
    monkeypatch.setitem(contract.IDENTITY, "interface_version", version + 1)
    changed = {
        name for name, digest in before.items() if contract.configuration_digest(name) != digest
    }
    assert changed == set(engines)  # the host has no registers and takes no packets
    assert not set(before.values()) & set(contract.engine_digests())


def test_a_digest_is_reported_in_words(monkeypatch):
    old = contract.configuration_digest("z2")
    words = f"{old:08x} (z2 of interface version {contract.IDENTITY['interface_version']})"
    assert contract.digest_words(old) == words
    newer = contract.IDENTITY["interface_version"] + 1
    monkeypatch.setitem(contract.IDENTITY, "interface_version", newer)
    assert contract.digest_words(old) == words
    assert contract.digest_words(0x12345678) == (
        f"12345678 (unknown to this package, whose interface version is {newer})"
    )
    # Digests of version 1 cover only the sizes.
    sizes = {key: value for key, value in contract.CONFIGURATIONS["z2"].items() if key != "doc"}
    text = json.dumps({"name": "z2", **sizes}, sort_keys=True, separators=(",", ":"))
    assert contract.digest_words(zlib.crc32(text.encode())).endswith("(z2 of interface version 1)")


def printing_program():
    """A C program that prints every constant, offset, range and table of the header."""
    lines = [
        "#include <stddef.h>",
        "#include <stdio.h>",
        '#include "circnn_contract.h"',
        "int main(void) {",
    ]
    expected = []

    def show(expression, value):
        lines.append(f'printf("%lld\\n", (long long)({expression}));')
        expected.append(value)

    prefixes = {
        "": contract.ARITHMETIC,
        "LIMIT_": contract.LIMITS,
        "STATUS_": contract.STATUS,
        "OP_": contract.OPCODES,
        "ACTIVATION_": contract.ACTIVATION_CODES,
    }
    for prefix, values in prefixes.items():
        for name, value in values.items():
            show(f"CIRCNN_{prefix}{name.upper()}", value)
    for name in ("magic", "version", "align_bytes", "header_words", "record_words"):
        show(f"CIRCNN_PROGRAM_{name.upper()}", CONTRACT["program"][name])
    show("CIRCNN_PROGRAM_PAYLOAD_WORDS", contract.PAYLOAD_WORDS)
    for name, bits in contract.BITS.items():
        for bit, value in bits.items():
            show(f"CIRCNN_{name.upper()}_{bit.upper()}", value)
    for opcode, operation in contract.OPERATIONS.items():
        show(f"circnn_payload_words[{opcode}]", operation.payload_words)
        padding = [""] * (contract.PAYLOAD_WORDS - len(operation.payload))
        for word, name in enumerate([*operation.payload, *padding]):
            index = DESCRIPTOR[name].index if name else 255
            show(f"circnn_payload_fields[{opcode}][{word}]", index)
    for record, fields in (("header", HEADER), ("descriptor", DESCRIPTOR)):
        show(f"sizeof(circnn_{record}) / 4", len(fields))
        show(f"sizeof circnn_{record}_ranges / sizeof *circnn_{record}_ranges", len(fields))
        for field in fields.values():
            show(f"offsetof(circnn_{record}, {field.name})", 4 * field.index)
            show(f"circnn_{record}_ranges[{field.index}].min", field.min)
            show(f"circnn_{record}_ranges[{field.index}].max", field.max)
    for name, words in TABLES.items():
        show(f"sizeof circnn_{name} / sizeof *circnn_{name}", len(words))
        for index, word in enumerate(words):
            show(f"circnn_{name}[{index}]", word)
    return "\n".join([*lines, "return 0; }"]), expected


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_the_c_header_has_pythons_values(tmp_path):
    source, expected = printing_program()
    (tmp_path / "circnn_contract.h").write_text(headers.c_header())
    (tmp_path / "show.c").write_text(source)
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-pedantic"]
    subprocess.run([*command, "show.c", "-o", "show"], cwd=tmp_path, check=True)
    printed = subprocess.run([str(tmp_path / "show")], stdout=subprocess.PIPE, check=True).stdout
    assert [int(line) for line in printed.split()] == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["headers", "DIR", "z9"], "CONFIGURATION must be one of z2, zcu104, tiny. Received: 'z9'"),
        (["headers", "DIR", "host"], "CONFIGURATION must be one of z2, zcu104, tiny."),
        (["headers", "--help"], "usage: contract headers FOLDER"),
        (["headers"], "usage: contract headers FOLDER"),
        ([], "usage: contract headers FOLDER"),
    ],
)
def test_the_command_line_refuses_wrong_arguments(tmp_path, arguments, says):
    command = [sys.executable, os.path.dirname(contract.__file__), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith(says)
    assert not list(tmp_path.iterdir())


def test_the_command_line_writes_the_headers_of_an_engine(tmp_path):
    command = [sys.executable, os.path.dirname(contract.__file__), "headers", str(tmp_path), "z2"]
    subprocess.run(command, check=True)
    for name, text in headers.engine_headers("z2").items():
        assert (tmp_path / name).read_text() == text


# -- the page -----------------------------------------------------------------------------------


def test_the_page_is_filled_in():
    marks = "".join(
        f"x\n<!-- contract: {m} -->\nSTALE\n<!-- end -->\n" for m in tables.page_tables()
    )
    filled = tables.fill_page(marks)
    assert tables.fill_page(filled) == filled and "STALE" not in filled
    assert all(f"`{name}`" in filled for name in [*HEADER, *DESCRIPTOR, *contract.STATUS])
    with pytest.raises(ValueError, match="must have the mark"):
        tables.fill_page(marks.replace("<!-- contract: limits -->", ""))
    with pytest.raises(ValueError, match="must have the mark"):
        tables.fill_page(marks + marks)


@pytest.mark.skipif(not os.path.exists(PAGE), reason="an installed package has no hw/")
def test_the_interface_has_the_version_that_was_recorded_for_it():
    """A bitstream of another interface must not take a program that it does not understand."""
    facts = {
        "program": {k: v for k, v in CONTRACT["program"].items() if k not in ("doc", "traits")},
        "registers": CONTRACT["engine"]["registers"],
        "packets": CONTRACT["engine"]["packets"],
    }

    def without_words(value):
        if isinstance(value, dict):
            return {k: without_words(v) for k, v in value.items() if k not in ("doc", "counters")}
        return [without_words(v) for v in value] if isinstance(value, list) else value

    text = json.dumps(without_words(facts), sort_keys=True)
    version, crc = contract.IDENTITY["interface_version"], f"{zlib.crc32(text.encode()):08x}"
    with open(os.path.join(os.path.dirname(__file__), "golden", "interfaces.json")) as file:
        recorded = json.load(file)
    assert recorded.get(str(version)) == crc, (
        f"the interface changed: raise interface_version and record {crc} for it in "
        "tests/golden/interfaces.json"
    )


@pytest.mark.parametrize("change", [
    ("traits", ["windowd"], "must be among two_operands"),
    ("rules", ["grit"], "must be among window"),
    ("sections", {"weight": "1"}, "must be among weights, scales, biases. Received: weight"),
    ("second", "in_channels", "must say how many words"),
    ("payload", ["in_heigth"], "must be among in_height"),
    ("payload", ["in_height", "out_height"], "the offsets of its sections"),
])  # fmt: skip
def test_an_opcode_that_names_what_is_not_there_stops_the_import(tmp_path, change):
    key, value, message = change
    folder = os.path.dirname(contract.__file__)
    shutil.copytree(folder, tmp_path / "contract")
    changed = json.loads(json.dumps(CONTRACT))
    changed["program"]["opcodes"][0][key] = value
    (tmp_path / "contract" / "contract.json").write_text(json.dumps(changed))
    command = [sys.executable, str(tmp_path / "contract"), "headers", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode and message in done.stderr


@pytest.mark.parametrize("expression", [
    "0 < pad_top < 3", "pad_top // 2", "not pad_top", "pad_top / 2", "terms", "len(pad_top)",
    "pad_top if 1 else 2", "pad_top != 1", "-pad_top", "1.5 < pad_top", "ceil_div(pad_top, 3)",
    "ceil_div(pad_top, 2 << pad_left)", "ceil_div(1 << pad_top)",
])  # fmt: skip
def test_an_expression_that_c_would_take_for_another_is_refused(expression):
    with pytest.raises(ValueError, match="an expression of the contract must hold only"):
        headers.expression_in_c(expression)


@pytest.mark.parametrize("expression, given", [
    ("in_height * in_width * in_channels * 64", []),
    ("in_height * in_width * (in_channels << 8)", []),
    ("kernel_height * (out_channels - in_channels)", ["in_channels <= out_channels"]),
    ("kernel_height * kernel_width * block_columns * out_channels", ["block_columns <= 2"]),
    ("(block_rows << block_log2) * 2", ["block_rows == ceil_div(out_channels, 1 << share_log2)"]),
])  # fmt: skip
def test_a_product_that_one_multiplier_cannot_do_is_refused(expression, given):
    with pytest.raises(ValueError, match="must have factors of at most 32 bits"):
        headers.expression_in_c(expression, given)


@pytest.mark.parametrize("expression, given", [
    ("kernel_height * (out_channels - in_channels)", ["in_channels < out_channels"]),
    ("kernel_height * kernel_width * block_columns * out_channels",
     ["kernel_height * kernel_width * block_columns <= TERMS and pad_top == 0"]),
    ("(block_rows << block_log2) * 2", ["block_rows == ceil_div(out_channels, 1 << block_log2)"]),
])  # fmt: skip
def test_a_rule_bounds_the_factors_of_a_product(expression, given):
    assert headers.expression_in_c(expression, given).startswith("circnn_multiply((uint32_t)")


def test_the_range_of_an_expression_holds_every_value():
    """Of random expressions of the contract's operators, at random values of their fields."""
    rng = np.random.default_rng(0)
    names = [name for name in DESCRIPTOR if DESCRIPTOR[name].max < 2**17]

    def expression(depth):
        if depth == 0:
            return str(rng.choice([*names[:12], "TERMS", "3"]))
        a, b = expression(depth - 1), expression(depth - 1)
        forms = [f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} << block_log2)"]
        forms += [f"({a} >> share_log2)", f"ceil_div({a}, 1 << block_log2)"]
        forms += [f"(ceil_div({a}, 1 << share_log2) << share_log2)"]
        return str(rng.choice(forms))

    for _ in range(300):
        text = expression(int(rng.integers(1, 4)))
        low, high = ranges.value_range(ast.parse(text, mode="eval").body, ranges.Known())
        for _ in range(20):
            ends = [(DESCRIPTOR[name].min, DESCRIPTOR[name].max) for name in names]
            values = [int(rng.choice([*end, rng.integers(*end)])) for end in ends]
            assert low <= contract.evaluate(text, dict(zip(names, values))) <= high, text


def test_reserved_names_are_not_taken():
    program, longest = CONTRACT["program"], max(contract.OPCODES.values())
    for row in program["reserved"]:
        assert row["name"] not in contract.OPCODES
        assert row.get("value", longest + 1) > longest
        assert row.get("word", len(HEADER)) >= len(HEADER)


def test_the_page_is_the_contracts():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    assert tables.fill_page(page) == page, "run: python pynq_circnn/contract page"
    unnamed = [kind for kind in layers.Layer.kinds if kind not in page]
    assert not unnamed
    assert all(f"`{name}`" in page for name in contract.OPCODES)
