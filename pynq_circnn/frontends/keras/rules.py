"""One rule for each class of Keras layer: what it adds to the network.

A rule is registered by :func:`rule` for the classes that it lowers, and looked up by the exact
class: a subclass may compute something else.
"""

from typing import Any, Callable, Dict, Optional, Tuple

import keras
import numpy as np

from ... import layers as engine
from ...layers.base import Shape
from ..builder import Builder, Unsupported, blocks_of_one
from . import operations
from .operations import to_array
from .trainable import BlockCirculantConv2D, BlockCirculantDense

# rule(builder, keras_layer, names_of_inputs, shape_of_first_input) -> name of the output
Rule = Callable[[Builder, Any, Tuple[str, ...], Shape], str]
RULES: Dict[type, Rule] = {}

_ACTIVATIONS = "linear, relu, relu6, leaky_relu, sigmoid, tanh, and softmax at the end"
_ADVICE = {
    **dict.fromkeys(("DepthwiseConv2D", "SeparableConv2D"), "use Conv2D or BlockCirculantConv2D"),
    "Conv1D": "use Conv2D with a kernel of height 1, on Reshape((1, steps, channels))",
    "MaxPooling1D": "use MaxPooling2D with a pool of height 1",
    "AveragePooling1D": "use AveragePooling2D with a pool of height 1",
    "GlobalAveragePooling1D": "use GlobalAveragePooling2D",
    "GlobalMaxPooling1D": "use GlobalMaxPooling2D",
    **dict.fromkeys(("Conv3D", "MaxPooling3D"), "only two-dimensional layers are supported"),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), "use BatchNormalization"),
    "Subtract": "use Add on the one and Rescaling(-1.0) of the other",
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D"),
        "recurrent layers are not supported yet",
    ),
    "Embedding": "look its vectors up before the model, and give them to it as numbers",
    "ELU": "use ReLU or LeakyReLU",
    "PReLU": "use LeakyReLU, which has one slope for all channels",
}


def rule(*kinds: type) -> Callable[[Rule], Rule]:
    """Return the decorator that registers the rule of these classes."""

    def register(function: Rule) -> Rule:
        RULES.update({kind: function for kind in kinds})
        return function

    return register


def lower(builder: Builder, node: Any, inputs: Tuple[str, ...]) -> str:
    """Add what a Keras node computes, by the rule of its layer, and return the output's name.

    Raises
    ------
    Unsupported
        If there is no rule, or the rule does not take this layer.
    """
    layer = node.operation
    shape = tuple(node.input_tensors[0].shape[1:])
    if type(layer) in RULES:
        output = RULES[type(layer)](builder, layer, inputs, shape)
    elif type(layer) in operations.ARITHMETIC:
        output = operations.arithmetic(builder, node, inputs, shape)
    else:
        raise Unsupported(advice(layer))
    operations.check_dtype(node)
    return output


def is_known(operation: Any) -> bool:
    """Whether there is a rule for a layer or an operation of this class."""
    return type(operation) in (keras.layers.InputLayer, *RULES, *operations.ARITHMETIC)


def advice(operation: Any) -> str:
    """Return what to use in place of a layer or an operation that no rule lowers."""
    if isinstance(operation, keras.layers.Layer):
        return _ADVICE.get(type(operation).__name__, "replace it by supported layers")
    return operations.advice(operation)


def supported() -> str:
    """Return what can be converted, in words."""
    layers = sorted(k.__name__ for k in RULES if issubclass(k, keras.layers.Layer))
    return f"the layers {', '.join(layers)}; and of operations {operations.SUPPORTED}"


# Activations


def _activate(builder: Builder, layer: Any, source: str, shape: Shape) -> str:
    """Append the activation of a layer that has an ``activation``."""
    function = layer.activation
    if type(function) in RULES:  # a layer in place of a function
        return RULES[type(function)](builder, function, (source,), shape)
    name = f"{layer.name}_activation"
    if function is keras.activations.linear:
        return source
    if function is keras.activations.leaky_relu:
        return builder.activation(name, source, "leaky_relu", 0.2)  # Keras's default slope
    if function is keras.activations.softmax:
        return builder.add(engine.Softmax, name, source)
    for kind in ("relu", "relu6", "sigmoid", "tanh"):
        if function is getattr(keras.activations, kind):
            return builder.activation(name, source, kind)
    raise Unsupported(f"activation {getattr(function, '__name__', function)!r}: use {_ACTIVATIONS}")


