"""What goes over the streams: the packets of hw/ENGINE.md as bytes, and replies as values."""

from dataclasses import dataclass
from typing import List

import numpy as np

from ..contract import CONTRACT, STATUS
from ..errors import BoardError
from ..program import Program

_ENGINE = CONTRACT["engine"]
_IDENTITY = {row["name"]: row["value"] for row in _ENGINE["identity"]}
_KINDS = {row["name"]: row["value"] for row in _ENGINE["packets"]["kinds"]}
_REPLY = [row["name"] for row in _ENGINE["packets"]["reply"]]
_STATUS_TEXT = {row["value"]: (row["name"], row["doc"]) for row in CONTRACT["status"]}

BEAT_BYTES: int = _ENGINE["stream_bits"] // 8
HEADER_BYTES = 4 * len(_ENGINE["packets"]["header"])
REPLY_BYTES = 4 * len(_REPLY)
WORDS, BYTES = 0, 1  # formats of a run


def whole_beats(nbytes: int) -> int:
    """Return the bytes of the beats that so many bytes take."""
    return -(-nbytes // BEAT_BYTES) * BEAT_BYTES


def header(kind: str, count: int = 0, format: int = WORDS) -> bytes:
    """Return the header of a packet of a kind."""
    words = [_IDENTITY["packet_magic"], _KINDS[kind], count, format]
    return np.array(words, dtype="<u4").tobytes()


def identify_packet() -> bytes:
    """Return the packet that asks the engine who it is."""
    return header("identify")


def program_packet(data: bytes) -> bytes:
    """Return the packet that loads a program."""
    return header("program", len(data)) + data


@dataclass(frozen=True)
class Reply:
    """The last words of every packet that the engine sends."""

    status: int
    detail: int
    samples: int
    saturations: int
    product_trips: int
    beats_in: int
    configuration: int

    def check(self, doing: str) -> None:
        """Raise the error that the status code stands for, if any.

        Raises
        ------
        BoardError
            If the engine did not do what it was asked for.
        """
        if self.status == STATUS["ok"]:
            return
        name, why = _STATUS_TEXT.get(self.status, (f"status {self.status}", "an unknown status"))
        layer = "" if self.detail == 0xFFFFFFFF else f" in layer {self.detail}"
        raise BoardError(
            f"engine_{name}",
            f"the engine must accept the packet ({doing}). Received: {name}{layer}: {why}. "
            "The next call loads everything anew; if it comes back, compile the model again with "
            "the package version that the bitstream was built from.",
            {
                "status": self.status,
                "detail": self.detail,
                "samples": self.samples,
                "beats_in": self.beats_in,
                "configuration": self.configuration,
            },
        )


def parse_reply(packet: np.ndarray) -> Reply:
    """Return the reply at the end of a packet (of bytes) from the engine.

    Raises
    ------
    BoardError
        If there is none: the packet is too short, or something else sent it.
    """
    if len(packet) >= REPLY_BYTES and not len(packet) % BEAT_BYTES:
        values = np.frombuffer(bytes(packet[-REPLY_BYTES:]), dtype="<u4").tolist()
        if values[0] == _IDENTITY["reply_magic"]:
            return Reply(*values[1:])
    raise BoardError(
        "bad_reply",
        f"the engine's packet must end with its reply of {REPLY_BYTES} bytes. "
        f"Received: {len(packet)} bytes without one. Beats were lost between engine and DMA; "
        "the next call resets both. If it comes back, the bitstream is of another version.",
    )


class RunLayout:
    """Where everything lies in the packets of a run of a program.

    Parameters
    ----------
    program : Program
    format : int
        ``WORDS`` or ``BYTES``.
    """

    def __init__(self, program: Program, format: int = WORDS) -> None:
        self.format = format
        self.input_words = program.header["input_words"]
        self.output_words = program.header["output_words"]
        self.layers = len(program.layers)
        self._item = 1 if format == BYTES else 2
        self.sample_bytes = whole_beats(self._item * self.input_words)
        self.result_bytes = whole_beats(2 * self.output_words)
        self.counter_bytes = whole_beats(4 * (1 + self.layers))

    def send_bytes(self, samples: int) -> int:
        """Return the length of the packet to the engine."""
        return HEADER_BYTES + samples * self.sample_bytes

    def receive_bytes(self, samples: int) -> int:
        """Return the length of the packet from the engine, if there is no error."""
        return samples * self.result_bytes + self.counter_bytes + REPLY_BYTES

    def write(self, packet: np.ndarray, samples: int) -> List[np.ndarray]:
        """Write all but the samples into a packet, and return where these go.

        Returns
        -------
        list of arrays, views of `packet` of shape (some samples, input words)
        """
        packet[:HEADER_BYTES] = np.frombuffer(header("run", samples, self.format), dtype=np.uint8)
        rows = packet[HEADER_BYTES : self.send_bytes(samples)].reshape(samples, -1)
        used = self._item * self.input_words
        rows[:, used:] = 0
        return [rows.view("u1" if self.format == BYTES else "<i2")[:, : self.input_words]]

    def results(self, packet: np.ndarray, samples: int) -> np.ndarray:
        """Return the results in a packet from the engine, as a view of shape (samples, words)."""
        rows = packet[: samples * self.result_bytes].reshape(samples, -1)
        return rows.view("<i2")[:, : self.output_words]

    def counters(self, packet: np.ndarray, samples: int) -> np.ndarray:
        """Return the saturation counters of the input and of each layer."""
        begin = samples * self.result_bytes
        counters = packet[begin : begin + 4 * (1 + self.layers)].view("<u4")
        return counters.astype(np.int64)
