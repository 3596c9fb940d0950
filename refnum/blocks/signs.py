"""The signs of a Hadamard rotation: the diagonal of D, fixed or drawn from random bits."""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random.philox import philox4x32

__all__ = ["as_size", "hadamard_signs", "random_signs"]

_SIZES = tuple(1 << k for k in range(1, 11))
_NAMED = {"transformer_engine": 0xD7E8}


def hadamard_signs(name: str = "transformer_engine") -> npt.NDArray[np.int8]:
    """Look up a fixed vector of signs.

    Parameters
    ----------
    name : str
        ``"transformer_engine"``, of size 16, is the only one so far.

    Returns
    -------
    ndarray of int8, shape (size,)
        Signs, +1 and -1.

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    Transformer Engine, common/hadamard_transform: the mask 0xD7E8, whose bit i says
    that sign i is negative.

    Examples
    --------
    >>> hadamard_signs().tolist()
    [1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1]
    """
    if name not in _NAMED:
        raise ValueError(f"no signs named {name!r}; there are {', '.join(_NAMED)}")
    return _signs_of(np.array([_NAMED[name]], "<u4"), 16)


def random_signs(
    size: SupportsIndex,
    seed: SupportsIndex | None = None,
    *,
    words: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int8]:
    """Draw signs from random words, one bit a sign.

    Parameters
    ----------
    size : int
        Number of signs, a size that `hadamard` takes.
    seed : int, optional
        Key of Philox4x32-10, 0 to 2^64 - 1; the words are those of counters 0, 1, ….
    words : array_like of uint32, optional
        The words themselves, at least ``size / 32`` of them, in place of a seed.

    Returns
    -------
    ndarray of int8, shape (size,)
        Sign i is negative where bit ``i % 32`` of word ``i // 32`` is set.

    Raises
    ------
    TypeError
        If there is neither seed nor words, or both, or the words are not uint32.
    ValueError
        If the size or the seed is out of range, or there are too few words.

    Examples
    --------
    >>> random_signs(4, words=np.array([0b0110], np.uint32)).tolist()
    [1, -1, -1, 1]
    >>> random_signs(4, seed=7).tolist() == random_signs(4, seed=7).tolist()
    True
    """
    count = as_size(size)
    if (seed is None) == (words is None):
        raise TypeError("give a seed or words, one of the two")
    if words is None:
        assert seed is not None
        drawn = _philox_words(-(-count // 32), operator.index(seed))
    else:
        drawn = np.asarray(words).reshape(-1)
        if drawn.dtype != np.uint32:
            raise TypeError(f"words must be uint32, not {drawn.dtype}")
        if 32 * drawn.size < count:
            raise ValueError(
                f"{count} signs need {-(-count // 32)} words, not {drawn.size}"
            )
    return _signs_of(drawn.astype("<u4"), count)


def as_size(size: SupportsIndex) -> int:
    """Return the size of a rotation, checked."""
    width = operator.index(size)
    if width not in _SIZES:
        raise ValueError(f"size must be a power of two, 2 to 1024, not {width}")
    return width


def _philox_words(count: int, seed: int) -> npt.NDArray[np.uint32]:
    """Draw at least that many words of the generator keyed by the seed."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be 0 to 2^64 - 1, not {seed}")
    counters = np.zeros((-(-count // 4), 4), np.uint32)
    counters[:, 0] = np.arange(len(counters))
    key = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    return philox4x32(counters, key).reshape(-1)


def _signs_of(words: npt.NDArray[np.uint32], size: int) -> npt.NDArray[np.int8]:
    """Turn bits of little-endian words, the lowest first, into signs."""
    bits = np.unpackbits(words.view(np.uint8), count=size, bitorder="little")
    return np.where(bits, np.int8(-1), np.int8(1))
