"""Element-wise functions in floating point."""

import numpy as np


def activate(x: np.ndarray, activation: str, negative_slope: float) -> np.ndarray:
    """Return the activation of an array, element by element."""
    y: np.ndarray = x
    if activation == "relu":
        y = np.maximum(x, 0)
    elif activation == "relu6":
        y = np.clip(x, 0, 6)
    elif activation == "leaky_relu":
        y = np.where(x < 0, negative_slope * x, x)
    elif activation == "sigmoid":
        y = 0.5 * (1 + np.tanh(0.5 * x))
    elif activation == "tanh":
        y = np.tanh(x)
    return y


def softmax(x: np.ndarray) -> np.ndarray:
    """Return probabilities over the last axis, in the dtype of `x`."""
    powers: np.ndarray = np.exp(x - x.max(axis=-1, keepdims=True))
    sums: np.ndarray = powers.sum(axis=-1, keepdims=True)
    probabilities: np.ndarray = powers / sums
    return probabilities
