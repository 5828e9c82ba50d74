"""The model's interface: everything that predict accepts and refuses, and a model's reports."""

import os
import pickle
import threading
import time
import warnings

import examples
import numpy as np
import pytest

from pynq_circnn import BackendError, Model, ModelFileError, backends, load_model, shipped_models
from pynq_circnn import layers as L
from pynq_circnn.backends import native, reference
from pynq_circnn.errors import SaturationWarning
from pynq_circnn.model import progress
from pynq_circnn.model.metrics import confusion_matrix

MODEL = examples.model()
X = examples.images(70)
Y = MODEL.predict(X)


def same(actual, expected=Y):
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, expected)


@pytest.fixture
def no_native(monkeypatch):
    monkeypatch.setattr(native, "unavailable", lambda: "no compiler. Install one.")


# -- predict: what it takes ---------------------------------------------------------------------


def test_output_is_the_softmax_of_what_a_plan_runs():
    logits = MODEL.plan("reference").run(X)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    same(Y, powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("batch_size", [1, 7, 32, 69, 70, 71, 10**6, np.int64(5)])
@pytest.mark.parametrize("backend", ["auto", "native", "reference"])
def test_batch_size_changes_nothing(batch_size, backend):
    same(MODEL.predict(X, batch_size, backend=backend))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.tolist(),
        lambda x: list(x),
        lambda x: x[..., 0],
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.uint16),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: memoryview(x),
    ],
    ids=[
        "nested lists",
        "list of arrays",
        "grey",
        "int64",
        "uint16",
        "fortran",
        "strided",
        "reversed",
        "memoryview",
    ],
)
def test_bytes_come_in_many_forms(make):
    same(MODEL.predict(make(X)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f4"])
def test_floats_of_every_width(dtype):
    x = (X / 256).astype(np.float16)  # exact in every one of these dtypes
    same(MODEL.predict(x.astype(dtype)), MODEL.predict(x.astype(np.float32)))


def test_bytes_are_the_floats_they_stand_for():
    np.testing.assert_allclose(MODEL.predict(X / 255), Y, atol=2e-3)


def test_integers_are_numbers_where_the_model_takes_no_bytes():
    model = examples.tiny_model()
    x = np.array([[-3, 0, 2, 1]])
    for dtype in (np.int8, np.int64):
        same(model.predict(x.astype(dtype)), model.predict(x.astype(np.float32)))
    same(model.predict(np.abs(x).astype(np.uint8)), model.predict(np.abs(x).astype(np.float32)))


@pytest.mark.parametrize("one", [X[3], X[3, ..., 0], X[3].tolist()])
def test_a_single_sample_comes_back_alone(one):
    same(MODEL.predict(one), Y[3])


@pytest.mark.parametrize("empty", [X[:0], X[:0, ..., 0], [], np.zeros(0), iter([]), iter([X[:0]])])
def test_nothing_in_nothing_out(empty):
    out = MODEL.predict(empty)
    assert out.shape == (0, 3) and out.dtype == np.float32


@pytest.mark.parametrize(
    "generator",
    [
        lambda: (X[i : i + 9] for i in range(0, 70, 9)),
        lambda: ((X[i : i + 9], None) for i in range(0, 70, 9)),
        lambda: iter(X),
        lambda: iter([X[:50], X[:0], X[50:].tolist()]),
        lambda: map(np.asarray, [X]),
    ],
    ids=["batches", "tuples", "samples", "uneven", "map"],
)
@pytest.mark.parametrize("verbose", ["auto", 0])
def test_generators_of_batches(generator, verbose):
    same(MODEL.predict(generator(), verbose=verbose))


def test_a_1_by_1_image_is_one_sample():
    model = Model(examples.quantized((L.Input("x", (), (1, 1, 1)), L.ScaleBias("y", ("x",)))))
    assert model.predict(np.ones((1, 1, 1))).shape == (1, 1, 1)
    assert model.predict(np.ones((4, 1, 1, 1))).shape == (4, 1, 1, 1)
    assert model.predict(np.ones((4, 1, 1))).shape == (4, 1, 1, 1)


def test_results_are_the_callers_own():
    first = MODEL.predict(X[:2])
    first[:] = 7
    same(MODEL.predict(X[:2]), Y[:2])
    frozen = X.copy()
    frozen.flags.writeable = False
    same(MODEL.predict(frozen))


# -- predict: what it refuses -------------------------------------------------------------------


@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros((3, 5, 6, 1)), "must have shape (n, 6, 5, 1), or (6, 5, 1) for one sample"),
        (np.zeros((3, 30)), "Reshape it"),
        (np.zeros((3, 6, 5, 3)), "Received: (3, 6, 5, 3)"),
        (np.zeros((0, 7)), "Received: (0, 7)"),
        (np.float32(1), "Received: ()"),
        (X.astype(bool), "must be real numbers. Received: dtype=bool"),
        (X.astype(complex), "must be real numbers. Received: dtype=complex128"),
        (X.astype(object), "must be real numbers. Received: dtype=object"),
        (X.astype(str), "must be real numbers. Received: dtype=<U3"),
        ("digits", "must be real numbers"),
        (None, "must be real numbers. Received: dtype=object"),
        ({"x": X}, "must be real numbers. Received: dtype=object"),
        (X.astype("datetime64[s]"), "must be real numbers"),
        (X.astype(int) - 1, "must be unscaled bytes, 0 ... 255, for this model. Received: -1 ... "),
        (X.astype(int) + 1, "... 256. Pass scaled numbers as floats"),
        (iter([X[:3], X[:3, :4]]), "Received: (3, 4, 5, 1)"),
    ],
)
def test_wrong_samples_are_refused(x, message):
    with pytest.raises(ValueError) as error:
        MODEL.predict(x)
    assert message in str(error.value)


