"""Fixed float32 orders against loops of single operations, and what matmul refuses."""

from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum.products import EXACT, FMA_CHAIN, PAIRWISE, SEQUENTIAL, matmul
from refnum.products.rounding import round_fraction


def one(a, b, accumulator):
    """One output, by scalar float32 operations."""
    with np.errstate(all="ignore"):
        if accumulator is PAIRWISE:
            return pairwise([x * y for x, y in zip(a, b, strict=True)])
        total = np.float32(0)
        for x, y in zip(a, b, strict=True):
            if accumulator is FMA_CHAIN:
                exact = Fraction(x.item()) * Fraction(y.item()) + Fraction(total.item())
                total = round_fraction(exact)
            else:
                total = total + x * y
        return total


def pairwise(products):
    if len(products) == 1:
        return products[0]
    left = 1 << ((len(products) - 1).bit_length() - 1)
    return pairwise(products[:left]) + pairwise(products[left:])


@pytest.mark.parametrize("accumulator", [SEQUENTIAL, PAIRWISE, FMA_CHAIN])
@pytest.mark.parametrize("depth", [1, 2, 3, 13, 64])
@pytest.mark.parametrize("scale", [1.0, 2.0**-70])
def test_equals_single_operations(accumulator, depth, scale):
    rng = np.random.default_rng(depth)
    wide = np.exp2(rng.integers(-12, 13, (2, 6, depth))) * scale
    a, b = (rng.normal(size=(2, 6, depth)) * wide).astype(np.float32)
    result = matmul(a, b.T, accumulator=accumulator)
    expected = [[one(x, y, accumulator) for y in b] for x in a]
    np.testing.assert_array_equal(result, np.array(expected, np.float32))


def test_fma_chains_break_ties_with_the_exact_product():
    # The second product is 2**-24 - 2**-70: with the first, just short of a tie.
    ulp = 2.0**-23
    a = np.array([[1 + ulp, 2.0**-12 * (1 + ulp)]], np.float32)
    b = np.array([[1.0], [2.0**-12 * (1 - ulp)]], np.float32)
    assert matmul(a, b, accumulator=FMA_CHAIN) == np.float32(1 + ulp)
    assert matmul(a, b, accumulator=SEQUENTIAL) == np.float32(1 + 2 * ulp)


def test_orders_differ():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 40)).astype(np.float32)
    orders = (EXACT, SEQUENTIAL, PAIRWISE, FMA_CHAIN)
    results = [matmul(a, b, accumulator=order) for order in orders]
    assert len({r.tobytes() for r in results}) == 4


def test_one_nan_whatever_came_in():
    a = np.array([[0xFFC12345, 0x7F812345]], np.uint32).view(np.float32)
    ones = np.ones((2, 2), np.float32)
    for order in (SEQUENTIAL, PAIRWISE, FMA_CHAIN):
        assert (matmul(a, ones, accumulator=order).view(np.uint32) == 0x7FC00000).all()


@pytest.mark.parametrize("order", [EXACT, SEQUENTIAL, PAIRWISE, FMA_CHAIN])
def test_shapes(order):
    a, b = np.ones((2, 1, 3, 4), np.float32), np.ones((5, 4, 6), np.float32)
    assert matmul(a, b, accumulator=order).shape == (2, 5, 3, 6)
    empty = matmul(a[..., :0], b[:, :0], accumulator=order)
    assert not empty.any()
    assert matmul(a[..., :0, :], b, accumulator=order).shape == (2, 5, 0, 6)


def test_several_tiles():
    rng = np.random.default_rng(1)
    a = rng.integers(-4, 5, (300, 20)).astype(np.float32)
    b = rng.integers(-4, 5, (20, 530)).astype(np.float32)
    for order in (EXACT, SEQUENTIAL, PAIRWISE, FMA_CHAIN):
        np.testing.assert_array_equal(matmul(a, b, accumulator=order), a @ b)


def test_quantized_factors_are_dequantised_to_float32():
    x = rn.quantize(np.linspace(-3, 5, 64, dtype=np.float32).reshape(2, 32), rn.MXFP4)
    y = np.ones((32, 2), np.float32)
    by_hand = matmul(rn.dequantize(x), y, accumulator=SEQUENTIAL)
    np.testing.assert_array_equal(matmul(x, y, accumulator=SEQUENTIAL), by_hand)


def test_integers_are_taken_where_floats_hold_them():
    a = np.array([[1 << 30, 3]])
    assert matmul(a, a.T) == np.float32((1 << 60) + 9)
    with pytest.raises(ValueError, match="integers that float64 does not"):
        matmul(np.array([[(1 << 60) + 1]]), np.ones((1, 1)))


def test_wrong_factors():
    ones = np.ones((2, 2), np.float32)
    with pytest.raises(TypeError, match="round it first"):
        matmul(ones.astype(np.float64), ones, accumulator=SEQUENTIAL)
    with pytest.raises(TypeError, match="must hold float16, float32, float64"):
        matmul(ones, ones.astype(complex))
    with pytest.raises(TypeError, match="must be an Accumulator"):
        matmul(ones, ones, accumulator="exact")
    with pytest.raises(ValueError, match="must be a matrix"):
        matmul(ones[0], ones)
    with pytest.raises(ValueError, match="a has K = 2 columns, but b has 1 rows"):
        matmul(ones, ones[:1])
    with pytest.raises(ValueError, match="do not match"):
        matmul(ones[None].repeat(2, 0), ones[None].repeat(3, 0))
