"""The table of operations that move elements without changing them.

Joining and splitting are here too; choosing elements by index is in `indexing`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnum.autograd.operation import Operation
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.tensor import plain

__all__ = [
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "moveaxis",
    "pad",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
]

_Shape = tuple[int, ...]

_reshape = Operation(
    "reshape",
    lambda x, shape: x.reshape(shape),
    "x",
    "shape",
    x=lambda g, x_shape: reshape(g, x_shape),
)
_transpose = Operation(
    "transpose",
    lambda x, order: x.transpose(order),
    "x",
    "order",
    x=lambda g, order: transpose(g, tuple(int(k) for k in np.argsort(order))),
)
# The engine sums the gradient of a broadcast argument.
_broadcast_to = Operation("broadcast_to", np.broadcast_to, "x", "shape", x=lambda g: g)
_pad = Operation(
    "pad",
    lambda x, widths, value: np.pad(x, widths, constant_values=value),
    "x",
    "widths value",
    x=lambda g, x_shape, widths: g[_inner(widths, x_shape)],
)


def _inner(widths: tuple[tuple[int, int], ...], shape: _Shape) -> tuple[slice, ...]:
    pairs = zip(widths, shape, strict=True)
    return tuple(slice(before, before + size) for (before, _), size in pairs)


def _join(*inputs: Any) -> Any:
    *arrays, axis, _ = inputs
    return np.concatenate(arrays, axis)


def _parts(g: Any, needs: Any, axis: int, sizes: _Shape) -> list[Any]:
    parts = split(g, [int(k) for k in np.cumsum(sizes)[:-1]], axis)
    return [part for part, need in zip(parts, needs, strict=True) if need]


_concatenate = Operation("concatenate", _join, "*x", "axis sizes", joint=_parts)


def reshape(x: Any, shape: int | Sequence[int]) -> Any:
    """Return the elements in another shape, in C order.

    Parameters
    ----------
    x : Tensor or array
        Elements.
    shape : int or sequence of int
        The new lengths; one may be -1 and follows from the others.

    Returns
    -------
    Tensor or ndarray
        The same elements.

    Raises
    ------
    ValueError
        If there are not as many elements.
    """
    lengths = (shape,) if isinstance(shape, int | np.integer) else shape
    return _reshape(x, tuple(map(operator.index, lengths)))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Return the axes in another order.

    Parameters
    ----------
    x : Tensor or array
        Elements.
    axes : sequence of int, optional
        The axis that each new one was; without it the order is reversed.

    Returns
    -------
    Tensor or ndarray
        A view.

    Raises
    ------
    ValueError
        If `axes` is no permutation.
    """
    order = range(x.ndim)[::-1] if axes is None else [k % max(x.ndim, 1) for k in axes]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"axes {axes} are no order of the {x.ndim} axes")
    return _transpose(x, tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Return `x` with two axes exchanged, as ``numpy.swapaxes``."""
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _transpose(x, tuple(order))


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """Return `x` with one axis moved, as ``numpy.moveaxis``."""
    order = list(range(x.ndim))
    order.insert(destination % x.ndim, order.pop(source))
    return _transpose(x, tuple(order))


def expand_dims(x: Any, axis: int) -> Any:
    """Return `x` with an axis of length one put in, as ``numpy.expand_dims``."""
    return _reshape(x, np.expand_dims(plain(x), axis).shape)


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """Return `x` without axes of length one, as ``numpy.squeeze``."""
    return _reshape(x, np.squeeze(plain(x), axis).shape)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Return `x` repeated to a shape, as ``numpy.broadcast_to``."""
    return _broadcast_to(x, tuple(shape))


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Any:
    """Put a constant around an array.

    Parameters
    ----------
    x : Tensor or array
        The inside.
    widths : sequence of (int, int)
        For each axis, how many elements come before and after.
    value : float
        The constant.

    Returns
    -------
    Tensor or ndarray
        The padded array.

    Raises
    ------
    ValueError
        If a width is negative, or there is not a pair for each axis.
    """
    pairs = tuple((operator.index(a), operator.index(b)) for a, b in widths)
    if len(pairs) != x.ndim or any(k < 0 for pair in pairs for k in pair):
        raise ValueError(f"widths {pairs} are no pairs for {x.ndim} axes")
    return _pad(x, pairs, float(value))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join tensors along an axis.

    Parameters
    ----------
    arrays : sequence of Tensor or array
        Of equal shapes, but for `axis`.
    axis : int
        Along which they follow each other.

    Returns
    -------
    Tensor or ndarray
        The joined tensor.

    Raises
    ------
    ValueError
        If there is nothing to join, or shapes do not fit.
    """
    if not len(arrays):
        raise ValueError("there is nothing to join")
    sizes = tuple(np.shape(plain(x))[axis] for x in arrays)
    return _concatenate(*arrays, axis, sizes)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join tensors of one shape along a new axis, as ``numpy.stack``."""
    return concatenate([expand_dims(x, axis) for x in arrays], axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Cut a tensor into parts along an axis.

    Parameters
    ----------
    x : Tensor or array
        What to cut.
    sections : int or sequence of int
        The number of equal parts, or the positions of the cuts.
    axis : int
        Along which to cut.

    Returns
    -------
    list of Tensor or ndarray
        The parts, views.

    Raises
    ------
    ValueError
        If the parts would not be equal.
    """
    size = x.shape[axis]
    if isinstance(sections, int):
        if sections < 1 or size % sections:
            raise ValueError(f"{size} elements are no {sections} equal parts")
        step = size // sections
        cuts = [step * k for k in range(1, sections)]
    else:
        cuts = list(sections)
    before = (slice(None),) * (axis % x.ndim)
    ends = zip([0, *cuts], [*cuts, size], strict=True)
    return [x[(*before, slice(start, stop))] for start, stop in ends]


for _public in (reshape, transpose):
    OPERATIONS[_public.__name__] = _public
