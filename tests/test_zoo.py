"""Shipped models against their recorded figures; the zoo's commands, tables and pictures."""

import json
import os

import numpy as np
import pytest

from pynq_circnn import load_model, shipped_models, zoo
from pynq_circnn.commands.cli import main
from pynq_circnn.data import load_digits, load_mnist

MEASURED = zoo.results()
SHIPPED_LIMIT_BYTES = 1_000_000


def held_out(name):
    """Return the held-out data of a shipped model, or skip if they are not available."""
    if name == "digits":
        pytest.importorskip("sklearn")
        return load_digits()[1]
    folder = os.environ.get("CIRCNN_DATA")
    if not folder:
        pytest.skip("set CIRCNN_DATA to a folder with MNIST")
    return load_mnist(folder)[1]


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_reach_their_figures(name):
    """The integer arithmetic is exact: on any machine the accuracy is the recorded one."""
    model = load_model(name)
    record = MEASURED["models"][name]
    shipped = next(run for run in record["runs"] if run["seed"] == record["shipped_seed"])
    assert model.provenance["figures"]["accuracy_int16"] == shipped["accuracy_int16"]
    info = model.info()
    assert (info["weights"], info["bytes"]) == (record["weights"], record["bytes"])
    x, y = held_out(name)
    assert model.evaluate(x, y, verbose=0)["accuracy"] == pytest.approx(shipped["accuracy_int16"])


def test_every_measured_model_is_shipped_and_small():
    assert set(MEASURED["models"]) <= set(shipped_models())
    folder = os.path.dirname(zoo.RESULTS)
    sizes = [os.path.getsize(os.path.join(folder, f"{name}.circnn")) for name in shipped_models()]
    assert sum(sizes) < SHIPPED_LIMIT_BYTES


@pytest.mark.parametrize("name", sorted(MEASURED["models"]))
def test_integers_cost_at_most_a_tenth_of_a_point(name):
    for run in MEASURED["models"][name]["runs"]:
        assert run["accuracy_int16"] >= run["accuracy"] - 0.002


