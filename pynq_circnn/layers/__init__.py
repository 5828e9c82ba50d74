"""The layer kinds of a network: frozen values that know their shapes and their parameters.

A layer says *what* is computed.  Its float rule is in :mod:`pynq_circnn.network.floating`, its
quantisation in :mod:`pynq_circnn.quantize`, its integer rule, which is the definition of what
every back end computes, in :mod:`pynq_circnn.backends.reference`, and its lowering to the
engine's program in :mod:`pynq_circnn.program.compiler`.

Tensors are channels last: ``(features,)`` or ``(height, width, channels)``, without the batch.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Dict, Iterator, List, Optional, Tuple, Type, Union

import numpy as np

from ..arithmetic.circulant import block_grid, check_block
from ..contract import LIMITS

Shape = Tuple[int, ...]

ACTIVATIONS = ("linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh")


def size_of(shape: Shape) -> int:
    """Return the number of elements of a tensor of this shape."""
    size = 1
    for extent in shape:
        size *= extent
    return size


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _positive(layer: "Layer", **values: Any) -> None:
    for name, value in values.items():
        extents = value if isinstance(value, tuple) else (value,)
        for extent in extents:
            if isinstance(extent, bool) or not isinstance(extent, int) or extent < 1:
                raise ValueError(
                    f"{name} of layer {layer.name!r} must be a positive integer or several. "
                    f"Received: {name}={value!r}."
                )
            if extent > LIMITS["extent"]:
                raise ValueError(
                    f"{name} of layer {layer.name!r} must be at most {LIMITS['extent']}. "
                    f"Received: {name}={value!r}. Split the layer."
                )


def _pair(layer: "Layer", **values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError(
                f"{name} of layer {layer.name!r} must be a tuple (vertical, horizontal). "
                f"Received: {name}={value!r}."
            )
    _positive(layer, **values)


def _image(layer: "Layer", shape: Shape) -> Tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(
            f"input of layer {layer.name!r} must have shape (height, width, channels). "
            f"Received: {shape}. Put a Reshape before it."
        )
    return shape[0], shape[1], shape[2]


@dataclass(frozen=True)
class Layer:
    """One node of a network.

    Parameters
    ----------
    name : str
        Unique in its network.
    inputs : tuple of str
        Names of the layers whose outputs it reads; they come earlier in the network.
    """

    name: str
    inputs: Tuple[str, ...] = ()

    kinds: ClassVar[Dict[str, Type["Layer"]]] = {}
    arity: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Layer.kinds[cls.__name__] = cls

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or len(self.name) > 200:
            raise ValueError(
                f"name of a layer must be a text of 1 to 200 characters. Received: {self.name!r}."
            )
        if not isinstance(self.inputs, tuple) or not all(isinstance(i, str) for i in self.inputs):
            raise ValueError(
                f"inputs of layer {self.name!r} must be a tuple of names. "
                f"Received: {self.inputs!r}."
            )
        if len(self.inputs) != self.arity:
            raise ValueError(
                f"layer {self.name!r} ({self.kind}) must have {self.arity} input(s). "
                f"Received: inputs={self.inputs!r}."
            )

    @property
    def kind(self) -> str:
        """The layer's kind, as the file and the messages name it."""
        return type(self).__name__

    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the output, or raise ``ValueError`` if the inputs do not fit."""
        raise TypeError(f"{self.kind} must define output_shape")

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        """Return the name and shape of each trained array: none unless a kind says otherwise."""
        return {}

    def dense_parameters(self, *inputs: Shape) -> int:
        """Return how many weights and biases the same layer has without compression."""
        return sum(
            size_of(s) for name, s in self.parameter_shapes(*inputs).items() if name == "bias"
        )

    def config(self) -> Dict[str, Any]:
        """Return the fields as plain values: what the file's header holds."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class _Activated(Layer):
    """A layer whose epilogue ends in an activation.

    Parameters
    ----------
    activation : str
        One of linear, relu, relu6, leaky_relu, sigmoid, tanh.
    negative_slope : float
        Of leaky_relu, from 0 to below 1; not used otherwise.
    """

    activation: str = "linear"
    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation of layer {self.name!r} must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: {self.activation!r}."
            )
        if not _is_number(self.negative_slope) or not 0 <= self.negative_slope < 1:
            raise ValueError(
                f"negative_slope of layer {self.name!r} must lie in [0, 1). "
                f"Received: {self.negative_slope!r}."
            )


