"""From a trained Keras model to a :class:`~pynq_circnn.network.graph.Network`, and to the engine.

Every layer is lowered to the plainest layers of :mod:`pynq_circnn.layers` first: a matrix without
an activation, a per-channel scale and bias, an activation that stands alone.  Then each scale,
bias and activation moves into the epilogue of the layer before it where it is that layer's only
reader.  This is how batch normalisation and activations cost nothing on the engine.
"""

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple, Type, Union

import keras
import numpy as np
from keras.src.models.functional import Functional  # no public name in Keras 3

from ... import layers as engine
from ...errors import ConversionError, warn_user
from ...model.model import Model
from ...network.graph import Network
from ...network.quantized import QuantizedNetwork
from ...quantization.quantizer import (
    HEADROOM,
    calibration_array,
    exponent_for,
    quantize,
    signal_to_noise_db,
)
from ..comparison import ROUNDING, Comparison, compare
from . import operations
from .layers import BlockCirculantConv2D, BlockCirculantDense

COMPARED_SAMPLES = 128  # of the calibration data, with the Keras model's own outputs
OWN_MARGIN_DB = 6.0  # Keras's rounding is measured by one sample of chance


@dataclass
class _Node:
    """An engine layer in the making and its arrays."""

    layer: engine.Layer
    arrays: Dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.layer.name

    def change(self, **values: Any) -> None:
        self.layer = dataclasses.replace(self.layer, **values)


class _Unsupported(ValueError):
    """The reason why one layer has no counterpart on the engine, and what to do."""


