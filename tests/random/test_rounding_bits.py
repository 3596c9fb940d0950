"""Each layout of rounding bits, spelled out on the written binary digits of a word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from refnum.formats import format
from refnum.random import (
    AMD_SEED_BITS,
    amd_top_of_seed,
    low_bits,
    ptx_rs_bf16x2,
    ptx_rs_e2m1x4,
    ptx_rs_e4m3x4,
    ptx_rs_f16x2,
    transformer_engine_bytes,
)

WORDS = arrays(np.uint32, array_shapes(max_side=4), elements=st.integers(0, 2**32 - 1))
EVERY_HALF = np.arange(2**16, dtype=np.uint32)


def field(digits, high, low):
    """Return bits `high` to `low` of a word written as 32 binary digits."""
    return digits[31 - high : 32 - low]


def e4m3x4(word):
    ab, ef = field(word, 31, 16), field(word, 15, 0)
    return {"a": ab[::-1], "b": ab, "e": ef[::-1], "f": ef}


def e2m1x4(word):
    ab = field(word, 31, 24) + field(word, 15, 8)
    ef = field(word, 23, 16) + field(word, 7, 0)
    return {"a": ab[::-1], "b": ab, "e": ef[::-1], "f": ef}


def f16x2(word):
    return {"a": field(word, 28, 16), "b": field(word, 12, 0)}


def bf16x2(word):
    return {"a": field(word, 31, 16), "b": field(word, 15, 0)}


def te_bytes(word):
    """Elements 3, 2, 1, 0 in the order of the digits."""
    return {i: field(word, 8 * i + 7, 8 * i) for i in (3, 2, 1, 0)}


SHARED = [
    (ptx_rs_e4m3x4, e4m3x4, np.uint16),
    (ptx_rs_e2m1x4, e2m1x4, np.uint16),
    (ptx_rs_f16x2, f16x2, np.uint16),
    (ptx_rs_bf16x2, bf16x2, np.uint16),
    (transformer_engine_bytes, te_bytes, np.uint8),
]


@pytest.mark.parametrize(("function", "spelled", "dtype"), SHARED)
@given(words=WORDS)
def test_shared_words(function, spelled, dtype, words):
    rows = []
    for word in words.reshape(-1):
        elements = spelled(f"{word:032b}").values()  # a first: the high end first
        rows.append([int(digits, 2) for digits in reversed(elements)])
    bits = function(words)
    assert bits.dtype == dtype
    assert bits.shape == (*words.shape[:-1], words.shape[-1] * len(rows[0]))
    assert bits.tolist() == np.reshape(rows, bits.shape).tolist()


@pytest.mark.parametrize("target", AMD_SEED_BITS)
@given(words=WORDS)
def test_amd_takes_the_top(target, words):
    count = AMD_SEED_BITS[target]
    expected = [int(f"{word:032b}"[:count], 2) for word in words.reshape(-1)]
    bits = amd_top_of_seed(words, target)
    assert bits.dtype == np.uint32
    assert bits.tolist() == np.reshape(expected, words.shape).tolist()


@pytest.mark.parametrize("target", AMD_SEED_BITS)
def test_amd_uses_as_many_bits_as_are_discarded(target):
    assert AMD_SEED_BITS[target] == 23 - format(target).mantissa_bits


@given(WORDS, st.integers(1, 32))
def test_low_bits(words, count):
    expected = [int(f"{word:032b}"[-count:], 2) for word in words.reshape(-1)]
    bits = low_bits(words, count)
    assert bits.dtype == np.uint32
    assert bits.tolist() == np.reshape(expected, words.shape).tolist()


def test_reversal_is_its_own_inverse():
    straight, reversed_ = ptx_rs_e4m3x4(EVERY_HALF).reshape(-1, 4)[:, :2].T
    assert np.array_equal(straight, EVERY_HALF)
    again = ptx_rs_e4m3x4(reversed_.astype(np.uint32)).reshape(-1, 4)[:, 1]
    assert np.array_equal(again, EVERY_HALF)


def test_reversal_is_fair():
    """Over all words, a reversed element meets every number equally often."""
    for function in (ptx_rs_e4m3x4, ptx_rs_e2m1x4):
        spread = EVERY_HALF if function is ptx_rs_e4m3x4 else _bytes_0_and_2(EVERY_HALF)
        e = function(spread).reshape(-1, 4)[:, 1]
        assert np.array_equal(np.sort(e), EVERY_HALF)


def _bytes_0_and_2(halves):
    return (halves & 0xFF) | (halves >> 8 << 16)


@given(WORDS)
def test_straight_elements_hold_the_whole_word(words):
    f, _, b, _ = np.moveaxis(ptx_rs_e4m3x4(words).reshape(*words.shape, 4), -1, 0)
    assert np.array_equal(b.astype(np.uint32) << 16 | f, words)
    halves = ptx_rs_bf16x2(words).reshape(*words.shape, 2)
    assert np.array_equal(halves, np.stack([f, b], axis=-1))


def test_variants_differ_in_bits():
    """Hardware and its software stand-in round one element by different bits."""
    words = [0x3322_1100]
    hardware, software = ptx_rs_e2m1x4(words), transformer_engine_bytes(words)
    assert hardware.tolist() == [0x2200, 0x0044, 0x3311, 0x88CC]
    assert software.tolist() == [0x00, 0x11, 0x22, 0x33]


@pytest.mark.parametrize(("function", "spelled", "dtype"), SHARED)
def test_shared_words_of_any_layout(function, spelled, dtype):
    words = np.arange(24, dtype=np.uint32).reshape(4, 6) * np.uint32(0x9E3779B9)
    expected = function(words[:, ::2].copy())
    assert np.array_equal(function(words[:, ::2]), expected)
    big_endian = words[:, ::2].astype(">u4")
    assert np.array_equal(function(big_endian), expected)
    assert not np.shares_memory(function(words), words)
    per_word = len(spelled("0" * 32))
    assert function([]).shape == (0,)
    assert function([]).dtype == dtype
    assert function(np.zeros((3, 0), np.uint32)).shape == (3, 0)
    assert function(np.zeros((0, 2), np.uint32)).shape == (0, 2 * per_word)


@pytest.mark.parametrize(("function", "spelled", "dtype"), SHARED)
@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([-1], ValueError, "words must be from 0"),
        ([2**32], ValueError, "words must be from 0"),
        ([0.5], TypeError, "words must be integers"),
        ([np.nan], TypeError, "words must be integers"),
        (7, ValueError, "words must have at least one axis"),
    ],
)
def test_bad_words(function, spelled, dtype, words, error, message):
    with pytest.raises(error, match=message):
        function(words)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: low_bits(1, 0), ValueError, "bits must be from 1 to 32, not 0"),
        (lambda: low_bits(1, 33), ValueError, "bits must be from 1 to 32, not 33"),
        (lambda: low_bits(1, 8.0), TypeError, "bits must be an integer"),
        (lambda: low_bits(-1, 8), ValueError, "words must be from 0"),
        (lambda: amd_top_of_seed(1, "e8m0"), ValueError, "one of e2m1, .* not 'e8m0'"),
        (lambda: amd_top_of_seed(0.5, "e2m1"), TypeError, "words must be integers"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
