"""``circnn demo``: the main job on real input, small enough for every machine."""

import argparse
import time
from typing import Any, Dict, List

import numpy as np

from .cli import add_command, add_json, print_json
from .data import load_digits
from .metrics import confusion_matrix
from .model import Model, load_model

_SHADES = " .:*#"  # plain ASCII, so that every terminal and log shows it
_SHOWN = 6


def seconds_per_image(model: Model, x: np.ndarray, batch: int, backend: str = "auto") -> float:
    """Return the median time of one image when predicted in batches of this size."""
    part = np.resize(x, (batch, *x.shape[1:]))
    times: List[float] = []
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        model.predict(part, batch_size=batch, verbose=0, backend=backend)
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) / batch


def demo_figures() -> Dict[str, Any]:
    """Return what the demo shows, as JSON values, besides the pictures."""
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


def picture(images: np.ndarray, captions: List[str]) -> str:
    """Return grey 8 x 8 images side by side as text, each over its caption.

    Parameters
    ----------
    images : array of shape (n, 64), 0 to 16
    captions : list of n texts
    """
    levels = np.minimum(images.astype(int) * len(_SHADES) // 17, len(_SHADES) - 1)
    rows = []
    for line in levels.reshape(-1, 8, 8).transpose(1, 0, 2):
        rows.append("  ".join("".join(_SHADES[v] * 2 for v in image) for image in line))
    rows.append("  ".join(caption.center(16) for caption in captions))
    return "\n".join(row.rstrip() for row in rows)


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
    print(f"{len(x)} handwritten digits that the model never saw, by the", end=" ")
    print(f"{figures['backend']} back end, in the engine's 16-bit arithmetic:\n")
    captions = [
        f"{best[i]} ({predictions[i, best[i]]:.0%})" + ("" if best[i] == y[i] else f", is {y[i]}")
        for i in shown
    ]
    print(picture(x[shown], captions))
    print(f"\nAccuracy: {figures['accuracy']:.1%}  ({len(wrong)} of {len(x)} wrong)")
    print("\nConfusion matrix (rows: true digit, columns: predicted):\n")
    print("     " + "".join(f"{digit:4d}" for digit in range(10)))
    for digit, row in enumerate(figures["confusion"]):
        print(f"{digit:4d} " + "".join(f"{count or '.':>4}" for count in row))
    print()
    model.summary()
    alone, many = figures["seconds_per_image_alone"], figures["seconds_per_image_in_batch"]
    print(
        f"\nTime: {alone * 1e6:.1f} us for one image, {many * 1e6:.2f} us an image "
        f"in a batch of {len(x)} (on this computer, not on a board)"
    )
    return 0


def register(commands: Any) -> None:
    """Add this module's subcommands."""
    parser = add_command(commands, "demo", _demo, "classify real handwritten digits")
    add_json(parser)