@pytest.mark.filterwarnings("ignore::Warning")  # NumPy below 1.24 makes an object array of it
def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="x must be"):
        MODEL.predict([[1, 2], [3]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("sample", [0, 31, 40, 69])
def test_what_is_not_finite_is_refused_with_its_place(value, backend, sample):
    x = X / 255
    x[sample, 2, 3] = value
    x[69, 0, 0] = np.nan
    for given in (x, iter([x[:10], x[10:]])):
        with pytest.raises(ValueError, match=f"finite. Received: .* in sample {sample}\\."):
            MODEL.predict(given, backend=backend)


def test_reference_names_the_sample_in_later_tiles(monkeypatch):
    monkeypatch.setattr(reference, "_TILE_WORDS", 1000)
    x = (X / 255).astype(np.float32)
    x[50] = np.nan
    with pytest.raises(ValueError, match="in sample 50"):
        MODEL.plan("reference").run(x)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "32", None, True])
def test_wrong_batch_sizes_are_refused(batch_size):
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        MODEL.predict(X, batch_size)


@pytest.mark.parametrize("verbose", [2, -1, "yes", None])
def test_wrong_verbosity_is_refused(verbose):
    with pytest.raises(ValueError, match="verbose must be 'auto', 0 or 1"):
        MODEL.predict(X, verbose=verbose)


# -- saturation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_values_beyond_calibration_warn_once_at_the_callers_line(backend):
    model = fresh()
    with pytest.warns(SaturationWarning, match="within the calibrated range of") as record:
        out = model.predict(X / 255 * 1.5, backend=backend)
    assert record[0].filename == __file__ and "unscaled bytes as uint8" in str(record[0].message)
    assert np.isfinite(out).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X / 255 * 1.5, backend=backend)


