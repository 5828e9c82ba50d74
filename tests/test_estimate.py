"""The estimate: figures that the design was made for, fit, resources, the command."""

import json

import numpy as np
import pytest
from networks import random_arrays, random_schedule

from pynq_circnn import cli, estimate, resources
from pynq_circnn import layers as L
from pynq_circnn.compiler import compile_program
from pynq_circnn.cycles import batch_cycles
from pynq_circnn.network import infer_shapes
from pynq_circnn.packets import batch_samples
from pynq_circnn.quantized import QuantizedNetwork, array_specs, output_exponent


def quantised(layers):
    """The layers with random integers, as soon as the exponents fit together."""
    shapes = infer_shapes(layers)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        schedules, arrays, exponents = {}, {}, {}
        for layer in layers:
            inputs = [exponents[name] for name in layer.inputs]
            schedules[layer.name] = random_schedule(rng, layer, inputs)
            exponents[layer.name] = output_exponent(layer, schedules[layer.name], *inputs)
            specs = array_specs(layer, *(shapes[name] for name in layer.inputs))
            arrays[layer.name] = random_arrays(rng, specs, False)
        try:
            return QuantizedNetwork(layers, schedules, arrays)
        except ValueError:
            continue
    raise AssertionError("no seed gave exponents that fit")


def dense_stack(shape, widths, block, **entry):
    layers = [L.Input("x", (), shape, **entry)]
    for index, units in enumerate(widths):
        name = f"dense_{index}"
        layers.append(L.Dense(name, (layers[-1].name,), "relu", units=units, block=block))
    return quantised(layers)


def mnist_mlp():
    return dense_stack((784,), (512, 512, 10), 64, uint8_scale=1 / 255)


def mnist_cnn():
    def conv(name, source, filters):
        return L.Conv2D(name, (source,), "relu", filters=filters, kernel_size=(5, 5), block=8)

    return quantised([
        L.Input("x", (), (28, 28, 1), uint8_scale=1 / 255),
        conv("c1", "x", 8), L.MaxPool2D("p1", ("c1",)),
        conv("c2", "p1", 16), L.MaxPool2D("p2", ("c2",)),
        L.Reshape("flat", ("p2",)),
        L.Dense("d1", ("flat",), "relu", units=120, block=8),
        L.Dense("d2", ("d1",), "relu", units=84, block=8),
        L.Dense("d3", ("d2",), units=10, block=8),
    ])  # fmt: skip


def resnet_20():
    """16-32-64 channels on 32 x 32: k = 8 in the first and last layer, 16 in the others."""
    layers = [L.Input("x", (), (32, 32, 3), uint8_scale=1 / 255)]

    def conv(name, source, filters, block=16, stride=1, kernel=3, activation="linear"):
        layers.append(
            L.Conv2D(
                name, (source,), activation, filters=filters, kernel_size=(kernel, kernel),
                strides=(stride, stride), padding="same", block=block,
            )
        )  # fmt: skip
        return name

    now = conv("entry", "x", 16, block=8, activation="relu")
    for stage, filters in enumerate((16, 32, 64)):
        for unit in range(3):
            name, stride = f"s{stage}u{unit}", 2 if stage and unit == 0 else 1
            first = conv(name + "a", now, filters, stride=stride, activation="relu")
            second = conv(name + "b", first, filters)
            short = conv(name + "s", now, filters, stride=2, kernel=1) if stride == 2 else now
            layers.append(L.Add(name, (second, short), "relu"))
            now = name
    layers.append(L.GlobalAveragePool2D("mean", (now,)))
    layers.append(L.Dense("classes", ("mean",), units=10, block=8))
    return quantised(layers)


@pytest.mark.parametrize(
    "network, steady, alone",
    [(mnist_mlp, 300, 700), (mnist_cnn, 4500, 4500), (resnet_20, 60000, 60000)],
)
def test_cycles_that_the_design_was_made_for(network, steady, alone):
    report = estimate.estimate(network(), "pynq-z2")
    assert report["fits"] and report["input"] == "bytes"
    assert report["steady_cycles"] <= steady
    assert report["latency_cycles"] <= alone


def test_a_stack_of_dense_layers():
    report = estimate.estimate(dense_stack((1024,), [1024] * 4, 64), "pynq-z2")
    assert report["gops_dense_equivalent"] >= 600
    assert report["lanes_busy"] >= 0.75


def test_a_layer_of_large_blocks_between_others():
    """Alone the streams bound it: 512 beats in and out a sample."""
    program = compile_program(dense_stack((2048,), [2048] * 2, 256), "z2")
    samples = batch_samples(program)
    cycles = batch_cycles(program, samples, False).layers[1].cycles / samples
    assert 2 * 2048 * 2048 / cycles * 100e6 >= 2000e9


def test_resources_of_the_z2_engine():
    counted = resources.resources("z2")
    assert counted["dsp"]["used"] <= 198
    assert counted["bram36"]["used"] <= 126
    assert counted["lut"]["basis"] == "estimated"
    for configuration in ("z2", "zcu104"):
        for kind in resources.resources(configuration).values():
            assert kind["used"] <= kind["available"]


def test_ramb18_by_ug473():
    assert resources.ramb18(512, 36) == 1
    assert resources.ramb18(513, 36) == 2
    assert resources.ramb18(1, 1) == 1


def test_what_does_not_fit_is_told_by_layer():
    report = estimate.estimate(dense_stack((4096,), (2048,), 8), "pynq-z2")
    assert not report["fits"]
    assert "dense_0" in report["why"] and "too many" in report["why"] and "block=" in report["why"]


@pytest.mark.parametrize("arguments", [("mars",), ("pynq-z2", -1.0), ("pynq-z2", None, True)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        estimate.estimate(dense_stack((8,), (8,), 8), *arguments)


def test_the_command(tmp_path, capsys):
    picture = tmp_path / "timeline.png"
    assert cli.main(["estimate", "digits", "--plot", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "modelled" in text and "assumed" in text and "estimated" in text
    assert picture.stat().st_size > 5000
    assert cli.main(["estimate", "digits", "--json", "--power", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["power_basis"] == "given"
    assert report["energy_uj"] == pytest.approx(2e6 / report["images_per_s"])
