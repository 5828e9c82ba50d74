"""What a user gives to a model, checked and made into the arrays that a plan runs."""

import collections.abc
import itertools
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from ..layers.base import size_of
from ..network.quantized import QuantizedNetwork

# An offset of so many bits of words would cancel what float32 can resolve: float64 scales then.
_EXACT_BITS = 20


class Reader:
    """Reads samples, batches and iterables of batches for one network.

    Parameters
    ----------
    network : QuantizedNetwork
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self._entry = network.input
        largest = 2.0 ** (_EXACT_BITS + network.exponents[network.input.name])
        self._cancels = bool(np.abs(network.input.offset).max() >= largest)

    def batch(self, x: Any) -> Tuple[np.ndarray, bool]:
        """Return `x` as a batch that a plan takes, and whether it was one sample.

        The batch is a C-contiguous array of shape ``(n,) + input_shape``, ``float32`` or ``uint8``.

        Raises
        ------
        ValueError
            If `x` has another shape, or is not of real numbers.
        """
        try:
            x = np.asarray(x)
        except ValueError as error:  # ragged lists, on newer NumPy
            raise ValueError(f"x must be an array of numbers. Received: {error}") from error
        if x.dtype.kind not in "fiu":
            raise ValueError(
                f"x must be real numbers. Received: dtype={x.dtype}. "
                "Convert it, for example x.astype('float32')."
            )
        shape = self._entry.shape
        if x.size == 0 and x.ndim == 1:
            x = x.reshape((0, *shape))
        grey = len(shape) == 3 and shape[-1] == 1 and x.shape != shape
        if grey and x.ndim in (2, 3) and x.shape[-2:] == shape[:2]:
            x = x[..., None]  # grey images without a channel axis
        single = x.shape == shape
        if single:
            x = x[None]
        if x.shape[1:] != shape:
            raise ValueError(
                f"x must have shape (n, {', '.join(map(str, shape))}), or {shape} for one sample. "
                f"Received: {x.shape}."
                + (" Reshape it." if x.ndim and x.size == len(x) * size_of(shape) else "")
            )
        return self._numbers(x), single

    def _numbers(self, x: np.ndarray) -> np.ndarray:
        entry = self._entry
        if x.dtype.kind in "iu" and entry.uint8_scale is not None:
            if x.dtype == np.uint8:
                return np.ascontiguousarray(x)
            if not entry.rescales:
                if x.size and not (0 <= x.min() and x.max() <= 255):
                    raise ValueError(
                        "integers must be unscaled bytes, 0 ... 255, for this model. "
                        f"Received: {x.min()} ... {x.max()}. Pass scaled numbers as floats."
                    )
                return np.ascontiguousarray(x, dtype=np.uint8)
        with np.errstate(over="ignore"):  # what becomes infinite is refused by the plan
            x = np.ascontiguousarray(x, dtype=np.float32)
            if entry.rescales:
                x = entry.scaled(x.astype(np.float64) if self._cancels else x)
                x = x.astype(np.float32, copy=False)
        return x

    def batches(self, x: Any, steps: Optional[int]) -> Iterator[np.ndarray]:
        """Yield the batches of an iterable, at most `steps`; of a pair ``(x, y)`` the first."""
        for piece in itertools.islice(_pieces(x), steps):
            yield self.batch(piece[0] if self._is_pair(piece) else piece)[0]

    def pairs(self, x: Any, steps: Optional[int]) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        """Yield the batches of an iterable, at most `steps`, each with its answers.

        Raises
        ------
        ValueError
            If something else than a pair ``(x, y)`` is yielded, or its parts differ in length.
        """
        for number, piece in enumerate(itertools.islice(_pieces(x), steps)):
            if not self._is_pair(piece) or len(piece) < 2:
                raise ValueError(
                    "x must yield pairs (x, y) where y is left out. "
                    f"Received: {type(piece).__name__}. Pass y, or yield both."
                )
            batch, single = self.batch(piece[0])
            answers = np.asarray(piece[1])
            if single or not answers.ndim:
                answers = answers[None]
            if len(answers) != len(batch):
                raise ValueError(
                    "x and y of a batch must have the same number of samples. "
                    f"Received: {len(batch)} and {len(answers)} in batch {number}."
                )
            yield batch, answers

    def _is_pair(self, piece: Any) -> bool:
        """Whether what an iterable yielded is a pair of x and y rather than an array."""
        if isinstance(piece, tuple):
            return len(piece) > 0
        if not isinstance(piece, list) or len(piece) not in (2, 3):
            return False
        if not all(hasattr(part, "shape") for part in piece):
            return False  # samples as lists of numbers
        first, second = piece[0].shape, piece[1].shape
        return bool(first != second or len(first) > len(self._entry.shape))


def check_call(batch_size: Any, verbose: Any, steps: Any = None) -> None:
    """Raise ``ValueError`` for an argument of ``predict`` or ``evaluate`` that is out of range."""
    for name, value in (("batch_size", batch_size), ("steps", 1 if steps is None else steps)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"verbose must be 'auto', 0 or 1. Received: {verbose!r}.")


def yields_batches(x: Any) -> bool:
    """Whether `x` is a generator, data set or loader of batches rather than an array of numbers."""
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return False
    if isinstance(x, (collections.abc.Sequence, collections.abc.Mapping, str)):
        return False
    if hasattr(x, "__next__") or hasattr(x, "__iter__"):
        return True
    return hasattr(x, "__getitem__") and hasattr(x, "__len__")


def _pieces(x: Any) -> Iterator[Any]:
    """Return what a generator, loader or data set yields; the latter ends at its length."""
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):  # keras.utils.PyDataset
        return (x[index] for index in range(len(x)))
    return iter(x)
