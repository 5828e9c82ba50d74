"""``circnn demo``: classify real handwritten digits, on any machine."""

import argparse
import shutil
import textwrap
import time
from typing import Any, Dict, List, Mapping

import numpy as np

from ..data import load_digits
from ..model.metrics import confusion_matrix
from ..model.model import Model, load_model
from .common import add_command, add_json, print_json

ORDER = 50

_SHADES = " .:*#"  # plain ASCII, so that every terminal and log shows it
_SHOWN = 6  # pictures
_WIDTH, _BETWEEN = 16, 2  # characters of a picture, and between two


def seconds_per_image(model: Model, x: np.ndarray, batch: int, backend: str = "auto") -> float:
    """Return the median time for one image, predicted in batches of this size."""
    part = np.resize(x, (batch, *x.shape[1:]))
    times: List[float] = []
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        model.predict(part, batch_size=batch, verbose=0, backend=backend)
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) / batch


def demo_figures() -> Dict[str, Any]:
    """Return what the demo shows, except the pictures, as JSON values."""
    model = load_model("digits")
    _, (x, y) = load_digits()
    predictions = model.predict(x)
    info = model.info()
    best = predictions.argmax(axis=1)
    return {
        "model": model.name,
        "backend": model.plan().name,
        "images": len(x),
        "accuracy": float(np.mean(best == y)),
        "confusion": confusion_matrix(y, predictions).tolist(),
        "weights": info["weights"],
        "dense_weights": info["dense_weights"],
        "bytes": info["bytes"],
        "dense_bytes": info["dense_bytes"],
        "seconds_per_image_alone": seconds_per_image(model, x, 1),
        "seconds_per_image_in_batch": seconds_per_image(model, x, len(x)),
    }


def picture(images: np.ndarray, captions: List[str], columns: int) -> str:
    """Return grey 8 x 8 images as text, as many side by side as fit, each above its caption.

    Parameters
    ----------
    images : array of shape (n, 64), 0 to 16
    captions : list of n texts, at most 16 letters each
    columns : int
        Width of the terminal.
    """
    levels = np.minimum(images.astype(int) * len(_SHADES) // 17, len(_SHADES) - 1)
    beside = max(1, (columns + _BETWEEN) // (_WIDTH + _BETWEEN))
    beside = -(-len(images) // -(-len(images) // beside))  # rows of equal length
    rows: List[str] = []
    for start in range(0, len(images), beside):
        row = levels.reshape(-1, 8, 8)[start : start + beside]
        for line in row.transpose(1, 0, 2):
            pixels = ("".join(_SHADES[v] * 2 for v in image) for image in line)
            rows.append((" " * _BETWEEN).join(pixels))
        row_captions = (text.center(_WIDTH) for text in captions[start : start + beside])
        rows += [(" " * _BETWEEN).join(row_captions), ""]
    return "\n".join(row.rstrip() for row in rows[:-1])


def _model_lines(model: Model, columns: int) -> List[str]:
    """Return the model's summary, or where it is too wide a short table of the layers' weights."""
    lines: List[str] = []
    model.summary(lines.append)
    if max(map(len, lines)) <= columns:
        return lines
    layers: List[Mapping[str, Any]] = [x for x in model.info()["layers"] if x["weights"]]
    width = max(len(layer["name"]) for layer in layers)
    table = [f"{'Layer':{width}}  Block  Weights    Dense"]
    table += [
        f"{x['name']:{width}}  {x['block']:5}  {x['weights']:7,}  {x['dense_weights']:7,}"
        for x in layers
    ]
    last = max(number for number, line in enumerate(lines) if line.startswith("---"))
    prose = [part for line in lines[last + 1 :] for part in textwrap.wrap(line, columns)]
    return [lines[0], *table, "", *prose]


def _demo(arguments: argparse.Namespace) -> int:
    figures = demo_figures()
    if arguments.json:
        print_json(figures)
        return 0
    model = load_model("digits")
    _, (x, y) = load_digits()
    predictions = model.predict(x)
    best = predictions.argmax(axis=1)
    wrong = np.flatnonzero(best != y)
    shown = np.concatenate([np.arange(_SHOWN - min(2, len(wrong))), wrong[:2]])
    columns = max(40, shutil.get_terminal_size().columns)
    text = (
        f"{len(x)} handwritten digits that the model never saw, by the {figures['backend']} back "
        "end, in the engine's 16-bit arithmetic:"
    )
    print(textwrap.fill(text, columns), end="\n\n")
    captions = [
        f"{best[i]} ({predictions[i, best[i]]:.0%})" + ("" if best[i] == y[i] else f", is {y[i]}")
        for i in shown
    ]
    print(picture(x[shown], captions, columns))
    print(f"\nAccuracy: {figures['accuracy']:.1%}  ({len(wrong)} of {len(x)} wrong)")
    print()
    print(textwrap.fill("Confusion matrix (rows: true digit, columns: predicted):", columns))
    print()
    cell = 4 if columns >= 45 else 3
    print("     " + "".join(f"{digit:{cell}d}" for digit in range(10)))
    for digit, row in enumerate(figures["confusion"]):
        print(f"{digit:4d} " + "".join(f"{count or '.':>{cell}}" for count in row))
    print("", *_model_lines(model, columns), "", sep="\n")
    alone, many = figures["seconds_per_image_alone"], figures["seconds_per_image_in_batch"]
    text = (
        f"Time: {alone * 1e6:.1f} us for one image, {many * 1e6:.2f} us an image "
        f"in a batch of {len(x)} (on this computer, not on a board)"
    )
    print(textwrap.fill(text, columns))
    return 0


def register(commands: Any) -> None:
    """Add the subcommand ``demo``."""
    parser = add_command(commands, "demo", _demo, "classify real handwritten digits")
    add_json(parser)
