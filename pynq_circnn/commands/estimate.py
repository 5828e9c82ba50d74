"""``circnn estimate``: whether a model fits a board, and how fast it is there, as modelled."""

import argparse
import sys
from typing import Any, Dict, List

from ..contract import BOARDS
from ..engine.estimate import estimate
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
    lines += [
        f"one sample alone: {report['latency_cycles']:,} cycles = {report['latency_us']:.1f} us",
        f"steady state: {report['steady_cycles']:,.0f} cycles a sample = "
        f"{report['images_per_s']:,.0f} samples/s, input as {report['input']}, "
        f"{report['batch_samples']} at once",
        f"dense-equivalent: {report['gops_dense_equivalent']:.1f} GOPS; lanes busy "
        f"{report['lanes_busy']:.0%}, DMA {report['dma_share']:.0%}; bottleneck: "
        f"{report['bottleneck']}",
        f"energy: {report['energy_uj']:.2f} uJ a sample, {report['gops_per_w']:.1f} GOPS/W at "
        f"{report['power_w']:g} W ({report['power_basis']})",
        f"host overhead ({host['basis']}): {host['call_us']:g} us a call, "
        f"{host['sample_us']:.1f} us a sample",
    ]
    return lines


def _resource_line(report: Dict[str, Any]) -> str:
    parts = [
        f"{kind.upper()} {values['used']:g} of {values['available']} ({values['basis']})"
        for kind, values in report["resources"].items()
    ]
    return "engine: " + ", ".join(parts)


def _estimate(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    report = estimate(
        model.network, arguments.board, arguments.power, False if arguments.words else None
    )
    if arguments.plot and report["fits"]:
        from .plots import draw_timeline, save

        save(draw_timeline(report, model.name), arguments.plot)
        print(f"{arguments.plot}: written", file=sys.stderr)
    if arguments.json:
        print_json({"model": model.name, **report})
    else:
        print("\n".join([*report_lines(model.name, report), _resource_line(report)]))
    return 0 if report["fits"] else 1


def register(commands: Any) -> None:
    """Add the subcommand ``estimate``."""
    parser = add_command(commands, "estimate", _estimate, "model fit, cycles and energy on a board")
    add_model(parser)
    parser.add_argument("--board", default="pynq-z2", choices=sorted(BOARDS))
    parser.add_argument("--power", type=float, metavar="W", help="of the whole board, in watts")
    parser.add_argument(
        "--words", action="store_true", help="the input comes as 16-bit words, not as bytes"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw the timeline of the units")
    add_json(parser)
