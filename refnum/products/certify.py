"""Which float64 sums tell the exact sum's float32, by a bound of their errors.

Let every product of two factors pass through at most s roundings of float64 on its way
to the result, its own included: s = K where K products are added in any order, less
where sums of pieces are added; fused operations round less. Then the result errs by
less than s * u * sum |x||y| / (1 - s * u), u = 2**-53, and the sum is at most |x| |y|,
by Cauchy and Schwarz. Multiplying by a common factor, adding the distance and computing
the lengths |x| and |y| round too: (s + 8) * u * |x| |y| covers all.

Where lengths are similar, the longest row and column stand for all, which is faster;
the few outputs that this leaves open are looked at with their own lengths.

References
----------
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 4.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.products.rounding import Values

__all__ = ["Lengths", "Places", "certify", "lengths_of"]

_Single = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
Places = tuple[npt.NDArray[np.intp], ...]

_UNIT = 2.0**-53
_SLACK = 1 + 2.0**-20  # rounding of lengths and bounds, of up to 2**30 terms
_SINGLE_TERMS = 1 << 14  # whose squares may be added in float32
_SIMILAR = 64  # rows share the largest bound unless theirs is so many times less,
_SHARE = 64  # for more than one in so many
_BUFFERS = Buffers()


class Lengths(NamedTuple):
    """Lengths of the rows or columns of a stack of matrices."""

    values: Values
    """Zero where they are not finite."""
    special: _Bools | None
    """Where they are not finite, or None if all are."""


def lengths_of(x: npt.NDArray[np.floating[Any]]) -> Lengths:
    """Return lengths of the rows of a stack of float32 or float64, or a little more.

    Squares of float32 are added in float32: K of them lose less than K * 2**-23 of the
    sum, and less than K * 2**-126 where they underflow. Sums that are small enough for
    that to matter, or not finite, are added again in float64.
    """
    depth = x.shape[2]
    if x.dtype == np.float64 or depth > _SINGLE_TERMS:
        squares = _squares(x.astype(np.float64, copy=False))
    else:
        single = _squares(x)
        squares = single.astype(np.float64)
        squares *= 1 + 2.0**-8
        doubtful = ~((single > max(1, depth) * 2.0**-100) & (single < np.inf))
        if doubtful.any():
            squares[doubtful] = _squares(x[doubtful][None].astype(np.float64))[0]
    special = None
    if not np.isfinite(squares.sum()):
        special = ~np.isfinite(squares)
        squares[special] = 0
    return Lengths(np.sqrt(squares, out=squares), special)


def _squares(x: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
    if x.strides[2] == x.itemsize:
        return np.asarray(np.vecdot(x, x))
    return np.asarray(np.einsum("gik,gik->gi", x, x))


def certify(
    out: _Single,
    total: Values,
    rows: Lengths,
    columns: Lengths,
    steps: int,
    factor: float,
) -> Places | None:
    """Round to float32.

    Parameters
    ----------
    out : ndarray of float32, shape (B, M, N)
        Where the results go.
    total : ndarray of float64, shape (B, M, N)
        Sums of products times `factor`, in C order.
    rows, columns : Lengths, shape (B, M) and (B, N)
        Of the vectors that were multiplied.
    steps : int
        How many roundings a product passes through at most; 0 if the sum has none.
    factor : float
        Of all sums.

    Returns
    -------
    three ndarrays of int, or None
        The places whose results may be wrong, if there are any.
    """
    scale = (steps + 8) * _UNIT * _SLACK * abs(factor)
    heights, widths = rows.values * scale, columns.values
    error = _common_error(heights, widths)
    np.subtract(total, error, out=out, casting="same_kind")
    upper = _BUFFERS.take("upper", out.shape, np.float32)
    np.add(total, error, out=upper, casting="same_kind")
    # Bits, not values: -0 and +0 are different results.
    different = _BUFFERS.take("different", out.shape, bool)
    np.not_equal(out.view(np.int32), upper.view(np.int32), out=different)
    open_ = np.flatnonzero(different)
    if open_.size:
        open_ = _closer(out, total, heights, widths, open_)
    if rows.special is not None or columns.special is not None:
        open_ = np.union1d(open_, np.flatnonzero(_touched(rows, columns)))
    return np.unravel_index(open_, out.shape) if open_.size else None


def _common_error(rows: Values, columns: Values) -> Any:
    """Return an upper bound of the errors, with as few different numbers as pay."""
    longest = columns.max(initial=0)
    if _vary(columns, longest):
        error = _BUFFERS.take("error", (*rows.shape, columns.shape[1]), np.float64)
        return np.multiply(rows[..., None], columns[:, None], out=error)
    largest = rows.max(initial=0)
    if _vary(rows, largest):
        return (rows * longest)[..., None]
    return largest * longest  # one number is twice as fast


def _vary(lengths: Values, longest: Any) -> bool:
    """Whether so many are so short that the longest would leave much open."""
    short = np.count_nonzero(lengths < longest * (1 / _SIMILAR))
    return bool(short * _SHARE > lengths.size)


def _closer(
    out: _Single,
    total: Values,
    rows: Values,
    columns: Values,
    open_: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """Settle outputs by the lengths of their own factors; return which are left."""
    places = np.unravel_index(open_, out.shape)
    matrix, row, column = places
    middle = total.reshape(-1)[open_]
    error = rows[matrix, row] * columns[matrix, column]
    lower = (middle - error).astype(np.float32)
    upper = (middle + error).astype(np.float32)
    out[places] = lower
    left: npt.NDArray[np.intp] = open_[lower.view(np.int32) != upper.view(np.int32)]
    return left


def _touched(rows: Lengths, columns: Lengths) -> _Bools:
    """Return which outputs have a factor that is not finite."""
    first, second = (
        np.zeros(x.values.shape, bool) if x.special is None else x.special
        for x in (rows, columns)
    )
    touched: _Bools = first[..., None] | second[:, None]
    return touched
