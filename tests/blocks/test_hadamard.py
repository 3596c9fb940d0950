"""Hadamard rotations against the definition, in integers and Fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refnum.blocks.hadamard import hadamard
from refnum.blocks.sylvester import sylvester

from ._rotations import (
    ONES,
    SIZES,
    bits,
    butterflies_by_definition,
    by_definition,
    float32_of_root,
    normals,
    sign,
    wild,
)


@pytest.mark.parametrize("size", SIZES)
def test_matrix_is_sylvesters(size):
    matrix = sylvester(size)
    for row, column in np.random.default_rng(size).integers(0, size, (200, 2)).tolist():
        assert matrix[row, column] == sign(row, column)
    doubled = np.block([[matrix, matrix], [matrix, -matrix]])
    assert np.array_equal(doubled, sylvester(2 * size))


@pytest.mark.parametrize("size", SIZES)
def test_unit_vectors_give_the_rows_of_the_matrix(size):
    expected = sylvester(size) * np.float32(float32_of_root(Fraction(1), size))
    assert np.array_equal(hadamard(np.eye(size), size), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [0, 20, 60, 120, 145])
def test_exact_is_the_correctly_rounded_sum(size, spread):
    runs = max(1, 64 // size)
    x = wild(size * runs, seed=size, spread=spread)
    got = hadamard(x, size).reshape(runs, size)
    for run, result in zip(x.reshape(runs, size), got, strict=True):
        columns = range(0, size, max(1, size // 32))
        terms = [Fraction(float(v)) for v in run]
        for column in columns:
            total = sum(v * sign(row, column) for row, v in enumerate(terms))
            expected = np.float32(float32_of_root(total, size))
            assert bits(result[column]) == bits(expected)


@given(
    hnp.arrays(
        np.float32,
        8,
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_exact_on_any_eight_floats(x):
    assert np.array_equal(bits(hadamard(x, 8)), bits(by_definition(x, 8)))


@given(hnp.arrays(np.float64, 4, elements=st.floats(-1e300, 1e300)))
def test_exact_on_any_four_doubles(x):
    assert np.array_equal(bits(hadamard(x, 4)), bits(by_definition(x, 4)))


@pytest.mark.parametrize("size", [2, 8, 32])
def test_products_close_to_a_midpoint(size):
    """Sums whose root lies within 2^-52 of a float32 midpoint or of a float32."""
    found = 0
    for code in np.random.default_rng(1).integers(ONES, 2 * ONES, 400).tolist():
        for half in (0, 1):
            target = Fraction(2 * (code & 0x7FFFFF | 0x800000) + half)
            near = float(target) * size**0.5
            for total in (np.nextafter(near, 0), near, np.nextafter(near, np.inf)):
                x = np.zeros(size)
                x[0] = total
                got = hadamard(x, size)[0]
                assert got == float32_of_root(Fraction(float(total)), size)
                found += 1
    assert found == 2400


def test_a_lone_small_term_breaks_a_tie():
    x = np.zeros(16, np.float32)
    x[:3] = 4 + 2**-21, 2**-23, 2**-149
    assert hadamard(x, 16)[0] == by_definition(x, 16)[0]
    x[2] = 0
    assert hadamard(x, 16)[0] == by_definition(x, 16)[0]


@pytest.mark.parametrize("size", SIZES)
def test_butterfly_is_each_operation_by_itself(size):
    x = wild(2 * size, seed=size, spread=30)
    got = hadamard(x, size, arithmetic="butterfly").reshape(2, size)
    for run, result in zip(x.reshape(2, size), got, strict=True):
        assert np.array_equal(bits(result), bits(butterflies_by_definition(run, size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exponent", [-140, 0, 110, 120])
def test_butterfly_without_zeros(size, exponent):
    """Large groups of ordinary numbers take another way, to the same bits."""
    x = np.ldexp(normals(2, size, seed=size), exponent)
    x[0, :2] = x[0, 0]  # differences of zero
    x[x == 0] = 2.0**-149
    with np.errstate(over="ignore", invalid="ignore"):
        expected = [butterflies_by_definition(run, size) for run in x]
    got = hadamard(x, size, arithmetic="butterfly")
    assert np.array_equal(bits(got), bits(np.array(expected)))
    some = wild(2 * size, seed=1, spread=5).reshape(2, size)
    some[0, 0] = -0.0
    expected = [butterflies_by_definition(run, size) for run in some]
    got = hadamard(some, size, arithmetic="butterfly")
    assert np.array_equal(bits(got), bits(np.array(expected)))


def test_butterfly_and_exact_differ():
    x = normals(64, 16)
    assert np.any(hadamard(x, 16) != hadamard(x, 16, arithmetic="butterfly"))


@given(hnp.arrays(np.int16, (2, 64)), st.sampled_from([4, 16, 64]))
def test_rotation_keeps_the_inner_product(x, size):
    y = hadamard(x.astype(np.float32), size).astype(np.float64)
    assert y[0] @ y[1] == x[0].astype(float) @ x[1].astype(float)


def test_special_values():
    x = np.zeros((4, 16), np.float32)
    x[0, 3], x[1, 3], x[2, [3, 5]], x[3] = np.nan, np.inf, np.inf, 1
    for arithmetic in ("exact", "butterfly", "sequential"):
        y = hadamard(x, 16, arithmetic=arithmetic)
        assert np.isnan(y[0]).all()
        assert np.array_equal(y[1], np.inf * sylvester(16)[3])
        agree = sylvester(16)[3] == sylvester(16)[5]
        assert np.array_equal(np.isnan(y[2]), ~agree)
        assert np.array_equal(y[2][agree], np.inf * sylvester(16)[3][agree])
        assert y[3].tolist() == [4, *[0] * 15]


def test_overflow_is_infinite_and_underflow_keeps_its_sign():
    x = np.full(16, np.finfo(np.float32).max)
    assert hadamard(x, 16).tolist() == [np.inf, *[0] * 15]
    x = np.zeros(4, np.float32)
    x[0] = -(2**-149)
    assert np.signbit(hadamard(x, 4)).all()
    assert (hadamard(x, 4) == 0).all()
