"""The facts of each format, as the standards state them."""

import dataclasses
import math

import numpy as np
import pytest

import refnum as rn
from refnum import formats
from refnum.formats import Format, NaNCodes, p3109

# name: bits, bias, code and value of the largest, smallest normal, smallest positive,
# finite codes. OCP OFP8 v1.0 and MX v1.0; arXiv 2206.02915; PTX ISA 9.4; IEEE 754.
FACTS = {
    "e2m1": (4, 1, 0x7, 6.0, 1.0, 0.5, 16),
    "e1m2": (4, 1, 0x7, 1.75, 1.0, 0.25, 16),
    "e3m0": (4, 3, 0x7, 16.0, 0.25, 0.25, 16),
    "int4": (4, 0, 0x7, 1.75, 0.25, 0.25, 16),
    "e2m3": (6, 1, 0x1F, 7.5, 1.0, 0.125, 64),
    "e3m2": (6, 3, 0x1F, 28.0, 0.25, 0.0625, 64),
    "e4m3": (8, 7, 0x7E, 448.0, 2**-6, 2**-9, 254),
    "e5m2": (8, 15, 0x7B, 57344.0, 2**-14, 2**-16, 248),
    "e3m4": (8, 3, 0x6F, 15.5, 0.25, 2**-6, 224),
    "e4m3_ieee": (8, 7, 0x77, 240.0, 2**-6, 2**-9, 240),
    "e4m3fnuz": (8, 8, 0x7F, 240.0, 2**-7, 2**-10, 255),
    "e5m2fnuz": (8, 16, 0x7F, 57344.0, 2**-15, 2**-17, 255),
    "e4m3b11fnuz": (8, 11, 0x7F, 30.0, 2**-10, 2**-13, 255),
    "int8": (8, 0, 0x7F, 1.984375, 2**-6, 2**-6, 256),
    "ue8m0": (8, 127, 0xFE, 2.0**127, 2.0**-127, 2.0**-127, 255),
    "ue4m3": (7, 7, 0x7E, 448.0, 2**-6, 2**-9, 127),
    "ue5m3": (8, 15, 0xFE, 114688.0, 2**-14, 2**-17, 255),
    "ue5m3_ieee": (8, 15, 0xF7, 61440.0, 2**-14, 2**-17, 248),
    "ue5m3_finite": (8, 15, 0xFF, 122880.0, 2**-14, 2**-17, 256),
    "ue4m4": (8, 7, 0xFE, 480.0, 2**-6, 2**-10, 255),
    "ue5m2": (7, 15, 0x7E, 98304.0, 2**-14, 2**-16, 127),
    "e6m2": (8, 48, 0xFE, 49152.0, 2.0**-48, 2.0**-48, 255),
    "e5m3": (9, 15, 0xFE, 114688.0, 2**-14, 2**-17, 510),
    "fp16": (16, 15, 0x7BFF, 65504.0, 2**-14, 2**-24, 63488),
    "bf16": (16, 127, 0x7F7F, 255 * 2.0**120, 2.0**-126, 2.0**-133, 65280),
    "tf32": (19, 127, 0x3FBFF, 2047 * 2.0**117, 2.0**-126, 2.0**-136, 522240),
}

