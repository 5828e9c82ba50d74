"""What the reports of Vitis HLS and Vivado say, as Python values.

Every function takes the text of one file and is written against the format of 2022.1 and 2024.1;
what it looks for and does not find is an error, never a silent zero. The module needs nothing but
the standard library: the scripts of the Vivado build (``hw/scripts``) execute it without the
package.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree


class Loop(NamedTuple):
    """One pipelined loop or function: its initiation intervals."""

    name: str
    achieved: int
    target: Optional[int]


class Synthesis(NamedTuple):
    """The summary of a C synthesis (csynth.xml).

    The latency is that of the top function in cycles, best and worst case, or ``None`` if it
    depends on the data.
    """

    version: str
    part: str
    target_ns: float
    estimated_ns: float
    resources: Dict[str, int]
    top: str
    latency: Optional[Tuple[int, int]]


class Timing(NamedTuple):
    """The design timing summary of a routed design; slacks in ns, ``None`` where there is none."""

    setup_slack_ns: Optional[float]
    hold_slack_ns: Optional[float]
    pulse_width_slack_ns: Optional[float]
    failing_endpoints: int
    met: bool


class Use(NamedTuple):
    """How much of a resource a routed design uses."""

    used: float
    available: float


class ReportError(ValueError):
    """A report does not have the form that its tool gives it."""


def _cells(line: str) -> List[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _loop_rows(text: str) -> List[Dict[str, str]]:
    """Return the rows of the table of loops; the columns without a heading have numbers."""
    found: List[Dict[str, str]] = []
    columns: List[str] = []
    for line in text.splitlines():
        if not line.strip().startswith("|"):
            columns = [] if not line.strip() else columns
            continue
        cells = _cells(line)
        if "achieved" in cells and "target" in cells:
            columns = cells
        elif columns and len(cells) == len(columns):
            row = dict(zip(columns, cells))
            if row["achieved"].isdigit():
                found.append({"name": cells[0].lstrip("-+ "), **row})
    return found


def loops(text: str) -> List[Loop]:
    """Return the pipelined loops of one ``*_csynth.rpt``: the table with achieved and target II.

    Notes
    -----
    A loop that is not pipelined has dashes in both columns and is left out. Loops inside a loop
    carry plus signs before their name.
    """
    return [
        Loop(
            row["name"],
            int(row["achieved"]),
            int(row["target"]) if row["target"].isdigit() else None,
        )
        for row in _loop_rows(text)
    ]


def depths(text: str) -> Dict[str, int]:
    """Return the cycles that one iteration of each pipelined loop of a ``*_csynth.rpt`` takes."""
    rows = _loop_rows(text)
    return {row["name"]: int(row["Latency"]) for row in rows if row.get("Latency", "").isdigit()}


def module(text: str) -> str:
    """Return the name of the module that a ``*_csynth.rpt`` is about.

    Raises
    ------
    ReportError
        If it is no report of a module, or ends before its loops do.
    """
    title = re.search(r"^== (?:Vitis|Vivado) HLS Report for '([^']+)'", text, re.MULTILINE)
    if title is None or "== Utilization Estimates" not in text:
        received = "neither" if title is None else f"the title of {title[1]}, and no such section"
        raise ReportError(
            'the report of a module must begin with the title "Vitis HLS Report for ..." and have '
            f'a section "Utilization Estimates" behind its loops. Received: {received}. Copy the '
            "whole file, or run C synthesis again."
        )
    return title[1]


_PIPELINED = re.compile(
    r"Pipelining result : Target II = (\d+|NA), Final II = (\d+), Depth = \d+"
    r"(?:, (?:loop|function) '([^']*)')?"
)


def pipelined(log: str) -> List[Loop]:
    """Return the loops and functions whose pipelining result is in a log of Vitis HLS.

    The reports have no target for a pipelined function; only the log has.
    """
    return [
        Loop(name or "?", int(final), None if target == "NA" else int(target))
        for target, final, name in _PIPELINED.findall(log)
    ]


def registers(text: str, top: str, bundle: str) -> Dict[str, int]:
    """Return the offsets that a generated ``x*_hw.h`` defines, by names such as ``STATUS_DATA``.

    Raises
    ------
    ReportError
        If there are none for this top function and bundle of registers.
    """
    prefix = f"X{top}_{bundle}_ADDR_".upper()
    lines = re.findall(rf"^#define\s+{prefix}(\w+)\s+(0x[0-9a-fA-F]+)\s*$", text, re.MULTILINE)
    if not lines:
        raise ReportError(
            f"the register map of the engine's driver must define {prefix}... Received: none. "
            "Run make -C hw ip again."
        )
    return {name: int(offset, 16) for name, offset in lines}


def _profile(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise _no_synthesis(error) from error


def _no_synthesis(received: object) -> ReportError:
    return ReportError(
        f"csynth.xml must hold the summary of a synthesis. Received: {received}. Run "
        "make -C hw ip again, and look into build/hw/BOARD/ip.log."
    )


def synthesis(text: str) -> Synthesis:
    """Return the summary that ``csynth.xml`` holds.

    Raises
    ------
    ReportError
        If an element is missing or no number.
    """
    root = _profile(text)

    def word(path: str) -> str:
        found = root.findtext(path)
        if found is None:
            raise AttributeError(path)
        return found.strip()

    try:
        resources = root.find("AreaEstimates/Resources")
        if resources is None:
            raise AttributeError("AreaEstimates/Resources")
        latency = "PerformanceEstimates/SummaryOfOverallLatency"
        cases = [root.findtext(f"{latency}/{case}-caseLatency", "") for case in ("Best", "Worst")]
        known = all(case.strip().isdigit() for case in cases)  # "undef" where it is not
        return Synthesis(
            version=word("ReportVersion/Version"),
            part=word("UserAssignments/Part"),
            target_ns=float(word("UserAssignments/TargetClockPeriod")),
            estimated_ns=float(
                word("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")
            ),
            resources={element.tag: int(element.text or "") for element in resources},
            top=root.findtext("UserAssignments/TopModelName", "").strip(),
            latency=(int(cases[0]), int(cases[1])) if known else None,
        )
    except (AttributeError, ValueError) as error:
        raise _no_synthesis(error) from error


def synthesis_loops(text: str) -> List[Loop]:
    """Return the pipelined loops of ``csynth.xml``, which states no target.

    An element of ``SummaryOfLoopLatency`` is called as its loop is, or has the name inside; that of
    a loop within a loop lies within.
    """
    found: List[Loop] = []
    for summary in _profile(text).iter("SummaryOfLoopLatency"):
        for element in summary.iter():
            interval = element.findtext("PipelineII", "").strip()
            if interval.isdigit():
                name = element.findtext("Name", element.tag).strip()
                found.append(Loop(name, int(interval), None))
    return list(dict.fromkeys(found))  # the top function's are there twice


def _number(word: str) -> Optional[float]:
    return None if word in ("NA", "inf") else float(word)


def timing(text: str) -> Timing:
    """Return the design timing summary of a ``report_timing_summary``.

    Raises
    ------
    ReportError
        If there is no such table.
    """
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.split()[:1] == ["WNS(ns)"] and i + 2 < len(lines):
            heads = re.split(r"\s{2,}", line.strip())
            row = dict(zip(heads, lines[i + 2].split()))
            failing = [int(row[h]) for h in heads if h.endswith("Failing Endpoints") and h in row]
            if "WHS(ns)" not in row or "WPWS(ns)" not in row:
                break
            return Timing(
                setup_slack_ns=_number(row["WNS(ns)"]),
                hold_slack_ns=_number(row["WHS(ns)"]),
                pulse_width_slack_ns=_number(row["WPWS(ns)"]),
                failing_endpoints=sum(failing),
                met="All user specified timing constraints are met." in text,
            )
    raise ReportError(
        "a timing report must hold the design timing summary, setup to pulse width. Received: "
        "none. Run make -C hw timing again, and look into build/hw/BOARD/timing.log."
    )


_RESOURCES = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "register": ("Slice Registers", "CLB Registers"),
    "bram36": ("Block RAM Tile",),
    "uram": ("URAM",),
    "dsp": ("DSPs",),
}


def utilization(text: str) -> Dict[str, Use]:
    """Return the LUTs, registers, block RAM, URAM and DSPs of a ``report_utilization``.

    Raises
    ------
    ReportError
        If LUTs, registers, block RAM or DSPs are not in it (the XC7Z020 has no URAM).
    """
    found: Dict[str, Use] = {}
    columns: List[str] = []
    for line in text.splitlines():
        if not line.strip().startswith("|"):
            continue
        cells = _cells(line)
        if "Used" in cells and "Available" in cells:
            columns = cells
        elif columns and len(cells) == len(columns):
            row = dict(zip(columns, cells))
            for key, names in _RESOURCES.items():
                if cells[0].rstrip("*") in names and key not in found:
                    found[key] = Use(float(row["Used"]), float(row["Available"]))
    missing = [key for key in _RESOURCES if key not in found and key != "uram"]
    if missing:
        raise ReportError(
            f"a utilisation report must list {', '.join(missing)}. Received: none. Run "
            "make -C hw timing again, and look into build/hw/BOARD/timing.log."
        )
    return found


def periods(text: str) -> Dict[str, float]:
    """Return the period of every clock in the clock summary of a ``report_timing_summary``, in ns.

    A report without that table has none.
    """
    found: Dict[str, float] = {}
    inside = False
    for line in text.splitlines():
        if re.match(r"Clock\s+Waveform\(ns\)\s+Period\(ns\)", line):
            inside = True
        elif inside:
            row = re.match(r"\s*(\S+)\s+\{[^}]*\}\s+([\d.]+)", line)
            if row:
                found[row[1]] = float(row[2])
            elif not line.startswith("-----"):
                break
    return found


def tool_version(text: str) -> str:
    """Return the version of Vivado that a report names, or "unknown"."""
    found = re.search(r"^\| Tool Version\s*:\s*Vivado v\.(.+?)\s*(?:\(|$)", text, re.MULTILINE)
    return found[1] if found else "unknown"
