"""The engine's program as a value: fields, sections, and its exact bytes.

The layout is the contract's (``contract.json``, shown in ``hw/ENGINE.md``): little-endian words,
a header, the instructions, then weights, scales and biases. An instruction is a record, which is
the same for all opcodes, and its opcode's payload.
"""

import zlib
from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from ..contract import (
    ALIGN_BYTES,
    ARITHMETIC,
    CONFIGURATIONS,
    DESCRIPTOR,
    HEADER,
    HEADER_WORDS,
    LIMITS,
    MAGIC,
    OPERATIONS,
    PROGRAM_VERSION,
    RECORD,
    RECORD_WORDS,
    SECTIONS,
    Field,
    Operation,
    ceil_div,
    configuration_digest,
)
from ..errors import ProgramError

Fields = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled network.

    Parameters
    ----------
    configuration : str
        Name of the engine configuration it is compiled for.
    header : mapping of str to int
        The header's fields, without those that follow from the rest (magic, version,
        configuration, bytes, checksum, layers, lengths of instructions and sections).
    layers : sequence of mapping of str to int
        The instructions' fields, without the length of the payload; missing ones are zero.
    weights, scales : int16 arrays of one dimension
    biases : int32 array of one dimension
    """

    configuration: str
    header: Fields
    layers: Tuple[Fields, ...]
    weights: np.ndarray
    scales: np.ndarray
    biases: np.ndarray

    def to_bytes(self) -> bytes:
        """Return the program as the engine reads it."""
        sections = {name: getattr(self, name).astype(dtype) for name, dtype in SECTIONS.items()}
        instructions = b"".join(map(_instruction, self.layers))
        body = instructions + b"".join(_padded(data.tobytes()) for data in sections.values())
        header = {
            **self.header,
            "magic": MAGIC,
            "version": PROGRAM_VERSION,
            "configuration": configuration_digest(self.configuration),
            "bytes": 4 * HEADER_WORDS + len(body),
            "checksum": 0,
            "layers": len(self.layers),
            "instruction_words": len(instructions) // 4,
            **{f"{name}_words": data.size for name, data in sections.items()},
        }
        header["checksum"] = zlib.crc32(_record(HEADER, HEADER_WORDS, header) + body)
        return _record(HEADER, HEADER_WORDS, header) + body

    @classmethod
    def from_bytes(cls, data: bytes) -> "Program":
        """Return the program that the bytes hold.

        Raises
        ------
        ProgramError
            If the bytes are not a program of this format version, or are damaged.
        """
        if len(data) < 4 * HEADER_WORDS:
            raise ProgramError(
                f"a program must have at least {4 * HEADER_WORDS} bytes. Received: {len(data)}."
            )
        words = np.frombuffer(data, "<u4", HEADER_WORDS)
        header = _fields(HEADER, words)
        expected = {"magic": MAGIC, "version": PROGRAM_VERSION, "bytes": len(data)}
        for name, value in expected.items():
            if header[name] != value:
                raise ProgramError(
                    f"{name} of a program must be {value}. Received: {header[name]}. "
                    "Compile the network again."
                )
        blank = words.copy()
        blank[HEADER["checksum"].index] = 0
        checksum = zlib.crc32(data[4 * HEADER_WORDS :], zlib.crc32(blank.tobytes()))
        if checksum != header["checksum"]:
            raise ProgramError(
                f"checksum of the program must be {checksum:08x}. "
                f"Received: {header['checksum']:08x}. The program is damaged; compile it again."
            )
        _check_ranges(HEADER, words, header)
        names = {configuration_digest(name): name for name in CONFIGURATIONS}
        if header["configuration"] not in names:
            raise ProgramError(
                "configuration of the program must be known to this package. "
                f"Received: digest {header['configuration']:08x}. Compile the network again."
            )
        position = 4 * (HEADER_WORDS + header["instruction_words"])
        arrays = []
        for name, dtype in SECTIONS.items():
            count = header[f"{name}_words"]
            size = np.dtype(dtype).itemsize * count
            if position + size > len(data):
                raise ProgramError(
                    f"{name} must lie within the program's {len(data)} bytes. "
                    f"Received: bytes {position} to {position + size}."
                )
            arrays.append(np.frombuffer(data, dtype, count, position))
            position += ceil_div(size, ALIGN_BYTES) * ALIGN_BYTES
        if position != len(data):
            raise ProgramError(
                f"the sections must fill the program's {len(data)} bytes. Received: {position}."
            )
        words = np.frombuffer(data, "<u4", header["instruction_words"], 4 * HEADER_WORDS)
        layers = _read_instructions(words, header["layers"])
        for fields in layers:
            _check_layer(header, fields)
        for side in ("input", "output"):
            _check_place(
                header, f"{side} of a program", header[f"{side}_address"], header[f"{side}_words"]
            )
        _check_tensors(header, layers)
        for name, array in zip(SECTIONS, arrays):
            _check_words(name, array)
        derived = {"magic", "version", "configuration", "bytes", "checksum", "layers"}
        derived |= {f"{name}_words" for name in ("instruction", *SECTIONS)}
        own = {name: value for name, value in header.items() if name not in derived}
        return cls(names[header["configuration"]], own, tuple(layers), *arrays)


def _record(fields: Mapping[str, Field], words: int, values: Fields) -> bytes:
    record = np.zeros(words, dtype="<u4")
    for name, value in values.items():
        field = fields[name]
        if not field.min <= value <= field.max:
            raise ProgramError(
                f"{name} must lie in {field.min} ... {field.max}. Received: {value}. "
                "The layer exceeds the limits of the program's format; split it."
            )
        record[field.index] = value & 0xFFFFFFFF
    return record.tobytes()


def _instruction(fields: Fields) -> bytes:
    """Return an instruction's record and its payload."""
    operation = OPERATIONS[fields["opcode"]]
    lost = [name for name, value in fields.items() if value and name not in operation.fields]
    if lost:
        raise ProgramError(
            f"a layer ({operation.name}) must have only the fields of its opcode. "
            f"Received: {', '.join(lost)}. Correct the layer's lowering."
        )
    values = {**fields, "payload_words": operation.payload_words}
    parts = [
        {name: values[name] for name in part if name in values}
        for part in (RECORD, operation.payload)
    ]
    return _record(RECORD, RECORD_WORDS, parts[0]) + _record(
        _payload_fields(operation), operation.payload_words, parts[1]
    )


