"""The hardware handoff of a board without Vivado, for the emulated board and for tests.

::

    python3 hw/standin/handoff.py pynq-z2 circnn.hwh

Runs the block design's script, unmodified, in the stand-in. The same sources give the same bytes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from typing import List

STANDIN = os.path.dirname(os.path.abspath(__file__))
HW = os.path.dirname(STANDIN)
sys.path.insert(0, os.path.join(HW, "scripts"))

import engine_ip  # noqa: E402
import settings  # noqa: E402


def prepare(board: str, build: str) -> None:
    """Write the results of the step ip into the build folder: settings, headers, IP core."""
    settings.write(board, build)
    engine = settings.load(board)["design"]["engine"]
    vlnv = ":".join(engine[key] for key in ("vendor", "library", "top", "version"))
    core = os.path.join(build, "hls", "solution1", "impl", "ip")
    os.makedirs(core)
    with open(os.path.join(core, "standin_ip.tcl"), "w", encoding="utf-8") as file:
        file.write(engine_ip.entry(vlnv, engine_ip.contract()))


def saved(build: str) -> str:
    """Return the path of the handoff inside the design that the step bd saved."""
    name = settings.load("pynq-z2")["design"]["name"]
    return os.path.join(build, "vivado", f"{name}.srcs", "sources_1", "bd", name, f"{name}.bd")


def handoff(board: str, path: str) -> None:
    """Write the handoff of a board.

    Raises
    ------
    RuntimeError
        If the stand-in refuses the design; the message contains its output.
    """
    with tempfile.TemporaryDirectory() as build:
        prepare(board, build)
        vivado, design = os.path.join(STANDIN, "vivado.tcl"), os.path.join(HW, "tcl", "bd.tcl")
        done = subprocess.run(
            ["tclsh", vivado, "-mode", "batch", "-source", design],
            env={**os.environ, "CIRCNN_HW": HW, "CIRCNN_BUILD": build},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            said = done.stdout.decode("utf-8", "replace").strip()
            raise RuntimeError(f"the design must be sound. Received: {said}")
        shutil.copyfile(saved(build), path)


def main(arguments: List[str]) -> None:
    """Write the handoff of the board to the file that the command line names."""
    if len(arguments) != 2:
        raise SystemExit(f"usage: handoff.py {' | '.join(settings.boards())} FILE")
    try:
        handoff(*arguments)
    except (ValueError, RuntimeError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
