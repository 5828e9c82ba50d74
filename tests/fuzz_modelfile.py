"""Mutated .circnn files: each is refused with a ModelFileError, or is a model that works.

    python tests/fuzz_modelfile.py --count 10000

reports how many were refused, the longest time that one took, and the process's peak memory.
"""

import argparse
import copy
import hashlib
import io
import json
import random
import resource
import time
import warnings
import zipfile

import examples
import numpy as np

from pynq_circnn import CompileError, Model, ModelFileError
from pynq_circnn.layers import size_of

MODELS = (
    examples.tiny_model,
    examples.model,
    examples.steps_model,
    examples.table_model,
)
NUMBERS = [0, -1, 1, 2, 3, 255, 256, 65535, 65536, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, 1e-320]
OTHERS = [
    None,
    True,
    False,
    "",
    "x",
    "image",
    "Dense",
    [],
    {},
    [[]],
    [-1],
    [1, 1],
    "\ud800",
    "a" * 300,
]
SPECIAL = ["1e999", "NaN", "-Infinity", "9" * 5000, "[" * 2000 + "]" * 2000]


def parts_of(content):
    """The members of a file, by name, as their .npy bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def data_of(member):
    """Return the data after the header of .npy bytes."""
    return member[10 + int.from_bytes(member[8:10], "little") :]


def sealed(members):
    """The members with a checksum that is right."""
    members = dict(members)
    rest = b"".join(data_of(data) for name, data in members.items() if name != "sha256.npy")
    members["sha256.npy"] = npy(np.frombuffer(hashlib.sha256(rest).digest(), np.uint8))
    return members


def archive_of(members, method=zipfile.ZIP_STORED):
    """A ZIP file of (name, bytes) pairs or a mapping."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some tests want a name twice
        for name, data in members.items() if isinstance(members, dict) else members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def header_of(content):
    return json.loads(data_of(parts_of(content)["header.npy"]).decode())


def with_header(content, header):
    """The file with another header (an object, or JSON text) and a right checksum."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    members = parts_of(content)
    members["header.npy"] = npy(np.frombuffer(text, np.uint8))
    return archive_of(sealed(members))


def _places(value, path=()):
    """Every place in nested JSON values, as (container, key)."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, (dict, list)):
            yield from _places(item, (*path, key))


def mutate_header(rng, content):
    """One to three changes of the JSON header."""
    header = copy.deepcopy(header_of(content))
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(list(_places(header)))
        action = rng.random()
        if action < 0.55:
            container[key] = rng.choice(NUMBERS + OTHERS)
        elif action < 0.7 and isinstance(container, dict):
            container[rng.choice(["extra", "block", "shape", key])] = container.pop(key)
        elif action < 0.8:
            del container[key]
        elif action < 0.9 and isinstance(container, list):
            container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
        else:
            container[key] = "@special"
    text = json.dumps(header).replace('"@special"', rng.choice(SPECIAL))
    return with_header(content, text.encode())


def mutate_members(rng, content):
    """Members removed, repeated, exchanged or changed inside, with right checksums."""
    members = list(sealed(parts_of(content)).items())
    at = rng.randrange(len(members))
    action = rng.randrange(5)
    if action == 0:
        del members[at]
    elif action == 1:
        members.insert(rng.randrange(len(members)), members[at])
    elif action == 2:
        other = rng.randrange(len(members))
        members[at], members[other] = members[other], members[at]
    elif action == 3:
        name, data = members[at]
        data = bytearray(data)
        data[rng.randrange(min(len(data), 128))] = rng.randrange(256)
        members[at] = (name, bytes(data))
    else:
        name, data = members[at]
        data = bytearray(data)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        members = list(sealed({**dict(members), name: bytes(data)}).items())
    return archive_of(members, rng.choice([zipfile.ZIP_STORED] * 4 + [zipfile.ZIP_DEFLATED]))


def mutate_bytes(rng, content):
    """Bits flipped, bytes removed, repeated, zeroed or set to large numbers."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.choice([1, 2, 4, 100]))
        action = rng.randrange(6)
        if action <= 1:
            data[at] ^= 1 << rng.randrange(8)
        elif action == 2:
            data[at:end] = bytes(rng.randrange(256) for _ in range(end - at))
        elif action == 3:
            data[at:end] = b"\xff" * (end - at)
        elif action == 4:
            data[at:end] = b""
        else:
            data[at:at] = data[at:end]
        if not data:
            break
    return bytes(data[: rng.randrange(len(data))] if data and rng.random() < 0.1 else data)


def check(content):
    """Return whether the file is refused; what is accepted must save, load and run."""
    try:
        model = Model.from_bytes(content)
    except ModelFileError:
        return True
    saved = model.to_bytes()
    assert Model.from_bytes(saved).to_bytes() == saved
    if sum(map(size_of, model.network.shapes.values())) < 100_000:
        x = np.ones((2, *model.input_shape), dtype=np.float32)
        try:
            expected = model.plan("reference").run(x)
            np.testing.assert_array_equal(model.plan("native").run(x), expected)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of numbers beyond its range
                assert np.isfinite(model.predict(x)).all()
        except CompileError:
            pass
    return False


def fuzz(count, seed=0):
    """Return (refused, accepted, seconds of the slowest file)."""
    rng = random.Random(seed)
    originals = [make().to_bytes() for make in MODELS]
    refused, slowest = 0, 0.0
    for _ in range(count):
        mutate = rng.choice(
            [mutate_bytes, mutate_bytes, mutate_header, mutate_header, mutate_members]
        )
        content = mutate(rng, rng.choice(originals))
        begin = time.perf_counter()
        refused += check(content)
        slowest = max(slowest, time.perf_counter() - begin)
    return refused, count - refused, slowest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for make in MODELS:
        make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    refused, accepted, slowest = fuzz(arguments.count, arguments.seed)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{arguments.count} mutated files in {seconds:.1f} s (the slowest {slowest * 1e3:.0f} ms): "
        f"{refused} refused, {accepted} accepted and working, nothing else; "
        f"peak memory {peak / 1024:.0f} MiB, {(peak - before) / 1024:.0f} MiB more than before"
    )
