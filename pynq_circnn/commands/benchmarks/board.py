"""``circnn bench board``: where the time of one ``predict`` goes on a board, part by part.

On the emulated board, the time of the engine's simulation is shown apart.  What remains without the
exchange is the driver's own time, on this machine's processor.
"""

import argparse
import platform
import statistics
import time
from typing import Any, Dict, List

import numpy as np

from ...model import model as models
from ...model.model import Model
from ..common import add_command, positive, print_json

PARTS = {
    "before": "shape and values checked, plan found, turn taken",
    "prepare": "buffers",
    "fill": "numbers to words, into the DMA buffer",
    "flush": "cache to memory",
    "exchange": "start, transfer, engine, transfer, wait",
    "invalidate": "memory to cache",
    "reply": "status",
    "drain": "words to numbers",
    "after": "softmax, copy",
}


def measure(model: Model, driver: Any, backend: str, calls: int = 300) -> Dict[str, float]:
    """Return the median microseconds of each part of a call with one sample."""
    x = np.zeros((1, *model.input_shape), dtype=np.float32)
    taken: Dict[str, List[float]] = {name: [] for name in (*PARTS, "whole")}
    marks: List[Any] = []
    driver.on_part = lambda name: marks.append((name, time.perf_counter()))
    try:
        for call in range(calls + 10):
            marks.clear()
            begin = last = time.perf_counter()
            model.predict(x, backend=backend, verbose=0)
            end = time.perf_counter()
            if call < 10:
                continue
            for number, (name, moment) in enumerate(marks):
                if number == 0:  # "prepare" has no mark where it begins: it counts as "before"
                    taken["before"].append(1e6 * (moment - begin))
                    taken["prepare"].append(0.0)
                else:
                    taken[name].append(1e6 * (moment - last))
                last = moment
            taken["after"].append(1e6 * (end - last))
            taken["whole"].append(1e6 * (end - begin))
    finally:
        driver.on_part = None
    return {name: statistics.median(values) for name, values in taken.items()}


def _fabric_timer(device: Any) -> List[float]:
    """Return a list that grows by the microseconds of every packet in the fabric's simulation."""
    fabric, taken = device.board.fabric, []
    run = fabric.run

    def timed(packet: bytes) -> bytes:
        begin = time.perf_counter()
        reply: bytes = run(packet)
        taken.append(1e6 * (time.perf_counter() - begin))
        return reply

    fabric.run = timed
    return taken


def _board(arguments: argparse.Namespace) -> int:
    """Measure one call after another on a board, and print the median of each part."""
    model, fabric = models.load_model(arguments.model), None
    if arguments.backend == "emulated":
        from ...emulated import open_board

        overlay = open_board(mapped=arguments.mapped)
        fabric = _fabric_timer(overlay.device)
    else:
        from ...board.overlay import CirCNNOverlay

        overlay = CirCNNOverlay()
    with overlay:
        model.predict(np.zeros(model.input_shape, np.float32), backend=arguments.backend)
        if fabric is not None:
            fabric.clear()
        times = measure(model, overlay.driver, arguments.backend, arguments.calls)
    kind = "compiled" if overlay.driver.link.compiled else "Python"
    simulated = None if fabric is None else statistics.median(fabric)
    if arguments.json:
        facts = {"model": model.name, "backend": arguments.backend, "link": kind}
        facts.update(machine=platform.machine(), calls=arguments.calls)
        print_json({**facts, "microseconds": times, "simulated_engine_microseconds": simulated})
        return 0
    print(
        f"{model.name}, one sample, back end {arguments.backend}, {kind} link, "
        f"{platform.machine()}: median of {arguments.calls} calls, us"
    )
    for name, doc in PARTS.items():
        print(f"{times[name]:9.1f}  {name:11} {doc}")
        if name == "exchange" and simulated is not None:
            print(f"{simulated:9.1f}    of which the simulation of the engine")
    print(f"{times['whole']:9.1f}  whole")
    if simulated is not None:
        print(f"{times['whole'] - times['exchange']:9.1f}  without the exchange, which is emulated")
    return 0


def register(commands: Any) -> None:
    """Add ``board`` to the subcommand ``bench``."""
    parser = add_command(
        commands, "board", _board, "one call of predict on a board, part by part (needs pynq)"
    )
    parser.add_argument("--backend", choices=("board", "emulated"), default="emulated")
    parser.add_argument("--mapped", action="store_true", help="registers as memory (emulated)")
    parser.add_argument("--model", default="digits")
    parser.add_argument("--calls", type=positive, default=300)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the figures as JSON"
    )
