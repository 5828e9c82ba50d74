"""Block-circulant matrices: projection, expansion, spectra and products, in floating point.

A matrix of ``m`` rows and ``n`` columns is cut into ``p x q`` circulant blocks of size ``k``,
``p = ceil(m / k)`` and ``q = ceil(n / k)``; each block is fixed by its first column, so that the
whole matrix is an array of *defining vectors* of shape ``(p, q, k)``.  The product with a vector
is, by the circulant convolution theorem (CirCNN, MICRO 2017, section 3),

    y_i = irfft( sum_j rfft(w_ij) * rfft(x_j) )

Other libraries index blocks the other way round.  PEFT's C3A (huggingface/peft,
``src/peft/tuners/c3a``) computes ``fft(ifft(x) * fft(w))``, which correlates: its vectors are first
*rows*, ``y[i] = sum_j w[(j - i) mod k] x[j]``, and its sums are divided by the number of inputs.
Reversing one index converts either form into the other:

>>> c3a = np.array([[[1., 2., 3., 4.]]])  # of shape (p, q, k), as c3a_kernel
>>> ours = np.roll(c3a[..., ::-1], 1, axis=-1)  # then divide by q * k
>>> ours
array([[[1., 4., 3., 2.]]])
>>> expand(ours)[:2]
array([[1., 2., 3., 4.],
       [4., 1., 2., 3.]])

Everything here is exact mathematics in ``float64``; the integer arithmetic of the engine is
defined in :mod:`pynq_circnn.arithmetic.fixed`.
"""

from typing import Optional, Tuple

import numpy as np

from ..contract import BLOCK_SIZES


def check_block(block: int) -> int:
    """Return ``block`` as an ``int`` if the engine has transforms of that size.

    Raises
    ------
    ValueError
        If `block` is not a power of two from 1 to 256.
    """
    whole = isinstance(block, (int, np.integer)) and not isinstance(block, bool)
    if not whole or block not in BLOCK_SIZES:
        raise ValueError(
            f"block must be a power of two from 1 to {BLOCK_SIZES[-1]}. Received: block={block!r}. "
            f"Use one of {', '.join(map(str, BLOCK_SIZES))} (1 means a dense matrix)."
        )
    return int(block)


