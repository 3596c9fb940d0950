"""The assertions pass on equal bits, and say which bit differs on others."""

import numpy as np
import pytest

import refnum as rn
from refnum.testing import (
    assert_codes_equal,
    assert_product_equal,
    assert_quantized_equal,
    assert_values_equal,
)

X = np.random.default_rng(0).standard_normal((8, 64), dtype=np.float32)


class TestCodes:
    def test_every_format_passes_with_itself(self):
        for fmt in (rn.E2M1, rn.E4M3, rn.UE8M0, rn.E5M3, rn.BF16):
            codes = np.arange(2 ** min(fmt.bits, 12), dtype=np.uint16)
            assert_codes_equal(codes, codes.astype(np.int64), fmt)

    def test_message_has_place_values_and_bits(self):
        with pytest.raises(AssertionError) as error:
            assert_codes_equal([[8, 126]], [[0, 126]], rn.E4M3, err_msg="layer 3")
        assert str(error.value).splitlines() == [
            "layer 3",
            "e4m3 codes are not equal",
            "1 of 2 differ (50 %)",
            "at [0, 0]: got 08 = 0.015625, want 00 = 0, bits xor 08",
        ]

    def test_five_are_shown(self):
        with pytest.raises(AssertionError, match="and 3 more"):
            assert_codes_equal(np.zeros(8, int), np.ones(8, int), "e2m1")

    def test_codes_beyond_the_format(self):
        with pytest.raises(AssertionError, match="no code of e2m1"):
            assert_codes_equal([16], [1], rn.E2M1)
        with pytest.raises(ValueError, match=r"desired has the code 0x10"):
            assert_codes_equal([1], [16], rn.E2M1)

    @pytest.mark.parametrize("codes", [[0.5], [-1], ["a"]])
    def test_no_codes(self, codes):
        with pytest.raises(TypeError, match="actual must hold"):
            assert_codes_equal(codes, [1], rn.E2M1)

    def test_shapes(self):
        with pytest.raises(AssertionError, match=r"got \(1, 2\), want \(2,\)"):
            assert_codes_equal([[1, 2]], [1, 2], rn.E2M1)

    def test_empty(self):
        assert_codes_equal([], [], rn.E2M1)


class TestValues:
    def test_zeros_differ(self):
        with pytest.raises(AssertionError, match=r"got 0000 = 0, want 8000 = -0"):
            assert_values_equal(np.float16([0.0]), np.float16([-0.0]))

    def test_payloads_count_on_demand(self):
        one, other = (
            np.array([b], np.uint32).view("f4")
            for b in (0x7FC00000, ~0 >> 1 & 0x7FFFFFFF)
        )
        assert_values_equal(one, other)
        with pytest.raises(AssertionError, match=r"7fc00000 = NaN"):
            assert_values_equal(one, other, nan="bits")

    def test_nan_is_no_number(self):
        with pytest.raises(AssertionError, match="want 3f800000 = 1"):
            assert_values_equal(np.float32([np.nan]), np.float32([1]))

    def test_types(self):
        with pytest.raises(AssertionError, match="got float64, want float32"):
            assert_values_equal([1.0], np.float32([1]))
        with pytest.raises(TypeError, match="actual must hold float16"):
            assert_values_equal([1], [1.0])
        with pytest.raises(ValueError, match="any or bits"):
            assert_values_equal([1.0], [1.0], nan="some")

    def test_byte_order_is_no_difference(self):
        assert_values_equal(np.array([1.5], ">f4"), np.array([1.5], "<f4"))


class TestQuantized:
    def test_equal(self):
        for name in ("mxfp4", "nvfp4", "hifloat4", "mxfp8_e4m3"):
            fmt = rn.blocks.block_format(name)
            assert_quantized_equal(rn.quantize(X, fmt), rn.quantize(X, fmt))

    def test_first_stage_alone_is_named(self):
        want = rn.quantize(X, rn.NVFP4)
        got = rn.quantize(X * 2, rn.NVFP4)
        with pytest.raises(AssertionError, match="tensor scales are not equal"):
            assert_quantized_equal(got, want)

    def test_scales_before_codes(self):
        want, got = rn.quantize(X, rn.MXFP4), rn.quantize(X * 2, rn.MXFP4)
        with pytest.raises(AssertionError, match=r"scales .*\(the first stage"):
            assert_quantized_equal(got, want)

    def test_codes_last(self):
        want, got = rn.quantize(X, rn.MXFP4), rn.quantize(-X, rn.MXFP4)
        with pytest.raises(AssertionError, match=r"^codes are not equal"):
            assert_quantized_equal(got, want)

    def test_other_formats_and_axes(self):
        want = rn.quantize(X, rn.MXFP4)
        with pytest.raises(AssertionError, match="formats: got e2m1, ue4m3"):
            assert_quantized_equal(rn.quantize(X, rn.NVFP4), want)
        square = X[:, :8]
        with pytest.raises(AssertionError, match="axes: got 0, want 1"):
            assert_quantized_equal(
                rn.quantize(square, rn.MXFP4, axis=0), rn.quantize(square, rn.MXFP4)
            )

    def test_one_rule_may_decode_like_another(self):
        x = np.full((1, 32), 4.0, np.float32)
        floor, nvidia = rn.MXFP4, rn.blocks.MXFP4_NVIDIA
        assert_quantized_equal(rn.quantize(x, floor), rn.quantize(x, nvidia))

    def test_no_quantized(self):
        with pytest.raises(TypeError, match="desired must be Quantized"):
            assert_quantized_equal(rn.quantize(X, rn.MXFP4), X)


class TestProduct:
    name = "sm90.wgmma.e4m3.e4m3.f32"
    a = rn.encode(X, rn.E4M3)
    b = np.ascontiguousarray(a.T)

    def test_instruction_and_schedule(self):
        d = rn.gemm(self.a, self.b, self.name, promote_every=32)
        assert_product_equal(d, self.a, self.b, self.name, promote_every=32)
        d[3, 3] = np.nextafter(d[3, 3], np.float32(0))
        with pytest.raises(AssertionError, match=r"at \[3, 3\]"):
            assert_product_equal(d, self.a, self.b, self.name, promote_every=32)

    def test_codes_out(self):
        d = rn.gemm(self.a, self.b, self.name, out="bf16")
        assert_product_equal(d, self.a, self.b, self.name, out="bf16")
        with pytest.raises(AssertionError, match="bf16 codes"):
            assert_product_equal(d ^ 1, self.a, self.b, self.name, out="bf16")

    def test_accumulators(self):
        d = rn.matmul(X, X.T, accumulator=rn.SEQUENTIAL)
        assert_product_equal(d, X, X.T, rn.SEQUENTIAL)
        with pytest.raises(AssertionError, match="differ"):
            assert_product_equal(d, X, X.T)
        with pytest.raises(TypeError, match="out: options of an instruction"):
            assert_product_equal(d, X, X.T, out="bf16")
