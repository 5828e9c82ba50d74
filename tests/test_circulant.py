"""Block-circulant mathematics against SciPy, NumPy and least squares."""

import numpy as np
import pytest
import scipy.linalg

from pynq_circnn.arithmetic import circulant
from pynq_circnn.contract import BLOCK_SIZES


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


@pytest.mark.parametrize("k", BLOCK_SIZES)
def test_expand_is_scipys_circulant(k):
    vectors = random(2, 3, k)
    blocks = [[scipy.linalg.circulant(w) for w in row] for row in vectors]
    np.testing.assert_array_equal(circulant.expand(vectors), np.block(blocks))


@pytest.mark.parametrize("k", [1, 2, 8])
def test_vectors_of_c3a_have_the_index_reversed(k):
    """PEFT's C3A, by its formula, equals our product with the converted vectors."""
    c3a, x = random(3, 2, k), random(5, 2, k)
    spectra = np.einsum("snk,mnk->smk", np.fft.ifft(x), np.fft.fft(c3a))
    y = np.fft.fft(spectra).real.reshape(5, 3 * k) / (2 * k)  # C3A divides by the inputs
    ours = np.roll(c3a[..., ::-1], 1, axis=-1) / (2 * k)
    np.testing.assert_allclose(circulant.product(ours, x.reshape(5, 2 * k)), y, atol=1e-12)
    np.testing.assert_array_equal(np.roll(ours[..., ::-1], 1, axis=-1) * (2 * k), c3a)
    if k > 2:  # blocks of 1 and 2 are their own reverse
        wrong = circulant.product(c3a / (2 * k), x.reshape(5, 2 * k))
        assert np.abs(wrong - y).max() > 0.01


def test_expand_keeps_leading_axes_and_cuts():
    vectors = random(3, 5, 2, 2, 4)
    dense = circulant.expand(vectors, (7, 5))
    assert dense.shape == (3, 5, 7, 5)
    np.testing.assert_array_equal(dense[1, 2], circulant.expand(vectors[1, 2])[:7, :5])


@pytest.mark.parametrize(
    "m, n, k",
    [(4, 4, 4), (8, 4, 4), (5, 7, 4), (3, 9, 8), (9, 2, 8), (1, 1, 2), (6, 5, 1), (2, 3, 16)],
)
def test_nearest_is_the_least_squares_solution(m, n, k):
    matrix = random(m, n, seed=k)
    p, q = circulant.block_grid(m, n, k)
    units = np.eye(p * q * k).reshape(-1, p, q, k)
    basis = circulant.expand(units, (m, n)).reshape(len(units), -1).T
    solution = np.linalg.lstsq(basis, matrix.ravel(), rcond=None)[0]  # of least norm: zeros for
    np.testing.assert_allclose(  # the diagonals that do not exist
        circulant.nearest(matrix, k).ravel(), solution, atol=1e-12
    )


@pytest.mark.parametrize("k", [2, 8, 32])
def test_nearest_gives_back_what_is_circulant(k):
    vectors = random(4, 2, 3, k)
    np.testing.assert_allclose(circulant.nearest(circulant.expand(vectors), k), vectors)


@pytest.mark.parametrize("k", BLOCK_SIZES)
def test_half_spectrum_is_numpys_and_is_inverted(k):
    x = random(3, 5, k)
    packed = circulant.half_spectrum(x)
    full = np.fft.fft(x)
    expected = np.empty_like(x)
    expected[..., 0] = full[..., 0].real
    if k > 1:
        expected[..., 1] = full[..., k // 2].real
        expected[..., 2::2] = full[..., 1 : k // 2].real
        expected[..., 3::2] = full[..., 1 : k // 2].imag
    np.testing.assert_allclose(packed, expected, atol=1e-12)
    np.testing.assert_allclose(circulant.from_half_spectrum(packed), x, atol=1e-12)


@pytest.mark.parametrize("k", BLOCK_SIZES)
@pytest.mark.parametrize("short", [0, 1])
def test_product_is_the_dense_product(k, short):
    vectors = random(2, 3, k)
    n = 3 * k - min(short, k - 1)
    x = random(4, 5, n)
    expected = x @ circulant.expand(vectors)[:, :n].T
    np.testing.assert_allclose(circulant.product(vectors, x), expected, atol=1e-10)


def test_spectral_product_of_words_is_exact():
    rng = np.random.default_rng(0)
    w, x = rng.choice([-32767, 32767, 12345], (2, 1, 4096, 4))
    out = circulant.spectral_product(w, x)
    w, x = w[0].astype(object), x[0].astype(object)
    pairs = [
        (w[:, 0] * x[:, 0]).sum(),
        (w[:, 1] * x[:, 1]).sum(),
        (w[:, 2] * x[:, 2] - w[:, 3] * x[:, 3]).sum(),
        (w[:, 2] * x[:, 3] + w[:, 3] * x[:, 2]).sum(),
    ]
    assert out.ravel().tolist() == pairs


@pytest.mark.parametrize("block", [0, -1, 3, 12, 512, 2.5, "8", None, True, np.bool_(True)])
def test_bad_blocks_are_refused(block):
    with pytest.raises(ValueError, match="power of two from 1 to 256"):
        circulant.check_block(block)


def test_blocks_come_back_as_int():
    assert type(circulant.check_block(np.int64(8))) is int


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: circulant.nearest(np.zeros(3), 2), "matrix must have at least 2 dimensions"),
        (lambda: circulant.expand(np.zeros((2, 4))), "must have shape"),
        (lambda: circulant.expand(np.zeros((1, 1, 3))), "power of two"),
        (lambda: circulant.expand(np.zeros((1, 1, 4)), (5, 4)), "must cut into 1 x 1 blocks of 4"),
        (lambda: circulant.expand(np.zeros((2, 1, 4)), (4, 4)), "must cut into 2 x 1"),
        (lambda: circulant.product(np.zeros((1, 2, 4)), np.zeros(4)), "5 to 8 elements"),
        (lambda: circulant.product(np.zeros((1, 2, 4)), np.zeros((3, 9))), "5 to 8 elements"),
        (lambda: circulant.product(np.zeros((1, 2, 4)), np.float64(3)), "5 to 8 elements"),
        (lambda: circulant.half_spectrum(np.zeros(6)), "power of two"),
    ],
)
def test_bad_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
