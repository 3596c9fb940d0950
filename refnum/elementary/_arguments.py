"""Arguments made certain: float32 arrays and axes, or an error that names them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "F32",
    "F64",
    "Axes",
    "as_axes",
    "as_axis",
    "as_float32",
    "as_integer",
    "as_rows",
]

F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
Axes: TypeAlias = SupportsIndex | Sequence[SupportsIndex] | None


def as_float32(x: npt.ArrayLike, name: str = "x") -> F32:
    """Return `x` as native, aligned float32; float16 is widened, which is exact."""
    array: npt.NDArray[Any] = np.asarray(x)
    if array.dtype.kind != "f" or array.dtype.itemsize > 4:
        raise TypeError(
            f"{name} must be float32 or float16, not {array.dtype}; "
            "round it first, as in x.astype(numpy.float32)"
        )
    # Unaligned memory would go through NumPy's buffers, and be added in their order.
    with np.errstate(invalid="ignore"):  # signalling NaN are as good as others
        return np.require(array, np.float32, "A")


def as_axes(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Return the axes to reduce in rising order; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, Sequence) else (axis,)
    axes = sorted(as_axis(one, ndim) for one in given)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis must not name an axis twice: {axis!r}")
    return tuple(axes)


def as_rows(x: npt.ArrayLike, axis: Axes) -> tuple[F32, tuple[int, ...]]:
    """Return float32 and the axes along which there is something to combine."""
    array = as_float32(x)
    axes = as_axes(axis, array.ndim)
    if array.size and not axes:
        raise ValueError("axis must name an axis at least, not none")
    if math.prod(array.shape[one] for one in axes) == 0:
        raise ValueError(f"no elements along axes {axes} of shape {array.shape}")
    return array, axes


def as_axis(axis: SupportsIndex, ndim: int) -> int:
    """Return one axis, counted from the front."""
    index = as_integer(axis, "axis")
    if not -ndim <= index < ndim:
        raise ValueError(f"axis must be from {-ndim} to {ndim - 1}, not {index}")
    return index % ndim


def as_integer(value: SupportsIndex, name: str) -> int:
    """Return an integer; booleans and floats are none."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
