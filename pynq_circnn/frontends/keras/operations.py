"""Operations on tensors in a functional model: ``x + y``, ``x / 255``, ``keras.ops.relu(x)``.

Keras keeps each as a node like a layer's, of a class without a public name.
"""

import re
from typing import Any, List, Tuple

import keras
import numpy as np
from keras.src.activations.activations import ReLU
from keras.src.ops.nn import LeakyRelu, Relu, Relu6, Sigmoid, Softmax
from keras.src.ops.numpy import Add, Multiply, Subtract, Tanh, TrueDivide

from ...layers.base import Shape
from ..builder import Builder, Unsupported

__all__ = ["ACTIVATIONS", "ARITHMETIC", "SUPPORTED", "LeakyRelu", "ReLU", "Softmax"]

ACTIVATIONS = {Relu: "relu", Relu6: "relu6", Sigmoid: "sigmoid", Tanh: "tanh"}
ARITHMETIC = (Add, Subtract, Multiply, TrueDivide)
SUPPORTED = (
    "x + y; +, -, * and / with a constant; relu, relu6, leaky_relu, sigmoid, tanh and softmax of "
    "keras.ops"
)

_SYMBOLS = {
    "Add": "x + y",
    "Subtract": "x - y",
    "Multiply": "x * y",
    "TrueDivide": "x / y",
    "FloorDivide": "x // y",
    "Mod": "x % y",
    "Matmul": "x @ y",
    "Power": "x ** y",
    "Negative": "-x",
    "GetItem": "x[...]",
}
_ADVICE = {
    "Add": "add tensors of one shape, or a constant",
    "Subtract": "use keras.layers.Add()([x, keras.layers.Rescaling(-1.0)(y)])",
    "Multiply": "tensors are multiplied only by constants",
    "TrueDivide": "divide by a constant only",
    "Negative": "use keras.layers.Rescaling(-1.0)(x)",
    "Maximum": "use keras.layers.ReLU()(x) for a maximum with 0",
    "Concatenate": "use keras.layers.Concatenate()([x, y]), which joins the last axis",
    "Matmul": "use keras.layers.Dense(units)(x)",
    "Conv": "use keras.layers.Conv2D",
    "MaxPool": "use keras.layers.MaxPooling2D",
    "AveragePool": "use keras.layers.AveragePooling2D",
    "Mean": "use keras.layers.GlobalAveragePooling2D()(x) for a mean over height and width",
    "Max": "use keras.layers.GlobalMaxPooling2D()(x) for a maximum over height and width",
    "Pad": "use keras.layers.ZeroPadding2D",
    "GetItem": "slice the data before the model",
    **dict.fromkeys(
        ("Reshape", "Ravel", "Squeeze", "ExpandDims"),
        "use keras.layers.Reshape(shape)(x), or keras.layers.Flatten()(x)",
    ),
    **dict.fromkeys(
        ("Elu", "Selu", "Gelu", "Silu", "Celu", "Softplus", "HardSigmoid", "HardSilu", "Swish"),
        "use keras.layers.ReLU()(x) or keras.layers.LeakyReLU()(x)",
    ),
}


def to_array(value: Any) -> np.ndarray:
    """Return a tensor, a variable or numbers of Keras as float64."""
    return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float64)


def written(operation: Any) -> str:
    """Return an operation as a user writes it; a layer is written by its class."""
    kind = type(operation).__name__
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    if isinstance(operation, keras.layers.Layer) or not hasattr(keras.ops, name):
        return kind
    return _SYMBOLS.get(kind, f"keras.ops.{name}")


def advice(operation: Any) -> str:
    """Return what to write in place of an operation that has no counterpart on the engine."""
    return _ADVICE.get(type(operation).__name__, "replace it by supported layers")


def arithmetic(builder: Builder, node: Any, inputs: Tuple[str, ...], shape: Shape) -> str:
    """Append ``x + y`` for two tensors, or a tensor's arithmetic with a constant."""
    operation = node.operation
    if len(inputs) == 1:
        scale, bias = _scale_and_bias(node)
        return builder.scale_bias(operation.name, inputs[0], shape, scale, bias)
    shapes = {tuple(tensor.shape) for tensor in node.input_tensors}
    if written(operation) != "x + y" or len(shapes) != 1:
        raise Unsupported(advice(operation))
    return builder.sum(operation.name, *inputs)


def _scale_and_bias(node: Any) -> Tuple[Any, Any]:
    """Return the constants that one tensor's arithmetic with another stands for."""
    named = node.arguments.kwargs
    operands: List[Any] = [*node.arguments.args, *(named[x] for x in ("x1", "x2") if x in named)]
    first, second = operands
    reverse = second is node.input_tensors[0]
    constant = to_array(first if reverse else second)
    kind = type(node.operation)
    if kind is Add:
        return 1.0, constant
    if kind is Subtract:
        return (-1.0, constant) if reverse else (1.0, -constant)
    if kind is Multiply:
        return constant, 0.0
    if reverse:
        raise Unsupported(advice(node.operation))
    return 1 / constant, 0.0


def check_dtype(node: Any) -> None:
    """Refuse sums and products that Keras computes in the integers of an integer input."""
    if isinstance(node.operation, keras.layers.Add):  # which says float32 of its output
        dtype = node.input_tensors[0].dtype
    elif isinstance(node.operation, ARITHMETIC):
        dtype = node.outputs[0].dtype
    else:
        return
    if "int" in str(dtype):
        raise Unsupported(
            f"is computed in {dtype}, which wraps around: use keras.layers.Rescaling, or a "
            "keras.Input of dtype float32"
        )
