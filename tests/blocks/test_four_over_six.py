"""Four over six in both orders of operations: its choices, one number at a time."""

from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.exact_orders import round_float32
from refnum.blocks.measures import Encoded, _fma, errors

from ._inputs import FINITE, any_bits, assert_same, near_ties, normal
from ._live import batches, scales
from ._scalar import (
    E2M1,
    UE4M3,
    F,
    amaxes,
    compare,
    decode_factor,
    draw,
    kinds,
    reference,
    scale_code,
    signed,
    value,
)


def combined(errors, error):
    """The errors of a row, in element order."""
    total = F(0)
    for d in errors:
        if error == "amax":
            total = max(total, abs(d))
        else:
            total = total + (d * d if error == "mse" else abs(d))
    return total


def tree(rows, error):
    """Sixteen lanes, each adding the one 8, 4, 2 and then 1 further."""
    lanes = list(rows)
    for offset in (8, 4, 2, 1):
        for i in range(offset):
            a, b = lanes[i], lanes[i + offset]
            lanes[i] = max(a, b) if error == "amax" else a + b
    return lanes[0]


def four_over_six(block, amax, limit=256, error="mse", rows=1):
    """The kernel of Transformer Engine, from its text."""
    S = reference(amax, 6 * limit)
    base = max(abs(v) for v in block) / F(6) * S
    found = []
    for t in (base, base * F(1.5)):
        code = scale_code(t)
        factor = decode_factor(code, S)
        codes = [signed(v * factor, E2M1) for v in block]
        differences = [
            value(q) * F(UE4M3[code]) * amax / F(6 * limit) - v
            for q, v in zip(codes, block, strict=True)
        ]
        width = len(block) // rows
        each = [
            combined(differences[i : i + width], error)
            for i in range(0, len(block), width)
        ]
        found.append((tree(each, error) if rows > 1 else each[0], code, codes))
    six, four = found
    return four[1:] if four[0] < six[0] else six[1:]


@pytest.mark.parametrize("error", ["mse", "mae", "amax"])
@pytest.mark.parametrize("limit", [256, 448])
@kinds
def test_four_over_six(kind, limit, error):
    x = draw(kind)
    for amax in amaxes(x):
        compare(
            x,
            blocks.four_over_six(limit, error),
            lambda row, g: four_over_six(row, g, limit, error),
            amax,
        )


def transcription(x, amax):
    """The same for many blocks at once: scale codes and element codes."""
    S = reference(amax, 1536)
    base = np.abs(x).max(axis=1) / F(6) * S
    found = []
    for t in (base, base * F(1.5)):
        code = rn.encode(t, rn.UE4M3)
        scale = rn.decode(code, rn.UE4M3)
        r = np.fmin(F(1) / (scale * (F(1) / S)), np.finfo(F).max)
        codes = rn.encode(x * r[:, None], rn.E2M1)
        back = rn.decode(codes, rn.E2M1) * scale[:, None] * amax / F(1536)
        squares = (back - x) * (back - x)
        total = np.zeros(len(x), F)
        for i in range(16):
            total = total + squares[:, i]
        found.append((total, code, codes))
    (error, code, codes), (other, code4, codes4) = found
    four = other < error
    return np.where(four, code4, code), np.where(four[:, None], codes4, codes)


@scales
def test_many_blocks(count):
    for x in batches(count, 16, FINITE):
        for amax in map(F, [1e-30, 1.0, 2.0**60, 3e38]):
            with np.errstate(all="ignore"):
                code, codes = transcription(x, amax)
            q = rn.quantize(x, blocks.NVFP4_FOUR_OVER_SIX, tensor_amax=amax)
            assert_same(q.scales.reshape(-1), code, f"scales, amax {amax}", x)
            assert_same(q.codes, codes, f"codes, amax {amax}", x)


def test_four_over_six_next_to_ties():
    rng = np.random.default_rng(1)
    for amax in rng.uniform(1, 2, 4).astype(F):
        x = near_ties(rng, 60, amax)
        compare(x, blocks.NVFP4_FOUR_OVER_SIX, four_over_six, amax)


@pytest.mark.parametrize("error", ["mse", "mae", "amax"])
def test_four_over_six_tiles(error):
    for kind in FINITE:
        x = draw(kind, 256, 2)
        compare(
            x,
            blocks.four_over_six(error=error, block=(16, 16)),
            lambda row, g: four_over_six(row, g, error=error, rows=16),
            amaxes(x)[0],
            shape=(-1, 16),
        )


