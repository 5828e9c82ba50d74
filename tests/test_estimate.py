"""The estimate: the design's target figures, fit, resources, the command."""

import io
import json
import os
import re

import numpy as np
import pytest
from networks import random_integers

from pynq_circnn import Model
from pynq_circnn import layers as L
from pynq_circnn.commands import cli
from pynq_circnn.commands import estimate as command
from pynq_circnn.commands.plots import draw_timeline
from pynq_circnn.contract import BOARDS, CONFIGURATIONS, hardware_configurations
from pynq_circnn.engine import estimate, resources
from pynq_circnn.engine.cycles import batch_cycles
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.packets import BYTES, WORDS, RunPackets, batch_samples


def quantised(layers):
    """The layers with the first random integers whose exponents fit together."""
    for seed in range(200):
        network = random_integers(np.random.default_rng(seed), layers)
        if network is not None:
            return network
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

    return quantised(
        [
            L.Input("x", (), (28, 28, 1), uint8_scale=1 / 255),
            conv("c1", "x", 8),
            L.MaxPool2D("p1", ("c1",)),
            conv("c2", "p1", 16),
            L.MaxPool2D("p2", ("c2",)),
            L.Reshape("flat", ("p2",)),
            L.Dense("d1", ("flat",), "relu", units=120, block=8),
            L.Dense("d2", ("d1",), "relu", units=84, block=8),
            L.Dense("d3", ("d2",), units=10, block=8),
        ]
    )


def resnet_20():
    """16-32-64 channels on 32 x 32: k = 8 in the first and last layer, 16 in the others."""
    layers = [L.Input("x", (), (32, 32, 3), uint8_scale=1 / 255)]

    def conv(name, source, filters, block=16, stride=1, kernel=3, activation="linear"):
        layers.append(
            L.Conv2D(
                name,
                (source,),
                activation,
                filters=filters,
                kernel_size=(kernel, kernel),
                strides=(stride, stride),
                padding="same",
                block=block,
            )
        )
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
    [(mnist_mlp, 300, 1500), (mnist_cnn, 3600, 5400), (resnet_20, 67000, 67000)],
)
def test_cycles_that_the_design_was_made_for(network, steady, alone):
    """The forward transform limits the residual network: four points a trip, for strips of eight
    columns with two beside them."""
    report = estimate.estimate(network(), "pynq-z2")
    assert report["fits"] and report["input"] == "bytes"
    assert report["steady_cycles"] <= steady
    assert report["latency_cycles"] <= alone


def test_a_stack_of_dense_layers():
    report = estimate.estimate(dense_stack((1024,), [1024] * 4, 64), "pynq-z2")
    assert report["gops_dense_equivalent"] >= 600
    assert report["lanes_busy"] >= 0.75


def test_a_layer_of_large_blocks_between_others():
    """A block of 256 takes the transforms as long as two of 128: four points a trip."""
    program = compile_program(dense_stack((2048,), [2048] * 2, 256), "z2")
    samples = batch_samples(program)
    cycles = batch_cycles(program, samples, False).layers[1].cycles / samples
    assert 2 * 2048 * 2048 / cycles * 100e6 >= 1300e9


def test_resources_of_the_z2_engine():
    counted = resources.resources("z2")
    assert counted["dsp"]["used"] <= 198
    assert counted["lut"]["basis"] == "counted from the code by make -C hw area"
    assert 0 < counted["lut"]["margin"] < 1 and counted["dsp"]["margin"] == 0
    for kind, values in counted.items():
        rows = resources.rows("z2")
        assert values["used"] == sum(getattr(row, kind) for row in rows)
        assert values["used"] == pytest.approx(sum(values["items"].values()))


def test_ramb18_by_ug473():
    assert resources.ramb18(512, 36) == 1
    assert resources.ramb18(513, 36) == 2
    assert resources.ramb18(1, 1) == 1


def test_what_does_not_fit_is_reported_by_layer():
    report = estimate.estimate(dense_stack((4096,), (2048,), 8), "pynq-z2")
    assert not report["fits"]
    assert "dense_0" in report["why"] and "too many" in report["why"] and "block=" in report["why"]


