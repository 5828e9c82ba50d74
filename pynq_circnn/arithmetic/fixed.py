"""The engine's 16-bit arithmetic, written once in NumPy: the definition.

Every tensor is ``int16`` with one power-of-two exponent, ``value = word * 2**exponent``.  The
functions below take and return ``int64`` arrays that hold such words, so that no intermediate
result can overflow silently; each states what it rounds and saturates.  ``hw/ENGINE.md`` specifies
the same in words, and ``pynq_circnn/native`` computes the same in C.

A function that can lose a value takes a ``saturate`` argument: :func:`saturate` itself, or the
method of a :class:`Counter` that also counts.
"""

from typing import Callable, Sequence, Tuple

import numpy as np

from ..contract import ARITHMETIC, BLOCK_SIZES, TABLES
from ..errors import NotFiniteError

VALUE_MAX = ARITHMETIC["value_max"]
TWIDDLE_SHIFT = ARITHMETIC["twiddle_shift"]
SLOPE_SHIFT = ARITHMETIC["slope_shift"]
RECIPROCAL_SHIFT = ARITHMETIC["reciprocal_shift"]
TABLE_STEP_BITS = ARITHMETIC["table_step_bits"]

Saturate = Callable[[np.ndarray], np.ndarray]


def saturate(words: np.ndarray) -> np.ndarray:
    """Return the words limited to +-32767."""
    limited: np.ndarray = np.clip(words, -VALUE_MAX, VALUE_MAX)
    return limited


class Counter:
    """A saturation that counts the words that it limits."""

    def __init__(self) -> None:
        self.count = 0

    def saturate(self, words: np.ndarray) -> np.ndarray:
        """Return the words limited to +-32767, and add to :attr:`count`."""
        limited = saturate(words)
        self.count += int(np.count_nonzero(limited != words))
        return limited


def round_shift(words: np.ndarray, shift: int) -> np.ndarray:
    """Return ``(words + 2**(shift-1)) >> shift``, halves rounded up; a shift of 0 does nothing.

    >>> round_shift(np.array([5, -5, 6, -6]), 2)
    array([ 1, -1,  2, -1])
    """
    if shift == 0:
        return words
    return (words + (1 << (shift - 1))) >> shift


# -- transforms ---------------------------------------------------------------------------------
#
# k real samples become z[n] = x[2n] + i x[2n+1], a complex transform of N = k/2 points, and a
# split into the half spectrum.  Twiddle W_n^m = exp(-2 pi i m / n) is word m * 256 / n of one
# table for every size.

_TABLE_POINTS = BLOCK_SIZES[-1]
_TWIDDLES = (np.array(TABLES["twiddles_re"]), np.array(TABLES["twiddles_im"]))

Pair = Tuple[np.ndarray, np.ndarray]


def stage_count(block: int) -> int:
    """Return how many stages, each with a shift of its own, the transform of a block has."""
    return block.bit_length() - 1


def bit_reversal(points: int) -> np.ndarray:
    """Return the order in which decimation in time reads its input."""
    order = np.zeros(1, dtype=np.int64)
    while len(order) < points:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _rotate(re: np.ndarray, im: np.ndarray, m: np.ndarray, conjugate: bool, sat: Saturate) -> Pair:
    """Multiply by twiddle ``m`` of the table: both products exact, one rounding, saturated.

    1 and -+i (word 0 and word 64 of the table) bypass the multiplier.
    """
    w_re, w_im = _TWIDDLES[0][m], _TWIDDLES[1][m]
    sign = 1
    if conjugate:
        w_im, sign = -w_im, -1
    t_re = round_shift(re * w_re - im * w_im, TWIDDLE_SHIFT)
    t_im = round_shift(re * w_im + im * w_re, TWIDDLE_SHIFT)
    one, quarter = m == 0, m == _TABLE_POINTS // 4
    t_re = np.where(one, re, np.where(quarter, sign * im, t_re))
    t_im = np.where(one, im, np.where(quarter, -sign * re, t_im))
    return sat(t_re), sat(t_im)


def _sum(a: np.ndarray, b: np.ndarray, shift: int) -> np.ndarray:
    """Return a + b, halved if `shift` is 1 with halves rounded up."""
    return round_shift(a + b, shift)


def _difference(a: np.ndarray, b: np.ndarray, shift: int) -> np.ndarray:
    """Return a - b, halved if `shift` is 1 with halves rounded down.

    Rounding sums up and differences down keeps the errors from accumulating in one bin, and the
    board's ARM has instructions for exactly this: VRHADD and VHSUB.
    """
    difference: np.ndarray = a - b
    return difference >> shift


