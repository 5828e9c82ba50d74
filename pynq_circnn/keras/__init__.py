"""Keras in, engine out: trainable block-circulant layers and the way from Keras to the engine.

Import this before :mod:`keras`: where no back end of Keras was chosen it takes one that is
installed (:mod:`pynq_circnn.keras_backend`).
"""

from .. import keras_backend

keras_backend.choose()

from .convert import convert, to_network  # noqa: E402
from .layers import BlockCirculantConv2D, BlockCirculantDense  # noqa: E402

__all__ = ["BlockCirculantConv2D", "BlockCirculantDense", "convert", "to_network"]
