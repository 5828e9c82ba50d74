"""Keras in, engine out: trainable block-circulant layers and the way from Keras to the engine."""

from .convert import convert, to_network
from .layers import BlockCirculantConv2D, BlockCirculantDense

__all__ = ["BlockCirculantConv2D", "BlockCirculantDense", "convert", "to_network"]
