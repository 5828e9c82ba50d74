"""The C simulation's library: compiled with g++ when first used, then kept in a cache."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from typing import Dict, List, Optional, Sequence, Tuple

from ..contract import hardware_configurations
from ..contract.headers import engine_headers, write_headers
from ..errors import BackendError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDERS = ("src", "sim")
_SOURCES = ("src/circnn_engine.cpp", "src/circnn_top.cpp", "sim/csim.cpp")
_ALWAYS = ("-std=c++14", "-DCIRCNN_COUNT_TRIPS")
"""The language, and the counters of trips that no other build of the sources has."""
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wno-unknown-pragmas", "-Wno-unused-label")
"""All but the two warnings about what is there for synthesis: pragmas and loop labels."""


def source_folder() -> Optional[str]:
    """Return the folder of the HLS sources: in the package, or in the checkout around it."""
    for folder in (os.path.join(_PACKAGE, "hw"), os.path.join(os.path.dirname(_PACKAGE), "hw")):
        if all(os.path.isfile(os.path.join(folder, source)) for source in _SOURCES):
            return folder
    return None


def compiler() -> Optional[str]:
    """Return the C++ compiler: the first of $CXX, g++ and clang++ that is installed."""
    wanted = [os.environ.get("CXX", ""), "g++", "clang++"]
    return next((path for path in map(shutil.which, filter(None, wanted)) if path), None)


def cache_folder() -> str:
    """Return the user's folder for compiled libraries."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "pynq_circnn")


def unavailable() -> Optional[str]:
    """Return ``None`` if the simulation can be compiled here, else why not."""
    if source_folder() is None:
        return "its HLS sources are missing (hw/src). Install the package again."
    if compiler() is None:
        return "there is no C++ compiler. Install g++."
    return None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _digest(folder: str, headers: Dict[str, str], command: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for part in (*headers.values(), *command):
        digest.update(part.encode() + b"\0")
    for name in _FOLDERS:
        for home, _, files in sorted(os.walk(os.path.join(folder, name))):
            for file in sorted(files):
                digest.update(file.encode() + b"\0" + _read(os.path.join(home, file)))
    return digest.hexdigest()[:20]


def _engine_headers(configuration: str) -> Dict[str, str]:
    """Return the generated headers, or raise the error of a configuration that is no engine."""
    if configuration not in hardware_configurations():
        raise ValueError(
            f"configuration must be one of {', '.join(hardware_configurations())}: an engine. "
            f"Received: {configuration!r}."
        )
    return engine_headers(configuration)


def _tools(cxx: Optional[str]) -> Tuple[str, str]:
    """Return the sources' folder and the compiler, or raise the error for what is missing."""
    reason = unavailable()
    folder, cxx = source_folder(), cxx or compiler()
    if reason is not None or folder is None or cxx is None:
        raise BackendError(f"back end 'csim' cannot run here: {reason}")
    return folder, cxx


def build(configuration: str, flags: Sequence[str] = ("-O3",), cxx: Optional[str] = None) -> str:
    """Return the path of the simulation's library, which is compiled if it is not in the cache.

    Parameters
    ----------
    configuration : str
        A hardware configuration of the contract.
    flags : sequence of str
        Compiler flags in addition to those that are always used.
    cxx : str, optional
        The compiler; :func:`compiler` by default.

    Raises
    ------
    ValueError
        If the configuration is none of an engine.
    BackendError
        If it cannot be compiled, with the compiler's messages.
    """
    folder, cxx = _tools(cxx)
    headers = _engine_headers(configuration)
    command = [cxx, *_ALWAYS, *WARNINGS, "-fPIC", "-shared", "-pthread", *flags]
    name = f"csim-{configuration}-{_digest(folder, headers, command)}.so"
    path = os.path.join(cache_folder(), name)
    if not os.path.exists(path):
        os.makedirs(cache_folder(), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder()) as work:
            target = os.path.join(work, name)
            _compile(command, folder, headers, work, target)
            os.replace(target, path)  # if another process was faster, it made the same bytes
    return path


def build_program(
    configuration: str, main: str, target: str, flags: Sequence[str], cxx: Optional[str] = None
) -> None:
    """Compile the simulation with a main program of ``hw/sim`` (``fuzz.cpp``) into `target`.

    Raises
    ------
    ValueError
        If the configuration is none of an engine.
    BackendError
        If it cannot be compiled, with the compiler's messages.
    """
    folder, cxx = _tools(cxx)
    headers = _engine_headers(configuration)
    command = [cxx, *_ALWAYS, *WARNINGS, "-pthread", *flags]
    with tempfile.TemporaryDirectory() as work:
        _compile(command, folder, headers, work, target, (f"sim/{main}",))


def _compile(
    command: List[str],
    folder: str,
    headers: Dict[str, str],
    work: str,
    target: str,
    more: Sequence[str] = (),
) -> None:
    write_headers(work, headers)
    sources = [os.path.join(folder, source) for source in (*_SOURCES, *more)]
    includes = [f"-I{path}" for path in (work, *(os.path.join(folder, f) for f in _FOLDERS))]
    done = subprocess.run(
        [*command, *includes, *sources, "-o", target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackendError(
            f"the C simulation must compile with {command[0]}. Received:\n{done.stderr[-4000:]}"
        )


@lru_cache(maxsize=None)
def load(path: str) -> ctypes.CDLL:
    """Return the library with its functions' types declared."""
    lib = ctypes.CDLL(path)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    lib.circnn_csim_create.restype = pointer
    lib.circnn_csim_create.argtypes = []
    lib.circnn_csim_destroy.restype = None
    lib.circnn_csim_destroy.argtypes = [pointer]
    lib.circnn_csim_step.restype = size
    lib.circnn_csim_step.argtypes = [pointer, pointer, size, pointer, size]
    lib.circnn_csim_clear_trips.restype = None
    lib.circnn_csim_clear_trips.argtypes = [pointer]
    lib.circnn_csim_trips.restype = None
    lib.circnn_csim_trips.argtypes = [pointer, pointer, pointer]
    lib.circnn_csim_layer_fields.restype = ctypes.c_char_p
    lib.circnn_csim_layer_fields.argtypes = []
    lib.circnn_csim_layer.restype = None
    lib.circnn_csim_layer.argtypes = [pointer, ctypes.c_int32, pointer]
    return lib
