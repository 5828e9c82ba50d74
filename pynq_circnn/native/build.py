"""The cffi build of the native back end: executed by setup.py, never imported by the package."""

import importlib
import importlib.util
import os
import platform
import sys

from cffi import FFI

_HERE = os.path.dirname(os.path.abspath(__file__))
_SOURCES = [
    "plan.c", "program.c", "portable.c", "avx2.c", "avx512.c", "avx512vnni.c", "neon.c",
    "exchange.c", "words.c",
]  # fmt: skip
_HEADERS = ["circnn.h", "exchange.h", "words.h"]


def _contract_headers():
    """Return the module of the contract's headers, without the package, which may need a build."""
    home = os.path.join(os.path.dirname(_HERE), "contract")
    spec = importlib.util.spec_from_file_location(
        "circnn_contract", os.path.join(home, "__init__.py"), submodule_search_locations=[home]
    )
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return importlib.import_module(f"{spec.name}.headers")


def _write_contract() -> str:
    """Generate the contract's C header into the build folder and return that folder."""
    root = os.path.dirname(os.path.dirname(_HERE))
    folder = os.path.join(root, "build", "generated")
    headers = _contract_headers()
    headers.write_headers(folder, headers.native_headers())
    return folder


def _declarations() -> str:
    """Return what cffi has to know of the headers: all but their preprocessor lines."""
    lines = []
    for name in _HEADERS:
        with open(os.path.join(_HERE, name), encoding="utf-8") as file:
            lines += [line for line in file if not line.startswith("#")]
    return "".join(lines)


def _flags() -> list:
    # nothing here reads the floating point exception flags, which keep loops from being vectors
    flags = ["-std=c11", "-O3", "-fno-trapping-math", "-Wall", "-Wextra"]
    if sys.platform.startswith("linux") and platform.machine() == "armv7l":
        # Ubuntu's compiler for the board leaves NEON off unless it is told the processor
        flags += ["-mcpu=cortex-a9", "-mfpu=neon", "-mfloat-abi=hard"]
    return flags


ffibuilder = FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "pynq_circnn._native",
    "".join(f'#include "{name}"\n' for name in [*_HEADERS, "circnn_contract.h"]),
    sources=[os.path.relpath(os.path.join(_HERE, name)) for name in _SOURCES],
    depends=[
        os.path.relpath(os.path.join(_HERE, name))
        for name in sorted(os.listdir(_HERE))
        if name.endswith(".h")
    ],
    include_dirs=[os.path.relpath(_HERE), os.path.relpath(_write_contract())],
    extra_compile_args=_flags(),
    py_limited_api=False,
)
