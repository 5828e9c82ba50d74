"""The builder that every front end uses to make a network out of a trained model.

A front end

1. checks that its model has one input and one output, and begins a :class:`Builder` with the
   shape of the input;
2. walks the model in topological order and has one rule a kind of layer, which calls
   :meth:`~Builder.add`, :meth:`~Builder.dense`, :meth:`~Builder.convolution`,
   :meth:`~Builder.scale_bias`, :meth:`~Builder.activation` and :meth:`~Builder.sum`.  Each returns
   the name of the layer that it added, by which later layers read it.  A layer that does nothing
   at inference adds none: its output has the name of its input;
3. says by :meth:`~Builder.stands_for` which tensor of its model each name gives, so that the two
   can be compared;
4. passes an :class:`Unsupported` that a rule raised to :meth:`~Builder.refuse` and goes on with
   the name of the layer's input, so that the user learns of all such layers at once;
5. calls :meth:`~Builder.build`, and gives what it returns to
   :func:`pynq_circnn.frontends.conversion.to_model`.

Rules add the plainest layers: a matrix without an activation, a scale and bias, an activation that
stands alone.  :meth:`~Builder.build` moves scales, biases and activations into the layers before
them, and a scaling at the front into the input.

Tensors are channels last, without the batch: ``(features,)``, ``(steps, features)`` or
``(height, width, channels)``.  For a source that is channels first, the front end permutes the
axes of kernels, and the inputs of the first matrix behind a flattened image.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Type

import numpy as np

from ..layers.add import Add
from ..layers.base import Layer, Shape
from ..layers.concatenate import Concatenate
from ..layers.input import Input
from ..layers.matrix import Conv2D, Dense
from ..layers.scale_bias import ScaleBias
from ..network.graph import Network
from .nodes import Node, fuse, scale_input

_ARRAYS = ("weights", "scale", "bias")


class Unsupported(ValueError):
    """The reason why one layer has no counterpart on the engine, and what to do."""


class Problem(NamedTuple):
    """A layer without a counterpart: its name, its kind as users write it, and the reason."""

    name: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}): {self.reason}"


class Built(NamedTuple):
    """A network, and for its layers the source's tensor of the same values, where there is one."""

    network: Network
    tensors: Dict[str, Any]


