"""Block-circulant Keras layers against their dense expansions, on every installed back end."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from keras_backend import INSTALLED, keras

from pynq_circnn.arithmetic import circulant
from pynq_circnn.commands import cli
from pynq_circnn.keras import BlockCirculantConv2D, BlockCirculantDense, to_network
from pynq_circnn.network import floating
from pynq_circnn.network.graph import Network

METHODS = ("spectral", "expanded")


def model_of(layer, shape, vectors=None):
    model = keras.Sequential([keras.Input(shape), layer])
    if vectors is not None:
        layer.vectors.assign(vectors)
    return model


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "inputs, outputs, block",
    [(8, 8, 1), (6, 4, 2), (16, 24, 8), (13, 10, 4), (3, 5, 8), (300, 260, 256)],
)
def test_dense_equals_its_expansion(inputs, outputs, block, method):
    layer = BlockCirculantDense(outputs, block, method=method, bias_initializer="ones")
    p, q = circulant.block_grid(outputs, inputs, block)
    vectors = normal(0, p, q, block)
    x = normal(1, 5, inputs)
    y = model_of(layer, (inputs,), vectors).predict(x, verbose=0)
    expected = x @ circulant.expand(vectors, (outputs, inputs)).T + 1
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.sqrt(inputs) * 4)


@pytest.mark.parametrize("method", METHODS)
def test_dense_acts_on_the_last_axis(method):
    layer = BlockCirculantDense(6, 4, method=method)
    x = normal(0, 2, 3, 7)
    y = model_of(layer, (3, 7)).predict(x, verbose=0)
    assert y.shape == (2, 3, 6) == layer.compute_output_shape(x.shape)
    vectors = keras.ops.convert_to_numpy(layer.vectors)
    np.testing.assert_allclose(y, x @ circulant.expand(vectors, (6, 7)).T, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, (3, 1)])
def test_convolution_equals_its_expansion(strides, padding, method):
    settings = {"strides": strides, "padding": padding}
    layer = BlockCirculantConv2D(10, (3, 2), 4, method=method, use_bias=False, **settings)
    vectors = normal(0, 3, 2, 3, 2, 4)
    x = normal(1, 2, 9, 8, 6)
    y = model_of(layer, (9, 8, 6), vectors).predict(x, verbose=0)
    kernel = np.swapaxes(circulant.expand(vectors, (10, 6)), -1, -2)
    twin = keras.layers.Conv2D(10, (3, 2), use_bias=False, **settings)
    dense = model_of(twin, (9, 8, 6))
    twin.set_weights([kernel])
    np.testing.assert_allclose(y, dense.predict(x, verbose=0), atol=2e-5)
    assert layer.compute_output_shape(x.shape) == y.shape
    assert layer.compute_output_shape((None, None, None, 6)) == (None, None, None, 10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda **kw: BlockCirculantDense(6, 4, **kw), (7,)),
        (lambda **kw: BlockCirculantConv2D(6, 2, 4, strides=2, padding="same", **kw), (3, 4, 5)),
    ],
)
def test_gradient_equals_finite_differences(make, shape, method):
    layer = make(method=method)
    model = model_of(layer, shape)
    x, y = normal(0, 4, *shape), normal(1, 4, *model.output_shape[1:])
    network = to_network(model)
    name = network.layers[-1].name
    vectors = network.parameters[name]["weights"]

    def loss(values):
        arrays = {**network.parameters[name], "weights": values}
        outputs = floating.run(Network(network.layers, {name: arrays}), x.astype(np.float64))
        return np.mean((outputs[name] - y) ** 2)

    # The loss is quadratic in the weights, so central differences are exact at any step.
    expected = np.empty_like(vectors)
    for index in np.ndindex(vectors.shape):
        step = np.zeros_like(vectors)
        step[index] = 0.5
        expected[index] = loss(vectors + step) - loss(vectors - step)
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch(x, y)  # one step of size 1 subtracts the gradient
    gradient = vectors - keras.ops.convert_to_numpy(layer.vectors)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_half_precision(method):
    layer = BlockCirculantDense(8, 4, method=method, dtype="mixed_bfloat16")
    x = normal(0, 3, 8)
    y = np.asarray(model_of(layer, (8,)).predict(x, verbose=0), dtype=np.float32)
    dense = circulant.expand(keras.ops.convert_to_numpy(layer.vectors))
    np.testing.assert_allclose(y, x @ dense.T, atol=0.1)


def test_initial_values_have_the_dense_fan_in():
    """An output's variance stays that of its inputs at every block size (He initialisation)."""
    x = normal(0, 2000, 512)
    for block in (1, 8, 256):
        layer = BlockCirculantDense(512, block, kernel_initializer="lecun_normal")
        y = model_of(layer, (512,)).predict(x, verbose=0)
        assert 0.8 < y.std() < 1.2, block


