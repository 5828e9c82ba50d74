"""The contract: ``contract.json`` (widths, limits, layouts) and ``tables.json`` as Python values.

It is the single source of everything that Python, C, the HLS sources and the documentation must
agree on.  :mod:`.headers` generates the C headers from it, :mod:`.page` the tables of
``hw/ENGINE.md``.  All three need only the standard library, so that they work while the package is
being built::

    python pynq_circnn/contract headers FOLDER       # writes the headers of the native back end
    python pynq_circnn/contract headers FOLDER z2    # writes those of a hardware configuration
    python pynq_circnn/contract page                 # renews the tables of hw/ENGINE.md
"""

import json
import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, List, Mapping, Optional, Tuple

_HERE = os.path.dirname(os.path.abspath(__file__))


def _read(name: str) -> Any:
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return json.load(file)


@dataclass(frozen=True)
class Field:
    """One 32-bit word of a header or of an instruction.

    Parameters
    ----------
    name, doc : str
    index : int
        Its place in the header, or in the structure that has the fields of all instructions.
    min, max : int
        The smallest and the largest value.
    """

    name: str
    index: int
    min: int
    max: int
    doc: str


@dataclass(frozen=True)
class Operation:
    """One opcode: an entry of ``opcodes`` in the contract.

    Parameters
    ----------
    name, doc : str
    opcode : int
    traits : tuple of str
        The names of its :data:`TRAITS`.
    payload : tuple of str
        The fields of its payload, a word each, in their order.
    rules : tuple of str
        Names of the :data:`RULES` that an instruction must follow.
    sections : mapping of str to str
        For each section of the program that it reads, the number of words: an expression of fields.
    second : str
        The number of words of its second operand: an expression of fields, "0" without one.
    """

    name: str
    opcode: int
    doc: str
    traits: Tuple[str, ...]
    payload: Tuple[str, ...]
    rules: Tuple[str, ...]
    sections: Mapping[str, str]
    second: str

    def __getattr__(self, trait: str) -> bool:
        """Return whether it has a trait: ``operation.windowed``."""
        if trait in TRAITS:
            return trait in self.traits
        raise AttributeError(f"{type(self).__name__} has no attribute or trait {trait!r}")

    @property
    def payload_words(self) -> int:
        """32-bit words of its payload, padded to whole beats of the stream."""
        return ceil_div(4 * len(self.payload), ALIGN_BYTES) * ALIGN_BYTES // 4

    @property
    def fields(self) -> Tuple[str, ...]:
        """All fields of its instructions: those of the record, then those of the payload."""
        return (*RECORD, *self.payload)

    def broken_rules(self, fields: Mapping[str, int]) -> List[str]:
        """Return the meaning of each rule that an instruction's fields break."""
        return [RULES[name].doc for name in self.rules if not evaluate(RULES[name].rule, fields)]

    def section_words(self, fields: Mapping[str, int]) -> Dict[str, int]:
        """Return how many words of each section an instruction with these fields reads."""
        return {name: evaluate(words, fields) for name, words in self.sections.items()}

    def second_words(self, fields: Mapping[str, int]) -> int:
        """Return how many words the second operand of an instruction with these fields has."""
        return evaluate(self.second, fields)


@dataclass(frozen=True)
class Rule:
    """A condition on an instruction's fields.

    Parameters
    ----------
    rule : str
        An expression that Python evaluates and :mod:`.headers` translates into C: fields of the
        instruction, limits in capitals, integers, ``ceil_div(a, 1 << b)``, ``+ - * << >>``, single
        comparisons, ``and``, ``or``.
    doc : str
        Completes "whether".
    """

    rule: str
    doc: str


CONTRACT: Dict[str, Any] = _read("contract.json")
TABLES: Dict[str, List[int]] = _read("tables.json")


def _values(rows: List[Dict[str, Any]]) -> Dict[str, int]:
    return {row["name"]: row["value"] for row in rows}


