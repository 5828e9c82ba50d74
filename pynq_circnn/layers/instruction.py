"""The meaning of a program's descriptors in Python: one rule for each opcode.

A rule takes an :class:`Instruction` and the words that it reads, and returns the words that it
writes.  It is defined in the file of the layer kind that is lowered to it and shares the kind's
arithmetic, but it takes shifts, windows and arrays from the program alone.
"""

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Tuple

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import DESCRIPTOR, OPCODES, OPERATIONS, Operation
from .window import Window


@dataclass(frozen=True)
class Instruction:
    """One descriptor, with the sections of its program.

    Parameters
    ----------
    fields : mapping of str to int
        Those of the descriptor; missing ones are zero.
    sections : mapping of str to array
        ``weights``, ``scales`` and ``biases`` of the whole program.
    """

    fields: Mapping[str, int]
    sections: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> int:
        assert name in DESCRIPTOR
        return self.fields.get(name, 0)

    @property
    def operation(self) -> Operation:
        """The contract's entry for the opcode."""
        return OPERATIONS[self["opcode"]]

    @property
    def window(self) -> Window:
        """The sliding window that it reads with."""
        return Window.from_fields(self.fields)

    def operand_shapes(self) -> List[Tuple[int, int, int]]:
        """Return height, width and channels of each operand."""
        pixels = self["in_height"], self["in_width"]
        shapes = [(*pixels, self["in_channels"])]
        if self.operation.two_operands:
            words = self.operation.second_words(self.fields)
            shapes.append((*pixels, words // (pixels[0] * pixels[1])))
        return shapes

    def section(self, name: str) -> np.ndarray:
        """Return the instruction's part of a section, as int64 words."""
        begin = self[f"{name}_offset"]
        words = self.operation.section_words(self.fields)[name]
        return np.asarray(self.sections[name][begin : begin + words], dtype=np.int64)

    def shifts(self, name: str) -> Tuple[int, ...]:
        """Return the shift of every stage of a transform from the field that holds their bits."""
        return tuple(self[name] >> stage & 1 for stage in range(self["block_log2"]))


Rule = Callable[[Instruction, Counter, List[np.ndarray]], np.ndarray]
_RULES: Dict[str, Rule] = {}


def meaning(opcode: str) -> Callable[[Rule], Rule]:
    """Return a decorator that registers what an opcode means."""

    def register(rule: Rule) -> Rule:
        if opcode not in OPCODES or opcode in _RULES:
            raise TypeError(
                "an opcode's meaning must be defined once, for an opcode of the contract. "
                f"Received: {opcode!r}."
            )
        _RULES[opcode] = rule
        return rule

    return register


def check_meanings() -> None:
    """Raise ``TypeError`` unless every opcode of the contract has a meaning."""
    missing = [name for name in OPCODES if name not in _RULES]
    if missing:
        raise TypeError(
            "every opcode of the contract must have a meaning in Python (pynq_circnn/layers). "
            f"Received: none for {', '.join(missing)}. See CONTRIBUTING.md, 'Add an opcode'."
        )


def execute(instruction: Instruction, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
    """Return the words that an instruction writes.

    Parameters
    ----------
    instruction : Instruction
        From a program that follows the contract's rules.
    counter : Counter
        Counts the words that are limited.
    inputs : int64 arrays of shape (n, height, width, channels)
        One for each operand.

    Returns
    -------
    int64 array of shape (n, out_height, out_width, out_channels)
    """
    return _RULES[instruction.operation.name](instruction, counter, list(inputs))
