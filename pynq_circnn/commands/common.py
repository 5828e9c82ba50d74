"""What the subcommands share: their common arguments, reading arrays, and printing."""

import argparse
import json
import os
import sys
from typing import Any, Dict, Sequence

import numpy as np

from .. import files


def add_command(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    """Add a subcommand ``run(arguments) -> exit status`` and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a model."""
    parser.add_argument("model", metavar="MODEL", help="a shipped model's name, or a .circnn file")


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a model runs."""
    parser.add_argument("--backend", default="auto", help="auto (default) or a back end's name")
    parser.add_argument("--batch-size", type=positive, default=32)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that asks for figures as JSON."""
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def positive(text: str) -> int:
    """Return an argument as a positive integer.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Received: {text!r}.")
    return value


def print_json(values: Any) -> None:
    """Print values as JSON for people and programs."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def print_table(table: Sequence[Sequence[str]]) -> None:
    """Print rows of text as columns of equal width."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def interrupted(more: str = "") -> int:
    """Say that the user interrupted the command, and return its exit status."""
    # on a terminal the cursor is behind a half-drawn bar and the ^C that was typed
    line = "\n" if sys.stderr.isatty() else ""
    print(f"{line}circnn: interrupted{more}", file=sys.stderr)
    return 130


def load_arrays(path: str) -> Dict[str, np.ndarray]:
    """Return the arrays of an ``.npy`` file (under the name ``x``) or an ``.npz`` file.

    Raises
    ------
    ValueError
        If it is neither, or holds Python objects: what it is, and how to convert it.
    """
    wanted = f"{path} must be a NumPy .npy or .npz file of numbers. Received:"
    if os.path.isdir(path):
        raise ValueError(f"{wanted} a folder.")
    with open(path, "rb") as file:
        kind = files.kind_of(file)
        if kind not in (files.NPY, files.NPZ, None):
            raise ValueError(f"{wanted} {kind.name}.{_conversion(path, kind.to_array)}")
        file.seek(0)
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            return {name: loaded[name] for name in loaded.files}
        except OSError:
            raise
        except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds
            if "Object arrays" in str(error):
                to_array = 'numpy.load("{path}", allow_pickle=True).astype("float32")'
                text = f"Python objects.{_conversion(path, to_array)}"
                raise ValueError(f"{wanted} {text}") from error
            raise ValueError(f"{wanted} {error}") from error


def _conversion(path: str, to_array: str) -> str:
    if not to_array:
        return ""
    target = os.path.splitext(path)[0] + ".npy"
    return f' Convert it: numpy.save("{target}", {to_array.format(path=path)})'


def pick(arrays: Dict[str, np.ndarray], path: str, *names: str) -> np.ndarray:
    """Return the array of the first of these names that the file at `path` holds.

    Raises
    ------
    ValueError
        If it holds none of them.
    """
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(
        f"{path} must hold an array named {' or '.join(names)}. "
        f"Received: {', '.join(arrays) or 'none'}. Save it with numpy.savez(path, x=..., y=...)."
    )
