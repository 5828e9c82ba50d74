"""The cffi build of the native back end: executed by setup.py, never imported by the package."""

import glob
import os
import platform
import subprocess
import sys
from typing import List

from cffi import FFI

_HERE = os.path.dirname(os.path.abspath(__file__))
_INTERFACE = ["circnn.h", "exchange.h", "words.h"]  # the headers that Python sees


def _found(folder: str, ending: str) -> List[str]:
    """Return the files in and below a folder that have an ending, as setuptools wants the paths."""
    pattern = os.path.join(glob.escape(folder), "**", "*" + ending)
    return sorted(os.path.relpath(path) for path in glob.glob(pattern, recursive=True))


def _generate() -> str:
    """Write the headers made from the contract into the build folder and return that folder."""
    package = os.path.dirname(_HERE)
    folder = os.path.join(os.path.dirname(package), "build", "generated")
    contract = os.path.join(package, "contract")
    subprocess.run([sys.executable, contract, "headers", folder], check=True)
    return folder


def _declarations() -> str:
    """Return what cffi has to know of the headers: all but their preprocessor lines."""
    lines = []
    for name in _INTERFACE:
        with open(os.path.join(_HERE, name), encoding="utf-8") as file:
            lines += [line for line in file if not line.startswith("#")]
    return "".join(lines)


def _flags() -> List[str]:
    # nothing here reads the floating point exception flags, which keep loops from being vectors
    flags = ["-std=c11", "-O3", "-fno-trapping-math", "-Wall", "-Wextra"]
    if sys.platform.startswith("linux") and platform.machine() == "armv7l":
        # Ubuntu's compiler for the board leaves NEON off unless it is told the processor
        flags += ["-mcpu=cortex-a9", "-mfpu=neon", "-mfloat-abi=hard"]
    return flags


_generated = _generate()

ffibuilder = FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "pynq_circnn._native",
    "".join(f'#include "{name}"\n' for name in [*_INTERFACE, "circnn_contract.h"]),
    sources=_found(_HERE, ".c"),
    depends=[*_found(_HERE, ".h"), *_found(_generated, ".h")],
    include_dirs=[os.path.relpath(_HERE), os.path.relpath(_generated)],
    extra_compile_args=_flags(),
    py_limited_api=False,
)
