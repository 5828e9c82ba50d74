"""The command line: every command, its figures as JSON, its exit status and its messages."""

import contextlib
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile

import examples
import numpy as np
import pytest

from pynq_circnn import Model, __version__, backends, commands, load_model
from pynq_circnn import layers as L
from pynq_circnn.backends import native
from pynq_circnn.backends.base import BasePlan
from pynq_circnn.commands import cli
from pynq_circnn.commands.verify import verify

X = examples.images(40)
TRUTH = np.random.default_rng(1).integers(0, 3, 40)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder, the current one, with a model, samples and labelled data."""
    monkeypatch.chdir(tmp_path)
    examples.model().save("model.circnn")
    np.save("x.npy", X)
    np.savez("data.npz", x=X, y=TRUTH)
    np.savez("keras.npz", x_train=X[:1], y_train=TRUTH[:1], x_test=X, y_test=TRUTH)
    np.save("objects.npy", np.array([None, "x"]), allow_pickle=True)
    np.save("wrong.npy", X[:, :3])
    (tmp_path / "broken.circnn").write_bytes(examples.model().to_bytes()[:500])
    (tmp_path / "text.npy").write_text("1, 2, 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "data.csv").write_text("pixel 1,pixel 2\n1,2\n")
    (tmp_path / "notes.txt").write_text("größer")
    (tmp_path / "bmi.csv").write_text("BMI,age\n1,2\n")
    (tmp_path / "pk.csv").write_text("PK,age\n1,2\n")
    (tmp_path / "half.npz").write_bytes((tmp_path / "data.npz").read_bytes()[:900])
    (tmp_path / "image.bmp").write_bytes(b"BM\x9a\x00\x00\x00" + bytes(90))
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(90))
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"x": [1.0, 2.0]}))
    (tmp_path / "data.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    (tmp_path / "short.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:200])
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", "")
    np.savez("others.npz", a=X)
    np.savez("none.npz")
    return tmp_path


@pytest.fixture
def circnn(files, capsys):
    """Run a command and return (exit status, standard output, standard error)."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            status = end.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return run


# -- what each command does ---------------------------------------------------------------------


def test_info(circnn):
    status, out, err = circnn("info", "model.circnn")
    assert status == 0 and not err
    assert "several kinds" in out and "AveragePool2D" in out and '"data": "random"' in out
    status, out, _ = circnn("info", "model.circnn", "--json")
    assert status == 0 and json.loads(out) == load_model("model.circnn").info()


def test_predict(circnn):
    expected = examples.model().predict(X)
    status, out, err = circnn("predict", "model.circnn", "x.npy")
    assert status == 0 and err == "by the native back end\n"
    for line, row in zip(out.splitlines(), expected):
        label, score = line.split("\t")
        assert label == examples.LABELS[row.argmax()] and score == f"{row.max():.4f}"
    assert len(out.splitlines()) == 40
    status, out, _ = circnn(
        "predict", "model.circnn", "data.npz", "--json", "--backend", "reference"
    )
    report = json.loads(out)
    assert status == 0 and report["backend"] == "reference"
    np.testing.assert_array_equal(np.float32(report["predictions"]), expected)
    status, out, _ = circnn("predict", "model.circnn", "x.npy", "--out", "y.npy", "--batch-size", 7)
    assert status == 0 and "float32 of shape (40, 3)" in out
    np.testing.assert_array_equal(np.load("y.npy"), expected)


def test_predict_names_the_file_that_it_wrote(circnn, files):
    status, out, _ = circnn("predict", "model.circnn", "x.npy", "--out", "result")
    assert status == 0 and out.startswith("result.npy: float32") and (files / "result.npy").exists()


def test_predict_of_one_sample_and_of_images(circnn):
    np.save("one.npy", X[0])
    status, out, _ = circnn("predict", "model.circnn", "one.npy")
    assert status == 0 and len(out.splitlines()) == 1
    layers = (L.Input("x", (), (4, 4, 2)), L.MaxPool2D("y", ("x",)))
    Model(examples.quantized(layers)).save("images.circnn")
    np.save("images.npy", np.random.default_rng(0).normal(size=(5, 4, 4, 2)))
    status, out, _ = circnn("predict", "images.circnn", "images.npy")
    assert status == 0 and len(out.splitlines()) == 5


