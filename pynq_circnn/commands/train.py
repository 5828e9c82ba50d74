"""``circnn train``: train a model of the zoo again, from its seeded recipe."""

import argparse
import json
import os
from typing import Any, Dict

from ..zoo import RESULTS, front_rows, results, rows
from .common import add_command, interrupted, print_table

ORDER = 70
BLOCK_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # of --front


def _train(arguments: argparse.Namespace) -> int:
    from ..zoo.recipes import RECIPES  # imports Keras, which takes seconds

    if arguments.name not in RECIPES:
        raise ValueError(
            f"NAME must be one of {', '.join(RECIPES)}. Received: {arguments.name!r}. "
            "Other models are trained with Keras and given to pynq_circnn.keras.convert."
        )
    from ..zoo.training import measure, measure_front

    recipe = RECIPES[arguments.name]
    data = recipe.load(arguments.data)
    runs = os.path.join(arguments.out, "runs")
    path = os.path.join(arguments.out, os.path.basename(RESULTS))
    os.makedirs(arguments.out, exist_ok=True)
    try:
        if arguments.front is not None:
            sizes = sorted(arguments.front or BLOCK_SIZES)
            front = measure_front(recipe, data, sizes, arguments.seeds[0], runs)
            found: Dict[str, Any] = {"fronts": {recipe.name: front}}
            table = front_rows(front)
        else:
            twins = arguments.seeds if arguments.twin_seeds is None else arguments.twin_seeds
            model, record = measure(recipe, data, arguments.seeds, twins, runs)
            record["command"] = _command(arguments)
            found = {"models": {recipe.name: record}}
            file = os.path.join(arguments.out, f"{recipe.name}.circnn")
            model.save(file)
            print(f"{file}: written")
            table = rows(found, arguments.out)
    except KeyboardInterrupt:
        return interrupted(
            f". Finished runs are kept in {runs}, and the same command does not repeat them; "
            "the one under way does not resume and begins again."
        )
    measured = results(path)
    for kind, figures in found.items():
        measured[kind].update(figures)
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(measured, stream, indent=1)
        stream.write("\n")
    print(f"{path}: written")
    print_table(table)
    return 0


def _command(arguments: argparse.Namespace) -> str:
    """Return the command line that repeats the training, for the record of the results."""
    words = ["circnn", "train", arguments.name]
    words += ["--data", "DIR"] if arguments.data else []
    words += ["--seeds", *map(str, arguments.seeds)]
    if arguments.twin_seeds is not None:
        words += ["--twin-seeds", *map(str, arguments.twin_seeds)]
    return " ".join(words)


def register(commands: Any) -> None:
    """Add the subcommand ``train``."""
    parser = add_command(
        commands, "train", _train, "train a model of the zoo, and its dense twin, from its recipe"
    )
    parser.add_argument("name", metavar="NAME", help="digits, mnist_mlp or mnist_cnn")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with mnist.npz or the IDX files; without it keras.datasets downloads them",
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="one run each; the first is written"
    )
    parser.add_argument("--out", default=".", metavar="DIR", help="where the results go")
    parser.add_argument(
        "--twin-seeds",
        type=int,
        nargs="*",
        help="seeds of the dense twin, if they differ; none leaves it out",
    )
    parser.add_argument(
        "--front",
        type=int,
        nargs="*",
        metavar="K",
        help="train once for each of these block sizes instead (1 to 128 by default)",
    )
