"""The native back end: the same program, the same bits, in C."""

import os
from typing import List, Optional

import numpy as np

from ..compiler import compile_program
from ..contract import STATUS
from ..errors import BackendError, ProgramError
from ..layers import Reshape, Softmax
from ..program import Program
from ..quantized import QuantizedNetwork
from . import BasePlan, not_finite

try:
    from pynq_circnn._native import ffi, lib
except ImportError as error:
    lib, _why = None, str(error)

PREFERENCE = 10

_TILE_BYTES = 1 << 20  # what a tile of samples may take, so that it stays in the caches
_NAMES = {value: name for name, value in STATUS.items()}


def unavailable() -> Optional[str]:
    """Return ``None`` if the extension is there, else why not."""
    if lib is None:
        return (
            f"its extension is not built ({_why}). "
            "Install a C compiler and the package again: pip install --force-reinstall pynq_circnn."
        )
    return None


def kernel_sets() -> List[str]:
    """Return the sets of kernels that this machine can run, the fastest first."""
    names: List[str] = []
    while lib.circnn_kernels_name(len(names)) != ffi.NULL:
        names.append(ffi.string(lib.circnn_kernels_name(len(names))).decode())
    return names


class Plan(BasePlan):
    """A network to be run by compiled code."""

    name = "native"

    def __init__(
        self,
        network: QuantizedNetwork,
        program: Optional[Program] = None,
        kernels: Optional[str] = None,
    ) -> None:
        super().__init__(network)
        if lib is None:
            raise BackendError(f"back end 'native' cannot run here: {unavailable()}")
        kernels = kernels or os.environ.get("CIRCNN_KERNELS") or kernel_sets()[0]
        if kernels not in kernel_sets():
            raise ValueError(
                "kernels (or the variable CIRCNN_KERNELS) must be one of those that this machine "
                f"can run: {', '.join(kernel_sets())}. Received: {kernels!r}."
            )
        program = compile_program(network) if program is None else program
        data = program.to_bytes()
        handle, layer = ffi.new("circnn_plan **"), ffi.new("int32_t *")
        status = lib.circnn_plan_create(data, len(data), kernels.encode(), handle, layer)
        if status == STATUS["no_memory"]:
            raise MemoryError(f"the native back end needs more memory for {len(data)} bytes")
        if status:
            raise ProgramError(
                f"the native back end must accept the program. Received: {_NAMES[status]}"
                + (f" in layer {layer[0]}." if layer[0] >= 0 else ".")
            )
        self._plan = ffi.gc(handle[0], lib.circnn_plan_destroy)
        self._workspaces: List[np.ndarray] = []  # those not in use; each call takes its own
        sample = lib.circnn_plan_workspace_bytes(self._plan, 1)
        self._tile = max(1, _TILE_BYTES // sample)
        own = [i for i, x in enumerate(network.layers) if not isinstance(x, (Reshape, Softmax))]
        self._counted = np.array(own)

    @property
    def kernels(self) -> str:
        """The name of the kernels in use."""
        return str(ffi.string(lib.circnn_plan_kernels(self._plan)).decode())

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        needed = lib.circnn_plan_workspace_bytes(self._plan, min(len(x), self._tile))
        try:
            workspace = self._workspaces.pop()
        except IndexError:
            workspace = np.empty(needed, dtype=np.uint8)
        if len(workspace) < needed:
            workspace = np.empty(needed, dtype=np.uint8)
        counts = None if saturations is None else np.zeros(len(self._counted), dtype=np.int64)
        bad_sample = ffi.new("size_t *")
        status = lib.circnn_plan_run(
            self._plan,
            ffi.from_buffer(x),
            lib.CIRCNN_UINT8 if x.dtype == np.uint8 else lib.CIRCNN_FLOAT32,
            ffi.from_buffer("float[]", out),
            len(x),
            ffi.from_buffer("uint8_t[]", workspace),
            len(workspace),
            ffi.NULL if counts is None else ffi.from_buffer("int64_t[]", counts),
            ffi.NULL,
            bad_sample,
        )
        self._workspaces.append(workspace)
        if status == STATUS["not_finite"]:
            raise not_finite(bad_sample[0])
        assert status == 0, _NAMES[status]
        if saturations is not None:
            saturations[self._counted] += counts
