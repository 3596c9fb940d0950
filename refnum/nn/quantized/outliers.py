"""Outlier clamping and compensation (OCC): cut off the tails, multiply them apart.

A few activations are far larger than the rest, and with one scale for many they cost
all others their precision. They are clamped to quantiles; what is cut off is sparse,
and its product with the weights is computed in higher precision and added.

Activations are (..., K): a *token* is one row, a *channel* one column of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Format, round_to
from refnum.nn.gradients.grids import as_floats
from refnum.products import EXACT, matmul
from refnum.recipes import Outliers

__all__ = ["clamp_outliers", "outlier_bounds", "residual_product", "sparse_residual"]

_Single = npt.NDArray[np.float32]
_PIECE = 1 << 16  # products of terms at a time


def clamp_outliers(
    x: npt.ArrayLike, outliers: Outliers
) -> tuple[_Single, _Single | None]:
    """Clamp values to quantiles, and return what was cut off.

    Parameters
    ----------
    x : array_like of float32, shape (..., K)
        Activations. NaN stays NaN.
    outliers : Outliers
        The quantile, what it is taken over, and whether the rest is wanted.

    Returns
    -------
    clamped : ndarray of float32, shape (..., K)
        Values within the bounds.
    residual : ndarray of float32, shape (..., K), or None
        ``x - clamped``, almost everywhere 0; None without compensation.

    Raises
    ------
    TypeError
        If `x` is not float32.
    ValueError
        If `x` has no axis.

    References
    ----------
    Wang et al., arXiv 2501.17116, section 3.2; Microsoft MS-AMP, `fp4_quant`.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.recipes import Outliers
    >>> x = np.arange(-2, 8, dtype=np.float32)
    >>> clamped, residual = clamp_outliers(x, Outliers(0.85))
    >>> clamped
    array([-1., -1.,  0.,  1.,  2.,  3.,  4.,  5.,  6.,  6.], dtype=float32)
    >>> residual
    array([-1.,  0.,  0.,  0.,  0.,  0.,  0.,  0.,  0.,  1.], dtype=float32)
    """
    values = _as_singles(x, "x")
    if not values.size:
        return values.copy(), values.copy() if outliers.compensated else None
    low, high = outlier_bounds(values, outliers)
    # Not numpy.clip: it leaves the sign of a zero at a bound to the processor.
    clamped = np.where(values < low, low, np.where(values > high, high, values))
    if not outliers.compensated:
        return clamped, None
    with np.errstate(invalid="ignore"):
        return clamped, values - clamped


def outlier_bounds(x: npt.ArrayLike, outliers: Outliers) -> tuple[_Single, _Single]:
    """Return the values that outliers are clamped to.

    Parameters
    ----------
    x : array_like of float32, shape (..., K)
        Activations, at least one.
    outliers : Outliers
        The quantile a, and what it is taken over.

    Returns
    -------
    low, high : ndarray of float32
        The elements number ``int((1 - a) n)`` and ``int(a n)`` of n in rising order,
        counted from 0, in a shape that broadcasts to that of `x`.

    Raises
    ------
    TypeError
        If `x` is not float32.
    ValueError
        If `x` is empty or has no axis.
    """
    values = _as_singles(x, "x")
    if not values.size:
        raise ValueError(f"an array of shape {values.shape} has no quantiles")
    rows = values.reshape(-1, values.shape[-1])
    parts: _Single = values.reshape(-1) if outliers.span == "tensor" else rows
    axis = 1 if outliers.span == "token" else 0
    count = parts.shape[axis]
    first = int((1 - outliers.share) * count)
    last = min(int(outliers.share * count), count - 1)
    ordered = np.partition(parts, (first, last), axis=axis)
    # Adding 0 makes -0 to +0: which of them comes first is left to the sort.
    low, high = ordered.take([first, last], axis=axis).swapaxes(0, axis) + np.float32(0)
    if outliers.span == "token":
        shape = (*values.shape[:-1], 1)
        return low.reshape(shape), high.reshape(shape)
    return low, high


def sparse_residual(residual: npt.ArrayLike) -> Any:
    """Return what was cut off in compressed sparse rows.

    Parameters
    ----------
    residual : array_like of float32, shape (..., K)
        From `clamp_outliers`.

    Returns
    -------
    scipy.sparse.csr_array, shape (M, K)
        Its nonzero elements, columns of a row in rising order.
    """
    from scipy.sparse import csr_array

    rest = _as_singles(residual, "residual")
    return csr_array(rest.reshape(-1, rest.shape[-1]))


def residual_product(
    residual: npt.ArrayLike, weight: npt.ArrayLike, *, element: Format | None = None
) -> _Single:
    """Return the product of what was cut off and the transposed weights.

    Parameters
    ----------
    residual : array_like of float32, shape (..., K)
        From `clamp_outliers`.
    weight : array_like of float32, shape (N, K)
        Weights, as they are to be multiplied.
    element : Format, optional
        What both are rounded to first, without a scale.

    Returns
    -------
    ndarray of float32, shape (..., N)
        ``residual @ weight.T``: exact sums, rounded once.

    Raises
    ------
    TypeError
        If an argument is not float32.
    ValueError
        If shapes do not fit.

    Notes
    -----
    Products of the nonzero elements alone are added in float64, in any order. Where
    the error of that may have changed the rounding, the sum is made exactly.

    Examples
    --------
    >>> import numpy as np
    >>> residual_product(np.float32([[0, 2, 0], [0, 0, 0]]), np.float32([[1, 5, 3]]))
    array([[10.],
           [ 0.]], dtype=float32)
    """
    rest, w = _as_singles(residual, "residual"), _as_singles(weight, "weight")
    if w.ndim != 2 or rest.shape[-1] != w.shape[1]:
        raise ValueError(f"residual {rest.shape} does not fit a weight {w.shape}")
    if element is not None:
        rest, w = round_to(rest, element), round_to(w, element)
    flat = rest.reshape(-1, rest.shape[-1])
    if not (np.isfinite(flat).all() and np.isfinite(w).all()):
        product = matmul(flat, w.T)  # zeros times infinity count
    else:
        product = _sparse_product(flat, w)
    return product.reshape(*rest.shape[:-1], w.shape[0])


def _sparse_product(rest: _Single, w: _Single) -> _Single:
    """Return ``rest @ w.T`` from the nonzero elements of finite `rest`."""
    product = np.zeros((len(rest), len(w)), np.float32)
    rows, columns = np.nonzero(rest)
    if not (rows.size and product.size):
        return product
    wide = np.ascontiguousarray(w.T, np.float64)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    ends = np.append(starts[1:], rows.size)
    first = 0
    while first < starts.size:  # as many rows at a time as make a piece
        last = int(np.searchsorted(ends, starts[first] + _PIECE // len(w), "right"))
        last = max(last, first + 1)
        part = slice(starts[first], ends[last - 1])
        terms = rest[rows[part], columns[part], None] * wide[columns[part]]
        at = rows[starts[first:last]]
        counts = ends[first:last] - starts[first:last]
        product[at] = _rounded_once(terms, counts, rest[at], w)
        first = last
    return product


def _rounded_once(
    terms: npt.NDArray[np.float64],
    counts: npt.NDArray[np.intp],
    rest: _Single,
    w: _Single,
) -> _Single:
    """Return the sums of so many terms each, exactly rounded; few are made anew."""
    starts = np.cumsum(counts) - counts
    total = np.add.reduceat(terms, starts, axis=0)
    # A sum of n terms is off by less than n units of the last place of their total.
    error = np.add.reduceat(np.abs(terms), starts, axis=0)
    error *= (counts * 2.0**-52)[:, None]
    error[counts == 1] = 0
    with np.errstate(over="ignore"):
        rounded = total.astype(np.float32)
        unsure = (total - error).astype(np.float32) != (total + error).astype(
            np.float32
        )
    at, of = np.nonzero(unsure)
    if at.size:
        exact = matmul(rest[at, None, :], w[of, :, None], accumulator=EXACT)
        rounded[at, of] = exact[:, 0, 0]
    return rounded


def _as_singles(x: npt.ArrayLike, name: str) -> _Single:
    array = as_floats(x, name)
    if array.dtype != np.float32:
        raise TypeError(f"{name} must be float32, not {array.dtype}")
    if not array.ndim:
        raise ValueError(f"{name} must have an axis; it is a scalar")
    return array
