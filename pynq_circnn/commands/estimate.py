"""``circnn estimate``: whether a model fits a board, and how fast it is there, as modelled."""

import argparse
import sys
from typing import Any, Dict, List, Optional

from ..contract import BOARDS, ENGINE
from ..engine.estimate import estimate
from ..engine.resources import beyond_part
from ..model import model as models
from .common import add_command, add_json, add_model, print_json

ORDER = 80


def report_lines(name: str, report: Dict[str, Any]) -> List[str]:
    """Return an estimate as text, without the resources."""
    lines = [f"{name} on {report['board']} at {report['clock_mhz']:g} MHz ({report['basis']})"]
    if not report["fits"]:
        return [*lines, "does not fit:", *(f"  {line}" for line in report["overflows"])]
    for memory, words in report["memories"].items():
        share = words["used_words"] / words["available_words"]
        lines.append(
            f"  {memory:12} {words['used_words']:8,} of {words['available_words']:8,} words "
            f"({share:.0%})"
        )
    width = max([20, *(len(row["name"]) for row in report["layers"])])
    lines.append(f"  {'layer':{width}} {'alone':>9} {'steady':>9}  cycles, bottleneck")
    for row in report["layers"]:
        streamed = ", weights streamed" if row["weights_streamed"] else ""
        lines.append(
            f"  {row['name']:{width}} {row['cycles_alone']:9,} {row['cycles_steady']:9,.0f}  "
            f"{row['bottleneck']}{streamed}"
        )
    host = report["host"]
    waits = report["traffic"]["wait_cycles"]
    waited = {name: " and waits for DDR" if waits[name] else "" for name in waits}
    lines += [
        f"one sample alone: {report['latency_cycles']:,} cycles{waited['alone']} = "
        f"{report['latency_us']:.1f} us",
        f"steady state: {report['steady_cycles']:,.0f} cycles a sample{waited['batch']} = "
        f"{report['images_per_s']:,.0f} samples/s, input as {report['input']}, "
        f"{report['batch_samples']} at once",
        f"dense-equivalent: {report['gops_dense_equivalent']:.1f} GOPS; lanes busy "
        f"{report['lanes_busy']:.0%}, DMA {report['dma_share']:.0%}; bottleneck: "
        f"{report['bottleneck']}",
        f"energy: {report['energy_uj']:.2f} uJ a sample, {report['gops_per_w']:.1f} GOPS/W at "
        f"{report['power_w']:g} W ({report['power_basis']})",
        f"host overhead ({host['basis']}): {host['call_us']:g} us a call, "
        f"{host['sample_us']:.1f} us a sample",
        *_traffic_lines(report),
    ]
    return lines


def _traffic_lines(report: Dict[str, Any]) -> List[str]:
    """Return what the DMA moves, and what the DDR memory makes of the rate."""
    traffic = report["traffic"]
    alone, steady, once = traffic["alone"], traffic["steady"], traffic["packet_bytes"]
    weights = steady["weights_bytes_a_batch"]
    streamed = f", {weights:,} of streamed weights" if weights else ""
    lines = [
        f"DMA, one sample alone: {alone['in_bytes']:,} bytes in ({alone['input_bytes']:,} of input"
        f"{streamed}, {once['header']} of header), {alone['out_bytes']:,} out "
        f"({alone['output_bytes']:,} of output, {once['counters_and_reply']} of counters and "
        f"reply): {_share_text(alone)}",
        f"DMA, steady state: {steady['in_bytes_a_sample']:,.0f} bytes in and "
        f"{steady['out_bytes_a_sample']:,.0f} out a sample"
        + (f" ({weights:,} in a mini-batch are streamed weights)" if weights else "")
        + f": {_share_text(steady)}",
        f"limits: each stream {traffic['stream_mb_s']:,.0f} MB/s ({ENGINE['stream_bits']} bits a "
        f"cycle), DDR {traffic['ddr_mb_s']:,.0f} MB/s for both directions ({traffic['ddr_basis']})",
    ]
    if traffic["wait_cycles"]["batch"]:
        lines.append(
            f"DDR allows {report['images_per_s']:,.0f} samples/s; the engine by itself would take "
            f"{report['engine_images_per_s']:,.0f} and need {traffic['needed_mb_s']:,.0f} MB/s; "
            f"bottleneck: {report['bottleneck']}"
        )
    return lines


def _share_text(part: Dict[str, float]) -> str:
    return (
        f"{part['in_mb_s']:,.1f} and {part['out_mb_s']:,.1f} MB/s, "
        f"{part['in_share_of_stream']:.1%} and {part['out_share_of_stream']:.1%} of the streams, "
        f"{part['share_of_ddr']:.1%} of DDR"
    )


