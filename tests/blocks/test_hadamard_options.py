"""Signs, inverses and output formats of Hadamard rotations."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnum as rn
from refnum.blocks.hadamard import hadamard
from refnum.blocks.signs import hadamard_signs, random_signs

from ._rotations import (
    SIZES,
    bits,
    butterflies_by_definition,
    by_definition,
    isqrt_sticky,
    sign,
    wild,
)


@pytest.mark.parametrize("signs_first", [True, False])
@pytest.mark.parametrize("size", [2, 16, 64])
def test_signs(size, signs_first):
    x, signs = wild(size, seed=3, spread=70), random_signs(size, seed=size)
    order = "signs_first" if signs_first else "signs_last"
    expected = by_definition(x, size, signs, signs_first)
    assert np.array_equal(
        bits(hadamard(x, size, signs=signs, order=order)), bits(expected)
    )
    butterfly = hadamard(x, size, signs=signs, order=order, arithmetic="butterfly")
    if signs_first:
        assert np.array_equal(butterfly, butterflies_by_definition(x * signs, size))
    else:
        assert np.array_equal(butterfly, butterflies_by_definition(x, size) * signs)


@pytest.mark.parametrize("arithmetic", ["exact", "butterfly", "sequential"])
@pytest.mark.parametrize("order", ["signs_first", "signs_last"])
@pytest.mark.parametrize("size", [4, 16, 64, 256, 1024])
def test_the_inverse_recovers_small_integers(size, order, arithmetic):
    rng = np.random.default_rng(size)
    x = rng.integers(-100, 101, (3, size)).astype(np.float32)
    options = {
        "signs": random_signs(size, seed=1),
        "order": order,
        "arithmetic": arithmetic,
    }
    y = hadamard(x, size, **options)
    assert np.array_equal(hadamard(y, size, inverse=True, **options), x)


@pytest.mark.parametrize("size", [16, 32, 128])
@pytest.mark.parametrize("spread", [0, 60])
@pytest.mark.parametrize("target", [rn.BF16, rn.FP16, rn.E4M3])
def test_output_is_rounded_once_from_the_exact_value(size, spread, target):
    x = wild(8 * size, seed=11, spread=spread)
    x[: 4 * size] = rn.round_to(x[: 4 * size], rn.BF16)
    got = hadamard(x, size, output=target).reshape(-1, size)
    for run, result in zip(x.reshape(-1, size), got, strict=True):
        for column in range(0, size, 5):
            terms = enumerate(run.tolist())
            total = sum(Fraction(v) * sign(row, column) for row, v in terms)
            # sqrt(total^2 / size) to 200 bits and a sticky bit, exactly
            square = total * total / size * 4**200
            root = Fraction(isqrt_sticky(square), 2**202)
            root = -root if total < 0 else root
            expected = rn.formats.exact.encode(root, target)
            assert rn.encode(result[column], target) == expected


def test_one_rounding_to_bf16_is_not_two():
    x = np.zeros(16, np.float32)
    x[:3] = 4 * (1 + 2**-8), 2**-28, 0  # just above a midpoint of two bf16
    assert hadamard(x, 16, output=rn.BF16)[0] == 1 + 2**-7
    assert hadamard(x, 16)[0] == 1 + 2**-8


@pytest.mark.parametrize("order", ["signs_first", "signs_last"])
def test_a_sum_of_zero_is_positive(order):
    signs = hadamard_signs()
    for x in (np.zeros(16), -np.zeros(16), np.tile([1, -1], 8)):
        y = hadamard(x, 16, signs=signs, order=order)
        assert not np.signbit(y[y == 0]).any()


def test_transformer_engines_signs():
    assert sum(1 << i for i, s in enumerate(hadamard_signs()) if s < 0) == 0xD7E8


@given(st.sampled_from(SIZES), st.integers(0, 2**64 - 1))
def test_random_signs_are_bits_of_philox(size, seed):
    signs = random_signs(size, seed)
    counters = [[i, 0, 0, 0] for i in range(8)]
    words = rn.random.philox.philox4x32(counters, [seed % 2**32, seed >> 32]).ravel()
    expected = [-1 if int(words[i // 32]) >> i % 32 & 1 else 1 for i in range(size)]
    assert signs.tolist() == expected
    assert np.array_equal(random_signs(size, words=words), signs)
