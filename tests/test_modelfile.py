"""The .circnn file: golden files, the same bytes every time, and a typed error for every fault."""

import io
import json
import os
import time
import tracemalloc
import warnings
import zipfile

import examples
import fuzz_modelfile
import numpy as np
import pytest
from fuzz_modelfile import archive_of, header_of, npy, parts_of, sealed, with_header

from pynq_circnn import Model, ModelFileError, load_model
from pynq_circnn.network import modelfile

GOLDEN = os.path.join(os.path.dirname(__file__), "golden", "version_1")
GOLDEN_2 = os.path.join(os.path.dirname(__file__), "golden", "version_2")
TINY = examples.tiny_model().to_bytes()
SEVERAL = examples.model().to_bytes()


def refused(content, message=""):
    """The message of the typed error, which must name the fault."""
    with pytest.raises(ModelFileError) as error:
        Model.from_bytes(content)
    assert message in str(error.value)
    assert len(str(error.value)) < 2000


# -- what is written is read --------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_golden_file_of_version_2(backend):
    model, known = load_model(GOLDEN_2 + ".circnn"), np.load(GOLDEN_2 + ".npz")
    assert model.input_shape == (5, 6) and model.network.input.rescales
    for x in ("x", "x_float"):
        np.testing.assert_array_equal(model.predict(known[x], backend=backend), known["y" + x[1:]])


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_golden_file_of_version_1(backend):
    model, known = load_model(GOLDEN + ".circnn"), np.load(GOLDEN + ".npz")
    saturations = np.zeros_like(known["saturations"])
    plan = model.plan(backend)
    np.testing.assert_array_equal(
        plan.run(known["x_float"], saturations=saturations), known["y_float"]
    )
    np.testing.assert_array_equal(saturations, known["saturations"])
    np.testing.assert_array_equal(plan.run(known["x"]), known["y"])
    assert model.labels == examples.LABELS and model.name == "several kinds"
    assert model.provenance == {"data": "random", "figures": {"n": 64}}
    assert {layer.kind for layer in model.layers} >= {"Conv2D", "Add", "AveragePool2D", "Softmax"}


@pytest.mark.parametrize("golden", [GOLDEN, GOLDEN_2])
def test_golden_bytes_are_written_again(golden):
    with open(golden + ".circnn", "rb") as file:
        content = file.read()
    assert Model.from_bytes(content).to_bytes() == content


def test_the_same_model_gives_the_same_bytes(tmp_path):
    paths = [tmp_path / "a.circnn", str(tmp_path / "b.circnn")]
    for path in paths:
        Model.from_bytes(SEVERAL).save(path)
        with open(path, "rb") as file:
            assert file.read() == SEVERAL


def test_round_trip_keeps_everything():
    model, again = examples.model(), Model.from_bytes(SEVERAL)
    assert again.layers == model.layers
    assert again.network.schedules == model.network.schedules
    assert again.network.exponents == model.network.exponents
    assert again.info() == {**model.info(), "layers": again.info()["layers"]}
    for name, arrays in model.network.arrays.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(again.network.arrays[name][key], array)
            assert not again.network.arrays[name][key].flags.writeable
    for name, snr in model.network.snr_db.items():
        assert abs(again.network.snr_db[name] - snr) <= 0.005001


def test_any_numpy_can_open_it():
    with np.load(io.BytesIO(SEVERAL), allow_pickle=False) as file:
        assert file.files[0] == "header" and file.files[-1] == "sha256"
        assert json.loads(file["header"].tobytes())["format"] == "circnn"
        assert file["1.weights"].dtype == np.int16 and file["1.bias"].dtype == np.int32


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"name": 5}, "name must be a text"),
        ({"labels": [0, 1, 2]}, "labels must be texts"),
        ({"labels": ["one"]}, "labels must be 3"),
        ({"provenance": {"n": 10**25}}, "integer of 26 digits"),
        ({"provenance": {"loss": float("nan")}}, "not JSON compliant"),
        ({"provenance": {"text": "x" * (5 << 20)}}, "Shorten the provenance"),
    ],
)
def test_what_could_not_be_read_is_not_written(changes, message):
    with pytest.raises(ValueError, match=message):
        Model(examples.tiny_model().network, **changes).to_bytes()


# -- damaged files ------------------------------------------------------------------------------


def test_truncated_at_every_length():
    for length in range(len(TINY)):
        refused(TINY[:length])


