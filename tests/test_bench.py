"""``circnn bench``: its measurements add up, and table and picture follow from its JSON."""

import json

import numpy as np
import pytest

from pynq_circnn.backends import native
from pynq_circnn.commands import bench as command
from pynq_circnn.commands import cli
from pynq_circnn.commands.benchmarks import alternatives, report
from pynq_circnn.commands.benchmarks import speed as bench
from pynq_circnn.quantization.quantizer import quantize

pytestmark = pytest.mark.skipif(native.lib is None, reason="the native back end is not built")


def test_multiply_adds_of_a_layer():
    network = quantize(bench.layer_network(64, 16), np.ones((2, 64)))
    assert bench.multiply_adds(network) == 4 * 4 * (4 * 7 + 2)
    network = quantize(bench.layer_network(8, 1), np.ones((2, 8)))
    assert bench.multiply_adds(network) == 64


def test_alternatives_compute_the_same_layer():
    network = bench.layer_network(128, 16)
    matrix, bias = bench.dense_matrix(network), network.parameters["y"]["bias"].astype(np.float32)
    x = np.random.default_rng(0).normal(size=(3, 128)).astype(np.float32)
    expected = x @ matrix.T + bias
    found = native.Plan(quantize(network, x)).run(x)
    assert np.abs(found - expected).max() < 0.01
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(alternatives.torch_dense(matrix, bias, x)(), expected, atol=1e-4)
    spectral = alternatives.torch_fft(network.parameters["y"]["weights"], bias, x)()
    np.testing.assert_allclose(spectral, expected, atol=1e-4)
    assert isinstance(spectral, torch.Tensor)


def test_a_row_and_its_table():
    row = bench.bench_layer(64, 16, 1, {}, rounds=1, seconds=1e-4)
    assert set(row["seconds"]) == {"native", "numpy_dense"}
    assert row["times_faster"]["dense"] == row["dense_seconds"] / row["seconds"]["native"] > 0
    assert abs(sum(row["shares"].values()) - 1) < 1e-9 and row["of_multiply_add_peak"] > 0
    model = {"model": "m", "images_per_second": {"native": 5.0}, "times_faster": None}
    results = {
        "layers": [row],
        "models": [{**model, "one_sample_seconds": {"predict": 5e-5}}],
        "machine": bench.machine(),
        "versions": {"numpy": "1"},
        "kernel_sets": native.kernel_sets(),
        "left_out": {"torch": "not installed"},
    }
    table = report.markdown(json.loads(json.dumps(results)))
    assert "| 64 x 64, k = 16 | 1 |" in table and "Left out: torch (not installed)." in table
    assert "| `m` | 5 | - | - | 50 µs |" in table


def test_the_picture_shows_every_side(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [{"size": size, "seconds": {"native": 1e-6, "dense": size * 1e-6}} for size in (8, 16)]
    figure = report.draw({"growth": rows})
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["native", "dense"]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_a_picture_needs_the_whole_bench(capsys, monkeypatch):
    done = type("Done", (), {"stdout": b'{"layers": []}'})
    monkeypatch.setattr(command.subprocess, "run", lambda *a, **k: done)
    assert cli.main(["bench", "--quick", "--plot", "x.png"]) == 2
    assert "--plot needs the whole bench" in capsys.readouterr().err


def test_a_call_on_a_board_part_by_part(capsys):
    pytest.importorskip("pynq")
    assert cli.main(["bench", "board", "--calls", "20"]) == 0
    out = capsys.readouterr().out
    assert "median of 20 calls" in out and "exchange" in out and "which is emulated" in out
    assert cli.main(["bench", "board", "--calls", "20", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert 0 < figures["microseconds"]["exchange"] < figures["microseconds"]["whole"]
