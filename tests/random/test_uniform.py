"""Uniform numbers against float64, in which every product and sum here is exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from refnum.random import (
    at_philox_uniform,
    curand_uniform,
    torch_uniform,
    triton_uniform,
)

CONVERSIONS = [at_philox_uniform, curand_uniform, torch_uniform, triton_uniform]
# The literal of PyTorch and Triton, to float32 as their compilers take it.
SCALE = float(np.float32(4.6566127342e-10))

WORDS = arrays(np.uint32, st.integers(0, 20), elements=st.integers(0, 2**32 - 1))
ENDS = np.arange(2**12, dtype=np.uint32)
AROUND_POWERS = (2 ** np.arange(33)[:, None] + np.arange(-300, 300)).clip(0, 2**32 - 1)
EDGES = np.concatenate([ENDS, ~ENDS, AROUND_POWERS.ravel().astype(np.uint32)])


def exactly(function, word):
    """Convert one word, an int, with one rounding after each step that may need one."""
    signed = word - (word >> 31 << 32)
    if function is at_philox_uniform:
        return np.float32(float(np.float32(word % 2**31)) * SCALE)
    if function is triton_uniform:
        return np.float32(float(np.float32(max(signed, -signed - 1))) * SCALE)
    value = np.float32(float(np.float32(word)) * 2.0**-32 + 2.0**-33)
    return np.float32(0) if function is torch_uniform and value == 1 else value


@pytest.mark.parametrize("function", CONVERSIONS)
@given(WORDS)
def test_equals_float64(function, words):
    expected = [exactly(function, int(word)) for word in words]
    values = function(words)
    assert values.dtype == np.float32
    assert values.tolist() == expected


@pytest.mark.parametrize("function", CONVERSIONS)
def test_equals_float64_at_the_edges(function):
    expected = [exactly(function, int(word)) for word in EDGES]
    np.testing.assert_array_equal(function(EDGES), expected)


@pytest.mark.parametrize(
    ("function", "least", "greatest"),
    [
        (at_philox_uniform, 0, 1 - 2**-24),
        (triton_uniform, 0, 1 - 2**-24),
        (curand_uniform, 2**-33, 1),
        (torch_uniform, 0, 1 - 2**-24),
    ],
)
def test_ends_of_the_interval(function, least, greatest):
    values = function(EDGES)
    assert values.min() == least
    assert values.max() == greatest


@given(WORDS)
def test_symmetries(words):
    """One library drops the sign bit, the other folds the words by inversion."""
    flipped = words ^ np.uint32(1 << 31)
    assert np.array_equal(at_philox_uniform(flipped), at_philox_uniform(words))
    assert np.array_equal(triton_uniform(~words), triton_uniform(words))


@pytest.mark.parametrize("function", CONVERSIONS)
def test_shapes(function):
    assert function(5).shape == ()
    assert isinstance(function(5), np.ndarray)
    assert function([[1, 2], [3, 4]]).shape == (2, 2)
    assert function([]).shape == (0,)
    assert function([]).dtype == np.float32


@pytest.mark.parametrize("function", CONVERSIONS)
@pytest.mark.parametrize(
    ("words", "error"),
    [(-1, ValueError), (2**32, ValueError), (0.5, TypeError), (np.nan, TypeError)],
)
def test_bad_words(function, words, error):
    with pytest.raises(error, match="words must be"):
        function(words)
