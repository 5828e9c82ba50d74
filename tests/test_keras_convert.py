"""Keras models as networks and as 16-bit integers, against Keras's own ``predict``."""

import warnings

import numpy as np
import pytest
from keras_backend import keras

from pynq_circnn.errors import ConversionError
from pynq_circnn.frontends.keras.rules import RULES
from pynq_circnn.keras import BlockCirculantConv2D, BlockCirculantDense, convert, to_network
from pynq_circnn.network import floating

L = keras.layers


def mlp():
    return keras.Sequential(
        [
            keras.Input((20,)),
            L.GaussianNoise(0.1),
            L.Dense(24),
            L.LeakyReLU(negative_slope=0.1),
            L.BatchNormalization(),
            BlockCirculantDense(18, 8, activation="tanh"),
            L.Dropout(0.5),
            BlockCirculantDense(16, 4, use_bias=False),
            L.BatchNormalization(scale=False),
            L.ReLU(max_value=6),
            L.Dense(5, activation="sigmoid"),
        ]
    )


def residual():
    """A functional model with everything that images need."""
    image = x = keras.Input((12, 10, 3))
    x = L.Rescaling([0.5, 1.0, 2.0], offset=[0.1, 0.0, -0.1])(x)
    x = L.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = BlockCirculantConv2D(8, 3, 4, padding="same", use_bias=False)(x)
    x = L.BatchNormalization(center=False)(x)
    x = L.ReLU()(x)
    left = L.Conv2D(8, (1, 3), padding="same", activation="relu")(x)
    right = L.MaxPooling2D(3, strides=1, padding="same")(x)
    x = L.Add()([x, left, right])
    x = L.Activation("leaky_relu")(x)
    block = keras.Sequential([keras.Input((13, 13, 8)), BlockCirculantConv2D(8, 2, 8, strides=2)])
    x = block(x)
    x = L.BatchNormalization()(L.AveragePooling2D(2, padding="same")(x))
    pooled = L.Add()([L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)])
    flat = L.Dense(8)(L.Reshape((72,))(L.SpatialDropout2D(0.2)(x)))
    return keras.Model(image, BlockCirculantDense(7, 2)(L.Add()([pooled, flat])))


def branches():
    """Features of several sizes, joined: images, then vectors."""
    image = keras.Input((9, 8, 3))
    small = L.Conv2D(5, 1, activation="relu")(image)
    large = BlockCirculantConv2D(16, 3, 8, padding="same")(image)
    x = L.Concatenate()([image, small, L.BatchNormalization()(large)])
    x = L.Activation("relu")(L.Concatenate(axis=3)([x, L.MaxPooling2D(3, 1, "same")(x)]))
    pooled = L.Concatenate(axis=-1)([L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)])
    return keras.Model(image, L.Dense(6)(pooled))


