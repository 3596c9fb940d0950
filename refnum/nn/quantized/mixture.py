"""Mixture of representations: a narrow format where it does well, else a wider one.

Each tensor, or each block of it, is tried in a narrow format. Where the relative error
is too large, the values of a wider format stand instead.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.elementary import sum as sum_of
from refnum.formats import round_to
from refnum.nn.gradients.grids import as_floats
from refnum.recipes import Fallback

__all__ = ["accepted", "fall_back", "relative_errors"]

_Single = npt.NDArray[np.float32]


def relative_errors(
    x: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    block: int | None = None,
    axis: int = -1,
) -> _Single:
    """Return the mean relative error of the nonzero elements of each block.

    Parameters
    ----------
    x, values : array_like of float32
        Values before and after rounding, of one shape.
    block : int, optional
        Elements along the axis that are judged together; all without.
    axis : int
        Along which blocks run.

    Returns
    -------
    ndarray of float32
        The mean of \\|values - x\\| / \\|x\\| where x is not 0, and 0 where all are. A
        scalar for the tensor; otherwise in the shape of `x`, the axis divided.

    Raises
    ------
    TypeError
        If an array is not float32.
    ValueError
        If shapes differ, the block is not positive or the axis does not exist.

    Notes
    -----
    Quotients are float32 and added in the pairwise order of `refnum.elementary`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.float32([[1, 2, 0, 0], [4, 8, 1, 1]])
    >>> relative_errors(x, np.float32([[1, 1, 1, 0], [4, 8, 0, 1]]), block=2)
    array([[0.25, 0.  ],
           [0.  , 0.5 ]], dtype=float32)
    """
    before, after = _pair(x, values)
    parts = before, after
    if block is None:
        parts = before.reshape(1, -1), after.reshape(1, -1)
    else:
        size, place = _size(block), _place(axis, before.ndim)
        parts = _blocks(before, size, place), _blocks(after, size, place)
    with np.errstate(all="ignore"):
        nonzero = parts[0] != 0
        one = np.float32(1)
        quotients = np.abs(parts[1] - parts[0]) / np.where(
            nonzero, np.abs(parts[0]), one
        )
        total = sum_of(np.where(nonzero, quotients, np.float32(0)), axis=-1)
        count = np.count_nonzero(nonzero, axis=-1).astype(np.float32)
        means = np.where(count == 0, np.float32(0), total / np.maximum(count, one))
    if block is None:
        return means.reshape(())
    return np.ascontiguousarray(np.moveaxis(means, -1, place))


def accepted(
    x: npt.ArrayLike, values: npt.ArrayLike, fallback: Fallback, axis: int = -1
) -> npt.NDArray[np.bool_]:
    """Return where the narrow format does well.

    Parameters
    ----------
    x, values : array_like of float32
        Values before and after rounding to the narrow format, of one shape.
    fallback : Fallback
        The largest error that is accepted, and the blocks that are judged.
    axis : int
        Along which blocks run.

    Returns
    -------
    ndarray of bool
        In the shape of `relative_errors`: whether the error does not exceed the
        threshold. A block with NaN is not accepted.

    Raises
    ------
    TypeError, ValueError
        As `relative_errors`.
    """
    errors = relative_errors(x, values, block=fallback.block, axis=axis)
    return np.asarray(errors <= np.float32(fallback.threshold))


def fall_back(
    x: npt.ArrayLike, values: npt.ArrayLike, fallback: Fallback, axis: int = -1
) -> _Single:
    """Return the narrow format's values where they do, else those of the wider one.

    Parameters
    ----------
    x, values : array_like of float32
        Values before and after rounding to the narrow format, of one shape.
    fallback : Fallback
        The largest error that is accepted, the blocks that are judged, and the wider
        format.
    axis : int
        Along which blocks run.

    Returns
    -------
    ndarray of float32
        In the shape of `x`.

    Raises
    ------
    TypeError, ValueError
        As `relative_errors`.

    References
    ----------
    "Mixture of Representations", arXiv 2512.22804.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> from refnum.recipes import Fallback
    >>> x = np.float32([1.0, 1.5, 3.1, 1e-4])
    >>> fall_back(x, rn.round_to(x, rn.E4M3), Fallback(0.1, rn.BF16, block=2))
    array([1.000000e+00, 1.500000e+00, 3.093750e+00, 1.001358e-04],
          dtype=float32)
    """
    before, after = _pair(x, values)
    keep = accepted(before, after, fallback, axis)
    if keep.all():
        return after
    if fallback.block is not None:
        place = _place(axis, before.ndim)
        every = np.repeat(keep, fallback.block, axis=place)
        keep = every.take(range(before.shape[place]), axis=place)
    return np.where(keep, after, round_to(before, fallback.format))


def _blocks(x: _Single, size: int, axis: int) -> _Single:
    """Return blocks along a new last axis, the last one padded with zeros."""
    moved = np.moveaxis(x, axis, -1)
    short = -moved.shape[-1] % size
    if short:
        moved = np.pad(moved, [(0, 0)] * (x.ndim - 1) + [(0, short)])
    return moved.reshape(*moved.shape[:-1], -1, size)


def _pair(x: npt.ArrayLike, values: npt.ArrayLike) -> tuple[_Single, _Single]:
    pair: list[Any] = [as_floats(x, "x"), as_floats(values, "values")]
    for name, array in zip(("x", "values"), pair, strict=True):
        if array.dtype != np.float32:
            raise TypeError(f"{name} must be float32, not {array.dtype}")
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"x has shape {pair[0].shape}, values {pair[1].shape}")
    return pair[0], pair[1]


def _size(block: int) -> int:
    size = operator.index(block)
    if size < 1:
        raise ValueError(f"block must be 1 or more, not {size}")
    return size


def _place(axis: int, ndim: int) -> int:
    if not -ndim <= operator.index(axis) < ndim:
        raise ValueError(f"axis {axis} does not exist in {ndim} dimensions")
    return operator.index(axis) % ndim
