"""The table of reductions and their VJPs: sums, means, variances, extremes.

An *axis* is an int, a tuple of ints, or None for all. Where several elements are the
extreme, they share its gradient evenly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refnum.autograd.mode import Numerics
from refnum.autograd.numerics import total_of
from refnum.autograd.operation import Operation
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.shaping import broadcast_to, reshape
from refnum.autograd.tensor import plain

__all__ = ["axes_of", "max", "mean", "min", "spread", "sum", "var"]

_Axis = int | tuple[int, ...] | None
_Axes = tuple[int, ...]


def axes_of(x: Any, axis: _Axis, *, filled: bool = False) -> _Axes:
    """Return axes as a tuple of non-negative numbers, or raise.

    With `filled`, there must be elements along them.
    """
    shape = np.shape(plain(x))
    if axis is None:
        axes = tuple(range(len(shape)))
    else:
        given = axis if isinstance(axis, tuple) else (axis,)
        if any(not -len(shape) <= k < len(shape) for k in given):
            raise ValueError(f"axis {axis} is not among those of the shape {shape}")
        axes = tuple(k % len(shape) for k in given)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis {axis} names an axis twice")
    if filled and not _count(shape, axes):
        raise ValueError(f"there are no elements along axis {axis} of shape {shape}")
    return axes


def spread(g: Any, shape: tuple[int, ...], axes: _Axes) -> Any:
    """Return what was reduced, repeated along the axes that it lost."""
    kept = tuple(1 if k in axes else n for k, n in enumerate(shape))
    if isinstance(g, np.ndarray | np.generic):  # spelled out, as products need it
        out = np.empty(shape, g.dtype)
        out[...] = g.reshape(kept)
        return out
    return broadcast_to(reshape(g, kept), shape)


def _count(shape: tuple[int, ...], axes: _Axes) -> int:
    return math.prod(shape[k] for k in axes)


_sum = Operation(
    "sum",
    total_of,
    "x",
    "axes keepdims",
    x=lambda g, x_shape, axes: spread(g, x_shape, axes),
)
_mean = Operation(
    "mean",
    lambda x, axes, keep: total_of(x, axes, keep) / _count(x.shape, axes),
    "x",
    "axes keepdims",
    x=lambda g, x_shape, axes: spread(g / _count(x_shape, axes), x_shape, axes),
)


def _variance(x: Any, axes: _Axes, ddof: int, keepdims: bool) -> Any:
    count = _count(x.shape, axes)
    away = x - total_of(x, axes, True) / count
    return total_of(away * away, axes, keepdims) / (count - ddof)


def _var_vjp(g: Any, x: Any, x_shape: Any, axes: _Axes, ddof: int) -> Any:
    slope = 2 / (_count(x_shape, axes) - ddof)
    return spread(g * slope, x_shape, axes) * (x - _mean(x, axes, True))


_var = Operation("var", _variance, "x", "axes ddof keepdims", x=_var_vjp)


def _extreme_vjp(g: Any, out: Any, x: Any, x_shape: Any, axes: _Axes) -> Any:
    found = plain(x) == spread(plain(out), x_shape, axes)
    share = found / np.add.reduce(found, axis=axes, keepdims=True)
    return spread(g, x_shape, axes) * share.astype(plain(x).dtype)


_max = Operation(
    "max",
    lambda x, axes, keep: np.maximum.reduce(x, axis=axes, keepdims=keep),
    "x",
    "axes keepdims",
    x=_extreme_vjp,
)
_min = Operation(
    "min",
    lambda x, axes, keep: np.minimum.reduce(x, axis=axes, keepdims=keep),
    "x",
    "axes keepdims",
    x=_extreme_vjp,
)


def sum(
    x: Any,
    axis: _Axis = None,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the sum along axes.

    Parameters
    ----------
    x : Tensor or array
        Values.
    axis : int, tuple of int or None
        Axes to reduce; None reduces all.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The sum.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    return _sum(x, axes_of(x, axis), keepdims, numerics=numerics)


def mean(
    x: Any,
    axis: _Axis = None,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the mean along axes.

    Parameters
    ----------
    x : Tensor or array
        Values.
    axis : int, tuple of int or None
        Axes to reduce; None reduces all.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The mean.

    Raises
    ------
    ValueError
        If there is no such axis, or there are no elements along it.
    """
    axes = axes_of(x, axis, filled=True)
    return _mean(x, axes, keepdims, numerics=numerics)


def max(
    x: Any,
    axis: _Axis = None,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the greatest element along axes.

    Parameters
    ----------
    x : Tensor or array
        Values.
    axis : int, tuple of int or None
        Axes to reduce; None reduces all.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The greatest element.

    Raises
    ------
    ValueError
        If there is no such axis, or there are no elements along it.
    """
    axes = axes_of(x, axis, filled=True)
    return _max(x, axes, keepdims, numerics=numerics)


def min(
    x: Any,
    axis: _Axis = None,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the least element along axes.

    Parameters
    ----------
    x : Tensor or array
        Values.
    axis : int, tuple of int or None
        Axes to reduce; None reduces all.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The least element.

    Raises
    ------
    ValueError
        If there is no such axis, or there are no elements along it.
    """
    axes = axes_of(x, axis, filled=True)
    return _min(x, axes, keepdims, numerics=numerics)


def var(
    x: Any,
    axis: _Axis = None,
    ddof: int = 0,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the mean squared distance from the mean along axes.

    Parameters
    ----------
    x : Tensor or array
        Values.
    axis : int, tuple of int or None
        Axes to reduce; None reduces all.
    ddof : int
        Subtracted from the count that the sum is divided by.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The mean squared distance from the mean.

    Raises
    ------
    ValueError
        If there is no such axis, or no more than `ddof` elements along it.
    """
    axes = axes_of(x, axis)
    count = _count(x.shape, axes)
    if count <= ddof:
        raise ValueError(
            f"{count} elements leave nothing to divide by, with ddof={ddof}"
        )
    return _var(x, axes, ddof, keepdims, numerics=numerics)


# The methods of a tensor take what these take.
for _public in (sum, mean, max, min, var):
    OPERATIONS[_public.__name__] = _public
