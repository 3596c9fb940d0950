"""The correctly rounded exact matrix product, as fast as float64 allows.

The result is defined without any order of summation: the exact sum of exact products,
rounded once to float32. So it depends on no BLAS kernel and on no thread. Three
methods, each with a proof, compute it:

1. *Never rounds*: where all products are multiples of a unit and no partial sum
   reaches 2**53 of them, a float64 matrix product has no rounding at all; below 2**24,
   nor has one in float32.
2. *Certified*: otherwise a float64 matrix product is within a known distance of the
   exact sum; where both ends of that interval round to the same float32, so does all
   between them.
3. *Redo*: the few outputs left are summed again without error, by `error_free`.

The distance. In any order, with or without fused operations, a float64 dot product of K
terms errs by less than K * u * sum |x||y| / (1 - K * u), u = 2**-53, which is at most
|x| |y| in place of the sum, by Cauchy and Schwarz. Multiplying by a common factor,
adding the distance and computing the norms round too: (K + 8) * u * |x| |y| covers all.
Where lengths are similar, the longest row and column stand for all, which is faster;
the few outputs that this leaves open are looked at with their own lengths.

References
----------
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.products.buffers import Buffers
from refnum.products.error_free import exact_dots
from refnum.products.proofs import Method, choose
from refnum.products.rounding import Values

__all__ = ["exact_product"]

_Stack = npt.NDArray[np.floating[Any]]
_Single = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
_Places = tuple[npt.NDArray[np.intp], ...]

_TILE = 512  # rows and columns at a time
_GROUP = 1 << 18  # elements at a time of a stack of small matrices
_PAIRS = 1 << 17  # products at a time of outputs that are done again
_SIMILAR = 8  # rows and columns whose bounds differ less share the largest
_UNIT = 2.0**-53
_SLACK = 1 + 2.0**-20  # rounding of norms and bounds, of up to 2**30 terms
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
    group = max(1, _GROUP // max(1, m * n, m * depth, n * depth))
    unsettled: list[_Places] = []
    for first in range(0, count, group):
        several = slice(first, first + group)
        for across in range(0, n, _TILE):
            columns = slice(across, across + _TILE)
            right = _BUFFERS.copy("right", b[several, :, columns], method.arithmetic)
            for down in range(0, m, _TILE):
                rows = slice(down, down + _TILE)
                left = _BUFFERS.copy("left", a[several, rows], method.arithmetic)
                part = out[several, rows, columns]
                places = _fill(part, left, right, factor, method)
                if places[0].size:
                    corner = (first, down, across)
                    unsettled.append(tuple(map(np.add, places, corner)))
    if unsettled:
        _redo(out, a, b, factor, method, unsettled)
    return out


def _fill(
    out: _Single, left: _Stack, right: _Stack, factor: float, method: Method
) -> _Places:
    """Multiply stacks of the method's type; return the places that may be wrong."""
    total = _BUFFERS.take("total", out.shape, method.arithmetic)
    np.matmul(left, right, out=total)
    if method.never_rounds and factor == 1.0:
        np.add(total, 0.0, out=out, casting="same_kind")  # kernels differ in -0
        return _where(np.zeros(0, bool))
    if not method.in_range:
        return _where(np.ones(out.shape, bool))
    x, y, middle = (_double(part) for part in (left, right, total))
    if factor != 1.0:
        middle *= factor
    return _certify(out, x, y, middle, factor, method)


def _double(x: _Stack) -> Values:
    return x.astype(np.float64, copy=False)


def _certify(
    out: _Single,
    left: Values,
    right: Values,
    total: Values,
    factor: float,
    method: Method,
) -> _Places:
    """Round to float32, and return the places where that may be wrong."""
    rows, columns = _norm(left, 2), _norm(right, 1)
    finite = np.isfinite(rows), np.isfinite(columns)
    special = not (finite[0].all() and finite[1].all())
    if special:
        rows[~finite[0]] = columns[~finite[1]] = 0  # done again anyway
    terms = 0 if method.never_rounds else left.shape[2]
    rows *= (terms + 8) * _UNIT * _SLACK * abs(factor)
    error = _common_error(rows, columns)
    np.subtract(total, error, out=out, casting="same_kind")
    upper = _BUFFERS.take("upper", out.shape, np.float32)
    np.add(total, error, out=upper, casting="same_kind")
    # Bits, not values: -0 and +0 are different results.
    different = _BUFFERS.take("different", out.shape, bool)
    np.not_equal(out.view(np.int32), upper.view(np.int32), out=different)
    places = _where(different)
    if places[0].size:
        places = _closer(out, total, rows, columns, places)
    if special:
        touched = ~(finite[0][..., None] & finite[1][:, None])
        pairs = zip(places, _where(touched), strict=True)
        places = tuple(np.concatenate(pair) for pair in pairs)
    return places


def _common_error(rows: Values, columns: Values) -> Any:
    """Return an upper bound of the errors, with as few different numbers as pay."""
    longest = columns.max(axis=1, initial=0, keepdims=True)
    if (longest > _SIMILAR * columns.min(axis=1, initial=np.inf, keepdims=True)).any():
        error = _BUFFERS.take("error", (*rows.shape, columns.shape[1]), np.float64)
        return np.multiply(rows[..., None], columns[:, None], out=error)
    each: Values = rows * longest
    largest = each.max(initial=0)
    similar = largest <= _SIMILAR * each.min(initial=np.inf)
    return largest if similar else each[..., None]  # one number is twice as fast


def _where(mask: _Bools) -> _Places:
    """Return what `nonzero` does, ten times as fast."""
    return np.unravel_index(np.flatnonzero(mask), mask.shape)


def _norm(x: Values, axis: int) -> Values:
    """Return lengths of rows or columns."""
    product = "gmk,gmk->gm" if axis == 2 else "gkn,gkn->gn"
    lengths: Values = np.sqrt(np.einsum(product, x, x))
    return lengths


def _closer(
    out: _Single, total: Values, rows: Values, columns: Values, places: _Places
) -> _Places:
    """Settle outputs by the lengths of their own factors; return which are left."""
    matrix, row, column = places
    middle = total[places]
    error = rows[matrix, row] * columns[matrix, column]
    lower = (middle - error).astype(np.float32)
    upper = (middle + error).astype(np.float32)
    out[places] = lower
    left = lower.view(np.int32) != upper.view(np.int32)
    return matrix[left], row[left], column[left]


def _redo(
    out: _Single,
    a: _Stack,
    b: _Stack,
    factor: float,
    method: Method,
    unsettled: list[_Places],
) -> None:
    """Compute some outputs without rounding before the last."""
    matrices, rows, columns = map(np.concatenate, zip(*unsettled, strict=True))
    turned = b.swapaxes(1, 2)
    together = max(1, _PAIRS // max(1, a.shape[2]))
    for first in range(0, rows.size, together):
        some = slice(first, first + together)
        matrix, row, column = matrices[some], rows[some], columns[some]
        pairs = _double(a[matrix, row]), _double(turned[matrix, column])
        out[matrix, row, column] = exact_dots(*pairs, factor, method)
