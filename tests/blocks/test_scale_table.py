"""Scales read from a table are those of the definition."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.scale_table import _has_table, scale_blocks
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
]


def magnitudes():
    """Every sixteenth binade bit by bit at its ends, all others at random."""
    ends = (np.arange(0, 257)[:, None] << 23) + np.arange(-300, 301)
    coarse = np.arange(1 << 15)[:, None] * (1 << 16) + np.array([0, 1, 0x8000, 0xFFFF])
    some = np.random.default_rng(0).integers(1 << 31, size=500_000)
    bits = np.concatenate([ends.reshape(-1), coarse.reshape(-1), some])
    return (bits & 0x7FFFFFFF).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_table_is_the_definition(fmt, rule):
    fmt = replace(fmt, name="some", rule=rule)
    assert _has_table(fmt)
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
    ],
    ids=["tensor scale", "rounded quotient", "no power of two", "wide"],
)
def test_other_formats_have_none(fmt):
    assert not _has_table(fmt)
