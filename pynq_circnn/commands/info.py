"""``circnn info``: a model's layers, sizes and accuracy."""

import argparse
import json
import sys
from typing import Any

from ..model import model as models
from .common import add_command, add_json, add_model, print_json

ORDER = 10


def _info(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    if arguments.plot:
        from .plots import draw_model, save

        save(draw_model(model.info()), arguments.plot)
        print(f"{arguments.plot}: written", file=sys.stderr)
    if arguments.json:
        print_json(model.info())
        return 0
    model.summary()
    if model.provenance:
        print("Provenance:")
        for line in json.dumps(model.provenance, indent=2, ensure_ascii=False).splitlines()[1:-1]:
            print(line)
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``info``."""
    parser = add_command(commands, "info", _info, "show a model's layers, sizes and accuracy")
    add_model(parser)
    parser.add_argument("--plot", metavar="FILE.png", help="draw the network too")
    add_json(parser)
