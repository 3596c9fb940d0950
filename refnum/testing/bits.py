"""Arrays of bits beside each other: what differs, where, and what the bits say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Format, decode
from refnum.golden import number

__all__ = [
    "as_codes",
    "as_floats",
    "assert_same",
    "code_text",
    "first_line",
    "float_text",
    "word_text",
]

_SHOWN = 5
_Bits = npt.NDArray[np.unsignedinteger[Any]]


def assert_same(
    got: _Bits,
    want: _Bits,
    says: Callable[[int], str],
    title: str,
    err_msg: str,
    same: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Compare bits, and list the first places where they differ."""
    first = first_line(err_msg)
    if got.shape != want.shape:
        raise AssertionError(
            f"{first}shapes are not equal: got {got.shape}, want {want.shape}"
        )
    different = got != want
    if same is not None:
        different &= ~same
    count = int(np.count_nonzero(different))
    if not count:
        return
    share = 100 * count / different.size
    lines = [f"{first}{title}", f"{count} of {different.size} differ ({share:.3g} %)"]
    digits = max(2, -(-int(max(got.max(), want.max())).bit_length() // 4))
    if want.dtype.itemsize > 1:
        digits = max(digits, 2 * want.dtype.itemsize)
    for place in np.argwhere(different)[:_SHOWN].tolist():
        one, other = int(got[tuple(place)]), int(want[tuple(place)])
        lines.append(
            f"at {place}: got {one:0{digits}x}{says(one)}, "
            f"want {other:0{digits}x}{says(other)}, bits xor {one ^ other:0{digits}x}"
        )
    if count > _SHOWN:
        lines.append(f"and {count - _SHOWN} more")
    raise AssertionError("\n".join(lines))


def code_text(fmt: Format) -> Callable[[int], str]:
    """Return what says the value of a code."""

    def says(code: int) -> str:
        if code >> fmt.bits:
            return f" (no code of {fmt})"
        return f" = {number(float(decode([code], fmt, np.float64)[0]))}"

    return says


def float_text(kind: np.dtype[Any]) -> Callable[[int], str]:
    """Return what says the value of a float's bits."""

    def says(bits: int) -> str:
        value = np.array(bits, f"u{kind.itemsize}").view(kind)
        return f" = {number(float(value))}"

    return says


def word_text(_: int) -> str:
    """Say nothing."""
    return ""  # a word of several fields has no one value


def as_codes(values: npt.ArrayLike, name: str) -> _Bits:
    """Return unsigned integers; raise TypeError for anything else."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    if array.dtype.kind != "u":
        if array.size and array.min() < 0:
            raise TypeError(f"{name} must hold unsigned codes, not {array.min()}")
        wide = array.astype(np.uint64)
        largest = int(wide.max()) if wide.size else 0
        array = wide.astype(np.min_scalar_type(largest))
    return array


def as_floats(values: npt.ArrayLike, name: str) -> npt.NDArray[np.floating[Any]]:
    """Return floats in native order; raise TypeError for anything else."""
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(
            f"{name} must hold float16, float32 or float64, not {array.dtype}"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def first_line(err_msg: str) -> str:
    """Return how a message begins."""
    return f"{err_msg}\n" if err_msg else ""