@pytest.mark.parametrize("name", shipped_models())
def test_the_bytes_of_a_shipped_file_are_those_on_the_disk(name, capsys):
    size = os.path.getsize(os.path.join(os.path.dirname(zoo.RESULTS), f"{name}.circnn"))
    assert main(["zoo"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.endswith(f" {size:,} bytes")]
    assert line.startswith(name)
    assert main(["zoo", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["models"][name]
    assert record["file_bytes"] == size and record["bytes"] == load_model(name).info()["bytes"]


def run(name, seed, accuracy):
    return {"seed": seed, "accuracy": accuracy, "accuracy_int16": accuracy - 0.001}


RESULTS = {
    "models": {
        "one": {
            "weights": 100,
            "twin_weights": 4000,
            "bytes": 300,
            "twin_bytes": 8100,
            "shipped_seed": 1,
            "runs": [run("one", 1, 0.98), run("one", 2, 0.99)],
            "twin_runs": [run("one", 1, 0.991), run("one", 2, 0.993)],
        },
        "two": {
            "weights": 10,
            "twin_weights": 20,
            "bytes": 30,
            "shipped_seed": 0,
            "runs": [run("two", 0, 0.9)],
            "twin_runs": [],
        },
    },
    "fronts": {
        "one": [
            {"block": 2**i, "weights": 4000 >> i, "bytes": 9000 >> i, **run("one", 1, 0.99)}
            for i in range(8)
        ]
    },
}


@pytest.fixture
def results_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(RESULTS))
    return str(path)


def test_tables(results_file, capsys):
    assert main(["zoo", "--results", results_file, "--markdown"]) == 0
    text = capsys.readouterr().out
    first = "| one | 100 (4,000) | 40.0x | 98.40 % (2) | 98.50 % | 99.20 % | 97.90 % |"
    second = "| two | 10 (20) | 2.0x | 89.90 % (1) | 90.00 % |  | 89.90 % |"
    assert first in text and second in text
    assert "| block size | weights | weights, scales and biases | 16 bit | float |" in text
    assert "| 128 | 31 | 70 bytes | 98.90 % | 99.00 % |" in text
    assert main(["zoo", "--results", results_file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == RESULTS


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_pictures(results_file, tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = str(tmp_path / f"zoo.{ending}")
    assert main(["zoo", "--results", results_file, "--plot", path]) == 0
    assert os.path.getsize(path) > 5000
    path = str(tmp_path / f"model.{ending}")
    assert main(["info", "digits", "--plot", path]) == 0
    assert os.path.getsize(path) > 5000
    assert main(["zoo", "--results", results_file, "--plot", str(tmp_path / "zoo.txt")]) == 2


def test_training_a_model_of_an_unknown_name(capsys):
    pytest.importorskip("keras_backend")
    assert main(["train", "imagenet"]) == 2
    assert "digits, mnist_mlp, mnist_cnn. Received: 'imagenet'" in capsys.readouterr().err


def test_training_without_data(tmp_path, capsys):
    pytest.importorskip("keras_backend")
    assert main(["train", "mnist_mlp", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "must hold mnist.npz" in capsys.readouterr().err


@pytest.fixture
def tiny(monkeypatch):
    """The recipe ``digits`` with few epochs, and the data cut down."""
    pytest.importorskip("keras_backend")
    pytest.importorskip("sklearn")
    import dataclasses

    from pynq_circnn.zoo import recipes

    recipe = dataclasses.replace(recipes.RECIPES["digits"], epochs=2, batch_size=128)
    monkeypatch.setitem(recipes.RECIPES, "digits", recipe)
    return recipe


def test_training_writes_model_and_figures_and_keeps_runs(tiny, tmp_path, capsys, monkeypatch):
    command = ["train", "digits", "--seeds", "3", "--out", str(tmp_path)]
    assert main(command) == 0
    measured = zoo.results(str(tmp_path / "results.json"))["models"]["digits"]
    assert [r["seed"] for r in measured["runs"] + measured["twin_runs"]] == [3, 3]
    model = load_model(tmp_path / "digits.circnn")
    assert model.provenance["figures"]["seed"] == measured["shipped_seed"] == 3
    x, y = load_digits()[1]
    assert model.evaluate(x, y)["accuracy"] == measured["runs"][0]["accuracy_int16"]

    from pynq_circnn.zoo import training

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    assert main(command) == 0  # both runs are kept
    capsys.readouterr()
    assert main([*command[:3], "4", *command[4:]]) == 130
    assert "the one under way does not resume" in capsys.readouterr().err


def test_a_front_has_one_run_for_each_block_size(tiny, tmp_path, capsys):
    assert main(["train", "digits", "--front", "8", "1", "--out", str(tmp_path)]) == 0
    front = zoo.results(str(tmp_path / "results.json"))["fronts"]["digits"]
    assert [point["block"] for point in front] == [1, 8]
    assert front[0]["weights"] == 33_408 and front[1]["weights"] == 2_048 + 2_048 + 2 * 64
    assert main(["train", "digits", "--front", "3", "--out", str(tmp_path)]) == 2
    assert "block must be a power of two" in capsys.readouterr().err


def test_training_is_reproducible(tiny):
    from pynq_circnn.zoo.recipes import train

    data = load_digits()
    first, second = (train(tiny, data, seed=5, verbose=0)[0] for _ in range(2))
    for a, b in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_distortion_moves_images_as_told():
    pytest.importorskip("keras_backend")
    from pynq_circnn.zoo.recipes import distort

    x = np.zeros((200, 12, 10), np.uint8)
    x[:, 5:7, 4:6] = 100
    same = distort(x, np.random.default_rng(0), 0, 0, 0)
    np.testing.assert_allclose(same, x, atol=1e-3)
    moved = distort(x, np.random.default_rng(0), 3, 0, 0)
    rows = (moved.sum(axis=2) * np.arange(12)).sum(axis=1) / moved.sum(axis=(1, 2))
    assert 2.4 < rows.min() < 2.8 and 8.2 < rows.max() < 8.6  # 5.5 -+ 3
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 400, rtol=1e-4)
    turned = distort(x, np.random.default_rng(0), 0, 45, 0.2)
    assert np.abs(turned - turned[::-1]).max() > 1 and turned.max() <= 100
