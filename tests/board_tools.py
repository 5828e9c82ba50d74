"""Emulated boards for the tests; only tests that need pynq import this."""

import contextlib

import numpy as np

from pynq_circnn import load_model
from pynq_circnn.emulated import open_board
from pynq_circnn.emulated.fabric import Fabric

TIMEOUT = 1.0
SLACK = 4.0  # seconds that a busy machine may add; an idle one takes milliseconds
MODEL = load_model("digits")
X = np.random.default_rng(0).integers(0, 256, (40, 64)).astype(np.uint8)
EXPECTED = MODEL.plan("reference").run(X)


@contextlib.contextmanager
def emulated(fabric=None, **options):
    """An open overlay on an emulated board."""
    overlay = open_board(fabric, **options)
    overlay.driver.timeout = 30
    try:
        yield overlay
    finally:
        try:
            overlay.close()
        finally:
            overlay.device.close()  # raises any error that a real board would not have survived


def run(x=X, model=MODEL):
    """The engine's output words for a batch, as numbers."""
    return model.plan("emulated").run(x)


class Echo(Fabric):
    """Sends every packet back unchanged."""

    def run(self, packet):
        return packet

    def reset(self):
        pass
