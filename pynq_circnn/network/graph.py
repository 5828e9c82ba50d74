"""A trained network in floating point: a small graph of frozen layers and their arrays."""

from dataclasses import dataclass, field
from typing import Dict, Iterator, Mapping, Sequence, Set, Tuple

import numpy as np

from ..contract import LIMITS
from ..layers.base import Layer, Shape, size_of
from ..layers.input import Input
from ..layers.softmax import Softmax


def infer_shapes(layers: Sequence[Layer]) -> Dict[str, Shape]:
    """Check that the layers form one network, and return every layer's output shape.

    The layers are in topological order, the first is the only :class:`Input`, every name is
    unique and known before it is used (so there is no cycle), every output except the last layer's
    is used, and a :class:`Softmax` can only be the last layer.

    Raises
    ------
    ValueError
        The message names the layer and the rule that it breaks.
    """
    if not layers or not isinstance(layers[0], Input):
        raise ValueError(
            "a network must begin with an Input layer. "
            f"Received: {layers[0].kind if layers else 'no layers'}."
        )
    shapes: Dict[str, Shape] = {}
    used: Set[str] = set()
    for position, layer in enumerate(layers):
        if layer.name in shapes:
            raise ValueError(f"names of layers must be unique. Received: {layer.name!r} twice.")
        if position and isinstance(layer, Input):
            raise ValueError(
                f"a network must have one Input layer. Received: another one, {layer.name!r}."
            )
        if isinstance(layer, Softmax) and position != len(layers) - 1:
            raise ValueError(
                f"Softmax must be the last layer. Received: {layer.name!r} at position {position} "
                f"of {len(layers)}. It is computed on the host, in floating point."
            )
        for name in layer.inputs:
            if name not in shapes:
                raise ValueError(
                    f"inputs of layer {layer.name!r} must be names of earlier layers. "
                    f"Received: {name!r}; known are {', '.join(map(repr, shapes)) or 'none'}."
                )
        shape = layer.output_shape(*(shapes[name] for name in layer.inputs))
        _check_size(layer, shape)
        shapes[layer.name] = shape
        used.update(layer.inputs)
    idle = [layer.name for layer in layers[:-1] if layer.name not in used]
    if idle:
        raise ValueError(
            "every output but the last must be used. "
            f"Received: no reader for {', '.join(map(repr, idle))}. Remove these layers."
        )
    return shapes


def _check_size(layer: Layer, shape: Shape) -> None:
    if size_of(shape) > LIMITS["tensor_words"] or max(shape[:-1], default=0) > LIMITS["extent"]:
        raise ValueError(
            f"output of layer {layer.name!r} must have at most {LIMITS['tensor_words']} elements "
            f"and {LIMITS['extent']} rows and columns. Received: shape={shape}."
        )


@dataclass(frozen=True, eq=False)
class Network:
    """A float network, ready to be quantised.

    Parameters
    ----------
    layers : sequence of Layer
        In topological order, beginning with the :class:`~pynq_circnn.layers.Input`.
    parameters : mapping of str to mapping of str to array
        For each layer that has any: its arrays by name (``weights`` as defining vectors,
        ``scale``, ``bias``), of the shapes that the layer requires.  A missing ``scale`` is one, a
        missing ``bias`` is zero.  They are kept as read-only ``float64``.

    Raises
    ------
    ValueError
        If the layers do not form a network, or an array is missing, unknown, of another shape, or
        not finite.
    """

    layers: Tuple[Layer, ...]
    parameters: Mapping[str, Mapping[str, np.ndarray]]
    shapes: Mapping[str, Shape] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "shapes", infer_shapes(self.layers))
        unknown = sorted(set(self.parameters) - {layer.name for layer in self.layers})
        if unknown:
            raise ValueError(
                "parameters must belong to layers of the network. "
                f"Received: {', '.join(map(repr, unknown))}."
            )
        arrays = {}
        for layer in self.layers:
            wanted = layer.parameter_shapes(*self.input_shapes(layer))
            given = dict(self.parameters.get(layer.name, {}))
            if "scale" in wanted:
                given.setdefault("scale", np.ones(wanted["scale"]))
            if "bias" in wanted:
                given.setdefault("bias", np.zeros(wanted["bias"]))
            if set(given) != set(wanted):
                raise ValueError(
                    f"parameters of layer {layer.name!r} ({layer.kind}) must be "
                    f"{', '.join(wanted) or 'none'}. Received: {', '.join(given) or 'none'}."
                )
            if wanted:
                arrays[layer.name] = {
                    name: _parameter(layer, name, given[name], shape)
                    for name, shape in wanted.items()
                }
        object.__setattr__(self, "parameters", arrays)

    @property
    def input(self) -> Input:
        """The input layer."""
        first = self.layers[0]
        assert isinstance(first, Input)
        return first

    def input_shapes(self, layer: Layer) -> Tuple[Shape, ...]:
        """Return the shapes of a layer's inputs."""
        return tuple(self.shapes[name] for name in layer.inputs)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


def _parameter(layer: Layer, name: str, value: np.ndarray, shape: Shape) -> np.ndarray:
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(
            f"{name} of layer {layer.name!r} must have shape {shape}. Received: {array.shape}."
        )
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"{name} of layer {layer.name!r} must be finite. "
            f"Received: {int(np.sum(~np.isfinite(array)))} NaN or infinite values. "
            "Train again with a smaller learning rate."
        )
    array.flags.writeable = False
    return array
