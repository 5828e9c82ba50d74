"""The contract: ``contract.json`` (widths, limits, layouts) and ``tables.json`` as Python values.

The C header that the native back end is compiled with, and the tables in ``hw/ENGINE.md``, are
made from the same two files by this module, which needs nothing but the standard library and can
therefore be executed on its own while the package is being built::

    python pynq_circnn/contract.py header           # prints the C header
    python pynq_circnn/contract.py page             # brings the tables of hw/ENGINE.md up to date
"""

import json
import os
import sys
import zlib
from dataclasses import dataclass
from typing import Any, Dict, List

_HERE = os.path.dirname(os.path.abspath(__file__))


def _read(name: str) -> Any:
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return json.load(file)


@dataclass(frozen=True)
class Field:
    """One 32-bit word of a header or descriptor."""

    name: str
    index: int
    min: int
    max: int
    doc: str


CONTRACT: Dict[str, Any] = _read("contract.json")
TABLES: Dict[str, List[int]] = _read("tables.json")


def _values(rows: List[Dict[str, Any]]) -> Dict[str, int]:
    return {row["name"]: row["value"] for row in rows}


def _fields(rows: List[Dict[str, Any]]) -> Dict[str, Field]:
    return {row["name"]: Field(index=i, **row) for i, row in enumerate(rows)}


_PROGRAM = CONTRACT["program"]

ARITHMETIC: Dict[str, int] = _values(CONTRACT["arithmetic"])
LIMITS: Dict[str, int] = _values(CONTRACT["limits"])
STATUS: Dict[str, int] = _values(CONTRACT["status"])
OPCODES: Dict[str, int] = _values(_PROGRAM["opcodes"])
ACTIVATION_CODES: Dict[str, int] = _values(_PROGRAM["activations"])
HEADER: Dict[str, Field] = _fields(_PROGRAM["header"])
DESCRIPTOR: Dict[str, Field] = _fields(_PROGRAM["descriptor"])
HEADER_WORDS: int = _PROGRAM["header_words"]
DESCRIPTOR_WORDS: int = _PROGRAM["descriptor_words"]
MAGIC: int = _PROGRAM["magic"]
PROGRAM_VERSION: int = _PROGRAM["version"]
ALIGN_BYTES: int = _PROGRAM["align_bytes"]
CONFIGURATIONS: Dict[str, Dict[str, Any]] = CONTRACT["configurations"]
BLOCK_SIZES = tuple(2**i for i in range(LIMITS["block_log2"] + 1))

assert len(HEADER) <= HEADER_WORDS and len(DESCRIPTOR) <= DESCRIPTOR_WORDS


def configuration_digest(name: str) -> int:
    """Return the CRC-32 that ties a program to the engine configuration it was compiled for."""
    limits = {key: value for key, value in CONFIGURATIONS[name].items() if key != "doc"}
    text = json.dumps({"name": name, **limits}, sort_keys=True, separators=(",", ":"))
    return zlib.crc32(text.encode("ascii"))


def c_header() -> str:
    """Return the C header with every constant, range and table of the contract."""
    lines = ["/* Generated from contract.json and tables.json by contract.py: do not edit. */"]
    lines += [
        "#ifndef CIRCNN_CONTRACT_H",
        "#define CIRCNN_CONTRACT_H",
        "",
        "#include <stdint.h>",
        "",
    ]

    def enum(prefix: str, values: Dict[str, int]) -> None:
        for name, value in values.items():
            lines.append(f"#define CIRCNN_{prefix}{name.upper()} ({value})")
        lines.append("")

    enum("", ARITHMETIC)
    enum("LIMIT_", LIMITS)
    enum("STATUS_", STATUS)
    enum("OP_", OPCODES)
    enum("ACTIVATION_", ACTIVATION_CODES)
    layout = {"magic": MAGIC, "version": PROGRAM_VERSION, "align_bytes": ALIGN_BYTES}
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
    lines += ["", "#endif", ""]
    return "\n".join(lines)


def _table(head: List[str], rows: List[List[Any]]) -> str:
    cells = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells)


def page_tables() -> Dict[str, str]:
    """Return the tables of ``hw/ENGINE.md`` by the name of the mark that they stand behind."""
    named = {
        "arithmetic": CONTRACT["arithmetic"],
        "limits": CONTRACT["limits"],
        "opcodes": _PROGRAM["opcodes"],
        "activations": _PROGRAM["activations"],
        "status": CONTRACT["status"],
    }
    tables = {
        mark: _table(
            ["name", "value", "meaning"], [[f"`{r['name']}`", r["value"], r["doc"]] for r in rows]
        )
        for mark, rows in named.items()
    }
    for mark, record in (("header", HEADER), ("descriptor", DESCRIPTOR)):
        rows = [[f.index, f"`{f.name}`", f"{f.min} ... {f.max}", f.doc] for f in record.values()]
        tables[mark] = _table(["word", "field", "range", "meaning"], rows)
    columns = ["weights_words", "activation_words", "layers"]
    rows = [
        [f"`{name}`", *(c[key] for key in columns), f"`{configuration_digest(name):08x}`", c["doc"]]
        for name, c in CONFIGURATIONS.items()
    ]
    tables["configurations"] = _table(["name", *columns, "digest", "meaning"], rows)
    return tables


def fill_page(text: str) -> str:
    """Return the page with the table behind every mark ``<!-- contract: NAME -->`` renewed."""
    tables = page_tables()
    for mark, table in tables.items():
        begin, end = f"<!-- contract: {mark} -->\n", "<!-- end -->"
        parts = text.split(begin)
        if len(parts) != 2 or end not in parts[1]:
            raise ValueError(
                f"the page must have the mark {begin.strip()} and {end} behind it, once. "
                f"Received: {len(parts) - 1} times."
            )
        text = parts[0] + begin + table + "\n" + parts[1][parts[1].index(end) :]
    return text


def _main(arguments: List[str]) -> None:
    if arguments == ["header"]:
        sys.stdout.write(c_header())
    elif arguments == ["page"]:
        path = os.path.join(os.path.dirname(_HERE), "hw", "ENGINE.md")
        with open(path, encoding="utf-8") as file:
            text = fill_page(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        raise SystemExit("usage: contract.py header | page")


if __name__ == "__main__":
    _main(sys.argv[1:])
