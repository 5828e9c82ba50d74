"""The ``.circnn`` file: a quantised network with everything that its user needs.

Format, versions 1 and 2
------------------------
1.  A file MUST be a NumPy ``.npz``: a ZIP archive whose members are ``.npy`` arrays.  Any NumPy
    can open it with ``numpy.load(path, allow_pickle=False)``.
2.  Members MUST be stored without compression or encryption, so that no file can claim more
    memory than it has bytes, and MUST be little-endian, C-ordered, ``.npy`` version 1.0.
3.  The member ``header`` MUST be the first: ``uint8``, one dimension, the bytes of a JSON object
    in UTF-8 of at most 4 MiB, nested at most 100 deep.  Its keys are:
4.  ``format`` MUST be ``"circnn"``.  ``version`` MUST be 2 if the ``Input`` has two extents, or a
    ``scale`` and an ``offset`` for inputs other than bytes (each a number, or a list with one for
    each feature or channel), and 1 otherwise.  A reader MUST refuse another version and MUST
    refuse keys that it does not know.
5.  ``layers`` MUST be a list of 1 to 4,096 objects in topological order, each with the keys
    ``kind``, ``config`` and ``schedule`` and optionally ``snr_db``; they are the fields of
    :mod:`pynq_circnn.layers` and the entries of the layer's ``schedule_specs``.
    The first layer is the ``Input``, whose ``uint8_scale`` and ``uint8_offset`` are the
    preprocessing of unscaled bytes.
6.  ``name`` MUST be a text.  ``labels`` MUST be null or a list of texts, one for each output.
7.  ``provenance`` MUST be an object; it MAY hold anything, such as data set, figures, recipe.
8.  For every array of layer ``i`` (from 0) there MUST be a member ``i.name`` (``3.weights``,
    ``3.scale``, ``3.bias``): ``int16`` weights as packed half spectra, ``int16`` scales,
    ``int32`` biases, of the shapes that the layer's ``config`` determines.  The only other member
    is the last one:
9.  ``sha256``: 32 ``uint8``, the SHA-256 of the raw data of all members before it, in order.
10. A writer MUST keep this order.  A reader MUST check all of the above before it uses anything,
    and MUST refuse words beyond +-32767 and biases beyond +-2**30.
"""

import hashlib
import io
import json
import math
import os
import re
import tempfile
import zipfile
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Union

import numpy as np

from .. import files
from ..contract import LIMITS
from ..errors import ModelFileError
from ..layers.base import Layer, Shape, from_config, size_of
from ..layers.input import Input
from .graph import infer_shapes
from .quantized import QuantizedNetwork

FORMAT, VERSIONS = "circnn", (1, 2)
HEADER_MAX_BYTES = 4 << 20
NESTING_MAX = 100
_NESTING = re.compile(r'\\.|["\[\]{}]', re.DOTALL)

_NPY = re.compile(
    rb"\x93NUMPY\x01\x00(..)"
    rb"\{'descr': '([<|][a-z][0-9])', 'fortran_order': False, "
    rb"'shape': \(([0-9, ]{0,200})\), \} *\n",
    re.DOTALL,
)
_KEYS = {"format", "version", "name", "labels", "provenance", "layers"}
_LAYER_KEYS = {"kind", "config", "schedule", "snr_db"}


class ModelData(NamedTuple):
    """The contents of a file."""

    network: QuantizedNetwork
    name: str
    labels: Optional[List[str]]
    provenance: Dict[str, Any]