@dataclass(frozen=True)
class Input(Layer):
    """The one entry of a network.

    Parameters
    ----------
    shape : tuple of int
        ``(features,)``, ``(steps, features)`` or ``(height, width, channels)``.  The layers read
        steps as an image of height 1: ``(1, steps, features)``.
    uint8_scale : float, optional
        The engine itself reads ``uint8`` data ``u``, as ``u * uint8_scale + uint8_offset``;
        without it they are converted to floats like every other number.
    uint8_offset : float
    scale, offset : float or tuple of float
        Every other number ``x`` is read as ``x * scale + offset``, on the host; several are one
        for each feature or channel.  ``1`` and ``0`` with a ``uint8_scale``: floats are taken as
        already scaled, and integers of any dtype as unscaled bytes.
    """

    shape: Shape = ()
    uint8_scale: Optional[float] = None
    uint8_offset: float = 0.0
    scale: Union[float, Tuple[float, ...]] = 1.0
    offset: Union[float, Tuple[float, ...]] = 0.0

    arity: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shape, tuple) or len(self.shape) not in (1, 2, 3):
            raise ValueError(
                "shape of the input must be (features,), (steps, features) or (height, width, "
                f"channels). Received: {self.shape!r}. Reshape the data; the batch axis is not "
                "counted."
            )
        _positive(self, shape=self.shape)
        scale = 1.0 if self.uint8_scale is None else self.uint8_scale
        numbers = _is_number(scale) and _is_number(self.uint8_offset)
        if not numbers or not 1e-6 <= scale <= 1e6 or not abs(self.uint8_offset) <= 1e6:
            raise ValueError(
                "uint8_scale must lie in 1e-6 ... 1e6 and uint8_offset within +-1e6. "
                f"Received: {self.uint8_scale!r}, {self.uint8_offset!r}."
            )
        for value in (self.scale, self.offset):
            each = value if isinstance(value, tuple) else (value,)
            size = self.shape[-1] if isinstance(value, tuple) else 1
            if len(each) != size or not all(_is_number(v) and abs(v) <= 1e30 for v in each):
                raise ValueError(
                    "scale and offset of the input must be a number, or one for each of the "
                    f"{self.shape[-1]} features or channels, within +-1e30. "
                    f"Received: {self.scale!r:.80}, {self.offset!r:.80}."
                )
        several = isinstance(self.scale, tuple) or isinstance(self.offset, tuple)
        if several and self.uint8_scale is not None:
            raise ValueError(
                "uint8_scale must be None where scale or offset are several: the engine scales "
                f"bytes by one number. Received: {self.uint8_scale!r}."
            )
        if self.scale == 0:
            raise ValueError("scale of the input must not be 0. Received: 0.")

    @property
    def rescales(self) -> bool:
        """Whether numbers are scaled before the network reads them."""
        return (self.scale, self.offset) != (1, 0)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Return numbers as the layers read them, a new array of the same dtype."""
        return x * np.asarray(self.scale, x.dtype) + np.asarray(self.offset, x.dtype)

    def output_shape(self, *inputs: Shape) -> Shape:
        return (1, *self.shape) if len(self.shape) == 2 else self.shape

    def config(self) -> Dict[str, Any]:
        config = super().config()
        if not self.rescales:  # a file of version 1 has neither
            del config["scale"], config["offset"]
        return config


@dataclass(frozen=True)
class _BlockCirculant(_Activated):
    """A layer with block-circulant weights, a per-channel scale and bias, and an activation.

    ``y = activation(scale * (W x) + bias)``; the scale is where batch normalisation goes, since
    a diagonal matrix times a circulant block is not circulant for ``k > 1``.
    """

    block: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "block", check_block(self.block))

    def grid(self, *inputs: Shape) -> Tuple[int, int]:
        """Return ``(p, q)``: block rows (outputs) and block columns (inputs)."""
        outputs, channels, _ = self._matrix(*inputs)
        return block_grid(outputs, channels, self.block)

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        outputs, _, positions = self._matrix(*inputs)
        p, q = self.grid(*inputs)
        return {
            "weights": positions + (p, q, self.block),
            "scale": (outputs,),
            "bias": (outputs,),
        }

    def dense_parameters(self, *inputs: Shape) -> int:
        outputs, channels, positions = self._matrix(*inputs)
        return size_of(positions) * outputs * channels + outputs

    def _matrix(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        """Outputs and input channels of the matrix, and the kernel positions it is repeated for."""
        raise TypeError(f"{self.kind} must define _matrix")

    def _check_terms(self, *inputs: Shape) -> None:
        _, _, positions = self._matrix(*inputs)
        terms = size_of(positions) * self.grid(*inputs)[1]
        if terms > LIMITS["terms"]:
            raise ValueError(
                f"layer {self.name!r} must sum at most {LIMITS['terms']} terms an output. "
                f"Received: {terms}. Use a larger block than {self.block}."
            )


@dataclass(frozen=True)
class Dense(_BlockCirculant):
    """A fully connected layer of `units` outputs with weights of shape ``(p, q, block)``."""

    units: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self, units=self.units)

    def _matrix(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        return self.units, inputs[0][0], ()

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise ValueError(
                f"input of layer {self.name!r} must have shape (features,). "
                f"Received: {inputs[0]}. Flatten it, or use a Conv2D of kernel size (1, 1)."
            )
        self._check_terms(*inputs)
        return (self.units,)


@dataclass(frozen=True)
class Window:
    """Where a sliding window reads: sizes of input, output and kernel, strides, zeros before."""

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
            What stands outside the image.

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
        pixels: np.ndarray = rows[:, None] * columns[None, :]
        return pixels


def covered(out: int, stride: int, before: int, kernel: int, size: int) -> np.ndarray:
    """Return how many pixels each of `out` windows covers along one axis of `size` pixels.

    >>> covered(3, 2, 1, 3, 5)
    array([2, 3, 2])
    """
    first = np.arange(out) * stride - before
    pixels: np.ndarray = np.minimum(first + kernel, size) - np.maximum(first, 0)
    return pixels


def _extent(size: int, kernel: int, stride: int, padding: str) -> Tuple[int, int]:
    """Output size and padding before: 'same' splits the padding as Keras does, less in front."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0
    out = -(-size // stride)
    return out, max((out - 1) * stride + kernel - size, 0) // 2


def _window(layer: Any, shape: Shape, kernel: Tuple[int, int]) -> Window:
    height, width, _ = _image(layer, shape)
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
class Conv2D(_BlockCirculant):
    """A convolution, channels last, with weights of shape ``(kh, kw, p, q, block)``.

    Blocks run over channels: every kernel position has its own ``p x q`` grid over output and
    input channels (CirCNN, section 3.2), and the sum over positions is taken in the spectrum.
    """

    filters: int = 1
    kernel_size: Tuple[int, int] = (1, 1)
    strides: Tuple[int, int] = (1, 1)
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self, filters=self.filters)
        _pair(self, kernel_size=self.kernel_size, strides=self.strides)

    def _matrix(self, *inputs: Shape) -> Tuple[int, int, Shape]:
        return self.filters, _image(self, inputs[0])[2], self.kernel_size

    def window(self, shape: Shape) -> Window:
        """Return where the kernel reads in an input of this shape."""
        return _window(self, shape, self.kernel_size)

    def output_shape(self, *inputs: Shape) -> Shape:
        window = self.window(inputs[0])
        self._check_terms(*inputs)
        return (window.out_height, window.out_width, self.filters)


