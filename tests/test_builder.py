"""The builder and the comparison that all front ends share, with a source made of NumPy."""

import subprocess
import sys

import numpy as np
import pytest

from pynq_circnn import layers as L
from pynq_circnn.errors import ConversionError
from pynq_circnn.frontends.builder import Builder, Unsupported, blocks_of_one
from pynq_circnn.frontends.comparison import Precision, Source, precision_of
from pynq_circnn.frontends.conversion import to_model
from pynq_circnn.network import floating

RNG = np.random.default_rng(0)


class TwoMatrices(Source):
    """``y = second @ relu(scale * (first @ x) + bias)``, in float32."""

    framework = "NumPy"
    precision = Precision()

    def __init__(self):
        self.first, self.second = RNG.normal(size=(8, 6)), RNG.normal(size=(3, 8))
        self.scale, self.bias = RNG.uniform(0.5, 2, 8), RNG.normal(size=8)

    def parameters(self):
        values = (self.first, self.scale, self.bias, self.second)
        return [value.astype(np.float32) for value in values]

    def hidden(self, parameters, x):
        first, scale, bias, _ = parameters
        return np.maximum(scale * (x.astype(np.float32) @ first.T) + bias, 0)

    def predict(self, data):
        return self.predict_with(self.parameters(), data)

    def predict_layers(self, data):
        return {"first": self.hidden(self.parameters(), data), "second": self.predict(data)}

    def predict_with(self, parameters, data):
        return (self.hidden(parameters, data) @ parameters[-1].T).astype(np.float64)

    def built(self):
        builder = Builder((6,))
        first = builder.dense("first", builder.input, (6,), 8, blocks_of_one(self.first))
        norm = builder.scale_bias("norm", first, (8,), self.scale, self.bias)
        relu = builder.activation("relu", norm, "relu")
        builder.stands_for(relu, "tensor behind relu")
        second = builder.dense("second", relu, (8,), 3, blocks_of_one(self.second))
        return builder.build(second, "matrices")


def test_scale_bias_and_activation_move_into_the_matrix_before_them():
    source = TwoMatrices()
    network, tensors = source.built()
    assert [layer.name for layer in network] == ["input", "first", "second"]
    assert tensors == {"first": "tensor behind relu"}
    x = RNG.normal(size=(20, 6))
    np.testing.assert_allclose(floating.run(network, x)["second"], source.predict(x), atol=1e-5)


def test_a_converted_model_carries_the_comparison_with_its_source():
    source = TwoMatrices()
    x = RNG.normal(size=(200, 6)).astype(np.float32)
    model = to_model(source.built().network, source, x, "two", labels=["a", "b", "c"])
    report = model.info()["source_comparison"]
    assert report["samples"] == 128 and report["snr_db"] > 60
    np.testing.assert_allclose(model.predict(x), source.predict(x), atol=2e-2)
    assert (model.name, model.labels) == ("two", ["a", "b", "c"])


def test_a_difference_names_the_framework_and_the_first_layer():
    source = TwoMatrices()
    network = source.built().network
    x = RNG.normal(size=(100, 6)).astype(np.float32)
    source.second = source.second * 1.05
    with pytest.raises(ConversionError, match=r"the NumPy model gives.* layer 'second' on"):
        to_model(network, source, x, "two")
    source.first = source.first * 1.05
    with pytest.warns(UserWarning, match=r"layer 'first' on.* against NumPy's"):
        model = to_model(network, source, x, "two", on_difference="warn")
    assert model.info()["source_comparison"]["snr_db"] < 40
    with pytest.raises(ValueError, match=r"'raise' or 'warn'. Received: 'ignore'"):
        to_model(network, source, x, "two", on_difference="ignore")


def test_layers_without_a_counterpart_are_named_together():
    builder = Builder((4, 4, 2))
    with pytest.raises(Unsupported, match="use one number for each channel") as caught:
        builder.scale_bias("rows", builder.input, (4, 4, 2), np.ones((4, 1, 1)), 0)
    builder.refuse("rows", "Scale", caught.value)
    builder.refuse("gate", "GRU", "recurrent layers are not supported yet")
    with pytest.raises(ValueError) as caught:
        builder.build(builder.input, "matrices and sums")
    for part in (
        "2 without",
        "rows (Scale): scales more",
        "gate (GRU): recurrent",
        "Supported are matrices and sums.",
    ):
        assert part in str(caught.value)


def test_a_matrix_reads_vectors_steps_and_images():
    kernel = blocks_of_one(RNG.normal(size=(5, 3)))
    for shape in [(3,), (4, 3), (4, 2, 3)]:
        builder = Builder(shape)
        name = builder.dense("matrix", builder.input, shape, 5, kernel, np.ones(5))
        network = builder.build(name, "").network
        x = RNG.normal(size=(2, *shape))
        expected = x @ kernel[..., 0].T + 1
        found = floating.run(network, x)[name]
        np.testing.assert_allclose(found.reshape(expected.shape), expected)
    with pytest.raises(Unsupported, match=r"shape \(1, 2, 3, 4\): Flatten it"):
        builder.dense("matrix", builder.input, (1, 2, 3, 4), 5, kernel)


def test_names_that_are_taken_get_a_number_and_sums_are_pairs():
    builder = Builder((3,))
    names = [builder.activation("act", builder.input, kind) for kind in ("relu", "tanh", "relu6")]
    assert names == ["act", "act_1", "act_2"]
    network = builder.build(builder.sum("sum", *names), "").network
    assert [layer.name for layer in network][-2:] == ["sum", "sum_1"]


@pytest.mark.parametrize(
    "scale, each_feature, moved",
    [
        (0.5, False, True),
        ([0.5, 2.0, 1.0], True, True),
        ([0.5, 2.0, 1.0], False, False),
    ],
)
def test_a_scaling_at_the_front_becomes_the_inputs(scale, each_feature, moved):
    builder = Builder((3,))
    scaled = builder.scale_bias("scaled", builder.input, (3,), scale, -1)
    builder.stands_for(builder.input, "unscaled")
    builder.stands_for(scaled, "scaled")
    output = builder.dense("y", scaled, (3,), 2, blocks_of_one(RNG.normal(size=(2, 3))))
    network, tensors = builder.build(output, "", each_feature)
    if moved:
        assert [layer.kind for layer in network] == ["Input", "Dense"]
        np.testing.assert_array_equal(np.ones(3) * network.input.scale, np.ones(3) * scale)
        assert tensors == {"input": "scaled"}
        assert network.input.uint8_scale == (scale if np.isscalar(scale) else None)
    else:
        assert [layer.kind for layer in network] == ["Input", "ScaleBias", "Dense"]
        assert tensors == {"input": "unscaled", "scaled": "scaled"}


def test_a_scaling_whose_numbers_have_other_readers_stays():
    builder = Builder((3,))
    scaled = builder.scale_bias("scaled", builder.input, (3,), 0.5, 0)
    network = builder.build(builder.sum("sum", scaled, builder.input), "").network
    assert not network.input.rescales and isinstance(network.layers[1], L.ScaleBias)


def test_short_floats_explain_more():
    rounding = [precision_of(d).rounding for d in ({"float32", None}, {"float16"}, {"bfloat16"})]
    assert rounding == sorted(set(rounding))


def test_no_framework_is_needed():
    code = (
        "import sys; import pynq_circnn.frontends.conversion, pynq_circnn.frontends.builder; "
        "sys.exit(any(name in sys.modules for name in ('keras', 'torch', 'tensorflow', 'jax')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
