"""Made version_1.circnn and version_1.npz, in November 2026: python tests/golden/make.py

Never make a version's files again: readers of every later version must read these very bytes.
"""

import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import examples  # noqa: E402

NAME = os.path.join(HERE, "version_1")

if __name__ == "__main__":
    if os.path.exists(NAME + ".circnn"):
        raise SystemExit("the golden files of version 1 are there, and stay as they are")
    model, x = examples.model(), examples.images(20)
    model.save(NAME + ".circnn")
    floats = (x / 255).astype(np.float32)
    saturations = np.zeros(len(model.layers), dtype=np.int64)
    y = model.plan("reference").run(floats, saturations=saturations)
    y_bytes = model.plan("reference").run(x)
    np.savez(NAME + ".npz", x=x, x_float=floats, y=y_bytes, y_float=y, saturations=saturations)
