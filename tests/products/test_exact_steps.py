"""The steps of `EXACT`: proofs, bounds, error-free sums, tiles, stacks and threads."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

from refnum.products import EXACT, PAIRWISE, SEQUENTIAL, matmul
from refnum.products.certify import lengths_of
from refnum.products.error_free import exact_dots
from refnum.products.exact import exact_product
from refnum.products.kulisch import kulisch_product
from refnum.products.proofs import Method, _bits, choose
from refnum.products.rounding import round_fraction, two_product

FACTORS = (1.0, -1.0, 2.0**-140, float(np.float32(0.3)) * float(np.float32(-1.7)))
CANONICAL = np.uint32(0x7FC00000)


def assert_same_bits(result, expected):
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.view(np.uint32), expected.view(np.uint32))


def normal(rng, *shape, spread=0):
    scale = np.exp2(rng.integers(-spread, spread + 1, shape))
    return (rng.normal(size=shape) * scale).astype(np.float32)


def dot(x, y, factor):
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    exact = sum((Fraction(p) * Fraction(q) for p, q in pairs), Fraction())
    return round_fraction(exact * Fraction(factor))


def hard_pairs(rng, depth):
    """Rows whose dot products are wide, tiny, huge, cancelling, zero or near a tie."""
    half = depth // 2
    for spread in (0, 10, 60, 120):
        x, y = normal(rng, depth, spread=spread), normal(rng, depth)
        yield x.copy(), y.copy()
        x[half : 2 * half], y[half : 2 * half] = -x[:half], y[:half]
        x[2 * half :] = 0
        yield x.copy(), y
        x[0] = np.nextafter(x[0], np.float32(9))
        yield x, y
    tie = np.zeros(depth, np.float32)
    for last in (0.0, 2.0**-149, -(2.0**-149), 2.0**-60):
        tie[[0, half, -1]] = 1, 2.0**-24, last
        yield tie.copy(), np.ones(depth, np.float32)
        yield -tie, np.ones(depth, np.float32)
    yield np.full(depth, 2.0**-149, np.float32), np.full(depth, 0.3, np.float32)
    yield np.full(depth, 2.0**126, np.float32), np.full(depth, 1.7, np.float32)
    yield np.zeros(depth, np.float32), -np.ones(depth, np.float32)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("depth", [4, 37, 300])
def test_error_free_dots_equal_fractions(depth, factor):
    pairs = list(hard_pairs(np.random.default_rng(depth), depth))
    x, y = (np.array(part, np.float64) for part in zip(*pairs, strict=True))
    expected = np.array([dot(p, q, factor) for p, q in zip(x, y, strict=True)])
    with np.errstate(all="ignore"):
        for in_range, exact_products in ((True, True), (True, False), (False, False)):
            method = Method(False, exact_products, in_range, np.dtype(np.float64))
            result = exact_dots(x, y, factor, method)
            assert_same_bits(result, expected)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_hard_pairs_equal_fractions(dtype, factor):
    pairs = list(hard_pairs(np.random.default_rng(1), 40))[::3]
    x, y = (np.array(part, dtype) for part in zip(*pairs, strict=True))
    if dtype == np.float64:
        x, y = x * (1 + 2.0**-50), y * (1 - 2.0**-51)
    expected = [[dot(p, q, factor) for q in y] for p in x]
    assert_same_bits(exact_product(x, y.T, factor), np.array(expected))


def test_two_product_keeps_the_error():
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, 500)) * np.exp2(rng.integers(-300, 300, (2, 500)))
    for y in (1 / 3, -(2.0**200), 1e-60, z):
        total, error = two_product(x, y)
        others = np.broadcast_to(y, x.shape).tolist()
        for p, q, high, low in zip(x.tolist(), others, total, error, strict=True):
            assert Fraction(p) * Fraction(q) == Fraction(high) + Fraction(low)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_bound_every_value(dtype):
    rng = np.random.default_rng(3)
    codes = rng.integers(-7, 8, 200).astype(dtype)
    tiny = dtype(np.finfo(dtype).smallest_subnormal)
    for x in (
        codes,
        codes * np.exp2(rng.integers(-9, 9, 200)).astype(dtype),
        rng.normal(size=200).astype(dtype),
        np.append(codes, tiny * 3),
        np.append(codes, [np.inf, np.nan]).astype(dtype),
        np.array([0.0, -0.0], dtype),
        np.array([-(2.0**100), 2.0**-100], dtype),
    ):
        bits = _bits(x)
        finite = [Fraction(v) for v in x.tolist() if np.isfinite(v)]
        assert bits.finite == (len(finite) == x.size)
        for value in map(abs, finite):
            assert value < Fraction(2) ** bits.high or not value
            assert (value / Fraction(2) ** bits.unit).denominator == 1
            assert not value or value >= Fraction(2) ** bits.low
            ratio = value.numerator.bit_length(), value.denominator.bit_length()
            last = (value.numerator & -value.numerator).bit_length()
            assert not value or ratio[0] - last + 1 <= bits.significant
    assert 3 <= _bits(codes).span <= 5
    assert _bits(codes[:0]).span == 0


def test_methods_are_chosen_by_what_is_proved():
    rng = np.random.default_rng(4)
    codes = rng.integers(-7, 8, (2, 1, 24, 24)).astype(np.float32)
    scaled = codes * np.exp2(rng.integers(0, 8, (24, 1))).astype(np.float32)
    assert choose(*codes, 1.0).arithmetic == np.float32
    assert choose(*scaled, 1.0).arithmetic == np.float64
    assert choose(*scaled, 1.0).never_rounds
    noise = normal(rng, 2, 1, 24, 24)
    assert not choose(*noise, 1.0).never_rounds
    one = codes.copy()
    one[0, 0, 5, 5] = 1 + 2.0**-23  # not among those looked at first
    assert choose(*one, 1.0).never_rounds
    one[1, 0, 5, 5] = 2.0**-60
    assert not choose(*one, 1.0).never_rounds
    assert not choose(codes[0] * np.nan, codes[1], 1.0).never_rounds
    assert not choose(noise[0].astype(float) * 1e200, noise[1], 1.0).in_range
    for pair in (codes, scaled, one):
        left, right = pair[:, 0]
        assert_same_bits(matmul(left, right), kulisch_product(left, right))


def test_order_of_terms_and_layout_change_nothing():
    rng = np.random.default_rng(5)
    a, b = normal(rng, 530, 300, spread=3), normal(rng, 300, 700, spread=3)
    expected = matmul(a, b)
    for order in (np.arange(300)[::-1], rng.permutation(300)):
        assert_same_bits(matmul(a[:, order], b[order]), expected)
    assert_same_bits(matmul(np.asfortranarray(a), np.asfortranarray(b)), expected)
    wide = np.zeros((530, 600), np.float32)
    wide[:, ::2] = a
    assert_same_bits(matmul(wide[:, ::2], b[::-1][::-1]), expected)
    assert_same_bits(matmul(b.T, a.T).T.copy(), expected)
    for i, j in ((0, 0), (511, 512), (529, 699), (512, 3)):
        assert expected[i, j] == dot(a[i], b[:, j], 1)


def test_lengths_of_rows_and_columns_may_differ_much():
    rng = np.random.default_rng(6)
    for exponents in (rng.integers(-20, 21, 20), rng.integers(-70, 50, 20)):
        scale = np.exp2(exponents).astype(np.float32)
        a, b = normal(rng, 20, 30), normal(rng, 30, 20)
        for x, y in ((a, b * scale), (a * scale[:, None], b)):
            assert_same_bits(matmul(x, y), kulisch_product(x, y))


@pytest.mark.parametrize("exponent", [-149, -140, -75, -63, -40, 0, 60, 63, 100])
@pytest.mark.parametrize("depth", [1, 30, 200])
def test_lengths_are_upper_bounds(depth, exponent):
    rng = np.random.default_rng(depth)
    x = np.ldexp(normal(rng, 2, 7, depth), exponent).astype(np.float32)
    x[1, 3] = 0
    x[1, 4, 0] = 1
    exact = [
        [sum(Fraction(v) ** 2 for v in row) for row in part] for part in x.tolist()
    ]
    turned = np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)
    for given in (x, turned, x.astype(np.float64)):
        with np.errstate(over="ignore", under="ignore"):
            found = lengths_of(given)
        assert found.special is None
        for squares, values in zip(exact, found.values.tolist(), strict=True):
            for square, value in zip(squares, values, strict=True):
                bound = Fraction(value) ** 2 * (1 + Fraction(1, 2**40))
                assert square <= bound <= square * Fraction(101, 100)
    x[0, 2, 0], x[0, 5, 0] = np.nan, -np.inf
    with np.errstate(all="ignore"):
        found = lengths_of(x)
    assert np.argwhere(found.special).tolist() == [[0, 2], [0, 5]]
    assert (found.values[0, [2, 5]] == 0).all()


@pytest.mark.parametrize("short", [1, 10, 40])
def test_few_or_many_short_rows_and_columns(short):
    rng = np.random.default_rng(short)
    a, b = normal(rng, 130, 10), normal(rng, 10, 9)
    a[:short] *= np.float32(2.0**-30)
    a[short : 2 * short] = 0
    expected = kulisch_product(a, b)
    assert_same_bits(matmul(a, b), expected)
    assert_same_bits(matmul(b.T, a.T), np.ascontiguousarray(expected.T))


def test_long_sums_are_added_in_pieces():
    rng = np.random.default_rng(11)
    for depth in (513, 1024, 1500):
        a, b = normal(rng, 5, depth, spread=2), normal(rng, depth, 6, spread=2)
        half = depth // 2
        a[:3, half : 2 * half] = -a[:3, :half]  # what cancels lies far apart
        b[half : 2 * half, :3] = b[:half, :3]
        assert_same_bits(matmul(a, b), kulisch_product(a, b))


@pytest.mark.parametrize("shapes", [((5, 9, 7), (5, 7, 4)), ((2, 3, 9, 7), (3, 7, 4)),
    ((3, 9, 7), (7, 4)), ((9, 7), (3, 7, 4)), ((2, 1, 9, 7), (1, 3, 7, 4)),
    ((0, 9, 7), (0, 7, 4)), ((3, 9, 0), (0, 4)), ((3, 0, 7), (3, 7, 0))])  # fmt: skip
def test_stacks_are_products_of_their_matrices(shapes):
    rng = np.random.default_rng(7)
    a, b = (normal(rng, *shape, spread=5) for shape in shapes)
    for accumulator in (EXACT, SEQUENTIAL, PAIRWISE):
        result = matmul(a, b, accumulator=accumulator)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left = np.broadcast_to(a, batch + a.shape[-2:])
        right = np.broadcast_to(b, batch + b.shape[-2:])
        assert result.shape == (*batch, a.shape[-2], b.shape[-1])
        for place in np.ndindex(batch):
            single = matmul(left[place], right[place], accumulator=accumulator)
            assert_same_bits(result[place], single)


def test_many_small_matrices_and_their_transposes():
    rng = np.random.default_rng(8)
    a, b = normal(rng, 40, 70, 33, spread=4), normal(rng, 40, 33, 90, spread=4)
    result = matmul(a, b)
    other = matmul(b.swapaxes(1, 2), a.swapaxes(1, 2)).swapaxes(1, 2)
    assert_same_bits(result, np.ascontiguousarray(other))
    for k in (0, 17, 39):
        assert_same_bits(result[k], matmul(a[k], b[k]))
    assert_same_bits(result[3, :5, :5], kulisch_product(a[3, :5], b[3, :, :5]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values_in_a_stack(dtype):
    rng = np.random.default_rng(9)
    a, b = normal(rng, 3, 20, 11).astype(dtype), normal(rng, 3, 11, 15).astype(dtype)
    clean = matmul(a, b)
    a[1, 2, 3], a[1, 4, 5], a[1, 4, 6] = np.inf, np.inf, -np.inf
    b[1, 3, 7], b[2, 1, 1], b[2, 0, 2] = 0, np.nan, -np.inf
    result = matmul(a, b)
    touched = np.zeros(result.shape, bool)
    touched[1, [2, 4]] = touched[2, :, [1, 2]] = touched[1, :, 7] = True
    assert_same_bits(result[~touched], clean[~touched])
    with np.errstate(invalid="ignore"):
        ieee = (a[..., None].astype(float) * b[:, None]).sum(axis=2)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(ieee))
    np.testing.assert_array_equal(np.isposinf(result), np.isposinf(ieee))
    np.testing.assert_array_equal(np.isneginf(result), np.isneginf(ieee))
    assert np.isnan(result[1, 2, 7])
    assert (result.view(np.uint32)[np.isnan(result)] == CANONICAL).all()


def test_a_factor_of_zero_or_beyond_the_range():
    a, b = np.array([[3.0, -1.0]], np.float32), np.array([[1.0], [2.0]], np.float32)
    assert_same_bits(exact_product(-a, b, 0.0), np.zeros((1, 1), np.float32))
    assert exact_product(a * 2.0**100, b, 2.0**-400) == 0
    huge = np.float64(2.0**700)
    assert exact_product(a * huge, b, 2.0**-690) == 2.0**10


def test_threads_share_no_memory():
    rng = np.random.default_rng(10)
    pairs = [(normal(rng, 90, 80), normal(rng, 80, 70 + k)) for k in range(24)]
    expected = [matmul(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        for result, right in zip(
            pool.map(lambda pair: matmul(*pair), pairs * 3), expected * 3, strict=True
        ):
            assert_same_bits(result, right)
