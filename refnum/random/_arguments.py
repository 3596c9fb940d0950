"""Arguments made certain: integers of a known width, or an error that names them."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

__all__ = ["as_shared_words", "as_uint32", "as_uint64", "as_word_count", "in_range"]


def in_range(value: SupportsIndex, name: str, low: int, high: int) -> int:
    """Return `value` as an int between `low` and `high`, both included."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    try:
        integer = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if not low <= integer <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {integer}")
    return integer


def as_uint32(values: npt.ArrayLike, name: str) -> npt.NDArray[np.uint32]:
    """Return `values` as uint32; no value changes."""
    return _as_unsigned(values, name, np.uint32)


def as_uint64(values: npt.ArrayLike, name: str) -> npt.NDArray[np.uint64]:
    """Return `values` as uint64; no value changes."""
    return _as_unsigned(values, name, np.uint64)


def as_shared_words(words: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Return words each of which serves several elements along the last axis."""
    array = as_uint32(words, "words")
    if array.ndim == 0:
        raise ValueError("words must have at least one axis: each serves several")
    return array


def as_word_count(count: SupportsIndex) -> int:
    """Return how many words to make: zero or more."""
    return in_range(count, "count", 0, 2**63 - 1)


def _as_unsigned(values: npt.ArrayLike, name: str, kind: Any) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype == kind:
        return array
    if array.size == 0:
        return np.zeros(array.shape, kind)
    highest = int(np.iinfo(kind).max)
    # Python integers beyond 64 bits arrive as objects; their range is the complaint.
    if array.dtype.kind == "O" and all(type(v) is int for v in array.flat):
        wrong = [v for v in array.flat if not 0 <= v <= highest]
        raise ValueError(_range_message(name, highest, wrong[0]))
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > highest:
        raise ValueError(_range_message(name, highest, low if low < 0 else high))
    return array.astype(kind)


def _range_message(name: str, highest: int, value: int) -> str:
    return f"{name} must be from 0 to {highest:#x}, not {value}"