class _Lowering:
    """Collects nodes while a model is walked, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: Dict[str, _Node] = {}

    def add(self, kind: Type[engine.Layer], name: str, *inputs: str, **values: Any) -> str:
        """Append a layer and return its name; values that are arrays are its parameters."""
        unique, number = name, 1
        while unique in self.nodes:
            unique, number = f"{name}_{number}", number + 1
        arrays = {k: values.pop(k) for k in ("weights", "scale", "bias") if k in values}
        self.nodes[unique] = _Node(kind(name=unique, inputs=inputs, **values), arrays)
        return unique


# rule(lowering, keras_layer, names_of_inputs, shape_of_first_input) -> name of the output
Rule = Callable[[_Lowering, Any, Tuple[str, ...], engine.Shape], str]
_RULES: Dict[type, Rule] = {}

_SUPPORTED_ACTIVATIONS = "linear, relu, relu6, leaky_relu, sigmoid, tanh, and softmax at the end"
_ADVICE = {
    **dict.fromkeys(("DepthwiseConv2D", "SeparableConv2D"), "use Conv2D or BlockCirculantConv2D"),
    "Conv1D": "use Conv2D with a kernel of height 1, on Reshape((1, steps, channels))",
    "MaxPooling1D": "use MaxPooling2D with a pool of height 1",
    "AveragePooling1D": "use AveragePooling2D with a pool of height 1",
    "GlobalAveragePooling1D": "use GlobalAveragePooling2D",
    "GlobalMaxPooling1D": "use GlobalMaxPooling2D",
    **dict.fromkeys(("Conv3D", "MaxPooling3D"), "only two-dimensional layers are supported"),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), "use BatchNormalization"),
    "Concatenate": "use Add",
    "Subtract": "use Add on the one and Rescaling(-1.0) of the other",
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D"),
        "recurrent layers are not supported yet",
    ),
    "Embedding": "look its vectors up before the model, and give them to it as numbers",
    "ELU": "use ReLU or LeakyReLU",
    "PReLU": "use LeakyReLU, which has one slope for all channels",
}


def _rule(*kinds: type) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update({kind: rule for kind in kinds})
        return rule

    return register


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float64)


# Activations


def _activation(low: _Lowering, name: str, source: str, kind: str, slope: float = 0.0) -> str:
    return low.add(engine.ScaleBias, name, source, activation=kind, negative_slope=slope)


def _activate(low: _Lowering, layer: Any, source: str, shape: Any) -> str:
    """Append the activation of a layer that has an ``activation``."""
    function = layer.activation
    if type(function) in _RULES:  # a layer in place of a function
        return _RULES[type(function)](low, function, (source,), shape)
    name = f"{layer.name}_activation"
    if function is keras.activations.linear:
        return source
    if function is keras.activations.leaky_relu:
        return _activation(low, name, source, "leaky_relu", 0.2)  # Keras's default slope
    if function is keras.activations.softmax:
        return low.add(engine.Softmax, name, source)
    for kind in ("relu", "relu6", "sigmoid", "tanh"):
        if function is getattr(keras.activations, kind):
            return _activation(low, name, source, kind)
    raise _Unsupported(
        f"activation {getattr(function, '__name__', function)!r}: use {_SUPPORTED_ACTIVATIONS}"
    )


@_rule(keras.layers.Activation)
def _activation_layer(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return _activate(low, layer, inputs[0], shape)


@_rule(keras.layers.ReLU)
def _relu(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    slope, most, threshold = float(layer.negative_slope), layer.max_value, layer.threshold
    if threshold == 0 and slope == 0 and most in (None, 6):
        return _activation(low, layer.name, *inputs, kind="relu" if most is None else "relu6")
    if threshold == 0 and most is None and 0 <= slope < 1:
        return _activation(low, layer.name, *inputs, kind="leaky_relu", slope=slope)
    raise _Unsupported(
        "ReLU must have threshold 0, max_value None or 6, and a negative slope below 1 "
        "only without max_value: change it"
    )


@_rule(keras.layers.LeakyReLU)
def _leaky_relu(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    slope = float(layer.negative_slope)
    if not 0 <= slope < 1:
        raise _Unsupported(f"negative_slope is {slope}: use one from 0 to below 1")
    return _activation(low, layer.name, *inputs, kind="leaky_relu", slope=slope)


@_rule(*operations.ACTIVATIONS)
def _activation_operation(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return _activation(low, layer.name, *inputs, kind=operations.ACTIVATIONS[type(layer)])


_rule(operations.ReLU)(_relu)
_rule(operations.LeakyRelu)(_leaky_relu)


@_rule(keras.layers.Softmax, operations.Softmax)
def _softmax(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    if layer.axis not in (-1, 1) or len(shape) != 1:
        raise _Unsupported("Softmax must be over the last axis of a vector: flatten before it")
    return low.add(engine.Softmax, layer.name, *inputs)


# Matrices


def _grid(kernel: np.ndarray) -> np.ndarray:
    """Return a dense Keras kernel (..., inputs, outputs) as blocks of one: (..., p, q, 1)."""
    return np.swapaxes(kernel, -1, -2)[..., None]


def _with_bias(layer: Any, weights: np.ndarray) -> Dict[str, Any]:
    arrays = {"weights": weights, "block": weights.shape[-1]}
    return arrays if layer.bias is None else {**arrays, "bias": _array(layer.bias)}


def _dense(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any, weights: Any) -> str:
    if len(shape) in (2, 3):  # Keras's Dense on steps or an image is a convolution of one pixel
        values = _with_bias(layer, weights[None, None])
        name = low.add(engine.Conv2D, layer.name, *inputs, filters=layer.units, **values)
    elif len(shape) == 1:
        values = _with_bias(layer, weights)
        name = low.add(engine.Dense, layer.name, *inputs, units=layer.units, **values)
    else:
        raise _Unsupported(
            f"reads a tensor of shape {shape}: Flatten it before, or Reshape it to "
            "(height, width, channels)"
        )
    return _activate(low, layer, name, shape)


@_rule(keras.layers.Dense)
def _keras_dense(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    _check_float(layer)
    return _dense(low, layer, inputs, shape, _grid(_array(layer.kernel)))


@_rule(BlockCirculantDense)
def _circulant_dense(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return _dense(low, layer, inputs, shape, _array(layer.vectors))


def _convolution(
    low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any, weights: np.ndarray
) -> str:
    name = low.add(
        engine.Conv2D,
        layer.name,
        *inputs,
        filters=layer.filters,
        kernel_size=tuple(layer.kernel_size),
        strides=tuple(layer.strides),
        padding=layer.padding,
        **_with_bias(layer, weights),
    )
    return _activate(low, layer, name, shape)


@_rule(keras.layers.Conv2D)
def _keras_conv(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    _check_float(layer)
    _check_channels_last(layer)
    if layer.groups != 1 or tuple(layer.dilation_rate) != (1, 1):
        raise _Unsupported("has groups or dilation: use Conv2D with groups=1, dilation_rate=1")
    return _convolution(low, layer, inputs, shape, _grid(_array(layer.kernel)))


@_rule(BlockCirculantConv2D)
def _circulant_conv(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return _convolution(low, layer, inputs, shape, _array(layer.vectors))


def _check_channels_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise _Unsupported("is channels_first: build it with data_format='channels_last'")


def _check_float(layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) is not None:
        raise _Unsupported(
            f"is quantised by Keras ({layer.quantization_mode}): convert the float model instead"
        )


# Scales


@_rule(keras.layers.BatchNormalization)
def _batch_normalisation(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    if layer.axis not in (-1, len(shape)):
        raise _Unsupported("normalises another axis than the channels: use axis=-1")
    scale = 1 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    bias = -_array(layer.moving_mean) * scale
    if layer.center:
        bias = bias + _array(layer.beta)
    return low.add(engine.ScaleBias, layer.name, *inputs, scale=scale, bias=bias)


def _scale_bias(low: _Lowering, name: str, source: str, shape: Any, *values: Any) -> str:
    arrays = [_array(value) for value in values]
    try:
        if any(extent != 1 for array in arrays for extent in array.shape[:-1]):
            raise ValueError
        scale, bias = (np.broadcast_to(a.reshape(a.shape[-1:]), shape[-1:]) for a in arrays)
    except ValueError:
        raise _Unsupported("scales more than channels: use one number for each channel") from None
    return low.add(engine.ScaleBias, name, source, scale=scale, bias=bias)


@_rule(keras.layers.Rescaling)
def _rescaling(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return _scale_bias(low, layer.name, inputs[0], shape, layer.scale, layer.offset)


@_rule(keras.layers.Normalization)
def _normalization(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    if layer.invert:
        raise _Unsupported("is inverted: use Rescaling")
    if layer.mean is None:
        raise _Unsupported("was never adapted: call its adapt() with the training data")
    mean, deviation = _array(layer.mean), np.maximum(np.sqrt(_array(layer.variance)), 1e-7)
    return _scale_bias(low, layer.name, inputs[0], shape, 1 / deviation, -mean / deviation)


# Shapes, pools, sums


@_rule(keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
def _pool(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    _check_channels_last(layer)
    largest = isinstance(layer, keras.layers.MaxPooling2D)
    return low.add(
        engine.MaxPool2D if largest else engine.AveragePool2D,
        layer.name,
        *inputs,
        pool_size=tuple(layer.pool_size),
        strides=tuple(layer.strides),
        padding=layer.padding,
    )


@_rule(keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
def _global_pool(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    _check_channels_last(layer)
    height, width, channels = shape
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        name = low.add(engine.GlobalAveragePool2D, layer.name, *inputs)
        kept = (channels,)
    else:
        whole = (height, width)
        name = low.add(engine.MaxPool2D, layer.name, *inputs, pool_size=whole, strides=whole)
        kept = (1, 1, channels)
    wanted = (1, 1, channels) if layer.keepdims else (channels,)
    if kept == wanted:
        return name
    return low.add(engine.Reshape, f"{layer.name}_shape", name, shape=wanted)


@_rule(keras.layers.Flatten)
def _flatten(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return low.add(engine.Reshape, layer.name, *inputs, shape=(-1,))


@_rule(keras.layers.Reshape)
def _reshape(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    wanted = tuple(layer.compute_output_shape((None, *shape))[1:])  # it may be used twice
    if len(wanted) not in (1, 2, 3):
        raise _Unsupported(f"gives shape {wanted}: use (features,) or (height, width, channels)")
    steps = (1,) if len(wanted) == 2 else ()  # an image of height 1
    return low.add(engine.Reshape, layer.name, *inputs, shape=steps + wanted)


@_rule(keras.layers.ZeroPadding2D)
def _zero_padding(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    _check_channels_last(layer)
    padding = tuple(tuple(pair) for pair in layer.padding)
    return low.add(engine.ZeroPadding2D, layer.name, *inputs, padding=padding)


@_rule(keras.layers.Add)
def _add(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    total = inputs[0]
    for other in inputs[1:]:
        total = low.add(engine.Add, layer.name, total, other)
    return total


@_rule(
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
    keras.layers.RandomFlip,
    keras.layers.RandomRotation,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.RandomContrast,
    keras.layers.RandomBrightness,
)
def _only_trained(low: _Lowering, layer: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    return inputs[0]  # does nothing at inference


def _arithmetic(low: _Lowering, node: Any, inputs: Tuple[str, ...], shape: Any) -> str:
    """Append ``x + y`` for two tensors, or a tensor's arithmetic with a constant."""
    operation = node.operation
    if len(inputs) == 1:
        try:
            return _scale_bias(
                low, operation.name, inputs[0], shape, *operations.scale_and_bias(node)
            )
        except ValueError as error:
            raise _Unsupported(str(error)) from None
    shapes = {tuple(tensor.shape) for tensor in node.input_tensors}
    if operations.written(operation) != "x + y" or len(shapes) != 1:
        raise _Unsupported(operations.advice(operation))
    return _add(low, operation, inputs, shape)


