"""The quantiser: signal-to-noise ratio on held-out data, headroom, and extreme values."""

import sys
import warnings

import numpy as np
import pytest

from pynq_circnn import Model, Network, quantize
from pynq_circnn import layers as L
from pynq_circnn.arithmetic.circulant import channel_blocks, half_spectrum
from pynq_circnn.arithmetic.exponents import HEADROOM, exponent_for
from pynq_circnn.arithmetic.fixed import dequantize, forward_transform, inverse_transform
from pynq_circnn.errors import CalibrationWarning
from pynq_circnn.layers.activated import TABLE_INPUT
from pynq_circnn.network import floating, integers
from pynq_circnn.quantization.quantizer import signal_to_noise_db

DISTRIBUTIONS = {
    "gaussian": lambda rng, shape: rng.normal(0, 1, shape),
    "relu": lambda rng, shape: np.maximum(rng.normal(0, 1, shape), 0),
    "uniform": lambda rng, shape: rng.uniform(0, 1, shape),
}


def snr_db(network, quantized, x, name=None):
    """Signal-to-noise ratio of a layer's output (by default the last one's) in dB."""
    name = network.layers[-1].name if name is None else name
    exact = floating.run(network, x)[name]
    words = integers.run_words(quantized, x.astype(np.float32))[name]
    noise = dequantize(words, quantized.exponents[name]) - exact
    return 10 * np.log10(np.sum(exact**2) / np.sum(noise**2))


def saturations(quantized, x):
    counts = np.zeros(len(quantized.layers), dtype=np.int64)
    integers.run_words(quantized, x.astype(np.float32), counts)
    return counts


def dense(n, units, k, rng, activation="linear", **parameters):
    layers = (L.Input("x", (), (n,)), L.Dense("y", ("x",), activation, units=units, block=k))
    weights = rng.normal(0, n**-0.5, layers[1].parameter_shapes((n,))["weights"])
    return Network(layers, {"y": {"weights": weights, **parameters}})


