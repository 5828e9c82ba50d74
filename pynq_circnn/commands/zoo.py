"""The subcommands ``circnn zoo`` and ``circnn train``."""

import argparse
import json
import os
from typing import Any, Dict

from ..zoo import RESULTS, file_bytes, front_rows, markdown, results, rows

FRONT = (1, 2, 4, 8, 16, 32, 64, 128)  # block sizes


def _print_table(table: Any) -> None:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _zoo(arguments: argparse.Namespace) -> int:
    measured = results(arguments.results)
    folder = os.path.dirname(arguments.results)
    if arguments.plot:
        from .plots import draw_zoo, save

        save(draw_zoo(measured), arguments.plot)
        print(f"{arguments.plot}: written")
    elif arguments.json:
        for name, record in measured["models"].items():
            size = file_bytes(name, folder)
            record.update({} if size is None else {"file_bytes": size})
        print(json.dumps(measured, indent=1))
    else:
        tables = [rows(measured, folder)]
        tables += [front_rows(front) for front in measured["fronts"].values()]
        for number, table in enumerate(tables):
            if number:
                print()
            if arguments.markdown:
                print(markdown(table))
            else:
                _print_table(table)
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from ..zoo.recipes import RECIPES  # Keras and its back end: some seconds

    if arguments.name not in RECIPES:
        raise ValueError(
            f"NAME must be one of {', '.join(RECIPES)}. Received: {arguments.name!r}. "
            "Other models are trained with Keras and given to pynq_circnn.keras.convert."
        )
    from ..zoo.training import measure, measure_front
    from .cli import interrupted

    recipe = RECIPES[arguments.name]
    data = recipe.load(arguments.data)
    kept = os.path.join(arguments.out, "runs")
    path = os.path.join(arguments.out, os.path.basename(RESULTS))
    os.makedirs(arguments.out, exist_ok=True)
    try:
        if arguments.front is not None:
            sizes = sorted(arguments.front or FRONT)
            front = measure_front(recipe, data, sizes, arguments.seeds[0], kept)
            found: Dict[str, Any] = {"fronts": {recipe.name: front}}
            table = front_rows(front)
        else:
            twins = arguments.seeds if arguments.twin_seeds is None else arguments.twin_seeds
            model, record = measure(recipe, data, arguments.seeds, twins, kept)
            record["command"] = _command(arguments)
            found = {"models": {recipe.name: record}}
            file = os.path.join(arguments.out, f"{recipe.name}.circnn")
            model.save(file)
            print(f"{file}: written")
            table = rows(found, arguments.out)
    except KeyboardInterrupt:
        return interrupted(
            f". Finished runs are kept in {kept} and not repeated by the same command; the one "
            "under way does not resume and begins again."
        )
    measured = results(path)
    for kind, figures in found.items():
        measured[kind].update(figures)
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(measured, stream, indent=1)
        stream.write("\n")
    print(f"{path}: written")
    _print_table(table)
    return 0


def _command(arguments: argparse.Namespace) -> str:
    words = ["circnn", "train", arguments.name]
    words += ["--data", "DIR"] if arguments.data else []
    words += ["--seeds", *map(str, arguments.seeds)]
    if arguments.twin_seeds is not None:
        words += ["--twin-seeds", *map(str, arguments.twin_seeds)]
    return " ".join(words)


def register(commands: Any) -> None:
    """Add this module's subcommands."""
    from .cli import add_command, add_json

    parser = add_command(commands, "zoo", _zoo, "show the shipped models and what was measured")
    parser.add_argument("--results", default=RESULTS, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--plot", metavar="FILE.png", help="draw error against size")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    add_json(parser)

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
        "--twin-seeds", type=int, nargs="*", help="of the dense twin, if others; none leaves it out"
    )
    parser.add_argument(
        "--front",
        type=int,
        nargs="*",
        metavar="K",
        help="train once for each of these block sizes instead (1 to 128 by default)",
    )
