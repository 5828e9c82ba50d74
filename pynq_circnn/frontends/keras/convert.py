"""From a trained Keras model to a :class:`~pynq_circnn.network.graph.Network`, and to the engine.

The model is walked from its input to its output, and each layer is lowered by its rule
(:mod:`pynq_circnn.frontends.keras.rules`) into the builder that all front ends share
(:mod:`pynq_circnn.frontends.builder`).
"""

import os
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import keras
import numpy as np
from keras.src.models.functional import Functional  # no public name in Keras 3

from ...model.model import Model
from ...network.graph import Network
from ...quantization.calibration import calibration_array
from ..builder import Builder, Built, Problem, Unsupported, refuse
from ..conversion import check_on_difference, to_model
from . import operations, rules
from .source import KerasSource

_MODELS = (keras.Sequential, Functional)


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
        raise FileNotFoundError(
            f"model must be an existing file. Received: {path!r}, no such file."
        )
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
    return _lower(_checked(model)).network


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
        refuse(_unknown(model), rules.supported())  # a layer says more than the shape that it needs
        raise ValueError(
            "input of the model must be (features,), (steps, features) or (height, width, "
            f"channels), all known. Received: {shape}. Use, for example, keras.Input((28, 28, 1))."
        )
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) not in (1, 3):
        refuse(_unknown(model), rules.supported())
        raise ValueError(
            "output of the model must be (features,) or (height, width, channels). "
            f"Received: {shape}. End it with Flatten, or Reshape."
        )
    return model


def _lower(model: Any, each_feature: bool = False) -> Built:
    """Return the network, and for each of its layers the Keras tensor of the same values.

    If `each_feature`, a scaling at the front by several numbers becomes the input's as well.
    """
    builder = Builder(tuple(model.inputs[0].shape[1:]))
    output = _walk(builder, model, builder.input)
    return builder.build(output, rules.supported(), each_feature)


def _walk(builder: Builder, model: Any, source: str, inner: bool = False) -> str:
    """Lower a model that reads `source` and return the name of its output.

    The tensors of an inner model are not those of the whole, and are not noted.
    """
    names = {id(_function(model).inputs[0]): source}
    for node in _nodes(model):
        inputs = tuple(names[id(tensor)] for tensor in node.input_tensors)
        output = inputs[0]  # so that the walk goes on behind an unsupported layer
        try:
            if isinstance(node.operation, _MODELS):
                if len(inputs) != 1 or len(node.outputs) != 1:
                    raise Unsupported("has several inputs or outputs: use its layers directly")
                output = _walk(builder, node.operation, inputs[0], inner=True)
            else:
                output = rules.lower(builder, node, inputs)
        except Unsupported as reason:
            builder.refuse(node.operation.name, operations.written(node.operation), reason)
        for tensor in node.outputs:
            names[id(tensor)] = output
            if not inner:
                builder.stands_for(output, tensor)
    return names[id(_function(model).outputs[0])]


def _function(model: Any) -> Any:
    """Return the functional model itself, which a Sequential keeps inside."""
    return getattr(model, "_functional", None) or model


def _nodes(model: Any) -> Iterator[Any]:
    """Yield the nodes of a model's graph in topological order, without its inputs."""
    by_depth = _function(model)._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from (node for node in by_depth[depth] if not node.is_input)


def _unknown(model: Any) -> List[Problem]:
    """Return each layer of a kind that no rule lowers, whatever the input's shape."""
    problems: List[Problem] = []
    for operation in _function(model).operations:
        if isinstance(operation, _MODELS):
            problems += _unknown(operation)
        elif not rules.is_known(operation):
            written = operations.written(operation)
            problems.append(Problem(operation.name, written, rules.advice(operation)))
    return problems


def _check_integers(model: Any, data: np.ndarray) -> None:
    """Refuse data that the Keras model would cut to the integers that its input takes."""
    dtype = str(model.inputs[0].dtype)
    if "int" in dtype and not np.array_equal(data.astype(dtype), data):
        raise ValueError(
            f"calibration data must be {dtype}, as the input of the Keras model is, which cuts "
            f"all other numbers. Received: {data.dtype} up to {np.abs(data).max():.4g}. Pass such "
            "integers, or build the model with a float input."
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
        Its ``info()`` has the signal to noise against Keras under ``source_comparison``.

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
    check_on_difference(on_difference)
    model = _checked(model)
    data = np.asarray(calibration_data)
    # Features of many sizes would share one exponent in 16 bits; bytes fit, and stay bytes.
    network, tensors = _lower(model, each_feature=data.dtype != np.uint8)
    calibration_array(network, data)  # or an error that says what is wrong with them
    _check_integers(model, data)
    return to_model(
        network,
        KerasSource(model, tensors),
        data,
        model.name if name is None else name,
        labels,
        provenance,
        verbose,
        clip_percentile,
        on_difference,
    )
