"""The command line: ``circnn`` or ``python -m pynq_circnn``.

Every module named in ``MODULES`` adds its subcommands with a function ``register``; it imports
what is heavy only when a subcommand runs.
"""

import argparse
import importlib
import json
import os
import sys
from typing import Any, Dict, List, Optional

import numpy as np

from .. import __version__, files
from ..errors import CircnnError
from ..layers import size_of

MODULES = (
    "pynq_circnn.commands.cli",
    "pynq_circnn.commands.demo",
    "pynq_circnn.commands.zoo",
    "pynq_circnn.commands.estimate",
    "pynq_circnn.commands.bench",
    "pynq_circnn.commands.doctor",
)


def add_command(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    """Add a subcommand ``run(arguments) -> exit status`` and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a model."""
    parser.add_argument("model", metavar="MODEL", help="a shipped model's name, or a .circnn file")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that asks for figures as JSON."""
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def print_json(values: Any) -> None:
    """Print values as JSON for people and programs."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def interrupted(more: str = "") -> int:
    """Say that the user ended the command, and return its exit status."""
    # on a terminal the cursor stands behind a half drawn bar, and the ^C that was typed
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
                made = 'numpy.load("{path}", allow_pickle=True).astype("float32")'
                text = f"Python objects.{_conversion(path, made)}"
                raise ValueError(f"{wanted} {text}") from error
            raise ValueError(f"{wanted} {error}") from error


def _conversion(path: str, to_array: str) -> str:
    if not to_array:
        return ""
    target = os.path.splitext(path)[0] + ".npy"
    return f' Convert it: numpy.save("{target}", {to_array.format(path=path)})'


def _pick(arrays: Dict[str, np.ndarray], path: str, *names: str) -> np.ndarray:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(
        f"{path} must hold an array named {' or '.join(names)}. "
        f"Received: {', '.join(arrays) or 'none'}. Save it with numpy.savez(path, x=..., y=...)."
    )


# -- info, predict, evaluate, verify ------------------------------------------------------------


def _info(arguments: argparse.Namespace) -> int:
    from ..model.model import load_model

    model = load_model(arguments.model)
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


def _predict(arguments: argparse.Namespace) -> int:
    from ..model.model import load_model

    model = load_model(arguments.model)
    out = arguments.out or ""
    out += "" if out.endswith(".npy") else ".npy"  # as numpy.save does
    files.check_folder(out)
    x = _pick(load_arrays(arguments.x), arguments.x, "x", "x_test")
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


def _evaluate(arguments: argparse.Namespace) -> int:
    from ..model.model import load_model

    model = load_model(arguments.model)
    arrays = load_arrays(arguments.data)
    x = _pick(arrays, arguments.data, "x_test", "x")
    y = _pick(arrays, arguments.data, "y_test", "y")
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


def _verify(arguments: argparse.Namespace) -> int:
    from ..model.model import load_model
    from .verify import verify

    model = load_model(arguments.model)
    names = arguments.backends.split(",") if arguments.backends else None
    data = None
    if arguments.data:
        data = _pick(load_arrays(arguments.data), arguments.data, "x", "x_test")
    report = verify(model, names, arguments.samples, arguments.seed, data)
    if arguments.json:
        print_json(report)
        return 0 if report["equal"] else 1
    for result in report["results"]:
        counts = "equal" if result["saturations_equal"] else "DIFFERENT"
        same = result["different"] == 0 and result["without_counting_equal"]
        verdict = "equal to the bit" if same else f"DIFFERENT in {result['different']:,}"
        print(
            f"{result['backend']:24} {result['inputs']:8} {result['values']:8,} values "
            f"{verdict}, saturation counts {counts}"
        )
    for name, reason in report["left_out"].items():
        print(f"{name:24} left out: {reason}")
    verdict = "every back end equals the reference" if report["equal"] else "MISMATCH"
    print(f"{model.name}: {verdict}")
    return 0 if report["equal"] else 1


def register(commands: Any) -> None:
    """Add this module's subcommands."""
    parser = add_command(commands, "info", _info, "show a model's layers, sizes and accuracy")
    add_model(parser)
    parser.add_argument("--plot", metavar="FILE.png", help="draw the network too")
    add_json(parser)

    parser = add_command(commands, "predict", _predict, "predict the samples of an .npy file")
    add_model(parser)
    parser.add_argument("x", metavar="X.npy", help="samples: .npy, or .npz with an array x")
    parser.add_argument("--out", metavar="Y.npy", help="write the predictions to this file")
    _add_run(parser)
    add_json(parser)

    parser = add_command(commands, "evaluate", _evaluate, "measure a model on labelled data")
    add_model(parser)
    parser.add_argument("data", metavar="DATA.npz", help="arrays x and y, or x_test and y_test")
    parser.add_argument("--metrics", nargs="+", default=["accuracy"], metavar="NAME")
    _add_run(parser)
    add_json(parser)

    parser = add_command(
        commands, "verify", _verify, "run every back end on the same inputs: equal, or exit 1"
    )
    add_model(parser)
    parser.add_argument("--backends", metavar="A,B", help="only these; all available by default")
    parser.add_argument("--samples", type=_positive, default=64, help="samples of a random batch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", metavar="X.npy", help="compare on these samples too")
    add_json(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", default="auto", help="auto (default) or a back end's name")
    parser.add_argument("--batch-size", type=_positive, default=32)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Received: {text!r}.")
    return value


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a command and return its exit status: 2 for wrong input, 1 for a failed check."""
    parser = argparse.ArgumentParser(
        prog="circnn", description="Compressed neural networks on Zynq boards, and anywhere else."
    )
    parser.add_argument("--version", action="version", version=f"pynq_circnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    try:
        for module in MODULES:
            importlib.import_module(module).register(commands)
        parsed = parser.parse_args(arguments)
        return int(parsed.run(parsed))
    except BrokenPipeError:  # who reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (CircnnError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"circnn: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return interrupted()