@pytest.mark.parametrize("data", ["data.npz", "keras.npz"])
def test_evaluate(circnn, data):
    metrics = ["accuracy", "crossentropy"]
    expected = examples.model().evaluate(X, TRUTH, metrics=metrics)
    status, out, _ = circnn("evaluate", "model.circnn", data, "--metrics", *metrics, "--json")
    report = json.loads(out)
    assert status == 0 and report["samples"] == 40 and report["backend"] == "native"
    assert {name: report[name] for name in expected} == expected
    status, out, _ = circnn("evaluate", "model.circnn", data)
    assert status == 0 and f"accuracy: {expected['accuracy']:.4f}" in out


def test_verify(circnn):
    status, out, err = circnn("verify", "model.circnn", "--samples", 5, "--data", "x.npy")
    assert status == 0 and not err
    for inputs in ("uniform", "normal", "extreme", "bytes", "data"):
        for name in ("native", "native, z2 program", "native, tiny program"):
            assert f"{name:24} {inputs:8}" in out
    assert "equal to the bit" in out and out.endswith("every back end equals the reference\n")
    status, out, _ = circnn(
        "verify", "model.circnn", "--samples", 5, "--json", "--backends", "native"
    )
    report = json.loads(out)
    assert status == 0 and report["equal"]
    assert len(report["results"]) == 4 * len({r["backend"] for r in report["results"]}) >= 12
    assert all(r["different"] == 0 and r["saturations_equal"] for r in report["results"])
    assert any(r["inputs"] == "extreme" and r["values"] == 15 for r in report["results"])


@pytest.mark.parametrize("json_too", [[], ["--json"]])
@pytest.mark.parametrize("wrong", ["value", "count", "without counting"])
def test_verify_fails_where_a_back_end_is_wrong(circnn, monkeypatch, wrong, json_too):
    run = native.Plan._run

    def spoiled(self, x, out, saturations):
        run(self, x, out, saturations)
        if wrong == "value" or (wrong == "without counting" and saturations is None):
            out[-1, -1] = np.nextafter(out[-1, -1], np.float32(9))
        if wrong == "count" and saturations is not None:
            saturations[-2] += 1

    monkeypatch.setattr(native.Plan, "_run", spoiled)
    status, out, err = circnn("verify", "model.circnn", "--samples", 3, *json_too)
    assert status == 1 and not err
    if json_too:
        assert json.loads(out)["equal"] is False
    else:
        assert "DIFFERENT" in out and out.endswith("MISMATCH\n")


def test_verify_with_nothing_to_compare_does_not_pass(circnn, monkeypatch):
    status, out, err = circnn("verify", "model.circnn", "--backends", "reference")
    assert status == 2 and not out and "to compare with the reference" in err
    monkeypatch.setattr(native, "unavailable", lambda: "not built. Build it.")
    monkeypatch.setattr(backends, "names", lambda: ["native", "reference"])
    status, out, err = circnn("verify", "model.circnn")
    assert status == 2 and not out and "not built. Build it." in err
    status, _, err = circnn("verify", "model.circnn", "--backends", "native")
    assert status == 2 and "'native' cannot run here: not built" in err


def test_verify_says_which_engines_are_too_small():
    layers = (L.Input("x", (), (100,)), L.Dense("y", ("x",), units=100))
    report = verify(Model(examples.quantized(layers)), samples=2)
    assert report["equal"] and "too many" in report["left_out"]["native, tiny program"]
    ran = {result["backend"] for result in report["results"]}
    assert ran >= {"native", "native, z2 program"} and "native, tiny program" not in ran


def test_demo(circnn):
    pytest.importorskip("sklearn")
    status, out, err = circnn("demo")
    assert status == 0 and not err
    for words in ("Accuracy: 9", "Confusion matrix", "fewer", "us for one image", "native"):
        assert words in out
    status, out, _ = circnn("demo", "--json")
    figures = json.loads(out)
    assert status == 0 and figures["accuracy"] >= 0.97 and figures["images"] == 500
    assert np.sum(figures["confusion"]) == 500
    assert np.trace(figures["confusion"]) == round(figures["accuracy"] * 500)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_demo_fits_its_terminal(circnn, monkeypatch, columns):
    pytest.importorskip("sklearn")
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, _ = circnn("demo")
    lines = out.splitlines()
    assert status == 0 and max(map(len, lines)) <= columns
    captions = [line for line in lines if re.match(r"\s*\d \(\d+%\)", line)]
    assert sum(line.count("%)") for line in captions) == 6  # pictures
    assert len(captions) == {40: 3, 60: 2, 80: 2, 200: 1}[columns]
    words = " ".join(out.split())
    for layer in ("hidden_1", "hidden_2", "output"):
        assert layer in words
    assert "2,368 weights instead of 33,408 (14.1x fewer)" in words
    assert "in a batch of 500 (on this computer, not on a board)" in words


