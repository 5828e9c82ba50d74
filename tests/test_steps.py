"""The rules of the contract as steps of the engine's arithmetic: they decide as Python does."""

import re

import numpy as np
import pytest

from pynq_circnn.contract import DESCRIPTOR, LIMITS, OPERATIONS, RULES, ceil_div
from pynq_circnn.contract.steps import Steps, step_macros

MOST = 2**31 - 1
NAMES = {name.upper(): value for name, value in LIMITS.items()}
OPERATIONS_OF_STEPS = {
    "plus": lambda a, b: min(a + b, MOST),
    "minus": lambda a, b: a - b,
    "most": max,
    "least": min,
    "times": lambda a, b: min(a * b, MOST),
    "left": lambda a, b: min(a << b, MOST),
    "right": lambda a, b: a >> b,
    "ceil": lambda a, b: (a + (1 << b) - 1) >> b,
}


def taken(lines, numbers):
    """Take steps; return whether no requirement failed."""
    for line in lines:
        to, *rest = re.search(r"\{(.*)\}", line)[1].split(", ")
        if to == "require":
            if numbers[rest[0]] < 0:
                return False
        elif rest[0] == "number":
            assert 0 <= int(rest[1]) < 1 << 14
            numbers[to] = int(rest[1])
        else:
            a, operation, b = rest
            assert b in numbers or 0 <= int(b) < 1 << 7
            numbers[to] = OPERATIONS_OF_STEPS[operation](
                numbers[a], numbers[b] if b in numbers else int(b)
            )
            assert -(2**31) <= numbers[to] <= MOST
    return True


def fields(rng):
    """Return legal words of all fields, small ones and the ends of their ranges among them."""
    found = {}
    for name, field in DESCRIPTOR.items():
        which = rng.integers(12)
        wide = {0: field.min, 1: field.max, 2: rng.integers(field.min, field.max + 1)}
        found[name] = int(wide.get(which, min(field.min + rng.integers(5), field.max)))
    return found


def evaluated(expression, numbers):
    return eval(expression, {"ceil_div": ceil_div, **NAMES}, numbers)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_decides_as_its_expression(name):
    steps, seen = Steps([1]), set()
    steps.require(RULES[name].rule)
    rng, rule = np.random.default_rng(0), compile(RULES[name].rule, name, "eval")
    for _ in range(400):
        numbers = fields(rng)
        holds = bool(evaluated(rule, numbers))
        assert taken(steps.lines, dict(numbers)) == holds, numbers
        seen.add(holds)
    assert seen == {True, False}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda o: o.name)
def test_words_are_as_many_as_their_expression(operation):
    expressions = [*operation.sections.values(), *([operation.second] if operation.second else [])]
    for expression in expressions:
        steps = Steps([operation.opcode])
        steps.assign("words", expression)
        rng = np.random.default_rng(0)
        for _ in range(100):
            numbers = fields(rng)
            if all(evaluated(RULES[name].rule, numbers) for name in operation.rules):
                taken(steps.lines, numbers)
                assert numbers["words"] == min(evaluated(expression, numbers), MOST)


def test_every_rule_and_section_has_steps():
    text = "\n".join(step_macros())
    assert text.count("require") >= len(RULES)
    for operation in OPERATIONS.values():
        assert f"0x{1 << operation.opcode:02X}" in text or operation.rules


def test_what_has_no_steps_is_refused():
    with pytest.raises(ValueError, match="must have steps"):
        Steps([1]).require("kernel_height % 2 == 0")
    with pytest.raises(ValueError, match="14 bits that count"):
        Steps([1]).require("in_channels <= 16385 * 3 + 65537")