def test_floats_that_were_scaled_already_warn_once():
    x = (np.random.default_rng(0).integers(0, 17, (5, 64)) / 16).astype(np.float32)
    with pytest.warns(UserWarning, match="Received: floats up to 1. They seem to be scaled") as w:
        load_model("digits").predict(x)
    assert w[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model("digits").predict(x * 16)
        load_model("digits").predict((x > 0.5).astype(np.uint8))
        load_model("digits").predict(x * 0)


def test_data_that_drift_away_later_are_noticed():
    model = fresh()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            model.predict(X)
    with pytest.warns(SaturationWarning, match="words limited"):
        for _ in range(512):
            model.predict(X / 255 * 3)


def test_single_samples_add_up():
    model = fresh()
    with pytest.warns(SaturationWarning, match="in [2-9] samples"):
        for x in X:
            model.predict(x / 255 * 3)


def test_white_pixels_are_within_range():
    model = fresh()
    white = np.full((64, 6, 5, 1), 255, np.uint8)
    saturations = np.zeros(len(model.layers), np.int64)
    model.plan().run(white, saturations=saturations)
    assert saturations[0] == white.size  # by one unit of the last place
    for x in (white, white / 255):
        assert "image" not in model.evaluate(x, np.zeros(64, int))["limited_words"]


def test_evaluate_counts_what_every_layer_limits():
    x = (X / 255 * 3).astype(np.float32)
    limited = fresh().evaluate(x, TRUTH)["limited_words"]
    saturations = np.zeros(len(MODEL.layers), np.int64)
    MODEL.plan("reference").run(x, saturations=saturations)
    names = [layer.name for layer in MODEL.layers]
    assert limited["image"] == np.sum(x > 1.0001)
    assert {n: c for n, c in limited.items() if n != "image"} == {
        n: c for n, c in zip(names, saturations.tolist()) if c and n != "image"
    }


# -- the progress bar ---------------------------------------------------------------------------


def test_no_bar_for_what_is_quick(capsys):
    MODEL.predict(X)
    MODEL.predict(iter([X]))
    MODEL.predict(X, verbose=0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("x", [X, X[:5], lambda: iter([X])])
def test_a_bar_when_asked_for(x, capsys):
    MODEL.predict(x() if callable(x) else x, verbose=1)
    captured = capsys.readouterr()
    assert "predict [native]" in captured.err and "sample" in captured.err and not captured.out


def test_a_bar_for_what_takes_long(capsys, monkeypatch):
    monkeypatch.setattr(progress, "BAR_DELAY_SECONDS", 0.01)
    plan = MODEL.plan("reference")
    run = plan.run
    monkeypatch.setattr(
        plan, "run", lambda *a, **k: (time.sleep(0.05), run(*a, **k)), raising=False
    )
    MODEL.predict(X, 10, backend="reference")
    assert "predict [reference]" in capsys.readouterr().err


# -- back ends ----------------------------------------------------------------------------------


def fresh():
    return Model(MODEL.network)


def test_auto_takes_the_native_back_end_and_says_so():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fresh().plan().name == "native"
        assert fresh().plan("auto").name == "native"
    assert fresh().plan("reference").name == "reference"


def test_a_plan_is_made_once():
    model = fresh()
    assert model.plan("auto") is model.plan("native") is model.plan()


def test_auto_says_when_it_takes_the_slow_one(no_native):
    with pytest.warns(UserWarning, match=r"slow NumPy reference .* no compiler") as record:
        same(fresh().predict(X, backend="auto"))
    assert record[0].filename == __file__


def test_a_back_end_asked_for_by_name_never_falls_back(no_native):
    with pytest.raises(BackendError, match=r"'native' cannot run here: no compiler. Install one"):
        fresh().predict(X, backend="native")


@pytest.mark.parametrize("name", ["numpy", "", "Native", None, 3, "../native"])
def test_unknown_back_ends_are_refused(name):
    with pytest.raises(ValueError, match=r"'auto' or one of .*'native', 'reference'"):
        fresh().predict(X, backend=name)


def test_a_negative_preference_is_never_automatic(monkeypatch):
    monkeypatch.setattr(native, "PREFERENCE", -1)
    with pytest.warns(UserWarning):
        assert fresh().plan().name == "reference"


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"x": X.astype(np.float64)}, "x must be a C-contiguous float32 or uint8 array"),
        ({"x": X[:, ::-1]}, "C-contiguous=False"),
        ({"x": X.tolist()}, "Received: list"),
        ({"x": np.float32(3)}, "Received: float32"),
        ({"x": X[0]}, "of shape (6, 6, 5, 1)"),
        ({"x": X, "out": np.zeros((70, 3))}, "out must be a C-contiguous float32"),
        ({"x": X, "out": np.zeros((69, 3), np.float32)}, "of shape (70, 3)"),
        ({"x": X, "saturations": np.zeros(3, np.int64)}, "of shape (12,)"),
        ({"x": X, "saturations": np.zeros(12, np.int32)}, "int64"),
    ],
)
def test_plans_check_their_arrays(backend, arguments, message):
    with pytest.raises(ValueError) as error:
        MODEL.plan(backend).run(**arguments)
    assert message in str(error.value)


