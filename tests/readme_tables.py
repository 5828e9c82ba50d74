"""The README's tables, from the measurements: ``python tests/readme_tables.py`` renews them.

The zoo's ``results.json`` comes from ``circnn train``, ``bench.json`` from ``circnn bench``; the
estimates are computed again.
"""

import json
import os

from pynq_circnn import load_model, zoo
from pynq_circnn.commands.benchmarks import report
from pynq_circnn.contract.page import renew_marks
from pynq_circnn.engine.estimate import estimate

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
README = os.path.join(ROOT, "README.md")
BENCH = os.path.join(ROOT, "notebooks", "figures", "bench.json")


def estimates():
    head = ["model", "one image alone", "images/s, steady", "dense-equivalent", "energy an image"]
    head += ["bottleneck", "host overhead (assumed)"]
    table = [head]
    for name in zoo.results()["models"]:
        e = estimate(load_model(name).network)
        table.append(
            [
                name,
                f"{e['latency_us']:.1f} µs ({e['latency_cycles']:,} cycles)",
                f"{e['images_per_s']:,.0f} ({e['steady_cycles']:,.0f} cycles)",
                f"{e['gops_dense_equivalent']:,.0f} GOPS",
                f"{e['energy_uj']:.1f} µJ at {e['power_w']} W (assumed)",
                e["bottleneck"],
                f"{e['host']['call_us']:.0f} µs a call, {e['host']['sample_us']:.1f} µs an image",
            ]
        )
    return zoo.markdown(table)


def tables():
    measured = zoo.results()
    with open(BENCH, encoding="utf-8") as file:
        benched = json.load(file)
    return {
        "zoo": zoo.markdown(zoo.rows(measured)),
        "front": zoo.markdown(zoo.front_rows(measured["fronts"]["mnist_mlp"])),
        "bench": report.markdown(benched),
        "estimate": estimates(),
    }


def read():
    with open(README, encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    renew_marks(README, tables())