@dataclass(frozen=True)
class _Pool2D(Layer):
    """A pooling window; padding never counts, neither as a value nor in the mean."""

    pool_size: Tuple[int, int] = (2, 2)
    strides: Tuple[int, int] = (2, 2)
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        _pair(self, pool_size=self.pool_size, strides=self.strides)
        if size_of(self.pool_size) > LIMITS["pool_area"]:
            raise ValueError(
                f"pool of layer {self.name!r} must cover at most {LIMITS['pool_area']} pixels. "
                f"Received: {self.pool_size}. Pool in two steps."
            )

    def window(self, shape: Shape) -> Window:
        """Return where the pool reads in an input of this shape."""
        return _window(self, shape, self.pool_size)

    def output_shape(self, *inputs: Shape) -> Shape:
        window = self.window(inputs[0])
        return (window.out_height, window.out_width, inputs[0][2])


@dataclass(frozen=True)
class MaxPool2D(_Pool2D):
    """The largest value in each window."""


@dataclass(frozen=True)
class AveragePool2D(_Pool2D):
    """The mean of the values in each window."""


@dataclass(frozen=True)
class GlobalAveragePool2D(Layer):
    """The mean of each channel over all pixels: ``(h, w, c) -> (c,)``."""

    def window(self, shape: Shape) -> Window:
        """Return the one window, which covers the whole input."""
        height, width, _ = _image(self, shape)
        return Window(height, width, 1, 1, (height, width), (1, 1), 0, 0)

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = _image(self, inputs[0])
        if height * width > LIMITS["pool_area"]:
            raise ValueError(
                f"input of layer {self.name!r} must have at most {LIMITS['pool_area']} pixels. "
                f"Received: {height} x {width}. Put an AveragePool2D before it."
            )
        return (channels,)