def test_threads_get_equal_results():
    model, results, errors = fresh(), {}, []

    def work(number):
        try:
            for _ in range(20):
                results[number] = model.predict(X, batch_size=3 + number)
                same(results[number])
        except BaseException as error:  # reported below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(results) == 8


# -- keeping a model ----------------------------------------------------------------------------


def test_pickle():
    MODEL.predict(X[:1])
    again = pickle.loads(pickle.dumps(MODEL))
    same(again.predict(X))
    assert (again.name, again.labels, again.provenance) == (
        MODEL.name,
        MODEL.labels,
        MODEL.provenance,
    )


def test_save_and_load(tmp_path):
    path = tmp_path / "my.circnn"
    path.write_bytes(b"old")
    MODEL.save(path)
    same(load_model(path).predict(X))
    same(load_model(str(path)).predict(X))
    assert os.listdir(tmp_path) == ["my.circnn"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_folder_that_cannot_be_saved_to_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, message in (
        (tmp_path / "no" / "such" / "m.circnn", r"there is no folder '.*such'. Create it: os.mak"),
        (tmp_path / "file" / "m.circnn", "'.*file', which is a file"),
        (tmp_path, "a folder. Name a file in it: '.*/several kinds.circnn'"),
        ("/proc/self/m.circnn", "must be writable. Received: '/proc/self', "),
    ):
        with pytest.raises(OSError, match=message) as caught:
            MODEL.save(path)
        assert ".circnn-" not in str(caught.value)  # the temporary file's name
    assert sorted(os.listdir(tmp_path)) == ["file"]


@pytest.mark.parametrize("where", ["os.replace", "os.fdopen", "os.chmod"])
def test_a_failed_save_leaves_the_old_file(where, tmp_path, monkeypatch):
    path = tmp_path / "my.circnn"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(where, fail)
    with pytest.raises(OSError, match="disk full"):
        MODEL.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["my.circnn"]


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"one of .*'digits'.* Received: 'nothing'"):
        load_model("nothing")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path)
    (tmp_path / "bad.circnn").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match=r"bad\.circnn"):
        load_model(tmp_path / "bad.circnn")


# -- what a model reports -----------------------------------------------------------------------


def test_shipped_models_load_and_are_what_they_say():
    assert "digits" in shipped_models()
    for name in shipped_models():
        model = load_model(name)
        assert model.name == name and model.provenance
        assert model.predict(np.zeros(model.input_shape, np.uint8)).shape == model.output_shape


def test_layers_and_shapes():
    assert MODEL.input_shape == (6, 5, 1) and MODEL.output_shape == (3,)
    assert [layer.name for layer in MODEL.layers][:3] == ["image", "conv", "norm"]
    assert MODEL.get_layer("hidden").units == 8
    with pytest.raises(ValueError, match=r"one of 'image', 'conv'.* Received: 'hiden'"):
        MODEL.get_layer("hiden")
    assert "several kinds" in repr(MODEL) and "(6, 5, 1) -> (3,)" in repr(MODEL)


