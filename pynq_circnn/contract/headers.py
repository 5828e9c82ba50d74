"""C headers generated from the contract, for the native back end and the HLS sources."""

import ast
import os
from typing import Dict, List

from . import (
    ACTIVATION_CODES,
    ALIGN_BYTES,
    ARITHMETIC,
    CONFIGURATIONS,
    DESCRIPTOR,
    DESCRIPTOR_WORDS,
    ENGINE,
    HEADER,
    HEADER_WORDS,
    IDENTITY,
    LATENCY,
    LIMITS,
    MAGIC,
    OPCODES,
    OPERATIONS,
    PACKET_KINDS,
    PROGRAM_VERSION,
    RULES,
    SECTIONS,
    STATUS,
    TABLE_ACTIVATIONS,
    TABLES,
    TRAITS,
    configuration_digest,
)

_OPERATIONS = list(OPERATIONS.values())
_GENERATED = "/* Generated from the contract by pynq_circnn/contract/headers.py: do not edit. */"


def c_header() -> str:
    """Return the C header with every constant, range and table of the contract."""
    lines = [
        _GENERATED,
        "#ifndef CIRCNN_CONTRACT_H",
        "#define CIRCNN_CONTRACT_H",
        "",
        "#include <stdint.h>",
        "",
    ]

    def enum(prefix: str, values: Dict[str, int]) -> None:
        for name, value in values.items():
            suffix = "u" if value >= 1 << 31 else ""
            lines.append(f"#define CIRCNN_{prefix}{name.upper()} ({value}{suffix})")
        lines.append("")

    enum("", ARITHMETIC)
    enum("LIMIT_", LIMITS)
    enum("STATUS_", STATUS)
    enum("OP_", OPCODES)
    enum("ACTIVATION_", ACTIVATION_CODES)
    layout = {"magic": MAGIC, "version": PROGRAM_VERSION, "align_bytes": ALIGN_BYTES}
    enum(
        "ENGINE_",
        {**IDENTITY, **{k: ENGINE[k] for k in ("dma_length_bits", "stride_max", "pace_max")}},
    )
    enum("LATENCY_", LATENCY)
    enum("PACKET_", PACKET_KINDS)
    enum("PROGRAM_", {**layout, "header_words": HEADER_WORDS, "descriptor_words": DESCRIPTOR_WORDS})
    lines.append("typedef struct { int64_t min, max; } circnn_range;")
    for record, table in (("header", HEADER), ("descriptor", DESCRIPTOR)):
        lines += ["", "typedef struct {"]
        for field in table.values():
            kind = "uint32_t" if field.max >= 1 << 31 else "int32_t"
            lines.append(f"    {kind} {field.name}; /* {field.doc} */")
        lines.append(f"}} circnn_{record};")
        ranges = ", ".join(f"{{{f.min}LL, {f.max}LL}}" for f in table.values())
        lines.append(f"static const circnn_range circnn_{record}_ranges[] = {{{ranges}}};")
    lines.append("")
    for name, table_values in TABLES.items():
        values = ", ".join(map(str, table_values))
        lines.append(f"static const int16_t circnn_{name}[{len(table_values)}] = {{{values}}};")
    lines += ["", *_lists(), "", *_rules(), ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.h")) as file:
        lines.append(file.read())
    lines += ["#endif", ""]
    return "\n".join(lines)


def _lists() -> List[str]:
    """Return the lists of opcodes and activations, and the opcodes' traits."""
    lines = [
        f"#define CIRCNN_OPCODES ({max(OPCODES.values()) + 1}) /* the highest, plus one */",
        "/* X(NAME, name) for every opcode, and for every activation. */",
    ]
    for macro, names in (("OPCODES", OPCODES), ("ACTIVATIONS", ACTIVATION_CODES)):
        each = " ".join(f"X({name.upper()}, {name})" for name in names)
        lines.append(f"#define CIRCNN_FOR_{macro}(X) {each}")
    tables = " || ".join(
        f"(activation) == CIRCNN_ACTIVATION_{n.upper()}" for n in TABLE_ACTIVATIONS
    )
    lines += [f"#define CIRCNN_IS_TABLE(activation) ({tables})", "", "typedef struct {"]
    lines += [f"    uint8_t {name}; /* {doc} */" for name, doc in TRAITS.items()]
    lines += ["} circnn_traits;", "static const circnn_traits circnn_opcode_traits[] = {"]
    for opcode in range(max(OPCODES.values()) + 1):
        operation = OPERATIONS.get(opcode)
        has = [int(operation is not None and trait in operation.traits) for trait in TRAITS]
        name = operation.name if operation is not None else "none"
        lines.append(f"    {{{', '.join(map(str, has))}}}, /* {name} */")
    return [*lines, "};"]


_OPERATORS: Dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.LShift: "<<", ast.RShift: ">>",
    ast.Eq: "==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.And: " && ", ast.Or: " || ",
}  # fmt: skip


def expression_in_c(expression: str) -> str:
    """Return an expression of the contract in C, in 64 bits, with every pair of brackets.

    Raises
    ------
    ValueError
        If it holds anything but what :class:`~pynq_circnn.contract.Rule` allows.

    Examples
    --------
    >>> expression_in_c("pad_top < 1 << block_log2")
    '((int64_t)d->pad_top < ((int64_t)1 << (int64_t)d->block_log2))'
    """
    return _node_in_c(ast.parse(expression, mode="eval").body, expression)


