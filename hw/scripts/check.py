"""Stops the build where a report says that a goal was missed.

::

    python3 hw/scripts/check.py ip BUILD        # intervals, clock and register map of the HLS
    python3 hw/scripts/check.py timing BUILD    # slack of the routed design

Prints what it checked, and ends with status 1 and the reasons when something was missed.
"""

import glob
import os
import sys
from typing import Dict, List

import settings
from settings import reports

ENGINE = settings.contract.ENGINE
BUNDLE = "control"  # of the registers: the port is s_axi_control
# What Vitis HLS calls the registers of ap_ctrl_hs.
PROTOCOL = {
    "control": "AP_CTRL",
    "global_interrupt_enable": "GIE",
    "interrupt_enable": "IER",
    "interrupt_status": "ISR",
}


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
    """Return every pipelined loop and function of the C synthesis, from its reports and its log."""
    found = [
        reports.Loop(f"{name[: -len('_csynth.rpt')]}: {loop.name}", loop.achieved, loop.target)
        for name, text in hls_reports(build).items()
        for loop in reports.loops(text)
    ]
    return found + reports.pipelined(read(build, "ip.log"))


def generated_name(register: str) -> str:
    """Return what the generated driver calls a register of the contract."""
    if register in PROTOCOL:
        return PROTOCOL[register]
    if register.endswith("_control"):
        return register[: -len("_control")].upper() + "_CTRL"
    return register.upper() + "_DATA"


def moved_registers(build: str) -> List[str]:
    """Return where the register map that Vitis HLS generated is not the contract's."""
    name = f"x{ENGINE['top']}_hw.h"
    pattern = os.path.join(build, "hls", "solution1", "impl", "*", "drivers", "*", "src", name)
    paths = sorted(glob.glob(pattern))  # below ip or misc, or both, according to the version
    if not paths:
        raise reports.ReportError(
            f"the step ip must leave {name}, the register map, at {pattern}. Received: none. "
            "Run make -C hw ip again; without it nobody knows where the registers lie."
        )
    faults = []
    for path in paths:
        found = reports.registers(read(path), ENGINE["top"], BUNDLE)
        for row in ENGINE["registers"]:
            offset = found.pop(generated_name(row["name"]), None)
            if offset != row["offset"]:
                received = "none" if offset is None else f"0x{offset:02x}"
                faults.append(
                    f"the register {row['name']} must lie at 0x{row['offset']:02x}. "
                    f"Received: {received}. ({path})"
                )
        faults += [
            f"the register {name} at 0x{offset:02x} must be in the contract. Received: it is not. "
            f"({path})"
            for name, offset in found.items()
        ]
    return faults


def missed_ip(build: str) -> List[str]:
    """Return what the C synthesis missed: an II, the clock or the place of a register."""
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
    return faults + moved_registers(build)


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
    "ip": "For a loop or the clock look into build/hw/BOARD/hls/solution1/syn/report, or lower "
    "fclk_mhz. For a register look for warnings of Vitis HLS in build/hw/BOARD/ip.log, and give it "
    "its offset in hw/src/circnn_top.cpp and pynq_circnn/contract/contract.json, with a new "
    "interface_version.",
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