def test_parameters_are_counted():
    conv, gate, hidden, logits = 9 * 4, 4 * 3 * 2 * 2, 3 * 8, 3 * 8
    vectors = 2 * (4 + 4 + 6 + 8 + 3)  # scales and biases
    assert MODEL.count_params() == conv + gate + hidden + logits + vectors
    info = MODEL.info()
    assert info["weights"] == conv + gate + hidden + logits
    assert info["dense_weights"] == 9 * 1 * 4 + 4 * 4 * 6 + 24 * 8 + 8 * 3
    assert info["dense_params"] == info["dense_weights"] + 4 + 8 + 6 + 8 + 3  # norm: 4 and 4
    assert info["bytes"] == 2 * info["weights"] + (2 + 4) * vectors // 2
    assert info["compression"] == round(info["dense_weights"] / info["weights"], 3)
    assert info["params"] == MODEL.count_params()
    entry = next(layer for layer in info["layers"] if layer["name"] == "hidden")
    assert entry["block"] == 8 and entry["compression"] == 8.0 and entry["snr_db"] > 50


def test_summary_is_a_table(capsys):
    lines = []
    MODEL.summary(print_fn=lines.append)
    assert all(
        any(layer.name in line and layer.kind in line for line in lines) for layer in MODEL.layers
    )
    assert "132 weights instead of 348 (2.6x fewer)" in lines[-1]
    MODEL.summary()
    assert capsys.readouterr().out == "\n".join(lines) + "\n"


def test_summary_of_a_network_without_weights():
    model = Model(examples.quantized((L.Input("x", (), (4, 4, 2)), L.MaxPool2D("y", ("x",)))))
    lines = []
    model.summary(lines.append)
    assert "0 weights instead of 0;" in lines[-1] and model.info()["compression"] is None


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"labels": ["a", "b"]}, "labels must be 3, one for each output. Received: 2"),
        ({"labels": range(3)}, "labels must be texts"),
        ({"name": None}, "name must be a text"),
    ],
)
def test_wrong_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Model(MODEL.network, **arguments)


# -- evaluate -----------------------------------------------------------------------------------

TRUTH = np.random.default_rng(9).integers(0, 3, 70)


def test_classification_metrics():
    names = ["accuracy", "top_3_accuracy", "top_5_accuracy", "crossentropy"]
    results = MODEL.evaluate(X, TRUTH, metrics=names)
    assert list(results) == [*names, "limited_words"]
    assert results["accuracy"] == np.mean(Y.argmax(axis=1) == TRUTH)
    assert results["top_3_accuracy"] == results["top_5_accuracy"] == 1.0  # of 3 classes
    expected = -np.mean(np.log(Y[np.arange(70), TRUTH].astype(np.float64)))
    assert results["crossentropy"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "truth",
    [
        TRUTH.tolist(),
        TRUTH[:, None],
        np.eye(3)[TRUTH],
        TRUTH.astype(np.float32),
        TRUTH.astype(np.uint8),
    ],
)
def test_truth_comes_in_many_forms(truth):
    assert MODEL.evaluate(X, truth) == MODEL.evaluate(X.tolist(), TRUTH, metrics="accuracy")


def test_regression_metrics():
    truth = np.zeros((70, 3))
    results = MODEL.evaluate(X, truth, metrics=["mean_absolute_error", "mean_squared_error"])
    assert results["mean_absolute_error"] == pytest.approx(np.mean(np.abs(Y)), rel=1e-6)
    assert results["mean_squared_error"] == pytest.approx(np.mean(Y.astype(float) ** 2), rel=1e-6)


@pytest.mark.parametrize(
    "x, y, metrics, message",
    [
        (X, TRUTH[:5], ["accuracy"], "same number of samples, at least one. Received: 70 and 5"),
        (X[:0], TRUTH[:0], ["accuracy"], "Received: 0 and 0"),
        (iter([X]), TRUTH, ["accuracy"], "arrays or lists"),
        (X, 3, ["accuracy"], "arrays or lists"),
        (X, TRUTH, ["precision"], "must be among accuracy, top_3"),
        (X, TRUTH + 1, ["accuracy"], "y must hold classes 0 ... 2. Received: 1 ... 3"),
        (X, TRUTH + 0.5, ["accuracy"], "70 integer classes or one-hot rows of 3"),
        (X, [str(t) for t in TRUTH], ["accuracy"], "70 integer classes"),
        (X, np.zeros((70, 4)), ["accuracy"], "Received: float64 of shape (70, 4)"),
        (X, TRUTH, ["mean_squared_error"], "must have the predictions' shape (70, 3)"),
    ],
)
def test_wrong_evaluations_are_refused(x, y, metrics, message):
    with pytest.raises(ValueError) as error:
        MODEL.evaluate(x, y, metrics=metrics)
    assert message in str(error.value)