def trained(build):
    """Return a model and data, every weight and statistic away from its initial value."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model = build()
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        noise = rng.uniform(0.1, 0.3, value.shape)
        weight.assign(value + (noise if value.ndim == 1 else 0 * value))
    x = rng.normal(size=(512, *model.input_shape[1:])).astype(np.float32)
    return model, x


@pytest.mark.parametrize("build", [mlp, residual, branches])
def test_networks_equal_keras(build):
    model, x = trained(build)
    network = to_network(model)
    found = floating.run(network, x.astype(np.float64))[network.layers[-1].name]
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-4)


@pytest.mark.parametrize("build", [mlp, residual, branches])
def test_integers_equal_keras_up_to_their_noise(build):
    """The error is as large as the last layer's signal-to-noise ratio states.

    1 dB more is allowed on data that were not calibrated with.
    """
    model, x = trained(build)
    converted = convert(model, x[:384], labels=[f"class {i}" for i in range(model.output_shape[1])])
    found = converted.predict(x[384:])
    expected = model.predict(x[384:], verbose=0)
    noise = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    snr_db = converted.network.snr_db[converted.layers[-1].name]
    assert snr_db > 45
    assert noise < 10 ** (-(snr_db - 1) / 20)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_calibration_data_are_what_keras_takes(dtype):
    """With a Rescaling layer, unscaled numbers of every dtype calibrate alike."""
    model = keras.Sequential([keras.Input((6,)), L.Rescaling(1 / 64, offset=-1), L.Dense(3)])
    x = np.random.default_rng(0).integers(0, 256, (50, 6)).astype(dtype)
    converted = convert(model, x)
    expected = model.predict(x.astype(np.float32), verbose=0)
    for form in (x.astype(np.uint8), x.astype(np.int64), x.astype(np.float32), x.tolist()):
        np.testing.assert_allclose(converted.predict(form), expected, atol=2e-3)


def test_activations_and_normalisation_are_fused():
    assert [layer.kind for layer in to_network(mlp())] == [
        "Input",
        "Dense",
        "ScaleBias",  # normalisation behind an activation stands alone
        "Dense",
        "Dense",
        "Dense",
    ]
    assert [layer.activation for layer in to_network(mlp()).layers[1:]] == [
        "leaky_relu",
        "linear",
        "tanh",
        "relu6",
        "sigmoid",
    ]


def test_an_activation_with_two_readers_before_it_stands_alone():
    entry = keras.Input((4,))
    x = L.Dense(4)(entry)
    model = keras.Model(entry, L.Add()([x, L.ReLU()(x)]))
    kinds = [layer.kind for layer in to_network(model)]
    assert kinds == ["Input", "Dense", "ScaleBias", "Add"]


def test_a_layer_used_twice_is_there_twice():
    entry = keras.Input((4,))
    shared = BlockCirculantDense(4, 2, activation="relu", name="shared")
    model = keras.Model(entry, shared(shared(entry)))
    names = [layer.name for layer in to_network(model)]
    assert names == ["input", "shared", "shared_1"]


@pytest.mark.parametrize("reshape", [False, True])
def test_rescaling_at_the_front_is_the_meaning_of_bytes(reshape):
    layers = [keras.Input((4, 4, 1)), L.Rescaling(1 / 128, offset=-1), L.Flatten(), L.Dense(3)]
    if reshape:
        layers[1:3] = layers[2:0:-1]
    network = to_network(keras.Sequential(layers))
    assert (network.input.uint8_scale, network.input.uint8_offset) == (1 / 128, -1)
    assert [layer.kind for layer in network] == ["Input", "Reshape", "Dense"]


def test_dense_on_an_image_is_a_convolution_of_one_pixel():
    model = keras.Sequential([keras.Input((3, 3, 4)), BlockCirculantDense(6, 2, activation="relu")])
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype(np.float32)
    network = to_network(model)
    found = floating.run(network, x)[network.layers[-1].name]
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


def test_a_path_is_loaded(tmp_path):
    path = tmp_path / "model.keras"
    model = mlp()
    model.save(path)
    ours, again = to_network(model), to_network(path)
    assert ours.layers == again.layers


def test_unsupported_layers_are_named_together():
    class Mine(L.Dense):
        pass

    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            L.DepthwiseConv2D(3, name="first"),
            L.Conv2D(4, 3, dilation_rate=2, name="second"),
            L.Flatten(),
            L.Dense(4, activation="gelu", name="third"),
            Mine(4, name="fourth"),
        ]
    )
    with pytest.raises(ValueError) as caught:
        to_network(model)
    text = str(caught.value)
    for part in (
        "4 without",
        "first (DepthwiseConv2D): use Conv2D or BlockCirculantConv2D",
        "second (Conv2D): has groups or dilation",
        "third (Dense): activation 'gelu': use linear, relu",
        "fourth (Mine): replace it",
    ):
        assert part in text


OPERATIONS = {
    "x + y": lambda x, y: x + y,
    "keras.ops.add": lambda x, y: keras.ops.add(y, x),
    "x + 1.5": lambda x, y: x + 1.5,
    "1.5 + x": lambda x, y: 1.5 + x,
    "x - 2": lambda x, y: x - 2,
    "2 - x": lambda x, y: 2 - x,
    "x * 0.25": lambda x, y: x * 0.25,
    "array * x": lambda x, y: keras.ops.multiply(np.float32([1, 2, -1, 0.5]), x),
    "x / 4": lambda x, y: x / 4,
    "x / array": lambda x, y: x / np.float32([1, 2, -1, 0.5]),
    "keras.ops.add by name": lambda x, y: keras.ops.add(x1=1.0, x2=x),
    "keras.ops.relu": lambda x, y: keras.ops.relu(x),
    "keras.ops.relu6": lambda x, y: keras.ops.relu6(x * 9),
    "keras.ops.leaky_relu": lambda x, y: keras.ops.leaky_relu(x, 0.3),
    "keras.ops.sigmoid": lambda x, y: keras.ops.sigmoid(x),
    "keras.ops.tanh": lambda x, y: keras.ops.tanh(x),
    "keras.activations.relu": lambda x, y: keras.activations.relu(x, max_value=6),
    "keras.activations.leaky_relu": lambda x, y: keras.activations.leaky_relu(x),
}


@pytest.mark.parametrize("shape", [(4,), (3, 5, 4)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_on_tensors_are_converted_where_a_layer_does_the_same(name, shape):
    entry = keras.Input(shape)
    left, right = L.Dense(4)(entry), L.Dense(4)(entry)
    model = keras.Model(entry, OPERATIONS[name](left, right))
    network = to_network(model)
    x = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    found = floating.run(network, x.astype(np.float64))[network.layers[-1].name]
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


def test_softmax_as_an_operation_ends_a_network():
    entry = keras.Input((4,))
    network = to_network(keras.Model(entry, keras.ops.softmax(L.Dense(3)(entry))))
    assert [layer.kind for layer in network] == ["Input", "Dense", "Softmax"]


@pytest.mark.parametrize(
    "operate, message",
    [
        (
            lambda x, y: x - y,
            "(x - y): use keras.layers.Add()([x, keras.layers.Rescaling(-1.0)(y)])",
        ),
        (lambda x, y: x * y, "(x * y): tensors are multiplied only by constants"),
        (lambda x, y: x / y, "(x / y): "),
        (lambda x, y: 1 / x, "(x / y): divide by a constant only"),
        (lambda x, y: -x, "(-x): use keras.layers.Rescaling(-1.0)(x)"),
        (lambda x, y: x**2, "(x ** y): "),
        (lambda x, y: x[:, 1:], "(x[...]): "),
        (lambda x, y: keras.ops.maximum(x, 0), "(keras.ops.maximum): use keras.layers.ReLU()(x)"),
        (
            lambda x, y: keras.ops.concatenate([x, y], axis=1),
            "(keras.ops.concatenate): use keras.lay",
        ),
        (
            lambda x, y: keras.ops.concatenate([x, y], axis=-1),
            "use keras.layers.Concatenate()([x, y])",
        ),
        (lambda x, y: keras.ops.gelu(x), "(keras.ops.gelu): use keras.layers.ReLU()(x)"),
        (
            lambda x, y: keras.ops.reshape(x, (-1, 64)),
            "(keras.ops.reshape): use keras.layers.Reshape",
        ),
        (
            lambda x, y: keras.ops.mean(x, axis=(1, 2)),
            "use keras.layers.GlobalAveragePooling2D()(x)",
        ),
        (lambda x, y: x + np.ones((4, 1, 1), "float32"), "scales more than channels"),
        (lambda x, y: x @ np.ones((4, 2), "float32"), "(x @ y): use keras.layers.Dense"),
        (lambda x, y: keras.ops.erf(x), "(keras.ops.erf): "),
    ],
)
def test_other_operations_are_named_as_they_were_written(operate, message):
    entry = keras.Input((4, 4, 4))
    with pytest.raises(ValueError) as caught:
        to_network(keras.Model(entry, operate(L.Dense(4)(entry), L.Dense(4)(entry))))
    assert message in str(caught.value)


def test_a_shared_concatenate_joins_the_axis_of_each_use():
    entry, join = keras.Input((4, 4, 4)), L.Concatenate(axis=1)
    flat = L.Flatten()(entry)
    model = keras.Model(entry, L.Dense(2)(join([flat, L.Flatten()(join([entry, entry]))])))
    with pytest.raises(ValueError, match="joins axis 1: only the last axis can be joined"):
        to_network(model)
    join = L.Concatenate(axis=1)
    vectors = join([flat, flat])  # this use is of the last axis
    images = L.Flatten()(join([entry, entry]))
    with pytest.raises(ValueError, match="joins axis 1: only the last axis can be joined"):
        to_network(keras.Model(entry, L.Dense(2)(L.Add()([vectors, images]))))


@pytest.mark.parametrize("axis, shape", [(1, (4, 3, 4)), (2, (3, 4, 4))])
def test_a_scale_on_another_axis_is_not_taken_for_one_on_channels(axis, shape):
    layer = L.Normalization(axis=axis)
    layer.adapt(np.random.default_rng(0).normal(size=(50, *shape)).astype(np.float32))
    with pytest.raises(ValueError, match="scales more than channels"):
        to_network(keras.Sequential([keras.Input(shape), layer, L.Flatten(), L.Dense(2)]))


@pytest.mark.parametrize(
    "shape, layer, advice",
    [
        ((100, 8), lambda: L.Conv1D(4, 3), "(Conv1D): use Conv2D with a kernel of height 1"),
        ((100, 8), lambda: L.LSTM(4), "(LSTM): recurrent layers are not supported yet"),
        ((None, 8), lambda: L.GRU(4), "(GRU): recurrent layers are not supported yet"),
        ((None,), lambda: L.Embedding(10, 4), "(Embedding): "),
        ((4, 6, 6, 1), lambda: L.Conv3D(4, 3), "(Conv3D): "),
        ((None, None, 3), lambda: L.DepthwiseConv2D(3), "(DepthwiseConv2D): use Conv2D"),
    ],
)
def test_a_layer_explains_more_than_the_shape_that_it_needs(shape, layer, advice):
    model = keras.Sequential([keras.Input(shape), layer()])
    with pytest.raises(ValueError) as caught:
        to_network(keras.Sequential([keras.Input(shape), model]))  # nested too
    assert advice in str(caught.value)


def test_the_advice_for_conv1d_works():
    entry = keras.Input((100 * 8,))
    x = L.Conv2D(4, (1, 3))(L.Reshape((1, 100, 8))(entry))
    assert to_network(keras.Model(entry, x)).layers[-1].kind == "Conv2D"


def nan_model():
    model = mlp()
    model.layers[1].kernel.assign(np.full((20, 24), np.nan))
    return model


def subclass():
    class Mine(keras.Model):
        pass

    return Mine()


def two_inputs():
    entries = [keras.Input((2,)), keras.Input((2,))]
    return keras.Model(entries, L.Add()(entries))


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: keras.Sequential([L.Dense(3)]), ValueError, "model must be built"),
        (nan_model, ValueError, "480 NaN or infinite values"),
        (subclass, ValueError, "must be Sequential or functional"),
        (two_inputs, ValueError, "one input and one output. Received: 2 and 1"),
        (lambda: keras.Sequential([keras.Input((4, 4, 4, 4)), L.Flatten()]), ValueError, "4, 4, 4"),
        (lambda: keras.Sequential([keras.Input((5, 4)), L.Dense(3)]), ValueError, r"\(5, 3\)"),
        (lambda: 3, TypeError, "keras.Model or a path. Received: int"),
        (lambda: "no/such.keras", FileNotFoundError, "no/such.keras"),
    ],
)
def test_models_that_cannot_be_converted(build, error, message):
    with pytest.raises(error, match=message):
        to_network(build())


def test_a_file_of_another_kind_or_version_is_named(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a Keras file")
    with pytest.raises(ValueError, match=f"must be a model that Keras {keras.__version__} can"):
        to_network(path)


@pytest.mark.parametrize(
    "data, message",
    [
        (np.zeros((0, 20)), "n >= 1"),
        (np.zeros((5, 19)), r"shape \(n, 20\)"),
        (np.full((5, 20), np.nan), "finite"),
        (np.array(["a"]), "real numbers"),
    ],
)
def test_calibration_data_are_checked(data, message):
    with pytest.raises(ValueError, match=message):
        convert(mlp(), data)


# -- what predict takes is what Keras takes --------------------------------------------------------


def adapted_normalization():
    layer = L.Normalization(axis=None)
    layer.adapt(np.random.default_rng(1).normal(100, 40, (64, 6, 6, 1)).astype(np.float32))
    return layer


def grey_batch_normalisation():
    layer = L.BatchNormalization()
    layer.build((None, 6, 6, 1))
    layer.moving_mean.assign([0.4])
    layer.moving_variance.assign([0.09])
    return layer


@pytest.mark.parametrize("data", ["unit floats", "pixel floats", "bytes", "int16"])
@pytest.mark.parametrize(
    "first",
    [
        lambda: L.Rescaling(2.0, -1.0),
        lambda: L.Rescaling(1 / 255),
        lambda: L.Rescaling(-1.0, 1.0),
        lambda: L.Rescaling(1 / 32768),
        adapted_normalization,
        grey_batch_normalisation,
    ],
)
def test_predict_equals_keras_whatever_scaling_is_first(first, data):
    model = keras.Sequential([keras.Input((6, 6, 1)), first(), L.Flatten(), L.Dense(10)])
    rng = np.random.default_rng(0)
    x = {
        "unit floats": rng.uniform(size=(200, 6, 6, 1)),
        "pixel floats": rng.integers(0, 256, (200, 6, 6, 1)).astype(np.float32),
        "bytes": rng.integers(0, 256, (200, 6, 6, 1)).astype(np.uint8),
        "int16": rng.integers(-32768, 32768, (200, 6, 6, 1)).astype(np.int16),
    }[data]
    converted = convert(model, x)
    expected = model.predict(x, verbose=0)
    for backend in ("reference", "native"):
        found = converted.predict(x, backend=backend)
        assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert converted.info()["source_comparison"]["samples"] == 128
    assert converted.info()["source_comparison"]["snr_db"] > 60
    assert "dB of signal to noise against the source model" in summary_of(converted)


def summary_of(model):
    lines = []
    model.summary(lines.append)
    return "\n".join(lines)


@pytest.mark.parametrize("shape", [(28, 28), (5, 12)])
def test_rank_two_inputs(shape):
    """The network of Keras's tutorial for beginners, and layers that act on each step."""
    model = keras.Sequential(
        [
            keras.Input(shape),
            L.Rescaling(1 / 255),
            L.Dense(8, activation="relu"),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dense(16, activation="relu"),
            L.Dropout(0.2),
            L.Dense(10, activation="softmax"),
        ]
    )
    model.layers[2].moving_mean.assign(np.linspace(0, 0.2, 8))
    x = np.random.default_rng(0).integers(0, 256, (100, *shape)).astype(np.uint8)
    converted = convert(model, x)
    assert converted.input_shape == shape
    expected = model.predict(x, verbose=0)
    found = converted.predict(x)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    same_again = type(converted).from_bytes(converted.to_bytes())
    for backend in ("native", "reference"):
        np.testing.assert_array_equal(same_again.predict(x, backend=backend), found)
    np.testing.assert_array_equal(converted.predict(x[0]), found[0])


