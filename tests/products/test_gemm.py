"""Whole products: the fast paths equal the readable models, and schedules add up."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.formats import FP16, UE8M0, Cast, Rounding, decode, encode
from refnum.products import INSTRUCTIONS, gemm, instruction, mma
from refnum.products.directed import directed_cases
from refnum.products.engine import accumulate, read_side
from refnum.products.gemm import plan
from refnum.products.operands import read_operands

HOPPER = "sm90.wgmma.e4m3.e4m3.f32"
NVFP4 = "sm100.tcgen05.mxf4nvf4.ue4m3.f32"
SPREADS = ["bits", "normal", "sparse", "wide", "wider"]


def operand(rng, fmt, shape, spread):
    """Codes: raw bits, or values whose exponents vary more or less."""
    if spread == "bits":
        return rng.integers(0, 1 << fmt.bits, shape, dtype=np.uint64).astype(fmt.dtype)
    reach = {"normal": 0, "sparse": 3, "wide": 30, "wider": 60}[spread]
    if fmt.exponent_bits <= 5:
        reach = min(reach, 7)
    x = rng.normal(size=shape) * np.exp2(rng.integers(-reach, reach + 1, shape))
    if spread == "sparse":
        x[rng.random(shape) < 0.4] = 0
    return encode((x if fmt.signed else abs(x)).astype(np.float32), fmt)


def scales(rng, op, m, depth, n, spread):
    if op.scale is None:
        return {}
    sizes = (m, depth // op.block), (depth // op.block, n)
    if op.scale == UE8M0 and spread != "bits":
        reach = {"normal": 3, "sparse": 10, "wide": 40, "wider": 90}[spread]
        pair = [
            (127 + rng.integers(-reach, reach + 1, s)).astype(np.uint8) for s in sizes
        ]
    else:
        pair = [operand(rng, op.scale, s, spread) for s in sizes]
    return {"scale_a": pair[0], "scale_b": pair[1]}


@pytest.mark.parametrize("op", INSTRUCTIONS.values(), ids=str)
def test_gemm_equals_mma(op):
    rng = np.random.default_rng(7)
    m, n, depth = 9, 7, max(4 * op.k, 16)
    zero = np.zeros((m, n), np.float16 if op.d == FP16 else np.float32)
    for spread in SPREADS:
        a = operand(rng, op.a, (m, depth), spread)
        b = operand(rng, op.b, (depth, n), spread)
        block = scales(rng, op, m, depth, n, spread)
        fast, readable = gemm(a, b, op, **block), mma(a, b, zero, op, **block)
        bits = op.d.dtype
        np.testing.assert_array_equal(fast.view(bits), readable.view(bits), spread)


@pytest.mark.parametrize("name", [HOPPER, "sm90.mma.e5m2.e4m3.f16", NVFP4])
def test_several_tiles(name):
    op, rng = instruction(name), np.random.default_rng(8)
    m, n, depth = 300, 530, 128
    a = operand(rng, op.a, (m, depth), "normal")
    b = operand(rng, op.b, (depth, n), "normal")
    block = scales(rng, op, m, depth, n, "normal")
    zero = np.zeros((m, n), np.float16 if op.d == FP16 else np.float32)
    readable = mma(a, b, zero, op, **block)
    np.testing.assert_array_equal(gemm(a, b, op, **block), readable)


def test_the_callers_buffer_size_comes_back():
    a, b = np.full((3, 64), 0x38, np.uint8), np.full((64, 3), 0x38, np.uint8)
    before = np.getbufsize()
    assert (gemm(a, b, HOPPER) == 64).all()
    assert np.getbufsize() == before


def test_results_near_the_end_of_float32():
    rng = np.random.default_rng(9)
    for shift in (-63, -75, 62):
        x = rng.normal(size=(2, 8, 64)) * 2.0**shift
        a, b = encode(x[0].astype(np.float32), rn.BF16), encode(x[1].T, rn.BF16)
        op = "sm90.wgmma.bf16.bf16.f32"
        readable = mma(a, b, np.zeros((8, 8), np.float32), op)
        np.testing.assert_array_equal(gemm(a, b, op), readable)


def test_batches_broadcast():
    rng = np.random.default_rng(10)
    a = operand(rng, rn.E4M3, (3, 1, 4, 32), "normal")
    b = operand(rng, rn.E4M3, (2, 32, 5), "normal")
    result = gemm(a, b, HOPPER)
    assert result.shape == (3, 2, 4, 5)
    np.testing.assert_array_equal(result[2, 1], gemm(a[2, 0], b[1], HOPPER))


def test_depths_that_are_no_whole_steps_are_padded_with_zeros():
    rng = np.random.default_rng(11)
    a = operand(rng, rn.E4M3, (4, 40), "normal")
    b = operand(rng, rn.E4M3, (40, 4), "normal")
    padded = gemm(np.pad(a, ((0, 0), (0, 24))), np.pad(b, ((0, 24), (0, 0))), HOPPER)
    np.testing.assert_array_equal(gemm(a, b, HOPPER), padded)


@pytest.mark.parametrize("shape", [(0, 32, 3), (3, 32, 0), (3, 0, 3)])
def test_empty_products(shape):
    m, depth, n = shape
    a, b = np.zeros((m, depth), np.uint8), np.zeros((depth, n), np.uint8)
    result = gemm(a, b, HOPPER)
    assert result.shape == (m, n)
    assert not result.any()
    assert mma(a, b, np.zeros((m, n), np.float32), HOPPER).shape == (m, n)


def chains(a, b, cuts):
    zero = np.zeros((a.shape[0], b.shape[1]), np.float32)
    return [mma(a[:, i:j], b[i:j], zero, HOPPER) for i, j in cuts]


def test_promotion_adds_partial_sums_in_float32():
    rng = np.random.default_rng(12)
    a, b = (operand(rng, rn.E4M3, s, "normal") for s in ((6, 320), (320, 5)))
    first, second, third = chains(a, b, [(0, 128), (128, 256), (256, 320)])
    promoted = gemm(a, b, HOPPER, promote_every=128)
    np.testing.assert_array_equal(promoted, (first + second) + third)


def test_split_k_adds_slices_in_order():
    rng = np.random.default_rng(13)
    a, b = (operand(rng, rn.E4M3, s, "normal") for s in ((6, 320), (320, 5)))
    first, second, third = chains(a, b, [(0, 128), (128, 256), (256, 320)])
    split = gemm(a, b, HOPPER, split_k=3)
    np.testing.assert_array_equal(split, (first + second) + third)
    both = gemm(a, b, HOPPER, split_k=2, promote_every=96)
    parts = chains(a, b, [(0, 96), (96, 160), (160, 256), (256, 320)])
    np.testing.assert_array_equal(both, (parts[0] + parts[1]) + (parts[2] + parts[3]))


SCHEDULED = [
    "sm100.tcgen05.mxf8f6f4.e4m3.e2m1.f32",
    "sm100.tcgen05.mxf4.ue8m0.f32",
    NVFP4,
]


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("spread", ["bits", "normal", "wide"])
def test_schedules_of_block_scaled_kinds(name, spread):
    """Each chain sees the scales of its own k."""
    op, rng = instruction(name), np.random.default_rng(20)
    m, depth, n, every = 7, 512, 6, 128
    a = operand(rng, op.a, (m, depth), spread)
    b = operand(rng, op.b, (depth, n), spread)
    block = scales(rng, op, m, depth, n, spread)
    total = np.zeros((m, n), np.float32)
    for k in range(0, depth, every):
        ks = slice(k, k + every)
        blocks = slice(k // op.block, (k + every) // op.block)
        part = {
            "scale_a": block["scale_a"][:, blocks],
            "scale_b": block["scale_b"][blocks],
        }
        chain = mma(a[:, ks], b[ks], np.zeros((m, n), np.float32), op, **part)
        with np.errstate(all="ignore"):
            total = total + chain if k else chain
    for options in ({"promote_every": every}, {"split_k": depth // every}):
        np.testing.assert_array_equal(gemm(a, b, op, **options, **block), total)


def test_plans_say_what_they_cannot_do():
    op = instruction(HOPPER)
    with pytest.raises(
        ValueError, match="promote_every = 100 is not a positive multiple"
    ):
        plan(256, op, 100, 1)
    with pytest.raises(ValueError, match="split_k = 0 is not positive"):
        plan(256, op, None, 0)
    assert plan(0, op, None, 4) == []


def test_epilogue_operations_round_one_by_one():
    rng = np.random.default_rng(14)
    a, b = (operand(rng, rn.E4M3, s, "normal") for s in ((6, 64), (64, 5)))
    c = rng.normal(size=(6, 5)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    total = gemm(a, b, HOPPER)
    alpha, beta = np.float32(0.3), np.float32(-1.7)
    expected = (total * alpha + c * beta) + bias
    result = gemm(a, b, HOPPER, alpha=0.3, beta=-1.7, c=c, bias=bias)
    np.testing.assert_array_equal(result, expected)
    codes = gemm(a, b, HOPPER, alpha=0.3, out="e4m3", out_scale=4.0)
    scaled = (total * alpha) * np.float32(4)
    np.testing.assert_array_equal(codes, encode(scaled, rn.E4M3))
    down = Cast(Rounding.TOWARD_ZERO)
    codes = gemm(a, b, HOPPER, out=rn.BF16, cast=down)
    np.testing.assert_array_equal(codes, encode(total, rn.BF16, down))


def test_float16_accumulators_stay_float16_until_something_is_added():
    rng = np.random.default_rng(15)
    a, b = (operand(rng, rn.E4M3, s, "normal") for s in ((6, 64), (64, 5)))
    op = "sm90.wgmma.e4m3.e4m3.f16"
    plain = gemm(a, b, op)
    assert plain.dtype == np.float16
    scaled = gemm(a, b, op, alpha=0.5)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, plain.astype(np.float32) * np.float32(0.5))


def test_nan_of_the_chip_survives_schedule_and_epilogue():
    a, b = np.full((1, 64), 0x7F, np.uint8), np.zeros((64, 1), np.uint8)
    for options in ({}, {"promote_every": 32}, {"alpha": 2.0}):
        assert gemm(a, b, HOPPER, **options).view(np.uint32) == 0x7FFFFFFF


def test_beta_needs_c_and_addends_fit():
    a, b = np.zeros((2, 32), np.uint8), np.zeros((32, 2), np.uint8)
    with pytest.raises(ValueError, match="give c"):
        gemm(a, b, HOPPER, beta=1.0)
    with pytest.raises(TypeError, match="c must be float32, not float64"):
        gemm(a, b, HOPPER, beta=1.0, c=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="bias has shape"):
        gemm(a, b, HOPPER, bias=np.zeros(3, np.float32))


def quantized_pair(block_format, m=8, depth=128, n=6):
    rng = np.random.default_rng(16)
    x = rng.normal(size=(m, depth)).astype(np.float32) * 3
    y = rng.normal(size=(depth, n)).astype(np.float32) / 5
    return rn.quantize(x, block_format), rn.quantize(y, block_format, axis=0)


def test_quantized_operands_bring_their_scales():
    x, y = quantized_pair(rn.NVFP4)
    codes = {"scale_a": x.scales, "scale_b": y.scales}
    alpha = np.float32(x.tensor_scale) * np.float32(y.tensor_scale)
    by_codes = gemm(x.codes, y.codes, NVFP4, alpha=alpha, **codes)
    np.testing.assert_array_equal(gemm(x, y, NVFP4), by_codes)
    close = rn.dequantize(x, np.float64) @ rn.dequantize(y, np.float64)
    np.testing.assert_allclose(by_codes, close, rtol=1e-5)


def test_mx_operands():
    x, y = quantized_pair(rn.MXFP8_E4M3)
    result = gemm(x, y, "sm100.tcgen05.mxf8f6f4.e4m3.e4m3.f32")
    close = rn.dequantize(x, np.float64) @ rn.dequantize(y, np.float64)
    np.testing.assert_allclose(result, close, rtol=1e-4, atol=1e-4)


def test_a_scale_of_the_tensor_goes_to_the_epilogue():
    x, y = quantized_pair(rn.blocks.FP8_PER_TENSOR)
    alpha = decode(x.scales, x.format.scale) * decode(y.scales, y.format.scale)
    expected = gemm(x.codes, y.codes, HOPPER, alpha=alpha.item())
    np.testing.assert_array_equal(gemm(x, y, HOPPER), expected)


def test_quantized_operands_that_do_not_fit():
    x, y = quantized_pair(rn.MXFP8_E4M3)
    with pytest.raises(ValueError, match="takes e4m3 codes"):
        gemm(x, y, HOPPER)
    with pytest.raises(ValueError, match="takes e2m1 codes with ue4m3 for 16"):
        gemm(x, y, NVFP4)
    with pytest.raises(ValueError, match="blocked along axis 0, not along K"):
        gemm(y, x, "sm100.tcgen05.mxf8f6f4.e4m3.e4m3.f32")
    with pytest.raises(ValueError, match="carries its own scales"):
        gemm(x, y, "sm100.tcgen05.mxf8f6f4.e4m3.e4m3.f32", scale_a=x.scales)


def test_wide_and_narrow_lanes_agree():
    """Operands of any exponent give the same bits as the same ones scaled by 2**n."""
    rng = np.random.default_rng(17)
    x = rng.normal(size=(2, 12, 64)).astype(np.float32)
    op = "sm80.mma.bf16.bf16.f32"
    plain = gemm(encode(x[0], rn.BF16), encode(x[1].T, rn.BF16), op)
    for shift in (15, 40, 55):
        scaled = x * np.float32(2.0**shift)
        result = gemm(encode(scaled[0], rn.BF16), encode(scaled[1].T, rn.BF16), op)
        np.testing.assert_array_equal(result, plain * np.float32(2.0 ** (2 * shift)))


CHANGES = [
    {"alignment_bits": 8},
    {"alignment_bits": 20},
    {"alignment_bits": 27},
    {"alignment_bits": 38},
    {"fraction_bits": 9},
    {"rounding": Rounding.NEAREST_EVEN},
    {"rounding": Rounding.TOWARD_ZERO},
    {"zero_exponent": -10},
    {"zero_exponent": -300},
    {"terms": 5},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        HOPPER,
        "sm90.mma.e4m3.e5m2.f16",
        "sm90.wgmma.f16.f16.f16",
        "sm80.mma.bf16.bf16.f32",
    ],
)
def test_records_that_are_no_table_rows_work(name, change):
    op = replace(instruction(name), **change)
    rng = np.random.default_rng(18)
    zero = np.zeros((6, 5), np.float16 if op.d == FP16 else np.float32)
    for spread in ("normal", "wide"):
        a = operand(rng, op.a, (6, 80), spread)
        b = operand(rng, op.b, (80, 5), spread)
        np.testing.assert_array_equal(gemm(a, b, op), mma(a, b, zero, op))


@pytest.mark.parametrize("op", INSTRUCTIONS.values(), ids=str)
def test_directed_cases_from_a_zero_accumulator(op):
    for case in directed_cases(op):
        block = {"scale_a": case.scale_a, "scale_b": case.scale_b}
        readable = mma(case.a, case.b, np.zeros_like(case.c), op, **block)
        fast = gemm(case.a, case.b, op, **block)
        bits = op.d.dtype
        np.testing.assert_array_equal(fast.view(bits), readable.view(bits), case.name)


def test_fp16_sums_align_to_the_zero_accumulator():
    """Tiny products decide ties, down to the last bit above the zero's exponent."""
    rng = np.random.default_rng(19)
    op = instruction("sm90.wgmma.f16.f16.f16")
    a = rng.integers(0, 1 << 12, (64, 16)).astype(np.uint16)
    b = rng.integers(0, 1 << 12, (16, 64)).astype(np.uint16)
    zero = np.zeros((64, 64), np.float16)
    np.testing.assert_array_equal(gemm(a, b, op), mma(a, b, zero, op))


