"""The engine's replies to the driver: an error of the board for each that is missing or not ok."""

import numpy as np

from ..errors import BoardError
from ..program.packets import REPLY_BYTES, STATUS_TEXTS, Reply, find_reply


def check_reply(data: np.ndarray, doing: str) -> Reply:
    """Return the reply at the end of a packet (of bytes) from the engine.

    Raises
    ------
    BoardError
        If there is none, because the packet is too short or something else sent it; or if the
        engine reports an error.
    """
    reply = find_reply(data)
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
            f"{STATUS_TEXTS.get(reply.status, 'no status of this version')}. The next call loads "
            "everything anew; if it comes back, use the package that the bitstream was built from.",
            {name: getattr(reply, name) for name in ("detail", "samples", "beats_in")},
        )
    return reply
