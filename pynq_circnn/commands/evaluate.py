"""``circnn evaluate``: a model's metrics on labelled data."""

import argparse
from typing import Any

from ..model import model as models
from .common import (
    add_backend,
    add_command,
    add_json,
    add_model,
    load_arrays,
    pick,
    print_json,
)

ORDER = 30


def _evaluate(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    arrays = load_arrays(arguments.data)
    x = pick(arrays, arguments.data, "x_test", "x")
    y = pick(arrays, arguments.data, "y_test", "y")
    name = model.plan(arguments.backend).name
    results = model.evaluate(
        x, y, arguments.batch_size, metrics=arguments.metrics, backend=arguments.backend
    )
    if arguments.json:
        print_json({"model": model.name, "backend": name, "samples": len(x), **results})
    else:
        print(f"{model.name}: {len(x):,} samples, by the {name} back end")
        limited = results.pop("limited_words")
        for metric, value in results.items():
            print(f"  {metric}: {value:.4f}")
        for layer, words in limited.items():
            print(f"  limited to the calibrated range in layer {layer}: {words:,} words")
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``evaluate``."""
    parser = add_command(commands, "evaluate", _evaluate, "measure a model on labelled data")
    add_model(parser)
    parser.add_argument("data", metavar="DATA.npz", help="arrays x and y, or x_test and y_test")
    parser.add_argument("--metrics", nargs="+", default=["accuracy"], metavar="NAME")
    add_backend(parser)
    add_json(parser)
