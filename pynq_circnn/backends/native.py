"""The native back end: the same program, the same bits, in C."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, Optional, Tuple

import numpy as np

from ..contract import STATUS, STATUS_NAMES
from ..errors import BackendError, NotFiniteError, ProgramError
from ..network.quantized import QuantizedNetwork
from ..program.compiler import check_program_of, compile_program, counted_layers
from ..program.program import Program
from ..turns import Turns
from .base import BasePlan, cores

try:
    from pynq_circnn._native import ffi, lib
except ImportError as error:
    lib, _why = None, str(error)
else:
    _FLOATS, _from_buffer, _run_plan = ffi.typeof("float[]"), ffi.from_buffer, lib.circnn_plan_run

PREFERENCE = 10
PARTS = ("conversion", "transform", "product", "epilogue", "other")  # where the time goes

_TILE_BYTES = 1 << 19  # of the tensors of a tile of samples: a part of a level 2 cache
_FLOAT32, _ARRAY = np.dtype(np.float32), np.ndarray


def unavailable() -> Optional[str]:
    """Return ``None`` if the extension is built, else why not."""
    if lib is None:
        return (
            f"its extension is not built ({_why}). "
            "Install a C compiler, then this package again, in its source folder: "
            "pip install --force-reinstall --no-deps ."
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
    counts_at_no_cost = False  # other kernels count, and take longer

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
        check_program_of(network, program)  # or a run would leave the arrays
        data = program.to_bytes()
        handle, layer = ffi.new("circnn_plan **"), ffi.new("int32_t *")
        status = lib.circnn_plan_create(data, len(data), kernels.encode(), handle, layer)
        if status == STATUS["no_memory"]:
            raise MemoryError(f"the native back end needs more memory for {len(data)} bytes")
        if status:
            raise ProgramError(
                f"the native back end must accept the program. Received: {STATUS_NAMES[status]}"
                + (f" in layer {layer[0]}." if layer[0] >= 0 else ".")
            )
        self._plan = ffi.gc(handle[0], lib.circnn_plan_destroy)
        sample = lib.circnn_plan_workspace_bytes(self._plan, 2) - self._workspace_bytes(1)
        self._tile = max(1, _TILE_BYTES // sample)
        self._calls: List[Tuple[Any, np.ndarray]] = []  # not in use; each run takes one for itself
        self._last: Tuple[Any, ...] = (None, None, 0)  # shapes of the last valid x and out
        self._counted = counted_layers(network)

    @property
    def kernels(self) -> str:
        """The name of the kernels in use."""
        return str(ffi.string(lib.circnn_plan_kernels(self._plan)).decode())

    def multiply_adds(self, rounds: int) -> int:
        """Do nothing but 16-bit multiply-adds, as fast as these kernels can; return how many."""
        return int(lib.circnn_plan_multiply_adds(self._plan, rounds))

    def run(
        self,
        x: np.ndarray,
        out: Optional[np.ndarray] = None,
        saturations: Optional[np.ndarray] = None,
        threads: int = 1,
    ) -> np.ndarray:
        # What was right the last time is not checked again: at batch 1 checking takes longer than
        # computing.  from_buffer refuses what is not C-contiguous, and `out` that is read-only.
        x_shape, out_shape, samples = self._last
        if (
            type(x) is _ARRAY
            and type(out) is _ARRAY
            and x.shape == x_shape
            and out.shape == out_shape
            and x.dtype is _FLOAT32
            and out.dtype is _FLOAT32
            and saturations is None
            and threads == 1
        ):
            try:
                source, target = _from_buffer(x), _from_buffer(_FLOATS, out, True)
            except (BufferError, ValueError):
                return super().run(x, out, saturations, threads)
            try:
                call = self._calls.pop()
            except IndexError:
                call = self._new_call()
            status = _run_plan(self._plan, source, 0, target, samples, call[0])
            self._calls.append(call)
            if status:
                raise NotFiniteError(call[0].bad_sample)
            return out
        out = super().run(x, out, saturations, threads)
        if x.dtype is _FLOAT32 and out.dtype is _FLOAT32:
            self._last = (x.shape, out.shape, len(x))
        return out

    run.__doc__ = BasePlan.run.__doc__

    def _workspace_bytes(self, samples: int) -> int:
        return int(lib.circnn_plan_workspace_bytes(self._plan, samples))

    def _new_call(self) -> Tuple[Any, np.ndarray]:
        """Return what a run needs for itself: a call, and the workspace that the call points to."""
        workspace = np.empty(self._workspace_bytes(self._tile), dtype=np.uint8)
        call = ffi.new("circnn_call *")
        call.workspace = ffi.from_buffer("uint8_t[]", workspace)
        call.workspace_bytes = len(workspace)
        return call, workspace

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        self._add_up([self._run_part(x, out, 0, len(x), saturations is not None)], saturations)

    def _run_threads(
        self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray], threads: int
    ) -> None:
        parts = min(threads, len(x), cores())
        if parts == 1:
            self._run(x, out, saturations)
            return
        ends = [len(x) * part // parts for part in range(parts + 1)]
        others = [
            _pool().submit(self._run_part, x, out, begin, end, saturations is not None)
            for begin, end in zip(ends[1:], ends[2:])
        ]
        results = [self._run_part(x, out, 0, ends[1], saturations is not None)]
        self._add_up(results + [other.result() for other in others], saturations)

    def _add_up(
        self, results: List[Tuple[Optional[int], np.ndarray]], saturations: Optional[np.ndarray]
    ) -> None:
        bad = [sample for sample, _ in results if sample is not None]
        if bad:
            raise NotFiniteError(min(bad))
        if saturations is not None:
            for _, counts in results:
                saturations[self._counted] += counts

    def _run_part(
        self, x: np.ndarray, out: np.ndarray, begin: int, end: int, count: bool
    ) -> Tuple[Optional[int], np.ndarray]:
        """Run some samples; return the first that is not finite, and the saturations."""
        x, out = x[begin:end], out[begin:end]
        counts = np.zeros(len(self._counted), dtype=np.int64)
        try:
            call = self._calls.pop()
        except IndexError:
            call = self._new_call()
        call[0].saturations = ffi.from_buffer("int64_t[]", counts) if count else ffi.NULL
        status = lib.circnn_plan_run(
            self._plan,
            ffi.from_buffer(x),
            lib.CIRCNN_UINT8 if x.dtype == np.uint8 else lib.CIRCNN_FLOAT32,
            ffi.from_buffer(_FLOATS, out, True),
            len(x),
            call[0],
        )
        call[0].saturations = ffi.NULL
        bad_sample = int(call[0].bad_sample)
        self._calls.append(call)
        if status == STATUS["not_finite"]:
            return begin + bad_sample, counts
        assert status == 0, STATUS_NAMES[status]
        return None, counts

    def time_parts(self, x: np.ndarray, out: np.ndarray, runs: int = 1) -> np.ndarray:
        """Return the seconds that each of :data:`PARTS` takes in one run, the mean of `runs`."""
        super().run(x, out)
        nanoseconds = np.zeros(len(PARTS), dtype=np.int64)
        call, workspace = self._new_call()
        call.nanoseconds = ffi.from_buffer("int64_t[]", nanoseconds)
        source, target = ffi.from_buffer(x), ffi.from_buffer(_FLOATS, out, True)
        for _ in range(runs):
            lib.circnn_plan_run(self._plan, source, 0, target, len(x), call)
        del workspace
        return nanoseconds * 1e-9 / runs

    def time_kernels(self, x: np.ndarray, out: np.ndarray, runs: int = 1) -> float:
        """Return the CPU seconds of one run without what Python does around it: a mean."""
        super().run(x, out)
        call, workspace = self._new_call()
        source, target = ffi.from_buffer(x), ffi.from_buffer(_FLOATS, out, True)
        begin = time.process_time()
        for _ in range(runs):
            lib.circnn_plan_run(self._plan, source, 0, target, len(x), call)
        seconds = time.process_time() - begin
        del workspace
        return seconds / runs


# -- threads ------------------------------------------------------------------------------------
#
# One pool for the whole process, so that several plans that run at once share the cores.

_executor: Optional[ThreadPoolExecutor] = None
_executor_turns = Turns()


def _pool() -> ThreadPoolExecutor:
    global _executor
    with _executor_turns.next():
        if _executor is None:
            _executor = ThreadPoolExecutor(cores(), thread_name_prefix="circnn")
        return _executor


def _forget_pool() -> None:
    """Drop the pool in a forked process, which has its object but not its threads."""
    global _executor, _executor_turns
    _executor, _executor_turns = None, Turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