def _complex_transform(
    re: np.ndarray, im: np.ndarray, shifts: Sequence[int], inverse: bool, sat: Saturate
) -> Pair:
    """Radix-2 decimation in time over the last axis, without a factor 1/N; one shift a stage."""
    points = re.shape[-1]
    order = bit_reversal(points)
    re, im = re[..., order], im[..., order]
    for stage, shift in enumerate(shifts):
        half = 1 << stage
        groups = re.shape[:-1] + (points // (2 * half), 2, half)
        re, im = re.reshape(groups), im.reshape(groups)
        m = np.arange(half) * (_TABLE_POINTS // (2 * half))
        t_re, t_im = _rotate(re[..., 1, :], im[..., 1, :], m, inverse, sat)
        a_re, a_im = re[..., 0, :], im[..., 0, :]
        re = np.stack([_sum(a_re, t_re, shift), _difference(a_re, t_re, shift)], axis=-2)
        im = np.stack([_sum(a_im, t_im, shift), _difference(a_im, t_im, shift)], axis=-2)
        re = sat(re).reshape(groups[:-3] + (points,))
        im = sat(im).reshape(groups[:-3] + (points,))
    return re, im


def forward_transform(x: np.ndarray, shifts: Sequence[int], sat: Saturate = saturate) -> np.ndarray:
    """Return the packed half spectra of real blocks, times ``2**-sum(shifts)``.

    Parameters
    ----------
    x : int64 array of shape (..., k)
        Words within +-32767; ``k`` a power of two from 1 to 256.
    shifts : sequence of log2(k) zeros and ones
        Whether each stage halves (rounding half up): first the stages of the complex transform,
        last the split.

    Returns
    -------
    int64 array of shape (..., k)
        Packed as :func:`pynq_circnn.arithmetic.circulant.half_spectrum` packs.
    """
    k = x.shape[-1]
    if k == 1:
        return x
    re, im = _complex_transform(x[..., 0::2], x[..., 1::2], shifts[:-1], False, sat)
    shift, points = shifts[-1], k // 2
    x_re, x_im = np.empty_like(re), np.empty_like(im)
    x_re[..., 0] = _sum(re[..., 0], im[..., 0], shift)
    x_im[..., 0] = _difference(re[..., 0], im[..., 0], shift)
    if points > 1:  # the middle bin: W = -i and Z its own mirror image, so X = conj Z
        middle = points // 2
        x_re[..., middle] = round_shift(re[..., middle], shift)
        x_im[..., middle] = round_shift(-im[..., middle], shift)
    m = np.arange(1, points // 2)
    z_re, z_im, c_re, c_im = re[..., m], im[..., m], re[..., points - m], -im[..., points - m]
    e_re, e_im = _sum(z_re, c_re, 1), _sum(z_im, c_im, 1)
    o_re, o_im = _difference(z_im, c_im, 1), _difference(c_re, z_re, 1)  # -i (Z - conj Z')
    t_re, t_im = _rotate(o_re, o_im, m * (_TABLE_POINTS // k), False, sat)
    x_re[..., m], x_im[..., m] = _sum(e_re, t_re, shift), _sum(e_im, t_im, shift)
    x_re[..., points - m] = _difference(e_re, t_re, shift)
    x_im[..., points - m] = -_difference(e_im, t_im, shift)
    return _interleave(sat(x_re), sat(x_im))


def _interleave(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    return np.stack([re, im], axis=-1).reshape(re.shape[:-1] + (-1,))


def inverse_transform(y: np.ndarray, shifts: Sequence[int], sat: Saturate = saturate) -> np.ndarray:
    """Return the real blocks of packed half spectra, times ``(k/2) * 2**-sum(shifts)``.

    The mirror image of :func:`forward_transform`: first the merge of the half spectrum, with
    ``shifts[0]``, then the complex stages with conjugate twiddles.  For ``k = 1`` it is the
    identity.
    """
    k = y.shape[-1]
    if k == 1:
        return y
    shift, points = shifts[0], k // 2
    re = np.empty(y.shape[:-1] + (points,), dtype=y.dtype)
    im = np.empty_like(re)
    re[..., 0] = round_shift(_sum(y[..., 0], y[..., 1], 1), shift)
    im[..., 0] = round_shift(_difference(y[..., 0], y[..., 1], 1), shift)
    if points > 1:
        middle = points // 2
        re[..., middle] = round_shift(y[..., points], shift)
        im[..., middle] = round_shift(-y[..., points + 1], shift)
    m = np.arange(1, points // 2)
    x_re, x_im = y[..., 2 * m], y[..., 2 * m + 1]
    c_re, c_im = y[..., 2 * (points - m)], -y[..., 2 * (points - m) + 1]
    e_re, e_im = _sum(x_re, c_re, 1), _sum(x_im, c_im, 1)
    d_re, d_im = _difference(x_re, c_re, 1), _difference(x_im, c_im, 1)
    o_re, o_im = _rotate(d_re, d_im, m * (_TABLE_POINTS // k), True, sat)
    t_re, t_im = -o_im, o_re  # i O
    re[..., m], im[..., m] = _sum(e_re, t_re, shift), _sum(e_im, t_im, shift)
    re[..., points - m] = _difference(e_re, t_re, shift)
    im[..., points - m] = -_difference(e_im, t_im, shift)
    return _interleave(*_complex_transform(sat(re), sat(im), shifts[1:], True, sat))


# -- the element-wise rules ---------------------------------------------------------------------


def activate(t: np.ndarray, activation: str, clip: int, slope: int, counter: Counter) -> np.ndarray:
    """Return the activation of rounded but not yet saturated words.

    ReLU and ReLU6 limit to ``[0, 32767]`` and ``[0, clip]``.  Words that they cut by definition are
    not counted as saturations, nor are limited inputs of a table; all others are.

    Parameters
    ----------
    t : int64 array
    activation : str
    clip : int
        ReLU6's upper bound in words, at most 32767.
    slope : int
        Leaky ReLU's slope in 1/32768.
    counter : Counter
    """
    if activation == "relu":
        return counter.saturate(np.maximum(t, 0))
    if activation == "relu6":
        t = np.maximum(t, 0)
        return np.minimum(t, clip) if clip < VALUE_MAX else counter.saturate(t)
    if activation in ("sigmoid", "tanh"):
        return interpolate(saturate(t), activation)
    t = counter.saturate(t)
    if activation == "leaky_relu":
        return np.where(t < 0, round_shift(t * slope, SLOPE_SHIFT), t)
    return t


def interpolate(words: np.ndarray, table: str) -> np.ndarray:
    """Return the table's function of words, linear between its points.

    Words have exponent -12 and results exponent -15.
    """
    points = np.array(TABLES[table])
    step = words >> TABLE_STEP_BITS
    left = points[step + len(points) // 2]
    right = points[step + len(points) // 2 + 1]
    rest = words - (step << TABLE_STEP_BITS)
    values: np.ndarray = left + round_shift((right - left) * rest, TABLE_STEP_BITS)
    return values


def clip_word(exponent: int) -> int:
    """Return ReLU6's upper bound for an output of this exponent."""
    return int(min(np.rint(np.ldexp(6.0, -exponent)), VALUE_MAX))


def slope_word(slope: float) -> int:
    """Return leaky ReLU's slope as the engine's word, in 1/32768."""
    return int(min(np.rint(slope * (1 << SLOPE_SHIFT)), VALUE_MAX))


def reciprocal(count: int) -> Tuple[int, int]:
    """Return ``(multiplier, shift)`` with ``multiplier / 2**(14 + shift)`` nearest to 1/count.

    >>> reciprocal(1), reciprocal(3), reciprocal(64)
    ((16384, 0), (21845, 2), (16384, 6))
    """
    shift = (count - 1).bit_length()
    return ((1 << (RECIPROCAL_SHIFT + shift)) + count // 2) // count, shift


# -- conversions on the host -----------------------------------------------------------------------


def check_finite(x: np.ndarray) -> None:
    """Raise :class:`~pynq_circnn.errors.NotFiniteError` if a batch holds NaN or infinity."""
    if not np.isfinite(x).all():
        finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        raise NotFiniteError(int(np.argmin(finite)))


def quantize_input(x: np.ndarray, exponent: int, sat: Saturate = saturate) -> np.ndarray:
    """Return float32 values as words: scaled, limited, then rounded with halves to even.

    The scaling by a power of two is exact in ``float32``; limiting comes first so that the
    rounded value is always representable.
    """
    with np.errstate(over="ignore"):  # what overflows is limited next
        scaled = x.astype(np.float32) * np.float32(2.0**-exponent)
    return sat(np.rint(np.clip(scaled, -VALUE_MAX - 1, VALUE_MAX + 1)).astype(np.int64))


def dequantize(words: np.ndarray, exponent: int) -> np.ndarray:
    """Return words as float32 values, exactly."""
    values: np.ndarray = words.astype(np.float32) * np.float32(2.0**exponent)
    return values


def byte_rule(scale: float, offset: float, exponent: int) -> Tuple[int, int, int]:
    """Return ``(scale, bias, shift)`` that turn an unscaled byte into an input word.

    ``word = saturate(round_shift(byte * scale + bias, shift))`` with the finest scale that fits
    16 bits.
    """
    for shift in range(30, -1, -1):
        factor = np.rint(np.ldexp(scale, shift - exponent))
        bias = np.rint(np.ldexp(offset, shift - exponent))
        if 1 <= abs(factor) <= VALUE_MAX and abs(bias) <= ARITHMETIC["bias_max"]:
            return int(factor), int(bias), shift
    raise ValueError(
        "uint8_scale and uint8_offset must fit the input's exponent. "
        f"Received: {scale}, {offset}, exponent {exponent}. Calibrate with data of that range."
    )


def quantize_bytes(
    x: np.ndarray, rule: Tuple[int, int, int], sat: Saturate = saturate
) -> np.ndarray:
    """Return unscaled bytes as words, by a :func:`byte_rule`."""
    scale, bias, shift = rule
    return sat(round_shift(x.astype(np.int64) * scale + bias, shift))
