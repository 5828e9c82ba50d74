"""The tables of ``hw/ENGINE.md``, generated from the contract."""

import os
from typing import Any, Dict, List

from . import (
    BUDGET,
    CONFIGURATIONS,
    CONTRACT,
    DESCRIPTOR,
    ENGINE,
    HEADER,
    OPERATIONS,
    RECORD,
    RULES,
    TRAITS,
    Field,
    Operation,
    configuration_digest,
)

PAGE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "hw", "ENGINE.md"
)


def _table(head: List[str], rows: List[List[Any]]) -> str:
    cells = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells)


def page_tables() -> Dict[str, str]:
    """Return the tables of ``hw/ENGINE.md`` by the name of the mark before each."""
    packets = ENGINE["packets"]
    named = {
        "arithmetic": CONTRACT["arithmetic"],
        "limits": CONTRACT["limits"],
        "activations": CONTRACT["program"]["activations"],
        "status": CONTRACT["status"],
        "identity": ENGINE["identity"],
        "latency": ENGINE["latency"],
        "kinds": packets["kinds"],
    }
    tables = {
        mark: _table(
            ["name", "value", "meaning"], [[f"`{r['name']}`", r["value"], r["doc"]] for r in rows]
        )
        for mark, rows in named.items()
    }
    rows = [
        [f"`{o.name}`", o.opcode, o.doc, ", ".join(o.traits), ", ".join(o.rules), _sections(o)]
        for o in OPERATIONS.values()
    ]
    head = ["name", "value", "meaning", "traits", "rules", "words of its sections"]
    tables["opcodes"] = _table(head, rows)
    rows = [[f"`{name}`", doc] for name, doc in TRAITS.items()]
    tables["traits"] = _table(["trait", "meaning"], rows)
    rows = [[f"`{name}`", f"`{rule.rule}`", rule.doc] for name, rule in RULES.items()]
    tables["rules"] = _table(["rule", "holds if", "meaning"], rows)
    for mark, record in (("header", HEADER), ("record", RECORD)):
        rows = [[f.index, *_field(f)] for f in record.values()]
        tables[mark] = _table(["word", "field", "range", "meaning"], rows)
    rows = [_field(f) for f in DESCRIPTOR.values() if f.name not in RECORD]
    tables["fields"] = _table(["field", "range", "meaning"], rows)
    rows = [
        [f"`{o.name}`", o.payload_words, ", ".join(f"`{name}`" for name in o.payload)]
        for o in OPERATIONS.values()
    ]
    tables["payloads"] = _table(["opcode", "words", "fields of its payload, in order"], rows)
    rows = [
        [f"`{row['name']}`", f"`{bit['name']}`", bit["value"], bit["doc"]]
        for row in CONTRACT["program"]["fields"]
        for bit in row.get("bits", ())
    ]
    tables["bits"] = _table(["field", "bit", "value", "meaning"], rows)
    rows = [
        [
            f"`{row['name']}`",
            f"value {row['value']}" if "value" in row else f"word {row['word']}",
            row["doc"],
        ]
        for row in CONTRACT["program"]["reserved"]
    ]
    tables["reserved"] = _table(["name", "place", "for"], rows)
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
    tables["budget"] = _budget()
    return tables


def _budget() -> str:
    """Return the table of what each unit may take, with the sum and what the part has."""
    kinds = ("dsp", "bram36", "lut")
    rows: List[List[Any]] = [
        [f"`{u['name']}`", *(f"{u[kind]:,}" for kind in kinds), u["doc"]] for u in BUDGET["units"]
    ]
    sums = [sum(u[kind] for u in BUDGET["units"]) for kind in kinds]
    rows.append(["**together**", *(f"{n:,}" for n in sums), ""])
    rows.append(["at most", *(f"{BUDGET['most'][kind]:,}" for kind in kinds), BUDGET["doc"]])
    return _table(["unit", "DSP48E1", "BRAM36", "LUT", "for"], rows)


def _field(field: Field) -> List[Any]:
    return [f"`{field.name}`", f"{field.min} ... {field.max}", field.doc]


def _sections(operation: Operation) -> str:
    words = {
        **operation.sections,
        **({"second": operation.second} if operation.two_operands else {}),
    }
    return "; ".join(f"{name} `{expression}`" for name, expression in words.items())


def fill_marks(text: str, tables: Dict[str, str]) -> str:
    """Return a page with the table after every mark ``<!-- NAME -->`` replaced.

    Raises
    ------
    ValueError
        If a mark does not occur exactly once, or has no ``<!-- end -->`` after it.
    """
    for mark, table in tables.items():
        begin, end = f"<!-- {mark} -->\n", "<!-- end -->"
        parts = text.split(begin)
        if len(parts) != 2 or end not in parts[1]:
            raise ValueError(
                f"the page must have the mark {begin.strip()} and {end} after it, once. "
                f"Received: {len(parts) - 1} times."
            )
        text = parts[0] + begin + table + "\n" + parts[1][parts[1].index(end) :]
    return text


def renew_marks(path: str, tables: Dict[str, str]) -> None:
    """Write a page with its tables replaced: see :func:`fill_marks`."""
    with open(path, encoding="utf-8") as file:
        text = fill_marks(file.read(), tables)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _contract_tables() -> Dict[str, str]:
    return {f"contract: {name}": table for name, table in page_tables().items()}


def fill_page(text: str) -> str:
    """Return the text of ``hw/ENGINE.md`` with its tables regenerated."""
    return fill_marks(text, _contract_tables())


def renew_page() -> None:
    """Write ``hw/ENGINE.md`` with its tables regenerated."""
    renew_marks(PAGE, _contract_tables())
