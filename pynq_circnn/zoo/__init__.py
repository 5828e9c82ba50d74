"""The shipped models' measured figures, and the tables made from them.

The figures lie in ``results.json``, which ``circnn train`` writes; nothing here needs Keras.
"""

import json
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results.json")


def results(path: str = RESULTS) -> Dict[str, Any]:
    """Return what was measured: ``models`` and ``fronts``, each by the model's name.

    Of a model: the recipe's settings, the number of weights of it and its dense twin, the bytes
    of their weights, scales and biases, and for every seed the held-out accuracy in float and in
    the engine's 16 bits.  A front is accuracy against size: one run for each block size.  Both
    are empty if the file does not exist.
    """
    if not os.path.exists(path):
        return {"models": {}, "fronts": {}}
    with open(path, encoding="utf-8") as file:
        return dict(json.load(file))


def mean(runs: Sequence[Mapping[str, Any]], figure: str) -> float:
    """Return the mean of a figure over runs."""
    return sum(float(run[figure]) for run in runs) / len(runs)


def file_bytes(name: str, folder: str = os.path.dirname(RESULTS)) -> Optional[int]:
    """Return the size of a model's ``.circnn`` file, ``None`` if there is none in the folder."""
    path = os.path.join(folder, f"{name}.circnn")
    return os.path.getsize(path) if os.path.exists(path) else None


def summary(record: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a model's main figures: means over its seeds, accuracies in percent."""
    runs, twins = record["runs"], record["twin_runs"]
    shipped = next(run for run in runs if run["seed"] == record["shipped_seed"])
    return {
        "weights": record["weights"],
        "twin_weights": record["twin_weights"],
        "compression": record["twin_weights"] / record["weights"],
        "seeds": len(runs),
        "float": 100 * mean(runs, "accuracy"),
        "int16": 100 * mean(runs, "accuracy_int16"),
        "twin": 100 * mean(twins, "accuracy") if twins else None,
        "shipped": 100 * shipped["accuracy_int16"],
    }


def rows(measured: Mapping[str, Any], folder: str = os.path.dirname(RESULTS)) -> List[List[str]]:
    """Return the table of the models, whose files lie in `folder`: a head and one row each."""
    table = [["model", "weights (dense)", "compression", "16 bit (seeds)", "float", "dense twin"]]
    table[0].append("shipped file")
    for name, record in measured["models"].items():
        s = summary(record)
        size = file_bytes(name, folder)
        table.append(
            [
                name,
                f"{s['weights']:,} ({s['twin_weights']:,})",
                f"{s['compression']:.1f}x",
                f"{s['int16']:.2f} % ({s['seeds']})",
                f"{s['float']:.2f} %",
                "" if s["twin"] is None else f"{s['twin']:.2f} %",
                f"{s['shipped']:.2f} %" + ("" if size is None else f", {size:,} bytes"),
            ]
        )
    return table


def front_rows(front: Sequence[Mapping[str, Any]]) -> List[List[str]]:
    """Return the table of accuracy against size: a head and one row for each block size."""
    table = [["block size", "weights", "weights, scales and biases", "16 bit", "float"]]
    for point in front:
        accuracies = [f"{100 * point[key]:.2f} %" for key in ("accuracy_int16", "accuracy")]
        table.append(
            [str(point["block"]), f"{point['weights']:,}", f"{point['bytes']:,} bytes", *accuracies]
        )
    return table


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return a table, whose first row is the head, in Markdown."""
    lines = [table[0], ["---"] * len(table[0]), *table[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
