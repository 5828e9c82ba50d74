"""Packets on the engine's two streams, as arrays of 64-bit beats.

Both the driver's DMA and the C simulation transfer these arrays unchanged.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..contract import (
    CONFIGURATIONS,
    CONTRACT,
    ENGINE,
    IDENTITY,
    OPERATIONS,
    PACKET_KINDS,
    REPLY_FIELDS,
    STATUS_NAMES,
    ceil_div,
    has_bit,
)
from ..errors import ProgramError
from .program import Program

STREAM_BYTES: int = ENGINE["stream_bits"] // 8  # of a beat
STREAM_WORDS = STREAM_BYTES // 2  # 16-bit words of a beat
HEADER_BYTES = 4 * len(ENGINE["packets"]["header"])
REPLY_BYTES = 4 * len(REPLY_FIELDS)
WORDS, BYTES = 0, 1  # formats of a run's samples: 16-bit words, or unscaled bytes
STATUS_TEXTS: Dict[str, str] = {row["name"]: row["doc"] for row in CONTRACT["status"]}


class Reply(NamedTuple):
    """The engine's reply to a packet."""

    status: str
    detail: int
    samples: int
    saturations: int
    product_trips: int
    beats_in: int
    configuration: int


# -- packets to the engine ------------------------------------------------------------------------


def packet(kind: str, count: int, form: int, payload: bytes = b"") -> np.ndarray:
    """Return a packet as beats: its header, and the payload padded to whole beats."""
    header = np.array([IDENTITY["packet_magic"], PACKET_KINDS[kind], count, form], dtype="<u4")
    data = header.tobytes() + payload + b"\0" * (-len(payload) % STREAM_BYTES)
    return np.frombuffer(data, dtype="<u8")


def program_packet(program: Program) -> np.ndarray:
    """Return the packet that loads a program with its weights."""
    data = program.to_bytes()
    return packet("program", len(data), 0, data)


def layer_weights(program: Program, index: int) -> np.ndarray:
    """Return the weights of one layer as an engine reads them: shares of rows, whole beats."""
    layer = program.layers[index]
    words = OPERATIONS[layer["opcode"]].section_words(layer)["weights"]
    begin = layer.get("weights_offset", 0)
    return program.weights[begin : begin + words]


