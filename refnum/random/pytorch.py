"""The words that PyTorch draws: for tensors on CUDA, and by its C++ class.

Vocabulary: a CUDA kernel of T threads *strides* over a tensor; thread t draws from
stream t of the generator, whose *offset* counts 32-bit words.
"""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import in_range
from refnum.random._counters import UINT64_MAX, block_words
from refnum.random.streams import curand_words

__all__ = ["at_philox_words", "torch_cuda_increment", "torch_cuda_words"]

_THREADS_PER_BLOCK = 256
_UNROLL = 4  # words that a thread draws at once
_MOST_ELEMENTS = 2**29  # more are cut into several launches


def torch_cuda_words(
    seed: SupportsIndex,
    size: SupportsIndex,
    offset: SupportsIndex = 0,
    *,
    multiprocessors: SupportsIndex = 132,
    threads_per_multiprocessor: SupportsIndex = 2048,
) -> npt.NDArray[np.uint32]:
    """Draw the word behind each element of a random float32 tensor of PyTorch on CUDA.

    Thread t draws from stream t. With T threads, its first block serves the elements
    t, t + T, t + 2T, t + 3T, its second block the elements from 4T on, and so forth.

    Parameters
    ----------
    seed : int
        Argument of ``torch.manual_seed``, 0 to 2^64 - 1.
    size : int
        Number of elements, at most 2^29 (PyTorch cuts larger float32 tensors into
        several launches, which this function does not follow).
    offset : int, optional
        State of the generator in 32-bit words, a multiple of 4: zero after seeding,
        and `torch_cuda_increment` more after each tensor.
    multiprocessors : int, optional
        Multiprocessors of the GPU. They bound T, and so decide the order of the
        words in large tensors. The default is the H100 SXM's.
    threads_per_multiprocessor : int, optional
        Threads that a multiprocessor can hold; 2048 on data-centre GPUs.

    Returns
    -------
    ndarray of uint32, shape (size,)
        One word an element, in memory order.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range, or `offset` is no multiple of 4.

    See Also
    --------
    torch_uniform : The values of ``torch.rand`` from these words.

    References
    ----------
    PyTorch, aten/src/ATen/native/cuda/DistributionTemplates.h:
    ``calc_execution_policy``, ``distribution_elementwise_grid_stride_kernel``.

    Examples
    --------
    >>> from refnum.random import torch_uniform
    >>> torch_uniform(torch_cuda_words(42, 2))
    array([0.61295986, 0.01005884], dtype=float32)
    """
    elements = _as_size(size)
    start = in_range(offset, "offset", 0, UINT64_MAX)
    if start % 4:
        raise ValueError(f"offset must be a multiple of 4, not {start}")
    threads = _threads(elements, multiprocessors, threads_per_multiprocessor)
    drawn = _draws(elements, threads)
    streams = np.arange(threads, dtype=np.uint64)
    words = curand_words(seed, streams, start, count=drawn)
    # Word d of thread t serves element d * threads + t; those past the end, none.
    return words.T.reshape(-1)[:elements]


def torch_cuda_increment(
    size: SupportsIndex,
    *,
    multiprocessors: SupportsIndex = 132,
    threads_per_multiprocessor: SupportsIndex = 2048,
) -> int:
    """Return by how much a random tensor advances PyTorch's CUDA generator.

    Parameters
    ----------
    size, multiprocessors, threads_per_multiprocessor : int
        As for `torch_cuda_words`.

    Returns
    -------
    int
        32-bit words to add to the generator's offset, a multiple of 4.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> torch_cuda_increment(4096), torch_cuda_increment(2**22)
    (4, 16)
    """
    elements = _as_size(size)
    threads = _threads(elements, multiprocessors, threads_per_multiprocessor)
    return _draws(elements, threads)


def at_philox_words(
    seed: SupportsIndex,
    subsequence: npt.ArrayLike = 0,
    offset: SupportsIndex = 0,
    *,
    count: SupportsIndex,
    rounds: SupportsIndex = 10,
) -> npt.NDArray[np.uint32]:
    """Draw words as PyTorch's C++ class ``at::Philox4_32``.

    Code that runs on the host or in custom kernels uses it; ``torch.rand`` on CPUs
    does not (its generator is a Mersenne Twister).

    Parameters
    ----------
    seed, subsequence, offset
        Arguments of the constructor, 0 to 2^64 - 1. `subsequence` may be an array of
        any shape (...): one stream an element. `offset` counts blocks of 128 bits.
    count : int
        Words to draw from each stream.
    rounds : int, optional
        Argument of the call operator, 1 to 16.

    Returns
    -------
    ndarray of uint32, shape (..., count)
        What `count` calls return.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is out of range.

    See Also
    --------
    at_philox_uniform : The class's conversion to float32.

    References
    ----------
    PyTorch, aten/src/ATen/core/PhiloxRNGEngine.h.

    Examples
    --------
    >>> at_philox_words(42, offset=1, count=2)
    array([4242219303, 1404726525], dtype=uint32)
    """
    return block_words(seed, subsequence, "subsequence", offset, count, rounds)


def _as_size(size: SupportsIndex) -> int:
    return in_range(size, "size", 0, _MOST_ELEMENTS)


def _threads(
    elements: int, multiprocessors: SupportsIndex, per_multiprocessor: SupportsIndex
) -> int:
    """One thread an element, as long as the GPU can hold them all at once."""
    resident = in_range(multiprocessors, "multiprocessors", 1, 2**16) * (
        in_range(per_multiprocessor, "threads_per_multiprocessor", 256, 2**16)
        // _THREADS_PER_BLOCK
    )
    blocks = -(-elements // _THREADS_PER_BLOCK)
    return min(resident, blocks) * _THREADS_PER_BLOCK


def _draws(elements: int, threads: int) -> int:
    """Return how many words each thread draws: whole blocks that cover all elements."""
    if elements == 0:
        return 0
    return -(-elements // (threads * _UNROLL)) * _UNROLL
