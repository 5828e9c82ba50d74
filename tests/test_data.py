"""Data sets are read in every supported form; damage is reported."""

import gzip
import struct

import numpy as np
import pytest

from pynq_circnn import data


def idx(array):
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    return (x[:3], np.arange(3, dtype=np.uint8)), (x[3:], np.arange(2, dtype=np.uint8))


def check(splits, arrays):
    for split, expected in zip(splits, arrays):
        for found, array in zip(split, expected):
            np.testing.assert_array_equal(found, array)


def test_mnist_from_npz(tmp_path, arrays):
    (x, y), (x_test, y_test) = arrays
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    check(data.load_mnist(str(tmp_path)), arrays)


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_from_idx(tmp_path, arrays, zipped):
    for names, split in zip(data._IDX_FILES, arrays):
        for name, array in zip(names, split):
            content = gzip.compress(idx(array)) if zipped else idx(array)
            (tmp_path / (name + ".gz" * zipped)).write_bytes(content)
    check(data.load_mnist(str(tmp_path)), arrays)


def test_mnist_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mnist\.npz or the four IDX files"):
        data.load_mnist(str(tmp_path))


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*/nowhere'"):
        data.load_mnist(str(tmp_path / "nowhere"))
    (tmp_path / "mnist.npz").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"is a file.*the folder it lies in"):
        data.load_mnist(str(tmp_path / "mnist.npz"))


def test_mnist_without_a_network_says_what_to_pass(monkeypatch):
    keras = pytest.importorskip("keras_backend").keras

    def offline():
        raise Exception("URL fetch failure on https://host/mnist.npz: None -- [Errno -2] no name")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    with pytest.raises(ConnectionError) as caught:
        data.load_mnist()
    words = (
        "https://host/mnist.npz",
        "--data DIR",
        "mnist.npz with x_train",
        "t10k-labels-idx1-ubyte",
    )
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "IDX file"),
        (b"\0\0\x0d\3" + bytes(12), "magic number"),
        (idx(np.zeros((2, 28, 28), np.uint8))[:-1], "IDX file of bytes"),
        (idx(np.zeros((2, 27, 28), np.uint8)), r"uint8 images of shape \(n, 28, 28\)"),
    ],
)
def test_damaged_idx(tmp_path, arrays, content, message):
    for names, split in zip(data._IDX_FILES, arrays):
        for name, array in zip(names, split):
            (tmp_path / name).write_bytes(idx(array))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.load_mnist(str(tmp_path))


def test_damaged_npz(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match="must be a NumPy archive with x_train"):
        data.load_mnist(str(tmp_path))
    (tmp_path / "mnist.npz").write_text("1,2,3")
    with pytest.raises(ValueError, match=r"Received: text\."):
        data.load_mnist(str(tmp_path))
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3))
    with pytest.raises(ValueError, match="y_train"):
        data.load_mnist(str(tmp_path))


def test_digits_are_split_once_and_for_all():
    pytest.importorskip("sklearn")
    (x, y), (x_test, y_test) = data.load_digits()
    assert x.shape == (1297, 64) and x_test.shape == (500, 64)
    assert x.dtype == y.dtype == np.uint8 and x.max() == 16
    assert y_test[:10].tolist() == [8, 1, 3, 8, 5, 8, 1, 4, 9, 7]
    assert not {row.tobytes() for row in x} & {row.tobytes() for row in x_test}