@rule(keras.layers.Activation)
def _activation(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return _activate(builder, layer, inputs[0], shape)


@rule(keras.layers.ReLU, operations.ReLU)
def _relu(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    slope, most, threshold = float(layer.negative_slope), layer.max_value, layer.threshold
    if threshold == 0 and slope == 0 and most in (None, 6):
        return builder.activation(layer.name, inputs[0], "relu" if most is None else "relu6")
    if threshold == 0 and most is None and 0 <= slope < 1:
        return builder.activation(layer.name, inputs[0], "leaky_relu", slope)
    raise Unsupported(
        "ReLU must have threshold 0, max_value None or 6, and a negative slope below 1 "
        "only without max_value: change it"
    )


@rule(keras.layers.LeakyReLU, operations.LeakyRelu)
def _leaky_relu(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    slope = float(layer.negative_slope)
    if not 0 <= slope < 1:
        raise Unsupported(f"negative_slope is {slope}: use one from 0 to below 1")
    return builder.activation(layer.name, inputs[0], "leaky_relu", slope)


@rule(*operations.ACTIVATIONS)
def _function(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return builder.activation(layer.name, inputs[0], operations.ACTIVATIONS[type(layer)])


@rule(keras.layers.Softmax, operations.Softmax)
def _softmax(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    if layer.axis not in (-1, 1) or len(shape) != 1:
        raise Unsupported("Softmax must be over the last axis of a vector: flatten before it")
    return builder.add(engine.Softmax, layer.name, *inputs)


# Matrices


def _dense_blocks(kernel: Any) -> np.ndarray:
    """Return a Keras kernel (..., inputs, outputs) as blocks of one."""
    return blocks_of_one(np.swapaxes(to_array(kernel), -1, -2))


def _bias(layer: Any) -> Optional[np.ndarray]:
    return None if layer.bias is None else to_array(layer.bias)


def _dense(builder: Builder, layer: Any, source: str, shape: Shape, weights: np.ndarray) -> str:
    name = builder.dense(layer.name, source, shape, layer.units, weights, _bias(layer))
    return _activate(builder, layer, name, shape)


@rule(keras.layers.Dense)
def _keras_dense(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    _check_float(layer)
    return _dense(builder, layer, inputs[0], shape, _dense_blocks(layer.kernel))


@rule(BlockCirculantDense)
def _circulant_dense(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return _dense(builder, layer, inputs[0], shape, to_array(layer.vectors))


def _conv(builder: Builder, layer: Any, source: str, shape: Shape, weights: np.ndarray) -> str:
    name = builder.convolution(
        layer.name,
        source,
        layer.filters,
        weights,
        _bias(layer),
        strides=tuple(layer.strides),
        padding=layer.padding,
    )
    return _activate(builder, layer, name, shape)


@rule(keras.layers.Conv2D)
def _keras_conv(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    _check_float(layer)
    _check_channels_last(layer)
    if layer.groups != 1 or tuple(layer.dilation_rate) != (1, 1):
        raise Unsupported("has groups or dilation: use Conv2D with groups=1, dilation_rate=1")
    return _conv(builder, layer, inputs[0], shape, _dense_blocks(layer.kernel))


@rule(BlockCirculantConv2D)
def _circulant_conv(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return _conv(builder, layer, inputs[0], shape, to_array(layer.vectors))


def _check_channels_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise Unsupported("is channels_first: build it with data_format='channels_last'")


def _check_float(layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) is not None:
        raise Unsupported(
            f"is quantised by Keras ({layer.quantization_mode}): convert the float model instead"
        )


# Scales


@rule(keras.layers.BatchNormalization)
def _batch_norm(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    if layer.axis not in (-1, len(shape)):
        raise Unsupported("normalises another axis than the channels: use axis=-1")
    scale = 1 / np.sqrt(to_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * to_array(layer.gamma)
    bias = -to_array(layer.moving_mean) * scale
    if layer.center:
        bias = bias + to_array(layer.beta)
    return builder.scale_bias(layer.name, inputs[0], shape, scale, bias)


@rule(keras.layers.Rescaling)
def _rescaling(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    scale, offset = to_array(layer.scale), to_array(layer.offset)
    return builder.scale_bias(layer.name, inputs[0], shape, scale, offset)


@rule(keras.layers.Normalization)
def _normalization(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    if layer.invert:
        raise Unsupported("is inverted: use Rescaling")
    if layer.mean is None:
        raise Unsupported("was never adapted: call its adapt() with the training data")
    mean, deviation = to_array(layer.mean), np.maximum(np.sqrt(to_array(layer.variance)), 1e-7)
    return builder.scale_bias(layer.name, inputs[0], shape, 1 / deviation, -mean / deviation)


# Shapes, pools, sums


@rule(keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
def _pool(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    _check_channels_last(layer)
    largest = isinstance(layer, keras.layers.MaxPooling2D)
    return builder.add(
        engine.MaxPool2D if largest else engine.AveragePool2D,
        layer.name,
        *inputs,
        pool_size=tuple(layer.pool_size),
        strides=tuple(layer.strides),
        padding=layer.padding,
    )


@rule(keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
def _global_pool(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    _check_channels_last(layer)
    height, width, channels = shape
    kept: Shape
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        name = builder.add(engine.GlobalAveragePool2D, layer.name, *inputs)
        kept = (channels,)
    else:
        whole = (height, width)
        name = builder.add(engine.MaxPool2D, layer.name, *inputs, pool_size=whole, strides=whole)
        kept = (1, 1, channels)
    wanted = (1, 1, channels) if layer.keepdims else (channels,)
    if kept == wanted:
        return name
    return builder.add(engine.Reshape, f"{layer.name}_shape", name, shape=wanted)


@rule(keras.layers.Flatten)
def _flatten(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return builder.add(engine.Reshape, layer.name, *inputs, shape=(-1,))


@rule(keras.layers.Reshape)
def _reshape(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    wanted = tuple(layer.compute_output_shape((None, *shape))[1:])  # it may be used twice
    if len(wanted) not in (1, 2, 3):
        raise Unsupported(f"gives shape {wanted}: use (features,) or (height, width, channels)")
    steps = (1,) if len(wanted) == 2 else ()  # an image of height 1
    return builder.add(engine.Reshape, layer.name, *inputs, shape=steps + wanted)


@rule(keras.layers.ZeroPadding2D)
def _zero_padding(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    _check_channels_last(layer)
    padding = tuple(tuple(pair) for pair in layer.padding)
    return builder.add(engine.ZeroPadding2D, layer.name, *inputs, padding=padding)


@rule(keras.layers.Add)
def _add(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return builder.sum(layer.name, *inputs)


@rule(keras.layers.Concatenate)
def _concatenate(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    if layer.axis not in (-1, len(shape)):
        raise Unsupported(f"joins axis {layer.axis}: only the last axis can be joined")
    return builder.concatenation(layer.name, *inputs)


@rule(
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
def _only_trained(builder: Builder, layer: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    return inputs[0]  # does nothing at inference