def _check_arithmetic(node: Any) -> None:
    """Refuse sums and products that Keras computes in the integers of an integer input."""
    if isinstance(node.operation, keras.layers.Add):  # which says float32 of its output
        dtype = node.input_tensors[0].dtype
    elif isinstance(node.operation, operations.ARITHMETIC):
        dtype = node.outputs[0].dtype
    else:
        return
    if "int" in str(dtype):
        raise _Unsupported(
            f"is computed in {dtype}, which wraps around: use keras.layers.Rescaling, or a "
            "keras.Input of dtype float32"
        )


# The walk


def _problem(operation: Any, reason: Any) -> str:
    return f"{operation.name} ({operations.written(operation)}): {reason}"


def _advice(operation: Any) -> str:
    if isinstance(operation, keras.layers.Layer):
        return _ADVICE.get(type(operation).__name__, "replace it by supported layers")
    return operations.advice(operation)


def _unknown(model: Any) -> List[str]:
    """Return a line for each layer of a kind that no rule lowers, whatever the input's shape."""
    problems = []
    for operation in (getattr(model, "_functional", None) or model).operations:
        if isinstance(operation, (keras.Sequential, Functional)):
            problems += _unknown(operation)
        elif type(operation) not in (keras.layers.InputLayer, *_RULES, *operations.ARITHMETIC):
            problems.append(_problem(operation, _advice(operation)))
    return problems