def block_grid(rows: int, columns: int, block: int) -> Tuple[int, int]:
    """Return ``(p, q)``, the numbers of block rows and block columns, padding included.

    >>> block_grid(10, 64, 8)
    (2, 8)
    """
    return -(-rows // block), -(-columns // block)


def _check_vectors(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim < 3:
        raise ValueError(
            "defining vectors must have shape (..., p, q, k). "
            f"Received: shape={vectors.shape}. Reshape them, one first column per block."
        )
    check_block(vectors.shape[-1])
    return vectors


def nearest(matrix: np.ndarray, block: int) -> np.ndarray:
    """Return the defining vectors of the block-circulant matrix nearest to `matrix`.

    Nearest in the Frobenius norm: each element of a defining vector is the mean of the wrapped
    diagonal that it fills.  If the matrix's size is not a multiple of the block size, only existing
    elements count, and a diagonal without any becomes zero.

    Parameters
    ----------
    matrix : array of shape (..., m, n)
        Rows are outputs, columns are inputs: ``y = matrix @ x``.
    block : int
        Block size ``k``, a power of two from 1 to 256.

    Returns
    -------
    ndarray of float64, shape (..., p, q, k)

    >>> nearest(np.array([[1., 2.], [4., 3.]]), 2)
    array([[[2., 3.]]])
    """
    k = check_block(block)
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim < 2:
        raise ValueError(
            f"matrix must have at least 2 dimensions. Received: shape={matrix.shape}. "
            "Pass an array of shape (..., outputs, inputs)."
        )
    m, n = matrix.shape[-2:]
    p, q = block_grid(m, n, k)
    pad = [(0, 0)] * (matrix.ndim - 2) + [(0, p * k - m), (0, q * k - n)]
    blocks = np.pad(matrix, pad).reshape(matrix.shape[:-2] + (p, k, q, k))
    exists = np.pad(np.ones((m, n)), pad[-2:]).reshape(p, k, q, k)
    column = np.arange(k)
    sums = np.empty(matrix.shape[:-2] + (p, q, k))
    counts = np.empty((p, q, k))
    for d in range(k):
        row = (column + d) % k
        sums[..., d] = blocks[..., row, :, column].sum(axis=0)
        counts[..., d] = exists[:, row, :, column].sum(axis=0)
    return sums / np.maximum(counts, 1)


def expand(vectors: np.ndarray, shape: Optional[Tuple[int, int]] = None) -> np.ndarray:
    """Return the dense matrix that the defining vectors represent.

    Parameters
    ----------
    vectors : array of shape (..., p, q, k)
    shape : (m, n), optional
        Rows and columns to keep; the padded ``(p*k, q*k)`` when left out.

    Returns
    -------
    ndarray of float64, shape (..., m, n)

    >>> expand(np.array([[[1., 2., 3., 4.]]]))[:2]
    array([[1., 4., 3., 2.],
           [2., 1., 4., 3.]])
    """
    vectors = _check_vectors(vectors)
    p, q, k = vectors.shape[-3:]
    m, n = shape if shape is not None else (p * k, q * k)
    if block_grid(m, n, k) != (p, q):
        raise ValueError(
            f"shape must cut into {p} x {q} blocks of {k}. Received: shape={(m, n)}, "
            f"which gives {block_grid(m, n, k)}. Use at most {(p * k, q * k)}."
        )
    index = np.arange(k)
    dense = vectors[..., (index[:, None] - index[None, :]) % k]  # (..., p, q, row, column)
    dense = np.moveaxis(dense, -2, -3).reshape(vectors.shape[:-3] + (p * k, q * k))
    return dense[..., :m, :n]


def half_spectrum(x: np.ndarray) -> np.ndarray:
    """Return the packed half spectrum of real blocks: as many words as there are samples.

    The discrete Fourier transform of ``k`` real numbers has real bins 0 and ``k/2``, which share
    slot 0; slots ``1 .. k/2-1`` hold the real and imaginary part of one complex bin each, and the
    bins above ``k/2`` are conjugates.  ``k = 1`` is the identity.

    Parameters
    ----------
    x : array of shape (..., k)

    Returns
    -------
    ndarray of float64, shape (..., k)
        ``[X0, X(k/2), Re X1, Im X1, Re X2, Im X2, ...]``

    >>> half_spectrum([1., 2., 3., 4.])
    array([10., -2., -2.,  2.])
    """
    x = np.asarray(x, dtype=np.float64)
    k = check_block(x.shape[-1])
    if k == 1:
        return np.array(x)
    full = np.fft.rfft(x)
    packed = np.empty_like(x)
    packed[..., 0] = full[..., 0].real
    packed[..., 1] = full[..., -1].real
    packed[..., 2::2] = full[..., 1:-1].real
    packed[..., 3::2] = full[..., 1:-1].imag
    return packed


def from_half_spectrum(packed: np.ndarray) -> np.ndarray:
    """Return the real blocks of packed half spectra: the inverse of :func:`half_spectrum`."""
    packed = np.asarray(packed, dtype=np.float64)
    k = check_block(packed.shape[-1])
    if k == 1:
        return np.array(packed)
    return np.fft.irfft(_unpack(packed), k)


def _unpack(packed: np.ndarray) -> np.ndarray:
    half = packed.shape[-1] // 2
    full = np.empty(packed.shape[:-1] + (half + 1,), dtype=np.complex128)
    full[..., 0] = packed[..., 0]
    full[..., half] = packed[..., 1]
    full[..., 1:half] = packed[..., 2::2] + 1j * packed[..., 3::2]
    return full


def spectral_product(weights: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Return ``sum_j weights[i, j] * spectra[..., j]`` for packed half spectra.

    Integers of 16 bits come out exactly: a product of two is below 2**31, a bin sums at most
    65,536 of them, and ``float64`` holds every integer up to 2**53, whatever the order of
    summation.

    Parameters
    ----------
    weights : array of shape (p, q, k)
    spectra : array of shape (..., q, k)

    Returns
    -------
    ndarray of float64, shape (..., p, k)
    """
    w, x = np.asarray(weights, dtype=np.float64), np.asarray(spectra, dtype=np.float64)
    out = np.empty(x.shape[:-2] + (w.shape[0], w.shape[-1]))
    for real in range(min(w.shape[-1], 2)):  # slot 0: two real bins
        out[..., real] = x[..., real] @ w[..., real].T
    for f in range(2, w.shape[-1], 2):
        w_re, w_im, x_re, x_im = w[..., f].T, w[..., f + 1].T, x[..., f], x[..., f + 1]
        out[..., f] = x_re @ w_re - x_im @ w_im
        out[..., f + 1] = x_re @ w_im + x_im @ w_re
    return out


def product(vectors: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the block-circulant matrix times `x`, computed in the spectrum.

    Parameters
    ----------
    vectors : array of shape (p, q, k)
    x : array of shape (..., n)
        ``n`` is at most ``q * k`` and more than ``(q - 1) * k``; `x` is padded with zeros to
        ``q * k``.

    Returns
    -------
    ndarray of float64, shape (..., p*k)
    """
    vectors = _check_vectors(vectors)
    x = np.asarray(x, dtype=np.float64)
    p, q, k = vectors.shape
    n = x.shape[-1] if x.ndim else 0
    if -(-n // k) != q:
        raise ValueError(
            f"x must have {(q - 1) * k + 1} to {q * k} elements on its last axis. "
            f"Received: shape={x.shape}. The matrix has {q} block columns of {k}."
        )
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, q * k - n)]).reshape(x.shape[:-1] + (q, k))
    spectrum = spectral_product(half_spectrum(vectors), half_spectrum(x))
    return from_half_spectrum(spectrum).reshape(x.shape[:-2] + (p * k,))


def channel_blocks(x: np.ndarray, block: int) -> np.ndarray:
    """Return the last axis cut into blocks, the last one padded with zeros: (..., q, block)."""
    padding = -x.shape[-1] % block
    if padding:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, padding)], mode="constant")
    return x.reshape(x.shape[:-1] + (-1, block))
