"""The rules of a graph, the shapes of its tensors, and the checks of layers and parameters."""

import math

import numpy as np
import pytest
from fuzzing import times
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq_circnn import layers as L
from pynq_circnn.network.graph import Network, infer_shapes

FLAT = L.Input("in", (), (8,))
IMAGE = L.Input("in", (), (6, 5, 4))


# -- the graph ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers, message",
    [
        ([], "begin with an Input layer. Received: no layers"),
        ([L.Dense("a", ("in",))], "begin with an Input layer. Received: Dense"),
        ([FLAT, L.Dense("in", ("in",))], "unique. Received: 'in' twice"),
        ([FLAT, L.Input("b", (), (8,))], "one Input layer. Received: another one, 'b'"),
        ([FLAT, L.Softmax("s", ("in",)), L.Dense("d", ("s",))], "last layer. Received: 's'"),
        ([FLAT, L.Dense("a", ("b",)), L.Dense("b", ("a",))], "earlier layers. Received: 'b'"),
        ([FLAT, L.Dense("a", ("a",))], "earlier layers. Received: 'a'"),
        ([FLAT, L.Dense("a", ("nowhere",))], "Received: 'nowhere'; known are 'in'"),
        ([FLAT, L.Dense("a", ("in",)), L.Dense("b", ("in",))], "no reader for 'a'"),
        ([FLAT, L.Dense("a", ("in",), units=3), L.Add("b", ("in", "a"))], "have the same shape"),
        ([IMAGE, L.Dense("a", ("in",))], "Flatten it, or use a Conv2D"),
        ([IMAGE, L.Softmax("a", ("in",))], "shape (classes,)"),
        ([FLAT, L.Conv2D("a", ("in",))], "Put a Reshape before it"),
        ([FLAT, L.MaxPool2D("a", ("in",))], "Put a Reshape before it"),
        ([FLAT, L.GlobalAveragePool2D("a", ("in",))], "Put a Reshape before it"),
        ([FLAT, L.ZeroPadding2D("a", ("in",))], "Put a Reshape before it"),
        ([IMAGE, L.Conv2D("a", ("in",), kernel_size=(7, 1))], "must fit its 6 x 5 input"),
        ([IMAGE, L.MaxPool2D("a", ("in",), padding="full")], "'valid' or 'same'"),
        ([IMAGE, L.Reshape("a", ("in",), (7, -1, 1))], "hold 120 elements"),
        ([IMAGE, L.Reshape("a", ("in",), (-1, -1, 4))], "hold 120 elements"),
        ([IMAGE, L.Reshape("a", ("in",), (119,))], "hold 120 elements"),
        ([IMAGE, L.Reshape("a", ("in",), (2, 5, 2, 6))], "1 to 3 extents"),
        ([L.Input("in", (), (65, 64, 1)), L.GlobalAveragePool2D("a", ("in",))], "4096 pixels"),
        (
            [
                L.Input("in", (), (65535,)),
                L.Reshape("r", ("in",), (-1, 1, 1)),
                L.ZeroPadding2D("p", ("r",), ((1, 0), (0, 0))),
            ],
            "rows and columns",
        ),
        ([L.Input("in", (), (65535, 1025, 1))], "at most 67108864 elements"),
        (
            [L.Input("in", (), (300, 300, 1)), L.Conv2D("a", ("in",), kernel_size=(257, 256))],
            "65536 terms",
        ),
    ],
)
def test_broken_graphs_are_refused(layers, message):
    with pytest.raises(ValueError) as error:
        infer_shapes(layers)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: L.Dense("", ("in",)), "1 to 200 characters"),
        (lambda: L.Dense("x" * 201, ("in",)), "1 to 200 characters"),
        (lambda: L.Dense(3, ("in",)), "1 to 200 characters"),
        (lambda: L.Dense("a", "in"), "tuple of names"),
        (lambda: L.Dense("a", ("in", "other")), "must have 1 input(s)"),
        (lambda: L.Add("a", ("in",)), "must have 2 input(s)"),
        (lambda: L.AveragePool2D("a", ("in",), pool_size=(65, 64)), "at most 4096 pixels"),
        (lambda: L.MaxPool2D("a", ("in",), pool_size=(65, 64)), "at most 4096 pixels"),
        (lambda: L.Input("a", ("in",), (3,)), "must have 0 input(s)"),
        (lambda: L.Input("a", (), (3, 3, 3, 3)), "(features,), (steps, features) or (height, "),
        (lambda: L.Input("a", (), ()), "(features,), (steps, features) or (height, "),
        (lambda: L.Input("a", (), [3]), "(features,), (steps, features) or (height, "),
        (lambda: L.Input("a", (), (3,), scale=0.0), "scale of the input must not be 0"),
        (lambda: L.Input("a", (), (3,), scale=math.nan), "of the input must be a number, or one"),
        (lambda: L.Input("a", (), (3,), offset=math.inf), "features or channels, within +-1e30"),
        (lambda: L.Input("a", (), (1,), 1.0, scale=(1.0,)), "uint8_scale must be None if"),
        (lambda: L.Input("a", (), (3,), scale=(1.0, 2.0)), "each of the 3 features"),
        (lambda: L.Input("a", (), (3,), scale=(1.0, 2.0, "3")), "each of the 3 features"),
        (lambda: L.Input("a", (), (3,), scale="1"), "of the input must be a number, or one"),
        (lambda: L.Input("a", (), (0,)), "positive integer"),
        (lambda: L.Input("a", (), (65536,)), "at most 65535"),
        (lambda: L.Input("a", (), (3,), 0.0), "uint8_scale must lie in"),
        (lambda: L.Input("a", (), (3,), math.nan), "uint8_scale must lie in"),
        (lambda: L.Input("a", (), (3,), 1.0, math.inf), "uint8_offset within"),
        (lambda: L.Input("a", (), (3,), "1"), "uint8_scale must lie in"),
        (lambda: L.Input("a", (), (3,), True), "uint8_scale must lie in"),
        (lambda: L.Dense("a", ("in",), activation="gelu"), "linear, relu, relu6, leaky_relu"),
        (lambda: L.Dense("a", ("in",), negative_slope=1.0), "must lie in [0, 1)"),
        (lambda: L.Dense("a", ("in",), negative_slope=math.nan), "must lie in [0, 1)"),
        (lambda: L.Dense("a", ("in",), negative_slope=False), "must lie in [0, 1)"),
        (lambda: L.Dense("a", ("in",), units=0), "positive integer"),
        (lambda: L.Dense("a", ("in",), units=True), "positive integer"),
        (lambda: L.Dense("a", ("in",), units=2.0), "positive integer"),
        (lambda: L.Dense("a", ("in",), units=65536), "at most 65535"),
        (lambda: L.Dense("a", ("in",), block=3), "power of two"),
        (lambda: L.Dense("a", ("in",), block=512), "power of two"),
        (lambda: L.Dense("a", ("in",), block=8.0), "power of two"),
        (lambda: L.Conv2D("a", ("in",), kernel_size=3), "tuple (vertical, horizontal)"),
        (lambda: L.Conv2D("a", ("in",), strides=(1, 0)), "positive integer"),
        (lambda: L.MaxPool2D("a", ("in",), pool_size=(2, 2, 2)), "tuple (vertical, horizontal)"),
        (lambda: L.ZeroPadding2D("a", ("in",), (1, 1)), "((top, bottom), (left, right))"),
        (lambda: L.ZeroPadding2D("a", ("in",), ((1, -1), (0, 0))), "each 0 to 65535"),
        (lambda: L.from_config("Transformer", {"name": "a"}), "must be one of Add, AveragePool2D"),
        (lambda: L.from_config("_Pool2D", {"name": "a"}), "must be one of Add, AveragePool2D"),
        (lambda: L.from_config("Dense", {"name": "a", "rows": 3}), "fields of a Dense"),
        (lambda: L.from_config("Dense", {"units": 3}), "must include name"),
    ],
)
def test_bad_layers_are_refused(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)


