"""Builds driver.c with the sanitizers and talks to it."""

import atexit
import functools
import os
import shutil
import struct
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pynq_circnn import contract
from pynq_circnn.backends import native
from pynq_circnn.contract import headers

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = os.path.join(os.path.dirname(os.path.dirname(contract.__file__)), "native")
NOT_RUN = 100
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover"]


def compiler():
    """A C compiler that has the sanitizers, or None."""
    for name in filter(None, (os.environ.get("CC"), "gcc", "cc", "clang")):
        if shutil.which(name):
            command = [name, *SANITIZE, "-x", "c", "-", "-o", os.devnull]
            tried = subprocess.run(
                command, input=b"int main(void) { return 0; }", stderr=subprocess.PIPE
            )
            if tried.returncode == 0:
                return name
    return None


@functools.lru_cache(None)
def build():
    """Return the path of the driver, compiled once a session from the sources of the package.

    The portable kernels, the best ones of this machine and everything around them have the
    sanitizers; the other sets are compiled without them, since that is much faster.
    """
    folder = tempfile.mkdtemp(prefix="circnn-driver-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    headers.write_headers(folder, headers.native_headers())
    names = [name for name in sorted(os.listdir(NATIVE)) if name.endswith(".c")]
    plain = {"avx2.c", "avx512.c", "avx512vnni.c", "neon.c"} - {native.kernel_sets()[0] + ".c"}

    def compile_one(path):
        target = os.path.join(folder, os.path.basename(path) + ".o")
        flags = ["-O0"] if os.path.basename(path) in plain else ["-O1", "-g", *SANITIZE]
        command = [compiler(), "-std=gnu11", *flags, "-Wall", "-Wextra", f"-I{NATIVE}"]
        subprocess.run([*command, f"-I{folder}", "-c", path, "-o", target], check=True)
        return target

    sources = [os.path.join(HERE, "driver.c"), *(os.path.join(NATIVE, name) for name in names)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    path = os.path.join(folder, "driver")
    subprocess.run([compiler(), *SANITIZE, *objects, "-o", path, "-lm", "-pthread"], check=True)
    return path


def record(program, x, workspace_samples=None):
    """One job: a program's bytes, and a batch of float32 or uint8 with the samples first."""
    x = np.ascontiguousarray(x)
    kind = int(x.dtype == np.uint8)
    room = len(x) if workspace_samples is None else workspace_samples
    return (
        struct.pack("<5I", len(program), kind, len(x), max(1, room), x.nbytes)
        + program
        + x.tobytes()
    )


def run(path, folder, records):
    """Return (status, counters, values) for each job; any report of a sanitizer is an error."""
    job = os.path.join(folder, "job.bin")
    with open(job, "wb") as file:
        file.write(b"".join(records))
    environment = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1"}
    environment.pop("LD_PRELOAD", None)
    done = subprocess.run([path, job], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    answers, at = [], 0
    while at < len(done.stdout):
        status, layers, values = struct.unpack_from("<3i", done.stdout, at)
        at += 12
        counts = out = None
        if layers or values:
            counts = np.frombuffer(done.stdout, "<i8", layers + 1, at)
            out = np.frombuffer(done.stdout, "<f4", values, at + counts.nbytes)
            at += counts.nbytes + out.nbytes
        answers.append((status, counts, out))
    assert len(answers) == len(records)
    return answers
