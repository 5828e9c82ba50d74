"""The data sets that the shipped models were trained on; they are read, and never shipped."""

import gzip
import os
import struct
from typing import Optional, Tuple

import numpy as np

from . import files

Split = Tuple[np.ndarray, np.ndarray]

_IDX_FILES = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
_MNIST_FOLDER = (
    "a folder (circnn train: --data DIR) that holds mnist.npz with x_train, y_train, x_test and "
    f"y_test, or {', '.join(name for pair in _IDX_FILES for name in pair)}, each gzipped or not"
)


def load_digits() -> Tuple[Split, Split]:
    """Return scikit-learn's bundled UCI digits as ``(x, y)`` to train on and ``(x, y)`` held out.

    The split is fixed: a seeded permutation, 1,297 images to train on and 500 held out.

    Returns
    -------
    two pairs of ndarray of uint8, shapes (n, 64) and (n,)
        Pixels are 0 to 16, labels 0 to 9.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits as bundled
    except ImportError as error:
        raise ImportError(
            "the digits data set must come from scikit-learn, which is not installed. "
            "Run: pip install scikit-learn"
        ) from error
    digits = bundled()
    order = np.random.RandomState(2017).permutation(len(digits.target))  # the same on any NumPy
    x, y = digits.data[order].astype(np.uint8), digits.target[order].astype(np.uint8)
    return (x[500:], y[500:]), (x[:500], y[:500])


def load_mnist(folder: Optional[str] = None) -> Tuple[Split, Split]:
    """Return MNIST as ``(x, y)`` to train on and ``(x, y)`` to test with.

    Parameters
    ----------
    folder : str, optional
        Folder with ``mnist.npz`` (``x_train``, ``y_train``, ``x_test``, ``y_test``) or the four
        IDX files under their original names, gzipped or not.  Without it, ``keras.datasets``
        downloads the file once.

    Returns
    -------
    two pairs of ndarray of uint8, shapes (n, 28, 28) and (n,)

    Raises
    ------
    FileNotFoundError
        If the folder holds neither.
    ValueError
        If a file is damaged or holds something else.
    ImportError
        If no folder is given and Keras is not installed.
    """
    if folder is None:
        return _download_mnist()
    if os.path.isfile(folder):
        raise NotADirectoryError(
            f"folder must be a folder. Received: {folder!r}, which is a file. Pass the folder it "
            "lies in."
        )
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"folder must be one that exists. Received: there is no folder {folder!r}. "
            f"Pass {_MNIST_FOLDER}."
        )
    path = os.path.join(folder, "mnist.npz")
    if os.path.exists(path):
        train, test = _read_npz(path)
    else:
        train, test = (
            (_read_idx(_find(folder, images)), _read_idx(_find(folder, labels)))
            for images, labels in _IDX_FILES
        )
    for x, y in (train, test):
        if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1]:
            raise ValueError(
                "MNIST must be uint8 images of shape (n, 28, 28) and n labels. "
                f"Received: {x.dtype} {x.shape} and {y.shape} in {folder!r}. "
                "Use the original files."
            )
    return train, test


def _download_mnist() -> Tuple[Split, Split]:
    """Return MNIST from ``keras.datasets``, which downloads it at the first call."""
    from . import keras_backend

    try:
        keras_backend.choose()
        import keras
    except ImportError as error:
        raise ImportError(
            "without a folder MNIST must come from keras.datasets, which cannot be imported. "
            f"Received: {error}. Or pass {_MNIST_FOLDER}."
        ) from error
    try:
        train, test = keras.datasets.mnist.load_data()
        return train, test
    except Exception as error:  # Keras raises a plain Exception for a failed download
        raise ConnectionError(
            "without a folder MNIST must be downloaded by keras.datasets, which failed. "
            f"Received: {error}. Connect to the internet, or pass {_MNIST_FOLDER}."
        ) from error


def _read_npz(path: str) -> Tuple[Split, Split]:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in names]
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds
        with open(path, "rb") as raw:
            kind = files.kind_of(raw)
        received = error if kind in (files.NPZ, files.ZIP, None) else kind.name
        raise ValueError(
            f"{path} must be a NumPy archive with {', '.join(names)}. Received: {received}. "
            "Download it again, or use the IDX files."
        ) from error
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _find(folder: str, name: str) -> str:
    for suffix in ("", ".gz"):
        path = os.path.join(folder, name + suffix)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(
        f"the folder must hold mnist.npz or the four IDX files. Received: {folder!r}, "
        f"which has neither mnist.npz nor {name}[.gz]."
    )


def _read_idx(path: str) -> np.ndarray:
    """Return the array of an IDX file: magic (type 8 = uint8, rank), extents, bytes."""
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            content = file.read()
        zeros, kind, rank = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{rank}I", content, 4)
        if (zeros, kind) != (0, 8):
            raise ValueError(f"magic number is {content[:4].hex()}, expected 0000 08 and a rank")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, struct.error, ValueError) as error:
        raise ValueError(
            f"{path} must be an IDX file of bytes. Received: {error}. Download it again."
        ) from error