def batch_samples(program: Program) -> int:
    """Return how many samples the engine works on at once: those that fit its memory."""
    memory = CONFIGURATIONS[program.configuration]["activation_words"]
    return int(min(memory // program.header["activation_words"], ENGINE["batch_max"]))


def sample_beats(program: Program, unscaled: bool) -> int:
    """Return the beats of one sample's input."""
    return ceil_div(program.header["input_words"], STREAM_BYTES if unscaled else STREAM_WORDS)


def result_beats(program: Program) -> int:
    """Return the beats of one sample's output."""
    return ceil_div(program.header["output_words"], STREAM_WORDS)


def reply_beats(program: Program, samples: int) -> int:
    """Return the beats of the packet that answers a run: results, counters and the reply."""
    counters = ceil_div(len(program.layers) + 1, 2)
    return samples * result_beats(program) + counters + REPLY_BYTES // STREAM_BYTES


class RunPackets:
    """The packets of a program's runs, to the engine and from it: their lengths and layout.

    They are written and read in place, in any array of bytes, such as a DMA buffer.

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
        self.sample_bytes = STREAM_BYTES * sample_beats(program, format == BYTES)
        self._result_bytes = STREAM_BYTES * result_beats(program)
        self._streamed = [
            layer_weights(program, index).view("u1")
            for index, layer in enumerate(program.layers)
            if has_bit(layer, "stream", "weights")
        ]
        self._weight_bytes = sum(map(len, self._streamed))
        self.batch = batch_samples(program) if self._streamed else 0

    def send_bytes(self, samples: int) -> int:
        """Return the length of the packet to the engine."""
        batches = ceil_div(samples, self.batch) if self.batch else 0
        return HEADER_BYTES + samples * self.sample_bytes + batches * self._weight_bytes

    def receive_bytes(self, samples: int) -> int:
        """Return the length of the packet from the engine if no error occurs."""
        return STREAM_BYTES * int(reply_beats(self.program, samples))

    def room(self, nbytes: int) -> int:
        """Return how many samples fit a packet of about `nbytes`: at least one mini-batch."""
        if not self.batch:
            return max(1, (nbytes - HEADER_BYTES) // self.sample_bytes)
        return max(1, nbytes // self.send_bytes(self.batch)) * self.batch

    def places(self, data: np.ndarray, samples: int) -> List[np.ndarray]:
        """Return views of the samples in a packet: for each mini-batch (samples, input words)."""
        parts = []
        begin = HEADER_BYTES
        for count in self._batches(samples):
            end = begin + count * self.sample_bytes
            rows = data[begin:end].reshape(count, self.sample_bytes)
            parts.append(rows.view("u1" if self.format == BYTES else "<i2")[:, : self.input_words])
            begin = end + self._weight_bytes
        return parts

    def write_frame(self, data: np.ndarray, samples: int) -> None:
        """Write everything but the samples into a packet: header, padding, streamed weights."""
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
        at_once = self.batch or max(samples, 1)
        return [min(at_once, samples - first) for first in range(0, samples, at_once)]

    def build(self, x: np.ndarray) -> np.ndarray:
        """Return a new packet, as beats, that runs samples (n, input words) of the format."""
        data = np.empty(self.send_bytes(len(x)), dtype="u1")
        self.write_frame(data, len(x))
        first = 0
        for place in self.places(data, len(x)):
            place[:] = x[first : first + len(place)]
            first += len(place)
        return data.view("<u8")

    def read(self, data: np.ndarray, samples: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return the results, a view of shape (samples, words), and the saturation counters."""
        end = samples * self._result_bytes
        results = data[:end].reshape(samples, self._result_bytes).view("<i2")
        counters = data[end : end + 4 * (1 + self.layers)].view("<u4").astype(np.int64)
        return results[:, : self.output_words], counters


def run_packet(program: Program, x: np.ndarray) -> np.ndarray:
    """Return the packet that runs samples.

    Parameters
    ----------
    program : Program
    x : array of shape (n, input words)
        ``int16`` input words, or unscaled ``uint8``.
    """
    return RunPackets(program, BYTES if x.dtype == np.uint8 else WORDS).build(x)


# -- packets from the engine ----------------------------------------------------------------------


def find_reply(data: np.ndarray) -> Optional[Reply]:
    """Return the reply at the end of a packet of bytes, or ``None`` if it does not end in one."""
    if len(data) < REPLY_BYTES or len(data) % STREAM_BYTES:
        return None
    words = data[len(data) - REPLY_BYTES :].view("<u4").tolist()
    values: Dict[str, int] = dict(zip(REPLY_FIELDS, words))
    if values.pop("magic") != IDENTITY["reply_magic"]:
        return None
    return Reply(status=STATUS_NAMES.get(values.pop("status"), "unknown"), **values)


def read_reply(beats: np.ndarray) -> Reply:
    """Return the reply at the end of a packet of beats.

    Raises
    ------
    ProgramError
        If the packet does not end in a reply.
    """
    reply = find_reply(beats.view("u1"))
    if reply is None:
        words = beats.view("<u4")[-len(REPLY_FIELDS) :].tolist()
        raise ProgramError(
            "a packet of the engine must end in a reply. "
            f"Received: {[hex(word) for word in words]}. Reset the engine."
        )
    return reply


def check_status(reply: Reply, names: Sequence[str]) -> None:
    """Raise :class:`ProgramError` unless the engine accepted the packet."""
    if reply.status != "ok":
        known = reply.detail < len(names)
        layer = f" in layer {reply.detail} ({names[reply.detail]!r})" if known else ""
        raise ProgramError(
            f"the engine must accept the packet. Received: {reply.status}{layer}, "
            f"after {reply.beats_in} beats."
        )
