"""The counters of streams: a 64-bit stream above, a 64-bit block index below."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_uint64, as_word_count, in_range
from refnum.random.philox import philox4x32

__all__ = ["UINT64_MAX", "block_words", "counters", "key_of", "stream_words"]

UINT64_MAX = 2**64 - 1


def stream_words(
    seed: SupportsIndex,
    streams: npt.ArrayLike,
    streams_name: str,
    first: int,
    blocks: int,
    rounds: SupportsIndex,
) -> npt.NDArray[np.uint32]:
    """Return all words (..., 4 * blocks) of the blocks from `first` on."""
    upper = as_uint64(streams, streams_name)
    index = np.arange(blocks, dtype=np.uint64) + np.uint64(first)
    carry = index < np.uint64(first)  # past its last block, a stream enters the next
    above = upper[..., np.newaxis] + carry.astype(np.uint64)
    words = philox4x32(counters(index, above), key_of(seed), rounds)
    return words.reshape(*upper.shape, 4 * blocks)


def block_words(
    seed: SupportsIndex,
    streams: npt.ArrayLike,
    streams_name: str,
    offset: SupportsIndex,
    count: SupportsIndex,
    rounds: SupportsIndex,
) -> npt.NDArray[np.uint32]:
    """Draw `count` words of each stream, from a block on."""
    wanted = as_word_count(count)
    first = in_range(offset, "offset", 0, UINT64_MAX)
    words = stream_words(seed, streams, streams_name, first, -(-wanted // 4), rounds)
    return words[..., :wanted]


def counters(
    lower: npt.NDArray[np.uint64], upper: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint32]:
    """Split 128-bit counters into words (..., 4), the least significant first."""
    shape = np.broadcast_shapes(lower.shape, upper.shape)
    words = np.empty((*shape, 4), np.uint32)
    for column, half in ((0, lower), (2, upper)):
        words[..., column] = half.astype(np.uint32)
        words[..., column + 1] = (half >> np.uint64(32)).astype(np.uint32)
    return words


def key_of(seed: SupportsIndex) -> npt.NDArray[np.uint32]:
    """Split a seed into the key's two words."""
    high, low = divmod(in_range(seed, "seed", 0, UINT64_MAX), 2**32)
    return np.array([low, high], np.uint32)
