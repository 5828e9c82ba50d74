"""The 16-bit arithmetic against plain integers, fractions and NumPy's FFT."""

import itertools
import math
from fractions import Fraction

import numpy as np
import plain
import pytest

from pynq_circnn.arithmetic import fixed
from pynq_circnn.arithmetic.circulant import from_half_spectrum, half_spectrum
from pynq_circnn.contract import BLOCK_SIZES, TABLES

WORDS = np.arange(-32767, 32768)
EXTREMES = (-32767, -32766, -1, 0, 1, 2, 32766, 32767)


# -- element by element -------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 15, 16, 31, 40])
def test_round_shift_is_the_floor_of_a_half_more(shift):
    values = [*WORDS[::7].tolist(), *EXTREMES, 2**46 - 1, -(2**46), 3 << 39, -(3 << 39)]
    half = Fraction(1, 2) if shift else 0
    expected = [math.floor(Fraction(v, 2**shift) + half) for v in values]
    assert fixed.round_shift(np.array(values), shift).tolist() == expected


def test_saturation_is_symmetric_and_counted():
    counter = fixed.Counter()
    words = np.array([-32769, -32768, -32767, 0, 32767, 32768, 2**40])
    limited = [-32767, -32767, -32767, 0, 32767, 32767, 32767]
    assert counter.saturate(words).tolist() == limited
    assert counter.count == 4
    assert fixed.saturate(words).tolist() == limited


def test_reciprocal_is_the_nearest_of_16_bits():
    for count in range(1, 4097):
        multiplier, shift = fixed.reciprocal(count)
        exact = Fraction(2 ** (14 + shift), count)
        assert 2**14 <= multiplier <= 32767
        assert abs(multiplier - exact) <= Fraction(1, 2)
        assert 2 ** max(shift - 1, 0) < count <= 2**shift or count == 1


@pytest.mark.parametrize(
    "table, function, tolerance",
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 1.4),  # 0.4 of interpolation, 2 roundings
        ("tanh", np.tanh, 4.1),  # 3.1 and the same
    ],
)
def test_tables_are_interpolated(table, function, tolerance):
    words = np.arange(-32767, 32768)
    values = fixed.interpolate(words, table)
    expected = []
    points = TABLES[table]
    for word in words.tolist():
        step, rest = divmod(word, 128)
        left, right = points[step + 256], points[step + 257]
        expected.append(left + math.floor(Fraction((right - left) * rest, 128) + Fraction(1, 2)))
    assert values.tolist() == expected
    assert np.abs(values - function(words / 4096) * 32768).max() <= tolerance
    assert np.all(np.diff(values) >= 0) and np.abs(values).max() <= 32767


def activated(t, activation, clip, slope):
    """One element by the rules of the page: its value and the number of saturations."""
    sat = plain.Words()
    if activation == "relu":
        return sat(max(t, 0)), sat.limited
    if activation == "relu6":
        return (min(max(t, 0), clip), 0) if clip < 32767 else (sat(max(t, 0)), sat.limited)
    t = sat(t)
    if activation == "leaky_relu" and t < 0:
        t = math.floor(Fraction(t * slope, 2**15) + Fraction(1, 2))
    return t, sat.limited


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6", "leaky_relu"])
@pytest.mark.parametrize("clip, slope", [(24576, 9830), (32767, 32767), (0, 0), (32766, 1)])
def test_activations(activation, clip, slope):
    t = np.array([*WORDS[::5], *EXTREMES, 32768, -32768, 2**31 - 1, -(2**31), 24576, 24577])
    expected = [activated(int(v), activation, clip, slope) for v in t]
    counter = fixed.Counter()
    assert fixed.activate(t, activation, clip, slope, counter).tolist() == [v for v, _ in expected]
    assert counter.count == sum(count for _, count in expected)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_tables_limit_their_input_without_counting(activation):
    counter = fixed.Counter()
    t = np.array([-(2**31), -32768, 32768, 2**31 - 1])
    ends = fixed.interpolate(np.array([-32767, -32767, 32767, 32767]), activation)
    assert fixed.activate(t, activation, 0, 0, counter).tolist() == ends.tolist()
    assert counter.count == 0


def test_activation_parameters():
    assert fixed.clip_word(-12) == 24576 and fixed.clip_word(-110) == 32767
    assert fixed.clip_word(1) == 3 and fixed.clip_word(110) == 0
    assert fixed.slope_word(0.3) == 9830 and fixed.slope_word(0.99999) == 32767


# -- transforms ---------------------------------------------------------------------------------


def schedules(rng, k, count):
    stages = fixed.stage_count(k)
    yield (0,) * stages
    yield (1,) * stages
    for _ in range(count):
        yield tuple(rng.integers(0, 2, stages).tolist())


