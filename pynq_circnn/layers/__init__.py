"""The layer kinds of a network, one file each: frozen values with all their rules.

A file contains everything that the package knows about a kind: its fields and shapes, its rule in
floating point, how it is quantised, its rule in integers (the definition of what every back end
computes), its lowering to the engine's program, and the meaning of the program's instruction.
Every module of this folder is imported here, and defining a kind registers it: ``Layer.kinds``
lists all of them, and each is an attribute of this package.

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