@pytest.mark.parametrize("error", ["mse", "mae", "amax"])
@pytest.mark.parametrize("rows", [1, 16])
def test_the_order_of_the_sums(rows, error):
    """A choice seldom shows it, so the errors themselves are compared, bit by bit."""
    x = normal(np.random.default_rng(2), 20, 256)
    block = (16, 16) if rows == 16 else 256
    fmt = blocks.four_over_six(error=error, block=block)
    nothing = np.zeros_like(x)
    one, scales = np.ones((), F), np.ones(len(x), F)
    encoded = Encoded(x, nothing, 1.0, scales, one, one, fmt.candidates[0])
    got = errors(encoded, fmt.measure)
    width = 256 // rows
    for row, total in zip(x, got, strict=True):
        each = [combined(row[i : i + width], error) for i in range(0, 256, width)]
        assert total == (tree(each, error) if rows > 1 else each[0])


def test_a_tile_of_other_heights():
    """Seven rows are added as 4 and 3, then 2 and 2, then 1 and 1."""
    rows = np.array([1, 2.0**-24, 2.0**-24, 3, 2.0**-24, 5, 7], F)
    fmt = blocks.four_over_six(error="mae", block=(7, 1)).candidates[0]
    one = np.ones((), F)
    encoded = Encoded(
        rows[np.newaxis], np.zeros((1, 7), F), 1.0, np.ones(1, F), one, one, fmt
    )
    a, b, c = rows[0] + rows[4], rows[1] + rows[5], rows[2] + rows[6]
    want = (a + c) + (b + rows[3])
    assert errors(encoded, blocks.Measure("mae", "transformer_engine")) == want


def quartet_ii(block, amax):
    """Quartet II's kernel; its reciprocals are measured, its fma are fractions."""

    def rcp(v):
        return F(blocks.approximate_reciprocal(F(v)))

    s = F(1) if amax == 0 else amax * F(1 / 256) * rcp(6)
    a = max(abs(v) for v in block)
    best, result = F(np.inf), None
    for unit in (6, 4):
        code = scale_code((a * rcp(unit)) * rcp(s))
        stored = F(UE4M3[code])
        factor = rcp((stored if stored else F(1)) * s)
        codes = [signed(v * factor, E2M1) for v in block]
        descale = float(-(stored * s))
        halves = []
        for start in (0, 8):
            sums = [0.0, 0.0]
            for i in range(8):
                q = float(value(codes[start + i]))
                d = fma(q, descale, float(block[start + i]))
                sums[i % 2] = fma(d, d, sums[i % 2])
            halves.append(F(sums[0]) + F(sums[1]))
        score = halves[0] + halves[1]
        if score < best or result is None:
            best, result = score, (code, codes)
    return result


def fma(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return round_float32(exact) if exact else 0.0


def test_quartet_ii():
    rng = np.random.default_rng(3)
    for amax in rng.uniform(1, 2, 3).astype(F):
        x = np.concatenate([near_ties(rng, 30, amax), normal(rng, 30, 16)])
        compare(x, blocks.NVFP4_FOUR_OVER_SIX_QUARTET_II, quartet_ii, amax)


def test_quartet_ii_keeps_a_zero_scale_and_divides_by_one():
    x = np.full((1, 16), 2.0**-12, F)
    x[0, 0] = 0
    q = compare(x, blocks.NVFP4_FOUR_OVER_SIX_QUARTET_II, quartet_ii, F(1536))
    assert q.scales.item() == 0
    assert q.codes.max() == 0  # 2**-12 over 1 * 1, not over a scale of zero


def test_fma_rounds_once():
    rng = np.random.default_rng(4)
    a = any_bits(rng, 400, 8)
    b = any_bits(rng, 400, 8)
    with np.errstate(all="ignore"):
        c = (a * b * rng.choice([1, -1, 2.0**-24, 2.0**26], a.shape)).astype(F)
        c = np.where(np.isfinite(c), c, F(1))
        # Where float64 rounds the sum onto a midpoint of float32:
        a[0], b[0], c[0] = 1 + 2.0**-12, 1 + 2.0**-12, 2.0**-80
        a[1], b[1], c[1] = 1 + 2.0**-12, 1 + 2.0**-12, -(2.0**-80)
        got = _fma(a, b, c)
    exact = [
        fma(x, y, z)
        for x, y, z in zip(*(v.ravel().tolist() for v in (a, b, c)), strict=True)
    ]
    assert_same(got.ravel(), np.array(exact, F), "fma")
    assert got[0, 0] != got[1, 0]
