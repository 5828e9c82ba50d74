"""Metrics of predictions, by name."""

from typing import Callable, Dict

import numpy as np


def class_labels(y: np.ndarray, samples: int, classes: int) -> np.ndarray:
    """Return true classes as integers of shape (n,), from integers or one-hot rows.

    Raises
    ------
    ValueError
        If `y` is neither, or names a class that the model does not have.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.shape[1] == classes:
        y = y.argmax(axis=1)
    whole = y.dtype.kind in "iu" or (y.dtype.kind == "f" and np.array_equal(y, np.rint(y)))
    if y.shape != (samples,) or not whole:
        raise ValueError(
            f"y must be {samples} integer classes or one-hot rows of {classes}. "
            f"Received: {y.dtype} of shape {y.shape}."
        )
    if y.size and not (0 <= y.min() and y.max() < classes):
        raise ValueError(
            f"y must hold classes 0 ... {classes - 1}. Received: {y.min()} ... {y.max()}."
        )
    return y.astype(np.int64)


def _top(count: int) -> Callable[[np.ndarray, np.ndarray], float]:
    def top(y: np.ndarray, predictions: np.ndarray) -> float:
        labels = class_labels(y, len(predictions), predictions.shape[-1])
        best = np.argsort(-predictions, axis=-1, kind="stable")[:, :count]
        return float(np.mean((best == labels[:, None]).any(axis=1)))

    return top


def _crossentropy(y: np.ndarray, predictions: np.ndarray) -> float:
    labels = class_labels(y, len(predictions), predictions.shape[-1])
    if np.any(predictions < 0) or not np.allclose(predictions.sum(axis=-1), 1, atol=1e-3):
        raise ValueError(
            "crossentropy needs probabilities. Received: predictions that do not sum to 1. "
            "Let the model end in a softmax."
        )
    return float(-np.mean(np.log(np.maximum(predictions[np.arange(len(labels)), labels], 1e-7))))


def _regression(
    error: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray], float]:
    def metric(y: np.ndarray, predictions: np.ndarray) -> float:
        y = np.asarray(y, dtype=np.float64)
        if y.shape != predictions.shape:
            raise ValueError(
                f"y must have the predictions' shape {predictions.shape}. Received: {y.shape}."
            )
        return float(np.mean(error(predictions - y)))

    return metric


METRICS: Dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _top(1),
    "top_3_accuracy": _top(3),
    "top_5_accuracy": _top(5),
    "crossentropy": _crossentropy,
    "mean_absolute_error": _regression(np.abs),
    "mean_squared_error": _regression(np.square),
}


def confusion_matrix(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return how often true class i (row) was predicted as class j (column): int64 (c, c)."""
    classes = predictions.shape[-1]
    labels = class_labels(y, len(predictions), classes)
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions.argmax(axis=-1)), 1)
    return matrix