# -- wrong input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["info", "nothing"], "must be a .circnn file or one of"),
        (["info", "broken.circnn"], "broken.circnn must be a .circnn file"),
        (["info", "x.npy"], "x.npy must be a .circnn file"),
        (["info", "."], "must be a .circnn file or one of"),
        (["predict", "model.circnn", "nothing.npy"], "No such file or directory: 'nothing.npy'"),
        (["predict", "model.circnn", "text.npy"], "text.npy must be a NumPy .npy or .npz file"),
        (["predict", "model.circnn", "empty.npy"], "empty.npy must be a NumPy .npy or .npz file"),
        (
            ["predict", "model.circnn", "objects.npy"],
            "objects.npy must be a NumPy .npy or .npz file",
        ),
        (["predict", "model.circnn", "broken.circnn"], "must be a NumPy .npy or .npz file"),
        (["predict", "model.circnn", "wrong.npy"], "x must have shape (n, 6, 5, 1)"),
        (
            ["predict", "model.circnn", "data.csv"],
            "Received: text. Convert it: "
            'numpy.save("data.npy", numpy.loadtxt("data.csv", delimiter=","))',
        ),
        (["predict", "model.circnn", "text.npy"], "Received: text. Convert it: numpy.save("),
        (["predict", "model.circnn", "notes.txt"], "Received: text."),
        (["predict", "model.circnn", "bmi.csv"], "Received: text."),
        (["predict", "model.circnn", "pk.csv"], "Received: text."),
        (["predict", "model.circnn", "half.npz"], "Received: File is not a zip file"),
        (["predict", "model.circnn", "image.bmp"], "Received: a BMP image."),
        (
            ["predict", "model.circnn", "image.png"],
            "Received: a PNG image. Convert it: numpy.save(",
        ),
        (["predict", "model.circnn", "photo.jpg"], "Received: a JPEG image. "),
        (["predict", "model.circnn", "data.pkl"], "Received: a pickle, which could run any code. "),
        (["predict", "model.circnn", "data.h5"], "Received: an HDF5 file. "),
        (["predict", "model.circnn", "empty.npy"], "Received: an empty file."),
        (["predict", "model.circnn", "short.npy"], "short.npy must be a NumPy .npy or .npz file"),
        (["predict", "model.circnn", "objects.npy"], "Received: Python objects. Convert it: "),
        (
            ["predict", "model.circnn", "."],
            ". must be a NumPy .npy or .npz file of numbers. Received: a folder.",
        ),
        (["predict", "model.circnn", "net.keras"], "Received: a Keras model."),
        (["predict", "model.circnn", "model.circnn"], "Received: a .circnn model."),
        (
            ["predict", "model.circnn", "others.npz"],
            "named x or x_test. Received: a. Save it with numpy.savez(",
        ),
        (["predict", "model.circnn", "none.npz"], "named x or x_test. Received: none. "),
        (
            ["info", "net.keras"],
            "net.keras must be a .circnn file. Received: a Keras model. Convert "
            "it with pynq_circnn.keras.convert(path, calibration_data)",
        ),
        (
            ["info", "data.h5"],
            "data.h5 must be a .circnn file. Received: an HDF5 file. A Keras model "
            "is converted with pynq_circnn.keras.convert(",
        ),
        (["info", "net.pt"], "net.pt must be a .circnn file. Received: a PyTorch file."),
        (["info", "data.csv"], "data.csv must be a .circnn file. Received: text."),
        (["info", "empty.npy"], "empty.npy must be a .circnn file. Received: an empty file."),
        (["predict", "model.circnn", "keras.npz", "--backend", "fpga"], "'auto' or one of"),
        (["predict", "model.circnn", "x.npy", "--out", "no/such/y.npy"], "no folder 'no/such'"),
        (["predict", "model.circnn", "x.npy", "--batch-size", "0"], "must be a positive integer"),
        (["evaluate", "model.circnn", "x.npy"], "must hold an array named y_test or y"),
        (["evaluate", "model.circnn", "data.npz", "--metrics", "f1"], "metrics must be among"),
        (["verify", "model.circnn", "--backends", "fpga"], "'auto' or one of"),
        (["verify", "model.circnn", "--samples", "-3"], "must be a positive integer"),
        (["verify", "model.circnn", "--data", "wrong.npy"], "x must have shape"),
        (["verify", "model.circnn", "--seed", "-1"], "circnn: error:"),
        (["fly", "model.circnn"], "invalid choice"),
        (["predict"], "required: MODEL, X.npy"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_input_is_2_with_a_message(circnn, arguments, message):
    status, out, err = circnn(*arguments)
    assert status == 2 and not out
    assert message in err


def test_interruption(circnn, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pynq_circnn.model.model.load_model", interrupted)
    status, _, err = circnn("info", "model.circnn")
    assert status == 130 and err == "circnn: interrupted\n"


@pytest.mark.parametrize(
    "command, bar_in, message",
    [
        ("info digits", "pynq_circnn.model.model.load_model", "circnn: interrupted\r\n"),
        (
            "train digits --out out",
            "pynq_circnn.zoo.training.measure",
            "circnn: interrupted. Finished",
        ),
    ],
)
def test_interruption_on_a_terminal_begins_a_line_of_its_own(files, command, bar_in, message):
    """Also while a bar is being drawn, and after the ^C that the terminal shows."""
    pty = pytest.importorskip("pty")
    if "train" in command:
        pytest.importorskip("keras_backend")
        pytest.importorskip("sklearn")
    module, _, name = bar_in.rpartition(".")
    code = f"""
import importlib, os, signal, sys, time
from pynq_circnn.commands import cli
def bar(*_):
    print("41/60 [====>", end="", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
importlib.import_module({module!r}).{name} = bar
sys.exit(cli.main({command.split()!r}))
"""
    if "zoo" in module:  # chooses the back end of Keras
        code = "import pynq_circnn.keras" + code
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end, on Linux
        while True:
            part = os.read(ours, 4096)
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.wait(30) == 130
    assert shown.decode().startswith("41/60 [====>\r\n" + message)


def test_version_and_help(circnn):
    assert circnn("--version")[:2] == (0, f"pynq_circnn {__version__}\n")
    status, out, _ = circnn("--help")
    assert status == 0
    for command in ("info", "predict", "evaluate", "verify", "demo"):
        assert command in out
        assert circnn(command, "--help")[0] == 0


def test_help_lists_the_commands_in_order(circnn):
    _, out, _ = circnn("--help")
    names = re.findall(r"^    ([a-z]+) ", out, re.MULTILINE)
    assert names == [
        "info",
        "predict",
        "evaluate",
        "verify",
        "demo",
        "zoo",
        "train",
        "estimate",
        "bench",
        "doctor",
    ]


def test_help_imports_nothing_heavy():
    heavy = ("keras", "jax", "torch", "tensorflow", "sklearn", "matplotlib", "pynq", "onnx")
    code = f"""
import sys
from pynq_circnn.commands import cli
try:
    cli.main(["--help"])
except SystemExit:
    pass
print("imported", *sorted(set({heavy!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().endswith("imported\n")


def test_a_new_file_is_a_new_command(circnn, monkeypatch, tmp_path):
    """No other file has to name it."""
    (tmp_path / "greet.py").write_text(
        "ORDER = 0\n"
        "def register(commands):\n"
        "    commands.add_parser('greet').set_defaults(run=lambda arguments: print('hello') or 0)\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    assert circnn("greet") == (0, "hello\n", "")
    monkeypatch.delitem(sys.modules, "pynq_circnn.commands.greet")


def test_as_a_module(files):
    command = [sys.executable, "-m", "pynq_circnn", "info", "model.circnn", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout.decode())["name"] == "several kinds"
    assert subprocess.run([*command[:4], "nothing"], stderr=subprocess.PIPE).returncode == 2


def test_every_back_end_has_the_interface():
    for name in backends.names():
        module = backends.get(name)
        assert isinstance(module.PREFERENCE, int)
        assert module.unavailable() is None or module.unavailable().endswith(".")
        assert issubclass(module.Plan, BasePlan) and module.Plan.name == name
