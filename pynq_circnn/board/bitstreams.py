"""Finds the bitstream for a board and checks that its files belong together, without ``pynq``."""

import hashlib
import json
import os
from typing import Any, Dict, List, Optional

from ..contract import digest_words, engine_digests, known_engines
from ..errors import BoardError

NAME = "circnn"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = "make -C hw BOARD=pynq-z2 (needs Vivado and Vitis HLS; see overlays/README.md)"


def board_name(path: str = "/proc/device-tree/chosen/pynq_board") -> Optional[str]:
    """Return the board's own name, such as ``Pynq-Z2``; ``None`` if this is not a board."""
    name = os.environ.get("BOARD")
    if not name and os.path.exists(path):
        with open(path, "rb") as file:
            name = file.read().rstrip(b"\0\n").decode("ascii", "replace")
    return name or None


def folders() -> List[str]:
    """Return the folders that are searched for bitstreams."""
    places = [os.path.join(_PACKAGE, "overlays"), os.path.abspath("overlays")]
    return list(dict.fromkeys(map(os.path.realpath, places)))  # in a checkout both are one folder


def candidates(board: Optional[str], where: Optional[str] = None) -> List[str]:
    """Return the paths at which a bitstream for a board may be, in the order of the search."""
    paths = []
    for folder in folders() if where is None else [where]:
        if board:
            paths.append(os.path.join(folder, f"{NAME}.bit.d", f"{NAME}.{board}.bit"))
        paths.append(os.path.join(folder, f"{NAME}.bit"))
    return list(dict.fromkeys(paths))


def find(path: Optional[str] = None, board: Optional[str] = None) -> str:
    """Return the path of the bitstream.

    Parameters
    ----------
    path : str, optional
        A ``.bit`` file, or a folder with one.
    board : str, optional
        The board's own name, see :func:`board_name`.

    Raises
    ------
    BoardError
        If there is none; the message names the paths searched and the remedy.
    """
    if path is not None and not os.path.isdir(path):
        tried = [os.path.abspath(path)]
    else:
        tried = candidates(board, None if path is None else os.path.abspath(path))
    for bit in tried:
        if os.path.isfile(bit):
            if not os.path.isfile(_beside(bit, ".hwh")):
                raise BoardError(
                    "no_handoff",
                    f"a bitstream must have its .hwh beside it. Received: {bit} without "
                    f"{_beside(bit, '.hwh')}. Copy both files of the build.",
                )
            return bit
    others = sorted(
        name for bit in tried for name in _listed(os.path.dirname(bit)) if name.endswith(".bit")
    )
    raise BoardError(
        "no_bitstream",
        f"a bitstream for board {board or 'unknown'} must exist. Received: none at "
        + ", ".join(tried)
        + (f" (there are {', '.join(others)}, for other boards)" if others else "")
        + f". None comes with the package yet; build one: {BUILD}, or give CirCNNOverlay its path.",
    )


def manifest(bit: str) -> Optional[Dict[str, Any]]:
    """Return the manifest beside a bitstream, or ``None`` if there is none.

    Raises
    ------
    BoardError
        If it is not a manifest, or the files are not those that it describes.
    """
    path = _beside(bit, ".json")
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            values: Dict[str, Any] = json.load(file)
        sums = {name: entry["sha256"] for name, entry in values["files"].items()}
        digest = int(values["configuration_digest"], 16)
        float(values["fclk_mhz"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BoardError(
            "bad_manifest",
            f"{path} must be the manifest of a build. Received: {error!r}. "
            "Copy the whole folder circnn.bit.d of the build again.",
        ) from error
    for name, expected in sums.items():
        file_path = os.path.join(os.path.dirname(path), name)
        if os.path.isfile(file_path):
            with open(file_path, "rb") as file:
                actual = hashlib.sha256(file.read()).hexdigest()
            if actual != expected:
                raise BoardError(
                    "bad_manifest",
                    f"{name} must have the sha256 of its manifest, {expected[:16]}. "
                    f"Received: {actual[:16]}. The files are of different builds, or damaged: "
                    "copy the whole folder circnn.bit.d again.",
                )
    if digest not in engine_digests():
        raise BoardError(
            "wrong_configuration",
            f"the bitstream's configuration must be one of this package's, of {known_engines()}. "
            f"Received: {digest_words(digest)} in {path}. Install the package that the bitstream "
            f"was built from, or rebuild it: {BUILD}.",
        )
    return values


def _beside(bit: str, extension: str) -> str:
    return os.path.splitext(bit)[0] + extension


def _listed(folder: str) -> List[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
