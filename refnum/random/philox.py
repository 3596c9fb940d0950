"""Philox4x32: four random 32-bit words as a pure function of a counter and a key.

Vocabulary: a *word* is 32 bits; a *block* is the four words that one counter gives; a
*round* multiplies two counter words by constants and mixes the products' halves with
the other two and with the key; between rounds the key is *bumped* by Weyl constants.

`philox4x32_definition` is one block in Python integers, to be read; `philox4x32` gives
the same bits for arrays, and fast.
"""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_uint32, in_range

__all__ = ["philox4x32", "philox4x32_definition"]

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_BUMPS = 0x9E3779B9, 0xBB67AE85  # of the golden ratio and of sqrt(3) - 1
_MASK = 0xFFFFFFFF
_MOST_ROUNDS = 16  # as in Random123

# Blocks a chunk: three temporaries of two uint64 a block, 384 KiB, stay in L2.
_CHUNK = 8192


def philox4x32_definition(
    counter: tuple[int, int, int, int], key: tuple[int, int], rounds: int = 10
) -> tuple[int, int, int, int]:
    """Compute one block in Python integers: the definition, word by word.

    Parameters
    ----------
    counter : tuple of four int
        Words of the counter, the least significant first.
    key : tuple of two int
        Words of the key, the least significant first.
    rounds : int
        Number of rounds.

    Returns
    -------
    tuple of four int
        The random words.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011, section 3.3.

    Examples
    --------
    >>> [hex(w) for w in philox4x32_definition((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(_MULTIPLIERS[0] * c0, 2**32)
        high1, low1 = divmod(_MULTIPLIERS[1] * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _BUMPS[0]) % 2**32, (k1 + _BUMPS[1]) % 2**32
    return c0, c1, c2, c3


def philox4x32(
    counter: npt.ArrayLike, key: npt.ArrayLike, rounds: SupportsIndex = 10
) -> npt.NDArray[np.uint32]:
    """Compute the block of every counter under its key.

    Parameters
    ----------
    counter : array_like of integers, shape (..., 4)
        Counters, each four 32-bit words, the least significant first.
    key : array_like of integers, shape (..., 2)
        Keys, each two 32-bit words, the least significant first. The leading axes of
        `counter` and `key` broadcast against each other.
    rounds : int, optional
        Number of rounds, 1 to 16. Ten is the standard; seven are the fewest that
        passed BigCrush.

    Returns
    -------
    ndarray of uint32, shape (..., 4)
        Four random words a counter.

    Raises
    ------
    TypeError
        If words or `rounds` are no integers.
    ValueError
        If a word does not fit 32 bits, the last axis has not four or two words, the
        leading axes do not broadcast, or `rounds` is out of range.

    See Also
    --------
    philox4x32_definition : One block, to be read.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011; known answers: Random123, tests/kat_vectors.

    Examples
    --------
    >>> print(*map(hex, philox4x32([0, 0, 0, 0], [0, 0])))
    0x6627e8d5 0xe169c58d 0xbc57ac4c 0x9b00dbd8
    >>> print(*map(hex, philox4x32([0, 0, 0, 0], [0, 0], rounds=7)))
    0x5f6fb709 0xd893f64 0x4f121f81 0x4f730a48
    """
    count = in_range(rounds, "rounds", 1, _MOST_ROUNDS)
    counters = _as_words(counter, "counter", 4)
    keys = _as_words(key, "key", 2)
    try:
        shape = np.broadcast_shapes(counters.shape[:-1], keys.shape[:-1])
    except ValueError:
        raise ValueError(
            f"counter of shape {counters.shape} and key of shape {keys.shape} "
            "do not broadcast along their leading axes"
        ) from None

    counters = np.broadcast_to(counters, (*shape, 4)).reshape(-1, 4)
    one_key = keys.size == 2
    if not one_key:
        keys = np.broadcast_to(keys, (*shape, 2))
    keys = keys.reshape(-1, 2)

    words = np.empty(counters.shape, np.uint32)
    for start in range(0, len(words), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        chunk_keys = keys if one_key else keys[chunk]
        _fill(words[chunk], counters[chunk], chunk_keys, count)
    return words.reshape(*shape, 4)


def _as_words(values: npt.ArrayLike, name: str, count: int) -> npt.NDArray[np.uint32]:
    words = as_uint32(values, name)
    if words.shape[-1:] != (count,):
        raise ValueError(
            f"{name} must have {count} words along its last axis, "
            f"not the shape {words.shape}"
        )
    return words


def _fill(
    out: npt.NDArray[np.uint32],
    counters: npt.NDArray[np.uint32],
    keys: npt.NDArray[np.uint32],
    rounds: int,
) -> None:
    """Write the blocks of `counters` (n, 4) under `keys` (n, 2) or (1, 2) to `out`.

    The two halves of a round run as the two rows of one array. Each row of products
    feeds the other row of the next state, so products are read back to front.
    """
    multipliers = np.array(_MULTIPLIERS, np.uint64)[:, np.newaxis]
    bumps = np.array(_BUMPS, np.uint64)[:, np.newaxis]
    even = counters[:, 0::2].T.astype(np.uint64, order="C")  # c0, c2: multiplied
    odd = counters[:, 1::2].T.astype(np.uint64, order="C")  # c1, c3: mixed in
    key = keys.T.astype(np.uint64, order="C")
    products = np.empty_like(even)
    crossed = products[::-1]
    for _ in range(rounds):
        np.multiply(even, multipliers, out=products)
        np.right_shift(crossed, 32, out=even)
        even ^= odd
        even ^= key
        np.bitwise_and(crossed, _MASK, out=odd)
        key += bumps
        key &= _MASK
    out[:, 0::2] = even.T
    out[:, 1::2] = odd.T
