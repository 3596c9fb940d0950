"""Normalisations: tensors brought to mean zero and variance one, or to length one.

Each is one primitive without parameters, which keeps its input and no more; weights
and biases are ordinary operations on its result.
"""

from __future__ import annotations

import math
from typing import Any

from refnum.autograd.arithmetic import rsqrt, square
from refnum.autograd.mode import MODE, Numerics, use
from refnum.autograd.numerics import function, total_of
from refnum.autograd.operation import Operation
from refnum.autograd.reductions import axes_of, mean, var
from refnum.autograd.shaping import reshape
from refnum.autograd.tensor import Tensor

__all__ = ["batch_norm", "group_norm", "layer_norm", "rms_norm"]

_Axes = tuple[int, ...]


def _mean_of(x: Any, axes: _Axes) -> Any:
    return total_of(x, axes, True) / math.prod(x.shape[k] for k in axes)


def _centred(x: Any, axes: _Axes, epsilon: float) -> tuple[Any, Any]:
    """Return x normalised, and by what it was scaled."""
    out = x - _mean_of(x, axes)
    scale = function("rsqrt")(_mean_of(out * out, axes) + epsilon)
    out *= scale
    return out, scale


def _centred_vjp(
    g: Any, out: Any, x: Any, extra0: Any, axes: _Axes, epsilon: float
) -> Any:
    if isinstance(g, Tensor):
        scale = rsqrt(var(x, axes, keepdims=True) + epsilon)
        along = mean(g * out, axes, keepdims=True)
        return scale * (g - mean(g, axes, keepdims=True) - out * along)
    result = g - _mean_of(g, axes)
    result -= out * _mean_of(g * out, axes)
    result *= extra0
    return result


def _scaled(x: Any, axes: _Axes, epsilon: float) -> tuple[Any, Any]:
    """Return x normalised, and by what it was scaled."""
    scale = function("rsqrt")(_mean_of(x * x, axes) + epsilon)
    return x * scale, scale


def _scaled_vjp(
    g: Any, out: Any, x: Any, extra0: Any, axes: _Axes, epsilon: float
) -> Any:
    if isinstance(g, Tensor):
        scale = rsqrt(mean(square(x), axes, keepdims=True) + epsilon)
        return scale * (g - out * mean(g * out, axes, keepdims=True))
    result = g - out * _mean_of(g * out, axes)
    result *= extra0
    return result


_centre = Operation(
    "normalize", _centred, "x", "axes epsilon", extras=1, x=_centred_vjp
)
_scale = Operation(
    "normalize_rms", _scaled, "x", "axes epsilon", extras=1, x=_scaled_vjp
)


def layer_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    axis: Any = -1,
    epsilon: float = 1e-5,
    numerics: Numerics | None = None,
) -> Any:
    """Bring mean and variance along axes to zero and one.

    Parameters
    ----------
    x : Tensor or array
        Activations.
    weight, bias : Tensor or array, optional
        Multiplied to and added to the result.
    axis : int or tuple of int
        Axes to normalise over.
    epsilon : float
        Added to the variance.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The normalised activations.

    Raises
    ------
    ValueError
        If there is no element along an axis, or `epsilon` is not positive.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> from refnum.autograd import FAST, Tensor, layer_norm, use
    >>> with use(FAST):
    ...     layer_norm(Tensor([1.0, 3.0])).data
    array([-0.999995,  0.999995], dtype=float32)
    """
    axes = axes_of(x, axis, filled=True)
    with use(numerics or MODE.get().numerics):
        return _affine(_centre(x, axes, _positive(epsilon)), weight, bias)


def rms_norm(
    x: Any,
    weight: Any = None,
    *,
    axis: Any = -1,
    epsilon: float = 1e-6,
    numerics: Numerics | None = None,
) -> Any:
    """Bring the mean square along axes to one.

    Parameters
    ----------
    x : Tensor or array
        Activations.
    weight : Tensor or array, optional
        Multiplied to the result.
    axis : int or tuple of int
        Axes to normalise over.
    epsilon : float
        Added to the mean square.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray
        The normalised activations.

    Raises
    ------
    ValueError
        If there is no element along an axis, or `epsilon` is not positive.

    References
    ----------
    Zhang and Sennrich, "Root mean square layer normalization", 2019, arXiv:1910.07467.
    """
    axes = axes_of(x, axis, filled=True)
    with use(numerics or MODE.get().numerics):
        return _affine(_scale(x, axes, _positive(epsilon)), weight, None)


def batch_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    epsilon: float = 1e-5,
    numerics: Numerics | None = None,
) -> Any:
    """Bring each channel's mean and variance over the batch to zero and one.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, ...)
        Activations.
    weight, bias : Tensor or array, shape (C,), optional
        Multiplied to and added to each channel.
    epsilon : float
        Added to the variance.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, C, ...)
        The normalised activations.

    Raises
    ------
    ValueError
        If a channel has no element, or `epsilon` is not positive.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", 2015, arXiv:1502.03167.
    """
    over = (0, *range(2, x.ndim))
    axes = axes_of(x, over, filled=True)
    with use(numerics or MODE.get().numerics):
        out = _centre(x, axes, _positive(epsilon))
        return _affine(out, _channels(weight, x.ndim), _channels(bias, x.ndim))


def group_norm(
    x: Any,
    groups: int,
    weight: Any = None,
    bias: Any = None,
    *,
    epsilon: float = 1e-5,
    numerics: Numerics | None = None,
) -> Any:
    """Bring the mean and variance of each group of channels to zero and one.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, ...)
        Activations.
    groups : int
        How many groups the channels form; they must be equal.
    weight, bias : Tensor or array, shape (C,), optional
        Multiplied to and added to each channel.
    epsilon : float
        Added to the variance.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, C, ...)
        The normalised activations.

    Raises
    ------
    ValueError
        If groups would not be equal or have no element, or `epsilon` is not positive.

    References
    ----------
    Wu and He, "Group normalization", 2018, arXiv:1803.08494.
    """
    batch, channels, *rest = x.shape
    if groups < 1 or channels % groups:
        raise ValueError(f"{channels} channels are no {groups} equal groups")
    with use(numerics or MODE.get().numerics):
        grouped = reshape(x, (batch, groups, channels // groups * math.prod(rest)))
        out = _centre(grouped, axes_of(grouped, -1, filled=True), _positive(epsilon))
        out = reshape(out, x.shape)
        return _affine(out, _channels(weight, x.ndim), _channels(bias, x.ndim))


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    out = x if weight is None else x * weight
    return out if bias is None else out + bias


def _channels(parameter: Any, ndim: int) -> Any:
    """Return a value a channel, shaped to meet the second axis."""
    if parameter is None:
        return None
    return reshape(parameter, (-1, *(1,) * (ndim - 2)))


def _positive(epsilon: float) -> float:
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be positive, not {epsilon}")
    return float(epsilon)