def _refuse(problems: List[str]) -> None:
    if problems:
        named = "\n  ".join(problems)
        layers = sorted(k.__name__ for k in _RULES if issubclass(k, keras.layers.Layer))
        raise ValueError(
            "every layer must have a counterpart on the engine. "
            f"Received: {len(problems)} without:\n  {named}\nSupported are the layers "
            f"{', '.join(layers)}; and of operations {operations.SUPPORTED}."
        )


def _walk(
    low: _Lowering, model: Any, source: str, problems: List[str], outputs: Dict[str, Any]
) -> str:
    """Lower a model that reads `source` and return the name of its output.

    What cannot be lowered is appended to `problems`; `outputs` gets the Keras tensor that each
    node stands for, the last of several.
    """
    function = getattr(model, "_functional", None) or model  # of a Sequential
    names = {id(function.inputs[0]): source}
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input:
                continue
            layer = node.operation
            inputs = tuple(names[id(tensor)] for tensor in node.input_tensors)
            output = inputs[0]  # so that the walk goes on behind an unsupported layer
            try:
                if isinstance(layer, (keras.Sequential, Functional)):
                    if len(inputs) != 1 or len(node.outputs) != 1:
                        raise _Unsupported("has several inputs or outputs: use its layers directly")
                    output = _walk(low, layer, inputs[0], problems, {})
                elif type(layer) in _RULES:
                    shape = tuple(node.input_tensors[0].shape[1:])
                    output = _RULES[type(layer)](low, layer, inputs, shape)
                elif type(layer) in operations.ARITHMETIC:
                    shape = tuple(node.input_tensors[0].shape[1:])
                    output = _arithmetic(low, node, inputs, shape)
                else:
                    raise _Unsupported(_advice(layer))
                _check_arithmetic(node)
            except _Unsupported as problem:
                problems.append(_problem(layer, problem))
            for tensor in node.outputs:
                names[id(tensor)] = output
                outputs[output] = tensor
    return names[id(function.outputs[0])]


