"""The correctly rounded exact matrix product, as fast as float64 allows.

The result is defined without any order of summation: the exact sum of exact products,
rounded once to float32. So it depends on no BLAS kernel and on no thread. Three
methods, each with a proof, compute it:

1. *Never rounds*: where all products are multiples of a unit and no partial sum
   reaches 2**53 of them, a float64 matrix product has no rounding at all; below 2**24,
   nor has one in float32.
2. *Certified*: otherwise a float64 matrix product is within a known distance of the
   exact sum; where both ends of that interval round to the same float32, so does all
   between them (`certify`).
3. *Redo*: the few outputs left are summed again without error, by `error_free`.

Long sums are added in pieces, which brings the known distance down: a product then
passes through fewer roundings on its way to the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.products.certify import Lengths, Places, certify, lengths_of
from refnum.products.error_free import exact_dots
from refnum.products.proofs import Method, choose
from refnum.products.rounding import Values

__all__ = ["exact_product"]

_Stack = npt.NDArray[np.floating[Any]]
_Single = npt.NDArray[np.float32]

_COLUMNS = 512  # at a time
_OUTPUTS = 1 << 18  # at a time
_FACTORS = 1 << 20  # of rows at a time
_FEWEST = 128  # rows at a time that keep BLAS fast
_PIECE = 256  # terms of a long sum that are added together
_PAIRS = 1 << 17  # products at a time of outputs that are done again
_BUFFERS = Buffers()


def exact_product(a: _Stack, b: _Stack, factor: float = 1.0) -> _Single:
    """Return ``a @ b * factor``, the exact result rounded once to float32.

    Parameters
    ----------
    a, b : array of float16, float32 or float64, shape (M, K) and (K, N)
        Factors of any value, or two stacks of as many, (B, M, K) and (B, K, N).
    factor : float
        Exact factor of every output.

    Returns
    -------
    ndarray of float32, shape (M, N) or (B, M, N)
        The exact results to nearest even, +0 for an exact zero. Infinities and NaN
        follow from IEEE 754's rules for each product and sum; NaN is 0x7fc00000.
    """
    if a.ndim == 2:
        stack: _Single = exact_product(a[None], b[None], factor)
        return stack.reshape(stack.shape[1:])
    a, b = (x.astype(np.float32) if x.dtype == np.float16 else x for x in (a, b))
    with np.errstate(all="ignore"):  # specials are results, not mistakes
        return _by_tiles(a, b, factor)


def _by_tiles(a: _Stack, b: _Stack, factor: float) -> _Single:
    (count, m, depth), n = a.shape, b.shape[2]
    out = np.empty((count, m, n), np.float32)
    method = choose(a, b, factor)
    certified = method.in_range and not (method.never_rounds and factor == 1.0)
    width = max(1, min(n, _COLUMNS))
    height = max(_FEWEST, min(_OUTPUTS // width, _FACTORS // max(1, depth)))
    group = max(1, _OUTPUTS // max(1, m * n, m * depth, n * depth))
    unsettled: list[Places] = []
    for first in range(0, count, group):
        several = slice(first, first + group)
        for across in range(0, n, width):
            columns = slice(across, across + width)
            given = b[several, :, columns]
            right = _BUFFERS.copy("right", given, method.arithmetic)
            lengths = lengths_of(given.swapaxes(1, 2)) if certified else None
            for down in range(0, m, height):
                rows = slice(down, down + height)
                places = _fill(
                    out[several, rows, columns],
                    a[several, rows],
                    right,
                    lengths,
                    factor,
                    method,
                )
                if places is not None:
                    corner = (first, down, across)
                    unsettled.append(tuple(map(np.add, places, corner)))
    if unsettled:
        _redo(out, a, b, factor, method, unsettled)
    return out


def _fill(
    out: _Single,
    rows: _Stack,
    right: _Stack,
    columns: Lengths | None,
    factor: float,
    method: Method,
) -> Places | None:
    """Multiply rows with a factor of the method's type; return doubtful places."""
    if not method.in_range:
        return np.unravel_index(np.arange(out.size), out.shape)
    left = _BUFFERS.copy("left", rows, method.arithmetic)
    total = _BUFFERS.take("total", out.shape, method.arithmetic)
    steps = _multiply(total, left, right, method)
    if columns is None:
        np.add(total, 0.0, out=out, casting="same_kind")  # kernels differ in -0
        return None
    middle: Values = total.astype(np.float64, copy=False)
    if factor != 1.0:
        middle *= factor
    return certify(out, middle, lengths_of(rows), columns, steps, factor)


def _multiply(total: _Stack, left: _Stack, right: _Stack, method: Method) -> int:
    """Return how many roundings each product passes through at most."""
    depth: int = left.shape[2]
    if method.never_rounds or depth <= 2 * _PIECE:
        np.matmul(left, right, out=total)
        return 0 if method.never_rounds else depth
    part = _BUFFERS.take("part", total.shape, total.dtype)
    for start in range(0, depth, _PIECE):
        some = slice(start, start + _PIECE)
        np.matmul(left[:, :, some], right[:, some], out=part if start else total)
        if start:
            total += part
    return _PIECE + (depth - 1) // _PIECE


def _redo(
    out: _Single,
    a: _Stack,
    b: _Stack,
    factor: float,
    method: Method,
    unsettled: list[Places],
) -> None:
    """Compute some outputs without rounding before the last."""
    matrices, rows, columns = map(np.concatenate, zip(*unsettled, strict=True))
    together = max(1, _PAIRS // max(1, a.shape[2]))
    for first in range(0, rows.size, together):
        some = slice(first, first + together)
        matrix, row, column = matrices[some], rows[some], columns[some]
        x = _rows_of(a, matrix, row)
        y = _rows_of(b.swapaxes(1, 2), matrix, column)
        out[matrix, row, column] = exact_dots(x, y, factor, method)


def _rows_of(x: _Stack, matrix: npt.NDArray[Any], row: npt.NDArray[Any]) -> Values:
    if len(x) == 1 and x[0].T.flags.c_contiguous:  # `take` is three times as fast
        chosen = x[0].T.take(row, axis=1).T
    else:
        chosen = x[matrix, row]
    wide: Values = chosen.astype(np.float64, order="C", copy=False)
    return wide
