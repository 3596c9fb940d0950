"""What can be proved about sums of products, from the bits of the factors.

Every float is an integer multiple of a power of two, its *unit*. A product of matrices
whose factors are multiples of units, and below powers of two, has sums that are
multiples of a unit, and below a power of two: if few enough bits lie between, no
addition rounds, in any order. Codes of 4 or 8 bits with scales are often such factors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Method", "choose"]

_Stack = npt.NDArray[np.floating[Any]]

_FLOAT32_BITS = 24
_FLOAT64_BITS = 53
_PRODUCT_BITS = 26  # two factors of this many bits have an exact float64 product
_SAFE_EXPONENT = 300  # see `Method.in_range`
_LEAST_NORMAL = -126  # exponent of float32
_PIECE = 1 << 14  # values at a time: they stay in the cache
_SAMPLE = 16  # rows and columns that show that most float32 do not qualify


@dataclass(frozen=True)
class Method:
    """What has been proved about a pair of matrices."""

    never_rounds: bool
    """No sum of products rounds in `arithmetic`."""
    exact_products: bool
    """No product rounds in float64."""
    in_range: bool
    """All factors are zero, special, or within 2**+-300.

    So is the common factor. Then squares, products, sums, and sums times the factor do
    not overflow, and none has a bit below that of the smallest subnormal of float64:
    three numbers of 53 bits have a product of at least 2**-(3 * (300 + 52)).
    """
    arithmetic: np.dtype[Any]
    """What to compute in."""


@dataclass(frozen=True)
class _Bits:
    """Which bits the finite values of an array use."""

    finite: bool  # all of them
    high: int  # magnitudes are below 2**high
    low: int  # the least magnitude but zero is at least 2**low
    unit: int  # all are multiples of 2**unit
    significant: int  # bits from the first to the last of any one

    @property
    def span(self) -> int:
        return self.high - self.unit


def choose(a: _Stack, b: _Stack, factor: float) -> Method:
    """Find out what can be proved about a product of matrices or stacks of them.

    Parameters
    ----------
    a, b : ndarray of float32 or float64, shape (..., M, K) and (..., K, N)
        Factors.
    factor : float
        Of all outputs.

    Returns
    -------
    Method
        What is certain; False where it is not known.
    """
    carries = (max(1, a.shape[-1]) - 1).bit_length()  # K <= 2**carries
    if a.dtype == b.dtype == np.float32 and _hopeless(a, b, carries):
        return Method(False, True, _safe(factor), np.dtype(np.float64))
    left, right = _bits(a), _bits(b)
    used = left.span + right.span + carries
    known = left.finite and right.finite
    in_range = _safe(factor) and all(
        x.low >= -_SAFE_EXPONENT and x.high <= _SAFE_EXPONENT for x in (left, right)
    )
    exact = in_range and max(left.significant, right.significant) <= _PRODUCT_BITS
    single = (
        used <= _FLOAT32_BITS
        and min(left.unit, right.unit, left.unit + right.unit) >= _LEAST_NORMAL
        and max(left.high, right.high, left.high + right.high + carries)
        <= -_LEAST_NORMAL
    )
    return Method(
        never_rounds=known and in_range and used <= _FLOAT64_BITS,
        exact_products=exact,
        in_range=in_range,
        arithmetic=np.dtype(
            np.float32 if known and in_range and single else np.float64
        ),
    )


def _safe(factor: float) -> bool:
    size = abs(factor)
    return size == 0 or 2.0**-_SAFE_EXPONENT <= size <= 2.0**_SAFE_EXPONENT


def _hopeless(a: _Stack, b: _Stack, carries: int) -> bool:
    """Whether a few values of float32 use too many bits for sums without rounding."""
    few = [
        x[tuple([slice(None, None, 1 + n // _SAMPLE) for n in x.shape])] for x in (a, b)
    ]
    significant = 0
    for x in few:
        either = np.bitwise_or.reduce(x.view(np.uint32), axis=None)
        significant += _FLOAT32_BITS - _zeros_below(int(either), _FLOAT32_BITS - 1)
    if significant + carries > _FLOAT64_BITS:  # nothing more to ask
        return True
    return _bits(few[0]).span + _bits(few[1]).span + carries > _FLOAT64_BITS


def _zeros_below(bits: int, stored: int) -> int:
    """Return how many of the last `stored` bits are zeros below the last one."""
    last = bits & -bits & (1 << stored) - 1
    return last.bit_length() - 1 if last else stored


def _bits(x: _Stack) -> _Bits:
    """Read the bits of all values: magnitudes are in the order of their bits."""
    single = x.dtype == np.float32
    stored = _FLOAT32_BITS - 1 if single else _FLOAT64_BITS - 1
    bias = 127 if single else 1023
    top, least, either = _scan(x, np.dtype(np.uint32 if single else np.uint64))
    if top >> stored > 2 * bias:  # infinities or NaN
        return replace(_bits(x[np.isfinite(x)]), finite=False)
    if not top:
        return _Bits(True, 0, 0, 0, 0)
    significant = stored + 1 - _zeros_below(either, stored)
    # Subnormals have the unit of the first normal numbers, and fewer bits.
    low = max(least >> stored, 1) - bias
    subnormal = not least >> stored
    return _Bits(
        finite=True,
        high=max(top >> stored, 1) - bias + 1,
        low=low - stored if subnormal else low,
        unit=low - (stored if subnormal else significant - 1),
        significant=stored + 1 if subnormal else significant,
    )


def _scan(x: _Stack, kind: np.dtype[Any]) -> tuple[int, int, int]:
    """Return the greatest magnitude, the least but zero, and all bits, as integers."""
    flat = x.ravel(order="K").view(kind)
    top, least, either = 0, np.iinfo(kind).max, 0
    for start in range(0, flat.size, _PIECE):
        bits = flat[start : start + _PIECE]
        either |= int(np.bitwise_or.reduce(bits))
        magnitudes = bits & kind.type(np.iinfo(kind).max >> 1)
        top = max(top, int(magnitudes.max()))
        magnitudes -= 1  # zero becomes the largest
        least = min(least, int(magnitudes.min()))
    return top, least + 1, either
