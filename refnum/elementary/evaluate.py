"""Correct rounding in two phases: float64 for nearly all inputs, integers for the rest.

Vocabulary: the *quick* phase evaluates a function in float64 with a relative error
below `error`. If the two ends of that interval round to the same float32, that is the
correctly rounded result (Ziv's test). The other inputs, about one in a million, are
*hard*: they are decided in the *exact* phase. *Outside* are the inputs whose results
need no evaluation: special values, overflow, and tiny arguments that are their results.

Only + - * / and sqrt of float64, casts, integers and table look-ups are used, each in a
NumPy call of its own: IEEE 754 defines their every bit, and no compiler can contract
them into fused operations.

References
----------
A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded
last bit", ACM Transactions on Mathematical Software 17, 1991.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from refnum.elementary._arguments import F32, F64, as_float32

__all__ = [
    "Function",
    "canonical_nan",
    "evaluate",
    "nearest_node",
    "only_nan",
    "polynomial",
    "unless_magnitude",
    "unless_positive",
]

_CHUNK = 1 << 15  # elements: calls cost less than passes, which stay in the cache
_ERROR = 2.0**-44  # twice what any quick phase errs, or more
_INSIDE = np.float32(1)  # stands in for inputs that are outside

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_SHIFTER = 1.5 * 2.0**52  # its last bit is 1: adding it rounds to an integer

Outside: TypeAlias = Callable[[npt.NDArray[np.uint32]], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Function:
    """How a function of one float32 is evaluated."""

    quick: Callable[[F64], F64]
    """The value in float64; never NaN for an input that is not outside."""
    exact: Callable[[float], float]
    """The correctly rounded float32."""
    outside: Outside
    """From the bits of the inputs: which of them need no evaluation. NaN is one."""
    beyond: Callable[[F32], npt.ArrayLike]
    """The results of the inputs outside, NaN excepted."""
    error: float = _ERROR
    """The relative error that the quick phase stays below."""
    clamp: float = math.inf
    """Arguments beyond this, or its negative, have the results that it has."""


def evaluate(function: Function, x: npt.ArrayLike) -> F32:
    """Return the correctly rounded function of each element, in C order."""
    array = as_float32(x)
    flat = np.ascontiguousarray(array).reshape(-1)
    result = np.empty(array.shape, np.float32)
    out = result.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            _evaluate_chunk(function, flat[part], out[part])
    return result


def _evaluate_chunk(function: Function, x: F32, out: F32) -> None:
    if function.clamp < math.inf:
        x = np.clip(x, np.float32(-function.clamp), np.float32(function.clamp))
    outside = function.outside(x.view(np.uint32))
    if outside.any():
        special = x[outside]
        _round(function, np.where(outside, _INSIDE, x), out)
        beyond = np.where(
            np.isnan(special), np.float32(np.nan), function.beyond(special)
        )
        out[outside] = beyond
    else:
        _round(function, x, out)


def _round(function: Function, x: F32, out: F32) -> None:
    value = function.quick(x.astype(np.float64))
    np.copyto(out, value * (1 - function.error), casting="same_kind")
    value *= 1 + function.error
    hard = value.astype(np.float32) != out
    if hard.any():
        inputs, places = np.unique(x[hard], return_inverse=True)
        exact = [function.exact(one) for one in inputs.tolist()]
        out[hard] = np.array(exact, np.float32)[places]


def canonical_nan(values: npt.NDArray[np.floating]) -> F32:
    """Round to float32 with NaN 0x7fc00000, in place: machines make different NaN."""
    result = np.asarray(values, np.float32, order="C")
    result[np.isnan(result)] = np.nan
    return result


def unless_magnitude(low: float, high: float) -> Outside:
    """Return the test that finds all but low <= |x| < high."""
    first, count = _bit_range(low, high)

    def outside(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        magnitude = bits & _MAGNITUDE
        magnitude -= first
        return np.asarray(magnitude >= count)

    return outside


def only_nan(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Find NaN."""
    return np.asarray(np.isnan(bits.view(np.float32)))


def unless_positive(low: float, high: float) -> Outside:
    """Return the test that finds all but low <= x < high; low is positive."""
    first, count = _bit_range(low, high)
    return lambda bits: np.asarray((bits - first) >= count)


def _bit_range(low: float, high: float) -> tuple[np.uint32, np.uint32]:
    # Below `first`, the subtraction wraps round to large integers.
    first, end = (np.float32(bound).view(np.uint32) for bound in (low, high))
    return first, end - first


def nearest_node(x: F64, per_unit: float) -> tuple[npt.NDArray[np.int64], F64]:
    """Return the integer k nearest x * per_unit: its low 51 bits, and k as float64.

    |k| is below 2^51. The integers are a view of k + 1.5 * 2^52, whose last bits are
    those of k in two's complement.
    """
    shifted = x * per_unit
    shifted += _SHIFTER
    return shifted.view(np.int64), shifted - _SHIFTER


def polynomial(x: F64, coefficients: Sequence[float]) -> F64:
    """Return c0 + c1 x + c2 x^2 + ..., by Horner's rule."""
    value = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= x
    value += coefficients[0]
    return value
