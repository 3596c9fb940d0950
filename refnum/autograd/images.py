"""Convolution and pooling of images of shape (N, C, H, W).

Vocabulary: a *window* is what a kernel of size (kh, kw) sees at one place of the
result. `unfold` lists all windows; its VJP `fold` adds them back, in the order of the
kernel's elements. A convolution is a matrix product with the windows.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from refnum.autograd.matrices import matmul
from refnum.autograd.mode import MODE, Numerics, use
from refnum.autograd.operation import Operation
from refnum.autograd.reductions import max, mean
from refnum.autograd.shaping import pad, reshape
from refnum.products import Accumulator

__all__ = ["avg_pool2d", "check_images", "conv2d", "max_pool2d", "pair_of"]

_Pair = tuple[int, int]


def _windows(x: Any, kernel: _Pair, stride: _Pair, dilation: _Pair) -> Any:
    """Return (N, C, kh, kw, H', W'), a copy."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    views = sliding_window_view(x, reach, axis=(-2, -1))  # (N, C, H', W', reach...)
    (down, across), (dy, dx) = stride, dilation
    chosen = views[:, :, ::down, ::across, ::dy, ::dx]
    return np.ascontiguousarray(chosen.transpose(0, 1, 4, 5, 2, 3))


def _add_windows(
    g: Any, shape: tuple[int, ...], kernel: _Pair, stride: _Pair, dilation: _Pair
) -> Any:
    """Return (N, C, H, W): each place has the sum of the windows that see it."""
    out = np.zeros(shape, g.dtype)
    rows, columns = g.shape[-2:]
    for i, j in np.ndindex(*kernel):
        top, left = i * dilation[0], j * dilation[1]
        down = slice(top, top + rows * stride[0], stride[0])
        across = slice(left, left + columns * stride[1], stride[1])
        out[:, :, down, across] += g[:, :, i, j]
    return out


_unfold = Operation(
    "unfold",
    _windows,
    "x",
    "kernel stride dilation",
    x=lambda g, x_shape, kernel, stride, dilation: _fold(
        g, x_shape, kernel, stride, dilation
    ),
)
_fold: Operation = Operation(
    "fold",
    _add_windows,
    "x",
    "shape kernel stride dilation",
    x=lambda g, kernel, stride, dilation: _unfold(g, kernel, stride, dilation),
)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | _Pair = 1,
    padding: int | _Pair = 0,
    dilation: int | _Pair = 1,
    groups: int = 1,
    accumulator: Accumulator | None = None,
    numerics: Numerics | None = None,
) -> Any:
    """Correlate images with kernels.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, H, W)
        Images.
    weight : Tensor or array, shape (O, C / groups, kh, kw)
        Kernels.
    bias : Tensor or array, shape (O,), optional
        Added to each channel.
    stride, padding, dilation : int or (int, int)
        Steps between windows, zeros around the image, and steps within a window.
    groups : int
        Channels and kernels form so many groups that do not meet.
    accumulator : Accumulator, optional
        How products add up, here and in the backward pass.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, O, H', W')
        With ``H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1``.

    Raises
    ------
    ValueError
        If shapes do not fit, or no window fits the image.
    """
    check_images(x)
    if weight.ndim != 4:
        raise ValueError(f"weight must have four axes, not {weight.shape}")
    (count, channels), (kernels, depth) = x.shape[:2], weight.shape[:2]
    if groups < 1 or channels != depth * groups or kernels % groups:
        raise ValueError(
            f"{channels} channels and kernels of shape {weight.shape} do not fit in "
            f"{groups} groups"
        )
    with use(numerics or MODE.get().numerics):
        windows = _all_windows(x, weight.shape[2:], stride, padding, dilation)
        size = depth * math.prod(weight.shape[2:])
        rows, columns = windows.shape[-2:]
        seen = reshape(windows, (count, groups, size, rows * columns))
        matrix = reshape(weight, (groups, kernels // groups, size))
        out = matmul(matrix, seen, accumulator=accumulator)
        out = reshape(out, (count, kernels, rows, columns))
        return out if bias is None else out + reshape(bias, (kernels, 1, 1))


def max_pool2d(
    x: Any,
    kernel: int | _Pair,
    stride: int | _Pair | None = None,
    padding: Any = 0,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the greatest element of each window.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, H, W)
        Images.
    kernel : int or (int, int)
        Size of a window.
    stride : int or (int, int), optional
        Steps between windows; by default their size.
    padding : int or (int, int)
        Rows and columns of minus infinity around the image, at most half a window.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, C, H', W')
        The maxima. Equal ones share the gradient.

    Raises
    ------
    ValueError
        If no window fits, or padding is more than half a window.
    """
    size, around = pair_of(kernel, "kernel", 1), pair_of(padding, "padding", 0)
    if any(2 * p > k for p, k in zip(around, size, strict=True)):
        raise ValueError(f"padding {around} is more than half of the kernel {size}")
    steps = size if stride is None else stride
    with use(numerics or MODE.get().numerics):
        return max(_all_windows(x, size, steps, around, 1, -math.inf), (2, 3))


def avg_pool2d(
    x: Any,
    kernel: int | _Pair,
    stride: int | _Pair | None = None,
    padding: Any = 0,
    *,
    numerics: Numerics | None = None,
) -> Any:
    """Return the mean of each window.

    Parameters
    ----------
    x : Tensor or array, shape (N, C, H, W)
        Images.
    kernel : int or (int, int)
        Size of a window.
    stride : int or (int, int), optional
        Steps between windows; by default their size.
    padding : int or (int, int)
        Rows and columns of zeros around the image, which count.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (N, C, H', W')
        The means.

    Raises
    ------
    ValueError
        If no window fits.
    """
    steps = kernel if stride is None else stride
    with use(numerics or MODE.get().numerics):
        return mean(_all_windows(x, kernel, steps, padding, 1), (2, 3))


def _all_windows(
    x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, value: float = 0.0
) -> Any:
    check_images(x)
    size, steps = pair_of(kernel, "kernel", 1), pair_of(stride, "stride", 1)
    (down, across), apart = (
        pair_of(padding, "padding", 0),
        pair_of(dilation, "dilation", 1),
    )
    if down or across:
        x = pad(x, [(0, 0), (0, 0), (down, down), (across, across)], value)
    reach = [(k - 1) * d + 1 for k, d in zip(size, apart, strict=True)]
    if any(r > n for r, n in zip(reach, x.shape[2:], strict=True)):
        raise ValueError(f"a window of {tuple(reach)} does not fit {x.shape[2:]}")
    return _unfold(x, size, steps, apart)


def check_images(x: Any) -> None:
    """Raise unless there are four axes."""
    if x.ndim != 4:
        raise ValueError(f"images have the axes (N, C, H, W), not the shape {x.shape}")


def pair_of(value: Any, name: str, least: int) -> _Pair:
    """Return one or two integers as two, or raise."""
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or any(operator.index(k) < least for k in pair):
        raise ValueError(f"{name} must be one or two integers from {least}: {value}")
    return (operator.index(pair[0]), operator.index(pair[1]))
