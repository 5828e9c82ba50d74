"""The model: a quantised network with a Keras-like interface."""

from .model import Model, load_model, shipped_models

__all__ = ["Model", "load_model", "shipped_models"]