def _fields(rows: List[Dict[str, Any]]) -> Dict[str, Field]:
    """Return a record's fields.

    A text as ``max`` names the list with the largest value; with ``bits``, all of them may be set.
    """
    fields = {}
    for index, row in enumerate(rows):
        largest = row["max"]
        if largest == "bits":
            largest = sum(bit["value"] for bit in row["bits"])
        elif isinstance(largest, str):
            largest = max(entry["value"] for entry in CONTRACT["program"][largest])
        fields[row["name"]] = Field(row["name"], index, row["min"], largest, row["doc"])
    return fields


_PROGRAM = CONTRACT["program"]

ARITHMETIC: Dict[str, int] = _values(CONTRACT["arithmetic"])
LIMITS: Dict[str, int] = _values(CONTRACT["limits"])
STATUS: Dict[str, int] = _values(CONTRACT["status"])
STATUS_NAMES: Dict[int, str] = {value: name for name, value in STATUS.items()}
OPCODES: Dict[str, int] = _values(_PROGRAM["opcodes"])
SECTIONS: Dict[str, str] = {"weights": "<i2", "scales": "<i2", "biases": "<i4"}
TRAITS: Dict[str, str] = {row["name"]: row["doc"] for row in _PROGRAM["traits"]}
RULES: Dict[str, Rule] = {row["name"]: Rule(row["rule"], row["doc"]) for row in _PROGRAM["rules"]}
ACTIVATION_CODES: Dict[str, int] = _values(_PROGRAM["activations"])
TABLE_ACTIVATIONS: Tuple[str, ...] = tuple(
    row["name"] for row in _PROGRAM["activations"] if row.get("table")
)
HEADER: Dict[str, Field] = _fields(_PROGRAM["header"])
RECORD: Dict[str, Field] = _fields(_PROGRAM["record"])
DESCRIPTOR: Dict[str, Field] = _fields(_PROGRAM["record"] + _PROGRAM["fields"])
"""The fields of all instructions: what an opcode's payload lacks is zero."""

BITS: Dict[str, Dict[str, int]] = {
    row["name"]: _values(row["bits"]) for row in _PROGRAM["fields"] if "bits" in row
}
"""The bits of each field that has some, by their names."""

HEADER_WORDS: int = _PROGRAM["header_words"]
RECORD_WORDS: int = _PROGRAM["record_words"]
MAGIC: int = _PROGRAM["magic"]
PROGRAM_VERSION: int = _PROGRAM["version"]
ALIGN_BYTES: int = _PROGRAM["align_bytes"]
CONFIGURATIONS: Dict[str, Dict[str, Any]] = CONTRACT["configurations"]
BOARDS: Dict[str, Dict[str, Any]] = CONTRACT["boards"]
ENGINE: Dict[str, Any] = CONTRACT["engine"]
UNITS: Tuple[str, ...] = tuple(ENGINE["units"])  # whose trips are counted, in the stream's order
IDENTITY: Dict[str, int] = _values(ENGINE["identity"])
BUDGET: Dict[str, Any] = ENGINE["budget"]
"""What each unit of the engine may take of its part: see ``hw/ENGINE.md``."""

LATENCY: Dict[str, int] = _values(ENGINE["latency"])
"""Trips from a write to the first read that sees it, in each kind of memory of the engine."""

PACKET_KINDS: Dict[str, int] = _values(ENGINE["packets"]["kinds"])
REGISTERS: Dict[str, int] = {row["name"]: row["offset"] for row in ENGINE["registers"]}
REPLY_FIELDS: List[str] = [row["name"] for row in ENGINE["packets"]["reply"]]
BLOCK_SIZES = tuple(2**i for i in range(LIMITS["block_log2"] + 1))

assert len(HEADER) <= HEADER_WORDS and len(RECORD) <= RECORD_WORDS
assert 4 * HEADER_WORDS % ALIGN_BYTES == 0 and 4 * RECORD_WORDS % ALIGN_BYTES == 0


_PAYLOAD = [row["name"] for row in _PROGRAM["fields"]]