def test_every_bit_flip_is_refused_or_changes_nothing():
    expected = header_of(TINY)
    for position in range(0, 8 * len(TINY), 5):
        data = bytearray(TINY)
        data[position // 8] ^= 1 << position % 8
        try:
            assert Model.from_bytes(bytes(data)).to_bytes() == TINY  # a date, say
        except ModelFileError:
            continue
    assert header_of(TINY) == expected


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 1000, b"\0" * 1000, npy(np.zeros(4))])
def test_other_files_are_refused(content):
    refused(content, "must be a .circnn file")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda m: [*m, m[-1]], "no further member may follow"),
        (lambda m: [*m, ("more.npy", npy(np.zeros(3)))], "no further member may follow"),
        (lambda m: [m[0], m[0], *m[1:]], "member 2 must be 1.weights.npy"),
        (lambda m: m[1:], "member 1 must be header.npy"),
        (lambda m: m[:-1], "member sha256 must be present"),
        (lambda m: m[:1], "member 1.weights must be present"),
        (lambda m: [], "member header must be present"),
        (lambda m: [m[0], m[2], m[1], *m[3:]], "member 2 must be 1.weights.npy"),
        (lambda m: [*m[:2], ("../evil.npy", m[2][1]), *m[3:]], "member 3 must be 1.scale.npy"),
    ],
)
def test_members_are_all_there_in_order(change, message):
    members = list(parts_of(SEVERAL).items())
    refused(archive_of(change(members)), message)


def test_archive_of_the_members_is_accepted():
    assert Model.from_bytes(archive_of(parts_of(SEVERAL))).to_bytes() == SEVERAL


def test_compressed_members_are_refused():
    refused(archive_of(parts_of(SEVERAL), zipfile.ZIP_DEFLATED), "must be stored plainly")


def with_array(name, array, raw=None):
    members = parts_of(SEVERAL)
    members[name + ".npy"] = npy(array) if raw is None else raw
    return archive_of(sealed(members))


WEIGHTS = np.load(io.BytesIO(SEVERAL))["9.weights"]  # (1, 3, 8), of the dense layer


@pytest.mark.parametrize(
    "array, message",
    [
        (WEIGHTS[:, :2], "<i2 of shape (1, 3, 8)"),
        (WEIGHTS[..., None], "<i2 of shape (1, 3, 8)"),
        (WEIGHTS.astype(">i2"), "must be a plain .npy array"),
        (WEIGHTS.astype(np.int32), "must be <i2 of shape (1, 3, 8)"),
        (WEIGHTS.astype(np.float32), "must be <i2 of shape (1, 3, 8)"),
        (WEIGHTS.astype(np.uint16), "must be <i2 of shape (1, 3, 8)"),
        (np.zeros((1, 3, 8), [("a", "<i2")]), "must be a plain .npy array"),
        (np.asfortranarray(np.ones((2, 3, 8), np.int16)), "must be a plain .npy array"),
        (np.full_like(WEIGHTS, -32768), "must lie within +-32767"),
    ],
)
def test_arrays_are_of_the_layers_shape_and_dtype(array, message):
    refused(with_array("9.weights", array), message)


def test_biases_are_within_their_range():
    bias = np.load(io.BytesIO(SEVERAL))["9.bias"].copy()
    bias[0] = 2**30 + 1
    refused(with_array("9.bias", bias), "must lie within +-1073741824")


def lying(shape, descr="<i2", order="False", version=b"\x01\x00", data=b""):
    """An .npy that claims more than it contains."""
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "raw",
    [
        lying("(1099511627776,)"),
        lying("(1, 3, 8)"),
        lying("(1, 3, 8)", data=bytes(47)),
        lying("(1, 3, 8)", data=bytes(49)),
        lying("(1, 3, 8)", order="True", data=bytes(48)),
        lying("(1, 3, 8)", version=b"\x02\x00", data=bytes(48)),
        lying("(1, 3, 8)", descr="|O", data=bytes(48)),
        lying("(" + "9" * 180 + ",)"),
        lying("(-1, 3, 8)", data=bytes(48)),
        lying("(1, 3, __import__('os'))", data=bytes(48)),
        b"",
        b"\x93NUMPY",
    ],
)
def test_arrays_that_lie_are_refused(raw):
    refused(with_array("9.weights", None, raw))


# -- headers that are wrong ---------------------------------------------------------------------


def edited(edit, content=SEVERAL):
    header = header_of(content)
    return with_header(content, edit(header) or header)


def config(index, **changes):
    return lambda header: header["layers"][index]["config"].update(changes)


