"""What `mma` takes and refuses."""

import numpy as np
import pytest

import refnum as rn
from refnum.products import mma

HOPPER = "sm90.wgmma.e4m3.e4m3.f32"
NVFP4 = "sm100.tcgen05.mxf4nvf4.ue4m3.f32"
TF32 = "sm90.mma.tf32.tf32.f32"
A, B = np.zeros((4, 32), np.uint8), np.zeros((32, 3), np.uint8)
C = np.zeros((4, 3), np.float32)


def test_tf32_codes_and_registers_are_the_same_operands():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 8)).astype(np.float32)
    y = rng.normal(size=(8, 3)).astype(np.float32)
    registers = mma(x.view(np.uint32), y.view(np.uint32), C, TF32)
    codes = mma(x.view(np.uint32) >> 13, y.view(np.uint32) >> 13, C, TF32)
    np.testing.assert_array_equal(registers, codes)
    low_bits = x.view(np.uint32) ^ np.uint32(0x1FFF)
    np.testing.assert_array_equal(mma(low_bits, y.view(np.uint32), C, TF32), registers)


def test_tf32_nan_with_a_payload_in_the_low_bits_is_infinity():
    a = np.full((1, 8), 0x7F800001, np.uint32)
    b = np.full((8, 1), 0x3F800000, np.uint32)
    assert mma(a, b, C[:1, :1], TF32) == np.inf


def test_the_sign_bit_of_a_ue4m3_scale_is_not_read():
    ones = np.full((1, 64), 2, np.uint8)
    one, signed = np.full((1, 4), 0x38, np.uint8), np.full((1, 4), 0xB8, np.uint8)
    zero = np.zeros((1, 1), np.float32)
    for scale in (one, signed):
        result = mma(ones, ones.T, zero, NVFP4, scale_a=scale, scale_b=one.T)
        assert result == 64


def test_c_is_broadcast():
    result = mma(A, B, np.float32(3.0), HOPPER)
    np.testing.assert_array_equal(result, np.full((4, 3), 3.0, np.float32))


@pytest.mark.parametrize(
    ("a", "b", "c", "match"),
    [
        (A.astype(np.float32), B, C, "codes must be integers"),
        (A, B, C.astype(np.float64), "c must have the type of D, float32"),
        (A, B, C.astype(np.float16), "c must have the type of D, float32"),
    ],
)
def test_wrong_types(a, b, c, match):
    with pytest.raises(TypeError, match=match):
        mma(a, b, c, HOPPER)


@pytest.mark.parametrize(
    ("a", "b", "c", "match"),
    [
        (A, B[:31], C, "a has K = 32 columns, but b has 31 rows"),
        (A[0], B, C, "operands are matrices"),
        (A, B, C[:2], r"c has shape \(2, 3\), but D has \(4, 3\)"),
        (A.astype(np.int16) - 1, B, C, "code -1 is not below 256"),
        (A.astype(np.int16) + 256, B, C, "code 256 is not below 256"),
        (A[None].repeat(2, 0), B[None].repeat(3, 0), C, "do not match"),
    ],
)
def test_wrong_shapes_and_codes(a, b, c, match):
    with pytest.raises(ValueError, match=match):
        mma(a, b, c, HOPPER)


def test_scales_are_given_where_they_belong():
    one = np.full((4, 1), 127, np.uint8)
    with pytest.raises(ValueError, match="applies no block scales"):
        mma(A, B, C, HOPPER, scale_a=one, scale_b=one)
    op = "sm100.tcgen05.mxf8f6f4.e4m3.e4m3.f32"
    with pytest.raises(ValueError, match="give scale_a"):
        mma(A, B, C, op)
    with pytest.raises(ValueError, match="one for 32 elements"):
        mma(A, B, C, op, scale_a=np.full((4, 2), 127, np.uint8), scale_b=one[:3].T)
    with pytest.raises(ValueError, match="K = 30 is not a multiple of the 32 elements"):
        mma(A[:, :30], B[:30], C, op, scale_a=one[:, :0], scale_b=one[:3, :0].T)


def test_quantized_operands_reach_the_instruction():
    x = rn.quantize(np.ones((4, 64), np.float32), rn.MXFP4)
    y = rn.quantize(np.ones((64, 3), np.float32), rn.MXFP4, axis=0)
    result = mma(x, y, C, "sm100.tcgen05.mxf4.ue8m0.f32")
    np.testing.assert_array_equal(result, np.full((4, 3), 64.0, np.float32))