def _fuse(nodes: Dict[str, _Node], last: str) -> Tuple[List[_Node], Dict[str, str]]:
    """Return the nodes with scales, biases and activations moved into the layers before them.

    Beside them, for each node that is gone, the name of the one that does its work now.
    """
    replaced: Dict[str, str] = {}
    readers: Dict[str, int] = {last: 1}
    for node in nodes.values():
        for name in node.layer.inputs:
            readers[name] = readers.get(name, 0) + 1
    kept: Dict[str, _Node] = {}
    for node in nodes.values():
        layer = node.layer
        inputs = tuple(replaced.get(name, name) for name in layer.inputs)
        before = kept[inputs[0]] if inputs else None
        if (
            isinstance(layer, engine.ScaleBias)
            and before is not None
            and readers[layer.inputs[0]] == 1
            and getattr(before.layer, "activation", "") == "linear"
            and (not node.arrays or not isinstance(before.layer, engine.Add))
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


def _rescale_input(nodes: List[_Node], tensors: Dict[str, Any], each_feature: bool) -> List[_Node]:
    """Return the nodes with a rescaling of the input moved into the input.

    That is one by a single number or, if `each_feature`, by one for each feature or channel.
    `tensors`, the Keras tensor of each node, then tells of none that stands for unscaled numbers.
    """
    first, *others = nodes
    source, rescaling = first.name, None
    before = [source]
    while rescaling is None:
        readers = [node for node in others if source in node.layer.inputs]
        if len(readers) != 1:
            return nodes
        if isinstance(readers[0].layer, engine.Reshape):  # the same numbers
            source = readers[0].name
            before.append(source)
        elif isinstance(readers[0].layer, engine.ScaleBias):
            rescaling = readers[0]
        else:
            return nodes
    scale, bias = (rescaling.arrays.get(key) for key in ("scale", "bias"))
    if rescaling.layer.activation != "linear" or scale is None or bias is None:
        return nodes
    if rescaling is nodes[-1]:  # a network has at least one layer
        return nodes
    values: Dict[str, Any] = {"scale": float(scale[0]), "offset": float(bias[0])}
    several = bool(np.ptp(scale) or np.ptp(bias))
    if several:
        if not each_feature or source != first.name:  # a Reshape gives features other numbers
            return nodes
        values = {"scale": tuple(scale.tolist()), "offset": tuple(bias.tolist())}
    try:
        first.change(**values)
    except ValueError:  # not finite, or zero: the layer says so, or computes it, itself
        return nodes
    if not several:
        try:
            first.change(uint8_scale=values["scale"], uint8_offset=values["offset"])
        except ValueError:
            pass  # beyond what the engine reads from bytes: they are scaled as floats are
    for node in others:
        node.change(inputs=tuple(source if i == rescaling.name else i for i in node.layer.inputs))
    for name in before:
        tensors.pop(name, None)
    if rescaling.name in tensors:
        tensors[source] = tensors.pop(rescaling.name)
    return [node for node in nodes if node is not rescaling]


def load(path: Union[str, "os.PathLike[str]"]) -> keras.Model:
    """Return the Keras model in a ``.keras`` file, block-circulant layers included.

    It is not compiled: ``compile`` it to train it further.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If Keras cannot read it, as when it was saved by an incompatible version.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"a Keras model must be there. Received: {path!r}, no such file.")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the layer at fault raised
        raise ValueError(
            f"{path!r} must be a model that Keras {keras.__version__} can load. "
            f"Received: {type(error).__name__}: {error}. Save it again with the version that "
            "made it as .keras, or rebuild the model and load its weights."
        ) from error


def to_network(model: Union[keras.Model, str, "os.PathLike[str]"]) -> Network:
    """Return the float network that a trained Keras model computes.

    Dropout and augmentation layers vanish.  A scaling by one number at the front (``Rescaling``,
    ``Normalization``, ``BatchNormalization`` of grey images) becomes that of the input,
    :attr:`pynq_circnn.layers.Input.scale`: the network takes what the Keras model takes.

    Parameters
    ----------
    model : keras.Model or path
        Sequential or functional, built, with one input and one output.

    Returns
    -------
    Network

    Raises
    ------
    TypeError
        If it is no Keras model.
    ValueError
        If the model was never built, has several inputs or outputs, holds NaN, or has layers
        without a counterpart on the engine: all of them are named, each with what to do.
    """
    return _lower(_checked(model))[0]


def _checked(model: Any) -> Any:
    """Return the model, loaded if it was a path, if it is of a form that can be lowered."""
    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model or a path. Received: {type(model).__name__}.")
    if not isinstance(model, (keras.Sequential, Functional)):
        raise ValueError(
            "model must be Sequential or functional, so that its layers can be read. "
            f"Received: the subclass {type(model).__name__}. "
            "Rebuild it from keras.Input and layers."
        )
    if not model.built or not getattr(model, "inputs", None):
        raise ValueError(
            f"model must be built. Received: {model.name!r}, which has no weights yet. "
            "Begin it with keras.Input(shape), or call it once on data, and train it."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            "model must have one input and one output. "
            f"Received: {len(model.inputs)} and {len(model.outputs)}. Convert its parts."
        )
    shape: Tuple[Optional[int], ...] = tuple(model.inputs[0].shape[1:])
    if None in shape or len(shape) not in (1, 2, 3):
        _refuse(_unknown(model))  # a layer says more than the shape that it needs
        raise ValueError(
            "input of the model must be (features,), (steps, features) or (height, width, "
            f"channels), all known. Received: {shape}. Use, for example, keras.Input((28, 28, 1))."
        )
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) not in (1, 3):
        _refuse(_unknown(model))
        raise ValueError(
            "output of the model must be (features,) or (height, width, channels). "
            f"Received: {shape}. End it with Flatten, or Reshape."
        )
    return model


def _lower(model: Any, each_feature: bool = False) -> Tuple[Network, Dict[str, Any]]:
    """Return the network, and for each of its layers the Keras tensor of the same values.

    If `each_feature`, a scaling at the front by several numbers becomes the input's as well.
    """
    low = _Lowering()
    source = low.add(engine.Input, "input", shape=tuple(model.inputs[0].shape[1:]))
    problems: List[str] = []
    outputs: Dict[str, Any] = {}
    last = _walk(low, model, source, problems, outputs)
    _refuse(problems)
    nodes, replaced = _fuse(low.nodes, last)
    tensors = {replaced.get(name, name): tensor for name, tensor in outputs.items()}
    nodes = _rescale_input(nodes, tensors, each_feature)
    network = Network(
        tuple(node.layer for node in nodes),
        {node.name: node.arrays for node in nodes if node.arrays},
    )
    return network, tensors


def _with_bytes_if_used(network: Network, data: np.ndarray) -> Network:
    """Return the network, which reads bytes by itself only if it costs other data no precision.

    Bytes fill a range of their own: numbers that stay in a small part of it, such as images scaled
    to 0 ... 1 before a ``Rescaling(2., -1.)``, or zeros and ones, would be left with few bits.
    """
    entry = network.input
    largest = float(np.abs(data.astype(np.float64)).max())
    if entry.uint8_scale is None or (data.dtype == np.uint8 and largest != 1):
        return network
    peak = float(np.abs(calibration_array(network, data)).max())
    bytes_peak = float(np.abs(entry.scaled(np.array([0.0, 255.0]))).max())
    finer = exponent_for(peak, HEADROOM) < exponent_for(bytes_peak * (1 - 2.0**-15))
    if not finer and not 0 < largest <= 1:
        return network
    entry = dataclasses.replace(entry, uint8_scale=None, uint8_offset=0.0)
    return Network((entry, *network.layers[1:]), network.parameters)


def _check_integers(model: Any, data: np.ndarray) -> None:
    """Refuse data that the Keras model would cut to the integers that its input takes."""
    dtype = str(model.inputs[0].dtype)
    if "int" in dtype and not np.array_equal(data.astype(dtype), data):
        raise ValueError(
            f"calibration data must be {dtype}, as the input of the Keras model is, which cuts "
            f"all other numbers. Received: {data.dtype} up to {np.abs(data).max():.4g}. Pass such "
            "integers, or build the model with a float input."
        )


def _precision(model: Any) -> Tuple[float, float]:
    """Return the relative error of a model's arithmetic: of all of it, and of one number."""
    dtypes: Set[Any] = set()
    models = [model]
    while models:
        layers = models.pop().layers
        dtypes.update(getattr(layer, "compute_dtype", None) for layer in layers)
        models += [layer for layer in layers if isinstance(layer, keras.Model)]
    if "bfloat16" in dtypes:
        return 0.1, 2.0**-8
    return (0.01, 2.0**-11) if "float16" in dtypes else (ROUNDING, 2.0**-23)


def _own_rounding_db(model: Any, data: np.ndarray, unit: float) -> float:
    """Return the signal to noise that the Keras model's own rounding may leave in its outputs.

    Its weights and inputs are moved by a unit of the last place, up or down by chance.  That
    changes much where large numbers cancel, as in a BatchNormalization of dates.
    """
    rng = np.random.default_rng(0)

    def moved(value: Any) -> Any:
        value = np.asarray(keras.ops.convert_to_numpy(value))
        if value.dtype.kind != "f":
            return value
        return (value * (1 + unit * rng.choice([-1, 1], value.shape))).astype(value.dtype)

    variables = [model.trainable_variables, model.non_trainable_variables]
    states = [[keras.ops.convert_to_tensor(v.value) for v in values] for values in variables]
    moved_states = [
        [keras.ops.convert_to_tensor(moved(v.value), dtype=v.dtype) for v in values]
        for values in variables
    ]
    x = np.asarray(data, dtype=np.float32) if data.dtype.kind == "f" else data
    outputs, others = (
        _array(model.stateless_call(*state, inputs, training=False)[0])
        for state, inputs in ((states, x), (moved_states, moved(x)))
    )
    return signal_to_noise_db(float(np.sum(outputs**2)), float(np.sum((outputs - others) ** 2)))


def _compare(
    model: Any, network: Network, quantized: QuantizedNetwork, tensors: Any, data: np.ndarray
) -> Tuple[Dict[str, Any], Optional[str]]:
    """Return how the conversion stands beside the Keras model, and what is wrong, if anything."""
    peaks = np.abs(calibration_array(network, data)).reshape(len(data), -1).max(axis=1)
    within = peaks <= 2.0 ** (15 + quantized.exponents[network.input.name]) * (1 + 2.0**-15)
    if within.any():  # what is clipped on purpose differs, and says nothing
        data = data[within]
    chosen = np.unique(np.linspace(0, len(data) - 1, COMPARED_SAMPLES).astype(int))
    data = data[chosen]
    x, (rounding, unit) = calibration_array(network, data), _precision(model)
    last = network.layers[-1].name

    def found(names: Sequence[str]) -> List[Comparison]:
        part = keras.Model(model.inputs, [tensors[name] for name in names])
        outputs = part.predict(data, batch_size=32, verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]  # of one alone
        return list(compare(network, quantized, x, dict(zip(names, outputs)), rounding))

    (whole,) = compare(
        network, quantized, x, {last: model.predict(data, batch_size=32, verbose=0)}, rounding
    )
    report = {"samples": len(data), "snr_db": round(whole.snr_db, 2)}
    if whole.explained or whole.lowering_db >= _own_rounding_db(model, data, unit) - OWN_MARGIN_DB:
        return report, None
    names = [layer.name for layer in network.layers if layer.name in tensors]
    first = next((row for row in found(names) if not row.explained), whole)
    return report, (
        "a converted model must give what the Keras model gives. Received: from layer "
        f"{first.name!r} on, outputs that reach {first.lowering_db:.1f} dB of signal to noise "
        f"against Keras's in floating point, where the rounding to 16 bits explains "
        f"{first.rounding_db:.1f} dB. That layer is converted wrongly: please report it. "
        "on_difference='warn' converts all the same."
    )


def convert(
    model: Union[keras.Model, str, "os.PathLike[str]"],
    calibration_data: Any,
    labels: Optional[Sequence[str]] = None,
    provenance: Optional[Mapping[str, Any]] = None,
    verbose: bool = False,
    name: Optional[str] = None,
    clip_percentile: float = 100.0,
    on_difference: str = "raise",
) -> Model:
    """Return a trained Keras model in the engine's 16-bit arithmetic, ready to predict and save.

    Its ``predict`` takes what the Keras model's takes.  The two are compared on up to 128 of the
    calibration samples: the network in floating point must differ from Keras by less noise than
    the rounding to 16 bits adds, or 0.1 %, or Keras's own rounding, where that is more.

    Parameters
    ----------
    model : keras.Model or path
        As for :func:`to_network`.
    calibration_data : array of shape (n,) + input shape
        Some hundred typical inputs, as the Keras model takes them.
    labels, provenance
        As for :class:`pynq_circnn.Model`.
    verbose : bool
        Show a progress bar.
    name : str, optional
        Of the converted model; the Keras model's if left out.
    clip_percentile : float
        As for :func:`pynq_circnn.quantize`.
    on_difference : "raise" or "warn"
        What to do if the converted model differs from the Keras model.

    Returns
    -------
    Model
        Its ``info()`` tells under ``source_comparison`` the signal to noise against Keras.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As :func:`to_network`, or if the calibration data do not fit.
    ConversionError
        If the converted model differs from the Keras model; the first such layer is named.

    Warns
    -----
    CalibrationWarning
        As :func:`pynq_circnn.quantize`.
    """
    if on_difference not in ("raise", "warn"):
        raise ValueError(f"on_difference must be 'raise' or 'warn'. Received: {on_difference!r}.")
    model = _checked(model)
    data = np.asarray(calibration_data)
    # Features of many sizes would share one exponent in 16 bits; bytes fit, and stay bytes.
    network, tensors = _lower(model, each_feature=data.dtype != np.uint8)
    calibration_array(network, data)  # or says what is wrong with them
    _check_integers(model, data)
    network = _with_bytes_if_used(network, data)
    quantized = quantize(network, data, verbose, clip_percentile)
    converted = Model(quantized, model.name if name is None else name, labels, provenance)
    report, difference = _compare(model, network, quantized, tensors, data)
    if difference is not None:
        if on_difference == "raise":
            raise ConversionError(difference)
        warn_user(difference)
    converted.provenance["source_comparison"] = report
    return converted
