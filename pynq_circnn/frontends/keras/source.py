"""A Keras model as the source that a conversion is compared with."""

from typing import Any, Dict, List, Mapping, Optional, Set

import keras
import numpy as np

from ..comparison import Precision, Source, precision_of
from .operations import to_array


class KerasSource(Source):
    """A trained Keras model beside the network made of it.

    Parameters
    ----------
    model : keras.Model
    tensors : mapping of str to Keras tensor
        For each layer of the network the tensor of the same values, where there is one.
    """

    framework = "Keras"

    def __init__(self, model: keras.Model, tensors: Mapping[str, Any]) -> None:
        self._model = model
        self._tensors = dict(tensors)
        self.precision: Precision = precision_of(_dtypes(model))

    def predict(self, data: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.predict(data, batch_size=32, verbose=0))

    def predict_layers(self, data: np.ndarray) -> Dict[str, np.ndarray]:
        part = keras.Model(self._model.inputs, list(self._tensors.values()))
        outputs = part.predict(data, batch_size=32, verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]  # of one alone
        return dict(zip(self._tensors, outputs))

    def _variables(self) -> List[Any]:
        return [*self._model.trainable_variables, *self._model.non_trainable_variables]

    def parameters(self) -> List[np.ndarray]:
        return [np.asarray(keras.ops.convert_to_numpy(v.value)) for v in self._variables()]

    def predict_with(self, parameters: List[np.ndarray], data: np.ndarray) -> np.ndarray:
        values = [
            keras.ops.convert_to_tensor(value, dtype=variable.dtype)
            for value, variable in zip(parameters, self._variables())
        ]
        count = len(self._model.trainable_variables)
        trainable, others = values[:count], values[count:]
        return to_array(self._model.stateless_call(trainable, others, data, training=False)[0])


def _dtypes(model: keras.Model) -> Set[Optional[str]]:
    """Return what the layers compute in, those of inner models included."""
    dtypes: Set[Optional[str]] = set()
    models = [model]
    while models:
        layers = models.pop().layers
        dtypes.update(getattr(layer, "compute_dtype", None) for layer in layers)
        models += [layer for layer in layers if isinstance(layer, keras.Model)]
    return dtypes