def test_a_conversion_that_differs_names_the_first_layer(monkeypatch):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            L.Conv2D(4, 3, activation="relu", name="conv"),
            L.BatchNormalization(name="norm"),
            L.Flatten(name="flat"),
            L.Dense(5, name="last"),
        ]
    )
    x = np.random.default_rng(0).normal(size=(64, 6, 6, 2)).astype(np.float32)
    convert(model, x)
    right = RULES[L.BatchNormalization]

    def wrong(low, layer, inputs, shape):
        name = right(low, layer, inputs, shape)
        low.nodes[name].arrays["scale"] = low.nodes[name].arrays["scale"] * 1.01
        return name

    monkeypatch.setitem(RULES, L.BatchNormalization, wrong)
    with pytest.raises(ConversionError, match=r"from layer 'norm' on, outputs that reach 40.* dB"):
        convert(model, x)
    with pytest.warns(UserWarning, match="from layer 'norm' on"):
        converted = convert(model, x, on_difference="warn")
    assert 30 < converted.info()["source_comparison"]["snr_db"] < 50
    with pytest.raises(ValueError, match=r"'raise' or 'warn'. Received: 'ignore'"):
        convert(model, x, on_difference="ignore")


def test_a_conversion_has_the_name_given():
    x = np.random.default_rng(0).normal(size=(40, 20))
    assert convert(mlp(), x, name="mine").name == "mine"
    with pytest.raises(ValueError, match=r"name must be a text. Received: 3"):
        convert(mlp(), x, name=3)


