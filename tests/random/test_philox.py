"""Philox4x32: Random123's known answers, and the fast path against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from refnum.random import philox4x32, philox4x32_definition
from refnum.random.philox import _CHUNK

WORD = st.integers(0, 2**32 - 1)
COUNTER = st.tuples(WORD, WORD, WORD, WORD)
KEY = st.tuples(WORD, WORD)
ROUNDS = st.integers(1, 16)

# Random123, tests/kat_vectors: counter and key together.
ZEROS = "00000000 00000000 00000000 00000000 00000000 00000000"
ONES = "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff"
PI = "243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0"
KNOWN_ANSWERS = [
    (10, ZEROS, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (10, ONES, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (10, PI, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    (7, ZEROS, "5f6fb709 0d893f64 4f121f81 4f730a48"),
    (7, ONES, "5207ddc2 45165e59 4d8ee751 8c52f662"),
    (7, PI, "4dfccaba 190a87f0 c47362ba b6b5242a"),
]


def words(text):
    return tuple(int(word, 16) for word in text.split())


def some_words(*shape):
    return np.random.default_rng(1).integers(0, 2**32, shape, np.uint32)


@pytest.mark.parametrize(("rounds", "given_words", "expected"), KNOWN_ANSWERS)
def test_known_answers(rounds, given_words, expected):
    counter, key = words(given_words)[:4], words(given_words)[4:]
    assert philox4x32_definition(counter, key, rounds) == words(expected)
    assert tuple(philox4x32(counter, key, rounds)) == words(expected)


@given(COUNTER, KEY, ROUNDS)
def test_equals_definition(counter, key, rounds):
    expected = philox4x32_definition(counter, key, rounds)
    assert tuple(philox4x32(counter, key, rounds)) == expected


@pytest.mark.parametrize("keys", [1, 2 * _CHUNK + 1])
@pytest.mark.parametrize("count", [_CHUNK - 1, _CHUNK, _CHUNK + 1, 2 * _CHUNK + 1])
def test_equals_definition_where_chunks_meet(count, keys):
    counters, key = some_words(count, 4), some_words(keys, 2)[:count]
    blocks = philox4x32(counters, key)
    near = {0, 1, _CHUNK - 1, _CHUNK, _CHUNK + 1, 2 * _CHUNK - 1, 2 * _CHUNK, count - 1}
    for row in near & set(range(count)):
        counter = tuple(map(int, counters[row]))
        expected = philox4x32_definition(counter, tuple(map(int, key[row % len(key)])))
        assert tuple(blocks[row]) == expected


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), ROUNDS)
def test_broadcasts_leading_axes(shapes, rounds):
    counter_shape, key_shape = shapes.input_shapes
    counters, keys = some_words(*counter_shape, 4), some_words(*key_shape, 2)
    blocks = philox4x32(counters, keys, rounds)
    assert blocks.dtype == np.uint32
    assert blocks.shape == (*shapes.result_shape, 4)
    all_counters = np.broadcast_to(counters, (*shapes.result_shape, 4))
    all_keys = np.broadcast_to(keys, (*shapes.result_shape, 2))
    for at in np.ndindex(shapes.result_shape):
        arguments = tuple(map(int, all_counters[at])), tuple(map(int, all_keys[at]))
        assert tuple(blocks[at]) == philox4x32_definition(*arguments, rounds)


def test_accepts_any_layout_and_integer_type():
    counters, keys = some_words(5, 4), some_words(5, 2)
    expected = philox4x32(counters, keys)
    for change in (np.asfortranarray, lambda a: a.astype(np.int64), np.ndarray.tolist):
        assert np.array_equal(philox4x32(change(counters), change(keys)), expected)
    reverse = philox4x32(counters[::-1], keys[::-1])
    assert np.array_equal(reverse[::-1], expected)


def test_leaves_its_input_alone():
    counters, keys = some_words(9, 4), some_words(9, 2)
    counters.flags.writeable = keys.flags.writeable = False
    before = counters.copy(), keys.copy()
    blocks = philox4x32(counters, keys, 1)
    assert np.array_equal(counters, before[0])
    assert np.array_equal(keys, before[1])
    assert not np.shares_memory(blocks, counters)


def test_distinct_counters_give_distinct_blocks():
    """Under one key every round can be undone, so no two counters meet."""
    counters = np.zeros((2**16, 4), np.uint32)
    for column in range(4):
        counters[:, column] = np.arange(2**16) >> (4 * column) & 15
    for rounds in (1, 2, 10):
        blocks = philox4x32(counters, [1, 2], rounds)
        assert len(np.unique(blocks.view("V16"))) == 2**16


@pytest.mark.parametrize("shape", [(0, 4), (3, 0, 4)])
def test_no_counters_give_no_blocks(shape):
    assert philox4x32(np.zeros(shape, np.uint32), [0, 0]).shape == shape
    assert philox4x32(np.zeros(shape), [0, 0]).dtype == np.uint32


FOUR, TWO = [0, 0, 0, 0], [0, 0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.0] * 4, TWO), TypeError, "counter must be integers, not float64"),
        (([True] * 4, TWO), TypeError, "counter must be integers, not bool"),
        ((FOUR, ["0", "1"]), TypeError, "key must be integers"),
        ((FOUR, None), TypeError, "key must be integers, not object"),
        (([0, 0, -1, 0], TWO), ValueError, "counter must be from 0 .* not -1"),
        ((FOUR, [0, 2**32]), ValueError, "key must be from 0 to 0xffffffff, not 429"),
        ((FOUR, [0, 2**64]), ValueError, "key must be from 0 to 0xffffffff, not 184"),
        (([0, 0, 0], TWO), ValueError, r"counter must have 4 words .* \(3,\)"),
        ((0, TWO), ValueError, r"counter must have 4 words .* \(\)"),
        (([], TWO), ValueError, r"counter must have 4 words .* \(0,\)"),
        ((FOUR, FOUR), ValueError, r"key must have 2 words .* \(4,\)"),
        ((some_words(3, 4), some_words(2, 2)), ValueError, "do not broadcast"),
        ((FOUR, TWO, 0), ValueError, "rounds must be from 1 to 16, not 0"),
        ((FOUR, TWO, 17), ValueError, "rounds must be from 1 to 16, not 17"),
        ((FOUR, TWO, 10.0), TypeError, "rounds must be an integer, not 10.0"),
        ((FOUR, TWO, True), TypeError, "rounds must be an integer, not True"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        philox4x32(*arguments)