# -- the targets --------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 4, 8, 16, 32, 64, 128, 256])
@pytest.mark.parametrize("data, least", [("gaussian", 64), ("relu", 58), ("uniform", 58)])
def test_signal_to_noise_of_16_blocks(k, data, least):
    for seed in range(3 if k < 128 else 1):
        rng = np.random.default_rng([seed, k])
        network = dense(16 * k, 4 * k, k, rng)
        draw = DISTRIBUTIONS[data]
        quantized = quantize(network, draw(rng, (max(256, 4096 // k), 16 * k)))
        held_out = draw(rng, (256, 16 * k))
        assert snr_db(network, quantized, held_out) >= least
        assert saturations(quantized, held_out).sum() == 0


def test_signal_to_noise_of_a_dense_layer_of_4096_terms():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        network = dense(4096, 64, 1, rng)
        quantized = quantize(network, rng.normal(size=(256, 4096)))
        assert snr_db(network, quantized, rng.normal(size=(256, 4096))) >= 60


# -- headroom -----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", DISTRIBUTIONS)
@pytest.mark.parametrize("k", [1, 2, 8, 64, 256])
def test_nothing_saturates_up_to_the_headroom(data, k):
    rng = np.random.default_rng(k)
    network = dense(4 * k, 2 * k, k, rng, "linear")
    x = DISTRIBUTIONS[data](rng, (500, 4 * k))
    quantized = quantize(network, x)
    assert saturations(quantized, x * (HEADROOM - 0.002)).sum() == 0  # less the rounding of words


@pytest.mark.parametrize("k", [2, 8, 64])
def test_every_stage_has_headroom_and_no_more_than_needed(k):
    """The schedule, followed stage by stage: 16 bits hold 1.4 peaks, one shift less would not."""
    rng = np.random.default_rng(k)
    network = dense(8 * k, 8 * k, k, rng)
    x = rng.normal(size=(400, 8 * k))
    quantized = quantize(network, x)
    schedule, exponent = quantized.schedules["y"], quantized.exponents["x"]
    peak = np.abs(x).max()
    assert peak * HEADROOM <= 32767 * 2.0**exponent < 2 * peak * HEADROOM * 1.0001
    spectrum = np.abs(half_spectrum(channel_blocks(x, k))).max()
    assert spectrum * HEADROOM <= 32767 * 2.0 ** (exponent + sum(schedule["forward_shifts"]))
    words = np.rint(channel_blocks(x, k) * 1.39 / 2.0**exponent).astype(np.int64)

    def explode(values):
        assert np.abs(values).max(initial=0) <= 32767
        return values

    forward_transform(words, schedule["forward_shifts"], explode)
    totals = forward_transform(words, schedule["forward_shifts"])
    inverse_transform(totals // 2, (1,) * len(schedule["inverse_shifts"]), explode)


def test_inputs_of_unscaled_bytes_use_the_whole_range():
    layers = (L.Input("x", (), (8,), 1 / 255), L.Dense("y", ("x",), units=4, block=4))
    network = Network(layers, {"y": {"weights": np.ones((1, 2, 4))}})
    data = np.zeros((4, 8), np.uint8)
    assert quantize(network, data).exponents["x"] == -15  # 255 becomes 32767, though not seen
    assert quantize(network, np.full((2, 8), 3.0)).exponents["x"] == exponent_for(3.0)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16])
def test_integers_are_unscaled_bytes_for_calibration_as_for_prediction(dtype):
    layers = (L.Input("x", (), (8,), 1 / 255), L.Dense("y", ("x",), units=4, block=4))
    network = Network(layers, {"y": {"weights": np.ones((1, 2, 4))}})
    data = np.random.default_rng(0).integers(0, 256, (50, 8))
    expected, actual = (
        quantize(network, data.astype(np.uint8)),
        quantize(network, data.astype(dtype)),
    )
    assert actual.schedules == expected.schedules
    with pytest.raises(ValueError, match=r"unscaled bytes, 0 \.\.\. 255"):
        quantize(network, data.astype(dtype) + 1)


# -- what is reported ---------------------------------------------------------------------------


def residual_network(rng):
    layers = (
        L.Input("x", (), (6, 6, 8)),
        L.Conv2D("a", ("x",), "relu", filters=8, kernel_size=(3, 3), padding="same", block=8),
        L.Conv2D("b", ("a",), "linear", filters=8, kernel_size=(3, 3), padding="same", block=4),
        L.Add("sum", ("b", "x"), "relu6"),
        L.ScaleBias("norm", ("sum",), "leaky_relu", 0.2),
        L.AveragePool2D("mean", ("norm",), padding="same"),
        L.Conv2D("s", ("mean",), "sigmoid", filters=8, block=2),
        L.Conv2D("t", ("mean",), "tanh", filters=8, block=2),
        L.Add("both", ("s", "t")),
        L.GlobalAveragePool2D("all", ("both",)),
        L.Dense("y", ("all",), units=5, block=2),
        L.Softmax("p", ("y",)),
    )
    parameters = {}
    shapes = {}
    for layer in layers:
        inputs = [shapes[name] for name in layer.inputs]
        shapes[layer.name] = layer.output_shape(*inputs)
        arrays = {}
        for name, shape in layer.parameter_shapes(*inputs).items():
            fan_in = np.prod(shape[:2] + shape[-2:]) if name == "weights" else 1
            mean = float(name == "scale")
            arrays[name] = rng.normal(mean, fan_in**-0.5 if name == "weights" else 0.2, shape)
        if arrays:
            parameters[layer.name] = arrays
    return Network(layers, parameters)


def test_reported_signal_to_noise_is_what_is_measured():
    rng = np.random.default_rng(0)
    network = residual_network(rng)
    x = rng.normal(size=(120, 6, 6, 8)).astype(np.float32)
    quantized = quantize(network, x)
    held_out = np.arange(120) % 4 == 3
    others = quantize(network, x[~held_out])
    assert set(quantized.snr_db) == {layer.name for layer in network.layers} - {"p"}
    for name, reported in quantized.snr_db.items():
        both = [snr_db(network, made, x[held_out], name) for made in (quantized, others)]
        assert reported == pytest.approx(min(both), abs=1e-6)
        assert reported > 50, name
    assert quantized.calibration == {"samples": 120, "measured_on": 30}


def test_a_residual_network_on_held_out_data():
    rng = np.random.default_rng(1)
    network = residual_network(rng)
    quantized = quantize(network, rng.normal(size=(300, 6, 6, 8)))
    held_out = rng.normal(size=(100, 6, 6, 8))
    assert snr_db(network, quantized, held_out, "y") > 50
    for name in ("s", "t"):
        assert quantized.exponents[name] == -15


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    network, x = residual_network(rng), rng.normal(size=(50, 6, 6, 8))
    expected = quantize(network, x)
    monkeypatch.setattr(
        sys.modules["pynq_circnn.quantization.quantizer"], "_CHUNK_WORDS", 7 * 6 * 6 * 8
    )
    chunked = quantize(network, x, verbose=True)
    assert chunked.schedules == expected.schedules
    for name, snr in expected.snr_db.items():
        assert chunked.snr_db[name] == pytest.approx(snr, abs=1e-6)


def test_signal_to_noise_is_limited():
    assert signal_to_noise_db(1.0, 0.0) == 200 and signal_to_noise_db(0.0, 0.0) == 200
    assert signal_to_noise_db(0.0, 1.0) == -200 and signal_to_noise_db(1e-30, 1.0) == -200


@pytest.mark.parametrize("peak", [1.0, 0.9999, 32767.0, 32768.0, 3e-5, 1e30, 2.0**-15 * 32767])
def test_exponent_is_the_smallest_that_holds_the_peak(peak):
    exponent = exponent_for(peak)
    assert peak <= 32767 * 2.0**exponent * (1 + 1e-9) and peak > 32767 * 2.0 ** (exponent - 1)


# -- extremes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6", "leaky_relu"])
@pytest.mark.parametrize(
    "weights, scale, bias",
    [
        (1e-12, 1, 0),
        (1e12, 1, 0),
        (1, 1e-9, 0),
        (1, 1e9, 0),
        (1, 1, 1e9),
        (1e-9, 1, 1e3),
        (1e-6, 1e6, 1),
        (1e6, 1e-6, 1),
        (0, 1, 1),
        (0, 0, 0),
        (1, 0, 1),
    ],
)
@pytest.mark.parametrize("k", [1, 8])
def test_weights_scales_and_biases_of_every_size(weights, scale, bias, activation, k):
    rng = np.random.default_rng(0)
    n = 4 * k
    network = dense(n, n, k, rng)
    layers = (network.layers[0], L.Dense("y", ("x",), activation, 0.1, units=n, block=k))
    arrays = {
        "weights": network.parameters["y"]["weights"] * weights,
        "scale": rng.uniform(0.5, 1, n) * scale,
        "bias": rng.normal(size=n) * bias,
    }
    network = Network(layers, {"y": arrays})
    x = rng.normal(size=(200, n))
    if activation == "relu6" and max(weights, scale, bias) >= 1e9:
        with pytest.raises(ValueError, match="relu6 of layer 'y' must stay within"):
            quantize(network, x)
        return
    quantized = quantize(network, x)  # within the limits of every field, or it would raise
    exact = floating.run(network, x)["y"]
    words = integers.run_words(quantized, x.astype(np.float32))["y"]
    error = np.abs(dequantize(words, quantized.exponents["y"]) - exact).max()
    assert error <= 2e-3 * max(np.abs(exact).max(), 1e-12)


def test_dead_layers_and_dead_inputs():
    rng = np.random.default_rng(0)
    network = dense(16, 16, 8, rng, "relu", bias=np.full(16, -100.0))
    quantized = quantize(network, rng.normal(size=(50, 16)))
    assert not integers.run_words(quantized, rng.normal(size=(5, 16)).astype(np.float32))["y"].any()
    assert quantized.snr_db["y"] == 200
    quantized = quantize(network, np.zeros((3, 16)))
    assert quantized.snr_db == {"x": 200, "y": 200}


def test_a_dead_branch_can_be_added():
    layers = (
        L.Input("x", (), (8,)),
        L.Dense("zero", ("x",), units=8, block=8),
        L.Add("y", ("zero", "x")),
    )
    network = Network(layers, {"zero": {"weights": np.zeros((1, 1, 8))}})
    for size in (1e-4, 1.0, 1e3):
        x = np.random.default_rng(0).normal(size=(50, 8)) * size
        assert snr_db(network, quantize(network, x), x) > 70


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("size", [1e-6, 1, 100])
def test_tables_get_their_exponent(activation, size):
    rng = np.random.default_rng(0)
    network = dense(64, 32, 8, rng, activation, scale=np.full(32, float(size)))
    x = rng.normal(size=(200, 64))
    quantized = quantize(network, x)
    schedule = quantized.schedules["y"]
    assert quantized.exponents["y"] == -15 and schedule["output_shift"] >= 0
    exact = floating.run(network, x)["y"]
    words = integers.run_words(quantized, x.astype(np.float32))["y"]
    assert np.abs(words / 32768 - exact).max() < 1.2e-3 + abs(size) * 2e-3 * (size > 1)
    assert TABLE_INPUT == -12


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu6"])
def test_inputs_far_beyond_what_an_activation_uses_are_refused(activation):
    network = dense(64, 32, 8, np.random.default_rng(0), activation, scale=np.full(32, 1e12))
    with pytest.raises(ValueError, match=f"{activation} of layer 'y' must stay within"):
        quantize(network, np.ones((4, 64)))


def test_branches_too_far_apart_are_refused():
    layers = (L.Input("x", (), (8,)), L.ScaleBias("small", ("x",)), L.Add("y", ("small", "x")))
    network = Network(layers, {"small": {"scale": np.full(8, 1e-9)}})
    with pytest.raises(ValueError, match="layer 'y' must differ by at most 15"):
        quantize(network, np.random.default_rng(0).normal(size=(4, 8)))


@pytest.mark.parametrize(
    "data, message",
    [
        (np.zeros((0, 8)), "n >= 1. Received: (0, 8)"),
        (np.zeros(8), "must have shape (n, 8) with n >= 1. Received: (8,)"),
        (np.zeros((3, 7)), "Received: (3, 7)"),
        (np.float64(3), "Received: ()"),
        (np.array([[np.nan] * 8]), "must be finite. Received: 8 NaN"),
        (np.array([[np.inf] + [0.0] * 7]), "must be finite. Received: 1 NaN"),
        (np.zeros((3, 8), complex), "must be real numbers. Received: dtype=complex128"),
        (np.zeros((3, 8), object), "must be real numbers. Received: dtype=object"),
        ([["a"] * 8], "must be real numbers"),
        (np.full((3, 8), 1e38), "must be an integer from -110 to 110"),
        (np.full((3, 8), 1e-36), "must be an integer from -110 to 110"),
    ],
)
def test_bad_calibration_data_are_refused(data, message):
    network = dense(8, 8, 4, np.random.default_rng(0))
    with pytest.raises(ValueError) as error:
        quantize(network, data)
    assert message in str(error.value)


# -- data that are a poor guide --------------------------------------------------------------------


def deep(rng, width=32):
    layers = [L.Input("x", (), (width,))]
    parameters = {}
    for number in range(3):
        name, before = f"hidden_{number}", layers[-1].name
        layers.append(L.Dense(name, (before,), "relu", units=width, block=4))
        weights = rng.normal(0, width**-0.5, (width // 4, width // 4, 4))
        parameters[name] = {"weights": weights, "bias": rng.normal(0, 0.1, width)}
    return Network(layers, parameters)


def warnings_of(network, data, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quantized = quantize(network, data, **options)
    assert all(w.category is CalibrationWarning and w.filename == __file__ for w in caught)
    return quantized, " | ".join(str(w.message) for w in caught)


def test_typical_data_warn_of_nothing():
    rng = np.random.default_rng(0)
    for data in (
        rng.normal(size=(32, 32)),
        rng.uniform(size=(500, 32)),
        rng.laplace(size=(500, 32)),
    ):
        _, text = warnings_of(deep(rng), data)
        assert not text


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_data_warn(value):
    _, text = warnings_of(deep(np.random.default_rng(0)), np.full((100, 32), value))
    assert f"should differ. Received: 100 equal samples, {value:g} ... {value:g}" in text


@pytest.mark.parametrize("samples", [1, 31])
def test_few_samples_warn(samples):
    rng = np.random.default_rng(0)
    _, text = warnings_of(deep(rng), rng.normal(size=(samples, 32)))
    assert f"at least 32 samples. Received: {samples}." in text and "equal" not in text


@pytest.mark.parametrize("where", [0, 3, 17])
def test_one_outlier_warns_and_is_not_taken_for_precision(where):
    """One sample of 500 is a thousand times larger: the rest keep three bits or so."""
    rng = np.random.default_rng(0)
    network, data = deep(rng), rng.normal(size=(500, 32))
    data[where, 5] = 1e4
    typical = rng.normal(size=(200, 32))
    quantized, text = warnings_of(network, data)
    assert "should contain no outliers. Received: 1 of 500 samples, up to 1e+04" in text
    assert "every layer should reach 30 dB" in text
    real = snr_db(network, quantized, typical, "hidden_2")
    assert real < 30 and quantized.snr_db["hidden_2"] < real + 3

    clipped, text = warnings_of(network, data, clip_percentile=99.5)
    assert not text
    real = snr_db(network, clipped, typical, "hidden_2")
    assert real > 50 and quantized.snr_db["hidden_2"] < clipped.snr_db["hidden_2"] < real + 3
    report = clipped.calibration
    assert report["bits_gained"]["x"] >= 10 and report["clip_percentile"] == 99.5
    assert report["clipped"] == (where % 4 == 3)


def test_clipping_shows_in_the_summary():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(500, 32))
    data[3, 5] = 1e4
    model, lines = Model(quantize(deep(rng), data, clip_percentile=99)), []
    Model.from_bytes(model.to_bytes()).summary(lines.append)
    assert "calibrated to the 99th percentile, which limits 1 of 125" in lines[-1]
    assert "bits gained: x 1" in lines[-1]


@pytest.mark.parametrize("value", [0, 50, 100.1, -1, True, "99", None, float("nan")])
def test_wrong_percentiles_are_refused(value):
    with pytest.raises(ValueError, match=r"percentage above 50, up to 100. Received"):
        quantize(deep(np.random.default_rng(0)), np.zeros((40, 32)), clip_percentile=value)
