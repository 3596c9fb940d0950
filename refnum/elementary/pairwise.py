"""The pairwise order: its definition, and two fast ways to the same bits.

NumPy's own sum of a contiguous row follows it. Where the rows of a table are added to
one another, whole rows take the place of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["add_down", "add_rows", "is_tall", "pairwise_sum"]

_Float = TypeVar("_Float", np.float32, np.float64)

_LANES = 8
_BLOCK = 128
_WIDE = 64  # columns from which it pays to add whole rows,
_LARGE = 1 << 16  # of tables of so many elements


def pairwise_sum(values: npt.NDArray[np.floating]) -> Any:
    """Return the pairwise sum of a vector in its own type, by the definition.

    Examples
    --------
    >>> import numpy as np
    >>> pairwise_sum(np.ones(1000, np.float32))
    np.float32(1000.0)
    """
    count = len(values)
    if count < _LANES:
        return _from_left(values.dtype.type(-0.0), values)
    if count <= _BLOCK:
        even = count - count % _LANES
        lanes = values[:_LANES]
        for start in range(_LANES, even, _LANES):
            lanes = lanes + values[start : start + _LANES]
        a, b, c, d, e, f, g, h = lanes
        return _from_left(((a + b) + (c + d)) + ((e + f) + (g + h)), values[even:])
    half = count // 2
    half -= half % _LANES
    return pairwise_sum(values[:half]) + pairwise_sum(values[half:])


def add_rows(
    rows: npt.NDArray[np.floating], dtype: np.dtype[_Float]
) -> npt.NDArray[_Float]:
    """Add each row from -0, which changes no number, to none of which is +0."""
    start = -0.0 if rows.shape[1] else 0.0
    return np.asarray(np.add.reduce(rows, axis=1, dtype=dtype, initial=start))


def is_tall(x: npt.NDArray[Any], axes: tuple[int, ...]) -> bool:
    """Whether the first axes are reduced, and it pays to add whole rows of the rest."""
    count = math.prod(x.shape[: len(axes)])
    wide = count >= _LANES and x.size >= max(count * _WIDE, _LARGE)
    return wide and axes == tuple(range(len(axes))) and x.flags.c_contiguous


def add_down(x: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """Return the pairwise sums of columns, as `pairwise_sum` does of one of them."""
    total: npt.NDArray[_Float] = _add_blocks(x[None])[0]
    return total


def _add_blocks(x: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """Return the pairwise sums of the columns of each of several equal tables."""
    several, count, width = x.shape
    if count > _BLOCK:
        half = count // 2
        half -= half % _LANES
        if 2 * half == count:  # twice as many tables
            halves = _add_blocks(x.reshape(2 * several, half, width))
            return np.add(halves[::2], halves[1::2])
        upper = _add_blocks(x[:, :half])
        upper += _add_blocks(x[:, half:])
        return upper
    lanes = x[:, :_LANES].copy()
    even = count - count % _LANES
    for start in range(_LANES, even, _LANES):
        lanes += x[:, start : start + _LANES]
    for step in (1, 2, 4):
        lanes[:, :: 2 * step] += lanes[:, step :: 2 * step]
    total: npt.NDArray[_Float] = lanes[:, 0]
    for row in range(even, count):
        total += x[:, row]
    return total


def _from_left(start: Any, values: Iterable[Any]) -> Any:
    for value in values:
        start = start + value
    return start
