"""EDEN: its codes, its corrections and its random scales, one number at a time."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks

from ._inputs import assert_same, heavy_tailed, normal, outlier, subnormals, ties, zeros
from ._scalar import E2M1, UE4M3, F, scale_code, signed, value

KINDS = [normal, heavy_tailed, outlier, ties, zeros, subnormals]
OVERRIDE = 17 / 16 * 0.93
BITS = 24


def sums(y, q):
    """Float64, within blocks of their size and then over blocks, from the left."""
    squares, products = 0.0, 0.0
    for i, (scaled, codes) in enumerate(zip(y, q, strict=True)):
        block_squares, block_products = 0.0, 0.0
        for v, code in zip(scaled, codes, strict=True):
            block_squares += float(v) * float(v)
            block_products += float(v) * float(value(code))
        squares = squares + block_squares if i else block_squares
        products = products + block_products if i else block_products
    return squares, products


def correction(y, q):
    squares, products = sums(y, q)
    return F(squares / products) if products else F(1)


def neighbours(x, grid):
    """Index of the largest value that is not above x, and how far x is past it."""
    low = max(i for i, v in enumerate(grid) if v <= x)
    if grid[low] == x or low + 1 == len(grid):
        return low, Fraction(0)
    return low, (Fraction(float(x)) - Fraction(grid[low])) / (
        Fraction(grid[low + 1]) - Fraction(grid[low])
    )


def stochastic(x, grid, draw, bits=BITS):
    """Up if the leading bits of the fraction and the draw carry."""
    if math.isnan(x):
        return len(grid)
    low, fraction = neighbours(x, grid)
    return low + ((fraction * 2**bits).__floor__() + draw >= 2**bits)


def ms_eden(row, amax, draws):
    """The kernel of Quartet II on one row of 128."""
    unit = F(6 / OVERRIDE)
    s_dec = amax / F(255.99) / unit if amax else F(1)
    scales, y, q = [], [], []
    for block in row.reshape(-1, 16):
        t = (np.abs(block).max() / unit) / s_dec
        scales.append(F((*UE4M3, np.nan)[scale_code(t)] or 1.0))
        y.append([v / (scales[-1] * s_dec) for v in block])
        q.append([signed(v, E2M1, away=True) for v in y[-1]])
    S = correction(y, q)
    codes = [
        stochastic(s * S, UE4M3, int(draw))
        for s, draw in zip(scales, draws, strict=True)
    ]
    return codes, np.ravel(q)


def power_eden(row, _, draws):
    """The same with powers of two, on one row of 128 in blocks of 32."""
    constant = F(0.91 / 3)
    powers = [2.0 ** (e - 127) for e in range(255)]
    scales, y, q = [], [], []
    for block in row.reshape(-1, 32):
        a = float(np.abs(block).max())
        exponent = max(math.frexp(a)[1] - 1, -127) if a else -127
        scales.append(F(2.0**exponent))
        y.append([v / (scales[-1] * constant) for v in block])
        q.append([signed(v, E2M1, away=True) for v in y[-1]])
    S = correction(y, q)
    codes = []
    for s, draw in zip(scales, draws, strict=True):
        corrected = max(s * S, F(powers[0]))
        codes.append(stochastic(corrected, powers, int(draw)))
    return codes, np.ravel(q)


CASES = [(blocks.NVFP4_EDEN, ms_eden, 8), (blocks.MXFP4_EDEN, power_eden, 4)]
cases = pytest.mark.parametrize(("fmt", "definition", "count"), CASES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@cases
def test_definition(fmt, definition, count, kind):
    rng = np.random.default_rng(1)
    x = kind(rng, 6, 128)
    draws = rng.integers(1 << BITS, size=(6, count), dtype=np.uint32)
    draws[0], draws[1] = 0, (1 << BITS) - 1
    q = blocks.eden(x, fmt, random=draws)
    with np.errstate(all="ignore"):
        for i, row in enumerate(x):
            scales, codes = definition(row, np.abs(x).max(), draws[i])
            assert_same(q.scales[i], scales, "scales", x)
            assert_same(q.codes[i], codes, "codes", x)


def test_the_values():
    """Codes times plain scales times the tensor scale, as the authors dequantise."""
    x = normal(np.random.default_rng(2), 4, 128)
    q = blocks.eden(x, random=np.zeros((4, 8), np.uint32))
    s_dec = np.abs(x).max() / F(255.99) / F(6 / OVERRIDE)
    assert q.tensor_scale == s_dec
    scales = np.repeat(rn.decode(q.scales, rn.UE4M3), 16, axis=1)
    assert_same(rn.dequantize(q), rn.decode(q.codes, rn.E2M1) * scales * s_dec, "x")
    constant = blocks.eden(x, blocks.MXFP4_EDEN, random=np.zeros((4, 4), np.uint32))
    assert constant.tensor_scale == F(0.91 / 3)


def test_scales_average_to_the_corrected_ones():
    """Over all random bits; and a group's inner product with its values is its own."""
    x = normal(np.random.default_rng(3), 5, 128)
    cast = rn.Cast(rn.Rounding.STOCHASTIC_B, random_bits=8)
    runs = [
        blocks.eden(x, random=np.full((5, 8), r, np.uint32), scale_cast=cast)
        for r in range(256)
    ]
    low = rn.decode(runs[0].scales, rn.UE4M3, np.float64)
    high = rn.decode(runs[-1].scales, rn.UE4M3, np.float64)
    assert np.all(rn.encode(high, rn.UE4M3) - rn.encode(low, rn.UE4M3) <= 1)
    mean = np.mean([rn.decode(q.scales, rn.UE4M3, np.float64) for q in runs], axis=0)
    # Before the correction, a plain quantisation; its scaled values are y.
    plain = rn.quantize(x, blocks.NVFP4_EDEN)
    before = rn.decode(plain.scales, rn.UE4M3, np.float64)
    values = rn.decode(plain.codes, rn.E2M1, np.float64).reshape(5, 8, 16)
    y = x.reshape(5, 8, 16) / (before * plain.tensor_scale)[:, :, None]
    squares = (y**2).sum(axis=(1, 2))

    def inner(scales):
        return (y * values * (scales / before)[:, :, None]).sum(axis=(1, 2))

    assert np.allclose(inner(mean), squares, rtol=1 / 2**11)
    assert np.all(inner(low) < squares * (1 - 1 / 2**11))
    assert np.any(np.abs(inner(before) / squares - 1) > 1 / 2**7)


