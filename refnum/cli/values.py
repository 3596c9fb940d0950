"""Values on the command line: decimal, hexadecimal float, or the bits of a float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["parse_code", "parse_value"]


def parse_value(text: str, *, bits: bool = False) -> float:
    """Return the number that a word stands for.

    Parameters
    ----------
    text : str
        A decimal number, a hexadecimal float (``0x1.8p+3``), ``inf`` or ``nan``.
    bits : bool
        Whether the word is the bit pattern of a float32 instead.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    try:
        if bits:
            return float(_pattern(text).view(np.float32)[0])
        hexadecimal = text.lower().lstrip("+-").startswith("0x")
        return float.fromhex(text) if hexadecimal else float(text)
    except (ValueError, OverflowError):
        wanted = "eight hexadecimal digits" if bits else "a number"
        raise ValueError(f"{text!r} is not {wanted}") from None


def parse_code(text: str) -> int:
    """Return the code that hexadecimal digits stand for.

    Raises
    ------
    ValueError
        If they are no hexadecimal number.
    """
    try:
        return int(text, 16)
    except ValueError:
        raise ValueError(f"{text!r} is no hexadecimal code") from None


def _pattern(text: str) -> npt.NDArray[Any]:
    word = int(text, 16)
    if not 0 <= word < 2**32:
        raise ValueError(text)
    return np.array([word], np.uint32)
