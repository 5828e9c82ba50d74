"""The range of an expression of the contract, from the ranges of its fields and from rules.

:mod:`.headers` needs it: in hardware, a product is as expensive as its factors are wide.
"""

import ast
from dataclasses import dataclass, field, replace
from typing import Dict, FrozenSet, Optional, Tuple

from . import DESCRIPTOR, LIMITS

Range = Tuple[int, int]


@dataclass(frozen=True)
class Known:
    """What holds wherever an expression is evaluated; keys are expressions as :func:`ast.dump`.

    Parameters
    ----------
    most : mapping of str to int
        Upper bounds of expressions.
    less : set of pairs of str
        Expressions that are less than others.
    equal : mapping of str to expression
        Fields that have the value of an expression.
    """

    most: Dict[str, int] = field(default_factory=dict)
    less: FrozenSet[Tuple[str, str]] = frozenset()
    equal: Dict[str, ast.AST] = field(default_factory=dict)

    def and_rule(self, rule: ast.AST) -> "Known":
        """Return what is known if a rule holds besides."""
        if isinstance(rule, ast.BoolOp) and isinstance(rule.op, ast.And):
            known = self
            for part in rule.values:
                known = known.and_rule(part)
            return known
        if not isinstance(rule, ast.Compare) or len(rule.ops) != 1:
            return self
        left, right, comparison = rule.left, rule.comparators[0], rule.ops[0]
        if isinstance(comparison, ast.LtE):
            return replace(self, most={**self.most, ast.dump(left): value_range(right, self)[1]})
        if isinstance(comparison, ast.Lt):
            return replace(self, less=self.less | {(ast.dump(left), ast.dump(right))})
        if isinstance(comparison, ast.Eq) and isinstance(left, ast.Name):
            return replace(self, equal={**self.equal, left.id: right})
        return self


@dataclass(frozen=True)
class Resolved:
    """An expression with a field replaced by what it is equal to, and the parts of a division."""

    node: ast.AST
    ceil_div: Optional[Tuple[ast.expr, ast.expr]] = None  # a and b of ceil_div(a, 1 << b)


def resolved(node: ast.AST, known: Known) -> Resolved:
    """Return an expression with its own name replaced, and a division's parts if it is one."""
    if isinstance(node, ast.Name) and node.id in known.equal:
        node = known.equal[node.id]
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ceil_div"
        and len(node.args) == 2
        and not node.keywords
    ):
        by = node.args[1]
        if isinstance(by, ast.BinOp) and isinstance(by.op, ast.LShift) and _is_one(by.left):
            return Resolved(node, (node.args[0], by.right))
    return Resolved(node)


def value_range(node: ast.AST, known: Known) -> Range:
    """Return the smallest and the largest value that an expression may have.

    Examples
    --------
    >>> value_range(ast.parse("pad_top * 2 + 1", mode="eval").body, Known())
    (1, 131071)
    """
    low, high = _plain_range(node, known)
    return low, min(high, known.most.get(ast.dump(node), high))


def _plain_range(node: ast.AST, known: Known) -> Range:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value, node.value
    if isinstance(node, ast.Name) and node.id.lower() in LIMITS and node.id.isupper():
        return LIMITS[node.id.lower()], LIMITS[node.id.lower()]
    whole = resolved(node, known)
    if whole.ceil_div is not None:
        (low, high), (least, most) = (value_range(part, known) for part in whole.ceil_div)
        ends = [-(-end // (1 << shift)) for end in (low, high) for shift in (least, most)]
        return min(ends), max(ends)
    if isinstance(node, ast.Name) and node.id in DESCRIPTOR:
        return DESCRIPTOR[node.id].min, DESCRIPTOR[node.id].max
    if isinstance(node, ast.BinOp):
        return _binary_range(node, known)
    raise ValueError(f"the range of an expression must be known. Received: {ast.dump(node)}.")


def _binary_range(node: ast.BinOp, known: Known) -> Range:
    a, b = value_range(node.left, known), value_range(node.right, known)
    if isinstance(node.op, ast.Add):
        return a[0] + b[0], a[1] + b[1]
    if isinstance(node.op, ast.Sub):
        less = (ast.dump(node.right), ast.dump(node.left)) in known.less
        return max(a[0] - b[1], 1 if less else a[0] - b[1]), a[1] - b[0]
    if isinstance(node.op, ast.Mult):
        products = [x * y for x in a for y in b]
        return min(products), max(products)
    if isinstance(node.op, ast.RShift):
        ends = [end >> shift for end in a for shift in b]
        return min(ends), max(ends)
    if isinstance(node.op, ast.LShift):
        inner = resolved(node.left, known).ceil_div
        if inner is not None and ast.dump(inner[1]) == ast.dump(node.right):
            # rounded up to a multiple of 1 << b: no more than that is added
            low, high = value_range(inner[0], known)
            return low, high + (1 << b[1]) - 1
        ends = [end << shift for end in a for shift in b]
        return min(ends), max(ends)
    raise ValueError(f"the range of an expression must be known. Received: {ast.dump(node)}.")


def _is_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1 and type(node.value) is int
