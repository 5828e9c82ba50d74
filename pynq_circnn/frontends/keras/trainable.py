"""Block-circulant Keras layers: ordinary Keras 3 layers on any Keras back end.

The trained weights are the defining vectors of :mod:`pynq_circnn.arithmetic.circulant`: the first
column of every circulant block, ``(p, q, k)`` for a matrix and ``(kh, kw, p, q, k)`` for a
convolution, ``y = W x``.  (PEFT's C3A stores first rows: see
:mod:`pynq_circnn.arithmetic.circulant`.)  Widths that are no multiple of the block are padded:
inputs with zeros, and surplus outputs are dropped.

Models with these layers are saved as any other.  To read one back, ``import pynq_circnn.keras``
first, which registers the layers with Keras, or call :func:`pynq_circnn.keras.load`.
"""

from typing import Any, Dict, Optional, Sequence, Tuple, Union

import keras
import numpy as np
from keras import ops

from ...arithmetic.circulant import block_grid, check_block

METHODS = ("auto", "spectral", "expanded")


def expand(vectors: Any, inputs: int, outputs: int) -> Any:
    """Return the dense Keras kernel that the defining vectors stand for.

    The transpose of :func:`pynq_circnn.arithmetic.circulant.expand`, for tensors of the Keras back
    end and with a gradient.  It is made of copies alone, since the gradient of a gather would be a
    slow scatter: ``2k - 1`` copies of a vector, cut into rows of ``2k - 1``, begin each row one
    element later.

    Parameters
    ----------
    vectors : tensor of shape (..., p, q, k)
    inputs, outputs : int
        Widths to keep, at most ``q*k`` and ``p*k``.

    Returns
    -------
    tensor of shape (..., inputs, outputs)
    """
    *positions, p, q, k = vectors.shape
    rows = ops.reshape(ops.repeat(vectors[..., None, :], 2 * k - 1, axis=-2), (-1, k, 2 * k - 1))
    blocks = ops.reshape(rows[:, :, :k], (-1, p, q, k, k))  # [.., i, j, column, row]
    kernel = ops.reshape(ops.transpose(blocks, (0, 2, 3, 1, 4)), (*positions, q * k, p * k))
    return kernel[..., :inputs, :outputs]


def _spectrum(blocks: Any) -> Tuple[Any, Any]:
    """Return the real and imaginary half spectra of real blocks, frequencies first."""
    real, imaginary = ops.rfft(blocks)
    return ops.moveaxis(real, -1, 0), ops.moveaxis(imaginary, -1, 0)


def _spectral_input(x: Any, q: int, k: int) -> Any:
    """Return the half spectra of `x`: shape (f, ..., 2q), real parts before imaginary ones."""
    padding = [(0, 0)] * (len(x.shape) - 1) + [(0, q * k - x.shape[-1])]
    x = ops.pad(x, padding) if padding[-1][1] else x
    return ops.concatenate(_spectrum(ops.reshape(x, (*ops.shape(x)[:-1], q, k))), axis=-1)


def _spectral_kernel(vectors: Any) -> Any:
    """Return each bin's complex p x q matrix, as the real matrix (f, ..., 2q, 2p) it acts as."""
    real, imaginary = (ops.swapaxes(part, -1, -2) for part in _spectrum(vectors))
    return ops.concatenate(
        [
            ops.concatenate([real, imaginary], axis=-1),
            ops.concatenate([-imaginary, real], axis=-1),
        ],
        axis=-2,
    )


def _spectral_output(spectrum: Any, k: int, outputs: int) -> Any:
    """Return the real vectors (..., outputs) of half spectra (f, ..., 2p)."""
    real, imaginary = ops.split(ops.moveaxis(spectrum, 0, -1), 2, axis=-2)
    blocks = ops.irfft((real, imaginary), fft_length=k)
    return ops.reshape(blocks, (*ops.shape(blocks)[:-2], -1))[..., :outputs]


