"""Where codes pile up: how often each occurs, and the shares of special ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from refnum.formats import Format, format
from refnum.metrics.chunks import chunks_of

__all__ = ["code_histogram", "saturated_share", "subnormal_share", "zero_share"]

_WIDEST = 16  # bits of a counted code


def code_histogram(codes: npt.ArrayLike, fmt: Format | str) -> npt.NDArray[np.int64]:
    """Count how often each code occurs.

    Parameters
    ----------
    codes : array_like of integers
        Codes of elements or of scales, of any shape.
    fmt : Format or str
        Their format, of at most 16 bits.

    Returns
    -------
    ndarray of int64, shape (2**bits,)
        Counts, by code.

    Raises
    ------
    TypeError
        If the codes are no integers.
    ValueError
        If a code does not fit the format, or the format is too wide.

    Examples
    --------
    >>> import refnum as rn
    >>> code_histogram([126, 127, 127], rn.UE8M0)[125:129]
    array([0, 1, 2, 0])
    """
    fmt, array = format(fmt), np.asarray(codes)
    if fmt.bits > _WIDEST:
        raise ValueError(
            f"{fmt} has {fmt.bits} bits; codes of at most {_WIDEST} are counted"
        )
    counts = np.zeros(1 << fmt.bits, np.int64)
    if array.size == 0:
        return counts
    if array.dtype.kind not in "iu":
        raise TypeError(f"codes must be integers, not {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= counts.size:
        wrong = low if low < 0 else high
        raise ValueError(f"code {wrong} does not fit the {fmt.bits} bits of {fmt}")
    for chunk in chunks_of(array):
        counts += np.bincount(chunk, minlength=counts.size)
    return counts


def saturated_share(codes: npt.ArrayLike, fmt: Format | str) -> float:
    """Compute the share of codes at or beyond the largest finite magnitude.

    Parameters
    ----------
    codes : array_like of integers
        Codes of any shape, at least one.
    fmt : Format or str
        Their format, of at most 16 bits.

    Returns
    -------
    float
        0 to 1; infinities count, NaNs do not.

    Raises
    ------
    TypeError
        If the codes are no integers.
    ValueError
        If there are none, one does not fit the format, or the format is too wide.

    Examples
    --------
    >>> import refnum as rn
    >>> saturated_share([0x7, 0xF, 0x6, 0x0], rn.E2M1)  # 6, -6, 4, 0
    0.5
    """
    fmt = format(fmt)
    return _share(codes, fmt, lambda magnitude: magnitude >= fmt.max)


def zero_share(codes: npt.ArrayLike, fmt: Format | str) -> float:
    """Compute the share of codes that stand for zero, of either sign.

    Parameters
    ----------
    codes : array_like of integers
        Codes of any shape, at least one.
    fmt : Format or str
        Their format, of at most 16 bits.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    TypeError, ValueError
        As `saturated_share`.

    Examples
    --------
    >>> import refnum as rn
    >>> zero_share([0x0, 0x8, 0x1, 0x2], rn.E2M1)  # 0, -0, 0.5, 1
    0.5
    """
    return _share(codes, format(fmt), lambda magnitude: magnitude == 0)


def subnormal_share(codes: npt.ArrayLike, fmt: Format | str) -> float:
    """Compute the share of codes below the smallest normal magnitude, but not zero.

    Parameters
    ----------
    codes : array_like of integers
        Codes of any shape, at least one.
    fmt : Format or str
        Their format, of at most 16 bits.

    Returns
    -------
    float
        0 to 1; always 0 for integers and for formats without subnormals.

    Raises
    ------
    TypeError, ValueError
        As `saturated_share`.

    Examples
    --------
    >>> import refnum as rn
    >>> subnormal_share([0x0, 0x8, 0x1, 0x2], rn.E2M1)
    0.25
    """
    fmt = format(fmt)
    least = fmt.smallest_normal
    return _share(codes, fmt, lambda magnitude: (magnitude > 0) & (magnitude < least))


def _share(
    codes: npt.ArrayLike,
    fmt: Format,
    counted: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool]],
) -> float:
    counts = code_histogram(codes, fmt)
    total = int(counts.sum())
    if total == 0:
        raise ValueError("there are no codes to take a share of")
    return int(counts[counted(np.abs(fmt.values))].sum()) / total
