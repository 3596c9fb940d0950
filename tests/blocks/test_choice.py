"""Encodings chosen by error: each against its definition, one number at a time."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.exact_choice import choose_block
from refnum.blocks.exact_orders import Single, round_float32, single
from refnum.blocks.measures import Encoded, _fma, errors

from ._inputs import ALL, FINITE, any_bits, assert_same, bits, near_ties, normal
from ._scalar import (
    E2M1,
    FLT_MAX,
    UE4M3,
    UNIFORM,
    F,
    fmin,
    nearest,
    scale_code,
    signed,
    value,
)

COUNT = 6  # blocks of each kind
kinds = pytest.mark.parametrize("kind", FINITE, ids=lambda kind: kind.__name__)


def draw(kind, size=16, count=COUNT):
    with np.errstate(all="ignore"):
        return kind(np.random.default_rng(len(kind.__name__)), count, size)


def amaxes(x):
    with np.errstate(invalid="ignore"):
        return [F(np.abs(x).max()), F(0), F(1e-38), F(2688), F(3e38)]


def reference(amax, top):
    with np.errstate(all="ignore"):
        S = fmin(F(top) / amax, FLT_MAX)
    return F(1) if amax == 0 or S == 0 else S


def decode_factor(code, S):
    """min(1 / (scale * (1 / S)), FLT_MAX)."""
    return fmin(F(1) / (F(UE4M3[code]) * (F(1) / S)), FLT_MAX)


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


def compare(x, fmt, definition, amax, shape=None):
    q = rn.quantize(x if shape is None else x.reshape(shape), fmt, tensor_amax=amax)
    with np.errstate(all="ignore"):
        want = [definition(list(row), amax) for row in x]
    assert_same(q.scales.reshape(-1), [w[0] for w in want], f"scales, {amax}", x)
    assert_same(q.codes.reshape(x.shape), [w[1] for w in want], f"codes, {amax}", x)
    return q


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


def if4(block, amax):
    """E2M1 or integers times 6/7, by the squared error in float32."""
    S = reference(amax, 2688)
    code = scale_code(max(abs(v) for v in block) / F(6) * S)
    scale = F(UE4M3[code])
    factor = decode_factor(code, S) if code else F(0)
    found = []
    for integers in (False, True):
        codes, total = [], F(0)
        for v in block:
            y = v * factor
            if integers:
                size = nearest(abs(float(y * F(7 / 6))), range(8))
                q = F(-size if y < 0 else size)
                codes.append(int(q) & 15)
                back = (q * scale * amax) * F(6 / 7) / F(2688)
            else:
                codes.append(signed(y, E2M1))
                back = value(codes[-1]) * scale * amax / F(2688)
            total = total + (back - v) * (back - v)
        found.append((total, code + 128 * integers, codes))
    first, second = found
    return second[1:] if second[0] < first[0] else first[1:]


@kinds
def test_if4(kind):
    x = draw(kind)
    for amax in amaxes(x):
        compare(x, blocks.NVFP4_IF4, if4, amax)


def mixfp4(block, amax):
    """E2M1 under amax / 6 or E1M2, counting to 7, under amax / 7; float64 errors."""
    S = reference(amax, 2688)
    outer = F(1) if amax == 0 else amax / F(2688)
    found = []
    for unit, grid, times in ((6, E2M1, F(1)), (7, UNIFORM, F(4))):
        t = fmin(max(abs(v) for v in block) * (S * (F(1) / F(unit))), FLT_MAX)
        code = scale_code(t)
        factor = decode_factor(code, S)
        codes = [signed(v * factor * (F(1) / times), grid) for v in block]
        total = 0.0
        for q, v in zip(codes, block, strict=True):
            back = value(q, grid) * times * F(UE4M3[code]) * outer
            total += (float(back) - float(v)) ** 2
        found.append((total, code + 128 * (unit == 7), codes))
    first, second = found
    return second[1:] if second[0] < first[0] else first[1:]


@kinds
def test_mixfp4(kind):
    x = draw(kind)
    for amax in amaxes(x):
        compare(x, blocks.NVFP4_MIXFP4, mixfp4, amax)


def sse(block, _):
    """The power of two of least error around floor(log2 amax) - 2, by fractions."""
    a = max(abs(float(v)) for v in block)
    middle = -127 if a == 0 else max(int(np.frexp(a)[1]) - 3, -127)
    found = []
    for exponent in (middle, middle + 1, middle - 1):
        if a == 0:
            exponent = -127
        scale = Fraction(2) ** max(exponent, -127)
        codes, total = [], Fraction(0)
        for v in block:
            size = nearest(min(abs(Fraction(float(v))) / scale, 8), E2M1)
            codes.append(size + 8 * bool(np.signbit(v)))
            back = Fraction(E2M1[size]) * scale
            overflows = back >= 2**128  # is infinite when dequantised
            gap = back - abs(Fraction(float(v)))
            total += np.inf if overflows else gap**2
        found.append((total, max(exponent, -127) + 127, codes))
    return min(found, key=lambda one: one[0])[1:]


@kinds
def test_scale_search(kind):
    compare(draw(kind, 32), blocks.MXFP4_SSE, sse, None)


def test_scale_search_uses_all_candidates():
    outlier = np.full((1, 32), 1.25, F)  # 8 below 6, and much else is halfway
    outlier[0, 0] = 8.0
    outlier[0, 1:] = 0.5
    rest = normal(np.random.default_rng(5), 2000, 32)
    x = np.concatenate([outlier, rest])
    moved = rn.quantize(x, blocks.MXFP4_SSE).scales.astype(int)
    moved -= rn.quantize(x, rn.MXFP4).scales
    assert set(moved.ravel().tolist()) == {-1, 0, 1}


CHOSEN = [
    getattr(blocks, name) for name in blocks.chosen.__all__ if name != "four_over_six"
]


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_no_candidate_is_better(fmt):
    shape = (320, 640) if isinstance(fmt.stored.block, tuple) else (400, 32)
    x = normal(np.random.default_rng(6), *shape)

    def squares(q):
        gap = (rn.dequantize(q, np.float64) - x) ** 2
        if isinstance(fmt.stored.block, tuple):
            return gap.reshape(20, 16, 40, 16).sum(axis=(1, 3))
        return gap.reshape(400, -1, fmt.stored.block).sum(axis=2)

    chosen = squares(rn.quantize(x, fmt))
    for candidate in fmt.candidates:
        if candidate.alternate is None:
            alone = squares(rn.quantize(x, candidate))
            assert np.all(chosen <= alone * (1 + 1e-5) + 1e-12)
            assert np.any(chosen < alone * 0.999)


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_memory_order_and_axis(fmt):
    x = normal(np.random.default_rng(7), 64, 96)
    q = rn.quantize(x, fmt)
    for other in (np.asfortranarray(x), x.astype(">f4"), np.repeat(x, 2, 0)[::2]):
        again = rn.quantize(other, fmt)
        assert_same(again.codes, q.codes, "codes")
        assert_same(again.scales, q.scales, "scales")
    across = rn.quantize(np.ascontiguousarray(x.T), fmt, axis=0)
    assert_same(across.codes.T, q.codes, "codes along axis 0")
    assert_same(bits(rn.dequantize(across).T), bits(rn.dequantize(q)), "values")


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_the_result_is_a_plain_record(fmt):
    q = rn.quantize(np.ones((16, 32), F), fmt)
    assert isinstance(q.format, rn.BlockFormat)
    assert str(q.format) == str(fmt) == fmt.name
    assert hash(fmt) == hash(replace(fmt))
    assert rn.quantize(np.zeros((0, 32), F), fmt).codes.shape == (0, 32)
    assert np.all(rn.dequantize(rn.quantize(np.zeros((16, 32), F), fmt)) == 0)


def test_ties_take_the_first_candidate():
    x = np.zeros((1, 16), F)
    x[0, 0] = 3.0  # both maps are exact
    q = rn.quantize(x, blocks.NVFP4_FOUR_OVER_SIX, tensor_amax=1536.0)
    assert q.codes[0, 0] == 7
    reversed_order = replace(
        blocks.NVFP4_FOUR_OVER_SIX,
        candidates=blocks.NVFP4_FOUR_OVER_SIX.candidates[::-1],
    )
    q = rn.quantize(x, reversed_order, tensor_amax=1536.0)
    assert q.codes[0, 0] == 6


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_a_nan_takes_the_first_candidate(fmt):
    x = normal(np.random.default_rng(8), 16, 32)
    x[3, 5] = np.nan
    q = rn.quantize(x, fmt, tensor_amax=4.0 if fmt.stored.tensor_scale else None)
    first = fmt.candidates[0]
    plain = rn.quantize(x, first, tensor_amax=4.0 if first.tensor_scale else None)
    row = 0 if isinstance(first.block, tuple) else 3
    assert q.scales[row, 0] == plain.scales[row, 0]
    assert_same(q.codes[3, :16], plain.codes[3, :16], "codes")


def test_tensor_scales_of_rows():
    rows = tuple(
        replace(c, tensor_scale=replace(c.tensor_scale, span="row"))
        for c in blocks.NVFP4_FOUR_OVER_SIX.candidates
    )
    fmt = replace(blocks.NVFP4_FOUR_OVER_SIX, candidates=rows)
    x = draw(normal, 64, 5) * np.ldexp(F(1), np.arange(5))[:, None]
    q = rn.quantize(x, fmt)
    for i, row in enumerate(x):
        alone = rn.quantize(row, blocks.NVFP4_FOUR_OVER_SIX)
        assert_same(q.codes[i], alone.codes, "codes")
        assert_same(q.scales[i], alone.scales, "scales")
        assert q.tensor_scale[i] == alone.tensor_scale


def test_stochastic_elements_share_their_bits():
    cast = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
    base = blocks.NVFP4_FOUR_OVER_SIX
    fmt = replace(
        base, candidates=tuple(replace(c, element_cast=cast) for c in base.candidates)
    )
    rng = np.random.default_rng(9)
    x = normal(rng, 200, 16)
    random = rng.integers(256, size=x.shape, dtype=np.uint32)
    q = rn.quantize(x, fmt, random=random)
    alone = [rn.quantize(x, c, random=random) for c in fmt.candidates]
    took = [np.all(q.codes == one.codes, axis=1) for one in alone]
    assert np.all(took[0] | took[1])
    assert np.any(~took[0])
    assert np.any(~took[1])
    with pytest.raises(ValueError, match="random"):
        rn.quantize(x, fmt)


def test_what_is_no_choice():
    six, four = blocks.NVFP4_FOUR_OVER_SIX.candidates
    with pytest.raises(ValueError, match="1 candidates; two or more"):
        blocks.ChosenFormat((six,))
    with pytest.raises(ValueError, match=r"differ in limit \* unit"):
        blocks.ChosenFormat((six, replace(four, tensor_scale=six.tensor_scale)))
    with pytest.raises(ValueError, match="differ in scale"):
        blocks.ChosenFormat((six, replace(four, scale=rn.UE5M3)))
    with pytest.raises(ValueError, match="different alternate"):
        blocks.ChosenFormat(
            (replace(six, alternate=rn.INT4), replace(four, alternate=rn.E1M2))
        )
    with pytest.raises(ValueError, match="mxfp4 has no tensor scale"):
        replace(blocks.MXFP4_SSE, measure=blocks.Measure("mse", "transformer_engine"))
    with pytest.raises(ValueError, match="a block 32 has no such order"):
        replace(blocks.MXFP4_SSE, measure=blocks.Measure("mse", "quartet_ii"))
    with pytest.raises(ValueError, match="hifloat4 has levels"):
        blocks.ChosenFormat((blocks.HIFLOAT4, blocks.HIFLOAT4))
    with pytest.raises(ValueError, match="error is 'rms'"):
        blocks.four_over_six(error="rms")
    with pytest.raises(ValueError, match="order is 'odd'"):
        blocks.Measure(order="odd")
    with pytest.raises(ValueError, match="quartet_ii has no error 'mae'"):
        blocks.Measure("mae", "quartet_ii")
    with pytest.raises(ValueError, match="limit is -1"):
        blocks.four_over_six(-1.0)
    with pytest.raises(TypeError, match="block_format must be a BlockFormat"):
        rn.quantize([1.0], (six, four))


def test_specials_do_not_raise():
    x = np.concatenate([draw(kind, 32) for kind in ALL])
    for fmt in CHOSEN:
        if not isinstance(fmt.stored.block, tuple):
            rn.dequantize(rn.quantize(x, fmt))


def test_scalar_helpers():
    """The grids of this file are those of the formats."""
    assert rn.E2M1.values[:8].tolist() == E2M1
    assert rn.E1M2.values[:8].tolist() == UNIFORM
    assert rn.UE4M3.values[:127].tolist() == UE4M3
    assert single(0.1) == Single(float(F(0.1)))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_exact_derivation(fmt, kind):
    """Every preset, on all kinds of blocks, by the exact path of the package."""
    stored = fmt.stored
    tile = isinstance(stored.block, tuple)
    x = draw(kind, 256 if tile else stored.block, 2 if tile else 8)
    shaped = x.reshape(-1, 16) if tile else x
    several = [None] if stored.tensor_scale is None else [0.0, 1e-38, 3.0, 3e38]
    for amax in several:
        q = rn.quantize(shaped, fmt, tensor_amax=amax)
        want = [choose_block(row, fmt, amax) for row in x.tolist()]
        assert_same(q.scales.reshape(-1), [w[1] for w in want], f"scales, {amax}", x)
        assert_same(q.codes.reshape(x.shape), [w[0] for w in want], f"codes, {amax}", x)
