"""`EXACT` against integers, `math.fsum` and other BLAS kernels."""

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum.products import kulisch_window, matmul
from refnum.products.exact import exact_product
from refnum.products.kulisch import kulisch_product
from refnum.products.rounding import round_fraction

from .._machines import MACHINES, printed_on


def factors(rng, spread, shape=(17, 33, 19)):
    m, depth, n = shape
    pair = []
    for size in ((m, depth), (depth, n)):
        scale = np.exp2(rng.integers(-spread, spread + 1, size))
        pair.append((rng.normal(size=size) * scale).astype(np.float32))
    return pair


def assert_same_bits(result, expected):
    np.testing.assert_array_equal(result.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("spread", [0, 5, 20, 60])
def test_equals_integer_arithmetic(spread):
    a, b = factors(np.random.default_rng(spread), spread)
    for x, y in (
        (a, b),
        (np.round(a), np.round(b)),
        (np.concatenate([a, a], 1), np.concatenate([b, -b], 0)),
        (np.concatenate([a, a[:, :2]], 1), np.concatenate([b, b[:2] * 2**-30], 0)),
        (a * np.float32(2.0**-60), b * np.float32(2.0**-80)),
        (a.astype(np.float64) * (1 + 2.0**-40), b.astype(np.float64) * (1 - 2.0**-43)),
        (a.astype(np.float64) * 2.0**-600, b.astype(np.float64) * 2.0**590),
        (np.clip(a, -6e4, 6e4).astype(np.float16), b),
    ):
        assert_same_bits(matmul(x, y), kulisch_product(x, y))


def test_equals_fsum_on_wide_ranges():
    a, b = factors(np.random.default_rng(1), 30, (40, 64, 50))
    result = matmul(a, b)
    for i in range(40):
        for j in range(50):
            products = (a[i].astype(np.float64) * b[:, j]).tolist()
            assert result[i, j] == np.float32(math.fsum(products))


def test_ties_go_to_even_and_are_broken_by_the_smallest_product():
    half = np.float32(2.0**-24)
    for tiny, expected in ((0.0, 1.0), (2.0**-140, 1 + 2.0**-23), (-(2.0**-140), 1.0)):
        a = np.array([[1.0, half, tiny]], np.float32)
        assert matmul(a, np.ones((3, 1), np.float32)) == np.float32(expected)


def test_cancellation_to_the_last_bit():
    a = np.array([[2.0**60, 1.0, -(2.0**60), 2.0**-60]], np.float32)
    b = np.array([[2.0**60, 1.0, 2.0**60, 2.0**-60]], np.float32).T
    assert matmul(a, b) == np.float32(1.0)
    a[0, 1] = 0
    assert matmul(a, b) == np.float32(2.0**-120)


def test_zeros_are_positive_and_underflow_keeps_its_sign():
    a = np.array([[-1.0, 1.0], [-0.0, -0.0], [-(2.0**-100), 0.0]], np.float32)
    b = np.array([[1.0, 2.0**-100], [1.0, 0.0]], np.float32)
    result = matmul(a, b)
    assert_same_bits(result[:2, 0], np.zeros(2, np.float32))
    assert result[2, 1] == 0
    assert np.signbit(result[2, 1])


def test_overflow_and_special_values_follow_ieee():
    inf, nan = np.inf, np.nan
    a = np.array([[2.0**127, 2.0**127], [inf, 1], [inf, -inf], [nan, 0]], np.float32)
    ones = np.ones((2, 1), np.float32)
    np.testing.assert_array_equal(matmul(a, ones)[:, 0], [inf, inf, nan, nan])
    zeros = np.zeros((2, 1), np.float32)
    np.testing.assert_array_equal(matmul(a, zeros)[:, 0], [0, nan, nan, nan])
    back = np.array([[2.0], [-2.0]], np.float32)
    assert matmul(a[:1], back) == 0


def test_float64_products_may_leave_its_range():
    a, b = np.array([[1e300, 1e300]]), np.array([[1e300], [-1e300]])
    assert matmul(a, b) == 0
    assert matmul(a, np.abs(b)) == np.inf
    assert matmul(np.array([[1e-300, 1e-10]]), np.array([[1e-300], [1e-10]])) == (
        np.float32(1e-20)
    )


def test_a_common_factor_is_applied_before_the_one_rounding():
    rng = np.random.default_rng(3)
    a, b = factors(rng, 3, (6, 20, 5))
    factor = float(np.float32(0.3)) * float(np.float32(1.7))
    expected = np.zeros((6, 5), np.float32)
    for i in range(6):
        for j in range(5):
            pairs = zip(a[i].tolist(), b[:, j].tolist(), strict=True)
            exact = sum(Fraction(x) * Fraction(y) for x, y in pairs)
            expected[i, j] = round_fraction(exact * Fraction(factor))
    assert_same_bits(exact_product(a, b, factor), expected)


@pytest.mark.parametrize("preset", ["NVFP4", "MXFP8_E5M2", "MXINT8", "UE5M3FP4"])
def test_quantized_factors_are_exact(preset):
    rng = np.random.default_rng(4)
    block_format = getattr(rn, preset)
    x = rn.quantize(rng.normal(size=(5, 64)).astype(np.float32), block_format)
    y = rn.quantize(rng.normal(size=(64, 4)).astype(np.float32), block_format, axis=0)
    values = rn.dequantize(x, np.float64), rn.dequantize(y, np.float64)
    assert_same_bits(matmul(x, y), kulisch_product(*values))
    ones = np.ones((64, 3), np.float32)
    assert_same_bits(matmul(x, ones), kulisch_product(values[0], ones))


PROGRAM = """
import hashlib
import numpy as np
from refnum.products import matmul
rng = np.random.default_rng(7)
scale = np.exp2(rng.integers(-8, 9, (2, 300, 300)))
a, b = (rng.normal(size=(2, 300, 300)) * scale).astype(np.float32)
print(hashlib.sha256(matmul(a, b).tobytes()).hexdigest())
"""


def test_kernels_and_threads_change_nothing():
    digests = {printed_on(machine, PROGRAM) for machine in MACHINES}
    assert len(digests) == 1
    assert len(digests.pop()) == hashlib.sha256().digest_size * 2


def test_windows_hold_every_product():
    assert kulisch_window(rn.E5M2, rn.E5M2).high == 31
    assert kulisch_window(rn.FP16, rn.FP16).low == -48
    window = kulisch_window(rn.E4M3, rn.E4M3, terms=171196)
    assert window.high + window.carries - window.low + 1 == 53
    assert kulisch_window(rn.E4M3, rn.E4M3, terms=171197).bits == window.bits + 1
    with pytest.raises(ValueError, match="terms = 0 is not positive"):
        kulisch_window(rn.E4M3, rn.E4M3, terms=0)


def test_round_fraction_at_the_ends():
    assert round_fraction(Fraction(10) ** 400) == np.inf
    assert round_fraction(-(Fraction(10) ** 400)) == -np.inf
    assert np.signbit(round_fraction(-(Fraction(1, 10) ** 400)))
    assert round_fraction(Fraction(1, 2**150)) == 0
    assert round_fraction(Fraction(1, 2**150) + Fraction(1, 2**1100)) == 2.0**-149
