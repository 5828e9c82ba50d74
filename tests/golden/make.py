"""Makes the golden files of the format's newest version: python tests/golden/make.py

Never make a version's files again: readers of every later version must read these very bytes.
Those of versions 1 and 2 were made in November 2026.
"""

import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import examples  # noqa: E402

NAME = os.path.join(HERE, "version_2")

if __name__ == "__main__":
    if os.path.exists(NAME + ".circnn"):
        raise SystemExit(f"the golden files {NAME} are there, and stay as they are")
    model, x = examples.steps_model(), np.random.default_rng(1).integers(0, 256, (20, 5, 6))
    model.save(NAME + ".circnn")
    floats = x + np.random.default_rng(2).uniform(-0.5, 0.5, x.shape)
    outputs = {"y": model.predict(x.astype(np.uint8)), "y_float": model.predict(floats)}
    np.savez(NAME + ".npz", x=x.astype(np.uint8), x_float=floats.astype(np.float32), **outputs)
