"""From exact float64 sums to results: exponents, truncation, and the last rounding.

Every function here is exact or rounds once. Float64 holds all sums of the models:
products of two significands of 11 bits or less, aligned within 35 bits.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import FP16, Format, Rounding

__all__ = [
    "add_to_odd",
    "exponent",
    "floor_to",
    "fma",
    "round_fraction",
    "round_sum",
    "to_storage",
    "truncate_to",
    "two_product",
    "two_sum",
]

Values = npt.NDArray[np.float64]
Exponents = npt.NDArray[np.int32]
Result = npt.NDArray[np.float32] | npt.NDArray[np.float16]


def exponent(values: Values, emin: int) -> Exponents:
    """Return ``max(floor(log2|x|), emin)``: subnormals are not normalised.

    Examples
    --------
    >>> exponent(np.array([1.5, 0.25, 0.0]), emin=-1).tolist()
    [0, -1, -1]
    """
    exponents: Exponents = np.frexp(values)[1] - np.int32(1)
    exponents[values == 0] = emin
    np.maximum(exponents, np.int32(emin), out=exponents)
    return exponents


def truncate_to(values: Values, unit: Exponents) -> Values:
    """Return `values` truncated toward zero to multiples of ``2**unit``."""
    return np.ldexp(np.trunc(np.ldexp(values, -unit)), unit)


def floor_to(values: Values, unit: Exponents) -> Values:
    """Return `values` rounded toward -infinity to multiples of ``2**unit``."""
    return np.ldexp(np.floor(np.ldexp(values, -unit)), unit)


def two_sum(x: Values, y: Values) -> tuple[Values, Values]:
    """Return the float64 sum and its exact error (Knuth; Ogita, Rump, Oishi 2005)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def two_product(x: Values, y: Values | float) -> tuple[Values, Values]:
    """Return the float64 product and its exact error (Dekker 1971; Veltkamp's split).

    Exact unless a part overflows or falls below the smallest subnormal.
    """
    total = x * y
    x_high = _upper_half(x)
    y_high = _upper_half(y)
    x_low, y_low = x - x_high, y - y_high
    error = x_high * y_high - total + x_high * y_low + x_low * y_high + x_low * y_low
    return total, error


def _upper_half(x: Any) -> Any:
    """Return the upper 26 bits of each significand."""
    wide = x * (2.0**27 + 1)
    return wide - (wide - x)


def add_to_odd(x: Values, y: Values) -> Values:
    """Return ``x + y`` rounded to odd, so that a later rounding is the only one.

    References
    ----------
    Boldo and Melquiond, Emulation of FMA and correctly rounded sums, IEEE
    Transactions on Computers 57 (2008): rounding to odd, then to a format with two
    bits less, equals one rounding.
    """
    total, error = two_sum(x, y)
    return nudge_to_odd(total, error)


def nudge_to_odd(total: Values, error: Values) -> Values:
    """Return ``total + error`` rounded to odd, |error| at most half an ulp of total."""
    bits = np.atleast_1d(total).view(np.int64)
    even = (bits & 1) == 0
    inexact = np.isfinite(error) & (error != 0) & even
    outward = (error > 0) == (total > 0)
    moved = bits + np.where(inexact, np.where(outward, 1, -1), 0)
    return moved.view(np.float64).reshape(np.shape(total))


def round_fraction(value: Fraction) -> np.float32:
    """Return the float32 nearest to a rational number, ties to even.

    Examples
    --------
    >>> round_fraction(Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**90))
    np.float32(1.0000001)
    """
    try:
        double = float(value)
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    if not math.isfinite(double) or double == 0:
        return np.float32(double)
    rest = value - Fraction(double)
    sign = np.array(float((rest > 0) - (rest < 0)))
    with np.errstate(over="ignore"):
        return np.float32(nudge_to_odd(np.array(double), sign))


def fma(a: Values, b: Values, c: Values) -> Values:
    """Return the float32 fused multiply-add of float32 values held in float64."""
    with np.errstate(invalid="ignore", over="ignore"):
        # The product has 48 bits and is exact in float64.
        return add_to_odd(a * b, c).astype(np.float32).astype(np.float64)


def round_sum(exact: Values, d: Format, rounding: Rounding, fraction: int) -> Values:
    """Return exact sums rounded to `fraction` bits within the range of `d`.

    Truncation overflows to infinity too, as the chips do. A zero result is +0.
    """
    unit = exponent(exact, d.emin) - np.int32(fraction)
    if rounding is Rounding.TOWARD_ZERO:
        rounded = truncate_to(exact, unit)
    elif rounding is Rounding.NEAREST_EVEN:
        rounded = np.ldexp(np.rint(np.ldexp(exact, -unit)), unit)
    else:
        raise ValueError(f"no matrix instruction rounds its sums {rounding.value}")
    overflow = np.abs(rounded) >= 2.0 ** (d.emax + 1)
    return np.where(overflow, np.copysign(np.inf, rounded), rounded) + 0.0


def to_storage(values: Values, d: Format, nan_code: int | None) -> Result:
    """Return float64 values of `d` as float32 or float16 with the chip's NaN code."""
    stored: Result
    stored = values.astype(np.float16) if d == FP16 else values.astype(np.float32)
    if nan_code is not None:
        stored.view(d.dtype)[np.isnan(values)] = nan_code
    return stored
