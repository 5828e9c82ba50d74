"""The reports of a real synthesis beside the model of the engine, figure by figure."""

import fnmatch
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..contract import CONFIGURATIONS, ENGINE
from . import reports
from .cycles import DEPTHS, LOOPS
from .reports import ReportError
from .resources import PARTS, resources

VERSIONS = ("2022.1", "2024.1")
"""The versions of Vitis HLS and Vivado whose reports the parsers are written against."""


class Sought(NamedTuple):
    """A kind of report: the names it may have, the first of which wins, and what it holds."""

    names: Tuple[str, ...]
    holds: str


SOUGHT = {
    "synthesis": Sought(("csynth.xml",), "resources, clock and latency of the C synthesis"),
    "modules": Sought(("*_csynth.rpt",), "loops, with their initiation intervals"),
    "log": Sought(
        ("ip.log", "vitis_hls.log", "solution*.log"), "initiation intervals of pipelined functions"
    ),
    "timing": Sought(
        (
            "timing.rpt",
            "*_timing_summary_postroute_physopted.rpt",
            "*_timing_summary_routed.rpt",
        ),
        "slack of the routed design",
    ),
    "utilization": Sought(
        ("utilization.rpt", "*_utilization_placed.rpt"), "resources of the routed design"
    ),
}
_RESOURCES = {"dsp": "DSP", "bram36": "BRAM36", "lut": "LUT", "ff": "FF"}


def sought() -> str:
    """Return what is looked for, for messages."""
    return "; ".join(f"{' or '.join(row.names)} ({row.holds})" for row in SOUGHT.values())


# -- finding and reading ------------------------------------------------------------------------


def _files(folder: str) -> List[str]:
    found: List[str] = []
    for here, folders, names in os.walk(folder):
        # the tools keep working copies in hidden folders: .autopilot, .Xil
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(here, name) for name in sorted(names)]
    return found


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _one(paths: List[str], kind: Sought) -> Optional[Tuple[str, str]]:
    """Return path and text of the one report of a kind, or ``None`` if there is none.

    Raises
    ------
    ReportError
        If there are several that differ.
    """
    for pattern in kind.names:
        texts = {
            path: _read(path)
            for path in paths
            if fnmatch.fnmatchcase(os.path.basename(path), pattern)
        }
        if len(set(texts.values())) > 1:
            raise ReportError(
                f"the folder must hold one {pattern} ({kind.holds}). Received: "
                f"{', '.join(texts)}. Name the folder of one solution or one run."
            )
        if texts:
            return next(iter(texts.items()))
    return None


def find(folder: str) -> Dict[str, Dict[str, str]]:
    """Return the reports below a folder: for each kind of :data:`SOUGHT`, texts by path.

    Raises
    ------
    ReportError
        If the folder does not exist, holds no report, or holds several of a kind.
    """
    if not os.path.isdir(folder):
        raise ReportError(
            f"the reports must be in a folder. Received: {folder!r}, which is none. Name the "
            "folder of a Vitis HLS solution, of a Vivado run, or build/hw/BOARD."
        )
    paths = _files(folder)
    found: Dict[str, Dict[str, str]] = {}
    for name, kind in SOUGHT.items():
        if name == "modules":
            continue
        one = _one(paths, kind)
        found[name] = dict([one] if one else [])
    pattern = SOUGHT["modules"].names[0]
    modules = [p for p in paths if fnmatch.fnmatchcase(os.path.basename(p), pattern)]
    folders = {os.path.dirname(path) for path in modules}
    beside = {os.path.dirname(path) for path in found["synthesis"]}
    if beside:
        modules = [path for path in modules if os.path.dirname(path) in beside]
    elif len(folders) > 1:
        raise ReportError(
            f"the folder must hold the {pattern} of one synthesis. Received: those in "
            f"{', '.join(sorted(folders))}. Name the folder of one solution."
        )
    found["modules"] = {path: _read(path) for path in modules}
    logged = any(reports.pipelined(text) for text in found["log"].values())
    if not logged and not any(found[name] for name in SOUGHT if name != "log"):
        raise ReportError(
            f"{folder} must hold a report of Vitis HLS or Vivado. Received: none there or in the "
            f"folders below it. Looked for: {sought()}. Name the folder of a Vitis HLS solution, "
            "of a Vivado run, or build/hw/BOARD of make -C hw."
        )
    return found


def _parsed(path: str, text: str, parse: Any) -> Any:
    try:
        return parse(text)
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error
    except ValueError as error:
        raise ReportError(
            f"{path}: a figure must be a number. Received: {error}. Copy the whole file, or run "
            "the step that writes it again."
        ) from error


