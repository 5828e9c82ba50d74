"""What computes in the programmable logic: packets in, packets out."""

from abc import ABC, abstractmethod
from typing import Any, Optional

import numpy as np

from ..board.packets import BYTES, HEADER_BYTES, RunLayout
from ..contract import CONTRACT, STATUS, configuration_digest
from ..errors import ProgramError
from ..program import Program

try:
    from pynq_circnn._native import ffi, lib
except ImportError:
    lib = None

_ENGINE = CONTRACT["engine"]
_IDENTITY = {row["name"]: row["value"] for row in _ENGINE["identity"]}
_NAMES = {row["value"]: row["name"] for row in _ENGINE["packets"]["kinds"]}


class Fabric(ABC):
    """The engine behind its streams: one packet in gives one packet out (hw/ENGINE.md)."""

    @abstractmethod
    def run(self, packet: bytes) -> bytes:
        """Return the packet that the engine sends for one that it takes."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything, as the engine does while its reset is asserted."""


class ProgramFabric(Fabric):
    """The packet protocol with the native back end in the engine's place.

    For tests of driver and board that must be fast and need no C++ compiler; it speaks the
    protocol, but is not the hardware's source.

    Parameters
    ----------
    configuration : str
        Name of the engine configuration that it pretends to be.
    """

    def __init__(self, configuration: str = "z2") -> None:
        self.configuration = configuration
        self.reset()

    def reset(self) -> None:
        self._program: Optional[Program] = None
        self._plan: Any = None

    def run(self, packet: bytes) -> bytes:
        words = np.frombuffer(packet[:HEADER_BYTES], dtype="<u4").tolist()
        payload = packet[HEADER_BYTES:]
        if len(words) < 4 or words[0] != _IDENTITY["packet_magic"] or words[1] not in _NAMES:
            return self._reply(packet, STATUS["bad_packet"])
        kind, count, format = _NAMES[words[1]], words[2], words[3]
        if kind == "identify":
            return self._reply(packet, STATUS["ok"])
        if kind == "program":
            return self._reply(packet, self._load(payload, count))
        if kind != "run":
            return self._reply(packet, STATUS["bad_packet"])
        if self._program is None:
            return self._reply(packet, STATUS["no_program"])
        return self._run(packet, payload, count, format)

    def _load(self, payload: bytes, count: int) -> int:
        self.reset()
        if len(payload) != count:
            return STATUS["truncated" if len(payload) < count else "overlong"]
        try:
            program = Program.from_bytes(payload)
        except ProgramError:
            return STATUS["bad_checksum"]
        if program.configuration != self.configuration:
            return STATUS["bad_configuration"]
        handle = ffi.new("circnn_plan **")
        status = int(lib.circnn_plan_create(payload, len(payload), handle, ffi.new("int32_t *")))
        if status == STATUS["ok"]:
            self._program, self._plan = program, ffi.gc(handle[0], lib.circnn_plan_destroy)
        return status

    def _run(self, packet: bytes, payload: bytes, samples: int, format: int) -> bytes:
        assert self._program is not None
        layout = RunLayout(self._program, format)
        needed = samples * layout.sample_bytes
        if len(payload) != needed:
            return self._reply(packet, STATUS["truncated" if len(payload) < needed else "overlong"])
        rows = np.frombuffer(payload, dtype=np.uint8).reshape(samples, -1)
        if format == BYTES:
            x = np.ascontiguousarray(rows[:, : layout.input_words])
        else:
            scale = np.float32(2.0 ** self._program.header["input_exponent"])
            x = rows.view("<i2")[:, : layout.input_words].astype(np.float32) * scale
        y = np.empty((samples, layout.output_words), dtype=np.float32)
        counts = np.zeros(1 + layout.layers, dtype=np.int64)
        workspace = np.empty(lib.circnn_plan_workspace_bytes(self._plan, samples), dtype=np.uint8)
        status = lib.circnn_plan_run(
            self._plan, ffi.from_buffer(x),
            lib.CIRCNN_UINT8 if format == BYTES else lib.CIRCNN_FLOAT32,
            ffi.from_buffer("float[]", y), samples,
            ffi.from_buffer("uint8_t[]", workspace), len(workspace),
            ffi.from_buffer("int64_t[]", counts), ffi.new("size_t *"),
        )  # fmt: skip
        if status != STATUS["ok"]:
            return self._reply(packet, status)
        results = np.zeros((samples, layout.result_bytes // 2), dtype="<i2")
        results[:, : layout.output_words] = np.ldexp(y, -self._program.header["output_exponent"])
        counters = np.zeros(layout.counter_bytes // 4, dtype="<u4")
        counters[: len(counts)] = counts
        tail = self._reply(packet, STATUS["ok"], samples, int(counts[1:].sum()))
        return results.tobytes() + counters.tobytes() + tail

    def _reply(self, packet: bytes, status: int, samples: int = 0, saturations: int = 0) -> bytes:
        values = [
            _IDENTITY["reply_magic"], status, 0xFFFFFFFF, samples, saturations, 0,
            len(packet) // 8, configuration_digest(self.configuration),
        ]  # fmt: skip
        return np.array(values, dtype="<u4").tobytes()


def unavailable() -> Optional[str]:
    """Return why no fabric can be made here, or ``None``."""
    return None if lib is not None else "the native back end is not built"


def default_fabric() -> Fabric:
    """Return the fabric that an emulated board has if none is asked for."""
    return ProgramFabric()
