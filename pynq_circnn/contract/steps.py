"""The rules of the contract as steps of the engine's arithmetic (``hw/src/steps.hpp``).

The engine checks an instruction with one small datapath, a step after the other.  A step takes two
numbers by their names, or one and a literal, and writes one; ``require`` refuses the instruction if
its number is negative.  Numbers end at 2^31 - 1: the sums and products of the contract are only
compared with less.
"""

import ast
from typing import Dict, List, Union

from . import DESCRIPTOR, LIMITS, OPERATIONS, RULES, SECTIONS
from .ranges import Known, resolved

TEMPORARIES = 12
"""How many numbers the steps of one rule may have at once: ``t0`` and so on."""

_LITERAL_BITS = 14  # of a number alone; as a second operand half as many
_OPERATORS: Dict[type, str] = {
    ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.LShift: "left", ast.RShift: "right",
}  # fmt: skip

Operand = Union[str, int]


class Steps:
    """Steps for the instructions of some opcodes, as lines of C++.

    Parameters
    ----------
    opcodes : sequence of int
    """

    def __init__(self, opcodes: List[int]) -> None:
        self.lines: List[str] = []
        self._opcodes = sum(1 << opcode for opcode in opcodes)
        self._used = 0

    def _emit(self, step: str) -> None:
        self.lines.append(f"only(0x{self._opcodes:02X}, {{{step}}})")

    def _temporary(self) -> str:
        if self._used == TEMPORARIES:
            raise ValueError(f"a rule must need at most {TEMPORARIES} numbers at once")
        self._used += 1
        return f"t{self._used - 1}"

    def _made(self, operation: str, a: Operand, b: Operand, to: str = "") -> str:
        to = to or self._temporary()
        b = self._named(b) if isinstance(b, int) and b >> _LITERAL_BITS // 2 else b
        self._emit(f"{to}, {self._named(a)}, {operation}, {b}")
        return to

    def _named(self, value: Operand) -> str:
        """Return the name of a number; a literal gets one."""
        if isinstance(value, str):
            return value
        shift = max(0, value.bit_length() - _LITERAL_BITS)
        if value < 0 or value >> shift << shift != value:
            raise ValueError(
                f"a literal must have {_LITERAL_BITS} bits that count. Received: {value}."
            )
        name = self._temporary()
        self._emit(f"{name}, number, {value >> shift}")
        return name if shift == 0 else self._made("left", name, shift)

    def value(self, node: ast.AST, to: str = "") -> Operand:
        """Add the steps that make an expression; return its name, or itself if it is a literal."""
        divided = resolved(node, Known()).ceil_div
        if divided is not None:
            return self._made("ceil", self.value(divided[0]), self.value(divided[1]), to)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            pair = [self.value(side) for side in (node.left, node.right)]
            if isinstance(node.op, ast.LShift) and pair[0] == 1:
                pair[0] = self._named(1)
            return self._made(_OPERATORS[type(node.op)], pair[0], pair[1], to)
        if isinstance(node, ast.Name) and node.id in DESCRIPTOR:
            return self._made("plus", node.id, 0, to) if to else node.id
        if isinstance(node, ast.Name) and node.id.isupper() and node.id.lower() in LIMITS:
            return LIMITS[node.id.lower()]
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return self._made("plus", node.value, 0, to) if to else node.value
        raise ValueError(
            f"an expression of the contract must have steps. Received: {ast.dump(node)}."
        )

    def _holds(self, node: ast.AST) -> str:
        """Return the name of a number that is negative unless a condition holds."""
        if isinstance(node, ast.BoolOp):
            operation = "least" if isinstance(node.op, ast.And) else "most"
            names = [self._holds(value) for value in node.values]
            while len(names) > 1:
                names = [self._made(operation, names[0], names[1]), *names[2:]]
            return names[0]
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            a, b = self.value(node.left), self.value(node.comparators[0])
            how = type(node.ops[0])
            if how is ast.Eq:
                return self._made("least", self._made("minus", a, b), self._made("minus", b, a))
            if how in (ast.Lt, ast.LtE):
                a, b = b, a
            if how in (ast.LtE, ast.GtE):
                return self._made("minus", a, b)
            if how in (ast.Lt, ast.Gt):
                return self._made("minus", self._made("minus", a, b), 1)
        raise ValueError(
            f"a condition of the contract must have steps. Received: {ast.dump(node)}."
        )

    def require(self, rule: str) -> None:
        """Add the steps that refuse an instruction unless a rule holds."""
        node = ast.parse(rule, mode="eval").body
        both = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
        for condition in node.values if both else [node]:  # type: ignore[attr-defined]
            self._used = 0
            self._emit(f"require, {self._holds(condition)}, CIRCNN_STATUS_BAD_FIELD")

    def assign(self, to: str, expression: str) -> None:
        """Add the steps that give a number the value of an expression."""
        self._used = 0
        self.value(ast.parse(expression, mode="eval").body, to)


def step_macros() -> List[str]:
    """Return the C++ macros with the steps of all rules, and of the words of sections."""
    macros = {}
    rules = []
    for name, rule in RULES.items():
        steps = Steps([o.opcode for o in OPERATIONS.values() if name in o.rules])
        steps.require(rule.rule)
        rules += steps.lines
    macros["RULES"] = rules
    second = []
    for operation in OPERATIONS.values():
        if operation.two_operands:
            steps = Steps([operation.opcode])
            steps.assign("second_words", operation.second)
            second += steps.lines
    macros["SECOND_WORDS"] = second
    for section in SECTIONS:
        by_expression: Dict[str, List[int]] = {}
        for operation in OPERATIONS.values():
            if section in operation.sections:
                by_expression.setdefault(operation.sections[section], []).append(operation.opcode)
        lines = []
        for expression, opcodes in by_expression.items():
            steps = Steps(opcodes)
            steps.assign("section_words", expression)
            lines += steps.lines
        macros[f"WORDS_OF_{section.upper()}"] = lines
    return [
        f"#define CIRCNN_STEPS_{name} \\\n    " + ", \\\n    ".join(lines)
        for name, lines in macros.items()
    ]
