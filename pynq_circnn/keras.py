"""Keras in, engine out: trainable block-circulant layers and the way from Keras to the engine.

Import this before :mod:`keras`: where no back end of Keras was chosen it takes one that is
installed (:mod:`pynq_circnn.keras_backend`).

A ``.keras`` file with these layers is read back by :func:`load`, or by
``keras.saving.load_model`` once this package has been imported, which registers the layers;
otherwise Keras says "Could not locate class 'BlockCirculantDense'".
"""

from .frontends.keras.convert import convert, load, to_network
from .frontends.keras.trainable import BlockCirculantConv2D, BlockCirculantDense

__all__ = ["BlockCirculantConv2D", "BlockCirculantDense", "convert", "load", "to_network"]
