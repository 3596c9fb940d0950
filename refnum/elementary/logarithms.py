"""log and log1p.

log(x) = e ln 2 - log(c) + log(1 + z), where x = 2^e m, m in [45/64, 90/64), c is near
1/m and z = m c - 1. The top bits of m choose c out of 128. c has 10 bits, so z is exact
where x is a float32; and c = 1 on either side of x = 1, so the result keeps its relative
accuracy there.
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
    polynomial,
    unless_magnitude,
    unless_positive,
)

__all__ = ["log", "log1p"]

_LN2 = fixed.ln2(128) / 2**128
_START = int(np.float64(45 / 64).view(np.int64))  # the bits of the least m
_WIDTH = 45  # bits of a float64 below those that choose c
_EXPONENT = -1 << 52  # sign and exponent of a float64
_SERIES = tuple((-1) ** n / (n + 1) for n in range(7))  # of log(1 + z) / z
_ONE_BELOW = np.float32(-1).view(np.uint32)  # bits from here on: x <= -1, or -NaN


@cache
def reciprocal_tables() -> tuple[F64, F64]:
    """Return c for each interval of m, and -log(c)."""
    starts = _START + (np.arange(129, dtype=np.int64) << _WIDTH)
    edges = starts.view(np.float64)
    reciprocals = np.rint(2048 / (edges[:-1] + edges[1:])) / 1024
    # Three intervals about one, so that |z| stays up to 1/128 on either side.
    reciprocals[(edges[:-1] >= 1 - 1 / 128) & (edges[:-1] <= 1)] = 1
    logarithms = [-fixed.log(c, 128) / 2**128 for c in reciprocals.tolist()]
    return reciprocals, np.array(logarithms) + 0.0


def _quick_log(x: F64) -> F64:
    bits = x.view(np.int64)
    above = bits - _START
    i = above >> _WIDTH
    i &= 127
    value = (above >> 52).astype(np.float64)
    above &= _EXPONENT
    z = np.subtract(bits, above, out=above).view(np.float64)  # m
    reciprocals, logarithms = reciprocal_tables()
    z *= reciprocals.take(i)
    z -= 1
    value *= _LN2
    value += logarithms.take(i)
    series = polynomial(z, _SERIES)
    series *= z
    value += series
    return value


def _quick_log1p(x: F64) -> F64:
    return _quick_log(x + 1)


def _log_beyond(x: F32) -> npt.ArrayLike:
    return np.where(x == 0, -np.inf, np.where(x > 0, np.inf, np.nan))


def _outside_log1p(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    outside = _untouched_or_infinite(bits)
    outside |= bits >= _ONE_BELOW
    return outside


def _log1p_beyond(x: F32) -> npt.ArrayLike:
    refused = np.where(x == -1, -np.inf, np.where(x > 0, np.inf, np.nan))
    return np.where(np.abs(x) < 1, x, refused)


# Below 2^-25, x^2 / 2 is less than half of the last bit of x on either side of it.
_untouched_or_infinite = unless_magnitude(2**-25, np.inf)
_LOG = Function(
    _quick_log,
    partial(correctly_rounded, fixed.log),
    unless_positive(2**-149, np.inf),
    _log_beyond,
)
_LOG1P = Function(
    _quick_log1p,
    partial(correctly_rounded, fixed.log1p),
    _outside_log1p,
    _log1p_beyond,
)


def log(x: npt.ArrayLike) -> F32:
    """Return the natural logarithm, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest log(x), ties to even; C order. Minus infinity for a zero of
        either sign; NaN below zero. Every NaN is 0x7fc00000, and none warns.

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
    >>> log(np.array([1, 10, 0, -1], np.float32))
    array([0.       , 2.3025851,      -inf,       nan], dtype=float32)
    """
    return evaluate(_LOG, x)


def log1p(x: npt.ArrayLike) -> F32:
    """Return the natural logarithm of 1 + x, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest log(1 + x), ties to even; C order. A zero keeps its sign;
        minus infinity for -1; NaN below. Every NaN is 0x7fc00000, and none warns.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 (logp1) and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> log1p(np.array([1e-8, -0.0, 1, -1], np.float32))
    array([ 1.000000e-08, -0.000000e+00,  6.931472e-01,          -inf],
          dtype=float32)
    """
    return evaluate(_LOG1P, x)