def test_every_overflow_is_reported(tmp_path, capsys):
    """Two layers' weights and the activations, each by how much."""
    image = L.Input("image", (), (32, 32, 16))
    layers = [
        image,
        L.Conv2D(
            "a_name_that_is_longer_than_twenty_letters_1",
            ("image",),
            "relu",
            filters=512,
            kernel_size=(5, 5),
            padding="same",
        ),
    ]
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
    assert "modelled" in text and "assumed" in text
    assert "counted from the code by make -C hw area, not synthesised" in text
    assert picture.stat().st_size > 5000
    assert cli.main(["estimate", "digits", "--json", "--power", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["power_basis"] == "given"
    assert report["energy_uj"] == pytest.approx(2e6 / report["images_per_s"])


# -- traffic ------------------------------------------------------------------------------------


def streamed_stack(**entry):
    """Three layers of 64 Ki words each, of which the z2 engine holds 128 Ki: some are streamed."""
    return dense_stack((512,), [512] * 3, 4, **entry)


@pytest.mark.parametrize("unscaled", [True, False])
@pytest.mark.parametrize("network", [mnist_mlp, mnist_cnn, streamed_stack])
def test_the_bytes_are_those_of_the_packets(network, unscaled):
    if network is streamed_stack:
        network = streamed_stack(uint8_scale=1 / 255)
    else:
        network = network()
    program = compile_program(network, "z2")
    packets = RunPackets(program, BYTES if unscaled else WORDS)
    traffic = estimate.estimate(network, unscaled=unscaled)["traffic"]
    alone, steady, once = traffic["alone"], traffic["steady"], traffic["packet_bytes"]
    assert bool(packets.batch) == bool(steady["weights_bytes_a_batch"])
    x = np.zeros((1, program.header["input_words"]), "u1" if unscaled else "<i2")
    assert packets.build(x).nbytes == alone["in_bytes"]
    assert packets.receive_bytes(1) == alone["out_bytes"]
    parts = ("input_bytes", "weights_bytes")
    assert alone["in_bytes"] == once["header"] + sum(alone[part] for part in parts)
    assert alone["out_bytes"] == alone["output_bytes"] + once["counters_and_reply"]
    batch = steady["batch_samples"]
    for batches in (1, 3):
        sent = packets.build(np.repeat(x, batches * batch, axis=0)).nbytes
        a_batch = steady["input_bytes_a_batch"] + steady["weights_bytes_a_batch"]
        assert sent == once["header"] + batches * a_batch
        received = packets.receive_bytes(batches * batch)
        assert received == once["counters_and_reply"] + batches * steady["output_bytes_a_batch"]
    assert steady["in_bytes_a_sample"] == a_batch / batch


@pytest.mark.parametrize("board", BOARDS)
def test_no_stream_carries_more_than_its_limit(board):
    for network in (mnist_mlp(), streamed_stack(), dense_stack((2048,), (8,), 8)):
        report = estimate.estimate(network, board)
        steady, traffic = report["traffic"]["steady"], report["traffic"]
        assert traffic["stream_mb_s"] == 8 * report["clock_mhz"]
        assert traffic["ddr_mb_s"] == BOARDS[board]["assumed_ddr_mb_s"]
        assert traffic["ddr_basis"].startswith("assumed: ")
        for part in (steady, traffic["alone"]):
            assert 0 < part["in_share_of_stream"] <= 1 and 0 < part["out_share_of_stream"] <= 1
        assert traffic["alone"]["in_mb_s"] == pytest.approx(
            traffic["alone"]["in_bytes"] / report["latency_us"]
        )
        assert steady["in_mb_s"] == pytest.approx(
            steady["in_bytes_a_sample"] * report["images_per_s"] / 1e6
        )


def test_the_assumed_ddr_is_less_than_its_peak():
    """Two transfers a clock, over the whole width: hw/processors has both."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hw", "processors")
    keys = {
        "zynq7": ("PCW_UIPARAM_DDR_FREQ_MHZ", "PCW_UIPARAM_DDR_BUS_WIDTH"),
        "zynqmp": ("PSU__CRF_APB__DDR_CTRL__FREQMHZ", "PSU__DDRC__BUS_WIDTH"),
    }
    for board in BOARDS.values():
        with open(os.path.join(folder, f"{board['processor']}.json"), encoding="utf-8") as file:
            values = json.load(file)["parameters"]
        mhz, width = (values[key] for key in keys[board["processor"]])
        peak = 2 * float(mhz) * int(width.split()[0]) / 8
        assert 0.7 * peak < board["assumed_ddr_mb_s"] < 0.8 * peak


@pytest.mark.parametrize("network", [mnist_mlp, streamed_stack])
def test_a_slow_ddr_is_the_bottleneck(network):
    network = network()
    free = estimate.estimate(network)
    needed = free["traffic"]["needed_mb_s"]
    assert free["images_per_s"] == free["engine_images_per_s"]
    assert free["bottleneck"] != "DDR"
    assert needed == pytest.approx(
        free["traffic"]["steady"]["in_mb_s"] + free["traffic"]["steady"]["out_mb_s"]
    )
    for part in (0.9, 0.3, 0.01):
        slow = estimate.estimate(network, ddr_mb_s=part * needed)
        traffic = slow["traffic"]
        assert slow["bottleneck"] == "DDR" and traffic["ddr_basis"] == "given"
        assert slow["engine_images_per_s"] == free["images_per_s"]
        assert slow["steady_cycles"] == free["steady_cycles"]
        assert slow["images_per_s"] < part * free["images_per_s"]
        assert all(traffic[when]["share_of_ddr"] < 1.000001 for when in ("alone", "steady"))
        assert traffic["needed_mb_s"] == needed
        assert slow["latency_us"] > free["latency_us"] or part == 0.9
        assert slow["energy_uj"] == pytest.approx(1.75e6 / slow["images_per_s"])
        assert slow["lanes_busy"] < free["lanes_busy"] and free["dma_share"] < slow["dma_share"] < 1
        text = "\n".join(command.report_lines("model", slow))
        assert f"DDR allows {slow['images_per_s']:,.0f} samples/s" in text
        assert f"would take {free['images_per_s']:,.0f}" in text and "bottleneck: DDR" in text
    assert "DDR allows" not in "\n".join(command.report_lines("model", free))


def test_a_ddr_slower_than_the_stream_costs_its_waits():
    """Enough for the mean, too little while the weights come: nothing is fetched in advance."""
    network = streamed_stack()
    free = estimate.estimate(network)
    between = (free["traffic"]["needed_mb_s"] + free["traffic"]["stream_mb_s"]) / 2
    slow = estimate.estimate(network, ddr_mb_s=between)
    assert slow["images_per_s"] < free["images_per_s"]
    assert slow["images_per_s"] > free["images_per_s"] / 2


@pytest.mark.parametrize("ddr", [0, -1.0, float("nan"), 1e9])
def test_a_bad_bandwidth(ddr):
    with pytest.raises(ValueError, match=r"ddr_mb_s must be a positive .* Received"):
        estimate.estimate(dense_stack((8,), (8,), 8), ddr_mb_s=ddr)


def test_streamed_weights_are_in_the_text(capsys, tmp_path):
    network = streamed_stack()
    Model(network, "streamed").save(str(tmp_path / "streamed.circnn"))
    assert cli.main(["estimate", str(tmp_path / "streamed.circnn"), "--ddr", "100"]) == 0
    text = capsys.readouterr().out
    weights = estimate.estimate(network)["traffic"]["steady"]["weights_bytes_a_batch"]
    assert weights == 2 * 65536 * sum(
        row["weights_streamed"] for row in estimate.estimate(network)["layers"]
    )
    assert f"{weights:,} of streamed weights" in text
    assert f"({weights:,} in a mini-batch are streamed weights)" in text
    assert "DDR 100 MB/s for both directions (given)" in text and "bottleneck: DDR" in text