def test_round_trip_through_a_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            BlockCirculantConv2D(4, 3, 2, strides=(1, 2), padding="same", activation="relu"),
            keras.layers.Flatten(),
            BlockCirculantDense(
                5, 4, kernel_regularizer=keras.regularizers.L2(1e-3), bias_constraint="non_neg"
            ),
        ]
    )
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.saving.load_model(path)
    x = normal(0, 2, 6, 6, 3)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert [layer.get_config() for layer in again.layers] == [
        layer.get_config() for layer in model.layers
    ]
    assert again.layers[-1].kernel_regularizer.l2 == pytest.approx(1e-3)


def test_a_file_is_read_back_where_the_layers_are_registered(tmp_path):
    """Keras alone names the class and its module, so that a reader knows what to import."""
    path = str(tmp_path / "model.keras")
    keras.Sequential([keras.Input((8,)), BlockCirculantDense(8, 4)]).save(path)
    alone = f"import keras; keras.saving.load_model({path!r})"
    ours = f"import pynq_circnn.keras; print(pynq_circnn.keras.load({path!r}).layers[0].block_size)"
    environ = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    failed, done = (
        subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
        for code in (alone, ours)
    )
    assert failed.returncode and "Could not locate class 'BlockCirculantDense'" in failed.stderr
    assert "pynq_circnn.frontends.keras.trainable" in failed.stderr
    assert done.stdout == "4\n", done.stderr


def test_auto_takes_what_was_measured_faster():
    large, small = BlockCirculantDense(1024, 64), BlockCirculantDense(64, 64)
    convolution = BlockCirculantConv2D(256, 3, 64)
    large.build((None, 1024))
    small.build((None, 64))
    convolution.build((None, 8, 8, 256))
    assert large.resolve() == "spectral"
    assert small.resolve() == convolution.resolve() == "expanded"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BlockCirculantDense(8, 3), "block must be a power of two"),
        (lambda: BlockCirculantDense(8, 512), "block must be a power of two"),
        (lambda: BlockCirculantDense(0, 4), "units must be a positive integer. Received: units=0"),
        (lambda: BlockCirculantDense(8, 4, method="fft"), "method must be one of auto, spectral"),
        (lambda: BlockCirculantConv2D(2.0, 3, 4), "filters must be a positive integer"),
        (lambda: BlockCirculantConv2D(8, 0, 4), "kernel_size must be a positive integer"),
        (lambda: BlockCirculantConv2D(8, 3, 4, strides=(1, 2, 3)), "strides must be a positive"),
        (lambda: BlockCirculantConv2D(8, 3, 4, padding="full"), "padding must be 'valid' or"),
        (lambda: BlockCirculantDense(8, 4).build((None, None)), "last axis"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_benchmark_of_a_training_step(capsys):
    options = ["--widths", "32", "--blocks", "8", "--seconds", "0.01"]
    assert cli.main(["bench", "training", *options, "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [(s["method"], s["block"]) for s in steps] == [
        ("dense", 1),
        ("spectral", 8),
        ("expanded", 8),
    ]
    assert all(s["milliseconds"] > 0 for s in steps)
    assert cli.main(["bench", "training", *options]) == 0
    assert "1.00x" in capsys.readouterr().out


@pytest.mark.parametrize("backend", INSTALLED)
def test_other_backends(backend):
    """The tests of this file, on the Keras back ends that this process does not run on."""
    if backend == keras.backend.backend():
        pytest.skip("runs in this process")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    result = subprocess.run(
        [*command, "-k", "not other_backends"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
