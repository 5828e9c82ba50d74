"""Train the models of the zoo and their dense twins, and measure them.

This module and the recipes need the training environment (Keras); :mod:`pynq_circnn.zoo`, which
reads the results, does not.
"""

import json
import os
import platform
from typing import Any, Dict, Optional, Sequence, Tuple

import keras
import numpy as np

from .. import backends
from ..data import Split
from ..keras.convert import convert, load
from ..quantized import QuantizedNetwork
from .recipes import Recipe, images, train

CALIBRATION_IMAGES = 1000  # the first of the training data, undistorted


def finished_run(
    recipe: Recipe,
    data: Tuple[Split, Split],
    blocks: Sequence[int],
    seed: int,
    folder: str,
    verbose: Any = "auto",
) -> Tuple[keras.Model, Dict[str, Any]]:
    """Return a trained Keras model and its figures: from `folder` if this very run is kept there.

    A run is kept when it has ended; one that was interrupted begins again at its first epoch.
    """
    name = f"{recipe.name}-{'-'.join(map(str, blocks))}-seed{seed}"
    path = os.path.join(folder, name)
    settings = {**recipe.settings(), "blocks": list(blocks), "seed": seed}
    try:
        with open(path + ".json", encoding="utf-8") as file:
            kept = json.load(file)
        if kept["settings"] == settings:
            return load(path + ".keras"), kept["figures"]
    except (OSError, ValueError, KeyError):
        pass  # not there, or not whole
    model, figures = train(recipe, data, tuple(blocks), seed, verbose)
    os.makedirs(folder, exist_ok=True)
    model.save(path + ".keras")
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump({"settings": settings, "figures": figures}, file)
    return model, figures


def weight_count(model: keras.Model) -> int:
    """Return how many weights the matrices of a model have, padding included, without biases."""
    matrices = [
        weight
        for layer in model.layers
        for weight in (getattr(layer, "kernel", None), getattr(layer, "vectors", None))
        if weight is not None
    ]
    return sum(int(np.prod(weight.shape)) for weight in matrices)


def to_engine(
    model: keras.Model, data: Tuple[Split, Split]
) -> Tuple[QuantizedNetwork, Dict[str, Any]]:
    """Return a trained model in 16 bits, and its figures on the held-out data.

    ``accuracy_int16``, and ``bytes`` of all its integer arrays.
    """
    (x, _), (x_test, y_test) = data
    quantized = convert(model, images(x[:CALIBRATION_IMAGES], model))
    available = [name for name, why in backends.availability().items() if not why]
    backend = "native" if "native" in available else "reference"
    plan = backends.get(backend).Plan(quantized)
    scores = plan.run(np.ascontiguousarray(images(x_test, model)))
    size = sum(a.nbytes for arrays in quantized.arrays.values() for a in arrays.values())
    accuracy = float(np.mean(scores.argmax(axis=-1) == y_test))
    return quantized, {"accuracy_int16": accuracy, "bytes": size}


def measure(
    recipe: Recipe,
    data: Tuple[Split, Split],
    seeds: Sequence[int],
    folder: str,
    twin: bool = True,
    verbose: Any = "auto",
) -> Tuple[QuantizedNetwork, Dict[str, Any]]:
    """Return the model of the first seed in 16 bits, and the record of all seeds and the twins.

    No seed is chosen by its accuracy.  The record is what ``results.json`` holds for a model.
    """
    record: Dict[str, Any] = {"recipe": recipe.settings(), "held_out": len(data[1][1])}
    shipped: Optional[QuantizedNetwork] = None
    runs, twins = [], []
    for seed in seeds:
        model, figures = finished_run(recipe, data, recipe.blocks, seed, folder, verbose)
        quantized, measured = to_engine(model, data)
        shipped = shipped or quantized
        record["weights"], record["bytes"] = weight_count(model), measured.pop("bytes")
        runs.append({**figures, **measured})
        if twin:
            model, figures = finished_run(recipe, data, recipe.twin, seed, folder, verbose)
            measured = to_engine(model, data)[1]
            record["twin_bytes"] = measured.pop("bytes")
            twins.append({**figures, **measured})
    record["twin_weights"] = weight_count(recipe.build(recipe.twin))
    record.update(shipped_seed=seeds[0], runs=runs, twin_runs=twins, environment=environment())
    assert shipped is not None
    return shipped, record


def measure_front(
    recipe: Recipe,
    data: Tuple[Split, Split],
    seed: int,
    folder: str,
    verbose: Any = "auto",
) -> Sequence[Dict[str, Any]]:
    """Return the figures of one run for each block size, all of the recipe's circulant layers
    at that size and its dense ones left dense."""
    records = []
    for block in (1, 2, 4, 8, 16, 32, 64, 128):
        blocks = [block if k > 1 else 1 for k in recipe.blocks]
        model, figures = finished_run(recipe, data, blocks, seed, folder, verbose)
        measured = to_engine(model, data)[1]
        records.append({"block": block, "weights": weight_count(model), **figures, **measured})
    return records


def environment() -> Dict[str, str]:
    """Return the machine and the versions that figures were measured with."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
