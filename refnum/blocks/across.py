"""Exact rotations of runs as they lie in an array, rounded to a narrow format.

An array is seen as `slabs` of `size` rows and some columns, and a run is one column of a
slab (with one column, the runs lie along the last axis). Nothing is transposed.

Sums are made in float64. Where their bits do not fit, each is off by a bounded error;
a result of few bits is then right all the same, unless the midpoint between two of them
is within reach, and only such runs are computed with care.
"""

from __future__ import annotations

from functools import lru_cache
from math import ldexp, sqrt

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.blocks.sylvester import (
    Span,
    rotate_carefully,
    round_significand,
    span_of,
    sylvester,
)
from refnum.formats import FP32, Format, round_to

__all__ = ["MOST_NARROW", "rotate_slabs"]

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MOST_NARROW = 16
"""Bits of a significand that float32 has eight more of, or more."""

_BUFFERS = Buffers()
_SIGNIFICAND = 53  # bits of a float64
_WIDEST_PRODUCT = 16  # beyond, butterflies cost less than BLAS
_NEAR = 2  # units of float32's last place


def rotate_slabs(
    x: Singles,
    signs: Singles | None,
    signs_first: bool,
    target: Format,
    chunk: int,
    out: Singles,
) -> None:
    """Write the rotations of runs, rounded to a format, to `out`.

    Parameters
    ----------
    x, out : ndarray of float32, shape (slabs, size, columns)
        C-ordered.
    signs : ndarray of float32, shape (size,), optional
        The diagonal of D.
    signs_first : bool
        Whether they flip inputs, or outputs.
    target : Format
        With the exponents of float32 and at most `MOST_NARROW` bits of significand.
    chunk : int
        Elements at a time.
    """
    slabs, size, columns = x.shape
    high = max(1, chunk // (size * columns))
    wide = columns if high > 1 or size * columns <= chunk else max(1, chunk // size)
    elements = min(high, slabs) * size * wide
    buffers = _BUFFERS.take("both", (2, elements), np.float64)
    unsure = np.zeros((slabs, columns), np.bool_)
    for i in range(0, slabs, high):
        for j in range(0, columns, wide):
            some = slice(i, i + high), slice(None), slice(j, j + wide)
            unsure[some[0], some[2]] = _rotate_piece(
                x[some], signs, signs_first, target, buffers, out[some]
            )
    at, column = np.nonzero(unsure)
    for start in range(0, at.size, max(1, chunk // size)):
        part = slice(start, start + max(1, chunk // size))
        runs = at[part], slice(None), column[part]
        out[runs] = _with_care(x[runs], signs, signs_first, target)


def _rotate_piece(
    piece: Singles,
    signs: Singles | None,
    signs_first: bool,
    target: Format,
    buffers: Doubles,
    out: Singles,
) -> npt.NDArray[np.bool_] | bool:
    """Write the rotations of a piece; return for which runs they may be wrong."""
    x, spare = buffers[:, : piece.size].reshape(2, *piece.shape)
    scratch = spare.view(np.uint8).reshape(-1)[: piece.nbytes]
    span = span_of(piece, scratch)
    if span is None:
        return True
    np.copyto(x, piece)
    size = piece.shape[1]
    values, spare = _sums(x, spare, signs, signs_first)
    if span.has_zero:
        values += 0.0  # a run of zeros sums to +0, whatever their signs
    if _log2(size) % 2:
        values *= sqrt(0.5)
    bits = target.mantissa_bits + 1
    unsure = _round(values, bits, spare, out)
    fits = _log2(size) + span.top - span.bottom <= _SIGNIFICAND
    # Results but 0 are multiples of 2^(bottom - 5), at least: none is subnormal.
    if fits and _log2(size) % 2 == 0 and span.bottom - 5 >= FP32.emin:
        at = np.unravel_index(np.flatnonzero(unsure), piece.shape)
        again = values[at]
        round_significand(again, bits)
        out[at] = again
        return False
    magnitudes = spare.view(np.float32).reshape(-1)[: out.size].reshape(out.shape)
    np.abs(out, out=magnitudes)
    unsure |= magnitudes < np.float32(_least(span, size))
    at = np.unravel_index(np.flatnonzero(unsure), piece.shape)
    runs = np.zeros((piece.shape[0], piece.shape[2]), np.bool_)
    runs[at[0], at[2]] = True
    return runs


def _least(span: Span, size: int) -> float:
    """Return the magnitude from which on errors of sums are within `_NEAR`.

    A sum of `size` terms below 2^top, over sqrt(size), is off by less than 2^error.
    """
    growth = _log2(size)
    error = 2 * growth - growth // 2 + span.top - _SIGNIFICAND + 1
    return max(ldexp(1.0, error + FP32.mantissa_bits - 1), ldexp(1.0, FP32.emin + 1))


def _round(
    values: Doubles, bits: int, spare: Doubles, out: Singles
) -> npt.NDArray[np.bool_]:
    """Write values to a significand of so many bits, to nearest even, by way of float32.

    Return where float32 is next to a midpoint: there the way may be wrong.
    """
    out[...] = values
    words = out.view(np.uint32)
    tail = spare.view(np.uint32).reshape(-1)[: out.size].reshape(out.shape)
    drop = FP32.mantissa_bits + 1 - bits
    half = 1 << (drop - 1)
    np.bitwise_and(words, np.uint32((1 << drop) - 1), out=tail)
    tail -= np.uint32(half - _NEAR)
    unsure: npt.NDArray[np.bool_] = tail <= np.uint32(2 * _NEAR)
    np.right_shift(words, np.uint32(drop), out=tail)
    tail &= np.uint32(1)
    tail += np.uint32(half - 1)
    words += tail
    words &= np.uint32(0xFFFFFFFF >> drop << drop)
    return unsure


def _with_care(
    x: Singles, signs: Singles | None, signs_first: bool, target: Format
) -> Doubles:
    """Return the rotations of runs, shape (runs, size), by the way always right."""
    wide = x.astype(np.float64)
    if signs is not None and signs_first:
        wide *= signs
    values = rotate_carefully(wide)
    if signs is not None and not signs_first:
        values *= signs
        values += 0.0  # sums of zero stay +0
    tiny = (np.abs(values) < 2 * target.smallest_normal) & (values != 0)
    few = np.asarray(round_to(values[tiny], target))  # subnormals, perhaps
    round_significand(values, target.mantissa_bits + 1)
    values[tiny] = few
    return values


def _sums(
    x: Doubles, spare: Doubles, signs: Singles | None, signs_first: bool
) -> tuple[Doubles, Doubles]:
    """Return signed sums of runs times the power of two in 1 / sqrt(size), and a buffer.

    Both arrays, shape (slabs, size, columns), are overwritten.
    """
    slabs, size, columns = x.shape
    inner = min(size, _WIDEST_PRODUCT)
    folded = signs is not None and size == inner
    if signs is not None and signs_first and not folded:
        x *= signs[:, np.newaxis]
    matrix = _matrix(inner, _log2(size) // 2)
    if signs is not None and folded:
        matrix = matrix * (signs if signs_first else signs[:, np.newaxis])
    if columns == 1:
        a, b = x.reshape(-1, inner), spare.reshape(-1, inner)
        np.matmul(a, matrix.T, out=b)
    else:
        stacks = -1, inner, columns
        np.matmul(matrix, x.reshape(stacks), out=spare.reshape(stacks))
    x, spare, stride = spare, x, inner
    while stride < size:
        old = x.reshape(slabs, size // (2 * stride), 2, -1)
        new = spare.reshape(old.shape)
        np.add(old[:, :, 0], old[:, :, 1], out=new[:, :, 0])
        np.subtract(old[:, :, 0], old[:, :, 1], out=new[:, :, 1])
        x, spare = spare, x
        stride *= 2
    if signs is not None and not signs_first and not folded:
        x *= signs[:, np.newaxis]
        x += 0.0
    return x, spare


@lru_cache
def _matrix(size: int, halvings: int) -> Doubles:
    """Return H, which is symmetric, times a power of two."""
    return np.ldexp(sylvester(size).astype(np.float64), -halvings)


def _log2(size: int) -> int:
    return size.bit_length() - 1