class Builder:
    """Collects the layers of a network, each under a name of its own, while a model is walked.

    Parameters
    ----------
    shape : tuple of int
        Of the model's input.

    Attributes
    ----------
    input : str
        The name by which layers read the input.
    nodes : dict of str to Node
        The layers in the making, by name.
    problems : list of Problem
        The layers of the source that were refused.
    """

    def __init__(self, shape: Shape) -> None:
        self.nodes: Dict[str, Node] = {}
        self.problems: List[Problem] = []
        self._tensors: Dict[str, Any] = {}
        self.input = self.add(Input, "input", shape=shape)

    def add(self, kind: Type[Layer], name: str, *inputs: str, **values: Any) -> str:
        """Append a layer of any kind and return its name, a number added if it is taken.

        Parameters
        ----------
        kind : class
            From :mod:`pynq_circnn.layers`.
        name : str
            As the source's layer is called.
        *inputs : str
            Names of the layers that it reads.
        **values
            ``weights``, ``scale`` and ``bias`` are the layer's arrays, as
            :class:`pynq_circnn.network.graph.Network` takes them; all others are its fields.
        """
        unique, number = name, 1
        while unique in self.nodes:
            unique, number = f"{name}_{number}", number + 1
        arrays = {k: v for k, v in values.items() if k in _ARRAYS}
        fields = {k: v for k, v in values.items() if k not in _ARRAYS}
        self.nodes[unique] = Node(kind(name=unique, inputs=inputs, **fields), arrays)
        return unique

    def dense(
        self,
        name: str,
        source: str,
        shape: Shape,
        units: int,
        weights: np.ndarray,
        bias: Optional[np.ndarray] = None,
    ) -> str:
        """Append a matrix over the last axis, without an activation, and return its name.

        Parameters
        ----------
        name, source : str
            Of the layer, and of the one that it reads.
        shape : tuple of int
            Of what it reads.  On steps or an image it becomes a convolution of one pixel.
        units : int
            Number of outputs.
        weights : array of shape (p, q, k)
            Defining vectors of the blocks; :func:`blocks_of_one` makes them of a dense matrix.
        bias : array of shape (units,), optional
        """
        if len(shape) in (2, 3):
            return self.convolution(name, source, units, weights[None, None], bias)
        if len(shape) != 1:
            raise Unsupported(
                f"reads a tensor of shape {shape}: Flatten it before, or Reshape it to "
                "(height, width, channels)"
            )
        return self.add(Dense, name, source, units=units, **_matrix(weights, bias))

    def convolution(
        self,
        name: str,
        source: str,
        filters: int,
        weights: np.ndarray,
        bias: Optional[np.ndarray] = None,
        **values: Any,
    ) -> str:
        """Append a convolution without an activation, and return its name.

        Parameters
        ----------
        name, source : str
            Of the layer, and of the one that it reads.
        filters : int
            Number of output channels.
        weights : array of shape (kh, kw, p, q, k)
            Defining vectors of the blocks; :func:`blocks_of_one` makes them of a dense kernel.
        bias : array of shape (filters,), optional
        **values
            ``strides`` and ``padding`` of :class:`pynq_circnn.layers.Conv2D`.
        """
        size = weights.shape[:2]
        arrays = _matrix(weights, bias)
        return self.add(Conv2D, name, source, filters=filters, kernel_size=size, **arrays, **values)

    def scale_bias(self, name: str, source: str, shape: Shape, scale: Any, bias: Any) -> str:
        """Append ``scale * x + bias`` on the channels, and return its name.

        Parameters
        ----------
        name, source : str
            Of the layer, and of the one that it reads.
        shape : tuple of int
            Of what it reads.
        scale, bias : array-like
            One number, or one for each channel, along the last axis.

        Raises
        ------
        Unsupported
            If they are of another shape.
        """
        arrays = [np.asarray(value, dtype=np.float64) for value in (scale, bias)]
        try:
            if any(extent != 1 for array in arrays for extent in array.shape[:-1]):
                raise ValueError
            scale, bias = (np.broadcast_to(a.reshape(a.shape[-1:]), shape[-1:]) for a in arrays)
        except ValueError:
            raise Unsupported(
                "scales more than channels: use one number for each channel"
            ) from None
        return self.add(ScaleBias, name, source, scale=scale, bias=bias)

    def activation(self, name: str, source: str, kind: str, negative_slope: float = 0.0) -> str:
        """Append an activation of :data:`pynq_circnn.layers.ACTIVATIONS`, and return its name."""
        return self.add(ScaleBias, name, source, activation=kind, negative_slope=negative_slope)

    def sum(self, name: str, *inputs: str) -> str:
        """Append the sum of tensors of one shape, and return the name of the last addition."""
        total = inputs[0]
        for other in inputs[1:]:
            total = self.add(Add, name, total, other)
        return total

    def concatenation(self, name: str, *inputs: str) -> str:
        """Append tensors joined along the last axis, and return the name of the last layer."""
        joined = inputs[0]
        for other in inputs[1:]:
            joined = self.add(Concatenate, name, joined, other)
        return joined

    def stands_for(self, name: str, tensor: Any) -> None:
        """Note that the layer `name` gives the values of a tensor of the source, in any form.

        Of several tensors the last is kept: that behind layers which do nothing at inference.
        """
        self._tensors[name] = tensor

    def refuse(self, name: str, kind: str, reason: object) -> None:
        """Note that a layer of the source has no counterpart; :meth:`build` names all of them."""
        self.problems.append(Problem(name, kind, str(reason)))

    def build(self, output: str, supported: str, each_feature: bool = False) -> Built:
        """Return the network; the builder is not to be used afterwards.

        Parameters
        ----------
        output : str
            Name of the layer that gives the model's output.
        supported : str
            What the front end supports, for the error.
        each_feature : bool
            Whether a scaling at the front by one number for each feature or channel becomes the
            input's too, and not only one by a single number.

        Raises
        ------
        ValueError
            If layers were refused, with all their names and reasons, or the layers form no
            network.
        """
        refuse(self.problems, supported)
        nodes, replaced = fuse(self.nodes, output)
        tensors = {replaced.get(name, name): tensor for name, tensor in self._tensors.items()}
        nodes, tensors = scale_input(nodes, tensors, each_feature)
        arrays = {node.name: node.arrays for node in nodes if node.arrays}
        return Built(Network(tuple(node.layer for node in nodes), arrays), tensors)


def refuse(problems: Sequence[Problem], supported: str) -> None:
    """Raise ``ValueError`` if there are problems, with all of them and what is supported."""
    if problems:
        named = "\n  ".join(map(str, problems))
        raise ValueError(
            "every layer must have a counterpart on the engine. "
            f"Received: {len(problems)} without:\n  {named}\nSupported are {supported}."
        )


def blocks_of_one(matrix: np.ndarray) -> np.ndarray:
    """Return a dense kernel of shape (..., outputs, inputs) as blocks of one: (..., p, q, 1)."""
    return matrix[..., None]


def _matrix(weights: np.ndarray, bias: Optional[np.ndarray]) -> Dict[str, Any]:
    values = {"weights": weights, "block": weights.shape[-1]}
    return values if bias is None else {**values, "bias": bias}
