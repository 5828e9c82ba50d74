"""A network in floating point: what calibration observes and accuracy is compared with."""

from typing import Dict

import numpy as np

from ..layers.base import Layer, Observe
from .graph import Network


def _no_observer(layer: Layer, stage: str, values: np.ndarray) -> None:
    """Ignore the values."""


def run(network: Network, x: np.ndarray, observe: Observe = _no_observer) -> Dict[str, np.ndarray]:
    """Return the output of every layer for a batch, by the layers' names.

    Parameters
    ----------
    network : Network
    x : array of shape (n,) + network.input.shape, any real dtype
    observe : callable, optional
        Called as ``observe(layer, stage, values)`` with the values inside the layers.
    """
    x = np.asarray(x, dtype=np.float64)
    outputs: Dict[str, np.ndarray] = {}
    for layer in network.layers:
        arrays = network.parameters.get(layer.name, {})
        inputs = [outputs[name] for name in layer.inputs] if layer.inputs else [x]
        outputs[layer.name] = layer.evaluate(arrays, observe, *inputs)
    return outputs
