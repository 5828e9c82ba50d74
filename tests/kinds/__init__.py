"""Random layers of every kind, for the tests and fuzzers that walk the registry.

A module of this folder has the samplers of the layer kinds in the module of the same name in
``pynq_circnn/layers``.  Every module is imported here, which registers its samplers.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from pynq_circnn.layers import Layer

SAMPLERS: Dict[str, Callable[["Draw"], Optional[Layer]]] = {}


@dataclass
class Draw:
    """The choices and facts that a sampler may use.

    Parameters
    ----------
    rng : numpy.random.Generator
    name, source : str
        Names of the layer to be made and of the one before it.
    shapes : dict
        Output shapes of all layers so far by their names.
    block : int
    activated, window : dict
        Random activation, and random strides and padding, as arguments.
    """

    rng: Any
    name: str
    source: str
    shapes: Dict[str, Tuple[int, ...]]
    block: int
    activated: Dict[str, Any]
    window: Dict[str, Any]

    @property
    def shape(self):
        """The output shape of the layer before."""
        return self.shapes[self.source]

    @property
    def is_image(self):
        """Whether the layer before returns images."""
        return len(self.shape) == 3

    def pair(self, high):
        """Two random extents, 1 to `high`."""
        return tuple(int(v) for v in self.rng.integers(1, high + 1, 2))

    def other(self, accepts):
        """The name of a random tensor whose shape `accepts`, or None."""
        names = [name for name, shape in self.shapes.items() if accepts(shape)]
        return str(self.rng.choice(names)) if names else None


def sampler(kind):
    """Register a function that makes a random layer of a kind, or None if none fits."""

    def register(function):
        SAMPLERS[kind] = function
        return function

    return register


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

KINDS = tuple(sorted(k for k, cls in Layer.kinds.items() if cls.operation or cls.is_view))