def synthesis_lines(report: Dict[str, Any]) -> List[str]:
    """Return the reports of a synthesis beside the model, as text."""
    found = report["synthesis"]
    tools = ", ".join(f"{tool} {version}" for tool, version in found["versions"].items())
    lines = [f"reports of {found['folder']}" + (f" ({tools})" if tools else "")]
    rows = [["figure", "model", "report", "ratio", ""]]
    for row in found["figures"]:
        mark = "<- missed" if row["missed"] else ""
        rows.append(_row(row["figure"], row["model"], row["report"], mark))
    for row in found["loops"]:
        mark = ""
        if row["differs"]:
            counted = "in the cycles below" if row["unit"] else "in no figure of cycles"
            mark = f"<- differs, {counted}"
        rows.append(_row(f"interval of {row['loop']}", row["model"], row["report"], mark))
        if row["depth"] is not None and row["depth_model"]:
            rows.append(_row(f"depth of {row['loop']}", row["depth_model"], row["depth"], ""))
    widths = [max(len(line[column]) for line in rows) for column in range(4)]
    for name, *cells, mark in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:]))
        lines.append("  " + "  ".join([name.ljust(widths[0]), *numbers, mark]).rstrip())
    cycles = found["cycles"]
    if cycles is None:
        if report["fits"]:
            lines.append("the reports name none of the engine's loops: the cycles stay as modelled")
    else:
        lines.append(
            f"cycles with the report's intervals: at least {cycles['steady_cycles']:,.0f} a sample "
            f"in steady state (model {report['steady_cycles']:,.0f}), {cycles['latency_cycles']:,} "
            f"alone (model {report['latency_cycles']:,}); at {cycles['clock_mhz']:.4g} MHz "
            f"{cycles['images_per_s']:,.0f} samples/s; bottleneck: {cycles['bottleneck']}"
        )
        if cycles["as_designed"]:
            lines.append(
                "no report of these loops, counted at an interval of 1: "
                + ", ".join(cycles["as_designed"])
            )
    lines += [f"note: {note}" for note in found["notes"]]
    lines += [
        f"not found: {' or '.join(row['names'])} ({row['holds']})" for row in found["missing"]
    ]
    return lines


def _row(name: str, model: Optional[float], report: float, mark: str) -> List[str]:
    ratio = f"{report / model:.2f}" if model else "-"
    return [name, "-" if model is None else _number(model), _number(report), ratio, mark]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}".rstrip("0")


def _resource_line(report: Dict[str, Any]) -> str:
    parts, bases = [], []
    for kind, values in report["resources"].items():
        margin = f" +-{values['margin']:.0%}" if values["margin"] else ""
        parts.append(f"{kind.upper()} {values['used']:g}{margin} of {values['available']}")
        bases.append(values["basis"])
    line = f"engine: {', '.join(parts)} ({'; '.join(dict.fromkeys(bases))}, not synthesised)"
    beyond = " and ".join(kind.upper() for kind in beyond_part(report["resources"]))
    if beyond:
        line += f"\nthe engine does not fit the part: more {beyond} than it has"
    return line


def _estimate(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    report = estimate(
        model.network,
        arguments.board,
        arguments.power,
        False if arguments.words else None,
        arguments.ddr,
        arguments.reports,
    )
    if arguments.plot and report["fits"]:
        from .plots import draw_timeline, save

        save(draw_timeline(report, model.name), arguments.plot)
        print(f"{arguments.plot}: written", file=sys.stderr)
    if arguments.json:
        print_json({"model": model.name, **report})
    else:
        lines = [*report_lines(model.name, report), _resource_line(report)]
        if "synthesis" in report:
            lines += synthesis_lines(report)
        print("\n".join(lines))
    return 0 if report["fits"] else 1


def register(commands: Any) -> None:
    """Add the subcommand ``estimate``."""
    parser = add_command(commands, "estimate", _estimate, "model fit, cycles and energy on a board")
    add_model(parser)
    parser.add_argument("--board", default="pynq-z2", choices=sorted(BOARDS))
    parser.add_argument("--power", type=float, metavar="W", help="of the whole board, in watts")
    parser.add_argument(
        "--ddr",
        type=float,
        metavar="MB/S",
        help="bandwidth of the DDR memory that the DMA may use; assumed without it",
    )
    parser.add_argument(
        "--reports",
        metavar="DIR",
        help="compare with the reports of Vitis HLS and Vivado below this folder: "
        "csynth.xml, *_csynth.rpt, timing and utilisation",
    )
    parser.add_argument(
        "--words", action="store_true", help="the input comes as 16-bit words, not as bytes"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw the timeline of the units")
    add_json(parser)
