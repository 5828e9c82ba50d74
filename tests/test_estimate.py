"""The estimate: figures that the design was made for, fit, resources, the command."""

import io
import json
import re

import numpy as np
import pytest
from networks import random_arrays, random_schedule

from pynq_circnn import Model
from pynq_circnn import layers as L
from pynq_circnn.commands import cli
from pynq_circnn.commands import estimate as command
from pynq_circnn.commands.plots import draw_timeline
from pynq_circnn.contract import BOARDS, CONFIGURATIONS, hardware_configurations
from pynq_circnn.engine import estimate, resources
from pynq_circnn.engine.cycles import batch_cycles
from pynq_circnn.network.graph import infer_shapes
from pynq_circnn.network.quantized import QuantizedNetwork
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.packets import batch_samples


def quantised(layers):
    """The layers with random integers, as soon as the exponents fit together."""
    shapes = infer_shapes(layers)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        schedules, arrays, exponents = {}, {}, {}
        try:
            for layer in layers:
                inputs = [exponents[name] for name in layer.inputs]
                schedules[layer.name] = random_schedule(rng, layer, inputs)
                exponents[layer.name] = layer.output_exponent(schedules[layer.name], *inputs)
                specs = layer.array_specs(*(shapes[name] for name in layer.inputs))
                arrays[layer.name] = random_arrays(rng, specs, False)
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


def test_every_overflow_is_told(tmp_path, capsys):
    """Two layers' weights and the activations, each by how much."""
    image = L.Input("image", (), (32, 32, 16))
    layers = [image, L.Conv2D("a_name_that_is_longer_than_twenty_letters_1", ("image",), "relu",
                              filters=512, kernel_size=(5, 5), padding="same")]  # fmt: skip
    layers.append(L.GlobalAveragePool2D("mean", (layers[-1].name,)))
    layers.append(L.Dense("a_name_that_is_longer_than_twenty_letters_2", ("mean",), units=2048))
    network = quantised(layers)
    report = estimate.estimate(network, "pynq-z2")
    sizes = CONFIGURATIONS["z2"]
    first, second, third = report["overflows"]
    for text, layer, used in (
        (first, layers[1], 5 * 5 * 16 * 512),
        (second, layers[3], 512 * 2048),
    ):
        available = sizes["weights_words"]
        assert f"layer {layer.name!r}, weights: " in text and f" of {available} words, " in text
        said, over = map(int, re.search(r"(\d+) of .* (\d+) too many", text).groups())
        assert said >= used and over == said - available
    needed = 32 * 32 * (16 + 512)
    assert f"{needed} of {sizes['activation_words']} " in third and repr(layers[1].name) in third
    assert f"({needed - sizes['activation_words']} too many)" in third
    assert all(text in report["why"] for text in report["overflows"])
    Model(network, "large").save(str(tmp_path / "large.circnn"))
    assert cli.main(["estimate", str(tmp_path / "large.circnn")]) == 1
    out = capsys.readouterr().out
    assert all(f"\n  {text}\n" in out for text in report["overflows"])


def test_names_of_layers_are_whole():
    name = "a_name_that_is_longer_than_twenty_letters_"
    layers = [L.Input("x", (), (8,)), L.Dense(name + "1", ("x",), units=8)]
    layers.append(L.Dense(name + "2", (name + "1",), units=8))
    lines = command.report_lines("model", estimate.estimate(quantised(layers)))
    rows = [line for line in lines if name in line]
    assert len(rows) == 2 and name + "1 " in rows[0] and name + "2 " in rows[1]


@pytest.mark.parametrize("network", [mnist_mlp, mnist_cnn, resnet_20])
def test_every_name_is_in_the_picture_and_none_lies_on_another(network):
    pytest.importorskip("matplotlib")
    report = estimate.estimate(network())
    figure = draw_timeline(report, "model")
    figure.savefig(io.BytesIO(), format="png")  # lays it out
    (axes,) = figure.axes
    left, right = axes.get_xlim()
    texts = [
        axes.title,
        axes.xaxis.label,
        *axes.texts,
        *axes.get_legend().get_texts(),
        *axes.get_yticklabels(),
    ]
    texts += [t.label1 for t in axes.xaxis.get_major_ticks() if left <= t.get_loc() <= right]
    assert {row["name"] for row in report["layers"]} <= {text.get_text() for text in texts}
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_data_on_its_way_is_no_layer():
    """A layer may be called output, as in the shipped models."""
    layers = [L.Input("x", (), (8,), uint8_scale=1 / 255), L.Dense("output", ("x",), units=8)]
    rows = estimate.estimate(quantised(layers))["timeline"]
    assert {row["unit"] for row in rows if row["layer"] == "output"} >= {"product"}
    assert [row["layer"] for row in rows if row["unit"] == "output"] == ["data out"]


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_has_an_estimate(board):
    report = estimate.estimate(dense_stack((8,), (8,), 8), board)
    assert report["board"] == board and report["fits"] and report["energy_uj"] > 0
    assert report["configuration"] in hardware_configurations()


def test_boards_are_those_that_a_bitstream_can_be_built_for(capsys):
    settings = pytest.importorskip("vivado_tools").settings
    assert settings.boards() == sorted(BOARDS)
    for board in BOARDS:
        configuration = settings.load(board)["configuration"]
        assert (
            estimate.estimate(dense_stack((8,), (8,), 8), board)["configuration"] == configuration
        )
    with pytest.raises(SystemExit):
        cli.main(["estimate", "digits", "--board", "mars"])
    message = capsys.readouterr().err
    assert all(board in message for board in settings.boards())


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
