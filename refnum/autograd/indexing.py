"""The table of operations that choose elements: indexing, gather, scatter, embedding.

The VJP of a choice adds gradients at the chosen places, in the order of the indices;
that of adding at places is a choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.operation import Operation
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.tensor import plain

__all__ = ["embedding", "scatter_add", "take", "take_along_axis"]

_Shape = tuple[int, ...]

_BASIC = (int, np.integer, slice, type(None), type(Ellipsis))


def _is_basic(key: Any) -> bool:
    """Whether no element can be chosen twice, and the choice is a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(isinstance(p, _BASIC) and not isinstance(p, bool) for p in parts)


def _put(g: Any, shape: _Shape, key: Any) -> Any:
    """Return zeros with values added at what a key chooses."""
    out = np.zeros(shape, g.dtype)
    if _is_basic(key):
        out[key] = g
    elif _repeats_rows(key, shape):
        _add_rows(out, key.reshape(-1) % shape[0], g.reshape(-1, *shape[1:]))
    else:
        np.add.at(out, key, g)
    return out


def _repeats_rows(key: Any, shape: _Shape) -> bool:
    """Whether a key chooses whole rows, each of them often."""
    integers = isinstance(key, np.ndarray) and key.dtype.kind in "iu"
    return integers and len(shape) == 2 and shape[1] > 15 and key.size > 8 * shape[0]


def _add_rows(out: Any, rows: Any, g: Any) -> None:
    """Add values to rows as ``np.add.at`` does, one of the table's rows at a time.

    A sum over the first axis of an array whose rows are longer than one adds row by row.
    """
    order = np.argsort(rows, kind="stable")
    ends = np.cumsum(np.bincount(rows, minlength=len(out)))
    start = 0
    for row, end in enumerate(ends.tolist()):
        if start < end:
            out[row] += np.add.reduce(g[order[start:end]], axis=0)
        start = end


_getitem = Operation(
    "getitem",
    lambda x, key: x[key],
    "x",
    "key",
    x=lambda g, x_shape, key: _place(g, x_shape, key),
)
_place: Operation = Operation(
    "place", _put, "x", "shape key", x=lambda g, key: _getitem(g, key)
)


def _frozen(part: Any) -> Any:
    """Return a part of a key that nobody else can change."""
    if isinstance(part, list | np.ndarray) or hasattr(part, "_array"):
        return np.array(plain(part))
    return part


def getitem(x: Any, key: Any) -> Any:
    """Choose elements as NumPy's indexing does, basic and advanced."""
    if isinstance(key, tuple):
        return _getitem(x, tuple(map(_frozen, key)))
    return _getitem(x, _frozen(key))


def take(x: Any, indices: npt.ArrayLike, axis: int = 0) -> Any:
    """Choose elements along an axis.

    Parameters
    ----------
    x : Tensor or array
        What to choose from.
    indices : array_like of int
        Positions; negative ones count from the end.
    axis : int
        Along which to choose; the axes of `indices` take its place.

    Returns
    -------
    Tensor or ndarray
        The elements.

    Raises
    ------
    TypeError
        If `indices` are no integers.
    IndexError
        If a position does not exist.
    """
    places = _integers(indices, "indices")
    return _getitem(x, (*(slice(None),) * (axis % x.ndim), places))


def take_along_axis(x: Any, indices: npt.ArrayLike, axis: int) -> Any:
    """Choose along an axis by an index for each place, as ``numpy.take_along_axis``.

    Parameters
    ----------
    x : Tensor or array
        What to gather from.
    indices : array_like of int
        Positions along `axis`, of as many axes as `x`.
    axis : int
        The axis.

    Returns
    -------
    Tensor or ndarray
        The gathered elements, of the shape of `indices` broadcast.

    Raises
    ------
    TypeError
        If `indices` are no integers.
    ValueError
        If `indices` have another number of axes.
    """
    return _getitem(x, _along(x.shape, indices, axis))


def scatter_add(x: Any, indices: npt.ArrayLike, updates: Any, axis: int) -> Any:
    """Add updates to a tensor along an axis, at an index for each.

    Parameters
    ----------
    x : Tensor or array
        What to add to.
    indices : array_like of int
        Positions along `axis`, of as many axes as `x`; where several are equal,
        updates are added in C order.
    updates : Tensor or array
        Numbers, of the shape of `indices`.
    axis : int
        The axis.

    Returns
    -------
    Tensor or ndarray
        The sum, of the shape of `x`.

    Raises
    ------
    TypeError
        If `indices` are no integers.
    ValueError
        If shapes do not fit.
    """
    if np.shape(plain(updates)) != np.shape(plain(indices)):
        raise ValueError(
            f"updates of shape {np.shape(plain(updates))} do not fit indices of "
            f"{np.shape(plain(indices))}"
        )
    return x + _place(updates, x.shape, _along(x.shape, indices, axis))


def embedding(weight: Any, indices: npt.ArrayLike) -> Any:
    """Look rows up in a table.

    Parameters
    ----------
    weight : Tensor or array, shape (V, D)
        The table.
    indices : array_like of int, shape (...)
        Row numbers, 0 to V - 1.

    Returns
    -------
    Tensor or ndarray, shape (..., D)
        The rows.

    Raises
    ------
    TypeError
        If `indices` are no integers.
    ValueError
        If a row does not exist.
    """
    rows = _integers(indices, "indices")
    if rows.size and not 0 <= rows.min() <= rows.max() < len(weight):
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise ValueError(f"indices must be from 0 to {len(weight) - 1}, not {wrong}")
    return _getitem(weight, rows)


def _integers(values: npt.ArrayLike, name: str) -> npt.NDArray[np.intp]:
    array = np.array(plain(values))
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    return array.astype(np.intp)


def _along(shape: _Shape, indices: npt.ArrayLike, axis: int) -> tuple[Any, ...]:
    """Return the key that picks a place along an axis for each index."""
    places = _integers(indices, "indices")
    if places.ndim != len(shape):
        raise ValueError(f"indices have {places.ndim} axes, not {len(shape)}")
    along = axis % len(shape)
    fits = [n in (1, shape[k]) or k == along for k, n in enumerate(places.shape)]
    if not all(fits):
        raise ValueError(
            f"indices of shape {places.shape} do not fit the shape {shape}"
        )
    key: list[Any] = list(np.ix_(*map(np.arange, shape)))
    key[along] = places
    return tuple(key)


OPERATIONS["getitem"] = getitem