def dumps(data: ModelData) -> bytes:
    """Return the bytes of a file; the same model always gives the same bytes."""
    network = data.network
    layers = []
    for layer in network.layers:
        entry: Dict[str, Any] = {"kind": layer.kind, "config": layer.config()}
        entry["schedule"] = dict(network.schedules[layer.name])
        if layer.name in network.snr_db:
            entry["snr_db"] = round(float(network.snr_db[layer.name]), 2)
        layers.append(entry)
    header = {
        "format": FORMAT,
        "version": _version(network.input),
        "name": data.name,
        "labels": data.labels,
        "provenance": data.provenance,
        "layers": layers,
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    _parse(text)  # raises for a header that a reader would refuse
    members: Dict[str, Any] = {"header": np.frombuffer(text.encode("utf-8"), np.uint8)}
    if members["header"].size > HEADER_MAX_BYTES:
        raise ValueError(
            f"the header must have at most {HEADER_MAX_BYTES} bytes. "
            f"Received: {members['header'].size}. Shorten the provenance."
        )
    for index, layer in enumerate(network.layers):
        for name, array in network.arrays[layer.name].items():
            members[f"{index}.{name}"] = array.astype(array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(b"".join(array.tobytes() for array in members.values()))
    members["sha256"] = np.frombuffer(digest.digest(), np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # the members' date is ZipInfo's: 1980
        for name, array in members.items():
            info = zipfile.ZipInfo(name + ".npy")
            info.create_system = 3
            archive.writestr(info, _npy(array))
    return buffer.getvalue()


def _version(entry: Input) -> int:
    """Return the version of the format that holds a network with this input."""
    return 2 if entry.rescales or len(entry.shape) == 2 else 1


def _npy(array: np.ndarray) -> bytes:
    """Return the bytes of an ``.npy`` file; NumPy's own differ from version to version."""
    text = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    size = len(text).to_bytes(2, "little")
    return b"\x93NUMPY\x01\x00" + size + text.encode("ascii") + array.tobytes()


def write(data: ModelData, path: Union[str, "os.PathLike[str]"]) -> None:
    """Write a file; an existing one is replaced only when the new one is complete.

    Raises
    ------
    OSError
        If the folder does not exist or is not writable, or `path` is a folder.
    """
    path = os.fspath(path)
    files.check_folder(path)
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"path must be a file's. Received: {path!r}, a folder. Name a file in it: "
            f"{os.path.join(path, data.name + '.circnn')!r}."
        )
    content = dumps(data)
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=".circnn-", dir=folder)
    except OSError as error:  # names the temporary file, unknown to the user
        raise type(error)(
            f"the folder of {path!r} must be writable. Received: {folder!r}, {error.strerror}. "
            "Save to a folder of your own."
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before it replaces another: a board may lose its power
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as open() would have made it
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: Union[str, "os.PathLike[str]"]) -> ModelData:
    """Return the contents of a file.

    Raises
    ------
    ModelFileError
        If the file breaks the format in any way.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    return loads(content, os.fspath(path))


def loads(content: bytes, source: str = "the model") -> ModelData:
    """Return the contents of a file from its bytes; `source` names them in errors.

    Raises
    ------
    ModelFileError
        If the bytes break the format in any way.
    """
    kind = files.kind_of(io.BytesIO(content))
    if kind not in (files.CIRCNN, files.NPZ, files.ZIP, None):
        how = "with pynq_circnn.keras.convert(path, calibration_data); save the result as .circnn."
        remedies = {
            files.KERAS: f" Convert it {how}",
            files.HDF5: f" A Keras model is converted {how}",
        }
        advice = remedies.get(kind, "")
        raise ModelFileError(f"{source} must be a .circnn file. Received: {kind.name}.{advice}")
    try:
        return _Reader(content, source).read()
    except (ModelFileError, MemoryError):
        raise
    except Exception as error:  # whatever zipfile, json or a layer finds wrong
        raise ModelFileError(
            f"{source} must be a .circnn file. Received: {error!s:.1000}"
        ) from error


class _Reader:
    """Reads members one by one, and checks each before it is used."""

    def __init__(self, content: bytes, source: str) -> None:
        self.source = source
        self.content = content
        self.archive = zipfile.ZipFile(io.BytesIO(content))
        self.members = self.archive.infolist()
        self.position = 0
        self.digest = hashlib.sha256()

    def refuse(self, constraint: str, received: Any) -> NoReturn:
        raise ModelFileError(
            f"{self.source}: {constraint}. Received: {received!r:.200}. "
            "Get the file again, or save the model again with this version."
        )

    def member(self, name: str, dtype: str, shape: Optional[Shape], most: int) -> np.ndarray:
        """Return the next member, which must be of this name, dtype and shape (None: 1-D)."""
        if self.position >= len(self.members):
            self.refuse(f"member {name} must be present", "the end of the archive")
        info = self.members[self.position]
        self.position += 1
        if info.filename != name + ".npy":
            self.refuse(f"member {self.position} must be {name}.npy", info.filename)
        stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if not stored or info.flag_bits & 1 or info.file_size > min(most + 1024, len(self.content)):
            self.refuse(
                f"{name} must be stored plainly, with at most {most} bytes of data",
                f"{info.file_size} bytes, method {info.compress_type}",
            )
        with self.archive.open(info) as file:
            raw = file.read(info.file_size + 1)
        match = _NPY.match(raw)
        if not match or len(match.group()) != 10 + int.from_bytes(match.group(1), "little"):
            self.refuse(f"{name} must be a plain .npy array of version 1.0", raw[:80])
        data = raw[match.end() :]
        actual = tuple(
            int(extent) for extent in match.group(3).decode().split(",") if extent.strip()
        )
        descr = match.group(2).decode()
        if shape is None:
            shape = (len(data),)
        if actual != shape or descr != dtype:
            self.refuse(f"{name} must be {dtype} of shape {shape}", f"{descr} of {actual}")
        if len(data) != size_of(shape) * int(dtype[2:]):
            self.refuse(f"{name} must have {size_of(shape) * int(dtype[2:])} bytes", len(data))
        if name != "sha256":
            self.digest.update(data)
        return np.frombuffer(data, dtype).reshape(shape)

    def read(self) -> ModelData:
        header = self.header()
        layers, schedules, snr_db = self.layers(header["layers"])
        shapes = infer_shapes(layers)
        assert isinstance(layers[0], Input)  # checked by infer_shapes
        if header["version"] != _version(layers[0]):
            self.refuse(f"version must be {_version(layers[0])} for this input", header["version"])
        arrays: Dict[str, Dict[str, np.ndarray]] = {}
        for index, layer in enumerate(layers):
            specs = layer.array_specs(*(shapes[name] for name in layer.inputs))
            arrays[layer.name] = {
                name: self.member(
                    f"{index}.{name}",
                    np.dtype(spec.dtype).newbyteorder("<").str,
                    spec.shape,
                    size_of(spec.shape) * np.dtype(spec.dtype).itemsize,
                )
                for name, spec in specs.items()
            }
        expected = self.digest.digest()
        stored = self.member("sha256", "|u1", (32,), 32).tobytes()
        if stored != expected:
            self.refuse(f"the checksum must be {expected.hex()}", stored.hex())
        if self.position != len(self.members):
            self.refuse("no further member may follow", self.members[self.position].filename)
        labels = header["labels"]
        outputs = size_of(shapes[layers[-1].name])
        if labels is not None and len(labels) != outputs:
            self.refuse(f"labels must be {outputs}, one for each output", len(labels))
        network = QuantizedNetwork(tuple(layers), schedules, arrays, snr_db)
        return ModelData(network, header["name"], labels, header["provenance"])

    def header(self) -> Dict[str, Any]:
        raw = self.member("header", "|u1", None, HEADER_MAX_BYTES).tobytes()
        header = _parse(raw.decode("utf-8"))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            self.refuse(f'the header must be an object with format "{FORMAT}"', header)
        if type(header.get("version")) is not int or header["version"] not in VERSIONS:
            self.refuse(f"version must be {' or '.join(map(str, VERSIONS))}", header.get("version"))
        if set(header) != _KEYS:
            self.refuse(f"the header's keys must be {sorted(_KEYS)}", sorted(header))
        labels = header["labels"]
        texts = labels is None or (
            isinstance(labels, list) and all(isinstance(label, str) for label in labels)
        )
        if not isinstance(header["name"], str) or not texts:
            self.refuse("name and labels must be texts", (header["name"], labels))
        if not isinstance(header["provenance"], dict):
            self.refuse("provenance must be an object", header["provenance"])
        return header

    def layers(self, entries: Any) -> Tuple[List[Layer], Dict[str, Any], Dict[str, float]]:
        if not isinstance(entries, list) or not 1 <= len(entries) <= LIMITS["layers"]:
            self.refuse(f"layers must be a list of 1 to {LIMITS['layers']}", entries)
        layers, schedules, snr_db = [], {}, {}
        for entry in entries:
            if (
                not isinstance(entry, dict)
                or not _LAYER_KEYS - {"snr_db"} <= set(entry) <= _LAYER_KEYS
            ):
                self.refuse(f"the keys of a layer must be {sorted(_LAYER_KEYS)}", entry)
            if not isinstance(entry["config"], dict) or not isinstance(entry["schedule"], dict):
                self.refuse("config and schedule of a layer must be objects", entry)
            layer = from_config(entry["kind"], entry["config"])
            layers.append(layer)
            schedules[layer.name] = entry["schedule"]
            if "snr_db" in entry:
                if isinstance(entry["snr_db"], bool) or not isinstance(
                    entry["snr_db"], (int, float)
                ):
                    self.refuse("snr_db must be a number", entry["snr_db"])
                snr_db[layer.name] = float(entry["snr_db"])
        return layers, schedules, snr_db


def _parse(text: str) -> Any:
    """Return the header's JSON value; values that could not be written again are refused."""
    _check_nesting(text)
    value = json.loads(
        text, parse_int=_short_integer, parse_float=_finite, parse_constant=_no_constant
    )
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # raises for half of a surrogate pair
    return value


def _check_nesting(text: str) -> None:
    """Refuse nesting that would exhaust the stack: up to Python 3.8 that can end the process."""
    depth, in_string = 0, False
    for match in _NESTING.finditer(text):
        token = match.group()
        if token == '"':
            in_string = not in_string
        elif not in_string and token in "[{":
            depth += 1
            if depth > NESTING_MAX:
                raise ValueError(f"the header must be nested at most {NESTING_MAX} deep")
        elif not in_string and token in "]}":
            depth -= 1


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text:.40} is beyond float64")
    return float(text)


def _short_integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
