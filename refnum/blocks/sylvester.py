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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "Span",
    "butterflies",
    "butterflies_of_runs",
    "rotate_carefully",
    "rotate_fast",
    "round_significand",
    "span_of",
    "swap_runs",
    "sylvester",
]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_SIGNIFICAND = 53  # bits of a float64
_ORDINARY = 700  # exponents at which no step of a split over- or underflows
_WIDEST_PRODUCT = 32  # beyond, butterflies of parts cost less than BLAS
_PART = 16
_PRODUCT = 1 << 14  # elements of a product: BLAS has quicker ways for small ones


def sylvester(size: int) -> npt.NDArray[np.int8]:
    """Build the matrix of +1 and -1, shape (size, size), from its definition."""
    index = np.arange(size)
    odd = np.bitwise_count(index[:, np.newaxis] & index) & 1
    return np.where(odd, np.int8(-1), np.int8(1))


def butterflies(
    x: npt.NDArray[Any], spare: npt.NDArray[Any], first: int = 1, end: int | None = None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Multiply by H along the first axis, a + b and a - b in ascending stride.

    Both arrays, shape (size, ...), are overwritten; the product comes first of the two
    that are returned. With `first` and `end`, strides below and from there are left out.
    """
    size, stride = len(x), first
    while stride < (size if end is None else end):
        old = x.reshape(size // (2 * stride), 2, -1)
        new = spare.reshape(old.shape)
        _add_and_subtract(old[:, 0], old[:, 1], new[:, 0], new[:, 1])
        x, spare = spare, x
        stride *= 2
    return x, spare


def _add_and_subtract(
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    sums: npt.NDArray[Any],
    differences: npt.NDArray[Any],
) -> None:
    np.add(a, b, out=sums)
    np.subtract(a, b, out=differences)


def butterflies_of_runs(x: _Singles, buffers: _Singles, out: _Singles) -> None:
    """Write each row's product with H to `out`, as `butterflies` has it down an axis.

    All are contiguous, `x` and `out` of shape (runs, size), and the two buffers alike;
    `x` may be the first. Pairs of neighbours are complex numbers. The first stage is a
    product, (a - bi)(1 + i), whose parts are a * 1 - (-b) * 1 and a * 1 + (-b) * 1: each
    is rounded once, as a + b and a - b are, with the same zeros and infinities. The next
    stage makes columns of runs, so that those between add whole rows, and the last makes
    runs of columns.
    """
    runs, size = x.shape
    here, there = buffers.view(np.complex64)
    np.conjugate(x.view(np.complex64), out=here)
    np.multiply(here, np.complex64(1 + 1j), out=here)
    if size == 2:
        np.copyto(out, here.view(np.float32))
        return
    pairs = here.reshape(runs, size // 4, 2).T  # neighbours first
    halves = out.view(np.complex64).reshape(runs, 2, size // 4).transpose(1, 2, 0)
    if size > 4:
        columns = there.reshape(size // 4, 2, runs)
        _add_and_subtract(pairs[0], pairs[1], columns[:, 0], columns[:, 1])
        rows = size // 2, runs
        pairs, _ = butterflies(there.reshape(rows), here.reshape(rows), 2, size // 4)
        pairs = pairs.reshape(2, size // 4, runs)
    _add_and_subtract(pairs[0], pairs[1], halves[0], halves[1])


def swap_runs(
    x: npt.NDArray[Any], spare: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Rearrange (m, n, inner) to (n, m, inner); the result comes first of the two.

    What is copied are items of `inner` elements: far quicker than single ones.
    """
    m, n, inner = x.shape
    if 1 in (m, n):
        return x.reshape(n, m, inner), spare.reshape(n, m, inner)
    item = np.dtype((np.void, inner * x.itemsize))
    swapped = spare.reshape(n, m, inner)
    np.copyto(swapped.view(item)[..., 0], x.view(item)[..., 0].T)
    return swapped, x.reshape(n, m, inner)


class Span(NamedTuple):
    """Elements below 2^top in magnitude that are multiples of 2^bottom."""

    top: int
    bottom: int
    has_zero: bool


def span_of(x: npt.NDArray[Any], scratch: npt.NDArray[np.uint8]) -> Span | None:
    """Bound the bits of IEEE floats of any width; None if some are not finite.

    `scratch` are as many bytes as `x` has.
    """
    word, fraction_bits, infinity, magnitude = _facts_of(x.dtype)
    magnitudes = scratch.view(word).reshape(x.shape)
    np.bitwise_and(x.view(word), magnitude, out=magnitudes)
    high = int(np.maximum.reduce(magnitudes, axis=None))
    low = int(np.minimum.reduce(magnitudes, axis=None))
    if high >= infinity:
        return None
    has_zero = low == 0
    if has_zero and high:
        magnitudes -= word(1)  # zero becomes the largest: the least other remains
        low = int(magnitudes.min()) + 1
    bias = infinity >> fraction_bits + 1
    top = (high >> fraction_bits) - bias + 1
    bottom = max(low >> fraction_bits, 1) - bias - fraction_bits
    return Span(max(top, bottom), bottom, has_zero)


def rotate_fast(x: _Floats, spare: _Floats, span: Span) -> _Floats | None:
    """Rotate groups whose sums fit 53 bits; None (and `x` as it was) for others.

    Parameters
    ----------
    x, spare : ndarray of float64, shape (groups, size)
        Contiguous; both are overwritten.
    span : Span
        Of the elements of `x`.

    Returns
    -------
    ndarray of float64, shape (outer, groups, inner)
        Element ``i * inner + j`` of a group is at ``[i, group, j]``.
    """
    size = x.shape[1]
    if _log2(size) + span.top - span.bottom > _SIGNIFICAND:
        return None
    sums, spare = _sums(x, spare)
    if span.has_zero:
        sums += 0.0  # a group of zeros sums to +0, whatever their signs
    return _stand_in(sums, None, size, spare)


def round_significand(x: _Floats, bits: int) -> None:
    """Round float64 to nearest even in place, to a significand of fewer bits."""
    words, drop = x.view(np.uint64), np.uint64(_SIGNIFICAND - bits)
    carry = words >> drop
    carry &= np.uint64(1)
    carry += (np.uint64(1) << drop - np.uint64(1)) - np.uint64(1)
    words += carry
    words &= ~((np.uint64(1) << drop) - np.uint64(1))


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
        kept = np.where(split[:, np.newaxis], part, 0.0)
        sums, _ = _sums(kept, np.empty_like(kept))
        parts.append(sums.transpose(1, 0, 2).reshape(x.shape))
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
    """Signed sums of each row times the power of two in 1 / sqrt(size).

    Both arrays, shape (groups, size), are overwritten; the sums, shape (outer, groups,
    inner), come first of the two that are returned.
    """
    groups, size = x.shape
    inner = size if size <= _WIDEST_PRODUCT else _PART
    matrix = _scaled_matrix(inner, _log2(size) // 2)
    rows, sums, step = x.reshape(-1, inner), spare.reshape(-1, inner), _PRODUCT // inner
    for i in range(0, len(rows), step):
        np.matmul(rows[i : i + step], matrix, out=sums[i : i + step])
    runs = groups, size // inner, inner
    return butterflies(*swap_runs(spare.reshape(runs), x.reshape(runs)))


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
    near = product.view(np.uint64).astype(np.uint32)  # the lowest bits
    near += np.uint32(4)
    near <<= np.uint32(4)
    if near.min() < 8 << 4:
        near_ends = near < 8 << 4
        for index in zip(*np.nonzero(near_ends & (product != 0)), strict=True):
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


@lru_cache
def _facts_of(
    dtype: np.dtype[Any],
) -> tuple[type[np.unsignedinteger[Any]], int, int, np.unsignedinteger[Any]]:
    """The type of a float's bits, the width of its fraction, infinity, all but sign."""
    word = np.dtype(f"u{dtype.itemsize}").type
    infinity = int(np.array(np.inf, dtype).view(word))
    return word, np.finfo(dtype).nmant, infinity, word(np.iinfo(word).max >> 1)


@lru_cache
def _scaled_matrix(size: int, halvings: int) -> _Floats:
    return np.ldexp(sylvester(size).astype(np.float64), -halvings)


def _log2(size: int) -> int:
    return size.bit_length() - 1
