"""Codes on the way out: checked once, in the fewest bytes that NumPy has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Format
from refnum.formats import format as find_format
from refnum.interop.names import TypeNames, type_names

__all__ = ["as_codes", "as_format", "need"]

_Codes = npt.NDArray[np.unsignedinteger[Any]]


def as_format(fmt: Format | str) -> Format:
    """Return a format, found by its name if need be."""
    if isinstance(fmt, str):
        return find_format(fmt)
    if not isinstance(fmt, Format):
        raise TypeError(f"fmt must be a Format or its name, not {fmt!r}")
    return fmt


def as_codes(codes: npt.ArrayLike, fmt: Format) -> _Codes:
    """Return codes as unsigned integers of the format's width; shared if they are that.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        If one does not fit the format.
    """
    array = np.asarray(codes)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iu":
        raise TypeError(f"codes must be integers, not {array.dtype}")
    if array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >> fmt.bits:
            wrong = low if low < 0 else high
            raise ValueError(f"{wrong} is no code of {fmt}: it has {fmt.bits} bits")
    width = next(n for n in (1, 2, 4) if fmt.bits <= 8 * n)
    return array.astype(f"=u{width}", copy=False)


def need(fmt: Format, library: str) -> str:
    """Return a library's name of a format.

    Raises
    ------
    ValueError
        If the library has no such type.
    """
    names: TypeNames = type_names(fmt)
    name = getattr(names, library)
    if name is None:
        raise ValueError(f"{library} has no type for {fmt}; pass its codes as integers")
    return str(name)
