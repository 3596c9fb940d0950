"""sqrt, rsqrt and integer powers."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.elementary import fixed
from refnum.elementary._arguments import F32, F64, as_float32, as_integer
from refnum.elementary.definition import correctly_rounded, nearest_float32_to_ratio
from refnum.elementary.evaluate import (
    Function,
    canonical_nan,
    evaluate,
    unless_magnitude,
    unless_positive,
)

__all__ = ["power", "rsqrt", "sqrt"]

_LARGEST_EXPONENT = 1024


def _quick_rsqrt(x: F64) -> F64:
    root = np.sqrt(x)
    return np.divide(1, root, out=root)


def _rsqrt_beyond(x: F32) -> npt.ArrayLike:
    return np.where(x == 0, np.copysign(np.inf, x), np.where(x > 0, 0, np.nan))


_RSQRT = Function(
    _quick_rsqrt,
    partial(correctly_rounded, fixed.rsqrt),
    unless_positive(2**-149, np.inf),
    _rsqrt_beyond,
)


def sqrt(x: npt.ArrayLike) -> F32:
    """Return the square root, correctly rounded, as IEEE 754 demands of hardware.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest the root, ties to even; C order. A zero keeps its sign; NaN
        below zero. Every NaN is 0x7fc00000, and none warns.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 5.4.1.

    Examples
    --------
    >>> import numpy as np
    >>> sqrt(np.array([2, -0.0, -1], np.float32))
    array([ 1.4142135, -0.       ,        nan], dtype=float32)
    """
    with np.errstate(all="ignore"):
        return canonical_nan(np.sqrt(as_float32(x)))


def rsqrt(x: npt.ArrayLike) -> F32:
    """Return the reciprocal of the square root, correctly rounded: one rounding.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest 1 / sqrt(x), ties to even; C order. An infinity with the
        sign of x for a zero; NaN below zero. Every NaN is 0x7fc00000, and none warns.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 (rSqrt) and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> rsqrt(np.array([2, 4, -0.0, np.inf], np.float32))
    array([0.70710677, 0.5       ,       -inf, 0.        ], dtype=float32)
    """
    return evaluate(_RSQRT, x)


def power(x: npt.ArrayLike, n: SupportsIndex) -> F32:
    """Return x to an integer power, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Bases, in any memory layout.
    n : int
        The exponent, from -1024 to 1024.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest x^n, ties to even; C order. One for n = 0, whatever x is.
        Else NaN gives the NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16, or `n` is no integer.
    ValueError
        If `n` is out of range.

    References
    ----------
    IEEE 754-2019, 9.2 (pown) and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> power(np.array([1.1, -2, 0], np.float32), 3)
    array([ 1.3310001, -8.       ,  0.       ], dtype=float32)
    >>> power(np.array([3, -0.0], np.float32), -1)
    array([0.33333334,       -inf], dtype=float32)
    """
    exponent = as_integer(n, "n")
    if abs(exponent) > _LARGEST_EXPONENT:
        limits = f"from {-_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}"
        raise ValueError(f"n must be {limits}, not {exponent}")
    if exponent == 0:
        return np.ones(as_float32(x).shape, np.float32)
    function = Function(
        partial(_quick_power, n=exponent),
        lambda base: nearest_float32_to_ratio(Fraction(base) ** exponent),
        unless_magnitude(2**-149, np.inf),
        partial(_quick_power, n=exponent),
        # Each of the |n| - 1 factors, and the reciprocal, may add a rounding.
        error=2.0**-44 + abs(exponent) * 2.0**-52,
    )
    return evaluate(function, x)


def _quick_power(x: npt.NDArray[np.floating], n: int) -> F64:
    """Return x^n by squaring; overflow and underflow of a part are those of the whole."""
    square = x.astype(np.float64)
    power: F64 | None = None
    left = abs(n)
    while left:
        if left & 1:
            power = square.copy() if power is None else power * square
        left >>= 1
        if left:
            square = square * square
    assert power is not None  # n is not zero
    return power if n > 0 else 1 / power
