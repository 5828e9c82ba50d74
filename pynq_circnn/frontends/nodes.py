"""Layers in the making, and what is done to all of them once a model has been walked."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..layers.base import Layer
from ..layers.scale_bias import ScaleBias
from ..layers.scaled import Scaled


@dataclass
class Node:
    """A layer in the making and its arrays: ``weights``, ``scale`` and ``bias``, where given."""

    layer: Layer
    arrays: Dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    def change(self, **values: Any) -> None:
        """Replace fields of the layer; ``ValueError`` if it does not take them."""
        self.layer = dataclasses.replace(self.layer, **values)


def fuse(nodes: Mapping[str, Node], last: str) -> Tuple[List[Node], Dict[str, str]]:
    """Return the nodes with scales, biases and activations moved into the layers before them.

    That is done where they are the only reader of a layer whose epilogue is still free: batch
    normalisation and activations then cost nothing on the engine.

    Parameters
    ----------
    nodes : mapping of str to Node
        In topological order; they are changed.
    last : str
        The node that gives the output of the network.

    Returns
    -------
    nodes : list of Node
    replaced : dict of str to str
        For each node that is gone, the name of the one that does its work now.
    """
    replaced: Dict[str, str] = {}
    readers: Dict[str, int] = {last: 1}
    for node in nodes.values():
        for name in node.layer.inputs:
            readers[name] = readers.get(name, 0) + 1
    kept: Dict[str, Node] = {}
    for node in nodes.values():
        layer = node.layer
        inputs = tuple(replaced.get(name, name) for name in layer.inputs)
        before = kept[inputs[0]] if inputs else None
        if (
            isinstance(layer, ScaleBias)
            and before is not None
            and readers[layer.inputs[0]] == 1
            and getattr(before.layer, "activation", "") == "linear"
            and (not node.arrays or isinstance(before.layer, Scaled))
        ):
            if node.arrays:
                scale, bias = node.arrays["scale"], node.arrays["bias"]
                before.arrays["bias"] = before.arrays.get("bias", 0.0) * scale + bias
                before.arrays["scale"] = before.arrays.get("scale", 1.0) * scale
            before.change(activation=layer.activation, negative_slope=layer.negative_slope)
            replaced[node.name] = before.name
            continue
        node.change(inputs=inputs)
        kept[node.name] = node
    return list(kept.values()), replaced


def scale_input(
    nodes: List[Node], tensors: Mapping[str, Any], each_feature: bool
) -> Tuple[List[Node], Dict[str, Any]]:
    """Return the nodes with a scaling of the input moved into the input.

    Parameters
    ----------
    nodes : list of Node
        In topological order, beginning with the input; they are changed.
    tensors : mapping of str to tensor
        The source's tensor of each node.
    each_feature : bool
        Whether a scaling by one number for each feature or channel is moved too, and not only
        one by a single number.

    Returns
    -------
    nodes : list of Node
    tensors : dict of str to tensor
        Without those of unscaled numbers, which no node gives any more.
    """
    unscaled, scaling = _first_scaling(nodes)
    if scaling is None or scaling is nodes[-1]:  # a network has at least one layer
        return nodes, dict(tensors)
    first, *others = nodes
    source = unscaled[-1]
    scale, bias = scaling.arrays["scale"], scaling.arrays["bias"]
    values: Dict[str, Any] = {"scale": float(scale[0]), "offset": float(bias[0])}
    several = bool(np.ptp(scale) or np.ptp(bias))
    if several:
        if not each_feature or source != first.name:  # a Reshape gives features other numbers
            return nodes, dict(tensors)
        values = {"scale": tuple(scale.tolist()), "offset": tuple(bias.tolist())}
    try:
        first.change(**values)
    except ValueError:  # not finite, or zero: the layer reports it, or computes it, itself
        return nodes, dict(tensors)
    if not several:
        try:
            first.change(uint8_scale=values["scale"], uint8_offset=values["offset"])
        except ValueError:
            pass  # beyond what the engine reads from bytes: they are scaled as floats are
    for node in others:
        node.change(inputs=tuple(source if i == scaling.name else i for i in node.layer.inputs))
    left = {name: tensor for name, tensor in tensors.items() if name not in unscaled}
    if scaling.name in left:
        left[source] = left.pop(scaling.name)
    return [node for node in nodes if node is not scaling], left


def _first_scaling(nodes: Sequence[Node]) -> Tuple[List[str], Optional[Node]]:
    """Return the names of the nodes with the input's numbers, and the node that scales them.

    ``None`` if they are not scaled, or have other readers as well.
    """
    unscaled = [nodes[0].name]
    while True:
        readers = [node for node in nodes[1:] if unscaled[-1] in node.layer.inputs]
        if len(readers) != 1:
            return unscaled, None
        (reader,) = readers
        if isinstance(reader.layer, ScaleBias):
            plain = reader.layer.activation == "linear" and {"scale", "bias"} <= set(reader.arrays)
            return unscaled, reader if plain else None
        if not reader.layer.is_view:
            return unscaled, None
        unscaled.append(reader.name)  # the same numbers
