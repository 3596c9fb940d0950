"""What every code means, against three other decoders."""

from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import formats
from refnum.formats import exact

from ._cases import UP_TO_16_BITS
from ._peers import (
    gfloat_format,
    gfloat_formats,
    ml_dtypes_formats,
    ml_dtypes_type,
    p3109_formats,
)

# Formats that no other library has: some codes and what their sources say of them.
# PTX ISA 9.4, 5.2.3-5.2.4; HiFloat4, arXiv 2602.11287; OCP MX v1.0, 5.3.4.
KNOWN_CODES = {
    "ue5m3": {0: 0.0, 1: 2**-17, 7: 7 * 2**-17, 8: 2**-14, 9: 1.125 * 2**-14}
    | {0x77: 0.9375, 0x78: 1.0, 0x7F: 1.875, 0xF0: 32768.0, 0xF7: 61440.0}
    | {0xF8: 65536.0, 0xFD: 106496.0, 0xFE: 114688.0, 0xFF: np.nan},
    "ue5m3_ieee": {1: 2**-17, 0x78: 1.0, 0xF7: 61440.0, 0xF8: np.inf, 0xF9: np.nan}
    | {0xFF: np.nan},
    "ue5m3_finite": {0: 0.0, 0x78: 1.0, 0xFE: 114688.0, 0xFF: 122880.0},
    "e6m2": {0: 2.0**-48, 1: 1.25 * 2.0**-48, 0xC0: 1.0, 0xC1: 1.25, 0xFE: 49152.0}
    | {0xFF: np.nan},
    "ue4m4": {0: 0.0, 1: 2**-10, 0x10: 2**-6, 0x70: 1.0, 0xFE: 480.0, 0xFF: np.nan},
    "ue5m2": {0: 0.0, 1: 2**-16, 0x3C: 1.0, 0x7E: 98304.0, 0x7F: np.nan},
    "e5m3": {0x78: 1.0, 0xFE: 114688.0, 0xFF: np.nan, 0x178: -1.0, 0x1FF: np.nan},
    "ue4m3": {0: 0.0, 1: 2**-9, 0x38: 1.0, 0x7E: 448.0, 0x7F: np.nan},
    "int8": {0: 0.0, 1: 1 / 64, 0x7F: 127 / 64, 0x80: -2.0, 0xFF: -1 / 64},
    "int4": {0: 0.0, 1: 0.25, 7: 1.75, 8: -2.0, 15: -0.25},
    "e3m0": {0: 0.0, 1: 0.25, 3: 1.0, 7: 16.0, 8: -0.0, 15: -16.0},
    "e1m2": {k: k / 4 for k in range(8)} | {8: -0.0, 9: -0.25, 15: -1.75},
}


