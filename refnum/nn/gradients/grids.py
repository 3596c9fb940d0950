"""The levels of a grid, and the interval between two of them that a value lies in.

A *grid* is what elements or scales are rounded to: a `Format`, or its levels. It has no
scale: values are compared with it after they have been divided by theirs. Functions of
this room compute in the type of their argument, float32 or float64; float32 follows
the numerics of `refnum.autograd`, as operations do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from refnum.autograd import exp, log
from refnum.formats import Format, round_to

__all__ = [
    "Floats",
    "Grid",
    "Place",
    "as_floats",
    "interval_of",
    "levels_of",
    "nearest_levels",
    "power",
]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Grid: TypeAlias = Format | npt.ArrayLike

_FEW = 64
_CHUNK = 1 << 14  # elements: they stay in the first cache while levels pass


def levels_of(grid: Grid, count: int | None = None) -> npt.NDArray[np.float64]:
    """Return the finite values of a grid in rising order, zeros as one.

    Parameters
    ----------
    grid : Format or array_like
        A format of at most 19 bits, or levels that rise.
    count : int, optional
        How many to take, from the lowest; all by default.

    Returns
    -------
    ndarray of float64
        At least two levels; of a format, read-only.

    Raises
    ------
    ValueError
        If there are fewer than two levels, or they do not rise.

    Examples
    --------
    >>> import refnum as rn
    >>> levels_of(rn.E2M1)[7:].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    >>> levels_of(rn.UE8M0, 2).tolist() == [2.0**-127, 2.0**-126]
    True
    """
    levels = _levels_of(grid) if isinstance(grid, Format) else np.asarray(grid, float)
    levels = levels[:count]
    if levels.ndim != 1 or levels.size < 2 or not np.isfinite(levels).all():
        raise ValueError(f"a grid has two finite levels or more, not {levels}")
    if not (np.diff(levels) > 0).all():
        raise ValueError(f"levels of a grid must rise, not {levels}")
    return levels


@lru_cache(maxsize=64)
def _levels_of(fmt: Format) -> npt.NDArray[np.float64]:
    values = fmt.values[np.isfinite(fmt.values)]
    levels: npt.NDArray[np.float64] = np.unique(values + 0.0)  # -0 becomes +0
    levels.flags.writeable = False
    return levels


def as_floats(x: npt.ArrayLike, name: str = "x") -> Floats:
    """Return a float32 or float64 array; other types are refused."""
    array = np.asarray(x)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be float32 or float64, not {array.dtype}")
    return array


def interval_of(
    x: Floats, levels: Floats, *, closed: str = "left"
) -> npt.NDArray[np.intp]:
    """Return the number of the interval that each value lies in.

    Parameters
    ----------
    x : ndarray
        Values.
    levels : ndarray
        Levels that rise.
    closed : {"left", "right"}
        Which end belongs to an interval: a value on a level counts to the interval
        above it or below it.

    Returns
    -------
    ndarray of intp
        0 to ``len(levels) - 2``: values beyond the ends count to the outermost ones, and
        NaN to either.
    """
    inner = levels[1:-1]
    if len(inner) <= _FEW:
        return _levels_below(x, inner, closed).astype(np.intp)
    side: Literal["left", "right"] = "right" if closed == "left" else "left"
    return np.asarray(np.searchsorted(inner, x, side))


def _levels_below(x: Floats, levels: Floats, closed: str) -> npt.NDArray[np.uint8]:
    """Count the levels below each value: for few levels faster than a search."""
    passes = np.greater_equal if closed == "left" else np.greater
    flat = x.reshape(-1)
    count = np.zeros(flat.size, np.uint8)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        for level in levels:
            count[part] += passes(flat[part], level)
    return count.reshape(x.shape)


@dataclass(frozen=True)
class Place:
    """Where values lie: their interval, its lower end and width, and x - c.

    c is the middle of the interval.
    """

    interval: npt.NDArray[np.intp]
    low: Floats
    width: Floats
    away: Floats

    @classmethod
    def of(cls, x: Floats, levels: Floats, *, closed: str) -> Place:
        """Return the places of values; `closed` is that of `interval_of`."""
        typed = levels.astype(x.dtype)
        index = interval_of(x, typed, closed=closed)
        middles = ((levels[:-1] + levels[1:]) / 2).astype(x.dtype)
        return cls(index, typed[index], np.diff(typed)[index], x - middles[index])


def nearest_levels(x: Floats, grid: Grid) -> Floats:
    """Return values rounded to the grid: of a format ties to even, else to the lower."""
    if isinstance(grid, Format):
        return round_to(x, grid).astype(x.dtype)
    levels = levels_of(grid).astype(x.dtype)
    index = interval_of(x, levels)
    low, high = levels[index], levels[index + 1]
    return np.where(high - x < x - low, high, low)


def power(base: Floats, exponent: float) -> Floats:
    """Return a power of numbers that are not negative: e^(exponent log(base)).

    In float32 the logarithm, the product and the exponential are each rounded.
    """
    if exponent == 0:
        return np.ones_like(base)
    with np.errstate(all="ignore"):
        logarithm = log(base)
        result: Floats = exp(logarithm * logarithm.dtype.type(exponent))
    return result
