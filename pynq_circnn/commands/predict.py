"""``circnn predict``: what a model says about the samples of a file."""

import argparse
import sys
from typing import Any

import numpy as np

from .. import files
from ..layers import size_of
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

ORDER = 20


def _predict(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    out = arguments.out or ""
    out += "" if out.endswith(".npy") else ".npy"  # as numpy.save does
    files.check_folder(out)
    x = pick(load_arrays(arguments.x), arguments.x, "x", "x_test")
    name = model.plan(arguments.backend).name
    y = model.predict(x, batch_size=arguments.batch_size, backend=arguments.backend)
    if arguments.out:
        np.save(out, y)
        print(f"{out}: float32 of shape {y.shape}, by the {name} back end")
    elif arguments.json:
        print_json({"backend": name, "predictions": y.tolist()})
    else:
        print(f"by the {name} back end", file=sys.stderr)
        for row in y.reshape(-1, size_of(model.output_shape)):
            best = int(row.argmax())
            label = model.labels[best] if model.labels else str(best)
            print(f"{label}\t{float(row[best]):.4f}")
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``predict``."""
    parser = add_command(commands, "predict", _predict, "predict the samples of an .npy file")
    add_model(parser)
    parser.add_argument("x", metavar="X.npy", help="samples: .npy, or .npz with an array x")
    parser.add_argument("--out", metavar="Y.npy", help="write the predictions to this file")
    add_backend(parser)
    add_json(parser)
