"""The arithmetic in plain Python integers and by recursion, as a reference for the tests.

Nothing here is taken from pynq_circnn: the twiddles are computed, the rules follow the text of
hw/ENGINE.md.  It is slow on purpose.
"""

import math

MAX = 32767


class Words:
    """Saturation to +-32767 that counts."""

    def __init__(self):
        self.limited = 0

    def __call__(self, v):
        if v > MAX or v < -MAX:
            self.limited += 1
            return MAX if v > 0 else -MAX
        return v


def rounded(v, shift):
    """Half up: the floor of v / 2^shift + 1/2."""
    return v if shift == 0 else (v + 2 ** (shift - 1)) // 2**shift


def added(a, b, shift):
    return (a + b + 1) // 2 if shift else a + b


def subtracted(a, b, shift):
    return (a - b) // 2 if shift else a - b


def twiddle(m, n):
    """exp(-2 pi i m / n) in 1/32768, each part within +-32767."""
    angle = 2 * math.pi * m / n
    parts = (math.floor(32768 * part + 0.5) for part in (math.cos(angle), -math.sin(angle)))
    return tuple(max(-MAX, min(MAX, part)) for part in parts)


def times_twiddle(b, m, n, conjugate, sat):
    re, im = b
    if m == 0:
        return b
    if 4 * m == n:
        return (-im, re) if conjugate else (im, -re)
    w_re, w_im = twiddle(m, n)
    if conjugate:
        w_im = -w_im
    return sat(rounded(re * w_re - im * w_im, 15)), sat(rounded(re * w_im + im * w_re, 15))


def complex_dft(z, shifts, conjugate, sat):
    """Decimation in time by recursion; the last shift belongs to the last stage."""
    if len(z) == 1:
        return z
    even = complex_dft(z[0::2], shifts[:-1], conjugate, sat)
    odd = complex_dft(z[1::2], shifts[:-1], conjugate, sat)
    first, second = [], []
    for m, (a, b) in enumerate(zip(even, odd)):
        t = times_twiddle(b, m, len(z), conjugate, sat)
        first.append(tuple(sat(added(a[i], t[i], shifts[-1])) for i in (0, 1)))
        second.append(tuple(sat(subtracted(a[i], t[i], shifts[-1])) for i in (0, 1)))
    return first + second


def forward(x, shifts, sat):
    """k real words -> packed half spectrum."""
    k = len(x)
    if k == 1:
        return list(x)
    n, shift = k // 2, shifts[-1]
    z = complex_dft([(x[2 * i], x[2 * i + 1]) for i in range(n)], shifts[:-1], False, sat)
    bins = [None] * n
    bins[0] = (sat(added(*z[0], shift)), sat(subtracted(*z[0], shift)))
    if n > 1:
        bins[n // 2] = (rounded(z[n // 2][0], shift), rounded(-z[n // 2][1], shift))
    for m in range(1, n // 2):
        a, b = z[m], (z[n - m][0], -z[n - m][1])
        e = (added(a[0], b[0], 1), added(a[1], b[1], 1))
        o = (subtracted(a[1], b[1], 1), subtracted(b[0], a[0], 1))
        t = times_twiddle(o, m, k, False, sat)
        bins[m] = tuple(sat(added(e[i], t[i], shift)) for i in (0, 1))
        mirrored = tuple(sat(subtracted(e[i], t[i], shift)) for i in (0, 1))
        bins[n - m] = (mirrored[0], -mirrored[1])
    return [word for bin_ in bins for word in bin_]


def inverse(y, shifts, sat):
    """Packed half spectrum -> k real words."""
    k = len(y)
    if k == 1:
        return list(y)
    n, shift = k // 2, shifts[0]
    bins = [(y[2 * i], y[2 * i + 1]) for i in range(n)]
    z = [None] * n
    z[0] = (rounded(added(*bins[0], 1), shift), rounded(subtracted(*bins[0], 1), shift))
    if n > 1:
        z[n // 2] = (rounded(bins[n // 2][0], shift), rounded(-bins[n // 2][1], shift))
    for m in range(1, n // 2):
        a, b = bins[m], (bins[n - m][0], -bins[n - m][1])
        e = (added(a[0], b[0], 1), added(a[1], b[1], 1))
        d = (subtracted(a[0], b[0], 1), subtracted(a[1], b[1], 1))
        o = times_twiddle(d, m, k, True, sat)
        t = (-o[1], o[0])
        z[m] = tuple(sat(added(e[i], t[i], shift)) for i in (0, 1))
        mirrored = tuple(sat(subtracted(e[i], t[i], shift)) for i in (0, 1))
        z[n - m] = (mirrored[0], -mirrored[1])
    return [word for point in complex_dft(z, shifts[1:], True, sat) for word in point]
