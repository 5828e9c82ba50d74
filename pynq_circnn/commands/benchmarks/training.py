"""``circnn bench training``: a training step of a block-circulant layer against the dense layer.

One square layer, forward and backward and an SGD update, for widths 1024 to 4096, in each method.
Times are the best of several runs of the compiled step.
"""

import argparse
import platform
import time
from typing import Any, Callable, Dict, List

import numpy as np

from ..common import add_command, print_json

Record = Dict[str, Any]


def _step(layer: Any, width: int, batch: int) -> Callable[[], None]:
    """Return a training step of one layer on fixed data, compiled as ``fit`` compiles it."""
    import keras

    model = keras.Sequential([keras.Input((width,)), layer])
    model.compile(optimizer=keras.optimizers.SGD(1e-6), loss="mse")
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(batch, width)).astype(np.float32) for _ in range(2))

    def step() -> None:
        model.train_on_batch(x, y)

    return step


def measure(width: int, batch: int, blocks: List[int], seconds: float) -> List[Record]:
    """Return one record a layer: its method, block size, milliseconds, and the ratio to dense.

    The layers take turns, so that other load on the machine affects them all alike.
    """
    from ...keras import BlockCirculantDense  # chooses the back end of Keras

    # isort: split
    import keras

    layers: Dict[Any, Any] = {("dense", 1): keras.layers.Dense(width)}
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


def _training(arguments: argparse.Namespace) -> int:
    """Print the table, or with ``--json`` the records with machine and versions."""
    records: List[Record] = []
    for width in arguments.widths:
        records += measure(width, arguments.batch, arguments.blocks, arguments.seconds)

    import keras

    machine = {
        "machine": platform.processor() or platform.machine(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    if arguments.json:
        print_json({**machine, "steps": records})
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"{'width':>6} {'batch':>6} {'method':>9} {'block':>6} {'ms':>9} {'vs dense':>9}")
    for r in records:
        print(
            f"{r['width']:6} {r['batch']:6} {r['method']:>9} {r['block']:6} "
            f"{r['milliseconds']:9.3f} {r['times_faster_than_dense']:8.2f}x"
        )
    return 0


def register(commands: Any) -> None:
    """Add ``training`` to the subcommand ``bench``."""
    parser = add_command(
        commands, "training", _training, "a training step of a block-circulant layer (needs Keras)"
    )
    parser.add_argument("--widths", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--blocks", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0, help="spent on each layer")
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the figures as JSON"
    )
