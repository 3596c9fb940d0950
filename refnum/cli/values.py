"""What stands on the command line: values and codes, in words, on standard input, in files.

A *word* of a value is a decimal number, a hexadecimal float, or the bits of a float32 or
a float64. ``-`` stands for words on standard input, and a name that ends in ``.npy`` for
the numbers of that file, in C order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["load_array", "parse_code", "parse_value", "read_codes", "read_values"]


def read_values(
    words: Sequence[str], *, bits: bool = False
) -> npt.NDArray[np.floating | np.integer]:
    """Return the values that words and files stand for, flat.

    Parameters
    ----------
    words : sequence of str
        Words, ``-``, names of .npy files.
    bits : bool
        Whether words are bit patterns.

    Raises
    ------
    ValueError
        If a word is no value, or a file no array of real numbers.
    OSError
        If a file cannot be read.
    """
    if _is_file(words):
        return load_array(Path(words[0])).reshape(-1)
    return np.array([parse_value(word, bits=bits) for word in _spread(words)])


def read_codes(words: Sequence[str]) -> npt.NDArray[np.integer]:
    """Return the codes that words and files stand for, flat.

    Parameters
    ----------
    words : sequence of str
        Hexadecimal codes, ``-``, names of .npy files.

    Raises
    ------
    ValueError
        If a word is no code, or a file no array of integers.
    OSError
        If a file cannot be read.
    """
    if _is_file(words):
        codes = load_array(Path(words[0])).reshape(-1)
        if codes.dtype.kind not in "iu":
            raise ValueError(f"{words[0]}: codes must be integers, not {codes.dtype}")
        return codes
    return np.array([parse_code(word) for word in _spread(words)], np.int64)


def load_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a .npy file.

    Raises
    ------
    ValueError
        If the file is no .npy file, is truncated, or holds no real numbers.
    OSError
        If it cannot be read.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: no readable .npy file: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise ValueError(f"{path}: must hold one array of real numbers")
    return array


def parse_value(word: str, *, bits: bool = False) -> float:
    """Return the number that a word stands for.

    Parameters
    ----------
    word : str
        A decimal number, a hexadecimal float (``0x1.8p+3``), ``inf`` or ``nan``.
    bits : bool
        Whether the word is a bit pattern instead: up to eight hexadecimal digits are a
        float32, up to sixteen a float64.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> parse_value("0x1.8p+3"), parse_value("43e80000", bits=True)
    (12.0, 464.0)
    """
    try:
        if bits:
            return _from_bits(word)
        hexadecimal = word.lower().lstrip("+-").startswith("0x")
        return float.fromhex(word) if hexadecimal else float(word)
    except (ValueError, OverflowError):
        wanted = "the bits of a float32 or float64 in hex" if bits else "a number"
        raise ValueError(f"{word!r} is not {wanted}") from None


def parse_code(word: str) -> int:
    """Return the code that hexadecimal digits stand for.

    Raises
    ------
    ValueError
        If they are no hexadecimal number of up to 32 bits.

    Examples
    --------
    >>> parse_code("7e")
    126
    """
    try:
        code = int(word, 16)
    except ValueError:
        raise ValueError(f"{word!r} is no hexadecimal code") from None
    if not 0 <= code < 2**32:
        raise ValueError(f"{word!r} is no code: codes have up to 32 bits")
    return code


def _from_bits(word: str) -> float:
    pattern = int(word, 16)
    wide = len(word.lower().removeprefix("0x")) > 8
    if not 0 <= pattern < 2 ** (64 if wide else 32):
        raise ValueError(word)
    if wide:
        return float(np.array(pattern, np.uint64).view(np.float64))
    return float(np.array(pattern, np.uint32).view(np.float32))


def _is_file(words: Sequence[str]) -> bool:
    """Whether the words are the name of one .npy file: a file stands alone."""
    files = [word for word in words if word.endswith(".npy")]
    if files and len(words) > 1:
        raise ValueError(f"{files[0]}: a file stands alone, without other values")
    return bool(files)


def _spread(words: Sequence[str]) -> Iterator[str]:
    """Yield the words, and in place of ``-`` those on standard input."""
    for word in words:
        if word == "-":
            yield from sys.stdin.read().split()
        else:
            yield word
