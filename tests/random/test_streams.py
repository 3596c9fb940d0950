"""Counter layouts against a generator that steps through 128-bit Python integers."""

from itertools import count, islice

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refnum.random import (
    at_philox_words,
    curand_words,
    philox4x32_definition,
    torch_cuda_increment,
    torch_cuda_words,
    transformer_engine_sequence,
    transformer_engine_words,
    triton_randint4x,
)

HIGHEST = 2**64 - 1
UINT64 = st.integers(0, HIGHEST)
COUNT = st.integers(0, 13)
BLOCK_LAYOUTS = [at_philox_words, transformer_engine_words]


def engine(seed, counter, rounds=10):
    """Yield the words of `counter`, `counter` + 1, ... modulo 2^128."""
    key = seed & 0xFFFFFFFF, seed >> 32
    for block in count(counter):
        words = tuple(block >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))
        yield from philox4x32_definition(words, key, rounds)


@given(UINT64, UINT64, UINT64, COUNT)
@example(HIGHEST, HIGHEST, HIGHEST, 13)
def test_curand_counts_words(seed, subsequence, offset, n):
    first_block, skipped = divmod(offset, 4)
    words = engine(seed, subsequence << 64 | first_block)
    expected = list(islice(words, skipped, skipped + n))
    assert curand_words(seed, subsequence, offset, count=n).tolist() == expected


@pytest.mark.parametrize("skip", range(9))
def test_curand_skips_ahead(skip):
    whole = curand_words(7, [3, 4], 2**34 - 5, count=30)
    later = curand_words(7, [3, 4], 2**34 - 5 + skip, count=30 - skip)
    assert np.array_equal(later, whole[:, skip:])


@pytest.mark.parametrize("layout", BLOCK_LAYOUTS)
@given(UINT64, UINT64, UINT64, COUNT, st.integers(1, 16))
@example(1, 5, HIGHEST, 13, 10)  # the block index carries into the stream
@example(1, HIGHEST, HIGHEST, 13, 10)  # the whole counter starts again
def test_block_layouts_count_blocks(layout, seed, stream, offset, n, rounds):
    words = engine(seed, stream << 64 | offset, rounds)
    drawn = layout(seed, stream, offset, count=n, rounds=rounds)
    assert drawn.tolist() == list(islice(words, n))


def test_units_of_the_offset_differ():
    """The same number means words to cuRAND and blocks of four to the others."""
    curand = curand_words(42, 9, 4 * 5, count=8)
    for layout in BLOCK_LAYOUTS:
        assert np.array_equal(layout(42, 9, 5, count=8), curand)
        assert not np.array_equal(layout(42, 9, 20, count=8), curand)


@pytest.mark.parametrize("layout", [curand_words, *BLOCK_LAYOUTS])
def test_an_array_of_streams_gives_a_row_each(layout):
    streams = np.arange(6).reshape(2, 3)
    words = layout(42, streams, 3, count=5)
    assert words.shape == (2, 3, 5)
    assert words.dtype == np.uint32
    for at, stream in np.ndenumerate(streams):
        assert np.array_equal(words[at], layout(42, int(stream), 3, count=5))
    assert layout(42, [], count=5).shape == (0, 5)


@given(UINT64, UINT64, st.integers(1, 16))
@example(42, 1, 10)
def test_triton_offset_is_the_counter(seed, offset, rounds):
    expected = list(islice(engine(seed, offset, rounds), 4))
    assert triton_randint4x(seed, offset, rounds).tolist() == expected


def test_triton_keeps_the_shape_of_offsets():
    assert triton_randint4x(0, np.zeros((2, 3), np.int64)).shape == (2, 3, 4)
    assert triton_randint4x(0, []).shape == (0, 4)