def _payload_fields(operation: Operation) -> Dict[str, Field]:
    """Return the fields of an opcode's payload, each with its place there."""
    return {
        name: replace(DESCRIPTOR[name], index=index) for index, name in enumerate(operation.payload)
    }


def _read_instructions(words: np.ndarray, count: int) -> List[Dict[str, int]]:
    """Return the fields of each instruction, those that its opcode lacks as zeros."""
    layers = []
    for _ in range(count):
        record, words = _part(words, RECORD_WORDS, "record")
        fields = _fields(RECORD, record)
        _check_ranges(RECORD, record, fields)
        operation = OPERATIONS.get(fields["opcode"])
        if operation is None or fields.pop("payload_words") != operation.payload_words:
            raise ProgramError(
                "payload_words of an instruction must be that of its opcode, which must be known. "
                f"Received: {record[1]} of opcode {record[0]}. Compile the network again."
            )
        payload, words = _part(words, operation.payload_words, "payload")
        own = _payload_fields(operation)
        fields.update(_fields(own, payload))
        _check_ranges(own, payload, fields)
        layers.append({**dict.fromkeys(DESCRIPTOR, 0), **fields})
        del layers[-1]["payload_words"]
    if words.size:
        raise ProgramError(
            f"instructions of a program must fill their words. Received: {words.size} more. "
            "Compile the network again."
        )
    return layers


def _part(words: np.ndarray, count: int, what: str) -> Tuple[np.ndarray, np.ndarray]:
    """Return the next words of the instructions, and those after them."""
    if words.size < count:
        raise ProgramError(
            f"{what} of an instruction must lie within the instructions' words. "
            f"Received: {words.size} of {count} words. Compile the network again."
        )
    return words[:count], words[count:]


def _fields(fields: Mapping[str, Field], record: np.ndarray) -> Dict[str, int]:
    values = {}
    for name, field in fields.items():
        word = int(record[field.index])
        values[name] = word - (1 << 32) if field.min < 0 and word >= 1 << 31 else word
    return values


def _check_ranges(fields: Mapping[str, Field], record: np.ndarray, values: Fields) -> None:
    for name, field in fields.items():
        if not field.min <= values[name] <= field.max:
            raise ProgramError(
                f"{name} of a program must lie in {field.min} ... {field.max}. "
                f"Received: {values[name]}. Compile the network again."
            )
    if record[len(fields) :].any():
        raise ProgramError(
            "words after the fields must be zero. "
            f"Received: {record[len(fields) :].tolist()}. Compile the network again."
        )


