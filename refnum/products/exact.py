"""The correctly rounded exact dot product, as fast as float64 allows.

The result is defined without any order of summation: the exact sum of exact products,
rounded once to float32. So it depends on no BLAS kernel and on no thread. Three
methods, each with a proof, compute it:

1. *Exact float64*: where all products are multiples of a unit and no partial sum
   reaches 2**53 of them, a float64 matrix product has no rounding at all.
2. *Certified*: otherwise a float64 matrix product is within a known distance of the
   exact sum; where both ends of that interval round to the same float32, so does all
   between them.
3. *Redo*: the few outputs left are summed again without error.

References
----------
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1 (the
bound); Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26 (2005) (error-free sums).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.products.rounding import Values, add_to_odd, nudge_to_odd, two_sum

__all__ = ["exact_product", "round_fraction"]

_Matrix = npt.NDArray[np.floating[Any]]
_Single = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]

_TILE = 512
_PAIRS = 1 << 18  # products at a time of outputs that are done again
_UNIT = 2.0**-53
_PRODUCT_BITS = 26  # two operands of this many bits have an exact float64 product
_SAFE_EXPONENT = 500  # products of operands within 2**+-500 are normal in float64
_SAMPLE = 256
_FLOAT64_BITS = 53


@dataclass(frozen=True)
class _Method:
    """What has been proved about a pair of matrices."""

    never_rounds: bool  # no sum of products rounds in float64
    exact_products: bool  # no product does
    in_range: bool  # no square or product leaves the normal range of float64


def exact_product(a: _Matrix, b: _Matrix, factor: float = 1.0) -> _Single:
    """Return ``a @ b * factor``, the exact result rounded once to float32.

    Parameters
    ----------
    a, b : array of float16, float32 or float64, shape (M, K) and (K, N)
        Factors of any value.
    factor : float
        Exact factor of every output.

    Returns
    -------
    ndarray of float32, shape (M, N)
        The exact results to nearest even, +0 for an exact zero. Infinities and NaN
        follow from IEEE 754's rules for each product and sum.
    """
    with np.errstate(all="ignore"):  # specials are results, not mistakes
        return _by_tiles(a, b, factor)


def _by_tiles(a: _Matrix, b: _Matrix, factor: float) -> _Single:
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    method = _choose(a, b)
    for across in range(0, b.shape[1], _TILE):
        columns = slice(across, across + _TILE)
        right = b[:, columns].astype(np.float64)
        for down in range(0, a.shape[0], _TILE):
            rows = slice(down, down + _TILE)
            left = a[rows].astype(np.float64)
            out[rows, columns] = _tile(left, right, factor, method)
    return out


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


def _tile(a: Values, b: Values, factor: float, method: _Method) -> _Single:
    total: Values = a @ b
    total += 0.0  # kernels differ in the sign of a zero
    if method.never_rounds and factor == 1.0:
        return total.astype(np.float32)
    error = _error_bound(a, b, method)
    if factor != 1.0:
        error = (error + 4 * _UNIT * np.abs(total)) * abs(factor)
        total *= factor
    low = (total - error).astype(np.float32)
    high = (total + error).astype(np.float32)
    # Bits, not values: -0 and +0 are different results.
    settled = (low.view(np.int32) == high.view(np.int32)) & np.isfinite(total)
    rows, columns = np.nonzero(~settled)
    together = max(1, _PAIRS // max(1, len(b)))
    for first in range(0, rows.size, together):
        i, j = rows[first : first + together], columns[first : first + together]
        low[i, j] = _redo(a[i], b.T[j], factor, method)
    return low


def _error_bound(a: Values, b: Values, method: _Method) -> Values:
    """Return how far a float64 product may be from the exact one, in any order."""
    if method.never_rounds:
        return np.zeros((1, 1))
    if not method.in_range:
        return np.full((1, 1), np.inf)
    # Each product may be rounded once, sums K - 1 times, the interval's ends twice.
    relative = (len(b) + 4) * _UNIT
    rows = np.sqrt((a * a).sum(axis=1)) * relative
    columns: Values = np.sqrt((b * b).sum(axis=0))
    bound: Values = rows[:, None] * columns
    return bound


def _redo(a: Values, b: Values, factor: float, method: _Method) -> _Single:
    """Return exact dot products of the rows of `a` with those of `b`, rounded."""
    products = a * b
    ieee = products.sum(axis=1) * factor
    out: _Single = ieee.astype(np.float32)
    special = ~(np.isfinite(a) & np.isfinite(b))
    undecided: _Bools = ~np.logical_or.reduce(special, axis=1)
    plain = method.exact_products and factor == 1.0
    if plain:
        out, settled = _compensated(products, undecided, out)
        undecided &= ~settled
    for i in np.flatnonzero(undecided):
        if plain:
            out[i] = _sum_products(products[i].tolist())
            continue
        pairs = zip(a[i].tolist(), b[i].tolist(), strict=True)
        exact = sum((Fraction(x) * Fraction(y) for x, y in pairs), Fraction())
        out[i] = round_fraction(exact * Fraction(factor))
    return out


def _compensated(
    products: Values, wanted: _Bools, out: _Single
) -> tuple[_Single, _Bools]:
    """Sum in a tree with the errors kept, and say where that settles the result."""
    terms = np.where(wanted[:, None], products, 0.0)
    low = np.zeros(len(terms))
    size = np.zeros(len(terms))
    while terms.shape[1] > 1:
        if terms.shape[1] % 2:
            terms = np.pad(terms, ((0, 0), (0, 1)))
        terms, errors = two_sum(terms[:, ::2], terms[:, 1::2])
        low += errors.sum(axis=1)
        size += np.abs(errors).sum(axis=1)
    high = terms[:, 0] if terms.shape[1] else low
    # `low` itself is a sum of at most K errors.
    margin = 4 * (products.shape[1] + 64) * _UNIT * size
    ends = [
        add_to_odd(high, low + side).astype(np.float32) for side in (-margin, margin)
    ]
    settled = wanted & (ends[0].view(np.int32) == ends[1].view(np.int32))
    zero = (high == 0) & (size == 0)  # exactly zero
    return np.where(settled, np.where(zero, 0, ends[0]), out), settled


def _sum_products(products: list[float]) -> np.float32:
    """Return the exact sum, rounded once: `fsum`, and the sign of what it dropped."""
    total = math.fsum(products)
    rest = math.fsum([*products, -total])
    return np.float32(nudge_to_odd(np.array(total), np.array(rest)))


def _choose(a: _Matrix, b: _Matrix) -> _Method:
    """Find out what can be proved about a pair of matrices."""
    in_range = exact_products = True
    for x in (a, b):
        if x.dtype.itemsize < 8:  # float32 has 24 bits and a small range
            continue
        significand, exponent = np.frexp(x[np.isfinite(x) & (x != 0)])
        in_range &= bool(np.all(np.abs(exponent) < _SAFE_EXPONENT))
        scaled = np.ldexp(significand, _PRODUCT_BITS)
        exact_products &= bool(np.all(scaled == np.trunc(scaled)))
    exact_products &= in_range
    return _Method(exact_products and _never_rounds(a, b), exact_products, in_range)


def _never_rounds(a: _Matrix, b: _Matrix) -> bool:
    """Whether every partial sum of every output is exact in float64, in any order."""
    carries: int = (max(1, a.shape[1]) - 1).bit_length()
    # A few values show that most matrices do not qualify.
    samples = (x.ravel()[:: max(1, x.size // _SAMPLE)] for x in (a, b))
    if sum(map(_bit_span, samples)) + carries > _FLOAT64_BITS:
        return False
    return _bit_span(a) + _bit_span(b) + carries <= _FLOAT64_BITS


def _bit_span(x: _Matrix) -> int:
    """Return the bits from the last bit of any value to the first of the largest."""
    values = np.abs(x[x != 0]).astype(np.float64)
    if not values.size:
        return 0
    if not np.isfinite(values).all():
        return _FLOAT64_BITS + 1
    significand, exponent = np.frexp(values)
    integer = np.ldexp(significand, _FLOAT64_BITS).astype(np.int64)
    # The last bit set, as a power of two.
    last = np.frexp((integer & -integer).astype(np.float64))[1] - 1
    return int(exponent.max()) - int((last + exponent).min()) + _FLOAT64_BITS