@pytest.mark.parametrize("k", BLOCK_SIZES)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_transform_is_the_plain_one(k, direction):
    rng = np.random.default_rng([k, len(direction)])
    transform = getattr(fixed, f"{direction}_transform")
    limited = 0
    for shifts in schedules(rng, k, 4):
        x = np.stack(
            [rng.integers(-(2**bits) + 1, 2**bits, k) for bits in (4, 11, 13, 15)]
            + [rng.choice(EXTREMES, k), rng.choice([-32767, 32767], k)]
        )
        sat, counter = plain.Words(), fixed.Counter()
        expected = [getattr(plain, direction)(block, shifts, sat) for block in x.tolist()]
        assert transform(x, shifts, counter.saturate).tolist() == expected
        assert counter.count == sat.limited
        limited += sat.limited
    assert limited > 0 or k == 1 or (k, direction) == (2, "inverse")  # which cannot saturate


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_transform_of_every_extreme(k, direction):
    x = np.array(list(itertools.product(EXTREMES, repeat=k)))[:: 1 if k == 2 else 5]
    for shifts in itertools.product((0, 1), repeat=fixed.stage_count(k)):
        sat = plain.Words()
        expected = [getattr(plain, direction)(block, shifts, sat) for block in x.tolist()]
        assert getattr(fixed, f"{direction}_transform")(x, shifts).tolist() == expected


def error_bound(shifts):
    """Largest error of a component in words, when no word saturates.

    A rotation turns an error e into at most sqrt(2) e, its twiddle is off by at most 2^-15 for 1
    part and 2^-16 for the other of a point of magnitude 2^15 (1.2), and it rounds once (0.5); a
    halving halves the sum of both errors and rounds once more.  Split and merge halve first,
    which costs another 0.5 on each side.
    """
    error = 0.0
    for shift in shifts:
        e = error + 0.5
        error = (e + math.sqrt(2) * e + 1.7) / 2**shift + 0.5 * shift
    return error


@pytest.mark.parametrize("k", BLOCK_SIZES[1:])
def test_transforms_are_numpys(k):
    rng = np.random.default_rng(k)
    shifts = (1,) * fixed.stage_count(k)  # so that no magnitude grows
    x = rng.integers(-23000, 23001, (200, k))
    counter = fixed.Counter()
    spectrum = fixed.forward_transform(x, shifts, counter.saturate)
    error = spectrum - half_spectrum(x) / 2.0 ** len(shifts)
    assert np.abs(error).max() <= error_bound(shifts)
    assert np.sqrt(np.mean(error**2)) < 1.0 and abs(error.mean()) < 0.3

    y = rng.integers(-11000, 11001, (200, k))
    words = fixed.inverse_transform(y, shifts, counter.saturate)
    error = words - from_half_spectrum(y) * (k / 2) / 2.0 ** len(shifts)
    assert np.abs(error).max() <= error_bound(shifts)
    assert np.sqrt(np.mean(error**2)) < 1.0
    assert counter.count == 0


# -- the host's side ----------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-110, -15, -12, 0, 3, 100])
def test_input_is_limited_then_rounded_half_to_even(exponent):
    unit = 2.0**exponent
    words = [0, 0.5, 1.5, 2.5, -0.5, -1.5, 32766.5, 32767, 32767.49, 32767.5, -32768, 1e6, -1e6]
    expected = [0, 0, 2, 2, 0, -2, 32766, 32767, 32767, 32767, -32767, 32767, -32767]
    counter = fixed.Counter()
    x = (np.array(words) * unit).astype(np.float32)
    assert fixed.quantize_input(x, exponent, counter.saturate).tolist() == expected
    assert counter.count == 4  # 32767.5 rounds to 32768
    back = fixed.dequantize(WORDS, exponent)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.astype(np.float64), WORDS * unit)
    np.testing.assert_array_equal(fixed.quantize_input(back, exponent), WORDS)


def test_input_of_the_largest_floats_is_limited():
    x = np.array([np.finfo(np.float32).max, -np.finfo(np.float32).max, 1e-45], dtype=np.float32)
    assert fixed.quantize_input(x, -110).tolist() == [32767, -32767, 0]


@pytest.mark.parametrize("exponent", range(-15, 12))
@pytest.mark.parametrize(
    "scale, offset", [(1 / 255, 0.0), (1 / 16, 0.0), (2 / 255, -1.0), (0.5, -64)]
)
def test_bytes_are_read_as_the_floats_they_stand_for(scale, offset, exponent):
    u = np.arange(256, dtype=np.uint8)
    rule = fixed.byte_rule(scale, offset, exponent)
    words = fixed.quantize_bytes(u, rule)
    exact = np.clip((u * scale + offset) / 2.0**exponent, -32767, 32767)
    assert np.all(np.abs(words - exact) <= 0.5 + (255 + 1) * 0.5 / 2 ** rule[2])
    if math.log2(scale).is_integer():  # the factor is exact: only halves may differ
        floats = fixed.quantize_input((u * scale + offset).astype(np.float32), exponent)
        halves = exact % 1 == 0.5
        np.testing.assert_array_equal(words[~halves], floats[~halves])


@pytest.mark.parametrize(
    "scale, offset, exponent",
    [(1e6, 0.0, -15), (1.0, 1e6, -110), (1e-6, 1e6, 5), (1e-6, 0.0, 110)],
)
def test_byte_rules_that_would_lose_everything_are_refused(scale, offset, exponent):
    with pytest.raises(ValueError, match="must fit the input's exponent"):
        fixed.byte_rule(scale, offset, exponent)
