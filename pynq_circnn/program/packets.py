"""Packets: what goes over the engine's two streams, as arrays of 64-bit beats.

The driver's DMA carries these arrays as they are, and so does the C simulation.
"""

from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from ..contract import CONFIGURATIONS, IDENTITY, OPCODES, PACKET_KINDS, REPLY_FIELDS, STATUS
from ..errors import ProgramError
from .program import Program

BEAT_BYTES = 8
BEAT_WORDS = 4
_NAMES = {value: name for name, value in STATUS.items()}


class Reply(NamedTuple):
    """What the engine told of a packet."""

    status: str
    detail: int
    samples: int
    saturations: int
    product_trips: int
    beats_in: int
    configuration: int


def packet(kind: str, count: int, form: int, payload: bytes = b"") -> np.ndarray:
    """Return a packet as beats: its header, and the payload padded to whole beats."""
    header = np.array([IDENTITY["packet_magic"], PACKET_KINDS[kind], count, form], dtype="<u4")
    data = header.tobytes() + payload + b"\0" * (-len(payload) % BEAT_BYTES)
    return np.frombuffer(data, dtype="<u8")


def program_packet(program: Program) -> np.ndarray:
    """Return the packet that loads a program with its weights."""
    data = program.to_bytes()
    return packet("program", len(data), 0, data)


def layer_weights(program: Program, index: int) -> np.ndarray:
    """Return the weights of one layer as the engine reads them: whole beats."""
    layer = program.layers[index]
    positions = layer["kernel_height"] * layer["kernel_width"]
    blocks = layer["block_rows"] * layer["block_columns"] * positions
    words = blocks << layer["block_log2"]
    begin = layer.get("weights_offset", 0)
    return program.weights[begin : begin + -(-words // 8) * 8]


def batch_samples(program: Program) -> int:
    """Return how many samples the engine works on at once."""
    memory = CONFIGURATIONS[program.configuration]["activation_words"]
    return int(memory // program.header["activation_words"])


def sample_beats(program: Program, unscaled: bool) -> int:
    """Return the beats of one sample's input."""
    return -(-program.header["input_words"] // (BEAT_BYTES if unscaled else BEAT_WORDS))


def run_packet(program: Program, x: np.ndarray) -> np.ndarray:
    """Return the packet that runs samples.

    Parameters
    ----------
    program : Program
    x : array of shape (n, input words)
        ``int16`` input words, or unscaled ``uint8``.
    """
    unscaled = x.dtype == np.uint8
    beats = sample_beats(program, unscaled)
    padded = np.zeros((len(x), beats * BEAT_BYTES // x.itemsize), dtype=x.dtype)
    padded[:, : x.shape[1]] = x
    samples = padded.view("<u8")
    streamed = [
        layer_weights(program, index).view("<u8")
        for index, layer in enumerate(program.layers)
        if layer["opcode"] == OPCODES["matrix"] and layer.get("stream", 0) & 2
    ]
    parts: List[np.ndarray] = [packet("run", len(x), int(unscaled))]
    at_once = batch_samples(program) if streamed else max(len(x), 1)
    for first in range(0, len(x), at_once):
        parts.append(samples[first : first + at_once].ravel())
        parts.extend(streamed)
    return np.concatenate(parts)


def reply_beats(program: Program, samples: int) -> int:
    """Return the beats of the packet that answers a run: results, counters and the reply."""
    results = samples * -(-program.header["output_words"] // BEAT_WORDS)
    return results + -(-(len(program.layers) + 1) // 2) + len(REPLY_FIELDS) // 2


def read_reply(beats: np.ndarray) -> Reply:
    """Return the reply at the end of a packet from the engine.

    Raises
    ------
    ProgramError
        If the packet does not end in a reply.
    """
    words = beats[-(len(REPLY_FIELDS) // 2) :].view("<u4")
    values: Dict[str, int] = dict(zip(REPLY_FIELDS, map(int, words)))
    if values.pop("magic", None) != IDENTITY["reply_magic"]:
        raise ProgramError(
            "a packet of the engine must end in a reply. "
            f"Received: {[hex(word) for word in words.tolist()]}. Reset the engine."
        )
    status = _NAMES.get(values.pop("status"), "unknown")
    return Reply(status=status, **values)


def read_results(
    program: Program, beats: np.ndarray, samples: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the output words (n, output words) and the saturations of input and layers."""
    words = program.header["output_words"]
    each = -(-words // BEAT_WORDS)
    results = beats[: samples * each].view("<i2").reshape(samples, -1)[:, :words]
    counters = beats[samples * each :].view("<u4")[: len(program.layers) + 1]
    return results, counters.astype(np.int64)


def check_status(reply: Reply, names: Sequence[str]) -> None:
    """Raise :class:`ProgramError` unless the engine was content."""
    if reply.status != "ok":
        layer = f" in layer {reply.detail}" if reply.detail < len(names) else ""
        raise ProgramError(
            f"the engine must accept the packet. Received: {reply.status}{layer}, "
            f"after {reply.beats_in} beats."
        )
