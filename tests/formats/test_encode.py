"""The codec against the definition: every format, rounding and saturation."""

import zlib

import numpy as np
import pytest

import refnum as rn
from refnum.formats import (
    Cast,
    MissingNaN,
    NaNChoice,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    SubnormalResults,
    ZeroSign,
)
from refnum.formats.arithmetic import encode_float64

from ._cases import (
    DETERMINISTIC,
    EVERY_BF16,
    EVERY_FP16,
    FP8_AND_FP4,
    STOCHASTIC,
    UP_TO_16_BITS,
    assert_same_codes,
    by_definition,
    hard_float32,
    hard_float64,
    landmarks,
    sample,
)


def seed_of(*parts):
    """A number of its own for each combination, the same in every run."""
    return zlib.crc32(repr([str(p) for p in parts]).encode())


def assert_codec_is_the_definition(x, fmt, cast, random=None):
    got = rn.encode(x, fmt, cast, random=random)
    assert_same_codes(got, by_definition(x, fmt, cast, random), x, f"{fmt} {cast}")


@pytest.mark.parametrize("saturation", Saturation)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_each_rounding_and_saturation(fmt, rounding, saturation):
    cast = Cast(rounding=rounding, saturation=saturation)
    seed = seed_of(fmt, rounding, saturation)
    assert_codec_is_the_definition(sample(hard_float64(fmt), 120, seed), fmt, cast)


@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_every_landmark_and_its_float64_neighbours(fmt):
    points = landmarks(fmt)
    near = [np.nextafter(points, 0), points, np.nextafter(points, np.inf)]
    for x in (np.concatenate(near), -points):
        assert_codec_is_the_definition(x, fmt, Cast())


@pytest.mark.parametrize("bits", [1, 7, 16, 32])
@pytest.mark.parametrize("rounding", STOCHASTIC)
@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_each_stochastic_rounding(fmt, rounding, bits):
    seed = seed_of(fmt, rounding, bits)
    x = sample(hard_float64(fmt), 60, seed)
    draw = np.random.default_rng(seed).integers(1 << bits, size=x.size, dtype=np.uint32)
    draw[:12:2], draw[1:12:2] = 0, (1 << bits) - 1
    for saturation in Saturation:
        cast = Cast(rounding=rounding, saturation=saturation, random_bits=bits)
        assert_codec_is_the_definition(x, fmt, cast, draw)


FIELDS = [
    *({"nan": c, "nan_sign": sign} for c in NaNChoice for sign in (False, True)),
    *({"missing_nan": c} for c in MissingNaN if c is not MissingNaN.ERROR),
    *({"negative": c, "saturation": s} for c in Negative for s in Saturation),
    *({"zero_sign": c} for c in ZeroSign),
    *({"subnormal_inputs": c} for c in SubnormalInputs),
    *({"subnormal_results": c} for c in SubnormalResults),
    *({"zero_is_nan": True, "zero_sign": c} for c in ZeroSign),
    {"power_ties_up": True},
    *({"overflow_at_max": True, "saturation": s} for s in Saturation),
    {"symmetric": True},
    *({"via": f} for f in (rn.FP32, rn.BF16, rn.FP16, rn.E5M2)),
]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_each_field_in_each_format(fields):
    for fmt in UP_TO_16_BITS:
        seed = seed_of(fmt, fields)
        rounding = (Rounding.NEAREST_EVEN, Rounding.TOWARD_POSITIVE)[seed % 2]
        x = sample(hard_float64(fmt), 30, seed)
        assert_codec_is_the_definition(x, fmt, Cast(rounding=rounding, **fields))


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("fmt", FP8_AND_FP4, ids=str)
def test_tables_agree_with_arithmetic_on_all_16_bit_inputs(fmt, rounding):
    for x in (EVERY_BF16, EVERY_FP16):
        cast = Cast(rounding=rounding).resolve(fmt)
        with np.errstate(invalid="ignore"):
            want = encode_float64(x.astype(np.float64), fmt, cast)
        assert_same_codes(rn.encode(x, fmt, cast), want, x)


@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_tables_agree_with_arithmetic_on_random_float32(fmt):
    x = hard_float32(fmt, random_patterns=1 << 20, seed=seed_of(fmt))
    for cast in (Cast(), Cast(saturation=Saturation.NONE, nan=NaNChoice.PAYLOAD)):
        cast = cast.resolve(fmt)
        with np.errstate(invalid="ignore"):
            wide = x.astype(np.float64)
        parts = [encode_float64(p, fmt, cast) for p in np.array_split(wide, 32)]
        assert_same_codes(rn.encode(x, fmt, cast), np.concatenate(parts), x)


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("fmt", [rn.E3M0, rn.UE8M0, rn.E4M3, rn.BF16], ids=str)
def test_tables_agree_with_arithmetic_below_and_above_every_bfloat16(fmt, rounding):
    # Codes and midpoints have at most 8 fraction bits: a float32 of 16 leading bits,
    # or the middle of two.
    rest = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    bits = np.add.outer(EVERY_BF16.view(np.uint32), rest).ravel()
    x, cast = bits.view(np.float32), Cast(rounding=rounding).resolve(fmt)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
    parts = [encode_float64(p, fmt, cast) for p in np.array_split(wide, 16)]
    assert_same_codes(rn.encode(x, fmt, cast), np.concatenate(parts), x)


def test_float64_never_rounds_twice():
    just_below = np.nextafter(-432.0, 0)
    assert just_below == -431.99999999999994
    assert rn.round_to(just_below, rn.E4M3) == -416
    assert rn.round_to(np.float32(just_below), rn.E4M3) == -448


@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_what_precedes_a_midpoint_goes_down(fmt):
    values = np.unique(fmt.values[fmt.values >= 0])
    values = values[np.isfinite(values)]
    middles = (values[1:] + values[:-1]) / 2
    for x, want in (
        (np.nextafter(middles, 0), values[:-1]),
        (np.nextafter(middles, np.inf), values[1:]),
    ):
        np.testing.assert_array_equal(rn.round_to(x, fmt), want)


def test_fp16_is_numpys():
    x = sample(hard_float64(rn.FP16), 20000, 0)
    x = x[~np.isnan(x)]
    with np.errstate(over="ignore", under="ignore"):
        assert_same_codes(rn.encode(x, "fp16"), x.astype(np.float16).view("u2"), x)
        y = x.astype(np.float32)
        assert_same_codes(rn.encode(y, "fp16"), y.astype(np.float16).view("u2"), y)


def test_fp32_is_numpys():
    x = np.random.default_rng(0).integers(1 << 63, size=1 << 16, dtype=np.uint64)
    x = np.concatenate([x << np.uint64(1), hard_float64(rn.BF16).view("u8")])
    x = x.view(np.float64)
    x = x[~np.isnan(x)]
    with np.errstate(over="ignore", under="ignore"):
        assert_same_codes(rn.encode(x, "fp32"), x.astype(np.float32).view("u4"), x)


def test_tf32_by_definition():
    x = np.random.default_rng(0).standard_normal(200) * 2.0 ** np.arange(-150, 50)
    assert_codec_is_the_definition(x, rn.TF32, Cast())
    assert_codec_is_the_definition(x, rn.TF32, Cast(rounding=Rounding.NEAREST_AWAY))