def schedule(index, **changes):
    return lambda header: header["layers"][index]["schedule"].update(changes)


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda h: h.update(version=0), "version must be 1 or 2. Received: 0"),
        (lambda h: h.update(version=3), "version must be 1 or 2. Received: 3"),
        (lambda h: h.update(version=2), "version must be 1 for this input. Received: 2"),
        (lambda h: h.update(version=True), "version must be 1 or 2. Received: True"),
        (config(0, scale=0.5, offset=0.0), "version must be 2 for this input. Received: 1"),
        (lambda h: h.update(format="onnx"), 'format "circnn"'),
        (lambda h: h.update(more=1), "the header's keys must be"),
        (lambda h: h.pop("labels") and None, "the header's keys must be"),
        (lambda h: [h], "the header must be an object"),
        (lambda h: h.update(name=None), "name and labels must be texts"),
        (lambda h: h.update(labels=[1, 2, 3]), "name and labels must be texts"),
        (lambda h: h.update(labels=["a", "b"]), "labels must be 3"),
        (lambda h: h.update(provenance=[]), "provenance must be an object"),
        (lambda h: h.update(layers={}), "layers must be a list of 1 to 4096"),
        (lambda h: h.update(layers=[]), "layers must be a list of 1 to 4096"),
        (lambda h: h.update(layers=h["layers"] * 400), "layers must be a list of 1 to 4096"),
        (lambda h: h["layers"].insert(1, 5), "the keys of a layer must be"),
        (lambda h: h["layers"][1].update(units=5), "the keys of a layer must be"),
        (lambda h: h["layers"][1].pop("schedule") and None, "the keys of a layer must be"),
        (lambda h: h["layers"][1].update(config=[]), "must be objects"),
        (lambda h: h["layers"][1].update(snr_db="80"), "snr_db must be a number"),
        (lambda h: h["layers"][1].update(kind="Transformer"), "kind of a layer must be one of"),
        (lambda h: h["layers"][1].update(kind=["Dense"]), "kind of a layer must be one of"),
        (lambda h: h["layers"].pop(0) and None, "must begin with an Input"),
        (config(1, inputs=["gate"]), "names of earlier layers. Received: 'gate'"),
        (config(1, inputs=["conv"]), "names of earlier layers. Received: 'conv'"),
        (config(1, inputs="image"), "tuple of names"),
        (config(3, name="conv"), "names of layers must be unique"),
        (config(1, name="x" * 201), "1 to 200 characters"),
        (config(1, filters=10**19), "at most 65535"),
        (config(7, filters=65535), "<i2 of shape (2, 2, 32768, 2, 2)"),
        (config(9, units=65535), "<i2 of shape (8192, 3, 8)"),
        (config(1, block=3), "power of two"),
        (config(1, block=8), "<i2 of shape (3, 3, 1, 1, 8)"),
        (config(1, more=8), "fields of a Conv2D must be among"),
        (config(0, uint8_scale="NaN"), "uint8_scale must lie in"),
        (config(0, shape=[60000, 60000, 60000]), "at most 67108864 elements"),
        (schedule(1, accumulate_shift=41), "must be an integer from 0 to 40"),
        (schedule(1, accumulate_shift=[1]), "must be an integer from 0 to 40"),
        (schedule(1, forward_shifts=[1, 2]), "must be 2 integers from 0 to 1"),
        (schedule(1, forward_shifts=[1]), "must be 2 integers from 0 to 1"),
        (schedule(1, output_shift=True), "must be an integer"),
        (schedule(1, output_shift=1.0), "must be an integer"),
        (schedule(1, scale_exponent=10**19), "must be an integer from -110 to 110"),
        (schedule(1, more=1), "must have the entries"),
        (config(0, uint8_scale=1e6), "must fit the input's exponent"),
        (schedule(10, scale_exponent=110, weights_exponent=110), "must lie within +-110"),
        (schedule(2, scale_exponent=40), "must differ by at most 15"),
        (schedule(9, scale_exponent=0), "must bring exponent -12"),
    ],
)
def test_wrong_headers_are_refused(edit, message):
    refused(edited(edit), message)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", ""),
        (b"\xff\xfe{}", ""),
        (b"[" * 100_000, "nested at most 100 deep"),
        (b'{"a":' * 100_000, "nested at most 100 deep"),
        (b'{"format": "circnn", "version": ' + b"9" * 5000 + b"}", "integer of 5000 digits"),
        (b'{"format": "circnn", "version": NaN}', "NaN is not a JSON number"),
        (b'{"format": "circnn", "version": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"format": "circnn", "version": 1e999}', "1e999 is beyond float64"),
        (b'{"format": "circnn", "name": "\\ud800"}', "surrogates not allowed"),
    ],
)
def test_headers_that_are_no_json_are_refused(text, message):
    refused(with_header(SEVERAL, text), message)


