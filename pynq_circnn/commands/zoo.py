"""``circnn zoo``: the shipped models and their measured figures."""

import argparse
import json
import os
from typing import Any

from ..zoo import RESULTS, file_bytes, front_rows, markdown, results, rows
from .common import add_command, add_json, print_table

ORDER = 60


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
                print_table(table)
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``zoo``."""
    parser = add_command(commands, "zoo", _zoo, "show the shipped models and what was measured")
    parser.add_argument("--results", default=RESULTS, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--plot", metavar="FILE.png", help="draw error against size")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    add_json(parser)
