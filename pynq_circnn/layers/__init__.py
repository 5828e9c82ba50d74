"""The layer kinds of a network, one file each: frozen values with all their rules.

A file holds everything that the package knows of a kind: its fields and shapes, its rule in
floating point, how it is quantised, its rule in integers (the definition of what every back end
computes), its lowering to the engine's program, and what the program's instruction means.  Every
module of this folder is imported here, and a kind is registered by being defined; ``Layer.kinds``
lists them, and each can be had from this package by its name.

Tensors are channels last, without the batch: vectors ``(features,)``, sequences
``(steps, features)`` and images ``(height, width, channels)``.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from .activated import ACTIVATIONS
from .base import Layer, Shape, from_config, size_of
from .instruction import check_meanings

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
check_meanings()
globals().update(Layer.kinds)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Return a layer kind."""


__all__ = ["ACTIVATIONS", "Layer", "Shape", "from_config", "size_of"]
__all__ += sorted(Layer.kinds)