@pytest.mark.parametrize("depth", [97, 98])
def test_nesting_is_limited(depth):
    """The provenance lies two deep; brackets in texts do not count."""
    model = Model.from_bytes(SEVERAL)
    model.provenance["text"] = '[{"' * 1000 + "\\"
    value = "innermost"
    for _ in range(depth):
        value = [value]
    model.provenance["deep"] = value
    if depth == 98:
        assert Model.from_bytes(model.to_bytes()).provenance == model.provenance
        model.provenance["deep"] = [value]
        with pytest.raises(ValueError, match="nested at most 100 deep"):
            model.to_bytes()
    else:
        model.to_bytes()


@pytest.mark.parametrize("key, value", [("provenance", "1e400"), ("snr_db", "-1e400")])
def test_infinite_numbers_are_refused(key, value):
    header = header_of(SEVERAL)
    (header["layers"][1] if key == "snr_db" else header)[key] = "@"
    refused(
        with_header(SEVERAL, json.dumps(header).replace('"@"', value).encode()), "beyond float64"
    )


def test_wrong_checksum_is_refused():
    members = parts_of(SEVERAL)
    members["sha256.npy"] = npy(np.zeros(32, np.uint8))
    refused(archive_of(members), "the checksum must be")


def test_large_headers_are_refused():
    refused(with_header(SEVERAL, b" " * (5 << 20)), "at most 4194304 bytes")


# -- bounded time and memory --------------------------------------------------------------------


def bounded(content, seconds=5.0, times=12):
    """Load, and assert that it was fast and needed little more memory than the file has bytes."""
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        Model.from_bytes(content)
        loaded = True
    except ModelFileError:
        loaded = False
    assert time.perf_counter() - begin < seconds
    assert tracemalloc.get_traced_memory()[1] < times * len(content) + (1 << 20)
    tracemalloc.stop()
    return loaded


def chain(count, kind, **more):
    """A header with a chain of layers of a kind that has no arrays."""
    header = header_of(TINY)
    entries = [header["layers"][0]]
    for index in range(count - 1):
        config = {"name": f"{index:0200d}", "inputs": [entries[-1]["config"]["name"]], **more}
        if kind == "Add":
            config["inputs"] *= 2
        entries.append({"kind": kind, "config": config, "schedule": {}})
    header["layers"] = entries
    return header


def test_the_longest_network_is_read():
    members = {
        "header.npy": npy(np.frombuffer(json.dumps(chain(4096, "Reshape")).encode(), np.uint8))
    }
    assert bounded(archive_of(sealed({**members, "sha256.npy": b""})))


def test_long_networks_with_a_late_fault_are_refused_in_time():
    header = chain(4096, "Reshape")
    header["layers"][-1]["config"]["inputs"] = ["nowhere"]
    assert not bounded(with_header(TINY, header))
    refused(with_header(TINY, header), "'nowhere'")


@pytest.mark.parametrize("shape", [[65535, 65535, 65535], [8192, 8192, 1], [10**18]])
def test_claims_of_terabytes_are_refused_at_once(shape):
    def claim(header):
        header["layers"][0]["config"]["shape"] = shape
        header["layers"][1]["kind"] = "Dense" if len(shape) == 1 else "Conv2D"
        del header["layers"][1]["config"]["units"]

    assert not bounded(edited(claim, TINY), seconds=1.0)


def test_overlapping_claims_of_the_directory_are_refused():
    """Members of 4 GiB by the central directory, of a file of 2 KB."""
    data = bytearray(TINY)
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = b"\xf0\xff\xff\xff" * 2
    assert not bounded(bytes(data), seconds=1.0)


# -- fuzzing ------------------------------------------------------------------------------------


def test_mutated_files_are_refused_or_work():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused_count, accepted, slowest = fuzz_modelfile.fuzz(1500, seed=1)
    assert refused_count > 1000 and accepted > 20  # both ways are taken
    assert slowest < 5


def test_reading_names_the_file(tmp_path):
    path = tmp_path / "broken.circnn"
    path.write_bytes(SEVERAL[:100])
    with pytest.raises(ModelFileError, match=r"broken\.circnn must be"):
        modelfile.read(path)
