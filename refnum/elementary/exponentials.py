"""exp and what is made of it: exp2, expm1, sigmoid.

exp(x) = 2^(k/128) exp(r), where k is the integer nearest 128 x / ln 2 and
|r| <= ln 2 / 256: a table of 128 powers, an exponent, and a polynomial of degree 4.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import numpy.typing as npt

from refnum.elementary import fixed
from refnum.elementary._arguments import F32, F64
from refnum.elementary.definition import correctly_rounded
from refnum.elementary.evaluate import (
    Function,
    evaluate,
    nearest_node,
    only_nan,
    polynomial,
    unless_magnitude,
)

__all__ = ["exp", "exp2", "expm1", "sigmoid"]

_OVERFLOW = 104.0  # exp of it is infinite in float32, and exp of -104 zero
_POWERS = 128  # of two, in one octave
_LN2 = fixed.ln2(128) / 2**128
# ln 2 / 128 in two parts; the first has 38 bits, so k times it is exact.
_STEP = fixed.ln2(38) / 2**45
_STEP_REST = (fixed.ln2(128) - (fixed.ln2(38) << 90)) / 2**135


@cache
def power_tables() -> tuple[F64, F64]:
    """Return 2^(i/128) rounded to float64, and by how much they miss, relatively."""
    exact = [fixed.exp2(i / _POWERS, 128) for i in range(_POWERS)]
    rounded = [n / 2**128 for n in exact]
    missing = [
        (n - int(value * 2**52) * 2**76) / n
        for n, value in zip(exact, rounded, strict=True)
    ]
    return np.array(rounded), np.array(missing)


def _power(k: npt.NDArray[np.int64]) -> F64:
    """Return 2^(k/128)."""
    power = power_tables()[0].take(k & (_POWERS - 1))
    exponent = k >> 7
    exponent <<= 52
    bits = power.view(np.int64)
    bits += exponent
    return power


def _reduced(x: F64) -> tuple[npt.NDArray[np.int64], F64]:
    """Return k and r, where x = k ln 2 / 128 + r."""
    k, steps = nearest_node(x, _POWERS / _LN2)
    r = x - steps * _STEP
    steps *= _STEP_REST
    r -= steps
    return k, r


def _times_exp(power: F64, r: F64) -> F64:
    power *= polynomial(r, (1, 1, 1 / 2, 1 / 6, 1 / 24))
    return power


def _quick_exp(x: F64) -> F64:
    k, r = _reduced(x)
    return _times_exp(_power(k), r)


def _quick_exp2(x: F64) -> F64:
    k, steps = nearest_node(x, _POWERS)
    steps /= _POWERS
    return _times_exp(_power(k), (x - steps) * _LN2)


def _quick_expm1(x: F64) -> F64:
    # (2^(k/128) - 1) + 2^(k/128) (exp(r) - 1), with what the table misses beside r.
    k, r = _reduced(x)
    power = _power(k)
    rest = polynomial(r, (1, 1 / 2, 1 / 6, 1 / 24, 1 / 120))
    rest *= r
    rest += power_tables()[1].take(k & (_POWERS - 1))
    rest *= power
    power -= 1
    rest += power
    return rest


def _quick_sigmoid(x: F64) -> F64:
    value = _quick_exp(-x)
    value += 1
    return np.divide(1, value, out=value)


def _overflow_or_zero(x: F32) -> npt.ArrayLike:
    return np.where(x > 0, np.inf, 0)


def _expm1_beyond(x: F32) -> npt.ArrayLike:
    return np.where(np.abs(x) < 1, x, np.where(x > 0, np.inf, -1))


# exp(-104) < 2^-150, half of the smallest subnormal; exp(104) overflows.
_EXP = Function(
    _quick_exp,
    partial(correctly_rounded, fixed.exp),
    only_nan,
    lambda x: x,
    clamp=_OVERFLOW,
)
# 2^-150 is a tie, and zero is even.
_EXP2 = Function(
    _quick_exp2,
    partial(correctly_rounded, fixed.exp2),
    unless_magnitude(0, 150),
    _overflow_or_zero,
)
# Below 2^-25, x^2 / 2 is less than half of the last bit of x on either side of it.
_EXPM1 = Function(
    _quick_expm1,
    partial(correctly_rounded, fixed.expm1),
    unless_magnitude(2**-25, _OVERFLOW),
    _expm1_beyond,
)
_SIGMOID = Function(
    _quick_sigmoid,
    partial(correctly_rounded, fixed.sigmoid),
    unless_magnitude(0, _OVERFLOW),
    lambda x: np.where(x > 0, 1, 0),
)


def exp(x: npt.ArrayLike) -> F32:
    """Return e to the power x, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Exponents, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest e^x, ties to even; C order. Infinity from 88.72284 on, zero
        below -103.97208. NaN gives the NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> exp(np.array([0, 1, -np.inf, 100], np.float32))
    array([1.       , 2.7182817, 0.       ,       inf], dtype=float32)
    """
    return evaluate(_EXP, x)


def exp2(x: npt.ArrayLike) -> F32:
    """Return two to the power x, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Exponents, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest 2^x, ties to even; C order. Exact for whole x. NaN gives the
        NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> exp2(np.array([-1, 0.5, -150, 128], np.float32))
    array([0.5      , 1.4142135, 0.       ,       inf], dtype=float32)
    """
    return evaluate(_EXP2, x)


def expm1(x: npt.ArrayLike) -> F32:
    """Return e to the power x, less one, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Exponents, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest e^x - 1, ties to even; C order. A zero keeps its sign. NaN
        gives the NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> expm1(np.array([1e-7, -0.0, -np.inf], np.float32))
    array([ 1.0000001e-07, -0.0000000e+00, -1.0000000e+00], dtype=float32)
    """
    return evaluate(_EXPM1, x)


def sigmoid(x: npt.ArrayLike) -> F32:
    """Return the logistic function 1 / (1 + e^-x), correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest 1 / (1 + e^-x), ties to even; C order: one rounding, not the
        three of the formula. NaN gives the NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([0, 2, -100, np.inf], np.float32))
    array([5.000000e-01, 8.807971e-01, 3.783506e-44, 1.000000e+00],
          dtype=float32)
    """
    return evaluate(_SIGMOID, x)
