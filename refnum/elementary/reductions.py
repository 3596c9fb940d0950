"""Sums in an order that is part of their definition, whatever the memory layout.

The elements to add are those along the reduced axes, in C order. Three orders:

- *pairwise*: fewer than 8 are added from the left. Up to 128, eight lanes add every
  eighth element; they are combined ((0+1) + (2+3)) + ((4+5) + (6+7)), and what is left
  of a multiple of 8 follows from the left. More are split after the multiple of 8 at or
  below their half. This is NumPy's order on a contiguous axis, so its `add.reduce` is
  the fast path, on a copy where the layout is another. The long rows of a table are
  added to one another instead. `pairwise_sum` is the definition.
- *sequential*: from the left.
- *exact*: the float32 nearest the exact sum, so that no order matters.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from refnum.elementary._arguments import F32, Axes, as_axes, as_float32
from refnum.elementary.definition import nearest_float32
from refnum.elementary.evaluate import canonical_nan
from refnum.elementary.pairwise import add_down, add_rows, is_tall, pairwise_sum

__all__ = ["Order", "add_pairwise", "exact_sum", "mean", "pairwise_sum", "sum"]

Order: TypeAlias = Literal["pairwise", "sequential", "exact"]
_Float = TypeVar("_Float", np.float32, np.float64)

_PIECE = 1 << 16  # elements of a row that are accumulated at a time
_EXACT_PIECE = 1 << 28  # elements whose 24-bit significands float64 adds exactly
_SMALLEST = 149  # float32 are whole multiples of 2^-149


def sum(
    x: npt.ArrayLike,
    axis: Axes = None,
    *,
    order: Order = "pairwise",
    keepdims: bool = False,
) -> F32:
    """Return the sum along axes, added in a fixed order.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        What to add, in any memory layout.
    axis : int, sequence of int or None
        The axes to add along; None means all.
    order : {"pairwise", "sequential", "exact"}
        Pairwise and sequential round each addition to float32; exact rounds the exact
        sum once.
    keepdims : bool
        Whether the reduced axes stay, with size one.

    Returns
    -------
    ndarray of float32
        The sums. No elements give +0. NaN is 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If an axis is out of range or named twice, or `order` is unknown.

    Notes
    -----
    An exact sum of zero is +0, unless all elements are -0. Exact sums that cancel to
    almost nothing take some 20 microseconds each.

    References
    ----------
    N. J. Higham, "The accuracy of floating point summation", SIAM Journal on
    Scientific Computing 14, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([2**24, 1, 1, -(2**24)], np.float32)
    >>> sum(x), sum(x, order="exact")
    (array(0., dtype=float32), array(2., dtype=float32))
    """
    if order not in _ORDERS:
        known = ", ".join(map(repr, _ORDERS))
        raise ValueError(f"order must be one of {known}, not {order!r}")
    array = as_float32(x)
    with np.errstate(all="ignore"):
        total = _reduced(array, as_axes(axis, array.ndim), keepdims, _ORDERS[order])
    return canonical_nan(total)


def mean(
    x: npt.ArrayLike,
    axis: Axes = None,
    *,
    order: Order = "pairwise",
    keepdims: bool = False,
) -> F32:
    """Return the mean along axes: the sum, divided by the count.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        What to average, in any memory layout.
    axis, order, keepdims
        As in `sum`.

    Returns
    -------
    ndarray of float32
        The float32 sum over the count, which is rounded once more.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If there are no elements to average, an axis is out of range or named twice,
        or `order` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> mean(np.array([[1, 2], [3, 5]], np.float32), axis=0)
    array([2. , 3.5], dtype=float32)
    """
    array = as_float32(x)
    axes = as_axes(axis, array.ndim)
    count = math.prod(array.shape[one] for one in axes)
    if count == 0:
        raise ValueError(f"no elements to average along {axes} of {array.shape}")
    total = sum(array, axes, order=order, keepdims=keepdims)
    return canonical_nan(total.astype(np.float64) / count)


def add_pairwise(
    x: npt.NDArray[_Float], axes: tuple[int, ...], keepdims: bool
) -> npt.NDArray[_Float]:
    """Return sums in pairwise order, in the type of x."""
    return _reduced(x, axes, keepdims, _add_pairwise)


def exact_sum(values: F32) -> float:
    """Return the float32 nearest the sum of finite numbers, by whole multiples of 2^-149.

    Examples
    --------
    >>> import numpy as np
    >>> exact_sum(np.array([1e38, 1, -1e38], np.float32))
    1.0
    """
    total = 0
    for start in range(0, values.size, _EXACT_PIECE):
        bits = values[start : start + _EXACT_PIECE].view(np.uint32)
        field = bits >> 23 & 0xFF
        significand = (bits & 0x7FFFFF | (field > 0) * np.uint32(1 << 23)).astype(float)
        significand[bits >> 31 != 0] *= -1
        by_field = np.bincount(field, significand, minlength=255).tolist()
        total += builtins.sum(int(n) << max(e - 1, 0) for e, n in enumerate(by_field))
    return nearest_float32(total, _SMALLEST)


def _reduced(
    x: npt.NDArray[_Float],
    axes: tuple[int, ...],
    keepdims: bool,
    add: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
) -> npt.NDArray[_Float]:
    """Apply `add` to rows: the reduced axes, flattened, in contiguous memory."""
    kept: list[int] = [one for one in range(x.ndim) if one not in axes]
    shape = [x.shape[one] for one in kept]
    count = math.prod(x.shape[one] for one in axes)
    if add is _add_pairwise and is_tall(x, axes):
        tall = add_down(x.reshape(count, -1))
        return tall.reshape([1] * len(axes) * keepdims + shape)
    moved = np.transpose(x, [*kept, *axes])
    rows = np.ascontiguousarray(moved).reshape(math.prod(shape), count)
    full = [1 if one in axes else size for one, size in enumerate(x.shape)]
    return add(rows).reshape(full if keepdims else shape)


def _add_pairwise(rows: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    return add_rows(rows, rows.dtype)


def _add_from_left(rows: F32) -> F32:
    if rows.shape[1] == 0:
        return np.zeros(rows.shape[0], np.float32)
    total: F32 = rows[:, 0].copy()
    for start in range(1, rows.shape[1], _PIECE):
        piece = np.column_stack([total, rows[:, start : start + _PIECE]])
        total = np.add.accumulate(piece, axis=1)[:, -1]
    return total


def _add_exactly(rows: F32) -> F32:
    """Add in float64; where that leaves the rounding open, in integers."""
    count = rows.shape[1]
    total = add_rows(rows, np.dtype(np.float64))
    magnitude = add_rows(np.abs(rows), np.dtype(np.float64))
    # In any order, additions err by less than count * 2^-53 of the magnitudes' sum.
    margin = magnitude * (count * 2.0**-52)
    result: F32 = (total - margin).astype(np.float32)
    hard = (total + margin).astype(np.float32) != result
    hard &= np.isfinite(total)
    result[~np.isfinite(total)] = total[~np.isfinite(total)]
    for row in np.flatnonzero(hard):
        result[row] = exact_sum(rows[row])
    return result


_ORDERS: dict[str, Callable[[F32], F32]] = {
    "pairwise": _add_pairwise,
    "sequential": _add_from_left,
    "exact": _add_exactly,
}
