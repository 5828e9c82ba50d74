"""Packets in DMA buffers: where everything lies, so that it is written and read in place.

What a packet is says :mod:`pynq_circnn.program.packets`.
"""

from typing import List, Tuple

import numpy as np

from ..contract import CONTRACT, OPCODES, REPLY_FIELDS
from ..errors import BoardError, ProgramError
from ..program.packets import (
    BEAT_BYTES,
    Reply,
    batch_samples,
    layer_weights,
    packet,
    read_reply,
    reply_beats,
    sample_beats,
)
from ..program.program import Program

_STATUS_TEXT = {row["name"]: row["doc"] for row in CONTRACT["status"]}

HEADER_BYTES = packet("identify", 0, 0).nbytes
REPLY_BYTES = 4 * len(REPLY_FIELDS)
WORDS, BYTES = 0, 1  # formats of a run


def parse_reply(data: np.ndarray, doing: str) -> Reply:
    """Return the reply at the end of a packet (of bytes) from the engine.

    Raises
    ------
    BoardError
        If there is none: the packet is too short, or something else sent it; or if the engine
        tells an error.
    """
    reply = None
    if len(data) >= REPLY_BYTES and not len(data) % BEAT_BYTES:
        try:
            reply = read_reply(data[-REPLY_BYTES:].copy().view("<u8"))
        except ProgramError:
            pass
    if reply is None:
        raise BoardError(
            "bad_reply",
            f"the engine's packet must end with its reply of {REPLY_BYTES} bytes. "
            f"Received: {len(data)} bytes without one. Beats were lost between engine and DMA; "
            "the next call resets both. If it comes back, the bitstream is of another version.",
        )
    if reply.status != "ok":
        layer = "" if reply.detail == 0xFFFFFFFF else f" in layer {reply.detail}"
        raise BoardError(
            f"engine_{reply.status}",
            f"the engine must accept the packet ({doing}). Received: {reply.status}{layer}: "
            f"{_STATUS_TEXT.get(reply.status, 'no status of this version')}. The next call loads "
            "everything anew; if it comes back, use the package that the bitstream was built from.",
            {name: getattr(reply, name) for name in ("detail", "samples", "beats_in")},
        )
    return reply


class RunLayout:
    """Where everything lies in the packets of a run of a program.

    Parameters
    ----------
    program : Program
    format : int
        ``WORDS`` or ``BYTES``.
    """

    def __init__(self, program: Program, format: int = WORDS) -> None:
        self.program, self.format = program, format
        self.input_words = program.header["input_words"]
        self.output_words = program.header["output_words"]
        self.layers = len(program.layers)
        self._item = 1 if format == BYTES else 2
        self.sample_bytes = BEAT_BYTES * sample_beats(program, format == BYTES)
        self._streamed = [
            layer_weights(program, index).view("u1")
            for index, layer in enumerate(program.layers)
            if layer["opcode"] == OPCODES["matrix"] and layer.get("stream", 0) & 2
        ]
        self._weight_bytes = sum(map(len, self._streamed))
        self.batch = batch_samples(program) if self._streamed else 0

    def send_bytes(self, samples: int) -> int:
        """Return the length of the packet to the engine."""
        batches = -(-samples // self.batch) if self.batch else 0
        return HEADER_BYTES + samples * self.sample_bytes + batches * self._weight_bytes

    def receive_bytes(self, samples: int) -> int:
        """Return the length of the packet from the engine, if there is no error."""
        return BEAT_BYTES * int(reply_beats(self.program, samples))

    def room(self, nbytes: int) -> int:
        """Return how many samples a packet of about so many bytes takes; whole mini-batches."""
        if not self.batch:
            return max(1, (nbytes - HEADER_BYTES) // self.sample_bytes)
        return max(1, nbytes // self.send_bytes(self.batch)) * self.batch

    def places(self, data: np.ndarray, samples: int) -> List[np.ndarray]:
        """Return where samples go in a packet: arrays of shape (some of them, input words)."""
        parts = []
        begin = HEADER_BYTES
        for count in self._batches(samples):
            end = begin + count * self.sample_bytes
            rows = data[begin:end].reshape(count, self.sample_bytes)
            parts.append(rows.view("u1" if self.format == BYTES else "<i2")[:, : self.input_words])
            begin = end + self._weight_bytes
        return parts

    def write_frame(self, data: np.ndarray, samples: int) -> None:
        """Write all but the samples into a packet: header, padding, streamed weights."""
        data[:HEADER_BYTES] = packet("run", samples, self.format).view("u1")
        begin = HEADER_BYTES
        for count in self._batches(samples):
            end = begin + count * self.sample_bytes
            rows = data[begin:end].reshape(count, self.sample_bytes)
            rows[:, self._item * self.input_words :] = 0
            for weights in self._streamed:
                data[end : end + len(weights)] = weights
                end += len(weights)
            begin = end

    def _batches(self, samples: int) -> List[int]:
        at_once = self.batch or samples
        return [min(at_once, samples - first) for first in range(0, samples, at_once)]

    def read(self, data: np.ndarray, samples: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return the results, a view of shape (samples, words), and the saturation counters."""
        each = BEAT_BYTES * -(-2 * self.output_words // BEAT_BYTES)
        end = samples * each
        results = data[:end].reshape(samples, each).view("<i2")[:, : self.output_words]
        counters = data[end : end + 4 * (1 + self.layers)].view("<u4").astype(np.int64)
        return results, counters
