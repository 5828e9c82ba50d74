"""Puts bitstream and hardware handoff into ``overlays/`` with a manifest of what they are.

::

    python3 hw/scripts/manifest.py pynq-z2 BUILD OVERLAYS

Leaves ``circnn.bit.d/circnn.BOARD.bit``, ``.hwh`` and ``.json`` there, BOARD being pynq's name of
the board: where ``pynq.Overlay("circnn.bit")`` looks for a bitstream of several boards, and for
the handoff beside it. Nothing is written unless the reports say that every goal was met.
"""

import glob
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List
from xml.etree import ElementTree

import check
import settings
from settings import reports

FORMAT = 1


def bit_header(data: bytes) -> Dict[str, str]:
    """Return the header of a .bit file: design, part, date, time and number of data bytes.

    Raises
    ------
    ReportError
        If the bytes are no .bit file.
    """
    names = {b"a": "design", b"b": "part", b"c": "date", b"d": "time"}
    found: Dict[str, str] = {}
    try:
        (skip,) = struct.unpack_from(">H", data)
        place = 2 + skip + 2
        while data[place : place + 1] in names:
            (size,) = struct.unpack_from(">H", data, place + 1)
            text = data[place + 3 : place + 3 + size].rstrip(b"\0").decode("ascii")
            found[names[data[place : place + 1]]] = text
            place += 3 + size
        if data[place : place + 1] != b"e" or len(found) != len(names):
            raise ValueError("no field e")
        (size,) = struct.unpack_from(">I", data, place + 1)
        if len(data) - place - 5 != size:
            raise ValueError(f"{size} bytes announced, {len(data) - place - 5} there")
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise reports.ReportError(
            f"a bitstream must be a .bit file with its header. Received: {error}. "
            "Run make -C hw bit again."
        ) from error
    found["data_bytes"] = str(size)
    return found


def clock_mhz(hwh: str, parameter: str) -> float:
    """Return the frequency that the handoff says the processor's clock really has."""
    for element in ElementTree.fromstring(hwh.encode("utf-8")).iter("PARAMETER"):
        if element.get("NAME") == parameter:
            return float(element.get("VALUE") or "nan")
    raise reports.ReportError(
        f"the handoff must have the parameter {parameter}. Received: none. Run make -C hw bd again."
    )


def git_revision() -> Dict[str, Any]:
    """Return the commit that the sources are of, and whether they were changed since."""

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ("git", "-C", settings.HW, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return result.stdout.decode("utf-8").strip()

    revision = git("rev-parse", "HEAD")
    if not revision:
        return {"revision": "unknown", "changed": True}
    return {
        "revision": revision,
        "changed": bool(git("status", "--porcelain", "--", ".", "../pynq_circnn")),
    }


def _one(build: str, what: str, *patterns: str) -> str:
    found = [name for pattern in patterns for name in glob.glob(os.path.join(build, pattern))]
    if not found:
        raise reports.ReportError(
            f"the build must have left the {what} below {build}. Received: none. "
            "Run make -C hw bit."
        )
    return found[0]


def collect(board: str, build: str) -> Dict[str, Any]:
    """Return the manifest of a finished build, without its files.

    Raises
    ------
    ReportError
        If a goal was missed, a file is missing, or bitstream and board do not agree.
    """
    facts = settings.load(board)
    faults = check.missed_ip(build) + check.missed_timing(build)
    if faults:
        raise reports.ReportError(" ".join(faults) + " Nothing was put into the overlays.")
    name = facts["design"]["name"]
    bit = _one(build, "bitstream", f"vivado/{name}.runs/impl_1/{name}_wrapper.bit")
    hwh = _one(
        build,
        "handoff",
        f"vivado/{name}.gen/sources_1/bd/{name}/hw_handoff/{name}.hwh",
        f"vivado/{name}.srcs/sources_1/bd/{name}/hw_handoff/{name}.hwh",
    )
    with open(bit, "rb") as file:
        header = bit_header(file.read())
    if not facts["part"].replace("xc", "", 1).startswith(header["part"].replace("xc", "", 1)):
        raise reports.ReportError(
            f"the bitstream must be for {facts['part']}. Received: one for {header['part']}. "
            "Run make -C hw clean and build again."
        )
    fclk = clock_mhz(check.read(hwh), facts["processor"]["actual_clock_parameter"])
    if not abs(fclk - facts["fclk_mhz"]) <= 0.01 * facts["fclk_mhz"]:
        raise reports.ReportError(
            f"the clock must be within 1 % of {facts['fclk_mhz']} MHz. Received: {fclk} MHz. "
            "Choose a frequency that the processor's divisors reach."
        )
    summary = reports.synthesis(check.read(build, "hls/solution1/syn/report/csynth.xml"))
    routed = reports.timing(check.read(build, "timing.rpt"))
    use = reports.utilization(check.read(build, "utilization.rpt"))
    version = header["design"].rpartition("Version=")[2]
    return {
        "format": FORMAT,
        "name": name,
        "board": board,
        "pynq_name": facts["pynq_name"],
        "part": facts["part"],
        "configuration": facts["configuration"],
        "configuration_digest": facts["configuration_digest"],
        "fclk_mhz": fclk,
        "tools": {"vivado": version, "vitis_hls": summary.version},
        "timing": routed._asdict(),
        "utilization": {key: value._asdict() for key, value in use.items()},
        "hls": {
            "target_ns": summary.target_ns,
            "estimated_ns": summary.estimated_ns,
            "resources": summary.resources,
            "pipelined_loops": len(check.hls_loops(build)),
        },
        "git": git_revision(),
        "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "sources": {"bit": bit, "hwh": hwh},
    }


def write(manifest: Dict[str, Any], overlays: str) -> str:
    """Copy the files beside each other, write the manifest and return its path.

    Raises
    ------
    ReportError
        If the stand-in for Vivado made them and the overlays are those of this repository.
    """
    ours = os.path.realpath(os.path.join(settings.HW, "..", "overlays"))
    if "stand-in" in manifest["tools"]["vivado"] and os.path.realpath(overlays) == ours:
        raise reports.ReportError(
            "what lies in overlays/ must come from Vivado. Received: the stand-in's. "
            "Set OVERLAYS=/tmp/overlays."
        )
    folder = os.path.join(overlays, f"{manifest['name']}.bit.d")
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, f"{manifest['name']}.{manifest['pynq_name']}")
    files = {}
    for kind, source in manifest.pop("sources").items():
        target = f"{stem}.{kind}"
        shutil.copyfile(source, target)
        with open(target, "rb") as file:
            data = file.read()
        files[os.path.basename(target)] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
    manifest["files"] = files
    with open(f"{stem}.json", "w", encoding="utf-8") as out:
        json.dump(manifest, out, indent=2)
        out.write("\n")
    return f"{stem}.json"


def main(arguments: List[str]) -> None:
    """Collect and write; the command line names board, build folder and overlays."""
    if len(arguments) != 3:
        raise SystemExit("usage: manifest.py BOARD BUILD OVERLAYS")
    board, build, overlays = arguments
    try:
        print(f"wrote {write(collect(board, build), overlays)}")
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