def with_statistics(mean, variance, features=8):
    layer = L.BatchNormalization()
    layer.build((None, features))
    layer.moving_mean.assign(np.full(features, mean))
    layer.moving_variance.assign(np.full(features, variance))
    return layer


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_numbers_far_from_zero_are_normalised_without_cancelling(dtype):
    """Dates in seconds: float32 barely resolves the difference from their mean."""
    layers = [L.Normalization(mean=1.7e9, variance=1e8), L.Dense(6, activation="relu"), L.Dense(3)]
    model = keras.Sequential([keras.Input((8,)), *layers])
    x = (1.7e9 + 1e4 * np.random.default_rng(0).normal(size=(200, 8))).astype(dtype)
    converted = convert(model, x)
    expected = model.predict(x, verbose=0)
    noise = np.sqrt(np.mean((converted.predict(x) - expected) ** 2) / np.mean(expected**2))
    assert noise < 1e-3


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [with_statistics(1e6, 1.0), L.Dense(3)],
        lambda: [keras.Sequential([L.Dense(64, dtype="mixed_bfloat16")]), L.Dense(3)],
    ],
)
def test_rounding_of_keras_is_no_wrong_conversion(layers):
    """Keras's own losses: cancellation of large numbers, and short floats in an inner model."""
    model = keras.Sequential([keras.Input((8,)), *layers()])
    mean = 1e6 if isinstance(model.layers[0], L.BatchNormalization) else 0
    x = (mean + np.random.default_rng(0).normal(size=(100, 8))).astype(np.float32)
    assert convert(model, x).info()["source_comparison"]["snr_db"] > 25