# name: +infinity, the NaN of all ones, the quiet NaN; None where there is none.
SPECIALS = {
    "e4m3": (None, 0x7F, 0x7F),
    "e5m2": (0x7C, 0x7F, 0x7E),
    "e3m4": (0x70, 0x7F, 0x78),
    "e4m3_ieee": (0x78, 0x7F, 0x7C),
    "e4m3fnuz": (None, 0x80, 0x80),
    "e5m2fnuz": (None, 0x80, 0x80),
    "e4m3b11fnuz": (None, 0x80, 0x80),
    "ue8m0": (None, 0xFF, 0xFF),
    "ue4m3": (None, 0x7F, 0x7F),
    "ue5m3": (None, 0xFF, 0xFF),
    "ue5m3_ieee": (0xF8, 0xFF, 0xFC),
    "ue4m4": (None, 0xFF, 0xFF),
    "ue5m2": (None, 0x7F, 0x7F),
    "e6m2": (None, 0xFF, 0xFF),
    "e5m3": (None, 0xFF, 0xFF),
    "fp16": (0x7C00, 0x7FFF, 0x7E00),
    "bf16": (0x7F80, 0x7FFF, 0x7FC0),
    "tf32": (0x3FC00, 0x3FFFF, 0x3FE00),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    fmt = rn.format(name)
    facts = (fmt.bits, fmt.bias, fmt.max_code, fmt.max)
    facts += (fmt.smallest_normal, fmt.smallest_subnormal)
    assert (*facts, int(np.isfinite(fmt.values).sum())) == FACTS[name]


@pytest.mark.parametrize("name", FACTS)
def test_special_codes(name):
    fmt = rn.format(name)
    codes = fmt.infinity_code, fmt.nan_code, fmt.quiet_nan_code
    assert codes == SPECIALS.get(name, (None, None, None))


def test_every_format_has_its_facts():
    assert FACTS.keys() | {"fp32"} == {fmt.name for fmt in formats.FORMATS}


def test_fp32_is_float32():
    facts, fmt = np.finfo(np.float32), rn.FP32
    assert (fmt.max, fmt.smallest_normal) == (facts.max, facts.smallest_normal)
    assert fmt.smallest_subnormal == facts.smallest_subnormal
    assert (fmt.emax, fmt.emin, fmt.bits) == (127, -126, 32)


@pytest.mark.parametrize("fmt", formats.FORMATS, ids=str)
def test_exponents_bracket_the_extremes(fmt):
    assert 2.0**fmt.emax <= fmt.max < 2.0 ** (fmt.emax + 1)
    assert 2.0**fmt.emin == fmt.smallest_normal


@pytest.mark.parametrize(
    ("fmt", "has"),
    [(rn.E4M3, True), (rn.E4M3FNUZ, False), (rn.INT8, False), (rn.UE5M3, False)],
    ids=str,
)
def test_negative_zero(fmt, has):
    assert fmt.has_negative_zero is has


def test_the_three_e4m3_differ():
    maxima = [rn.format(n).max for n in ("e4m3fn", "float8_e4m3", "e4m3fnuz")]
    assert maxima == [448.0, 240.0, 240.0]
    infinite = [np.isinf(f.values).any() for f in (rn.E4M3_IEEE, rn.E4M3FNUZ)]
    assert infinite == [True, False]


def test_codes_use_the_smallest_type():
    kinds = [f.dtype for f in (rn.E2M1, rn.E4M3, rn.E5M3, rn.FP16, rn.TF32, rn.FP32)]
    assert kinds == ["u1", "u1", "u2", "u2", "u4", "u4"]


def test_a_format_is_a_frozen_key():
    with pytest.raises(dataclasses.FrozenInstanceError):
        rn.E4M3.bias = 8  # type: ignore[misc]
    assert {rn.E4M3: 1}[dataclasses.replace(rn.E4M3)] == 1
    with pytest.raises(ValueError, match="read-only"):
        rn.E4M3.values[0] = 1.0


# IEEE P3109 interim report, draft 4.0: bias, largest value, smallest value.
P3109_FACTS = {
    "Binary4p2sf": (2, 3.0, 0.25),
    "Binary4p2se": (2, 2.0, 0.25),
    "Binary4p3sf": (1, 1.75, 0.25),
    "Binary4p3se": (1, 1.5, 0.25),
    "Binary6p3sf": (4, 14.0, 2**-5),
    "Binary6p3se": (4, 12.0, 2**-5),
    "Binary6p4sf": (2, 3.75, 2**-4),
    "Binary6p4se": (2, 3.5, 2**-4),
    "Binary8p1uf": (128, 2.0**126, 2.0**-127),
    "Binary8p1ue": (128, 2.0**125, 2.0**-127),
    "Binary8p3sf": (16, 57344.0, 2**-17),
    "Binary8p3se": (16, 49152.0, 2**-17),
    "Binary8p4sf": (8, 240.0, 2**-10),
    "Binary8p4se": (8, 224.0, 2**-10),
    "Binary8p5sf": (4, 15.5, 2**-7),
    "Binary8p5se": (4, 15.0, 2**-7),
    "Binary8p4uf": (16, 57344.0, 2**-18),
    "Binary8p4ue": (16, 53248.0, 2**-18),
    "Binary8p5uf": (8, 240.0, 2**-11),
    "Binary8p5ue": (8, 232.0, 2**-11),
}


@pytest.mark.parametrize("name", P3109_FACTS)
def test_p3109_facts(name):
    fmt = rn.format(name)
    assert (fmt.bias, fmt.max, fmt.smallest_subnormal) == P3109_FACTS[name]
    assert fmt == p3109(
        int(name[6]), int(name[8]), signed=name[9] == "s", extended=name[10] == "e"
    )
    assert np.isnan(fmt.values).sum() == 1
    assert np.isinf(fmt.values).sum() == (name[10] == "e") * (1 + (name[9] == "s"))


def test_a_new_format_needs_its_facts_alone():
    fmt = Format("e2m2", 2, 2, bias=1, nan=NaNCodes.NEGATIVE_ZERO)
    assert (fmt.bits, fmt.max, math.isnan(fmt.values[16])) == (5, 7.0, True)