def assert_same_values(got, want):
    """Assert the same bits, but for those of NaNs."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    number = ~np.isnan(want)
    kind = np.float64
    np.testing.assert_array_equal(
        got[number].astype(kind).view("u8"), want[number].astype(kind).view("u8")
    )


@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_every_code_by_definition(fmt):
    want = np.array([float(exact.decode(c, fmt)) for c in range(1 << fmt.bits)])
    assert_same_values(rn.decode(np.arange(want.size), fmt, np.float64), want)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("fmt", [rn.E2M1, rn.E4M3, rn.UE8M0], ids=str)
def test_many_bytes_as_each_alone(fmt, dtype):
    size = (1 << 16) + 3
    codes = np.random.default_rng(0).integers(1 << fmt.bits, size=size, dtype=np.uint8)
    one_by_one = rn.decode(np.arange(1 << fmt.bits), fmt, dtype)[codes]
    assert_same_values(rn.decode(codes, fmt, dtype), one_by_one)
    assert_same_values(rn.decode(codes[1:], fmt, dtype), one_by_one[1:])


def test_tf32_by_definition():
    codes = np.random.default_rng(0).integers(1 << 19, size=4000)
    want = np.array([float(exact.decode(int(c), rn.TF32)) for c in codes])
    assert_same_values(rn.decode(codes, rn.TF32, np.float64), want)


def test_tf32_is_the_leading_part_of_fp32():
    codes = np.arange(1 << 19, dtype=np.uint32)
    want = (codes << 13).view(np.float32)
    assert_same_values(rn.decode(codes, rn.TF32), want)


def test_fp32_is_float32():
    bits = np.random.default_rng(0).integers(1 << 32, size=1 << 16, dtype=np.uint32)
    np.testing.assert_array_equal(rn.decode(bits, rn.FP32).view(np.uint32), bits)


@pytest.mark.parametrize("fmt", UP_TO_16_BITS, ids=str)
def test_float32_holds_every_value(fmt):
    codes = np.arange(1 << fmt.bits)
    assert_same_values(rn.decode(codes, fmt), fmt.values)


@ml_dtypes_formats
def test_every_code_as_ml_dtypes_has_it(fmt):
    codes = np.arange(1 << fmt.bits).astype(fmt.dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        want = codes.view(ml_dtypes_type(fmt)).astype(np.float64)
    assert_same_values(rn.decode(codes, fmt, np.float64), want)


@gfloat_formats
def test_every_code_as_gfloat_has_it(fmt):
    assert_same_values_as_gfloat(fmt)


@p3109_formats
def test_every_p3109_code_as_gfloat_has_it(fmt):
    assert_same_values_as_gfloat(fmt)


def assert_same_values_as_gfloat(fmt):
    gfloat = pytest.importorskip("gfloat")
    codes = np.arange(1 << fmt.bits)
    want = gfloat.decode_ndarray(gfloat_format(fmt), codes)
    assert_same_values(rn.decode(codes, fmt, np.float64), want)


@pytest.mark.parametrize("name", KNOWN_CODES)
def test_known_codes(name):
    known = KNOWN_CODES[name]
    got = rn.decode(list(known), name, np.float64)
    assert_same_values(got, np.array(list(known.values())))


@pytest.mark.parametrize(
    ("fnuz", "name"), [("e4m3fnuz", "Binary8p4sf"), ("e5m2fnuz", "Binary8p3sf")]
)
def test_p3109_has_the_fnuz_formats(fnuz, name):
    assert_same_values(rn.format(fnuz).values, rn.format(name).values)


def test_ue5m3_is_twice_p3109():
    assert_same_values(rn.UE5M3.values, 2 * rn.format("Binary8p4uf").values)


def test_ue8m0_is_twice_p3109_but_has_no_zero():
    p1 = rn.format("Binary8p1uf").values
    assert_same_values(rn.UE8M0.values[1:], 2 * p1[1:])
    assert (rn.UE8M0.values[0], p1[0], p1[0x80]) == (2.0**-127, 0.0, 1.0)


def test_fnuz_bytes_are_half_of_the_ocp_ones():
    codes = np.r_[0:0x7F, 0x81:0xFF]
    ocp, fnuz = rn.decode(codes, rn.E4M3), rn.decode(codes, rn.E4M3FNUZ)
    np.testing.assert_array_equal(ocp, 2 * fnuz)
    assert np.isnan(rn.decode(0x80, rn.E4M3FNUZ))
    assert rn.decode(0x80, rn.E4M3) == 0


def test_wide_scales_overflow_fp16():
    codes = np.arange(0xF7, 0x100)
    values = rn.decode(codes, rn.UE5M3, np.float16)
    want = np.array([61440.0, *[np.inf] * 7, np.nan], np.float16)
    np.testing.assert_array_equal(values, want)


def test_one_bit_patterns_of_e4m3_and_ue4m3_agree():
    codes = np.arange(128)
    assert_same_values(rn.decode(codes, rn.UE4M3), rn.decode(codes, rn.E4M3))


def test_exact_values_are_fractions():
    assert exact.decode(0x7E, rn.E4M3) == Fraction(448)
    assert exact.decode(0x01, rn.BF16) == Fraction(1, 2**133)


def test_the_aliases_name_one_format_each():
    names = [n for fmt in formats.FORMATS for n in (fmt.name, *formats.aliases(fmt))]
    assert len(set(names)) == len(names)
    for fmt in formats.FORMATS:
        assert all(rn.format(n.upper()) is fmt for n in formats.aliases(fmt))


@pytest.mark.parametrize("size", [7, 1 << 17])
def test_decode_into(size):
    codes = np.arange(size, dtype=np.uint8) & 15
    out = np.full(size, np.nan, np.float32)
    assert rn.decode(codes, rn.E2M1, out=out) is out
    assert np.array_equal(out, rn.decode(codes, rn.E2M1))
    for wrong in (out.astype(np.float64), out[:-1], np.repeat(out, 2)[::2]):
        with pytest.raises(
            ValueError, match="out must be contiguous, float32 of shape"
        ):
            rn.decode(codes, rn.E2M1, out=wrong)