# -- comparing ----------------------------------------------------------------------------------


def _figure(
    figure: str, model: Optional[float], report: float, source: str, missed: bool = False
) -> Dict[str, Any]:
    return {
        "figure": figure,
        "model": model,
        "report": report,
        "ratio": report / model if model else None,
        "missed": missed,
        "source": source,
    }


def _plain(part: str) -> str:
    return part.lower().replace("-", "")


def _synthesis(path: str, text: str, configuration: str) -> reports.Synthesis:
    """Return the summary of a C synthesis, which must be the engine's for this part."""
    summary: reports.Synthesis = _parsed(path, text, reports.synthesis)
    if summary.top not in ("", ENGINE["top"]):
        raise ReportError(
            f"{path}: the synthesis must be of {ENGINE['top']}. Received: {summary.top}. Name the "
            "folder of the engine's solution."
        )
    part = CONFIGURATIONS[configuration]["part"]
    if _plain(summary.part) != _plain(part):
        raise ReportError(
            f"{path}: the synthesis must be for {part}, the part of the configuration "
            f"{configuration}. Received: {summary.part}. Choose the board that it was made for "
            "with --board."
        )
    missing = [name for name in ("BRAM_18K", "DSP", "FF", "LUT") if name not in summary.resources]
    if missing:
        raise ReportError(
            f"{path}: the resources must list BRAM_18K, DSP, FF and LUT, as Vitis HLS "
            f"{' to '.join(VERSIONS)} lists them. Received: {', '.join(summary.resources)} from "
            f"version {summary.version}. Synthesise with one of those versions."
        )
    return summary


def _synthesis_figures(
    path: str, summary: reports.Synthesis, configuration: str, latency: Optional[int]
) -> List[Dict[str, Any]]:
    model = resources(configuration)
    used = {
        "dsp": float(summary.resources["DSP"]),
        "bram36": summary.resources["BRAM_18K"] / 2,  # two in each
        "lut": float(summary.resources["LUT"]),
        "ff": float(summary.resources["FF"]),
    }
    rows = [
        _figure(f"{name}, C synthesis", _used(model, kind), used[kind], path)
        for kind, name in _RESOURCES.items()
    ]
    period = 1e3 / CONFIGURATIONS[configuration]["clock_mhz"]
    rows.append(_figure("clock period, target (ns)", period, summary.target_ns, path))
    slow = summary.estimated_ns > summary.target_ns
    rows.append(_figure("clock period, estimated (ns)", period, summary.estimated_ns, path, slow))
    if summary.latency is not None:
        for case, cycles in zip(("best", "worst"), summary.latency):
            rows.append(_figure(f"latency, {case} case (cycles)", latency, cycles, path))
    return rows


def _used(model: Dict[str, Dict[str, Any]], kind: str) -> float:
    return float(model[kind]["used"])


def _utilization_figures(path: str, text: str, configuration: str) -> List[Dict[str, Any]]:
    use: Dict[str, reports.Use] = _parsed(path, text, reports.utilization)
    part = CONFIGURATIONS[configuration]["part"]
    if use["lut"].available != PARTS[part]["lut"]:
        raise ReportError(
            f"{path}: the design must be for {part}, with {PARTS[part]['lut']} LUTs. Received: one "
            f"for a part with {use['lut'].available:g}. Choose the board that it was made for with "
            "--board."
        )
    model, keys = resources(configuration), {"ff": "register"}
    return [
        _figure(f"{name}, routed design", _used(model, kind), use[keys.get(kind, kind)].used, path)
        for kind, name in _RESOURCES.items()
    ]


def _timing_figures(path: str, text: str, period: float) -> List[Dict[str, Any]]:
    """Return slack and, with it, the period that the routed design reaches."""
    timing: reports.Timing = _parsed(path, text, reports.timing)
    clocks = list(reports.periods(text).values())
    aimed = clocks[0] if len(clocks) == 1 else period
    slack = timing.setup_slack_ns
    if slack is None:
        return []
    return [
        _figure("setup slack, WNS (ns)", None, slack, path, slack < 0),
        _figure("clock period, routed (ns)", period, aimed - slack, path, slack < 0),
    ]


def _unit(loop: str) -> Optional[Tuple[str, str]]:
    """Return unit and label of a loop by its name; flattened nests join names with underscores."""
    for unit, labels in LOOPS.items():
        for label in labels:
            if loop == label or loop.endswith("_" + label):
                return unit, label
    return None


