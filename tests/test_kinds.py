"""The registry of layer kinds: each complete, each in every comparison, and the error for a gap."""

import dataclasses
import os
import subprocess
import sys
from typing import ClassVar

import kinds
import numpy as np
import pytest
from fuzzing import times
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, random_input, random_network

from pynq_circnn import layers as L
from pynq_circnn.backends import reference
from pynq_circnn.contract import CONFIGURATIONS, OPCODES
from pynq_circnn.errors import CompileError
from pynq_circnn.layers import base, instruction
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.program import Program

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def test_every_kind_has_a_sampler():
    """Random networks, fuzzers and comparisons of back ends then include it."""
    assert set(kinds.SAMPLERS) == set(KINDS)
    assert set(KINDS) | {"Input", "Softmax"} == set(L.Layer.kinds)


def test_every_opcode_has_a_kind_and_its_files():
    assert {cls.operation for cls in L.Layer.kinds.values()} - {""} == set(OPCODES)
    for name in OPCODES:
        for path in (f"pynq_circnn/native/kinds/{name}.h", f"hw/src/kinds/{name}.hpp"):
            assert os.path.isfile(os.path.join(ROOT, path)), path


RULES = base.rules_left_open(base.Layer)


@pytest.mark.parametrize("rule", RULES)
def test_a_kind_without_a_rule_cannot_be_defined(rule):
    methods = {name: getattr(L.MaxPool2D, name) for name in RULES if name != rule}
    with pytest.raises(TypeError, match=rf"Half must define each rule. Received: no {rule}"):
        type("Half", (L.Layer,), {"operation": "max_pool", **methods})
    assert "Half" not in L.Layer.kinds


def test_an_activated_kind_without_its_exponent_cannot_be_defined():
    from pynq_circnn.layers.activated import Activated

    methods = {name: getattr(L.Add, name) for name in RULES}
    with pytest.raises(TypeError, match="no total_exponent"):
        type("Half", (Activated,), {"operation": "add", **methods})


def test_a_kind_of_no_opcode_cannot_be_defined():
    with pytest.raises(TypeError, match=r"must be an opcode of the contract.*'fly'"):

        @dataclasses.dataclass(frozen=True)
        class Fly(L.MaxPool2D):
            operation: ClassVar[str] = "fly"


def test_a_kind_does_not_take_another_kinds_name():
    with pytest.raises(TypeError, match=r"must have a name of its own.*test_kinds\..*Dense beside"):

        @dataclasses.dataclass(frozen=True)
        class Dense(L.Dense):
            pass

    assert L.Layer.kinds["Dense"] is L.Dense


def test_a_kind_may_be_defined_again(monkeypatch):
    """In a notebook's cell that runs twice, say: the last definition counts."""
    monkeypatch.setattr(L.Layer, "kinds", dict(L.Layer.kinds))
    first, second = (type("Own", (L.MaxPool2D,), {}) for _ in range(2))
    assert first is not second
    assert L.Layer.kinds["Own"] is second


def test_every_kind_is_had_from_the_package():
    names = {}
    exec("from pynq_circnn.layers import *", names)
    assert {name: names.get(name) for name in L.Layer.kinds} == L.Layer.kinds


def test_an_opcode_without_a_meaning_stops_the_import(monkeypatch):
    monkeypatch.setitem(instruction.OPCODES, "fly", 99)
    with pytest.raises(TypeError, match=r"must have a meaning.*none for fly"):
        instruction.check_meanings()
    with pytest.raises(TypeError, match=r"defined once.*'add'"):
        instruction.meaning("add")(lambda *arguments: None)


@pytest.mark.fuzz
@settings(max_examples=times(60), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    names=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    extreme=st.booleans(),
    configuration=st.sampled_from(sorted(CONFIGURATIONS)),
)
def test_a_program_means_what_its_network_does(seed, names, extreme, configuration):
    """A program executed from its bytes, one instruction after the other: same words and counts."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, names, extreme=extreme)
    if network is None:
        return
    try:
        program = Program.from_bytes(compile_program(network, configuration).to_bytes())
    except CompileError:
        return
    x = random_input(rng, network, 3, extreme)
    results = []
    for plan in (reference.Plan(network), reference.Plan(network, program)):
        counts = np.zeros(len(network.layers), dtype=np.int64)
        results.append((plan.run(x, saturations=counts), counts))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_takes_part(name):
    """Each kind is found in some random network that runs, so that no comparison misses it."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        network = random_network(rng, [str(rng.choice(KINDS)), name])
        if network is not None and name in {layer.kind for layer in network.layers}:
            x = random_input(rng, network, 2)
            assert np.isfinite(reference.Plan(network).run(x)).all()
            return
    raise AssertionError(f"no network with {name} in 200 tries")


def test_rooms_import_one_way_only():
    """No room of pynq_circnn imports another that imports it, directly or indirectly."""
    code = os.path.join(ROOT, "tests", "rooms.py")
    done = subprocess.run([sys.executable, code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