@dataclass(frozen=True)
class Reshape(Layer):
    """The same numbers under another shape; ``(-1,)`` flattens."""

    shape: Tuple[int, ...] = (-1,)

    def output_shape(self, *inputs: Shape) -> Shape:
        size = size_of(inputs[0])
        ok = (
            isinstance(self.shape, tuple)
            and len(self.shape) in (1, 3)
            and all(isinstance(e, int) and not isinstance(e, bool) for e in self.shape)
            and all(e == -1 or 1 <= e <= LIMITS["extent"] for e in self.shape)
            and self.shape.count(-1) <= 1
        )
        if ok:
            known = size_of(tuple(e for e in self.shape if e != -1))
            free = -1 in self.shape
            if size % known == 0 and (free or size == known):
                return tuple(size // known if e == -1 else e for e in self.shape)
        raise ValueError(
            f"shape of layer {self.name!r} must have 1 or 3 extents that hold {size} elements. "
            f"Received: shape={self.shape!r} for an input of {inputs[0]}."
        )


@dataclass(frozen=True)
class ZeroPadding2D(Layer):
    """Zeros around an image: ``padding = ((top, bottom), (left, right))``."""

    padding: Tuple[Tuple[int, int], Tuple[int, int]] = ((0, 0), (0, 0))

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            (top, bottom), (left, right) = self.padding
            ok = all(
                isinstance(e, int) and 0 <= e <= LIMITS["extent"]
                for e in (top, bottom, left, right)
            )
        except (TypeError, ValueError):
            ok = False
        if not ok:
            raise ValueError(
                f"padding of layer {self.name!r} must be ((top, bottom), (left, right)), "
                f"each 0 to {LIMITS['extent']}. Received: {self.padding!r}."
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = _image(self, inputs[0])
        (top, bottom), (left, right) = self.padding
        return (top + height + bottom, left + width + right, channels)


@dataclass(frozen=True)
class Add(_Activated):
    """The sum of two tensors of one shape: a residual connection."""

    arity: ClassVar[int] = 2

    def output_shape(self, *inputs: Shape) -> Shape:
        if inputs[0] != inputs[1]:
            raise ValueError(
                f"inputs of layer {self.name!r} must have one shape. "
                f"Received: {inputs[0]} and {inputs[1]}."
            )
        return inputs[0]


@dataclass(frozen=True)
class ScaleBias(_Activated):
    """``activation(scale * x + bias)`` per channel: batch normalisation that stands alone."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        return {"scale": (inputs[0][-1],), "bias": (inputs[0][-1],)}

    def dense_parameters(self, *inputs: Shape) -> int:
        return 2 * inputs[0][-1]


@dataclass(frozen=True)
class Softmax(Layer):
    """Probabilities from the last tensor, in floating point on the host; only ever the last."""

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise ValueError(
                f"input of layer {self.name!r} must have shape (classes,). "
                f"Received: {inputs[0]}. Flatten it."
            )
        return inputs[0]


def from_config(kind: str, config: Dict[str, Any]) -> Layer:
    """Return the layer that ``config()`` described, lists read as tuples.

    Raises
    ------
    ValueError
        If the kind or a field is unknown, or a field's value breaks a constraint.
    """
    if not isinstance(kind, str) or kind not in Layer.kinds:
        raise ValueError(
            f"kind of a layer must be one of {', '.join(sorted(Layer.kinds))}. Received: {kind!r}."
        )
    cls = Layer.kinds[kind]
    known = [f.name for f in fields(cls)]
    unknown: List[str] = sorted(set(config) - set(known))
    if unknown or "name" not in config:
        raise ValueError(
            f"fields of a {kind} must be among {', '.join(known)}, and name must be there. "
            f"Received: {', '.join(sorted(config))}."
        )
    return cls(**{key: _tuples(value) for key, value in config.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