def torch_elements(seed, size, offset, multiprocessors):
    """Fill a tensor as a grid-stride loop over one GPU's threads does."""
    threads = 256 * min(multiprocessors * 8, -(-size // 256))
    tensor = [None] * size
    for thread in range(threads):
        words = islice(engine(seed, thread << 64 | offset // 4), None)
        for start in range(thread, size, 4 * threads):
            for element in range(start, start + 4 * threads, threads):
                word = next(words)
                if element < size:
                    tensor[element] = word
    return tensor


@pytest.mark.parametrize("size", [1, 255, 257, 2048, 2049, 8192, 8193, 9000])
def test_torch_strides_over_the_tensor(size):
    words = torch_cuda_words(42, size, 8, multiprocessors=1)
    assert words.tolist() == torch_elements(42, size, 8, 1)


@pytest.mark.parametrize(
    ("size", "increment"), [(0, 0), (1, 4), (8192, 4), (8193, 8), (16385, 12)]
)
def test_torch_increment_covers_the_draws(size, increment):
    assert torch_cuda_increment(size, multiprocessors=1) == increment


def test_torch_order_depends_on_the_gpu_only_where_it_is_full():
    small, large = 8 * 256, 8 * 256 + 1
    one, two = ({"multiprocessors": n} for n in (1, 2))
    assert np.array_equal(
        torch_cuda_words(1, small, **one), torch_cuda_words(1, small, **two)
    )
    assert not np.array_equal(
        torch_cuda_words(1, large, **one), torch_cuda_words(1, large, **two)
    )
    assert torch_cuda_words(1, 0).shape == (0,)


def test_transformer_engine_sequence_numbers_each_thread_once():
    thread, x, y = np.ogrid[:32, :5, :3]
    sequence = transformer_engine_sequence(thread, x, y, threads=32, grid_x=5)
    assert sequence.shape == (32, 5, 3)
    assert sequence.dtype == np.uint64
    assert sorted(sequence.flat) == list(range(32 * 5 * 3))
    for t, i, j in [(0, 0, 0), (31, 0, 0), (7, 4, 0), (3, 1, 2)]:
        assert sequence[t, i, j] == t + 32 * i + 32 * 5 * j


VALID = {
    curand_words: {"seed": 0, "count": 4},
    at_philox_words: {"seed": 0, "count": 4},
    transformer_engine_words: {"seed": 0, "count": 4},
    triton_randint4x: {"seed": 0, "offset": 0},
    torch_cuda_words: {"seed": 0, "size": 8},
    torch_cuda_increment: {"size": 8},
    transformer_engine_sequence: {
        "thread": 0,
        "block_x": 0,
        "block_y": 0,
        "threads": 128,
        "grid_x": 8,
    },
}


@pytest.mark.parametrize(
    ("function", "name", "wrong", "error"),
    [
        (curand_words, "seed", -1, ValueError),
        (curand_words, "seed", 2**64, ValueError),
        (curand_words, "seed", 0.5, TypeError),
        (curand_words, "seed", [0], TypeError),
        (curand_words, "subsequence", -1, ValueError),
        (curand_words, "subsequence", 2**64, ValueError),
        (curand_words, "subsequence", 0.0, TypeError),
        (curand_words, "offset", -1, ValueError),
        (curand_words, "offset", 2**64, ValueError),
        (curand_words, "count", -1, ValueError),
        (curand_words, "count", 1.0, TypeError),
        (at_philox_words, "rounds", 0, ValueError),
        (at_philox_words, "offset", "1", TypeError),
        (transformer_engine_words, "sequence", -1, ValueError),
        (transformer_engine_words, "rounds", 17, ValueError),
        (triton_randint4x, "offset", -1, ValueError),
        (triton_randint4x, "offset", 2**64, ValueError),
        (triton_randint4x, "offset", np.nan, TypeError),
        (torch_cuda_words, "size", -1, ValueError),
        (torch_cuda_words, "size", 2**29 + 1, ValueError),
        (torch_cuda_words, "offset", 3, ValueError),
        (torch_cuda_words, "multiprocessors", 0, ValueError),
        (torch_cuda_increment, "threads_per_multiprocessor", 255, ValueError),
        (transformer_engine_sequence, "thread", 128, ValueError),
        (transformer_engine_sequence, "block_x", [0, 8], ValueError),
        (transformer_engine_sequence, "block_y", 2**16, ValueError),
        (transformer_engine_sequence, "threads", 1025, ValueError),
        (transformer_engine_sequence, "grid_x", 0, ValueError),
    ],
)
def test_a_wrong_argument_is_named(function, name, wrong, error):
    function(**VALID[function])
    with pytest.raises(error, match=f"^{name} must be "):
        function(**{**VALID[function], name: wrong})
