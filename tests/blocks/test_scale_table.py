"""Scales read from a table are those of the definition."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.scale_table import has_table, scale_blocks
from refnum.blocks.scaling import compute_scales

from ._inputs import assert_same

ONE = np.ones((), np.float32)
FORMATS = [rn.MXFP4, rn.MXFP6_E2M3, rn.MXFP6_E3M2, rn.MXFP8_E4M3, rn.MXFP8_E5M2]
RULES = [
    blocks.FLOOR,
    blocks.CEIL,
    blocks.EVEN,
    replace(blocks.FLOOR, name="zero", zero_block_code=9),
    replace(blocks.CEIL, name="floored", amax_floor=1e-4),
    replace(blocks.EVEN, name="one bit", mantissa_first=1),
    replace(blocks.EVEN, name="no bit", mantissa_first=0),
    replace(blocks.FLOOR, name="listed", zero_scale_as=1.0, replace_zero=2.0),
]


def magnitudes():
    """The ends of binades bit by bit, every index at its ends, and random bits."""
    ends = (np.arange(0, 257)[:, None] << 23) + np.arange(-300, 301)
    coarse = np.arange(1 << 15)[:, None] * (1 << 16) + np.array([0, 1, 0x8000, 0xFFFF])
    some = np.random.default_rng(0).integers(1 << 31, size=500_000)
    bits = np.concatenate([ends.reshape(-1), coarse.reshape(-1), some])
    return (bits & 0x7FFFFFFF).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_table_is_the_definition(fmt, rule):
    fmt = replace(fmt, name="some", rule=rule)
    assert has_table(fmt, rule.mantissa_first)
    amax = magnitudes()
    got, want = scale_blocks(amax, ONE, fmt), compute_scales(amax, ONE, fmt)
    assert_same(got.codes, want.codes, f"codes of {fmt} {rule.name}")
    for name in ("decoded", "factors"):
        one, other = (getattr(scales, name) for scales in (got, want))
        assert np.array_equal(one, other, equal_nan=True), name


@pytest.mark.parametrize(
    "fmt",
    [
        rn.NVFP4,
        replace(rn.MXFP4, name="some", rule=blocks.RCEIL),
        replace(rn.MXFP4, name="some", rule=replace(blocks.FLOOR, unit=7.25)),
        replace(rn.MXFP4, name="some", rule=replace(blocks.EVEN, mantissa_first=5)),
        replace(rn.MXFP4, name="some", rule=replace(blocks.FLOOR, unit=2.0**-8)),
        replace(rn.MXFP4, name="some", rule=replace(blocks.FLOOR, unit=1.0)),
    ],
    ids=["tensor scale", "quotient", "no power", "wide", "below 1", "subnormal"],
)
def test_other_formats_have_none(fmt):
    assert not has_table(fmt, fmt.rule.mantissa_first)


def test_equal_rules_that_differ():
    """True and 1 are equal, and mean other mantissas: of E4M3 three bits, and one."""
    x = np.random.default_rng(0).standard_normal((2048, 32), np.float32)
    for first, other in ((True, 1), (False, 0)):
        for one in (first, other, first):
            rule = replace(blocks.EVEN, mantissa_first=one)
            fmt = replace(rn.MXFP8_E4M3, rule=rule)
            amax = np.abs(x).max(1)
            got, want = scale_blocks(amax, ONE, fmt), compute_scales(amax, ONE, fmt)
            assert_same(got.codes, want.codes, f"mantissa_first={one}")


def test_lists_have_no_hash_but_serve():
    rule = replace(blocks.FLOOR, clamp=[2.0**-10, 2.0**10])
    cast = rn.Cast(exceptions=[("E4M3", rn.Cast(rn.Rounding.TOWARD_ZERO))])
    fmt = replace(rn.MXFP4, rule=rule, element_cast=cast)
    assert rn.quantize(np.ones((4096, 32)), fmt).scales[0, 0] == 125


@pytest.mark.parametrize("clamp", [3, "ab", (1, 2, 3), [None, 1]])
def test_limits_are_two_numbers(clamp):
    with pytest.raises(TypeError, match="clamp must be two numbers, not"):
        replace(blocks.FLOOR, clamp=clamp)


@pytest.mark.parametrize("exceptions", [3, [1, 2], [("E4M3", 1)], [(1, rn.Cast())]])
def test_exceptions_are_pairs(exceptions):
    with pytest.raises(TypeError, match="exceptions must be pairs"):
        rn.Cast(exceptions=exceptions)