def test_rows_end_groups():
    """A ragged row is padded by zeros; no group runs on into the next row."""
    rng = np.random.default_rng(4)
    x = normal(rng, 3, 200)
    draws = rng.integers(1 << BITS, size=(3, 13), dtype=np.uint32)
    q = blocks.eden(x, random=draws, tensor_amax=5.0)
    for i in range(3):
        first = blocks.eden(x[i, :128], random=draws[i, :8], tensor_amax=5.0)
        rest = blocks.eden(x[i, 128:], random=draws[i, 8:], tensor_amax=5.0)
        assert_same(q.codes[i], np.concatenate([first.codes, rest.codes]), "codes")
        assert_same(q.scales[i], np.concatenate([first.scales, rest.scales]), "scales")
    across = blocks.eden(
        np.asfortranarray(x.T), random=draws.T, tensor_amax=5.0, axis=0
    )
    assert_same(across.scales.T, q.scales, "scales along axis 0")
    assert_same(across.codes.T, q.codes, "codes along axis 0")


def test_group_of_one_block():
    """Each block then has a correction of its own."""
    x = normal(np.random.default_rng(5), 6, 32)
    random = np.zeros((6, 2), np.uint32)
    q = blocks.eden(x, random=random, group=16, tensor_amax=4.0)
    halves = [
        blocks.eden(x[:, i : i + 16], random=random[:, :1], tensor_amax=4.0)
        for i in (0, 16)
    ]
    assert_same(q.scales, np.hstack([half.scales for half in halves]), "scales")


def test_specials():
    x = normal(np.random.default_rng(6), 3, 128)
    x[1] = 0
    x[2, 7] = np.nan
    q = blocks.eden(x, random=np.zeros((3, 8), np.uint32), tensor_amax=4.0)
    assert not rn.dequantize(q)[1].any()
    assert np.isnan(rn.dequantize(q)[2]).all()  # a NaN spoils the group's correction
    assert np.isfinite(rn.dequantize(q)[0]).all()
    nothing = blocks.eden(np.zeros((0, 128)), random=np.zeros((0, 8), np.uint32))
    assert nothing.scales.shape == (0, 8)
    assert (
        blocks.eden(np.zeros(128), random=np.zeros(8, np.uint32)).scales.tolist()
        == [0x38] * 8
    )


def test_bad_input():
    x, random = np.ones((2, 128)), np.zeros((2, 8), np.uint32)
    with pytest.raises(ValueError, match="random has shape"):
        blocks.eden(x, random=random[:1])
    with pytest.raises(ValueError, match="a group of 24 is no multiple"):
        blocks.eden(x, random=random, group=24)
    with pytest.raises(ValueError, match="a group of 0 is no multiple"):
        blocks.eden(x, random=random, group=0)
    tile = replace(blocks.NVFP4_EDEN, block=(16, 16))
    with pytest.raises(ValueError, match="no blocks of a size"):
        blocks.eden(np.ones((16, 16)), tile, random=random)
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        blocks.eden(x, random=random, axis=2)
    with pytest.raises(TypeError, match="values must be"):
        blocks.eden(np.ones((2, 128), complex), random=random)
    with pytest.raises(TypeError, match="unsigned"):
        blocks.eden(x, random=random.astype(float))
    with pytest.raises(TypeError, match="block_format must be a BlockFormat"):
        blocks.eden(x, "nvfp4", random=random)
