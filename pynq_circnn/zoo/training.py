"""Train the models of the zoo and their dense twins, and measure them.

This module and the recipes need the training environment (Keras); :mod:`pynq_circnn.zoo`, which
reads the results, does not.
"""

import json
import os
import platform
from typing import Any, Dict, List, Sequence, Tuple

from ..keras import convert  # chooses the back end of Keras

# isort: split
import keras
import numpy as np

from ..data import Split
from ..model.model import Model
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
            model = recipe.build(tuple(blocks))
            model.load_weights(path + ".keras")
            return model, kept["figures"]
    except (OSError, ValueError, KeyError):
        pass  # not there, or not whole
    model, figures = train(recipe, data, tuple(blocks), seed, verbose)
    os.makedirs(folder, exist_ok=True)
    model.save(path + ".keras")
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump({"settings": settings, "figures": figures}, file)
    return model, figures


def to_engine(
    recipe: Recipe, model: keras.Model, data: Tuple[Split, Split], figures: Dict[str, Any]
) -> Tuple[Model, Dict[str, Any]]:
    """Return a trained model in 16 bits, and its figures with ``accuracy_int16`` added.

    The file carries its own figures, seed and recipe as provenance.
    """
    (x, _), (x_test, y_test) = data
    converted = convert(
        model,
        images(x[:CALIBRATION_IMAGES], model),
        labels=[str(digit) for digit in range(10)],
        provenance={"recipe": recipe.settings()},
    )
    scores = converted.evaluate(images(x_test, model), y_test, batch_size=500, verbose=0)
    figures = {**figures, "accuracy_int16": scores["accuracy"]}
    held_out = {"held_out": len(y_test), **figures}
    converted.provenance.update(figures=held_out, environment=environment())
    return converted, figures


def measure(
    recipe: Recipe,
    data: Tuple[Split, Split],
    seeds: Sequence[int],
    twin_seeds: Sequence[int],
    folder: str,
    verbose: Any = "auto",
) -> Tuple[Model, Dict[str, Any]]:
    """Return the model of the first seed in 16 bits, and the record of all seeds and the twins.

    No seed is chosen by its accuracy.  The record is what ``results.json`` holds for a model.
    """
    models: Dict[Tuple[int, ...], Model] = {}
    runs: Dict[Tuple[int, ...], List[Dict[str, Any]]] = {recipe.blocks: [], recipe.twin: []}
    for blocks, chosen in ((recipe.blocks, seeds), (recipe.twin, twin_seeds)):
        for seed in chosen:
            trained, figures = finished_run(recipe, data, blocks, seed, folder, verbose)
            model, figures = to_engine(recipe, trained, data, figures)
            models.setdefault(blocks, model)
            runs[blocks].append(figures)
    info = models[recipe.blocks].info()
    record = {
        "recipe": recipe.settings(),
        "held_out": len(data[1][1]),
        "weights": info["weights"],
        "bytes": info["bytes"],
        "twin_weights": info["dense_weights"],
        "shipped_seed": seeds[0],
        "runs": runs[recipe.blocks],
        "twin_runs": runs[recipe.twin],
        "environment": environment(),
    }
    if twin_seeds:
        record["twin_bytes"] = models[recipe.twin].info()["bytes"]
    return models[recipe.blocks], record


def measure_front(
    recipe: Recipe,
    data: Tuple[Split, Split],
    sizes: Sequence[int],
    seed: int,
    folder: str,
    verbose: Any = "auto",
) -> List[Dict[str, Any]]:
    """Return the figures of one run for each block size.

    All layers that the recipe compresses get that size; its dense layers stay dense.
    """
    records = []
    for block in sizes:
        blocks = [block if k > 1 else 1 for k in recipe.blocks]
        trained, figures = finished_run(recipe, data, blocks, seed, folder, verbose)
        model, figures = to_engine(recipe, trained, data, figures)
        info = model.info()
        size = {"block": block, "weights": info["weights"], "bytes": info["bytes"]}
        records.append({**size, **figures})
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
