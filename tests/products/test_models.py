"""The readable models against a second derivation in rational numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from refnum.formats import BF16, FP16, FP32, TF32, UE8M0, decode, encode
from refnum.products import INSTRUCTIONS, Model, instruction, mma
from refnum.products.rounding import round_fraction

FUSED = [op for op in INSTRUCTIONS.values() if op.model is Model.FUSED]
# One of each path: architecture, operand width and result.
SOME_FUSED = [
    "sm70.mma.f16.f16.f32",
    "sm70.mma.f16.f16.f16",
    "sm80.mma.bf16.bf16.f32",
    "sm89.mma.e4m3.e5m2.f32",
    "sm90.wgmma.e4m3.e4m3.f32",
    "sm90.wgmma.e5m2.e5m2.f16",
    "sm90.mma.tf32.tf32.f32",
    "sm100.tcgen05.e3m2.e2m1.f32",
    "sm120.mma.e2m3.e4m3.f16",
]


def exponent(value, emin):
    """floor(log2|v|), never below emin, by integer arithmetic alone."""
    n, d = abs(value).numerator, abs(value).denominator
    e = n.bit_length() - d.bit_length()
    if Fraction(2) ** e > abs(value):
        e -= 1
    return max(e, emin)


def toward_zero(value, unit):
    """The multiple of 2**unit next to a value on the side of zero."""
    quantum = Fraction(2) ** unit
    return math.trunc(value / quantum) * quantum


def round_to_d(value, op):
    if op.d == FP16:
        return np.float16(float(value))
    unit = exponent(value, op.d.emin) - op.fraction_bits if value else 0
    kept = toward_zero(value, unit)
    return np.float32(math.inf) if abs(kept) >= 2**128 else np.float32(float(kept))


def fused_dot(a, b, c, op):
    """One output of a FUSED instruction, step by step, from finite values."""
    total = Fraction(c)
    for start in range(0, len(a), op.terms):
        terms = []
        for x, y in zip(
            a[start : start + op.terms], b[start : start + op.terms], strict=True
        ):
            x, y = Fraction(x), Fraction(y)
            e = exponent(x, op.a.emin) + exponent(y, op.b.emin) if x * y else None
            terms.append((x * y, e))
        terms.append((total, exponent(total, op.d.emin) if total else None))
        top = max(op.zero_exponent if e is None else e for _, e in terms)
        unit = top - op.alignment_bits
        total = Fraction(
            float(round_to_d(sum(toward_zero(v, unit) for v, _ in terms), op))
        )
    return float(total)


def random_codes(rng, fmt, shape):
    """Codes over the whole format, without NaN and infinity."""
    if fmt in (TF32, BF16):
        x = rng.normal(size=shape) * np.exp2(rng.integers(-20, 21, shape))
        return encode(x.astype(np.float32), fmt)
    codes = rng.integers(0, 1 << fmt.bits, shape).astype(fmt.dtype)
    finite = np.isfinite(decode(codes, fmt))
    return np.where(finite, codes, 1).astype(fmt.dtype)


@pytest.mark.parametrize("name", SOME_FUSED)
def test_fused_steps_equal_rational_arithmetic(name):
    op, rng = instruction(name), np.random.default_rng(1)
    depth = 2 * op.terms
    a, b = random_codes(rng, op.a, (6, depth)), random_codes(rng, op.b, (depth, 6))
    c = (rng.normal(size=(6, 6)) * 8).astype(np.float16 if op.d == FP16 else np.float32)
    result = mma(a, b, c, op)
    x, y = decode(a, op.a, np.float64), decode(b, op.b, np.float64)
    for i in range(6):
        for j in range(6):
            if not np.isfinite(result[i, j]):
                continue
            assert result[i, j] == fused_dot(x[i], y[:, j], c[i, j].item(), op)


def test_every_fused_row_is_covered_by_its_path():
    paths = {(op.alignment_bits, op.rounding, op.fraction_bits) for op in FUSED}
    covered = {
        (op.alignment_bits, op.rounding, op.fraction_bits)
        for op in map(instruction, SOME_FUSED)
    }
    missing = paths - covered
    # FP16 results differ from float32 ones in the rounding alone.
    assert {bits for bits, *_ in missing} <= {24, 25}


def test_grouped_steps_equal_rational_arithmetic():
    op, rng = instruction("sm100.tcgen05.mxf4nvf4.ue4m3.f32"), np.random.default_rng(2)
    a, b = random_codes(rng, op.a, (4, 64)), random_codes(rng, op.b, (64, 4))
    alpha = rng.integers(0, 0x7F, (4, 4)).astype(np.uint8)
    beta = rng.integers(0, 0x7F, (4, 4)).astype(np.uint8)
    c = rng.normal(size=(4, 4)).astype(np.float32) * 1e4
    result = mma(a, b, c, op, scale_a=alpha, scale_b=beta)
    x, y = decode(a, op.a, np.float64), decode(b, op.b, np.float64)
    sx, sy = decode(alpha, op.scale, np.float64), decode(beta, op.scale, np.float64)
    for i in range(4):
        for j in range(4):
            start = Fraction(c[i, j].item())
            terms = [(start, exponent(start, op.d.emin))]
            for g in range(4):
                k = slice(16 * g, 16 * g + 16)
                products = [
                    Fraction(p) * Fraction(q)
                    for p, q in zip(x[i, k], y[k, j], strict=True)
                ]
                scales = Fraction(sx[i, g]), Fraction(sy[g, j])
                value = sum(products) * scales[0] * scales[1]
                empty = not any(products) or not all(scales)
                e = sum(exponent(s, op.scale.emin) if s else 0 for s in scales)
                terms.append((value, op.zero_exponent if empty else e))
            unit = max(e for _, e in terms) - op.alignment_bits
            total = sum(toward_zero(value, unit) for value, _ in terms)
            assert result[i, j] == round_to_d(total, op)


def down(value, unit):
    """The multiple of 2**unit next to a value on the side of -infinity."""
    quantum = Fraction(2) ** unit
    return math.floor(value / quantum) * quantum


def tree_dot(a, b, c, op):
    """One step of a TREE instruction from finite values."""
    pairs = [(Fraction(x), Fraction(y)) for x, y in zip(a, b, strict=True)]
    es = [exponent(x, op.a.emin) + exponent(y, op.b.emin) for x, y in pairs if x * y]
    top = max(es, default=-999)
    dot = sum(toward_zero(x * y, top - 24) for x, y in pairs)
    largest = max(top, exponent(Fraction(c), -126) if c else -126)
    total = down(dot, largest - 32) + down(Fraction(c), largest - 24)
    unit = (exponent(total, -126) if total else -126) - 31
    return round_fraction(down(total, unit))


@pytest.mark.parametrize("reach", [2, 34])
def test_tree_steps_equal_rational_arithmetic(reach):
    op, rng = instruction("gfx942.mfma.bf16.bf16.f32"), np.random.default_rng(reach)
    scale = np.exp2(rng.integers(-reach, reach + 1, (2, 24, 8)) / 2)
    x = (rng.normal(size=(2, 24, 8)) * scale).astype(np.float32)
    a, b = encode(x[0], BF16), encode(x[1].T, BF16)
    c = rng.normal(size=(24, 24)) * np.exp2(rng.integers(-reach, reach + 1, (24, 24)))
    c = c.astype(np.float32)
    # Half an ulp of C and its 31st fraction bit, which breaks the tie.
    a[0], b[:, 0] = 0, 0
    a[0, :2] = encode(np.array([2.0**-24, 2.0**-31]), BF16)
    b[:2, 0], c[0, 0] = encode(np.ones(2), BF16), 1
    result = mma(a, b, c, op)
    left, right = decode(a, BF16, np.float64), decode(b, BF16, np.float64)
    expected = [
        [tree_dot(left[i], right[:, j], c[i, j].item(), op) for j in range(24)]
        for i in range(24)
    ]
    np.testing.assert_array_equal(result, np.array(expected))


def test_exact_steps_round_the_exact_sum_once():
    op, rng = instruction("gfx908.mfma.f16.f16.f32"), np.random.default_rng(3)
    a, b = random_codes(rng, FP16, (8, 4)), random_codes(rng, FP16, (4, 8))
    c = (rng.normal(size=(8, 8)) * np.exp2(rng.integers(-40, 30, (8, 8)))).astype(
        np.float32
    )
    result = mma(a, b, c, op)
    x, y = decode(a, FP16, np.float64), decode(b, FP16, np.float64)
    for i in range(8):
        for j in range(8):
            products = (
                Fraction(p) * Fraction(q) for p, q in zip(x[i], y[:, j], strict=True)
            )
            exact = sum(products, Fraction(c[i, j].item()))
            assert result[i, j] == round_fraction(exact)


def test_fma_steps_round_each_product_and_sum_once():
    op, rng = instruction("gfx942.mfma.f32.f32.f32"), np.random.default_rng(4)
    a = rng.normal(size=(5, 7)).astype(np.float32)
    b = rng.normal(size=(7, 5)).astype(np.float32)
    result = mma(a.view(np.uint32), b.view(np.uint32), np.zeros((5, 5), np.float32), op)
    for i in range(5):
        for j in range(5):
            total = np.float32(0)
            for x, y in zip(a[i].tolist(), b[:, j].tolist(), strict=True):
                total = round_fraction(
                    Fraction(x) * Fraction(y) + Fraction(total.item())
                )
            assert result[i, j] == total


def bf16(*values):
    return encode(np.array([values], np.float32), BF16)


def test_x86_adds_the_odd_product_first():
    # 1 + 2**-24 is a tie that goes to 1; then the even product restores nothing.
    a, b = bf16(-1.0, 1.0), bf16(1.0, 1.0).T
    c = np.full((1, 1), 2.0**-24, np.float32)
    assert mma(a, b, c, "x86.vdpbf16ps.bf16.bf16.f32") == 0
    swapped = mma(a[:, ::-1], b, c, "x86.vdpbf16ps.bf16.bf16.f32")
    assert swapped == np.float32(2.0**-24)


def test_x86_flushes_subnormals():
    a, b = bf16(2.0**-70, 0.0), bf16(2.0**-60, 0.0).T
    zero = np.zeros((1, 1), np.float32)
    assert mma(a, b, zero, "x86.vdpbf16ps.bf16.bf16.f32") == 0
    assert mma(a, b, zero, "gfx908.mfma.bf16.bf16.f32") == np.float32(2.0**-130)


def test_amx_sums_even_and_odd_apart():
    # In one chain 2**24 would swallow each of the ones.
    a, b = bf16(2.0**24, 1.0, 0.0, 1.0), bf16(1.0, 1.0, 1.0, 1.0).T
    zero = np.zeros((1, 1), np.float32)
    assert mma(a, b, zero, "x86.tdpbf16ps.bf16.bf16.f32") == 2.0**24 + 2


def test_arm_rounds_to_odd():
    a, b = bf16(1.0, 2.0**-40), bf16(1.0, 1.0).T
    zero = np.zeros((1, 1), np.float32)
    assert mma(a, b, zero, "arm.bfdot.bf16.bf16.f32") == np.float32(1 + 2.0**-23)


def test_cdna2_adds_in_pairs():
    a, b = bf16(1.0, 0.0, 1.0, 0.0), bf16(1.0, 1.0, 1.0, 1.0).T
    c = np.full((1, 1), 2.0**24, np.float32)
    assert mma(a, b, c, "gfx90a.mfma_1k.bf16.bf16.f32") == 2.0**24 + 2
    assert mma(a, b, c, "gfx90a.mfma.bf16.bf16.f32") == 2.0**24


def test_cdna3_is_not_symmetric_in_sign():
    rng = np.random.default_rng(5)
    a, b = random_codes(rng, FP16, (32, 16)), random_codes(rng, FP16, (16, 32))
    c = rng.normal(size=(32, 32)).astype(np.float32)
    op = instruction("gfx942.mfma.f16.f16.f32")
    assert (mma(a ^ 0x8000, b, -c, op) != -mma(a, b, c, op)).any()
    hopper = instruction("sm90.mma.f16.f16.f32")
    assert (mma(a ^ 0x8000, b, -c, hopper) == -mma(a, b, c, hopper)).all()


@pytest.mark.parametrize("op", INSTRUCTIONS.values(), ids=str)
def test_nan_in_c_stays_with_the_code_of_the_chip(op):
    a = np.zeros((1, 64), op.a.dtype)
    b = np.zeros((64, 1), op.b.dtype)
    c = np.full((1, 1), np.nan, np.float16 if op.d == FP16 else np.float32)
    scales = {}
    if op.scale is not None:
        one = encode(np.ones((1, 64 // op.block)), op.scale)
        scales = {"scale_a": one, "scale_b": one.T}
    expected = {"sm": 0x7FFF if op.d == FP16 else 0x7FFFFFFF}
    result = mma(a, b, c, op, **scales).view(op.d.dtype)
    assert result == expected.get(op.arch[:2], 0x7FC00000)


def test_nan_scale_gives_nan():
    op = instruction("sm100.tcgen05.mxf8f6f4.e4m3.e5m2.f32")
    zeros = np.zeros((1, 32), np.uint8)
    one, nan = np.full((1, 1), 127, np.uint8), np.full((1, 1), UE8M0.nan_code, np.uint8)
    zero = np.zeros((1, 1), np.float32)
    assert np.isnan(mma(zeros, zeros.T, zero, op, scale_a=nan, scale_b=one)).all()
    assert mma(zeros, zeros.T, zero, op, scale_a=one, scale_b=one) == 0


def test_products_beyond_float32_cancel():
    huge = np.float32(2.0**127)
    a = bf16(huge, -huge, 1.0)
    b = bf16(huge, huge, 1.0).T
    zero = np.zeros((1, 1), np.float32)
    result = mma(a, b, zero, "sm90.mma.bf16.bf16.f32")
    assert np.isfinite(result).all()


def test_truncation_overflows_to_infinity():
    a, b = bf16(2.0**127, 2.0**127), bf16(1.0, 1.0).T
    zero = np.zeros((1, 1), np.float32)
    assert mma(a, b, zero, "sm80.mma.bf16.bf16.f32") == np.inf


def test_emulated_fp8_keeps_what_wgmma_loses():
    a = encode(np.array([[256.0, 2.0**-6]]), INSTRUCTIONS[SOME_FUSED[4]].a)
    b = encode(np.array([[1.0], [1.0]]), INSTRUCTIONS[SOME_FUSED[4]].b)
    zero = np.zeros((1, 1), np.float32)
    assert mma(a, b, zero, "sm90.mma.e4m3.e4m3.f32") == 256 + 2.0**-6
    assert mma(a, b, zero, "sm90.wgmma.e4m3.e4m3.f32") == 256


def test_fp32_codes_are_float32_patterns():
    assert instruction("gfx908.mfma.f32.f32.f32").a == FP32
