"""The contract: ``contract.json`` (widths, limits, layouts) and ``tables.json`` as Python values.

The C header that the native back end is compiled with, and the tables in ``hw/ENGINE.md``, are
made from the same two files by this module, which needs nothing but the standard library and can
therefore be executed on its own while the package is being built::

    python pynq_circnn/contract/__init__.py header           # prints the C header
    python pynq_circnn/contract/__init__.py header z2        # prints the sizes of a configuration
    python pynq_circnn/contract/__init__.py page             # renews the tables of hw/ENGINE.md
"""

import json
import os
import sys
import zlib
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

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
STATUS_NAMES: Dict[int, str] = {value: name for name, value in STATUS.items()}
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
ENGINE: Dict[str, Any] = CONTRACT["engine"]
IDENTITY: Dict[str, int] = _values(ENGINE["identity"])
PACKET_KINDS: Dict[str, int] = _values(ENGINE["packets"]["kinds"])
REGISTERS: Dict[str, int] = {row["name"]: row["offset"] for row in ENGINE["registers"]}
REPLY_FIELDS: List[str] = [row["name"] for row in ENGINE["packets"]["reply"]]
BLOCK_SIZES = tuple(2**i for i in range(LIMITS["block_log2"] + 1))

assert len(HEADER) <= HEADER_WORDS and len(DESCRIPTOR) <= DESCRIPTOR_WORDS


def configuration_digest(name: str, version: Optional[int] = None) -> int:
    """Return the CRC-32 that ties a program to the engine configuration it was compiled for.

    It covers the sizes and, of an engine, the version of its packets and registers: the contract's
    if `version` is left out. Version 1 was not covered yet.
    """
    facts = {key: value for key, value in CONFIGURATIONS[name].items() if key != "doc"}
    version = IDENTITY["interface_version"] if version is None else version
    if "lanes" in facts and version > 1:
        facts["interface_version"] = version
    text = json.dumps({"name": name, **facts}, sort_keys=True, separators=(",", ":"))
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
            suffix = "u" if value >= 1 << 31 else ""
            lines.append(f"#define CIRCNN_{prefix}{name.upper()} ({value}{suffix})")
        lines.append("")

    enum("", ARITHMETIC)
    enum("LIMIT_", LIMITS)
    enum("STATUS_", STATUS)
    enum("OP_", OPCODES)
    enum("ACTIVATION_", ACTIVATION_CODES)
    layout = {"magic": MAGIC, "version": PROGRAM_VERSION, "align_bytes": ALIGN_BYTES}
    enum("ENGINE_", {**IDENTITY, "dma_length_bits": ENGINE["dma_length_bits"]})
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
    lines += ["", "#endif", ""]
    return "\n".join(lines)


def configuration_header(name: str) -> str:
    """Return the C header with the sizes of one hardware configuration."""
    lines = ["/* Generated from contract.json by contract.py: do not edit. */", ""]
    for key, value in CONFIGURATIONS[name].items():
        if isinstance(value, int):
            lines.append(f"#define CIRCNN_CONFIG_{key.upper()} ({value})")
    lines += [f"#define CIRCNN_CONFIG_DIGEST (0x{configuration_digest(name):08X}u)", ""]
    return "\n".join(lines)


def hardware_configurations() -> List[str]:
    """Return the names of the configurations that are engines: all but the host's."""
    return [name for name, values in CONFIGURATIONS.items() if "lanes" in values]


def engine_digests() -> Dict[int, str]:
    """Return the names of the configurations that are engines by their digest."""
    return {configuration_digest(name): name for name in hardware_configurations()}


def digest_words(digest: int) -> str:
    """Return what an engine's digest tells of it, for messages."""
    now = IDENTITY["interface_version"]
    for version in range(now, 0, -1):
        for name in hardware_configurations():
            if configuration_digest(name, version) == digest:
                return f"{digest:08x} ({name} of interface version {version})"
    return f"{digest:08x} (unknown to this package, whose interface version is {now})"


def known_engines() -> str:
    """Return the interface version of this package and its engines' digests, for messages."""
    known = ", ".join(f"{name} {digest:08x}" for digest, name in engine_digests().items())
    return f"interface version {IDENTITY['interface_version']} ({known})"


def _table(head: List[str], rows: List[List[Any]]) -> str:
    cells = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells)


def page_tables() -> Dict[str, str]:
    """Return the tables of ``hw/ENGINE.md`` by the name of the mark that they stand behind."""
    packets = ENGINE["packets"]
    named = {
        "arithmetic": CONTRACT["arithmetic"],
        "limits": CONTRACT["limits"],
        "opcodes": _PROGRAM["opcodes"],
        "activations": _PROGRAM["activations"],
        "status": CONTRACT["status"],
        "identity": ENGINE["identity"],
        "kinds": packets["kinds"],
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
    rows = [
        [f"0x{r['offset']:02X}", f"`{r['name']}`", r["access"], r["doc"]]
        for r in ENGINE["registers"]
    ]
    tables["registers"] = _table(["offset", "register", "access", "meaning"], rows)
    for mark, fields in (("packet", packets["header"]), ("reply", packets["reply"])):
        rows = [[i, f"`{field['name']}`", field["doc"]] for i, field in enumerate(fields)]
        tables[mark] = _table(["word", "field", "meaning"], rows)
    columns = ["weights_words", "activation_words", "layers", "lanes", "spectra_words"]
    rows = [
        [
            f"`{name}`",
            *(c.get(key, "") for key in columns),
            f"`{configuration_digest(name):08x}`",
            c["doc"],
        ]
        for name, c in CONFIGURATIONS.items()
    ]
    tables["configurations"] = _table(["name", *columns, "digest", "meaning"], rows)
    return tables


def fill_marks(text: str, tables: Dict[str, str]) -> str:
    """Return a page with what stands behind every mark ``<!-- NAME -->`` renewed.

    Raises
    ------
    ValueError
        If a mark, or the ``<!-- end -->`` behind it, is not there once.
    """
    for mark, table in tables.items():
        begin, end = f"<!-- {mark} -->\n", "<!-- end -->"
        parts = text.split(begin)
        if len(parts) != 2 or end not in parts[1]:
            raise ValueError(
                f"the page must have the mark {begin.strip()} and {end} behind it, once. "
                f"Received: {len(parts) - 1} times."
            )
        text = parts[0] + begin + table + "\n" + parts[1][parts[1].index(end) :]
    return text


def fill_page(text: str) -> str:
    """Return ``hw/ENGINE.md`` with its tables renewed."""
    tables = {f"contract: {name}": table for name, table in page_tables().items()}
    return fill_marks(text, tables)


def _main(arguments: List[str]) -> None:
    if arguments == ["header"]:
        sys.stdout.write(c_header())
    elif len(arguments) == 2 and arguments[0] == "header":
        sys.stdout.write(configuration_header(arguments[1]))
    elif arguments == ["page"]:
        path = os.path.join(os.path.dirname(os.path.dirname(_HERE)), "hw", "ENGINE.md")
        with open(path, encoding="utf-8") as file:
            text = fill_page(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        raise SystemExit("usage: contract.py header [CONFIGURATION] | page")


if __name__ == "__main__":
    _main(sys.argv[1:])
