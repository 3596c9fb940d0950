"""Products with the Sylvester matrix: the matrix, its fast form, and exact results.

H[r, c] = (-1)^popcount(r & c). A *group* is `size` consecutive elements, and its
product with H has one signed sum of all elements in each place. The *rotation* divides
the sums by sqrt(size), half of whose powers of two are irrational.

A rotation here is a float64 *stand-in* for the exact value: it rounds to float32, and
to any narrower format, exactly as the exact value would. Where all sums fit 53 bits no
order of additions can change them, so BLAS may compute them; other groups are split in
two parts of 53 bits each, and what even these cannot hold is computed in Fractions.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import isqrt, ldexp, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["butterflies", "rotate_carefully", "rotate_fast", "sylvester", "widest_product"]

_Floats = npt.NDArray[np.float64]
_SIGNIFICAND = 53  # bits of a float64
_ORDINARY = 700  # exponents at which no step of a split over- or underflows
_EXPONENT = np.uint64(0x7FF << 52)
_MAGNITUDE = np.uint64(2**63 - 1)
_WIDEST_PRODUCT = 32  # beyond, butterflies cost less than BLAS


def sylvester(size: int) -> npt.NDArray[np.int8]:
    """Build the matrix of +1 and -1, shape (size, size), from its definition."""
    index = np.arange(size)
    odd = np.bitwise_count(index[:, np.newaxis] & index) & 1
    return np.where(odd, np.int8(-1), np.int8(1))


def widest_product(size: int) -> int:
    """Width of the matrix product in `rotate_fast`: butterflies do the rest."""
    return min(size, _WIDEST_PRODUCT)


def butterflies(
    x: npt.NDArray[Any], spare: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Multiply by H along the first axis, a + b and a - b in ascending stride.

    Both arrays, shape (size, ...), are overwritten; the product comes first of the two
    that are returned.
    """
    size, stride = len(x), 1
    while stride < size:
        old = x.reshape(size // (2 * stride), 2, -1)
        new = spare.reshape(old.shape)
        np.add(old[:, 0], old[:, 1], out=new[:, 0])
        np.subtract(old[:, 0], old[:, 1], out=new[:, 1])
        x, spare = spare, x
        stride *= 2
    return x, spare


def rotate_fast(x: _Floats, spare: _Floats, precision: int) -> _Floats | None:
    """Rotate groups whose sums fit 53 bits; None (and `x` as it was) for others.

    Parameters
    ----------
    x, spare : ndarray of float64, shape (outer, groups, inner)
        Element ``i * inner + j`` of a group is at ``[i, group, j]``; `inner` is the
        width of the product. Both are overwritten.
    precision : int
        Significand bits of the type that `x` came from.
    """
    size = x.shape[0] * x.shape[2]
    bits = np.bitwise_and(x.view(np.uint64), _MAGNITUDE, out=spare.view(np.uint64))
    high, low = int(bits.max()), int(bits.min())
    has_zero = low == 0
    if has_zero and high:
        bits -= np.uint64(1)  # zero becomes the largest: the least other one remains
        low = int(bits.min()) + 1
    # All elements are below 2^top and multiples of 2^bottom.
    top = (high >> 52) - 1022
    bottom = (low >> 52) - 1022 - precision
    if high >= int(_EXPONENT) or _log2(size) + top - bottom > _SIGNIFICAND:
        return None
    sums, spare = _sums(x, spare)
    if has_zero:
        sums += 0.0  # a group of zeros sums to +0, whatever their signs
    return _stand_in(sums, None, size, spare)


def rotate_carefully(x: _Floats) -> _Floats:
    """Rotate groups of any values, shape (groups, size)."""
    finite = np.isfinite(x)
    if finite.all():
        return _rotate_finite(x)
    out = _rotate_finite(np.where(finite, x, 0.0))
    special = ~finite.all(axis=1)
    out[special] = _rotate_infinities(x[special])
    return out


def _rotate_finite(x: _Floats) -> _Floats:
    """Split each group on a grid of its own into parts with exact sums."""
    size = x.shape[1]
    exponent = np.frexp(np.abs(x).max(axis=1, keepdims=True))[1]
    growth = _log2(size)
    high = _on_grid(x, exponent + growth - 52)
    rest = x - high
    low = _on_grid(rest, exponent + 2 * growth - 104)
    split = (rest == low).all(axis=1) & (np.abs(exponent[:, 0]) < _ORDINARY)
    parts = []
    for part in (high, low):
        folded = _fold(np.where(split[:, np.newaxis], part, 0.0))
        parts.append(_unfold(_sums(folded, np.empty_like(folded))[0]))
    total = parts[0] + parts[1]
    back = total - parts[0]
    error = (parts[0] - (total - back)) + (parts[1] - back)
    total += 0.0
    out = _stand_in(total, error, size, np.empty_like(total))
    for row in np.flatnonzero(~split):
        out[row] = _rotate_fractions([Fraction(value) for value in x[row].tolist()])
    return out


def _on_grid(x: _Floats, exponent: npt.NDArray[np.int32]) -> _Floats:
    """Round to multiples of 2^exponent, given |x| <= 2^(51 + exponent)."""
    with np.errstate(over="ignore", invalid="ignore"):
        shift = np.ldexp(1.5, exponent + 52)
        return (x + shift) - shift


def _rotate_infinities(x: _Floats) -> _Floats:
    """Give the infinity on which all terms of a sum agree, else NaN."""
    infinite = np.isinf(x)
    agreement = np.where(infinite, np.copysign(1.0, x), 0.0) @ sylvester(x.shape[1])
    unanimous = np.abs(agreement) == infinite.sum(axis=1, keepdims=True)
    unanimous &= ~np.isnan(x).any(axis=1, keepdims=True)
    return np.where(unanimous, np.copysign(np.inf, agreement), np.nan)


def _rotate_fractions(x: list[Fraction]) -> list[float]:
    """Rotate one group: butterflies in Fractions."""
    size, stride = len(x), 1
    while stride < size:
        for i in (i for i in range(size) if not i & stride):
            x[i], x[i + stride] = x[i] + x[i + stride], x[i] - x[i + stride]
        stride *= 2
    return [_root_to_odd(total, size) for total in x]


def _root_to_odd(total: Fraction, size: int) -> float:
    """Round total / sqrt(size) to odd: down in magnitude, the last bit set if inexact.

    Rounding to odd with two or more bits to spare keeps every later rounding right.
    """
    if not total:
        return 0.0
    square = total * total / size
    length = square.numerator.bit_length() - square.denominator.bit_length()
    shift = 64 - length // 2  # so that the root has more than 53 bits
    square *= Fraction(4) ** shift
    root = isqrt(int(square))
    drop = root.bit_length() - _SIGNIFICAND
    kept = root >> drop
    kept |= kept << drop != root or root * root != square
    exponent = min(drop - shift, 900)  # far above any float32: infinity in the end
    return ldexp(kept if total > 0 else -kept, exponent)


def _sums(x: _Floats, spare: _Floats) -> tuple[_Floats, _Floats]:
    """Signed sums times the power of two in 1 / sqrt(size); x (outer, groups, inner)."""
    outer, _, inner = x.shape
    matrix = _scaled_matrix(inner, _log2(outer * inner) // 2)
    np.matmul(x.reshape(-1, inner), matrix, out=spare.reshape(-1, inner))
    return butterflies(spare, x)


def _stand_in(
    sums: _Floats, error: _Floats | None, size: int, spare: _Floats
) -> _Floats:
    """Finish exact sums (or `sums` + `error`, where not None) to stand-ins.

    With an irrational root, the product below is off by less than 4 units in its last
    place. A float32, or the midpoint of two, ends in 28 zeros: only products that near
    one may round to the wrong side, and they are computed anew.
    """
    if _log2(size) % 2 == 0:
        return sums if error is None else _to_odd(sums, error)
    product = np.multiply(sums, sqrt(0.5), out=spare)
    near = product.view(np.uint64) + np.uint64(4)
    near &= np.uint64(0xFFFFFF8)
    if near.min() == 0:
        for index in zip(*np.nonzero((near == 0) & (product != 0)), strict=True):
            total = Fraction(float(sums[index]))
            if error is not None:
                total += Fraction(float(error[index]))
            product[index] = _root_to_odd(total, 2)
    return product


def _to_odd(nearest: _Floats, error: _Floats) -> _Floats:
    """Round nearest + error to odd, given its nearest float64."""
    even = (nearest.view(np.uint64) & np.uint64(1)) == 0
    beyond = np.nextafter(nearest, np.copysign(np.inf, error))
    return np.where(even & (error != 0), beyond, nearest)


def _fold(x: _Floats) -> _Floats:
    """Reorder (groups, size) to (outer, groups, inner)."""
    groups, size = x.shape
    inner = widest_product(size)
    return np.ascontiguousarray(x.reshape(groups, -1, inner).transpose(1, 0, 2))


def _unfold(x: _Floats) -> _Floats:
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


@lru_cache
def _scaled_matrix(size: int, halvings: int) -> _Floats:
    return np.ldexp(sylvester(size).astype(np.float64), -halvings)


def _log2(size: int) -> int:
    return size.bit_length() - 1