def _check_layer(header: Fields, fields: Fields) -> None:
    """Check a layer by the contract's rules of its opcode, as the loaders in C and HLS do."""
    operation = OPERATIONS[fields["opcode"]]
    broken = operation.broken_rules(fields)
    if broken:
        raise ProgramError(
            f"a layer of a program ({operation.name}) must follow the contract's rules. "
            f"Received: one that breaks the rule that {broken[0]}. Compile the network again."
        )
    lengths = operation.section_words(fields)
    for name in SECTIONS:
        begin, available = fields[f"{name}_offset"], header[f"{name}_words"]
        end = begin + lengths.get(name, 0)
        if end > available:
            raise ProgramError(
                f"{name} of a layer ({operation.name}) must lie within the section of {available} "
                f"words. Received: {begin} to {end}. Compile the network again."
            )
    written, out_words = _output_place(fields)
    _check_place(header, f"output of a layer ({operation.name})", written, out_words)
    for name, (begin, words) in _operand_places(fields).items():
        _check_place(header, f"{name} of a layer ({operation.name})", begin, words)
        if _overlap(begin, words, written, out_words):
            raise ProgramError(
                f"a layer ({operation.name}) must not write over what it reads. Received: "
                f"{name} {begin} to {begin + words}, output from {written}. "
                "Compile the network again."
            )


def _check_tensors(header: Fields, layers: Sequence[Fields]) -> None:
    """Check that every place that is read holds a whole tensor: what was written there last."""
    written = [(header["input_address"], header["input_words"])]  # in the order of writing

    def check(what: str, address: int, words: int) -> None:
        last = next(
            (place for place in reversed(written) if _overlap(*place, address, words)), None
        )
        if last != (address, words):
            raise ProgramError(
                f"{what} must read a whole tensor. Received: {address} to {address + words}, where "
                f"{'nothing' if last is None else f'{last[0]} to {sum(last)}'} was written last. "
                "Compile the network again."
            )

    for index, fields in enumerate(layers):
        for place in _operand_places(fields).values():
            check(f"layer {index}", *place)
        written.append(_output_place(fields))
    check("the output", header["output_address"], header["output_words"])


def _operand_places(fields: Fields) -> Dict[str, Tuple[int, int]]:
    """Return address and words of each operand of a layer."""
    operation = OPERATIONS[fields["opcode"]]
    places = {"input": (fields["input_address"], _image_words(fields, "in"))}
    if operation.two_operands:
        places["second"] = (fields["second_address"], operation.second_words(fields))
    return places


def _output_place(fields: Fields) -> Tuple[int, int]:
    return fields["output_address"], _image_words(fields, "out")


def _overlap(a: int, a_words: int, b: int, b_words: int) -> bool:
    return a < b + b_words and b < a + a_words


def _check_place(header: Fields, what: str, begin: int, words: int) -> None:
    """Check that a tensor lies in the activation memory and is none too large."""
    if words > LIMITS["tensor_words"]:
        raise ProgramError(
            f"{what} must have at most {LIMITS['tensor_words']} words. Received: {words}. "
            "Compile the network again."
        )
    if begin + words > header["activation_words"]:
        raise ProgramError(
            f"{what} must lie within the {header['activation_words']} words of activations. "
            f"Received: {begin} to {begin + words}. Compile the network again."
        )


def _check_words(section: str, array: np.ndarray) -> None:
    """Check that a section holds only words for which the arithmetic is exact."""
    limit = ARITHMETIC["bias_max" if section == "biases" else "value_max"]
    beyond = array[(array < -limit) | (array > limit)]
    if beyond.size:
        raise ProgramError(
            f"{section} of a program must lie in {-limit} ... {limit}. Received: {beyond[0]}. "
            "Compile the network again."
        )


def _image_words(fields: Fields, side: str) -> int:
    return fields[f"{side}_height"] * fields[f"{side}_width"] * fields[f"{side}_channels"]


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGN_BYTES)


def join(parts: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Return arrays joined into one of one dimension."""
    flat: List[np.ndarray] = [np.zeros(0, dtype)] + [part.astype(dtype).ravel() for part in parts]
    return np.concatenate(flat)
