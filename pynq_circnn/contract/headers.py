"""C headers generated from the contract, for the native back end and the HLS sources."""

import ast
import os
from typing import Dict, List, Sequence

from . import (
    ACTIVATION_CODES,
    ALIGN_BYTES,
    ARITHMETIC,
    BITS,
    CONFIGURATIONS,
    DESCRIPTOR,
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
    PAYLOAD_WORDS,
    PROGRAM_VERSION,
    RECORD,
    RECORD_WORDS,
    RULES,
    SECTIONS,
    STATUS,
    TABLE_ACTIVATIONS,
    TABLES,
    TRAITS,
    Field,
    Operation,
    configuration_digest,
)
from .ranges import Known, resolved, value_range

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
        {
            **IDENTITY,
            **{k: ENGINE[k] for k in ("dma_length_bits", "stride_max", "pace_max", "batch_max")},
        },
    )
    enum("LATENCY_", LATENCY)
    enum("PACKET_", PACKET_KINDS)
    for field_name, bits in BITS.items():
        enum(f"{field_name.upper()}_", bits)
    words = {"header": HEADER_WORDS, "record": RECORD_WORDS, "payload": PAYLOAD_WORDS}
    enum("PROGRAM_", {**layout, **{f"{part}_words": count for part, count in words.items()}})
    lines += [
        "#ifdef __cplusplus",
        "#define CIRCNN_TIED(holds, what) static_assert(holds, what)",
        "#define CIRCNN_CONSTANT static constexpr",
        "#else",
        "#define CIRCNN_TIED(holds, what) _Static_assert(holds, what)",
        "#define CIRCNN_CONSTANT static const",
        "#endif",
        "",
    ]
    lines.append("typedef struct { int64_t min, max; } circnn_range;")
    for record, table in (("header", HEADER), ("descriptor", DESCRIPTOR)):
        lines += ["", "typedef struct {"]
        for field in table.values():
            kind = "uint32_t" if field.max >= 1 << 31 else "int32_t"
            lines.append(f"    {kind} {field.name}; /* {field.doc} */")
        lines.append(f"}} circnn_{record};")
        ranges = ", ".join(f"{{{f.min}LL, {f.max}LL}}" for f in table.values())
        lines.append(f"CIRCNN_CONSTANT circnn_range circnn_{record}_ranges[] = {{{ranges}}};")
        lines += _assignments(record, list(table.values()))
        each = " ".join(f"X({field})" for field in table)
        lines.append(f"#define CIRCNN_FOR_{record.upper()}_FIELDS(X) {each}")
    lines.append("")
    for name, table_values in TABLES.items():
        values = ", ".join(map(str, table_values))
        lines.append(f"CIRCNN_CONSTANT int16_t circnn_{name}[{len(table_values)}] = {{{values}}};")
    lines += ["", *_lists(), "", *_payloads(), "", *_rules(), ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.h")) as file:
        lines.append(file.read())
    lines += ["#endif", ""]
    return "\n".join(lines)


def _assignments(record: str, fields: List[Field]) -> List[str]:
    """Return the function that fills a structure from words, field by field."""
    lines = [
        f"enum {{ CIRCNN_{record.upper()}_FIELDS = {len(fields)} }};",
        f"CIRCNN_TIED(sizeof(circnn_{record}) == 4 * CIRCNN_{record.upper()}_FIELDS,",
        '            "a field is one word");',
        f"static inline void circnn_{record}_of(const uint32_t *words, circnn_{record} *to) {{",
    ]
    for field in fields:
        cast = "" if field.max >= 1 << 31 else "(int32_t)"
        lines.append(f"    to->{field.name} = {cast}words[{field.index}];")
    return [*lines, "}"]


def _payloads() -> List[str]:
    """Return the fields of each opcode's payload, by their places in the structure."""
    lines = ["enum { CIRCNN_NO_FIELD = 255 };"]
    last = max(OPCODES.values())
    words, fields = ["0"] * (last + 1), [["CIRCNN_NO_FIELD"] * PAYLOAD_WORDS] * (last + 1)
    for operation in _OPERATIONS:
        indices = [str(DESCRIPTOR[name].index) for name in operation.payload]
        padding = ["CIRCNN_NO_FIELD"] * (PAYLOAD_WORDS - len(indices))
        words[operation.opcode] = f"CIRCNN_PAYLOAD_{operation.name.upper()}"
        fields[operation.opcode] = indices + padding
        lines.append(f"enum {{ {words[operation.opcode]} = {operation.payload_words} }};")
        lines.append(
            f"CIRCNN_TIED({words[operation.opcode]} <= CIRCNN_PROGRAM_PAYLOAD_WORDS && "
            f"4 * {words[operation.opcode]} % CIRCNN_PROGRAM_ALIGN_BYTES == 0,\n"
            '            "payloads consist of whole beats");'
        )
    return [
        *lines,
        f"CIRCNN_TIED({len(RECORD)} == CIRCNN_PROGRAM_RECORD_WORDS,",
        '            "each word of a record is a field, and the first fields are those");',
        "/* By opcode: words of the payload, or 0 of no opcode; and the field of each word. */",
        f"static const uint16_t circnn_payload_words[CIRCNN_OPCODES] = {{{', '.join(words)}}};",
        "static const uint8_t circnn_payload_fields[CIRCNN_OPCODES][CIRCNN_PROGRAM_PAYLOAD_WORDS] "
        "= {",
        *(f"    {{{', '.join(row)}}}," for row in fields),
        "};",
    ]


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
    lines += ["} circnn_traits;", "CIRCNN_CONSTANT circnn_traits circnn_opcode_traits[] = {"]
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


def expression_in_c(expression: str, given: Sequence[str] = ()) -> str:
    """Return an expression of the contract in C, in 64 bits, with every pair of brackets.

    Products become calls of ``circnn_multiply``, whose factors have 32 bits.  The engine takes the
    same expressions as steps: :mod:`.steps`.

    Parameters
    ----------
    expression : str
    given : sequence of str
        Rules that hold wherever the expression is evaluated; they bound its factors.

    Raises
    ------
    ValueError
        If it holds anything but what :class:`~pynq_circnn.contract.Rule` allows, or a product
        that may need more than 32 bits in a factor, or 63 in all.

    Examples
    --------
    >>> expression_in_c("pad_top < 1 << block_log2")
    '((int64_t)d->pad_top < ((int64_t)1 << (int64_t)d->block_log2))'
    """
    known = Known()
    for rule in given:
        known = known.and_rule(ast.parse(rule, mode="eval").body)
    return _node_in_c(ast.parse(expression, mode="eval").body, expression, known)


def _node_in_c(node: ast.AST, whole: str, known: Known) -> str:
    if isinstance(node, ast.BoolOp):
        parts = []
        for value in node.values:
            parts.append(_node_in_c(value, whole, known))
            if isinstance(node.op, ast.And):  # what comes after is evaluated only where this holds
                known = known.and_rule(value)
        return f"({_OPERATORS[type(node.op)].join(parts)})"
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        pair = [_node_in_c(side, whole, known) for side in (node.left, node.comparators[0])]
        return f"({pair[0]} {_OPERATORS[type(node.ops[0])]} {pair[1]})"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _product_in_c(node, whole, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        pair = [_node_in_c(side, whole, known) for side in (node.left, node.right)]
        return f"({pair[0]} {_OPERATORS[type(node.op)]} {pair[1]})"
    divided = resolved(node, Known())
    if divided.ceil_div is not None:
        pair = [_node_in_c(side, whole, known) for side in divided.ceil_div]
        return f"circnn_ceil_shift({pair[0]}, {pair[1]})"
    if isinstance(node, ast.Name) and node.id in DESCRIPTOR:
        return f"(int64_t)d->{node.id}"
    if isinstance(node, ast.Name) and node.id.isupper() and node.id.lower() in LIMITS:
        return f"CIRCNN_LIMIT_{node.id}"
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return f"(int64_t){node.value}"
    raise ValueError(
        "an expression of the contract must hold only fields, limits in capitals, integers, "
        "ceil_div of a power of two, + - * << >>, single comparisons, and, or. "
        f"Received: {ast.dump(node)} in {whole!r}."
    )


def _product_in_c(node: ast.BinOp, whole: str, known: Known) -> str:
    pair = [_node_in_c(side, whole, known) for side in (node.left, node.right)]
    lows, highs = zip(*(value_range(side, known) for side in (node.left, node.right)))
    if min(lows) < 0 or max(highs) >= 1 << 32 or highs[0] * highs[1] >= 1 << 63:
        raise ValueError(
            "a product of the contract must have factors of at most 32 bits, and 63 bits. "
            f"Received: {lows[0]} ... {highs[0]} times {lows[1]} ... {highs[1]} in {whole!r}. "
            "Add a rule that bounds a factor to those of the opcode."
        )
    return f"circnn_multiply((uint32_t){pair[0]}, (uint32_t){pair[1]})"


def _rules() -> List[str]:
    """Return the functions that check an instruction by the rules of its opcode."""
    lines = [
        "static inline int64_t circnn_multiply(uint32_t a, uint32_t b) {",
        "    return (int64_t)((uint64_t)a * b);",
        "}",
        "",
        "static inline int64_t circnn_ceil_shift(int64_t a, int64_t log2) {",
        "    return (a + ((int64_t)1 << log2) - 1) >> log2;",
        "}",
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
        "Whether an instruction follows the rules of its opcode.",
        "int circnn_rules_ok(const circnn_descriptor *d)",
        {o.name: " && ".join(f"circnn_rule_{r}(d)" for r in o.rules) for o in _OPERATIONS},
    )
    lines += _by_opcode(
        "Words of the second operand of an instruction that follows the rules.",
        "int64_t circnn_second_words(const circnn_descriptor *d)",
        {o.name: expression_in_c(o.second, _rules_of(o)) for o in _OPERATIONS if o.two_operands},
    )
    for section in SECTIONS:
        lines += _by_opcode(
            f"Words of the section {section} of an instruction that follows the rules.",
            f"int64_t circnn_{section}_of(const circnn_descriptor *d)",
            {
                o.name: expression_in_c(o.sections[section], _rules_of(o))
                for o in _OPERATIONS
                if section in o.sections
            },
        )
    return lines


def _rules_of(operation: Operation) -> List[str]:
    """Return the rules of an opcode, and that its images are no larger than a tensor."""
    return [RULES[name].rule for name in operation.rules] + [
        f"{side}_height * {side}_width <= TENSOR_WORDS and "
        f"{side}_height * {side}_width * {side}_channels <= TENSOR_WORDS"
        for side in ("in", "out")
    ]


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
    from .steps import step_macros

    lines = [_GENERATED, ""]
    for key, value in CONFIGURATIONS[name].items():
        if isinstance(value, int):
            lines.append(f"#define CIRCNN_CONFIG_{key.upper()} ({value})")
    for key, bits in widths(name).items():
        lines.append(f"#define CIRCNN_CONFIG_{key.upper()} ({bits})")
    lines += [f"#define CIRCNN_CONFIG_DIGEST (0x{configuration_digest(name):08X}u)", ""]
    lines += [
        "/* The rules of the contract as steps of the engine's arithmetic: hw/src/steps.hpp. */"
    ]
    lines += [*step_macros(), ""]
    lines += [
        "/* The tables' even and odd points from zero on, by table: an interval's ends lie one in",
        " * each.  The point at zero, which is 2^14 or 0, is replaced by the last one. */",
    ]
    halves = [half_table(table) for table in TABLE_ACTIVATIONS]
    evens = [[p[-1], *p[2:-1:2]] for p in halves]
    for half, points in (("even", evens), ("odd", [p[1::2] for p in halves])):
        values = ", ".join("{" + ", ".join(map(str, p)) + "}" for p in points)
        head = f"static const int16_t circnn_tables_{half}[{len(points)}][{len(points[0])}]"
        lines.append(f"{head} = {{{values}}};")
    return "\n".join([*lines, ""])


def widths(name: str) -> Dict[str, int]:
    """Return the bits of an address of the activation memory, and of a lane's sum of products.

    A product is one of a word and of a sum or difference of two; a sum has a term for each row of
    weights at most.
    """
    sizes = CONFIGURATIONS[name]
    found = {"address_bits": (sizes["activation_words"] - 1).bit_length()}
    if "lanes" in sizes:
        rows = sizes["weights_words"] // (2 * sizes["lanes"])
        found["sum_bits"] = 32 + (rows - 1).bit_length()
    return found


def half_table(name: str) -> List[int]:
    """Return the points of a table from zero on: the others are their mirror image.

    Raises
    ------
    ValueError
        If the points below zero are not -y (tanh) or 2^15 - y (sigmoid) for each y above it.
    """
    points = TABLES[name]
    zero = len(points) // 2
    whole = 2 * points[zero]  # 2^15 or 0
    if whole not in (0, 1 << 15) or any(a + b != whole for a, b in zip(points, points[::-1])):
        raise ValueError(f"the table of {name} must be its own mirror image about zero")
    return points[zero:]
