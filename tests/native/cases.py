"""Writes cases for check.c: random networks with inputs, and what the reference makes of them.

python tests/native/cases.py FOLDER [COUNT]
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from networks import KINDS, random_input, random_network

from pynq_circnn import backends
from pynq_circnn.backends import native
from pynq_circnn.contract import BLOCK_SIZES
from pynq_circnn.program.compiler import compile_program


def case_bytes(network, x):
    """One case as check.c reads it."""
    program = compile_program(network).to_bytes()
    counts = np.zeros(len(network.layers), dtype=np.int64)
    y = backends.get("reference").Plan(network).run(x, saturations=counts)
    counts = counts[native.counted_layers(network)]
    sizes = [len(program), len(x), x[0].size, y[0].size, len(counts), 0]
    parts = [np.array(sizes, "<u4"), counts, x, y]
    return b"".join(part.tobytes() for part in parts) + program


def networks(count):
    """Pairs of a random network and its input: every block size, then every kind."""
    made, seed = 0, 0
    while made < count:
        seed += 1
        rng = np.random.default_rng([7, seed])
        block = BLOCK_SIZES[seed % len(BLOCK_SIZES)]
        extreme = bool(seed & 1)
        kinds = ["Dense", "Conv2D"][seed // 9 % 2 :][:1] if seed < 36 else rng.choice(KINDS, 5)
        channels = int(rng.integers(1, 2 * block + 2))
        shape = (channels,) if kinds[0] == "Dense" else (3, 4, channels)
        network = random_network(rng, [str(kind) for kind in kinds], shape, block, extreme)
        if network is not None:
            made += 1
            yield network, random_input(rng, network, int(rng.integers(1, 20)), extreme)


def write(folder, count):
    """Write cases into a folder and return their paths."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for number, (network, x) in enumerate(networks(count)):
        paths.append(os.path.join(folder, f"case_{number:03}.bin"))
        with open(paths[-1], "wb") as file:
            file.write(case_bytes(network, x))
    return paths


if __name__ == "__main__":
    print("\n".join(write(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)))
