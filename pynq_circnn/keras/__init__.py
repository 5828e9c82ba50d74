"""Keras in, engine out: trainable block-circulant layers and the way from Keras to the engine.

Import this before :mod:`keras`: where no back end of Keras was chosen it takes one that is
installed (:mod:`pynq_circnn.keras_backend`).

A ``.keras`` file with these layers is read back by :func:`load`, or by
``keras.saving.load_model`` once this package has been imported, which registers the layers;
otherwise Keras says "Could not locate class 'BlockCirculantDense'".
"""

from .. import keras_backend

keras_backend.choose()

from .convert import convert, load, to_network  # noqa: E402
from .layers import BlockCirculantConv2D, BlockCirculantDense  # noqa: E402

__all__ = ["BlockCirculantConv2D", "BlockCirculantDense", "convert", "load", "to_network"]