@pytest.mark.parametrize(
    "front",
    [
        lambda: [L.Rescaling(1 / 255), L.Rescaling(2.0, -1.0)],
        lambda: [L.Dropout(0.1), L.Rescaling(1 / 255)],
        lambda: [L.Reshape((8, 2)), L.Reshape((4, 4)), L.Rescaling(1 / 255), L.Dropout(0.1)],
        lambda: [],
    ],
)
def test_the_layer_named_is_the_first_behind_any_front(front, monkeypatch):
    model = keras.Sequential([keras.Input((4, 4)), *front(), L.Flatten(), L.Dense(3, name="last")])
    right = RULES[L.Dense]

    def wrong(low, layer, inputs, shape):
        name = right(low, layer, inputs, shape)
        low.nodes[name].arrays["weights"] = low.nodes[name].arrays["weights"] * 1.05
        return name

    monkeypatch.setitem(RULES, L.Dense, wrong)
    x = np.random.default_rng(0).integers(0, 256, (64, 4, 4)).astype(np.uint8)
    with pytest.raises(ConversionError, match="from layer 'last' on"):
        convert(model, x)
    only = keras.Sequential([keras.Input((16,)), L.Dense(3, name="last")])
    with pytest.raises(ConversionError, match="from layer 'last' on"):
        convert(only, x.reshape(64, 16))


