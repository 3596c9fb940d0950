"""Which counter and key each library gives Philox: words that can be replayed.

Vocabulary: the *seed* is the 64-bit key. A *stream* is what one thread draws: the
upper half of the 128-bit counter names it (cuRAND's *subsequence*), the lower half
counts its blocks of four words. The libraries differ in the unit of the *offset*, at
which a thread starts to draw:

====================  ===========================  ====================
library               offset counts                upper half
====================  ===========================  ====================
cuRAND                32-bit words                 subsequence
PyTorch on CUDA       32-bit words, by fours       thread
PyTorch's host class  blocks of 128 bits           subsequence
Transformer Engine    blocks of 128 bits           sequence
Triton                blocks; it is the counter    zero
====================  ===========================  ====================
"""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_uint64, as_word_count, in_range
from refnum.random._counters import (
    UINT64_MAX,
    block_words,
    counters,
    key_of,
    stream_words,
)
from refnum.random.philox import philox4x32

__all__ = [
    "curand_words",
    "transformer_engine_sequence",
    "transformer_engine_words",
    "triton_randint4x",
]


def curand_words(
    seed: SupportsIndex,
    subsequence: npt.ArrayLike = 0,
    offset: SupportsIndex = 0,
    *,
    count: SupportsIndex,
) -> npt.NDArray[np.uint32]:
    """Draw words as cuRAND's Philox4_32_10 generator on the device.

    Parameters
    ----------
    seed, subsequence, offset
        Arguments of ``curand_init``, 0 to 2^64 - 1. `subsequence` may be an array of
        any shape (...): one stream an element. `offset` counts 32-bit words.
    count : int
        Words to draw from each stream.

    Returns
    -------
    ndarray of uint32, shape (..., count)
        What `count` calls of ``curand`` return; ``curand4`` returns the same words,
        four a call.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range.

    References
    ----------
    NVIDIA cuRAND, curand_kernel.h and curand_philox4x32_x.h: ``skipahead``,
    ``skipahead_sequence``.

    Examples
    --------
    >>> curand_words(42, count=4)
    array([2632642643, 2012563771,  314527917, 1463989207], dtype=uint32)
    >>> curand_words(42, offset=2, count=4)
    array([ 314527917, 1463989207, 4242219303, 1404726525], dtype=uint32)
    """
    wanted = as_word_count(count)
    first_block, skipped = divmod(in_range(offset, "offset", 0, UINT64_MAX), 4)
    blocks = -(-(skipped + wanted) // 4)
    words = stream_words(seed, subsequence, "subsequence", first_block, blocks, 10)
    return words[..., skipped : skipped + wanted]


def transformer_engine_words(
    seed: SupportsIndex,
    sequence: npt.ArrayLike = 0,
    offset: SupportsIndex = 0,
    *,
    count: SupportsIndex,
    rounds: SupportsIndex = 10,
) -> npt.NDArray[np.uint32]:
    """Draw words as Transformer Engine's kernels for stochastic rounding.

    Parameters
    ----------
    seed, offset : int
        The two numbers of the ``rng_state`` tensor, 0 to 2^64 - 1. `offset` counts
        blocks of 128 bits.
    sequence : array_like of integers
        Streams, of any shape (...); a kernel derives them from its launch geometry.
    count : int
        Words to draw from each stream.
    rounds : int, optional
        Number of rounds, fixed when the library is built: 10 unless
        ``NVTE_BUILD_NUM_PHILOX_ROUNDS`` says otherwise.

    Returns
    -------
    ndarray of uint32, shape (..., count)
        The words that ``generate4`` returns, x, y, z, w of each call in turn.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range.

    See Also
    --------
    transformer_engine_sequence : The streams of the generic NVFP4 kernel.

    References
    ----------
    NVIDIA Transformer Engine, transformer_engine/common/util/curanddx.hpp.

    Examples
    --------
    >>> transformer_engine_words(42, [0, 1], offset=1, count=2)
    array([[4242219303, 1404726525],
           [ 553619769, 4258405780]], dtype=uint32)
    """
    return block_words(seed, sequence, "sequence", offset, count, rounds)


def transformer_engine_sequence(
    thread: npt.ArrayLike,
    block_x: npt.ArrayLike,
    block_y: npt.ArrayLike,
    *,
    threads: SupportsIndex,
    grid_x: SupportsIndex,
) -> npt.NDArray[np.uint64]:
    """Number the streams of Transformer Engine's generic NVFP4 kernel.

    Parameters
    ----------
    thread, block_x, block_y : array_like of integers
        ``threadIdx.x``, ``blockIdx.x`` and ``blockIdx.y``; they broadcast.
    threads : int
        Threads of a thread block.
    grid_x : int
        Thread blocks of the grid along x.

    Returns
    -------
    ndarray of uint64
        The `sequence` of each thread for `transformer_engine_words`: threads count
        first, then blocks along x, then along y.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If a thread or block lies outside of the launch.

    References
    ----------
    NVIDIA Transformer Engine, transformer_engine/common/cast/nvfp4/
    quantize_transpose_nvfp4.cuh: ``rng_sequence``.

    Examples
    --------
    >>> transformer_engine_sequence([0, 5], 2, 1, threads=128, grid_x=8)
    array([1280, 1285], dtype=uint64)
    """
    width = in_range(threads, "threads", 1, 1024)
    columns = in_range(grid_x, "grid_x", 1, 2**31 - 1)
    lanes = _below(thread, "thread", width)
    x = _below(block_x, "block_x", columns)
    y = _below(block_y, "block_y", 2**16)
    return np.asarray(lanes + np.uint64(width) * (x + np.uint64(columns) * y))


def triton_randint4x(
    seed: SupportsIndex, offset: npt.ArrayLike, rounds: SupportsIndex = 10
) -> npt.NDArray[np.uint32]:
    """Draw the four words of ``tl.randint4x`` at each offset.

    Parameters
    ----------
    seed : int
        Seed, 0 to 2^64 - 1.
    offset : array_like of integers, shape (...)
        Offsets, 0 to 2^64 - 1: each is a counter of its own. Triton takes a 32-bit
        offset without its sign, so pass a negative one as uint32.
    rounds : int, optional
        Triton's ``n_rounds``, 1 to 16.

    Returns
    -------
    ndarray of uint32, shape (..., 4)
        The four results along the last axis (Triton returns them as int32).
        ``tl.randint`` returns the first alone.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range.

    See Also
    --------
    triton_uniform : Triton's conversion to float32.

    References
    ----------
    Triton, python/triton/language/random.py.

    Examples
    --------
    >>> from refnum.random import triton_uniform
    >>> words = triton_randint4x(42, [0, 1])
    >>> triton_uniform(words[:, 0])  # tl.rand(42, offset)
    array([0.77408016, 0.0245627 ], dtype=float32)
    """
    low = as_uint64(offset, "offset")
    return philox4x32(counters(low, np.zeros_like(low)), key_of(seed), rounds)


def _below(values: npt.ArrayLike, name: str, limit: int) -> npt.NDArray[np.uint64]:
    array = as_uint64(values, name)
    if array.size and int(array.max()) >= limit:
        raise ValueError(f"{name} must be below {limit}, not {array.max()}")
    return array