def _node_in_c(node: ast.AST, whole: str) -> str:
    if isinstance(node, ast.BoolOp):
        parts = [_node_in_c(value, whole) for value in node.values]
        return f"({_OPERATORS[type(node.op)].join(parts)})"
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        pair = [_node_in_c(side, whole) for side in (node.left, node.comparators[0])]
        return f"({pair[0]} {_OPERATORS[type(node.ops[0])]} {pair[1]})"
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        pair = [_node_in_c(side, whole) for side in (node.left, node.right)]
        return f"({pair[0]} {_OPERATORS[type(node.op)]} {pair[1]})"
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ceil_div"
    ):
        arguments = [_node_in_c(argument, whole) for argument in node.args]
        return f"circnn_ceil_div({', '.join(arguments)})"
    if isinstance(node, ast.Name) and node.id in DESCRIPTOR:
        return f"(int64_t)d->{node.id}"
    if isinstance(node, ast.Name) and node.id.isupper() and node.id.lower() in LIMITS:
        return f"CIRCNN_LIMIT_{node.id}"
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return f"(int64_t){node.value}"
    raise ValueError(
        "an expression of the contract must hold only fields, limits in capitals, integers, "
        "ceil_div, + - * << >>, single comparisons, and, or. "
        f"Received: {ast.dump(node)} in {whole!r}."
    )


def _rules() -> List[str]:
    """Return the functions that check a descriptor by the rules of its opcode."""
    lines = [
        "static inline int64_t circnn_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }",
    ]
    for name, rule in RULES.items():
        lines += [
            "",
            f"/* Whether {rule.doc}. */",
            f"static inline int circnn_rule_{name}(const circnn_descriptor *d) {{",
            f"    return {expression_in_c(rule.rule)};",
            "}",
        ]
    lines += _by_opcode(
        "Whether a descriptor follows the rules of its opcode.",
        "int circnn_rules_ok(const circnn_descriptor *d)",
        {o.name: " && ".join(f"circnn_rule_{r}(d)" for r in o.rules) for o in _OPERATIONS},
    )
    lines += _by_opcode(
        "Words of the second operand.",
        "int64_t circnn_second_words(const circnn_descriptor *d)",
        {o.name: expression_in_c(o.second) for o in _OPERATIONS if o.two_operands},
    )
    for section in SECTIONS:
        lines += _by_opcode(
            f"Words that a layer reads of the section {section}.",
            f"int64_t circnn_{section}_of(const circnn_descriptor *d)",
            {
                o.name: expression_in_c(o.sections[section])
                for o in _OPERATIONS
                if section in o.sections
            },
        )
    return lines


def _by_opcode(doc: str, head: str, expressions: Dict[str, str]) -> List[str]:
    """Return a C function with an expression for each opcode; for others it returns zero."""
    lines = ["", f"/* {doc} */", f"static inline {head} {{", "    switch (d->opcode) {"]
    for name, expression in expressions.items():
        lines += [f"    case CIRCNN_OP_{name.upper()}:", f"        return {expression};"]
    return [*lines, "    default:", "        return 0;", "    }", "}"]


def native_headers() -> Dict[str, str]:
    """Return the generated headers of the native back end: texts by file name."""
    return {"circnn_contract.h": c_header(), "circnn_kinds.h": _kinds_header("h")}


def engine_headers(configuration: str) -> Dict[str, str]:
    """Return the generated headers of the HLS sources for one hardware configuration."""
    return {
        "circnn_contract.h": c_header(),
        "circnn_configuration.h": configuration_header(configuration),
        "circnn_kinds.hpp": _kinds_header("hpp"),
    }


def write_headers(folder: str, texts: Dict[str, str]) -> None:
    """Write headers into a folder, created if missing; unchanged files keep their time."""
    os.makedirs(folder, exist_ok=True)
    for name, text in texts.items():
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _kinds_header(extension: str) -> str:
    """Return the list of the layer kinds' own headers, ``kinds/NAME.h`` or ``kinds/NAME.hpp``."""
    return "".join(
        [f"{_GENERATED}\n", *(f'#include "kinds/{name}.{extension}"\n' for name in OPCODES)]
    )


def configuration_header(name: str) -> str:
    """Return the C header with the sizes of one hardware configuration."""
    lines = [_GENERATED, ""]
    for key, value in CONFIGURATIONS[name].items():
        if isinstance(value, int):
            lines.append(f"#define CIRCNN_CONFIG_{key.upper()} ({value})")
    lines += [f"#define CIRCNN_CONFIG_DIGEST (0x{configuration_digest(name):08X}u)", ""]
    lines += ["/* The tables' even and odd points: an interval's ends lie one in each. */"]
    for table in TABLE_ACTIVATIONS:
        for half, points in (("even", TABLES[table][::2]), ("odd", TABLES[table][1::2])):
            values = ", ".join(map(str, points))
            head = f"static const int16_t circnn_{table}_{half}[{len(points)}]"
            lines.append(f"{head} = {{{values}}};")
    return "\n".join([*lines, ""])