@pytest.mark.parametrize("first", [lambda: L.Rescaling(1 / 127.5, -1.0), lambda: L.Rescaling(0.5)])
@pytest.mark.parametrize("form", ["bytes", "floats"])
def test_data_of_0_to_1_are_not_taken_for_scaled_bytes(first, form):
    """The calibration data raise no warning and use all bits."""
    model = keras.Sequential(
        [keras.Input((32,)), first(), L.Dense(16, activation="relu"), L.Dense(3)]
    )
    x = np.random.default_rng(0).uniform(size=(200, 32)).astype(np.float32)
    x = (x > 0.5).astype(np.uint8) if form == "bytes" else x
    converted = convert(model, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [converted.predict(given) for given in (x, x.astype(np.float32), x.tolist())]
    expected = model.predict(x, verbose=0)
    assert all(np.abs(y - expected).max() < 2e-3 * np.abs(expected).max() for y in found)


def test_a_reshape_used_twice_gives_each_its_shape():
    image = keras.Input((4, 4, 1))
    flat = L.Reshape((-1,))
    branches = [L.Dense(3)(flat(L.Conv2D(2, 3)(image))), L.Dense(3)(flat(image))]
    model = keras.Model(image, L.Add()(branches))
    x = np.random.default_rng(0).normal(size=(64, 4, 4, 1)).astype(np.float32)
    assert convert(model, x).info()["source_comparison"]["snr_db"] > 60


def test_what_keras_computes_in_integers_is_refused():
    pixels = keras.Input((8,), dtype="uint8")
    x = np.random.default_rng(0).integers(0, 256, (64, 8)).astype(np.uint8)
    with pytest.raises(ValueError, match=r"x \* y\): is computed in u?int\d+, which wraps around"):
        convert(keras.Model(pixels, L.Dense(3)(pixels * 2)), x)
    with pytest.raises(ValueError, match=r"wraps around: use keras\.layers\.Rescaling"):
        convert(keras.Model(pixels, L.Dense(3)(L.Add()([pixels, pixels]))), x)
    model = keras.Model(pixels, L.Dense(3)(L.Rescaling(1 / 255)(pixels)))
    assert convert(model, x).info()["source_comparison"]["snr_db"] > 60
    with pytest.raises(ValueError, match="must be uint8, as the input of the Keras model is"):
        convert(model, x + 0.5)


def test_what_is_clipped_on_purpose_is_not_compared():
    model = keras.Sequential([keras.Input((8,)), L.Dense(3)])
    x = np.random.default_rng(0).normal(size=(200, 8))
    x[7] *= 1e4
    converted = convert(model, x, clip_percentile=99)
    assert converted.info()["source_comparison"]["snr_db"] > 60


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 5, 4)])
def test_features_of_many_sizes_are_normalised_on_the_host(shape, dtype):
    """As in tables; with one exponent for 16 bits the small columns would be lost."""
    sizes = np.array([10, 300, 1e4, 1e6])
    x = np.random.default_rng(0).normal(size=(200, *shape)) * sizes / 50 + sizes
    x = np.rint(x * 10).astype(dtype)
    normalisation = L.Normalization()
    normalisation.adapt(x.astype(np.float32))
    model = keras.Sequential([keras.Input(shape), normalisation, L.Flatten(), L.Dense(3)])
    converted = convert(model, x)
    again = type(converted).from_bytes(converted.to_bytes())
    expected = model.predict(x, verbose=0)
    for backend in ("native", "reference"):
        found = again.predict(x, backend=backend)
        assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()
    assert len(again.network.input.scale) == 4 and again.layers[1].kind != "ScaleBias"
    assert again.info()["source_comparison"]["snr_db"] > 60


def test_bytes_of_several_channels_stay_bytes():
    normalisation = L.Normalization(mean=[120, 110, 100], variance=[3600, 3000, 2500])
    model = keras.Sequential([keras.Input((4, 4, 3)), normalisation, L.Conv2D(4, 3)])
    x = np.random.default_rng(0).integers(0, 256, (100, 4, 4, 3)).astype(np.uint8)
    converted = convert(model, x)
    assert converted.layers[1].kind == "ScaleBias" and not converted.network.input.rescales
    assert converted.info()["source_comparison"]["snr_db"] > 60
    for form in (x, x.astype(np.float32)):
        np.testing.assert_allclose(converted.predict(form), model.predict(x, verbose=0), atol=5e-3)
