"""Choosing power-of-two exponents and shifts, so that values fit 16 bits with headroom."""

import math
from typing import List, Sequence, Tuple

import numpy as np

from .fixed import VALUE_MAX

HEADROOM = 1.4  # factor at every stage, since later inputs exceed the calibration data


def exponent_for(peak: float, headroom: float = 1.0) -> int:
    """Return the smallest exponent at which `peak` times `headroom` stays within 32767.

    >>> exponent_for(1.0), exponent_for(0.9999)
    (-14, -15)
    """
    if peak <= 0:
        return -15
    return math.ceil(math.log2(peak * headroom / VALUE_MAX) - 1e-12)


def to_words(values: np.ndarray, exponent: int, limit: int, dtype: str) -> np.ndarray:
    """Return values as words with an exponent, rounded with halves to even and limited."""
    limited: np.ndarray = np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit)
    words: np.ndarray = limited.astype(dtype)
    return words


def shift_sums(peaks: Sequence[float], exponent: int) -> List[int]:
    """Return the smallest cumulative shifts, growing by at most one a stage, that leave headroom.

    `peaks` are the magnitudes after each stage without shifts; the words have this exponent.
    """
    wanted = [max(0, exponent_for(peak, HEADROOM) - exponent) for peak in peaks]
    for stage in range(len(wanted) - 2, -1, -1):  # early enough for the later stages
        wanted[stage] = max(wanted[stage], wanted[stage + 1] - 1)
    sums: List[int] = []
    for value in wanted:
        before = sums[-1] if sums else 0
        sums.append(min(max(value, before), before + 1))
    return sums


def stage_shifts(sums: List[int]) -> Tuple[int, ...]:
    """Return the shift of each stage from their cumulative sums.

    >>> stage_shifts([0, 1, 1, 2])
    (0, 1, 0, 1)
    """
    return tuple(after - before for before, after in zip([0] + sums[:-1], sums))
