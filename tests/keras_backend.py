"""Import Keras on an installed back end, or skip: Keras belongs to the training environment."""

import importlib.util
import os

import pytest

INSTALLED = [name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name)]

if not INSTALLED:
    pytest.skip("Keras needs JAX, PyTorch or TensorFlow", allow_module_level=True)
os.environ.setdefault("KERAS_BACKEND", INSTALLED[0])
keras = pytest.importorskip("keras", minversion="3.0")
