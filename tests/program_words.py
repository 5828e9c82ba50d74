"""Where the words of a program's instructions are, found without the package's reader."""

import numpy as np

from pynq_circnn.contract import HEADER, HEADER_WORDS, OPERATIONS, RECORD, RECORD_WORDS


def instruction_starts(data):
    """The word at which each instruction begins, and that after the last."""
    words, starts = np.frombuffer(data, "<u4", len(data) // 4), [HEADER_WORDS]
    for _ in range(int(words[HEADER["layers"].index])):
        starts.append(starts[-1] + RECORD_WORDS + int(words[starts[-1] + 1]))
    return starts


def field_word(data, layer, name):
    """The word of an instruction's field."""
    start = instruction_starts(data)[layer]
    if name in RECORD:
        return start + RECORD[name].index
    opcode = int.from_bytes(data[4 * start : 4 * start + 4], "little")
    return start + RECORD_WORDS + OPERATIONS[opcode].payload.index(name)


def field_words(data):
    """The words of all fields of all instructions."""
    found = []
    for layer, start in enumerate(instruction_starts(data)[:-1]):
        opcode = int.from_bytes(data[4 * start : 4 * start + 4], "little")
        found += [field_word(data, layer, name) for name in OPERATIONS[opcode].fields]
    return found
