"""Where the time of one ``predict`` goes on a board, part by part.

::

    python -m pynq_circnn.commands.board_bench [--backend board|emulated] [--mapped]
        [--model digits]

On the emulated board, what the emulation itself takes is shown apart: the engine's simulation, and
the models of DMA and registers. What remains is the driver's, on this machine's processor.
"""

import argparse
import platform
import statistics
import time
from typing import Any, Dict, List, Optional

import numpy as np

from ..model.model import Model, load_model

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
                if number == 0:  # "prepare" ends here; what came before it has no mark
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


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", choices=("board", "emulated"), default="emulated")
    parser.add_argument("--mapped", action="store_true", help="registers as memory (emulated)")
    parser.add_argument("--model", default="digits")
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args(arguments)
    model, fabric = load_model(options.model), None
    if options.backend == "emulated":
        from ..emulated import open_board

        overlay = open_board(mapped=options.mapped)
        fabric = _fabric_timer(overlay.device)
    else:
        from ..board.overlay import CirCNNOverlay

        overlay = CirCNNOverlay()
    with overlay:
        model.predict(np.zeros(model.input_shape, np.float32), backend=options.backend)
        if fabric is not None:
            fabric.clear()
        times = measure(model, overlay.driver, options.backend, options.calls)
    kind = "compiled" if overlay.driver.link.compiled else "Python"
    print(f"{model.name}, one sample, back end {options.backend}, {kind} link, "
          f"{platform.machine()}: median of {options.calls} calls, us")  # fmt: skip
    for name, doc in PARTS.items():
        print(f"{times[name]:9.1f}  {name:11} {doc}")
        if name == "exchange" and fabric is not None:
            engine = statistics.median(fabric)
            print(f"{engine:9.1f}    of it the engine's simulation")
    print(f"{times['whole']:9.1f}  whole")
    if fabric is not None:
        print(f"{times['whole'] - times['exchange']:9.1f}  without the exchange, which is emulated")


if __name__ == "__main__":
    main()
