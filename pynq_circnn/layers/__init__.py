"""The layer kinds of a network with all their rules, in one file for each opcode.

Such a file holds everything that the package knows of its kinds: fields and shapes, the rule in
floating point, quantisation, the rule in integers (the definition of what every back end computes),
the lowering to an instruction of the engine's program, and what that instruction means.  ``base``,
``activated``, ``scaled``, ``operands``, ``window``, ``lowering`` and ``instruction`` are what they
share.  Every module of this folder is imported here, and defining a kind registers it:
``Layer.kinds`` lists all of them, and this package has each by its name.

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
