"""Integer powers against fractions: ties and overflow are decided exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refnum.elementary import power

from ._judge import rounded

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
near_one = st.floats(width=32, min_value=0.875, max_value=1.125)


def assert_exact(x: float, n: int) -> None:
    actual = power(np.float32(x), n)
    expected = rounded(Fraction(x) ** n)
    if expected == 0 and x < 0 and n % 2:
        expected = np.float32(-0.0)
    assert actual.view(np.uint32) == expected.view(np.uint32)


@given(finite, st.integers(-12, 12))
def test_small_powers(x, n):
    assume(x)
    assert_exact(x, n)


@given(near_one, st.integers(-1024, 1024))
def test_large_powers(x, n):
    assert_exact(x, n)


@pytest.mark.parametrize("x", [4097, 5793, 8191, 12289, -4099])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_ties_go_to_even(x, n):
    """The square of an odd number with 13 bits has 25 or 26: often a tie."""
    assert_exact(x, n)


@pytest.mark.parametrize("n", [-150, -149, -3, -1, 1, 2, 5, 127, 128])
@pytest.mark.parametrize("x", [2, -2, 0.5, -0.5])
def test_powers_of_two_down_to_the_last_tie(x, n):
    assert_exact(x, n)


# IEEE 754-2019, 9.2.1 (pown). In order: -inf, -0, +0, +inf, NaN.
@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, (1, 1, 1, 1, 1)),
        (3, (-np.inf, -0.0, 0, np.inf, np.nan)),
        (4, (np.inf, 0, 0, np.inf, np.nan)),
        (-3, (-0.0, -np.inf, np.inf, 0, np.nan)),
        (-4, (0, np.inf, np.inf, 0, np.nan)),
    ],
)
def test_special_values(n, expected):
    x = np.array([-np.inf, -0.0, 0, np.inf, np.nan], np.float32)
    bits = np.array(expected, np.float32).view(np.uint32)
    assert power(x, n).view(np.uint32).tolist() == bits.tolist()


def test_bad_exponents_are_named():
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="from -1024 to 1024, not 1025"):
        power(x, 1025)
    for wrong in (0.5, 2.0, True, "2"):
        with pytest.raises(TypeError, match="n must be an integer, not"):
            power(x, wrong)