class Loader:
    """Batches as a PyTorch DataLoader yields them: sized, no array, pairs in a list."""

    def __init__(self, size=16):
        self.size = size

    def __len__(self):
        return -(-len(X) // self.size)

    def __iter__(self):
        for start in range(0, len(X), self.size):
            part = slice(start, start + self.size)
            yield [X[part], TRUTH[part]]


class Sequence(Loader):
    """Batches as a keras.utils.PyDataset has them: by number, without an end of its own."""

    __iter__ = None

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return X[part], TRUTH[part]


def pairs():
    return iter(Loader())


@pytest.mark.parametrize("make", [Loader, Sequence, pairs, lambda: map(tuple, Loader())])
def test_loaders_and_generators_of_pairs(make):
    same(MODEL.predict(make()))
    assert MODEL.evaluate(make()) == MODEL.evaluate(X, TRUTH)
    assert len(MODEL.predict(make(), steps=2)) == 32
    assert MODEL.evaluate(make(), steps=2) == MODEL.evaluate(X[:32], TRUTH[:32])


def test_pairs_of_one_sample_each():
    """As a PyTorch Dataset has them, without a loader."""
    assert MODEL.evaluate(zip(X, TRUTH)) == MODEL.evaluate(X, TRUTH)
    assert MODEL.evaluate(zip(X, TRUTH.tolist())) == MODEL.evaluate(X, TRUTH)
    assert MODEL.evaluate(zip(X, np.eye(TRUTH.max() + 1)[TRUTH])) == MODEL.evaluate(X, TRUTH)


def test_a_torch_data_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(TRUTH))
    loader = torch.utils.data.DataLoader(data, batch_size=16)
    same(MODEL.predict(loader))
    assert MODEL.evaluate(loader) == MODEL.evaluate(X, TRUTH)


@pytest.mark.parametrize(
    "x, message",
    [
        (lambda: iter([X]), "x must yield pairs (x, y) where y is left out. Received: ndarray"),
        (lambda: iter([]), "at least one batch (x, y). Received: none"),
        (lambda: iter([(X, TRUTH[:3])]), "same number of samples. Received: 70 and 3 in batch 0"),
        (lambda: iter([(X[:5, :2], TRUTH[:5])]), "Received: (5, 2, 5, 1)"),
        (lambda: X, "or x must yield batches (x, y) and y be left out. Received: ndarray and None"),
    ],
)
def test_wrong_batches_are_refused(x, message):
    with pytest.raises(ValueError) as error:
        MODEL.evaluate(x())
    assert message in str(error.value)


@pytest.mark.parametrize("steps", [0, -1, True, 1.5])
def test_wrong_steps_are_refused(steps):
    with pytest.raises(ValueError, match="steps must be a positive integer"):
        MODEL.predict(iter([X]), steps=steps)


def test_crossentropy_needs_probabilities():
    model = examples.tiny_model()
    x = np.random.default_rng(0).normal(size=(10, 4))
    with pytest.raises(ValueError, match="Let the model end in a softmax"):
        model.evaluate(x, np.zeros(10, int), metrics=["crossentropy"])


def test_confusion_matrix_counts_rows_of_the_truth():
    matrix = confusion_matrix(TRUTH, Y)
    for true in range(3):
        for said in range(3):
            assert matrix[true, said] == np.sum((TRUTH == true) & (Y.argmax(axis=1) == said))


def test_names_of_back_ends_are_the_modules():
    assert set(backends.names()) >= {"native", "reference"}
    assert backends.availability()["reference"] is None