@pytest.mark.parametrize("name", [HOPPER, "sm90.wgmma.f16.f16.f32", NVFP4])
@pytest.mark.parametrize("reach", [0, 14, 45, 100])
def test_tiles_start_from_any_accumulator(name, reach):
    """C of all sizes, among them those that lose bits to the products and to itself."""
    op, rng = instruction(name), np.random.default_rng(reach)
    m, n, depth = 24, 20, 128
    a = operand(rng, op.a, (m, depth), "sparse")
    a[0] = 0  # C alone, and its last bits
    b = operand(rng, op.b, (depth, n), "sparse")
    block = scales(rng, op, m, depth, n, "normal")
    c = rng.normal(size=(m, n)) * np.exp2(rng.integers(-reach, reach // 2 + 1, (m, n)))
    start = c.astype(np.float32)
    left, right = read_operands(a, b, op, *block.values())
    sides = read_side(left, op), read_side(right, op)
    fast = accumulate(*sides, start.astype(np.float64), op)
    np.testing.assert_array_equal(fast, mma(a, b, start, op, **block))


def test_c_loses_bits_to_groups_that_cancel():
    """A group of sum zero aligns C by its scales all the same."""
    op = instruction(NVFP4)
    a = encode(np.array([[6.0, -6.0] * 32]), op.a)
    b = encode(np.ones((64, 1)), op.b)
    top = encode(np.full((1, 4), 2.0**6), op.scale)
    block = {"scale_a": top, "scale_b": top.T}
    left, right = read_operands(a, b, op, *block.values())
    sides = read_side(left, op), read_side(right, op)
    for below in (11, 12, 13, 14, 15):
        c = np.full((1, 1), (2 - 2.0**-23) * 2.0 ** (12 - below), np.float32)
        readable = mma(a, b, c, op, **block)
        assert (readable == c) == (below <= 12)
        assert accumulate(*sides, c.astype(np.float64), op) == readable
