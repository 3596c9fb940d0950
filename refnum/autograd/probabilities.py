"""Softmax and its logarithm along axes, and the cross-entropy of classes.

All are computed from ``x - max(x)``, so that no exponential overflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.arithmetic import exp
from refnum.autograd.indexing import take_along_axis
from refnum.autograd.mode import Numerics, use
from refnum.autograd.numerics import function
from refnum.autograd.operation import Operation
from refnum.autograd.reductions import axes_of, mean, spread, sum
from refnum.autograd.shaping import reshape
from refnum.autograd.tensor import plain

__all__ = ["cross_entropy", "log_softmax", "logsumexp", "softmax"]

_Axis = int | tuple[int, ...] | None
_Axes = tuple[int, ...]


def _shifted(x: Any, axes: _Axes) -> Any:
    """Return x less its greatest element, which leaves softmax as it is."""
    return x - np.max(x, axis=axes, keepdims=True)


def _usual_softmax(x: Any, axes: _Axes) -> Any:
    powers = np.exp(_shifted(x, axes))
    powers /= np.sum(powers, axis=axes, keepdims=True)
    return powers


def _usual_log_softmax(x: Any, axes: _Axes) -> Any:
    shifted = _shifted(x, axes)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axes, keepdims=True))


def _usual_logsumexp(x: Any, axes: _Axes) -> Any:
    top = np.max(x, axis=axes, keepdims=True)
    total = np.sum(np.exp(x - top), axis=axes, keepdims=True)
    return np.squeeze(np.log(total) + top, axes)


_softmax = Operation(
    "softmax",
    function("softmax", _usual_softmax),
    "x",
    "axes",
    x=lambda g, out, axes: out * (g - sum(g * out, axes, True)),
)
_log_softmax = Operation(
    "log_softmax",
    function("log_softmax", _usual_log_softmax),
    "x",
    "axes",
    x=lambda g, out, axes: g - exp(out) * sum(g, axes, True),
)


_logsumexp = Operation(
    "logsumexp",
    function("logsumexp", _usual_logsumexp),
    "x",
    "axes",
    x=lambda g, x, x_shape, axes: spread(g, x_shape, axes) * _softmax(x, axes),
)


def softmax(x: Any, axis: _Axis = -1, *, numerics: Numerics | None = None) -> Any:
    """Return exp(x) over its sum along axes.

    Parameters
    ----------
    x : Tensor or array
        Logits.
    axis : int, tuple of int or None
        Axes over which probabilities sum to one; None is all.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        Probabilities.

    Raises
    ------
    ValueError
        If there is no such axis, or no element along it.
    """
    axes = axes_of(x, axis, filled=True)
    return _softmax(x, axes, numerics=numerics)


def log_softmax(x: Any, axis: _Axis = -1, *, numerics: Numerics | None = None) -> Any:
    """Return the logarithm of `softmax`.

    Parameters
    ----------
    x : Tensor or array
        Logits.
    axis : int, tuple of int or None
        Axes over which probabilities sum to one; None is all.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        Logarithms of probabilities.

    Raises
    ------
    ValueError
        If there is no such axis, or no element along it.
    """
    axes = axes_of(x, axis, filled=True)
    return _log_softmax(x, axes, numerics=numerics)


def logsumexp(
    x: Any,
    axis: _Axis = -1,
    keepdims: bool = False,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return log(sum(exp(x))) along axes.

    Parameters
    ----------
    x : Tensor or array
        Logits.
    axis : int, tuple of int or None
        Axes over which probabilities sum to one; None is all.
    keepdims : bool
        Whether reduced axes stay, with length one.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The logarithm of the sum.

    Raises
    ------
    ValueError
        If there is no such axis, or no element along it.
    """
    axes = axes_of(x, axis, filled=True)
    out = _logsumexp(x, axes, numerics=numerics)
    kept = [1 if k in axes else n for k, n in enumerate(x.shape)]
    return reshape(out, kept) if keepdims else out


def cross_entropy(
    logits: Any,
    targets: npt.ArrayLike,
    *,
    reduction: str = "mean",
    numerics: Numerics | None = None,
) -> Any:
    """Return the negative log-likelihood of classes under softmax.

    Parameters
    ----------
    logits : Tensor or array, shape (..., C)
        A score for each of C classes.
    targets : array_like of int, shape (...)
        The true classes, 0 to C - 1.
    reduction : {"mean", "sum", "none"}
        What becomes of the losses.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        One loss, or those of shape (...) without reduction.

    Raises
    ------
    TypeError
        If `targets` are no integers.
    ValueError
        If a class or `reduction` does not exist, or shapes do not fit.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be mean, sum or none, not {reduction!r}")
    classes = np.array(plain(targets))
    if classes.dtype.kind not in "iu":
        raise TypeError(f"targets must be integers, not {classes.dtype}")
    if classes.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets of shape {classes.shape} do not fit logits of {logits.shape}"
        )
    if classes.size and not 0 <= classes.min() <= classes.max() < logits.shape[-1]:
        raise ValueError(f"targets must be from 0 to {logits.shape[-1] - 1}")
    if numerics is not None:
        with use(numerics):
            return cross_entropy(logits, classes, reduction=reduction)
    chosen = take_along_axis(log_softmax(logits), classes[..., np.newaxis], -1)
    losses = -reshape(chosen, classes.shape)
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else sum(losses)
