"""The one float32 nearest a function's value: rounding decided on integers.

Vocabulary: n at precision p stands for n * 2^-p, as in `fixed`. A *tie* is half-way
between two neighbouring float32; there the even one is taken (IEEE 754, 4.3.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

__all__ = ["correctly_rounded", "nearest_float32", "nearest_float32_to_ratio"]

_DIGITS = 24  # of a float32's significand
_SMALLEST = -149  # the exponent of its last bit, below the smallest normal
_OVERFLOW = 2.0**128

_FIRST_PRECISION = 256  # bits after the point; results may be as small as 2^-150


def correctly_rounded(function: Callable[[float, int], int], x: float) -> float:
    """Return the float32 nearest function(x), where that value is no tie.

    The value lies between n - 1 and n + 1 at precision p. If both ends round alike, so
    does the value (Ziv); else p is doubled. A value that is no tie ends this; the
    functions of `fixed` have ties at exp2(-150) alone, which is no question for them.
    """
    p = _FIRST_PRECISION
    while True:
        n = function(x, p)
        below, above = nearest_float32(n - 1, p), nearest_float32(n + 1, p)
        if below == above:
            return below
        p *= 2


def nearest_float32(n: int, p: int) -> float:
    """Return the float32 nearest n * 2^-p, as a float; ties to even.

    Examples
    --------
    >>> nearest_float32(2**24 + 1, 24), nearest_float32(2**24 + 3, 24)
    (1.0, 1.000000238418579)
    """
    magnitude = abs(n)
    last = max(magnitude.bit_length() - p - _DIGITS, _SMALLEST)
    dropped = last + p  # bits of n below the last one kept
    if dropped <= 0:
        kept = magnitude << -dropped
    else:
        kept, rest = divmod(magnitude, 1 << dropped)
        half = 1 << dropped - 1
        kept += rest > half or (rest == half and kept % 2 == 1)
    value = math.ldexp(kept, last) if kept.bit_length() + last <= 129 else math.inf
    value = math.inf if value >= _OVERFLOW else value
    return -value if n < 0 else value


def nearest_float32_to_ratio(ratio: Fraction) -> float:
    """Return the float32 nearest a fraction, as a float; ties to even."""
    n, d = ratio.numerator, ratio.denominator
    p = max(d.bit_length() - n.bit_length(), 0) + 2 * _DIGITS
    quotient, rest = divmod(abs(n) << p, d)
    odd = 2 * quotient + (rest != 0)  # what is dropped can no longer make or hide a tie
    return nearest_float32(-odd if n < 0 else odd, p + 1)
