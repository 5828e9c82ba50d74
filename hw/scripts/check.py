"""Stops the build where a report says that a goal was missed.

::

    python3 hw/scripts/check.py ip BUILD        # initiation intervals and the clock of the HLS
    python3 hw/scripts/check.py timing BUILD    # slack of the routed design

Prints what it checked, and ends with status 1 and the reasons when something was missed.
"""

import os
import sys
from typing import Dict, List

import reports


def read(*path: str) -> str:
    """Return the text of a report, or end with the step that would have made it."""
    name = os.path.join(*path)
    try:
        with open(name, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise reports.ReportError(
            f"the build must have left {name}. Received: {error.strerror}. Run the steps ip, bd, "
            "bit and timing in this order, or make -C hw for all of them."
        ) from error


def hls_reports(build: str) -> Dict[str, str]:
    """Return every report of a module of the C synthesis by its file name."""
    folder = os.path.join(build, "hls", "solution1", "syn", "report")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = {name: read(folder, name) for name in names if name.endswith("_csynth.rpt")}
    if not found:
        raise reports.ReportError(
            f"C synthesis must leave reports in {folder}. Received: none. Run make -C hw ip."
        )
    return found


def hls_loops(build: str) -> List[reports.Loop]:
    """Return every pipelined loop and function that the C synthesis tells of, reports and log."""
    found = [
        reports.Loop(f"{name[: -len('_csynth.rpt')]}: {loop.name}", loop.achieved, loop.target)
        for name, text in hls_reports(build).items()
        for loop in reports.loops(text)
    ]
    return found + reports.pipelined(read(build, "ip.log"))


def missed_ip(build: str) -> List[str]:
    """Return what the C synthesis missed: an II or the clock."""
    faults = [
        f"{loop.name}: II must be {loop.target}. Received: {loop.achieved}."
        for loop in hls_loops(build)
        if loop.target is not None and loop.achieved > loop.target
    ]
    summary = reports.synthesis(read(build, "hls", "solution1", "syn", "report", "csynth.xml"))
    if summary.estimated_ns > summary.target_ns:
        faults.append(
            f"the engine's clock must reach {summary.target_ns} ns. "
            f"Received: {summary.estimated_ns} ns (estimated)."
        )
    return faults


def missed_timing(build: str) -> List[str]:
    """Return what the routed design missed: setup, hold or pulse width."""
    summary = reports.timing(read(build, "timing.rpt"))
    faults = []
    for name in ("setup_slack_ns", "hold_slack_ns", "pulse_width_slack_ns"):
        slack = getattr(summary, name)
        if slack is None:
            faults.append(f"{name} must be known. Received: none, so nothing is constrained.")
        elif slack < 0:
            faults.append(f"{name} must not be negative. Received: {slack}.")
    if not faults and not summary.met:
        faults.append(
            "the report must say that all timing constraints are met. Received: it does not, with "
            f"{summary.failing_endpoints} failing endpoints."
        )
    return faults


REMEDY = {
    "ip": "Look at the loop in build/hw/BOARD/hls/solution1/syn/report, or lower fclk_mhz.",
    "timing": "Look at the paths in build/hw/BOARD/timing.rpt, or lower fclk_mhz of the board.",
}


def main(arguments: List[str]) -> None:
    """Check one step of one build folder."""
    if len(arguments) != 2 or arguments[0] not in REMEDY:
        raise SystemExit("usage: check.py ip | timing BUILD")
    step, build = arguments
    try:
        faults = missed_ip(build) if step == "ip" else missed_timing(build)
    except reports.ReportError as error:
        raise SystemExit(f"error: {error}") from None
    if faults:
        raise SystemExit("\n".join(f"error: {fault}" for fault in faults) + f"\n{REMEDY[step]}")
    print(f"{step}: every goal met")


if __name__ == "__main__":
    main(sys.argv[1:])
