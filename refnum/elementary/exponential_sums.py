"""Softmax, its logarithm, and the logarithm of a sum of exponentials.

Each is a composition, its steps stated. A *step* ends with a rounding to float32, unless
it says float64: then its operations are float64's. Sums along the axes are in pairwise
order (`reductions`), in float64.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from refnum.elementary._arguments import F32, Axes, as_rows
from refnum.elementary.evaluate import canonical_nan
from refnum.elementary.exponentials import exp
from refnum.elementary.logarithms import log
from refnum.elementary.reductions import add_pairwise

__all__ = ["log_softmax", "logsumexp", "softmax"]

_PIECE = 1 << 15  # elements at a time: passes over them stay in the cache


def softmax(x: npt.ArrayLike, axis: Axes = -1) -> F32:
    """Return exponentials that add up to one along the axes.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Logits, in any memory layout.
    axis : int, sequence of int or None
        The axes along which the results add up to one; None means all.

    Returns
    -------
    ndarray of float32, shape (...)
        d = x - max(x); e = exp(d); s = the sum of e in float64; y = e / s in float64,
        rounded. Minus infinities give 0, unless they are alone: then NaN, as where the
        greatest is an infinity.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If there are no elements along the axes, or an axis is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([0, 1, -np.inf], np.float32))
    array([0.26894143, 0.7310586 , 0.        ], dtype=float32)
    """
    array, axes = as_rows(x, axis)
    last = tuple(range(array.ndim - len(axes), array.ndim))
    with np.errstate(all="ignore"):
        if axes != last or not array.flags.c_contiguous:
            return _softmax(array, axes)
        out = np.empty(array.shape, np.float32)
        count = math.prod(array.shape[one] for one in axes)
        rows, results = array.reshape(-1, count), out.reshape(-1, count)
        step = max(1, _PIECE // count)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            results[part] = _softmax(rows[part], (1,))
        return out


def _softmax(x: F32, axes: tuple[int, ...]) -> F32:
    powers = exp(x - _greatest(x, axes)).astype(np.float64)
    powers /= add_pairwise(powers, axes, True)
    return canonical_nan(powers)


def log_softmax(x: npt.ArrayLike, axis: Axes = -1) -> F32:
    """Return the logarithm of `softmax`.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Logits, in any memory layout.
    axis : int, sequence of int or None
        The axes along which the exponentials add up to one; None means all.

    Returns
    -------
    ndarray of float32, shape (...)
        d = x - max(x); e = exp(d); s = the sum of e in float64, rounded; l = log(s);
        y = d - l.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If there are no elements along the axes, or an axis is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0, 1, -np.inf], np.float32))
    array([-1.3132616 , -0.31326166,        -inf], dtype=float32)
    """
    array, axes = as_rows(x, axis)
    with np.errstate(all="ignore"):
        less = array - _greatest(array, axes)
        total = add_pairwise(exp(less).astype(np.float64), axes, True)
        return canonical_nan(less - log(canonical_nan(total)))


def logsumexp(x: npt.ArrayLike, axis: Axes = -1, *, keepdims: bool = False) -> F32:
    """Return the logarithm of the sum of exponentials along axes.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Exponents, in any memory layout.
    axis : int, sequence of int or None
        The axes to add along; None means all.
    keepdims : bool
        Whether the reduced axes stay, with size one.

    Returns
    -------
    ndarray of float32
        m = max(x), or 0 where that is no finite number; d = x - m; e = exp(d);
        s = the sum of e in float64, rounded; l = log(s); y = m + l.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If there are no elements along the axes, or an axis is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.array([[1000, 1000], [-np.inf, -np.inf]], np.float32))
    array([1000.6932,      -inf], dtype=float32)
    """
    array, axes = as_rows(x, axis)
    with np.errstate(all="ignore"):
        greatest = _greatest(array, axes)
        greatest = np.where(np.isfinite(greatest), greatest, np.float32(0))
        powers = exp(array - greatest).astype(np.float64)
        total = add_pairwise(powers, axes, True)
        result = canonical_nan(np.add(greatest, log(canonical_nan(total))))
        return result if keepdims else result.squeeze(axes)


def _greatest(x: F32, axes: tuple[int, ...]) -> F32:
    return np.asarray(np.maximum.reduce(x, axis=axes, keepdims=True))