class BlockCirculant(keras.layers.Layer):
    """What the two layers share: arguments, weights, and the choice of method.

    Parameters
    ----------
    block_size : int
        Size ``k`` of the circulant blocks, a power of two from 1 (dense) to 256.  The layer has
        ``k`` times fewer weights than its dense twin.
    activation : str or callable, optional
    use_bias : bool
    kernel_initializer, bias_initializer
        Any Keras initialiser.  It is asked for a kernel of the *dense* shape, of which the
        defining vectors take as many values as they need: an output sums as many products as a
        dense one does, whatever the number of free weights, so only the dense fan-in keeps the
        variance (the fan-in of the defining vectors would be ``k`` times too small).
    kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint
        On the defining vectors.  The dense matrix holds each of their values ``k`` times, so the
        sum of its squares is ``k`` times theirs.
    method : {"auto", "spectral", "expanded"}
        ``spectral``: real transforms of the inputs, one small matrix product a bin, inverse
        transforms, and gradients through them (CirCNN, section 3): O(n log n).
        ``expanded``: the dense kernel is written out, then multiplied.  Both give the same
        result; ``auto`` takes the one that was measured to be faster (see :meth:`resolve`).
        Block size 1 has no transform and is always multiplied directly.

    Raises
    ------
    ValueError
        If a width is not positive, the block size is none of the engine's, or the method is
        unknown.
    """

    _outputs_name = "units"
    _positions: Tuple[int, ...] = ()  # of the kernel

    def __init__(
        self,
        outputs: int,
        block_size: int,
        *,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        method: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
            raise ValueError(
                f"{self._outputs_name} must be a positive integer. "
                f"Received: {self._outputs_name}={outputs!r}."
            )
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}. Received: {method!r}.")
        self._outputs = outputs
        self.block_size = check_block(block_size)
        self.method = method
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape: Sequence[Optional[int]]) -> None:
        inputs = input_shape[-1]
        if inputs is None:
            raise ValueError(
                f"last axis of the input of {self.name!r} must be known. "
                f"Received: input_shape={tuple(input_shape)}. Give the model an Input."
            )
        dense = (*self._positions, inputs, self._outputs)

        def first_values(shape: Sequence[int], dtype: Any = None) -> Any:
            values = ops.reshape(self.kernel_initializer(dense, dtype=dtype), (-1,))
            index = np.arange(np.prod(shape)) % np.prod(dense)
            return ops.reshape(ops.take(values, index), shape)

        self.vectors = self.add_weight(
            name="vectors",
            shape=(*self._positions, *block_grid(self._outputs, inputs, self.block_size))
            + (self.block_size,),
            initializer=first_values,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self._outputs,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        rank = {"ndim": 4} if self._positions else {"min_ndim": 2}
        self.input_spec = keras.layers.InputSpec(axes={-1: inputs}, **rank)
        self.built = True

    def resolve(self) -> str:
        """Return the method that this layer uses: ``"spectral"`` or ``"expanded"``.

        Measured by ``circnn bench training`` (JAX, two CPU cores): for a matrix the
        spectral step is faster from about 256 x 256 at blocks of 8 and more.  Convolutions wider
        than one pixel are expanded, since the dense convolution is better tuned than its spectral
        parts.
        """
        if self.block_size == 1:
            return "expanded"
        if self.method != "auto":
            return self.method
        wide = self._outputs * self.input_spec.axes[-1] >= 256 * 256 and self.block_size >= 8
        return "spectral" if wide and np.prod(self._positions) == 1 else "expanded"

    def call(self, inputs: Any) -> Any:
        width = inputs.shape[-1]
        if self.resolve() == "expanded":
            y = self._multiply(inputs, expand(self.vectors, width, self._outputs))
        else:
            k = self.block_size
            real = keras.backend.standardize_dtype(inputs.dtype)
            wide = real if real in ("float32", "float64") else "float32"  # what rfft takes
            x = _spectral_input(ops.cast(inputs, wide), self.vectors.shape[-2], k)
            y = self._multiply_spectra(x, _spectral_kernel(ops.cast(self.vectors, wide)))
            y = ops.cast(_spectral_output(y, k, self._outputs), real)
        if self.bias is not None:
            y = ops.add(y, self.bias)
        return self.activation(y)

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config[self._outputs_name] = self._outputs
        config["block_size"] = self.block_size
        config["use_bias"] = self.use_bias
        config["method"] = self.method
        config["activation"] = keras.activations.serialize(self.activation)
        for name in ("kernel", "bias"):
            for module in (keras.initializers, keras.regularizers, keras.constraints):
                key = f"{name}_{module.__name__.rsplit('.', 1)[-1][:-1]}"
                config[key] = module.serialize(getattr(self, key))
        return config


@keras.saving.register_keras_serializable(package="pynq_circnn")
class BlockCirculantDense(BlockCirculant):
    """A fully connected layer whose matrix consists of circulant blocks.

    It acts on the last axis, as ``keras.layers.Dense`` does.

    Parameters
    ----------
    units : int
        Number of outputs.
    block_size : int
    **kwargs
        ``activation``, ``use_bias``, ``method`` and the others of :class:`BlockCirculant`.
    """

    def __init__(self, units: int, block_size: int, **kwargs: Any) -> None:
        super().__init__(units, block_size, **kwargs)
        self.units = units

    def compute_output_shape(self, input_shape: Sequence[Optional[int]]) -> Tuple[Any, ...]:
        return (*input_shape[:-1], self._outputs)

    def _multiply(self, x: Any, kernel: Any) -> Any:
        return ops.matmul(x, kernel)

    def _multiply_spectra(self, x: Any, kernel: Any) -> Any:
        flat = ops.reshape(x, (x.shape[0], -1, x.shape[-1]))
        return ops.reshape(ops.matmul(flat, kernel), (*ops.shape(x)[:-1], kernel.shape[-1]))


def _same_padding(size: int, kernel: int, stride: int) -> Tuple[int, int]:
    """Zeros before and after one axis under ``padding="same"``, less in front as Keras does."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@keras.saving.register_keras_serializable(package="pynq_circnn")
class BlockCirculantConv2D(BlockCirculant):
    """A convolution, channels last, with circulant blocks over channels.

    Every kernel position has its own blocks over output and input channels, a pixel is
    transformed once for all positions, and the sum over positions is taken in the spectrum
    (CirCNN, section 3.2).

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size, strides : int or pair of int
    block_size : int
    padding : {"valid", "same"}
    **kwargs
        ``activation``, ``use_bias``, ``method`` and the others of :class:`BlockCirculant`.
    """

    _outputs_name = "filters"

    def __init__(
        self,
        filters: int,
        kernel_size: Union[int, Tuple[int, int]],
        block_size: int,
        strides: Union[int, Tuple[int, int]] = (1, 1),
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, block_size, **kwargs)
        self.filters = filters
        self.kernel_size = _pair("kernel_size", kernel_size)
        self.strides = _pair("strides", strides)
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same'. Received: padding={padding!r}.")
        self.padding = padding
        self._positions = self.kernel_size

    def compute_output_shape(self, input_shape: Sequence[Optional[int]]) -> Tuple[Any, ...]:
        valid = self.padding == "valid"
        extents = [
            None if size is None else -(-(size - r + 1 if valid else size) // s)
            for size, r, s in zip(input_shape[1:3], self.kernel_size, self.strides)
        ]
        return (input_shape[0], *extents, self._outputs)

    def _multiply(self, x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, self.strides, self.padding, data_format="channels_last")

    def _multiply_spectra(self, x: Any, kernel: Any) -> Any:
        if self.padding == "same":
            sizes = ops.shape(x)[2:4]
            around = [_same_padding(*a) for a in zip(sizes, self.kernel_size, self.strides)]
            x = ops.pad(x, [(0, 0), (0, 0), *around, (0, 0)])
        bins, batch, height, width, _ = ops.shape(x)
        (kh, kw), (down, right) = self.kernel_size, self.strides
        out_height, out_width = (height - kh) // down + 1, (width - kw) // right + 1
        total = None
        for i in range(kh):
            for j in range(kw):
                window = x[
                    :,
                    :,
                    i : i + (out_height - 1) * down + 1 : down,
                    j : j + (out_width - 1) * right + 1 : right,
                ]
                pixels = ops.reshape(window, (bins, -1, x.shape[-1]))
                part = ops.matmul(pixels, kernel[:, i, j])
                total = part if total is None else total + part
        return ops.reshape(total, (bins, batch, out_height, out_width, kernel.shape[-1]))

    def get_config(self) -> Dict[str, Any]:
        own = {"kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding}
        return {**super().get_config(), **own}


def _pair(name: str, value: Any) -> Tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(e, int) and e > 0 for e in pair):
        raise ValueError(
            f"{name} must be a positive integer or two of them. Received: {name}={value!r}."
        )
    return pair