def _loops(found: Dict[str, Dict[str, str]]) -> List[Dict[str, Any]]:
    """Return every pipelined loop and function: of the modules, else of csynth.xml, and the log."""
    seen: List[Tuple[str, reports.Loop, str]] = []
    rows: List[Dict[str, Any]] = []
    depths: Dict[Tuple[str, str], int] = {}
    for path, text in found["modules"].items():
        module = _parsed(path, text, reports.module)
        seen += [(f"{module}: ", loop, path) for loop in reports.loops(text)]
        depths.update({(path, name): depth for name, depth in reports.depths(text).items()})
    if not seen:
        for path, text in found["synthesis"].items():
            seen += [("", loop, path) for loop in reports.synthesis_loops(text)]
    known = {loop.name for _, loop, _ in seen}
    for path, text in found["log"].items():
        seen += [("", loop, path) for loop in reports.pipelined(text) if loop.name not in known]
    for module, loop, path in seen:
        unit = _unit(loop.name)
        model = 1 if unit or loop.target is None else loop.target
        rows.append(
            {
                "loop": module + (loop.name if loop.name != "?" else "(unnamed in the log)"),
                "unit": unit[0] if unit else None,
                "label": unit[1] if unit else None,
                "model": model,
                "target": loop.target,
                "report": loop.achieved,
                "ratio": loop.achieved / model,
                "differs": loop.achieved != model,
                "depth": depths.get((path, loop.name)),
                "depth_model": DEPTHS.get(unit[0]) if unit else None,
                "source": path,
            }
        )
    return rows


def _notes(versions: Dict[str, str], summary: Optional[reports.Synthesis]) -> List[str]:
    notes = []
    for tool, version in versions.items():
        plain = re.match(r"\d{4}\.\d", version)
        if plain is None or plain[0] not in VERSIONS:
            notes.append(
                f"the reports are read as {tool} {' and '.join(VERSIONS)} write them; these are "
                f"of version {version}"
            )
    if summary is not None and summary.latency is None:
        notes.append("csynth.xml states no latency: it depends on the packet")
    return notes


def compare(folder: str, configuration: str, latency_cycles: Optional[int]) -> Dict[str, Any]:
    """Return the reports below a folder beside the model of a configuration, as plain values.

    Parameters
    ----------
    folder : str
        Of a Vitis HLS solution, a Vivado run, or a build of ``make -C hw``.
    configuration : str
        The engine's.
    latency_cycles : int, optional
        As modelled, of one sample alone.

    Returns
    -------
    dict
        ``figures`` and ``loops``: model, report and their ratio; ``missing``: what was looked for
        in vain; ``intervals``: of the units' loops by label, the slowest where there are several;
        ``period_ns``: of the routed design, if it is known.

    Raises
    ------
    ReportError
        If there are no reports, or they are damaged, contradict each other, or are of another
        design or part.
    """
    found = find(folder)
    figures: List[Dict[str, Any]] = []
    versions: Dict[str, str] = {}
    summary: Optional[reports.Synthesis] = None
    for path, text in found["synthesis"].items():
        summary = _synthesis(path, text, configuration)
        versions["Vitis HLS"] = summary.version
        figures += _synthesis_figures(path, summary, configuration, latency_cycles)
    for path, text in found["utilization"].items():
        versions["Vivado"] = reports.tool_version(text)
        figures += _utilization_figures(path, text, configuration)
    for path, text in found["timing"].items():
        versions["Vivado"] = reports.tool_version(text)
        clock = 1e3 / CONFIGURATIONS[configuration]["clock_mhz"]
        figures += _timing_figures(path, text, clock)
    routed = [row["report"] for row in figures if row["figure"] == "clock period, routed (ns)"]
    unconstrained = [
        f"{path} states no setup slack: no clock is constrained"
        for path in found["timing"]
        if not routed
    ]
    loops = _loops(found)
    intervals: Dict[str, int] = {}
    for row in loops:
        if row["label"]:
            intervals[row["label"]] = max(row["report"], intervals.get(row["label"], 1))
    missing = [
        {"names": list(SOUGHT[name].names), "holds": SOUGHT[name].holds}
        for name in SOUGHT
        if not found[name]
    ]
    return {
        "folder": folder,
        "files": [path for name in SOUGHT for path in found[name]],
        "missing": missing,
        "versions": versions,
        "notes": _notes(versions, summary) + unconstrained,
        "figures": figures,
        "loops": loops,
        "intervals": intervals,
        "period_ns": routed[0] if routed else None,
    }
