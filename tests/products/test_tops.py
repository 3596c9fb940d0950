"""Largest exponents by a matrix product equal those found one by one."""

import numpy as np
import pytest

from refnum.formats import BF16
from refnum.products.lanes import LANES, Panel
from refnum.products.operands import Operand
from refnum.products.tops import Tops

NARROW, WIDE = LANES
ALL = slice(None)


def panel(exponents, zero):
    """A panel of powers of two, and of zeros."""
    values = np.where(zero, 0.0, np.ldexp(1.0, exponents))
    used = exponents[~zero]
    bounds = (int(used.min()), int(used.max())) if used.size else (0, 0)
    operand = Operand(np.zeros(exponents.T.shape, np.uint16), BF16)
    special = np.zeros(exponents.shape[1], bool)
    return Panel(operand, values, exponents.astype(np.int32), special, *bounds)


def one_by_one(a, b):
    """2 to the largest exponent of all products, 0 where there is none."""
    sums = (a.exponents[:, :, None] + b.exponents[:, None, :]).astype(np.float64)
    sums[(a.values[:, :, None] * b.values[:, None, :]) == 0] = -np.inf
    return np.exp2(sums.max(axis=0))


def float_type(tops):
    return None if tops.weights is None else tops.weights[0].dtype.type


CASES = [
    (NARROW, -6, 8, 32, np.float32),
    (NARROW, -8, 7, 32, np.float64),  # one more than float32 can tell apart
    (NARROW, -14, 15, 32, np.float64),
    (NARROW, -45, 45, 16, np.float64),
    (WIDE, -63, 63, 16, np.float64),
    (WIDE, -64, 63, 16, None),
    (WIDE, -400, 400, 8, None),
    (NARROW, 38, 45, 255, np.float32),
    (NARROW, 38, 45, 256, None),
]


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize(("lane", "low", "high", "terms", "dtype"), CASES)
def test_tops_are_the_largest_exponents(lane, low, high, terms, dtype, zeros):
    rng = np.random.default_rng(terms + high)
    sides = []
    for rows in (40, 30):
        exponents = rng.integers(low, high + 1, (terms, rows))
        exponents[0, :2] = low, high
        zero = rng.random((terms, rows)) < zeros
        zero[0, :2] = zeros == 1
        sides.append(panel(exponents, zero))
    tops = Tops(*sides, terms, lane)
    if zeros < 1:
        assert float_type(tops) is dtype
    powers = tops.find(ALL, ALL)
    assert powers.dtype == lane.values
    np.testing.assert_array_equal(powers, one_by_one(*sides))


@pytest.mark.parametrize("terms", [1, 2, 31, 32, 64, 127, 128, 255, 256])
@pytest.mark.parametrize(("low", "high"), [(-6, 8), (-14, 15)])
def test_many_equal_terms_do_not_carry(terms, low, high):
    every = np.arange(low, high + 1)
    side = panel(np.tile(every, (terms, 1)), np.zeros((terms, every.size), bool))
    found = Tops(side, side, terms, NARROW).find(ALL, ALL)
    np.testing.assert_array_equal(found, np.exp2(every[:, None] + every))


def test_parts_of_the_tile():
    rng = np.random.default_rng(3)
    sides = [panel(rng.integers(-6, 9, (64, 9)), rng.random((64, 9)) < 0.3)] * 2
    found = Tops(*sides, 32, NARROW).find(slice(32, 64), slice(2, 7))
    part = sides[0].cut(slice(32, 64), None)
    np.testing.assert_array_equal(found, one_by_one(part, part)[2:7])
