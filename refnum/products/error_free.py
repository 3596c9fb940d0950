"""Exact dot products of a few pairs of vectors, rounded once to float32.

For outputs that a float64 product leaves open. Most are settled by extraction: adding
and subtracting a large power of two splits each term into a part on a coarse grid,
whose sum is exact, and a rest that is tiny. What is left goes to Python's integers.

References
----------
Rump, Ogita and Oishi, Accurate floating-point summation part I, SIAM J. Sci. Comput. 31
(2008), lemma 3.3 (extraction); Boldo and Melquiond, IEEE Trans. Computers 57 (2008)
(rounding to odd).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.products.proofs import Method
from refnum.products.rounding import (
    Values,
    add_to_odd,
    round_fraction,
    two_product,
    two_sum,
)

__all__ = ["exact_dots"]

_Single = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
_UNIT = 2.0**-53


def exact_dots(a: Values, b: Values, factor: float, method: Method) -> _Single:
    """Return dot products of rows, times a factor, each rounded once.

    Parameters
    ----------
    a, b : ndarray of float64, shape (n, K)
        Pairs of vectors. Infinities and NaN follow IEEE 754.
    factor : float
        Exact factor of all results.
    method : Method
        What has been proved. In range, products and their rounding errors, sums of
        them, and the products of sums with `factor`, are exact in parts of float64.

    Returns
    -------
    ndarray of float32, shape (n,)
        The results; NaN is 0x7fc00000.
    """
    products = a * b
    ieee = products.sum(axis=1) * factor
    out: _Single = np.where(np.isnan(ieee), np.nan, ieee).astype(np.float32)
    finite = np.isfinite(ieee)  # then so are all factors
    finite[~finite] = (np.isfinite(a[~finite]) & np.isfinite(b[~finite])).all(axis=1)
    left = np.flatnonzero(finite)
    for rounds in (1, 2) if method.in_range else ():
        if left.size:
            terms = products if left.size == len(a) else products[left]
            if not method.exact_products:
                terms = np.concatenate(two_product(a[left], b[left]), axis=1)
            out[left], settled = _extracted_sums(terms, factor, rounds)
            left = left[~settled]
    for i in left:
        exact = _integer_dot(a[i].tolist(), b[i].tolist())
        out[i] = round_fraction(exact * Fraction(factor))
    return out


def _extracted_sums(
    terms: Values, factor: float, rounds: int
) -> tuple[_Single, _Bools]:
    """Return sums of rows times a factor, rounded once, and where they are proved.

    One round of extraction is enough for sums that hardly cancel. The rest of two
    rounds is often zero, and its interval then a point.
    """
    first, rest = _extract(terms)
    second = np.zeros(len(terms))
    if rounds == 2:
        second, rest = _extract(rest)
    # What is left is added with rounding: at most K errors of its magnitudes' sum.
    size = np.abs(rest).sum(axis=1)
    low = second + rest.sum(axis=1)
    margin = size * (2 * terms.shape[1] * _UNIT)
    margin += np.where(size > 0, 2 * _UNIT * np.abs(low), 0)
    high, low = two_sum(first, low)
    if factor != 1.0:
        high, low, margin = _scaled(high, low, margin, factor)
    high += 0.0  # an exact zero is +0
    # The ends themselves are rounded, unless there is no margin.
    margin += np.where(margin > 0, 2 * _UNIT * np.abs(low), 0)
    below = add_to_odd(high, low - margin).astype(np.float32)
    above = add_to_odd(high, low + margin).astype(np.float32)
    return below, below.view(np.int32) == above.view(np.int32)


def _extract(terms: Values) -> tuple[Values, Values]:
    """Return exact sums of the upper parts of rows, and the lower parts.

    Let the shift s be a power of two, with |term| <= s / (K + 2). Then fl(term + s)
    lies within [s/2, 2s), on a grid of s * 2^-53; subtracting s is exact; and so is
    what the first addition rounded away, at most s * 2^-53. The upper parts are
    multiples of the grid, and no sum of K of them exceeds s: it has at most 53 bits.
    """
    bits = (terms.shape[1] + 1).bit_length()  # 2**bits >= K + 2
    exponents = np.frexp(np.abs(terms).max(axis=1))[1]
    shift = np.ldexp(1.0, exponents + bits)[:, None]
    upper = terms + shift
    upper -= shift
    return upper.sum(axis=1), terms - upper


def _scaled(
    high: Values, low: Values, margin: Values, factor: float
) -> tuple[Values, Values, Values]:
    """Return the same interval times a factor; it stays a point if low is zero."""
    product, error = two_product(high, factor)
    lower = low * factor
    total = lower + error
    rounded = 4 * _UNIT * (np.abs(lower) + np.abs(error))
    margin = margin * (abs(factor) * (1 + 4 * _UNIT)) + np.where(low != 0, rounded, 0)
    return product, total, margin


def _integer_dot(x: list[float], y: list[float]) -> Fraction:
    """Return the exact dot product of finite numbers, as multiples of a power of two."""
    terms: list[tuple[int, int]] = []
    for p, q in zip(x, y, strict=True):
        (top, bottom), (other_top, other_bottom) = (
            p.as_integer_ratio(),
            q.as_integer_ratio(),
        )
        depth = bottom.bit_length() + other_bottom.bit_length() - 2
        terms.append((top * other_top, depth))
    deepest = max((depth for _, depth in terms), default=0)
    total: Any = sum(top << (deepest - depth) for top, depth in terms)
    return Fraction(total, 1 << deepest)
