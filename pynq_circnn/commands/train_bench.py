"""How long a training step of a block-circulant layer takes, against the dense layer.

Run ``python -m pynq_circnn.commands.train_bench``: one square layer, forward and backward and an
SGD update, for widths 1024 to 4096, in each method.  Times are the best of several runs of the compiled step.
"""

import argparse
import json
import platform
import time
from typing import Any, Callable, Dict, List

import keras
import numpy as np

from ..frontends.keras.layers import BlockCirculantDense


def _step(layer: keras.layers.Layer, width: int, batch: int) -> Callable[[], None]:
    """Return a training step of one layer on fixed data, compiled as ``fit`` compiles it."""
    model = keras.Sequential([keras.Input((width,)), layer])
    model.compile(optimizer=keras.optimizers.SGD(1e-6), loss="mse")
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(batch, width)).astype(np.float32) for _ in range(2))
    return lambda: model.train_on_batch(x, y)


def measure(width: int, batch: int, blocks: List[int], seconds: float) -> List[Dict[str, Any]]:
    """Return one record a layer: its method, block size, milliseconds, and the ratio to dense.

    The layers take turns, so that whatever else the machine does falls on all of them.
    """
    layers = {("dense", 1): keras.layers.Dense(width)}
    for block in blocks:
        for method in ("spectral", "expanded"):
            layers[method, block] = BlockCirculantDense(width, block, method=method)
    steps = {key: _step(layer, width, batch) for key, layer in layers.items()}
    best = dict.fromkeys(steps, float("inf"))
    for step in steps.values():
        step()  # compiles
    end = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < end:
        for key, step in steps.items():
            begin = time.perf_counter()
            step()
            best[key] = min(best[key], time.perf_counter() - begin)
    dense = best["dense", 1]
    return [
        {
            "width": width,
            "batch": batch,
            "method": method,
            "block": block,
            "milliseconds": round(1e3 * value, 3),
            "times_faster_than_dense": round(dense / value, 2),
        }
        for (method, block), value in best.items()
    ]


def main() -> None:
    """Print the table, or with ``--json`` the records with machine and versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--blocks", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0, help="spent on each layer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    records: List[Dict[str, Any]] = []
    for width in options.widths:
        records += measure(width, options.batch, options.blocks, options.seconds)
    machine = {
        "machine": platform.processor() or platform.machine(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    if options.json:
        print(json.dumps({**machine, "steps": records}, indent=1))
        return
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"{'width':>6} {'batch':>6} {'method':>9} {'block':>6} {'ms':>9} {'vs dense':>9}")
    for r in records:
        print(
            f"{r['width']:6} {r['batch']:6} {r['method']:>9} {r['block']:6} "
            f"{r['milliseconds']:9.3f} {r['times_faster_than_dense']:8.2f}x"
        )


if __name__ == "__main__":
    main()
