"""Sliding windows: where convolutions and pools read."""

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Tuple

import numpy as np

from ..contract import LIMITS
from .base import Parameterless, Shape, check_pair, image_extents, size_of
from .lowering import Fields


@dataclass(frozen=True)
class Window:
    """A sliding window: sizes of input, output and kernel, strides, padding at top and left."""

    height: int
    width: int
    out_height: int
    out_width: int
    kernel: Tuple[int, int]
    strides: Tuple[int, int]
    top: int
    left: int

    def positions(self, images: np.ndarray, fill: float) -> Iterator[Tuple[int, int, np.ndarray]]:
        """Yield, for each kernel position ``(u, v)``, the pixel under it for every output pixel.

        Parameters
        ----------
        images : array of shape (n, height, width, ...)
        fill : number
            The value outside the image.

        Yields
        ------
        u, v : int
        pixels : array of shape (n, out_height, out_width, ...), a view
        """
        (rows, columns), (down, across) = self.kernel, self.strides
        height = (self.out_height - 1) * down + 1
        width = (self.out_width - 1) * across + 1
        bottom = max(0, height + rows - 1 - self.top - self.height)
        right = max(0, width + columns - 1 - self.left - self.width)
        pad = [(0, 0), (self.top, bottom), (self.left, right)] + [(0, 0)] * (images.ndim - 3)
        images = np.pad(images, pad, mode="constant", constant_values=fill)
        for u in range(rows):
            for v in range(columns):
                yield u, v, images[:, u : u + height : down, v : v + width : across]

    def counts(self) -> np.ndarray:
        """Return how many pixels of the image each window covers: (out_height, out_width)."""
        rows = covered(self.out_height, self.strides[0], self.top, self.kernel[0], self.height)
        columns = covered(self.out_width, self.strides[1], self.left, self.kernel[1], self.width)
        counts: np.ndarray = rows[:, None] * columns[None, :]
        return counts

    def largest(self, x: np.ndarray, lowest: float) -> np.ndarray:
        """Return the largest value under each window; outside the image it is `lowest`."""
        values = [pixels for _, _, pixels in self.positions(x, lowest)]
        largest: np.ndarray = np.maximum.reduce(values)
        return largest

    def total(self, x: np.ndarray) -> np.ndarray:
        """Return the sum under each window."""
        values = [pixels for _, _, pixels in self.positions(x, 0)]
        total: np.ndarray = np.add.reduce(values)
        return total

    def fields(self) -> Fields:
        """Return the descriptor fields that describe the window."""
        return {
            "kernel_height": self.kernel[0],
            "kernel_width": self.kernel[1],
            "stride_height": self.strides[0],
            "stride_width": self.strides[1],
            "pad_top": self.top,
            "pad_left": self.left,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, int]) -> "Window":
        """Return the window that a descriptor's fields describe."""
        return cls(
            fields["in_height"],
            fields["in_width"],
            fields["out_height"],
            fields["out_width"],
            (fields["kernel_height"], fields["kernel_width"]),
            (fields["stride_height"], fields["stride_width"]),
            fields.get("pad_top", 0),
            fields.get("pad_left", 0),
        )


ONE_PIXEL = Window(1, 1, 1, 1, (1, 1), (1, 1), 0, 0)


def covered(out: int, stride: int, before: int, kernel: int, size: int) -> np.ndarray:
    """Return how many pixels of an axis each window along it covers.

    Parameters
    ----------
    out, stride, kernel, size : int
        Number of windows, step between them, their extent, and extent of the axis.
    before : int
        Padding in front of the axis.

    Returns
    -------
    int64 array of shape (out,)

    Examples
    --------
    >>> covered(3, 2, 1, 3, 5)
    array([2, 3, 2])
    """
    first = np.arange(out) * stride - before
    return np.minimum(first + kernel, size) - np.maximum(first, 0)


def _extent(size: int, kernel: int, stride: int, padding: str) -> Tuple[int, int]:
    """Return output size and leading padding, for 'same' the smaller half as in Keras."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0
    out = -(-size // stride)
    return out, max((out - 1) * stride + kernel - size, 0) // 2


def keras_window(layer: Any, shape: Shape, kernel: Tuple[int, int]) -> Window:
    """Return the window of a layer with strides and padding in an input of this shape."""
    height, width, _ = image_extents(layer, shape)
    if layer.padding not in ("valid", "same"):
        raise ValueError(
            f"padding of layer {layer.name!r} must be 'valid' or 'same'. "
            f"Received: {layer.padding!r}."
        )
    if layer.padding == "valid" and (kernel[0] > height or kernel[1] > width):
        raise ValueError(
            f"kernel of layer {layer.name!r} must fit its {height} x {width} input. "
            f"Received: {kernel}. Use padding='same' or a smaller kernel."
        )
    out_height, top = _extent(height, kernel[0], layer.strides[0], layer.padding)
    out_width, left = _extent(width, kernel[1], layer.strides[1], layer.padding)
    return Window(height, width, out_height, out_width, kernel, layer.strides, top, left)


@dataclass(frozen=True)
class Pool2D(Parameterless, abstract=True):
    """A pooling window; padding never counts, neither as a value nor in the mean."""

    pool_size: Tuple[int, int] = (2, 2)
    strides: Tuple[int, int] = (2, 2)
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_pair(self, pool_size=self.pool_size, strides=self.strides)
        if size_of(self.pool_size) > LIMITS["pool_area"]:
            raise ValueError(
                f"pool of layer {self.name!r} must cover at most {LIMITS['pool_area']} pixels. "
                f"Received: {self.pool_size}. Pool in two steps."
            )

    def window(self, shape: Shape) -> Window:
        """Return where the pool reads in an input of this shape."""
        return keras_window(self, shape, self.pool_size)

    def output_shape(self, *inputs: Shape) -> Shape:
        window = self.window(inputs[0])
        return (window.out_height, window.out_width, inputs[0][2])
