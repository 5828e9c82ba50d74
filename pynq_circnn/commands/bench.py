"""``circnn bench``: speed against alternatives; also of training steps, and of calls on a board."""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from .. import backends
from .benchmarks import board, training
from .common import add_command, add_json, print_json

ORDER = 90


def _bench(arguments: argparse.Namespace) -> int:
    """Measure in a process of its own, whose libraries all start with one thread."""
    from .benchmarks import report, speed

    if backends.get("native").unavailable():
        backends.select("native")  # raises with the reason
    command = [sys.executable, "-m", speed.__name__] + ["--quick"] * arguments.quick
    done = subprocess.run(
        command, env={**os.environ, **speed.ONE_THREAD}, stdout=subprocess.PIPE, check=True
    )
    results = json.loads(done.stdout.decode().strip().splitlines()[-1])
    if arguments.plot:
        from .plots import save

        if "growth" not in results:
            raise ValueError("--plot needs the whole bench. Received: --quick. Leave it out.")
        save(report.draw(results), arguments.plot)
        print(f"{arguments.plot}: written", file=sys.stderr)
    if arguments.json:
        print_json(results)
    else:
        print(report.markdown(results))
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``bench``, with ``bench training`` and ``bench board``."""
    parser = add_command(
        commands, "bench", _bench, "measure the native back end beside NumPy, PyTorch and others"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw how the cost grows with the size")
    parser.add_argument("--quick", action="store_true", help="a rough look: one layer, few repeats")
    add_json(parser)
    others = parser.add_subparsers(
        metavar="[training | board]", title="measure something else instead"
    )
    training.register(others)
    board.register(others)
