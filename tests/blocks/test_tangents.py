"""Codes by tangents are those of the codec."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding
from refnum.blocks.tangents import Workspace, encode_scaled, tangents_of

from ._inputs import assert_same

ELEMENTS = [rn.E2M1, rn.E2M3, rn.E1M2]
DITHERS = [
    Cast(rounding, random_bits=bits)
    for rounding in (Rounding.STOCHASTIC_A, Rounding.STOCHASTIC_B)
    for bits in (1, 8, 9, 16, 22)
]
DITHERS += [
    Cast(Rounding.STOCHASTIC_A, random_bits=24),
    Cast(Rounding.STOCHASTIC_B, random_bits=23),
]


def codes(y, fmt, cast, random=None):
    tangents = tangents_of(fmt, cast)
    work = Workspace(y.size + 3, tangents.largest)
    out = np.empty(y.size, np.uint8)
    encode_scaled(y.copy(), random, tangents, work, out)
    return out


def hard_values(fmt, limit):
    """All values, midpoints and quarters below the limit with their neighbours."""
    finest = fmt.smallest_subnormal / 4
    steps = np.arange(int(limit / finest) + 1) * np.float32(finest)
    bits = steps.astype(np.float32).view(np.uint32)
    near = (bits[:, None] + np.arange(-2, 3)[None]).reshape(-1) & 0x7FFFFFFF
    rng = np.random.default_rng(0)
    some = rng.integers(np.float32(limit).view(np.uint32), size=100_000)
    values = np.concatenate([near, some]).astype(np.uint32).view(np.float32)
    values = values[values < limit]
    return np.concatenate([values, -values])


@pytest.mark.parametrize("fmt", ELEMENTS, ids=str)
def test_nearest(fmt):
    y = hard_values(fmt, tangents_of(fmt, Cast()).limit)
    assert_same(codes(y, fmt, Cast()), rn.encode(y, fmt), f"{fmt}")


@pytest.mark.parametrize("cast", DITHERS, ids=str)
@pytest.mark.parametrize("fmt", ELEMENTS, ids=str)
def test_stochastic(fmt, cast):
    y = hard_values(fmt, tangents_of(fmt, cast).limit)
    top = 1 << cast.random_bits
    rng = np.random.default_rng(1)
    for random in (
        np.zeros(y.size, np.uint32),
        np.full(y.size, top - 1, np.uint32),
        rng.integers(top, size=y.size, dtype=np.uint32),
    ):
        want = rn.encode(y, fmt, cast, random=random)
        assert_same(codes(y, fmt, cast, random), want, f"{fmt} {cast}")


def test_lengths():
    """Buffers of whole words serve any length."""
    y = np.linspace(-7, 7, 29, dtype=np.float32)
    for size in range(1, y.size):
        some = y[-size:]
        assert_same(codes(some, rn.E2M1, Cast()), rn.encode(some, rn.E2M1), f"{size}")


@pytest.mark.parametrize("fmt", [rn.E4M3, rn.E3M2, rn.INT8, rn.UE4M3, rn.FP16], ids=str)
def test_other_formats(fmt):
    assert tangents_of(fmt, Cast()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"rounding": Rounding.NEAREST_AWAY},
        {"rounding": Rounding.TOWARD_ZERO},
        {"rounding": Rounding.STOCHASTIC_C, "random_bits": 8},
        {"rounding": Rounding.STOCHASTIC_A, "random_bits": 25},
        {"zero_sign": rn.formats.ZeroSign.POSITIVE},
        {"via": rn.BF16},
        {"saturation": rn.formats.Saturation.NONE},
    ],
)
def test_other_casts(fields):
    assert tangents_of(rn.E2M1, replace(Cast(), **fields)) is None


@pytest.mark.parametrize("rounding", [Rounding.NEAREST_EVEN, Rounding.STOCHASTIC_A])
@pytest.mark.parametrize("encoded", [True, False], ids=["codes", "values"])
def test_values_far_beyond_saturate(rounding, encoded):
    """A block whose scale is zero has a factor as great as can be."""
    bits = 8 if rounding.is_stochastic else None
    cast = Cast(rounding, random_bits=bits)
    fmt = replace(rn.NVFP4, element_cast=cast)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 64)).astype(np.float32)
    x[:, 16:32] *= np.float32(1e-9)
    x[0, 0] = 1e4
    random = None if bits is None else rng.integers(256, size=x.shape, dtype=np.uint8)
    q = rn.quantize(x, fmt, random=random)
    assert not q.scales[:, 1].any()
    factor = np.finfo(np.float32).max
    some = None if random is None else random[:, 16:32]
    expected = rn.encode(x[:, 16:32] * factor, rn.E2M1, cast, random=some)
    if encoded:
        assert np.array_equal(q.codes[:, 16:32], expected)
        assert set(np.unique(expected & 7)) == {7}
    else:
        values = rn.blocks.fake_quantize(x, fmt, random=random)
        assert np.array_equal(values, rn.dequantize(q))
