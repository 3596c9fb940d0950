"""Elements rounded by sums are those of the codec."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding, blocks
from refnum.blocks.geometry import Geometry
from refnum.blocks.laid import lay_out
from refnum.blocks.on_grids import round_on_grids_of_blocks
from refnum.blocks.rounding import RoundingSpace, grid_of, round_scaled

from ._inputs import assert_same, bits

ELEMENTS = [rn.E2M1, rn.E2M3, rn.E1M2, rn.E3M2, rn.E4M3, rn.E5M2]


def rounded(y, fmt):
    grid = grid_of(fmt, Cast())
    space = RoundingSpace(y.size + 3, grid)
    out = np.empty_like(y)
    round_scaled(y.copy(), grid, space, out)
    return out


def hard_values(fmt, limit):
    """Values, midpoints and quarters of every binade, their neighbours, and any bits."""
    magnitudes = fmt.values[: fmt.max_code + 1]
    between = magnitudes[:-1, None] + np.diff(magnitudes)[:, None] * np.arange(4) / 4
    beyond = fmt.max * np.array([1, 1.01, 1.1, 1.2, 1.3, 1.5, 2, 4])
    centres = np.concatenate([between.reshape(-1), beyond]).astype(np.float32)
    near = centres.view(np.uint32)[:, None] + np.arange(-2, 3)
    rng = np.random.default_rng(0)
    some = rng.integers(np.float32(limit).view(np.uint32), size=100_000)
    values = np.concatenate([near.reshape(-1) & 0x7FFFFFFF, some])
    values = values.astype(np.uint32).view(np.float32)
    values = values[values < limit]
    return np.concatenate([values, -values])


@pytest.mark.parametrize("fmt", ELEMENTS, ids=str)
def test_elements(fmt):
    y = hard_values(fmt, grid_of(fmt, Cast()).limit)
    assert_same(bits(rounded(y, fmt)), bits(rn.round_to(y, fmt)), f"{fmt}")


MX = [rn.MXFP4, rn.MXFP6_E2M3, rn.MXFP6_E3M2, rn.MXFP8_E4M3, rn.MXFP8_E5M2]
RULES = [blocks.FLOOR, blocks.CEIL, blocks.EVEN, blocks.RCEIL]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("fmt", MX, ids=str)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reach", [0, 50, 140])
def test_blocks_on_their_grids(fmt, rule, axis, reach):
    """Rounded unscaled, blocks of all sizes are what their codes stand for."""
    fmt = replace(fmt, name="some", rule=rule)
    x = hard_values(fmt.element, 4 * fmt.element.max)
    x = np.resize(np.random.default_rng(0).permutation(x)[:50_000], (1600, 32))
    powers = np.random.default_rng(1).integers(-reach, reach + 1, (1600, 1))
    with np.errstate(over="ignore", under="ignore"):
        x = np.ldexp(x, powers).astype(np.float32)
    x[np.isinf(x)] = 1
    x[::7] *= 0  # blocks of zeros of both signs
    x = np.ascontiguousarray(x.T) if axis == 0 else x
    got = blocks.fake_quantize(x, fmt, axis=axis)
    want = rn.dequantize(rn.quantize(x, fmt, axis=axis))
    assert_same(bits(got), bits(want), f"{fmt} {rule.name}")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("fmt", MX, ids=str)
def test_known_grids(fmt, axis):
    """In the middle of the range a table knows them; at its ends it says so."""
    x = np.random.default_rng(0).standard_normal((96, 5120), np.float32)
    x[:, :32] = -0.0
    for power, known in ((0, True), (-40, True), (-135, False), (120, False)):
        some = np.ldexp(x, power).astype(np.float32)
        laid = lay_out(some, Geometry.of(x.shape, axis, fmt), fmt, None)
        got = round_on_grids_of_blocks(laid, fmt)
        assert (got is not None) == known
        if known:
            want = rn.dequantize(rn.quantize(some, fmt, axis=axis))
            assert_same(bits(got.reshape(x.shape)), bits(want), f"{fmt} 2^{power}")
    some = x.copy()
    some[3, 70] = np.nan
    laid = lay_out(some, Geometry.of(x.shape, axis, fmt), fmt, None)
    assert round_on_grids_of_blocks(laid, fmt) is None


@pytest.mark.parametrize(
    "fmt", [rn.INT8, rn.UE4M3, rn.UE8M0, rn.FP16, rn.BF16], ids=str
)
def test_other_formats(fmt):
    assert grid_of(fmt, Cast()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"rounding": Rounding.NEAREST_AWAY},
        {"rounding": Rounding.STOCHASTIC_A, "random_bits": 8},
        {"zero_sign": rn.formats.ZeroSign.INPUT_POSITIVE},
        {"via": rn.BF16},
        {"saturation": rn.formats.Saturation.NONE},
    ],
)
def test_other_casts(fields):
    assert grid_of(rn.E2M1, replace(Cast(), **fields)) is None


def test_blocks_far_beyond_their_scale():
    """A clamped scale leaves elements beyond any grid; they saturate all the same."""
    rule = replace(blocks.FLOOR, name="clamped", clamp=(2.0**-20, 2.0**-10))
    fmt = replace(rn.MXFP4, name="some", rule=rule)
    exponents = np.arange(-144, 112)[::-1].reshape(8, 32)
    x = np.ldexp(np.ones((8, 32), np.float32), exponents)
    got = blocks.fake_quantize(x, fmt)
    assert_same(bits(got), bits(rn.dequantize(rn.quantize(x, fmt))), "clamped")
    assert np.isfinite(got).all()


@pytest.mark.parametrize("bias", [-110, -80, -60, 60, 98, 110])
def test_elements_at_the_ends_of_the_range(bias):
    element = rn.Format("odd", 3, 2, bias, nan=rn.formats.NaNCodes.NONE)
    fmt = rn.BlockFormat(element, rn.UE8M0, 32, blocks.FLOOR)
    rng = np.random.default_rng(0)
    for power in range(-140, 120, 20):
        x = np.ldexp(rng.standard_normal((8, 64)), power).astype(np.float32)
        got, want = blocks.fake_quantize(x, fmt), rn.dequantize(rn.quantize(x, fmt))
        assert_same(bits(got), bits(want), f"bias {bias}, 2^{power}")
