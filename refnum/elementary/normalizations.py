"""Layer norm and RMS norm: float64 steps, and one rounding to float32 at the end.

Sums along the axes are in pairwise order (`reductions`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from refnum.elementary._arguments import F32, F64, Axes, as_float32, as_rows
from refnum.elementary.evaluate import canonical_nan
from refnum.elementary.reductions import add_pairwise

__all__ = ["layer_norm", "rms_norm"]


def layer_norm(
    x: npt.ArrayLike,
    axis: Axes = -1,
    *,
    weight: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
    epsilon: float = 1e-5,
) -> F32:
    """Return x with mean 0 and variance 1 along the axes, then scaled and shifted.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        What to normalise, in any memory layout.
    axis : int, sequence of int or None
        The axes to average along; None means all.
    weight, bias : array_like of float32 or float16, optional
        Factor and summand; their shapes broadcast to that of x.
    epsilon : float
        Added to the variance; not negative.

    Returns
    -------
    ndarray of float32, shape (...)
        One rounding, after float64 steps: m = sum(x) / n; d = x - m;
        v = sum(d * d) / n; y = ((d / sqrt(v + epsilon)) * weight) + bias.

    Raises
    ------
    TypeError
        If an array is neither float32 nor float16.
    ValueError
        If there are no elements along the axes, an axis is out of range, `epsilon` is
        negative or no finite number, or `weight` or `bias` does not broadcast.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np
    >>> layer_norm(np.array([1, 2, 6], np.float32), epsilon=0)
    array([-0.9258201 , -0.46291006,  1.3887302 ], dtype=float32)
    """
    array, axes = as_rows(x, axis)
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        centred = wide - _mean(wide, axes)
        result = centred / _root_mean_square(centred, axes, epsilon)
        if weight is not None:
            result = result * _parameter(weight, "weight", array.shape)
        if bias is not None:
            result = result + _parameter(bias, "bias", array.shape)
        return canonical_nan(result)


def rms_norm(
    x: npt.ArrayLike,
    axis: Axes = -1,
    *,
    weight: npt.ArrayLike | None = None,
    epsilon: float = 1e-6,
) -> F32:
    """Return x divided by its root mean square along the axes, then scaled.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        What to normalise, in any memory layout.
    axis : int, sequence of int or None
        The axes to average along; None means all.
    weight : array_like of float32 or float16, optional
        A factor; its shape broadcasts to that of x.
    epsilon : float
        Added to the mean square; not negative.

    Returns
    -------
    ndarray of float32, shape (...)
        One rounding, after float64 steps: v = sum(x * x) / n;
        y = (x / sqrt(v + epsilon)) * weight.

    Raises
    ------
    TypeError
        If an array is neither float32 nor float16.
    ValueError
        If there are no elements along the axes, an axis is out of range, `epsilon` is
        negative or no finite number, or `weight` does not broadcast.

    References
    ----------
    B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467.

    Examples
    --------
    >>> import numpy as np
    >>> rms_norm(np.array([1, 5, 7], np.float32), epsilon=0)
    array([0.2, 1. , 1.4], dtype=float32)
    """
    array, axes = as_rows(x, axis)
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        result = wide / _root_mean_square(wide, axes, epsilon)
        if weight is not None:
            result = result * _parameter(weight, "weight", array.shape)
        return canonical_nan(result)


def _mean(x: F64, axes: tuple[int, ...]) -> F64:
    count = math.prod(x.shape[one] for one in axes)
    return np.asarray(add_pairwise(x, axes, True) / count)


def _root_mean_square(x: F64, axes: tuple[int, ...], epsilon: float) -> F64:
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon must be finite and not negative, not {epsilon}")
    return np.asarray(np.sqrt(_mean(x * x, axes) + epsilon))


def _parameter(values: npt.ArrayLike, name: str, shape: tuple[int, ...]) -> F64:
    array = as_float32(values, name)
    try:
        return np.broadcast_to(array, shape).astype(np.float64)
    except ValueError:
        raise ValueError(
            f"{name} must broadcast to x's shape {shape}, not have {array.shape}"
        ) from None