def test_a_block_from_numpy_is_a_plain_int():
    layer = L.Dense("a", ("in",), units=4, block=np.int64(8))
    assert type(layer.block) is int


@pytest.mark.parametrize("kind", sorted(set(L.Layer.kinds) - {"Input"}))
def test_config_round_trip(kind):
    cls = L.Layer.kinds[kind]
    layer = cls("a", ("b", "c")[: cls.arity])
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in layer.config().items()}
    assert L.from_config(kind, lists) == layer


# -- shapes: Keras's formulae -------------------------------------------------------------------


def keras_extent(size, window, stride, padding):
    """keras.src.ops.operation_utils: floor((size - w) / s) + 1, or floor((size - 1) / s) + 1."""
    return math.floor((size - (window if padding == "valid" else 1)) / stride) + 1


@pytest.mark.fuzz
@settings(max_examples=times(150), deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 12)] * 2),
    window=st.tuples(*[st.integers(1, 5)] * 2),
    strides=st.tuples(*[st.integers(1, 4)] * 2),
    padding=st.sampled_from(["valid", "same"]),
    kind=st.sampled_from([L.Conv2D, L.MaxPool2D, L.AveragePool2D]),
)
def test_windows_are_keras(size, window, strides, padding, kind):
    if padding == "valid":
        window = tuple(map(min, window, size))
    key = "kernel_size" if kind is L.Conv2D else "pool_size"
    layer = kind("a", ("in",), strides=strides, padding=padding, **{key: window})
    rows, columns = (keras_extent(*a, padding) for a in zip(size, window, strides))
    channels = 1 if kind is L.Conv2D else 3
    assert layer.output_shape((*size, 3)) == (rows, columns, channels)

    place = layer.window((*size, 3))
    for before, out, axis in ((place.top, rows, 0), (place.left, columns, 1)):
        total = max((out - 1) * strides[axis] + window[axis] - size[axis], 0)
        assert before == (total // 2 if padding == "same" else 0)  # the odd one at the end
    counts = np.zeros((rows, columns), dtype=int)
    for _, _, pixels in place.positions(np.ones((1, *size)), 0):
        counts += pixels[0].astype(int)
    np.testing.assert_array_equal(place.counts(), counts)
    assert counts.min() >= 1  # every window covers a pixel


def test_shapes_of_the_other_kinds():
    shapes = infer_shapes(
        [
            IMAGE,
            L.ZeroPadding2D("pad", ("in",), ((1, 2), (0, 3))),
            L.ScaleBias("scale", ("pad",)),
            L.Add("add", ("scale", "pad")),
            L.GlobalAveragePool2D("mean", ("add",)),
            L.Reshape("image", ("mean",), (1, -1, 2)),
            L.Reshape("flat", ("image",)),
            L.Dense("dense", ("flat",), units=7),
            L.Softmax("end", ("dense",)),
        ]
    )
    assert list(shapes.values()) == [
        (6, 5, 4),
        (9, 8, 4),
        (9, 8, 4),
        (9, 8, 4),
        (4,),
        (1, 2, 2),
        (4,),
        (7,),
        (7,),
    ]


# -- parameters ---------------------------------------------------------------------------------

DENSE = [FLAT, L.Dense("d", ("in",), units=6, block=4)]


def parameters(**changes):
    return {"d": {"weights": np.ones((2, 2, 4)), **changes}}


def test_scale_and_bias_may_be_left_out_and_are_read_only():
    given_weights = np.ones((2, 2, 4), dtype=np.float32)
    network = Network(DENSE, {"d": {"weights": given_weights}})
    arrays = network.parameters["d"]
    np.testing.assert_array_equal(arrays["scale"], np.ones(6))
    np.testing.assert_array_equal(arrays["bias"], np.zeros(6))
    given_weights[:] = 7
    assert arrays["weights"].max() == 1 and arrays["weights"].dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        arrays["weights"][0] = 1


@pytest.mark.parametrize(
    "given_parameters, message",
    [
        ({}, "must be weights, scale, bias"),
        ({"e": {}}, "must belong to layers of the network. Received: 'e'"),
        ({"in": {"weights": np.ones(3)}}, "must be none"),
        (parameters(gamma=np.ones(6)), "must be weights, scale, bias. Received: weights, gamma"),
        (parameters(weights=np.ones((2, 2, 2))), "must have shape (2, 2, 4). Received: (2, 2, 2)"),
        (parameters(bias=np.zeros(8)), "must have shape (6,). Received: (8,)"),
        (parameters(scale=np.full(6, np.nan)), "must be finite. Received: 6 NaN"),
        (parameters(bias=[0, 0, 0, 0, 0, np.inf]), "must be finite. Received: 1 NaN"),
    ],
)
def test_bad_parameters_are_refused(given_parameters, message):
    with pytest.raises(ValueError) as error:
        Network(DENSE, given_parameters)
    assert message in str(error.value)


def test_dense_parameters_count_the_twin():
    conv = L.Conv2D("c", ("in",), filters=10, kernel_size=(3, 2), block=4)
    assert conv.dense_parameters((6, 5, 7)) == 3 * 2 * 7 * 10 + 10
    assert conv.parameter_shapes((6, 5, 7))["weights"] == (3, 2, 3, 2, 4)
    assert L.Dense("d", ("in",), units=3).dense_parameters((5,)) == 18
