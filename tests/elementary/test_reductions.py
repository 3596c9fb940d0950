"""Sums: NumPy's pairwise order, from the left, exact; on any memory layout."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refnum import elementary
from refnum.elementary.pairwise import add_down
from refnum.elementary.reductions import add_pairwise, exact_sum, pairwise_sum

from ._judge import rounded

ORDERS = ("pairwise", "sequential", "exact")
SIZES = (*range(1, 20), 63, 64, 127, 128, 129, 136, 255, 257, 1000, 4099, 65537)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def spread_normals(*shape: int) -> np.ndarray:
    """Return numbers of many magnitudes, so that each order has other bits."""
    rng = np.random.default_rng(math.prod(shape))
    wide = rng.standard_normal(shape) * 10.0 ** rng.integers(-4, 4, shape)
    return wide.astype(np.float32)


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return views and copies of an array that hold it otherwise in memory."""
    gaps = np.zeros([2 * size for size in x.shape], x.dtype)
    gaps[tuple(slice(None, None, 2) for _ in x.shape)] = x
    offset = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    offset[...] = x
    return {
        "fortran": np.asfortranarray(x),
        "gaps": gaps[tuple(slice(None, None, 2) for _ in x.shape)],
        "reversed": np.flip(np.flip(x).copy()),
        "unaligned": offset,
        "swapped": x.astype(x.dtype.newbyteorder(">")),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairwise_is_its_definition(size, dtype):
    rows = spread_normals(3, size).astype(dtype)
    total = add_pairwise(rows, (1,), False)
    expected = [pairwise_sum(row) for row in rows]
    assert total.tobytes() == np.array(expected, dtype).tobytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_are_added_as_rows_are(size, dtype):
    table = spread_normals(min(size, 4099), 300).astype(dtype)
    expected = add_pairwise(np.ascontiguousarray(table.T), (1,), False)
    for columns in (table, np.asfortranarray(table), table[:, ::-1][:, ::-1]):
        assert add_pairwise(columns, (0,), False).tobytes() == expected.tobytes()
    first = add_down(table).tobytes() if size >= 8 else expected.tobytes()
    assert first == expected.tobytes()
    stacked = add_pairwise(table.reshape(1, *table.shape), (0, 1), True)
    assert stacked.shape == (1, 1, 300)
    assert stacked.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_pairwise_is_numpys_on_a_contiguous_axis(size):
    x = spread_normals(5, size)
    np.testing.assert_array_equal(elementary.sum(x, axis=-1), np.sum(x, axis=-1))
    np.testing.assert_array_equal(elementary.sum(x), np.sum(x))


@pytest.mark.parametrize("size", [*SIZES, 200_000])
def test_sequential_adds_from_the_left(size):
    x = spread_normals(size)
    total = x[0]
    for value in x[1:]:
        total = total + value
    assert elementary.sum(x, order="sequential") == total


@pytest.mark.parametrize("size", SIZES)
def test_exact_rounds_the_exact_sum(size):
    x = spread_normals(size)
    expected = rounded(sum(map(Fraction, x.tolist()), Fraction(0)))
    assert elementary.sum(x, order="exact") == expected
    assert np.float32(exact_sum(x)) == expected


@given(hnp.arrays(np.float32, st.integers(0, 40), elements=finite))
def test_exact_of_any_numbers(x):
    expected = rounded(sum(map(Fraction, x.tolist()), Fraction(0)))
    assert elementary.sum(x, order="exact") == expected


@given(hnp.arrays(np.float32, st.integers(1, 12), elements=finite))
def test_exact_cancels_exactly(x):
    both = np.concatenate([x, -x[::-1], [np.float32(2**-149)]])
    assert elementary.sum(both, order="exact") == np.float32(2**-149)


def test_exact_decides_ties_and_overflow():
    x = np.array([[2**24, 1, 0], [2**24, 1, 2**-149], [2**24 + 2, 1, 0]], np.float32)
    expected = [2**24, 2**24 + 2, 2**24 + 4]
    assert elementary.sum(x, axis=1, order="exact").tolist() == expected
    top = np.finfo(np.float32).max
    half = np.float32(2.0**103)  # of the last bit of the greatest
    assert elementary.sum(np.array([top, half]), order="exact") == np.inf
    assert elementary.sum(np.array([top, half, -1], np.float32), order="exact") == top


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (2, 0), [1, 2], ()])
def test_layout_changes_no_bit(order, axis):
    x = spread_normals(7, 30, 150)
    expected = elementary.sum(x, axis, order=order)
    for name, other in layouts(x).items():
        actual = elementary.sum(other, axis, order=order)
        assert actual.tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("order", ORDERS)
def test_axes_are_flattened_in_c_order(order):
    x = spread_normals(4, 5, 60)
    flat = np.moveaxis(x, 1, 0).reshape(5, 240)
    expected = elementary.sum(flat, 1, order=order)
    kept = elementary.sum(x, (0, 2), order=order, keepdims=True)
    assert kept.shape == (1, 5, 1)
    np.testing.assert_array_equal(kept.ravel(), expected)


@pytest.mark.parametrize("order", ORDERS)
def test_special_sums(order):
    def total(*values: float) -> int:
        x = np.array(values, np.float32)
        return int(elementary.sum(x, order=order).view(np.uint32))

    assert total() == 0
    assert total(-0.0, -0.0) == 0x80000000
    assert total(1, -1) == total(-0.0, 0.0) == 0
    assert total(np.inf, 1) == 0x7F800000
    assert total(np.inf, -np.inf) == total(np.nan, 1) == 0x7FC00000
    assert elementary.sum(np.zeros((3, 0), np.float32), 1, order=order).shape == (3,)


@pytest.mark.parametrize("order", ORDERS)
def test_mean_divides_the_sum_once(order):
    x = spread_normals(11, 7)
    total = elementary.sum(x, 0, order=order)
    expected = [rounded(Fraction(t) / 11) for t in total.tolist()]
    np.testing.assert_array_equal(elementary.mean(x, 0, order=order), expected)


def test_bad_arguments_are_named():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="not 'kahan'"):
        elementary.sum(x, order="kahan")
    with pytest.raises(ValueError, match="axis must be from -2 to 1, not 2"):
        elementary.sum(x, 2)
    with pytest.raises(ValueError, match="twice"):
        elementary.sum(x, (0, -2))
    with pytest.raises(TypeError, match=r"axis must be an integer, not 1\.0"):
        elementary.sum(x, 1.0)
    with pytest.raises(TypeError, match="not float64"):
        elementary.sum(x.astype(np.float64))
    with pytest.raises(ValueError, match="no elements to average"):
        elementary.mean(np.zeros((0, 2), np.float32), 0)