def _operation(row: Dict[str, Any]) -> Operation:
    """Return an entry of ``opcodes``, having checked that it names what is there."""
    checked = (("traits", TRAITS), ("rules", RULES), ("sections", SECTIONS), ("payload", _PAYLOAD))
    for what, known in checked:
        unknown = sorted(set(row.get(what, ())) - set(known))
        if unknown:
            raise ValueError(
                f"{what} of the opcode {row['name']!r} must be among {', '.join(known)}. "
                f"Received: {', '.join(unknown)}. Correct contract.json."
            )
    if ("second" in row) != ("two_operands" in row["traits"]):
        raise ValueError(
            f"the opcode {row['name']!r} must say how many words its second operand has if it "
            "has the trait two_operands, and only then. Correct 'second' in contract.json."
        )
    missing = {f"{name}_offset" for name in row.get("sections", ())} - set(row["payload"])
    missing |= {"in_height", "out_height"} - set(row["payload"])
    if missing or len(set(row["payload"])) != len(row["payload"]):
        raise ValueError(
            f"payload of the opcode {row['name']!r} must have its images and the offsets of its "
            f"sections, and each field once. Received: none of {', '.join(sorted(missing))}; "
            f"{', '.join(row['payload'])}. Correct contract.json."
        )
    return Operation(
        row["name"],
        row["value"],
        row["doc"],
        tuple(row["traits"]),
        tuple(row["payload"]),
        tuple(row["rules"]),
        row.get("sections", {}),
        row.get("second", "0"),
    )


OPERATIONS: Dict[int, Operation] = {row["value"]: _operation(row) for row in _PROGRAM["opcodes"]}


def ceil_div(a: int, b: int) -> int:
    """Return a / b, rounded up.

    >>> ceil_div(7, 2), ceil_div(8, 2)
    (4, 4)
    """
    return -(-a // b)


PAYLOAD_WORDS: int = max(operation.payload_words for operation in OPERATIONS.values())
"""Words of the longest payload."""


def has_bit(fields: Mapping[str, int], name: str, bit: str) -> bool:
    """Return whether a bit of an instruction's field is set; a missing field is zero.

    >>> has_bit({"stream": 2}, "stream", "weights"), has_bit({}, "stream", "weights")
    (True, False)
    """
    return fields.get(name, 0) & BITS[name][bit] != 0


# What an expression may name: limits in capitals, and an instruction's fields, zero if left out.
_NAMES: Dict[str, int] = {
    **{name.upper(): value for name, value in LIMITS.items()},
    **dict.fromkeys(DESCRIPTOR, 0),
}


def evaluate(expression: str, fields: Mapping[str, int]) -> int:
    """Return the value of a rule or of a section's length; missing fields are zero.

    >>> evaluate("block_rows * 2 >= TERMS", {"block_rows": 3})
    0
    """
    names = {**_NAMES, **fields}
    # the expressions are the package's own: contract.json is part of it
    return int(eval(_compiled(expression), {"__builtins__": {}, "ceil_div": ceil_div}, names))


@lru_cache(maxsize=None)
def _compiled(expression: str) -> Any:
    return compile(expression, "contract.json", "eval")


def configuration_digest(name: str, version: Optional[int] = None) -> int:
    """Return the CRC-32 that ties a program to the engine configuration it was compiled for.

    It covers the sizes and, of an engine, the version of its packets and registers: `version`, or
    the contract's if that is left out. Digests of version 1 do not include the version.
    """
    facts = {key: value for key, value in CONFIGURATIONS[name].items() if key != "doc"}
    version = IDENTITY["interface_version"] if version is None else version
    if "lanes" in facts and version > 1:
        facts["interface_version"] = version
    text = json.dumps({"name": name, **facts}, sort_keys=True, separators=(",", ":"))
    return zlib.crc32(text.encode("ascii"))


def hardware_configurations() -> List[str]:
    """Return the names of the configurations that are engines: all except the host's."""
    return [name for name, values in CONFIGURATIONS.items() if "lanes" in values]


def engine_digests() -> Dict[int, str]:
    """Return the names of the configurations that are engines, by their digests."""
    return {configuration_digest(name): name for name in hardware_configurations()}


def digest_words(digest: int) -> str:
    """Return an engine's digest and what it identifies, for messages."""
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
