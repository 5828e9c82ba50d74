"""Concatenate: shapes, exponents, precision, and its lowering."""

import numpy as np
import pytest

from pynq_circnn import Model, Network, quantize
from pynq_circnn import layers as L
from pynq_circnn.contract import OPCODES, TABLE_ACTIVATIONS
from pynq_circnn.network import floating
from pynq_circnn.network.graph import infer_shapes
from pynq_circnn.program.compiler import compile_program


def joined(scale, activation="linear"):
    """x joined with `scale` times x."""
    layers = [
        L.Input("x", (), (4, 3, 5)),
        L.ScaleBias("y", ("x",)),
        L.Concatenate("both", ("y", "x"), activation=activation),
    ]
    return Network(layers, {"y": {"scale": np.full(5, float(scale))}})


def test_shapes():
    vectors = [L.Input("x", (), (5,)), L.Dense("y", ("x",), units=3)]
    assert infer_shapes([*vectors, L.Concatenate("z", ("x", "y"))])["z"] == (8,)
    layers = joined(1).layers
    assert infer_shapes(layers)["both"] == (4, 3, 10)
    flat = L.Reshape("flat", ("x",), (12, -1))
    sequence = [layers[0], flat, L.Concatenate("z", ("flat", "flat"))]
    assert infer_shapes(sequence)["z"] == (12, 10)


@pytest.mark.parametrize("shape", [(-1,), (12, 5), (3, 4, 5)])
def test_other_shapes_are_refused(shape):
    layers = [joined(1).layers[0], L.Reshape("y", ("x",), shape)]
    with pytest.raises(
        ValueError, match=r"must have the same shape except for the last axis.*\(4, 3, 5\)"
    ):
        infer_shapes([*layers, L.Concatenate("both", ("x", "y"))])


def test_inputs_too_far_apart_are_refused():
    with pytest.raises(ValueError, match="must differ by at most 15"):
        quantize(joined(1e-6), np.random.default_rng(0).normal(size=(64, 4, 3, 5)))


@pytest.mark.parametrize("scale", [1, 0.02, 37])
@pytest.mark.parametrize("activation", L.ACTIVATIONS)
def test_both_inputs_keep_their_precision(scale, activation):
    x = np.random.default_rng(1).normal(size=(200, 4, 3, 5))
    network = joined(scale, activation)
    quantized = quantize(network, x)
    exact = floating.run(network, x)["both"]
    found = Model(quantized).predict(x.astype(np.float32))
    steps = [2.0 ** quantized.exponents[name] for name in ("x", "y", "both")]
    table = 2.0**-12 if activation in TABLE_ACTIVATIONS else 0  # of its interpolation
    assert np.abs(found - exact).max() < max(scale, 1) * steps[0] + steps[1] + steps[2] + table
    if activation == "linear":  # no bit is lost: the coarser exponent holds both
        assert steps[2] <= max(steps[:2])


def test_it_is_one_instruction():
    network = quantize(joined(1), np.random.default_rng(2).normal(size=(64, 4, 3, 5)))
    program = compile_program(network, "z2")
    assert [fields["opcode"] for fields in program.layers] == [
        OPCODES["scale_bias"],
        OPCODES["concatenate"],
    ]
