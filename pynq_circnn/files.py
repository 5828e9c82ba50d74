"""Recognition of the kind of file that the user gave, for helpful error messages."""

import os
import zipfile
from typing import BinaryIO, NamedTuple, Optional


class Kind(NamedTuple):
    """A kind of file, and how to read an array of numbers from it ("" if that is impossible)."""

    name: str
    to_array: str = ""


CIRCNN, NPY, NPZ = Kind("a .circnn model"), Kind("a NumPy array"), Kind("a NumPy archive")
KERAS = Kind("a Keras model")
HDF5 = Kind("an HDF5 file", 'h5py.File("{path}")["name of the data set"][:]')
TORCH = Kind("a PyTorch file", 'torch.load("{path}").numpy()')
PICKLE = Kind("a pickle, which could run any code", 'pickle.load(open("{path}", "rb"))')
TEXT = Kind("text", 'numpy.loadtxt("{path}", delimiter=",")')
EMPTY, ZIP = Kind("an empty file"), Kind("a ZIP archive")
_HEAD = 4096  # bytes that are looked at
_IMAGE = 'numpy.asarray(PIL.Image.open("{path}"))'
BMP = Kind("a BMP image", _IMAGE)
_MAGIC = (
    (b"\x93NUMPY", NPY),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG image", _IMAGE)),
    (b"\xff\xd8\xff", Kind("a JPEG image", _IMAGE)),
    (b"GIF8", Kind("a GIF image", _IMAGE)),
    (b"\x1f\x8b", Kind("a gzip file")),
    (b"\x80", PICKLE),
)


def kind_of(file: BinaryIO) -> Optional[Kind]:
    """Return the kind of an open file, or ``None`` if it is unknown."""
    head = file.read(_HEAD)
    if not head:
        return EMPTY
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):  # the latter is an empty archive
        return _zip_kind(file)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _is_text(head):
        return TEXT
    return BMP if head[:2] == b"BM" else None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t\ufeff" for letter in text)


def _zip_kind(file: BinaryIO) -> Optional[Kind]:
    try:
        names = zipfile.ZipFile(file).namelist()
    except Exception:  # zipfile raises many types of exceptions for a damaged archive
        return None
    if "config.json" in names and "metadata.json" in names:
        return KERAS
    if any(name.endswith("/data.pkl") for name in names):
        return TORCH
    if "header.npy" in names and "sha256.npy" in names:
        return CIRCNN
    return NPZ if all(name.endswith(".npy") for name in names) else ZIP


def check_folder(path: str) -> None:
    """Raise an error if the folder that a file is to be written to does not exist.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        The message names the folder and how to fix it.
    """
    folder = os.path.dirname(path) or "."
    if os.path.isdir(folder):
        return
    if os.path.exists(folder):
        raise NotADirectoryError(
            f"{path!r} must lie in a folder. Received: {folder!r}, which is a file."
        )
    raise FileNotFoundError(
        f"{path!r} must lie in a folder that exists. Received: there is no folder {folder!r}. "
        f"Create it: os.makedirs({folder!r})."
    )
